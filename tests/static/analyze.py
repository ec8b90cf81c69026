"""clang-tidy, cppcheck and gcc -fanalyzer on all C code of the project. One case per file and tool; a finding
fails it. A tool skips a file without findings until the file, a header that it includes, or the tool changes.

Code that only the clang build compiles (sanitizers, warnings) is not covered.
"""
import functools
import hashlib
import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from support import tap
from support.world import BUILD, SHARED, SOURCE

# Code that runs with capabilities or makes policy decisions: the tools search it as deeply as they can.
PRIVILEGED = ("helper/", "lib/", "proto/", "policy/")
DIRECTORIES = (*PRIVILEGED, "frontend/", "tests/")
LEFT_OUT = ("tests/fuzz/", "tests/tools/faulty.c", "tests/tools/reports.c", "tests/tools/solv_realloc.c")
# For the other code (three times as many files), the search is limited to save time, and checks with many
# false positives are off.
LESS_DEEP = {
    # Less than a twentieth of clang's default, with which clang 14 takes six times as long and finds no more
    # real faults.
    "clang-tidy": [f"--extra-arg={word}"
                   for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=10000")],
    "gcc": [
        # With the default of 5, gcc 12 takes 50% longer and finds no more real faults.
        "--param=analyzer-bb-explosion-factor=2",
        # gcc 12 reports variables with _cleanup_free_ as uninitialized if freep() was inlined.
        "-fno-early-inlining",
        # gcc 12 loses track of a pointer stored in an array element or behind another pointer. The leak
        # sanitizer finds leaks
        # in the unit and cli tests of the clang build.
        "-Wno-analyzer-malloc-leak",
    ],
}


def sources():
    found = []
    for top in DIRECTORIES:
        for directory, _, names in os.walk(SOURCE + "/" + top):
            found += [os.path.relpath(f"{directory}/{name}", SOURCE) for name in names if name.endswith(".c")]
    return sorted(path for path in found if not path.startswith(LEFT_OUT))


def options(tool, path):
    return [] if path.startswith(PRIVILEGED) else LESS_DEEP[tool]


@functools.cache
def commands():
    """Returns {absolute path: (object, compile command without output and ccache)}; the first if there are
    several."""
    found = {}
    with open(f"{BUILD}/compile_commands.json", encoding="utf-8") as file:
        for entry in json.load(file):
            words = shlex.split(entry["command"])
            words = words[words[0] == "ccache":]
            at = words.index("-o")
            found.setdefault(os.path.realpath(os.path.join(entry["directory"], entry["file"])),
                             (entry["output"], words[:at] + words[at + 2:]))
    return found


def command_of(path):
    return commands().get(f"{SOURCE}/{path}", (None, None))[1]


def run(words, directory=SOURCE):
    """Returns (good, output)."""
    try:
        done = subprocess.run(words, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True,
                              check=False)
    except FileNotFoundError as error:
        return False, str(error)
    return done.returncode == 0, done.stdout


@functools.cache
def version(tool):
    return subprocess.run([tool, "--version"], stdout=subprocess.PIPE, check=False).stdout


@functools.cache
def dependencies():
    """Returns {object: its source files and headers}, from the compiler's dependencies in ninja."""
    good, text = run(["ninja", "-n", "-t", "deps"], BUILD)
    found = {}
    for block in text.split("\n\n") if good else []:
        head, *files = block.strip().splitlines() or [""]
        if head.endswith("(VALID)"):
            found[head.split(": ")[0]] = [name.strip() for name in files]
    return found


def is_ours(name):
    return os.path.realpath(os.path.join(BUILD, name)).startswith((f"{SOURCE}/",
                                                                   f"{os.path.realpath(BUILD)}/"))


def parts_of(path):
    """Returns the file and the project headers that it includes, as the build names them; None if unknown."""
    parts = dependencies().get(commands()[f"{SOURCE}/{path}"][0])
    return parts and [name for name in parts if is_ours(name)]


@functools.cache
def hash_of(name):
    with open(os.path.join(BUILD, name), "rb") as file:
        return hashlib.sha256(file.read()).digest()


def key_of(path, command, words, configuration):
    """Returns a hash of everything that the findings of a tool's command line WORDS depend on, or None if
    unknown."""
    parts = parts_of(path)
    if not parts:
        return None
    known = hashlib.sha256(repr((words, command)).encode() + version(words[0]))
    for name in [*parts, *configuration]:
        known.update(hash_of(name))
    return known.hexdigest()


def once(path, words, directory=SOURCE, configuration=()):
    """Returns run()'s result for the file, unless it is known to have no findings."""
    command = command_of(path)
    if not command:
        return False, "the build does not compile it"
    key = key_of(path, command, words, configuration)
    mark = f"{SHARED}/analyzed/{key}"
    if key and os.path.exists(mark):
        os.utime(mark)
        return True, ""
    good, text = run(words, directory)
    if good and key:
        os.makedirs(os.path.dirname(mark), exist_ok=True)
        with open(mark, "w", encoding="ascii"):
            pass
    return good, text


def tidy(path):
    return once(path, ["clang-tidy", "-p", BUILD, "--quiet", *options("clang-tidy", path), path],
                configuration=[f"{SOURCE}/.clang-tidy"])


def cppcheck(path):
    suppressed, macros = f"{SOURCE}/tests/static/cppcheck.suppressions", f"{SOURCE}/tests/static/cppcheck.cfg"
    return once(path, ["cppcheck", "--quiet", "--enable=warning,portability,performance", "--std=c11",
                       "--inline-suppr",
                       "--error-exitcode=1", f"--suppressions-list={suppressed}", f"--library={macros}",
                       "-I.",
                       "-Itests/unit", f"-I{BUILD}/proto", f"-I{BUILD}/policy", path],
                configuration=[suppressed, macros])


def analyze(path):
    words = command_of(path)
    # Debug information takes a fifth of gcc's time.
    return once(path, ["gcc", *words[1:], "-g0", "-o", "/dev/null", "-fanalyzer", "-Werror",
                       *options("gcc", path)],
                BUILD) if words else \
        (False, "the build does not compile it")


def is_tried():
    """Checks that each tool finds a fault at all."""
    directory = f"{BUILD}/static-try"
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/fault.c", "w", encoding="ascii") as file:
        file.write("#include <stdlib.h>\nint f(int *q);\nint f(int *q)\n{\n\tint *p = malloc(4), "
                   "a[2];\n\tfree(p);\n"
                   "\ta[0] = a[1] = *q == *q;\n\tif (!q)\n\t\treturn a[2];\n\treturn *p;\n}\n")
    for name, words in (("clang-tidy",
                         ["clang-tidy", f"--config-file={SOURCE}/.clang-tidy", "fault.c", "--"]),
                        ("cppcheck", ["cppcheck", "--quiet", "--error-exitcode=1", "fault.c"]),
                        ("gcc -fanalyzer",
                         ["gcc", "-c", "-o", "/dev/null", "-fanalyzer", "-Werror", "fault.c"])):
        good, text = run(words, directory)
        tap.report(not good, f"{name} finds a planted fault", text)


is_tried()
FILES = sources()
for top in DIRECTORIES:
    tap.report(sum(path.startswith(top) for path in FILES) > 1, f"there are files in {top}", FILES)
with ThreadPoolExecutor(2) as pool:
    for tool, check in (("clang-tidy", tidy), ("cppcheck", cppcheck), ("gcc -fanalyzer", analyze)):
        for path, (good, text) in zip(FILES, pool.map(check, FILES)):
            tap.report(good, f"{tool}: {path}", text[-3000:])
tap.done()
