"""clang-tidy, cppcheck and gcc -fanalyzer over all code that runs with any capability, or decides what
may: helper/, lib/, proto/, policy/. One case for each file and tool; a finding fails it."""
import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from support import tap
from support.world import BUILD, SOURCE

FOLDERS = ("helper", "lib", "proto", "policy")
FILES = [f"{folder}/{name}" for folder in FOLDERS for name in sorted(os.listdir(f"{SOURCE}/{folder}"))
         if name.endswith(".c")]


def command_of(path):
    """How the build compiles it, without its output."""
    with open(f"{BUILD}/compile_commands.json", encoding="utf-8") as file:
        for entry in json.load(file):
            if os.path.realpath(os.path.join(entry["directory"], entry["file"])) == f"{SOURCE}/{path}":
                words = shlex.split(entry["command"])
                at = words.index("-o")
                return words[:at] + words[at + 2:]
    return None


def run(words, folder=SOURCE):
    """(good, what it said)"""
    try:
        done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    except FileNotFoundError as error:
        return False, str(error)
    return done.returncode == 0, done.stdout


def tidy(path):
    return run(["clang-tidy", "-p", BUILD, "--quiet", path])


def cppcheck(path):
    return run(["cppcheck", "--quiet", "--enable=warning,portability,performance", "--std=c11", "--inline-suppr",
                "--error-exitcode=1", f"--suppressions-list={SOURCE}/tests/static/cppcheck.suppressions", "-I.",
                f"-I{BUILD}/proto", f"-I{BUILD}/policy", path])


def analyze(path):
    words = command_of(path)
    if not words:
        return False, "the build does not compile it"
    return run(["gcc", *words[1:], "-o", "/dev/null", "-fanalyzer", "-Werror"], BUILD)


def is_tried():
    """That each tool sees a fault at all."""
    folder = f"{BUILD}/static-try"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/fault.c", "w", encoding="ascii") as file:
        file.write("#include <stdlib.h>\nint f(int *q);\nint f(int *q)\n{\n\tint *p = malloc(4), a[2];\n\tfree(p);\n"
                   "\ta[0] = a[1] = *q == *q;\n\tif (!q)\n\t\treturn a[2];\n\treturn *p;\n}\n")
    for name, words in (("clang-tidy", ["clang-tidy", f"--config-file={SOURCE}/.clang-tidy", "fault.c", "--"]),
                        ("cppcheck", ["cppcheck", "--quiet", "--error-exitcode=1", "fault.c"]),
                        ("gcc -fanalyzer", ["gcc", "-c", "-o", "/dev/null", "-fanalyzer", "-Werror", "fault.c"])):
        good, text = run(words, folder)
        tap.report(not good, f"{name} finds a fault that is there", text)


is_tried()
tap.report(len(FILES) > 20, "there are files", FILES)
with ThreadPoolExecutor(2) as pool:
    for tool, check in (("clang-tidy", tidy), ("cppcheck", cppcheck), ("gcc -fanalyzer", analyze)):
        for path, (good, text) in zip(FILES, pool.map(check, FILES)):
            tap.report(good, f"{tool}: {path}", text[-3000:])
tap.done()
