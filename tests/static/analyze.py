"""clang-tidy, cppcheck and gcc -fanalyzer over all code that runs with any capability, or decides what
may: helper/, lib/, proto/, policy/. One case for each file and tool; a finding fails it. A tool does not look
again at a file in which it found nothing before the file, a header that it includes, or the tool changes."""
import functools
import hashlib
import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from support import tap
from support.world import BUILD, SHARED, SOURCE

FOLDERS = ("helper", "lib", "proto", "policy")
FILES = [f"{folder}/{name}" for folder in FOLDERS for name in sorted(os.listdir(f"{SOURCE}/{folder}"))
         if name.endswith(".c")]
@functools.cache
def commands():
    """{absolute path: how the build compiles it, without its output}; of a file that it compiles twice, the first."""
    found = {}
    with open(f"{BUILD}/compile_commands.json", encoding="utf-8") as file:
        for entry in json.load(file):
            words = shlex.split(entry["command"])
            at = words.index("-o")
            found.setdefault(os.path.realpath(os.path.join(entry["directory"], entry["file"])),
                             words[:at] + words[at + 2:])
    return found


def command_of(path):
    return commands().get(f"{SOURCE}/{path}")


def run(words, folder=SOURCE):
    """(good, what it said)"""
    try:
        done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    except FileNotFoundError as error:
        return False, str(error)
    return done.returncode == 0, done.stdout


@functools.cache
def version(tool):
    return subprocess.run([tool, "--version"], stdout=subprocess.PIPE, check=False).stdout


@functools.cache
def parts_of(path):
    """The file and all headers of the project that it includes, as the build names them; None if gcc cannot tell."""
    good, text = run(["gcc", *[word for word in command_of(path)[1:] if word != "-c"], "-MM"], BUILD)
    return text.replace("\\\n", " ").split()[1:] if good else None


def key_of(path, command, words, configuration):
    """A hash of all that the findings of WORDS, a tool's command line, depend on: None where that is not known."""
    parts = parts_of(path)
    if not parts:
        return None
    known = hashlib.sha256(repr((words, command)).encode() + version(words[0]))
    for name in [*parts, *configuration]:
        with open(os.path.join(BUILD, name), "rb") as file:
            known.update(hashlib.sha256(file.read()).digest())
    return known.hexdigest()


def once(path, words, folder=SOURCE, configuration=()):
    """What run() says of the file, if it is not known that there is nothing."""
    command = command_of(path)
    if not command:
        return False, "the build does not compile it"
    key = key_of(path, command, words, configuration)
    mark = f"{SHARED}/analyzed/{key}"
    if key and os.path.exists(mark):
        os.utime(mark)
        return True, ""
    good, text = run(words, folder)
    if good and key:
        os.makedirs(os.path.dirname(mark), exist_ok=True)
        with open(mark, "w", encoding="ascii"):
            pass
    return good, text


def tidy(path):
    return once(path, ["clang-tidy", "-p", BUILD, "--quiet", path], configuration=[f"{SOURCE}/.clang-tidy"])


def cppcheck(path):
    suppressed = f"{SOURCE}/tests/static/cppcheck.suppressions"
    return once(path, ["cppcheck", "--quiet", "--enable=warning,portability,performance", "--std=c11", "--inline-suppr",
                       "--error-exitcode=1", f"--suppressions-list={suppressed}", "-I.", f"-I{BUILD}/proto",
                       f"-I{BUILD}/policy", path], configuration=[suppressed])


def analyze(path):
    words = command_of(path)
    return once(path, ["gcc", *words[1:], "-o", "/dev/null", "-fanalyzer", "-Werror"], BUILD) if words else \
        (False, "the build does not compile it")


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
