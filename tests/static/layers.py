"""The structure of the sources: allowed includes (tests/layers.ini), no include cycles, and unique names."""
import configparser
import os
import re

from support import rings, tap

DATA = "tests/layers.ini"
TOPS = ("frontend", "helper", "lib", "policy", "proto")
COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
# At the start of a line: a function, and whether its body follows.
FUNCTION = re.compile(r"^(?!#|\t| |typedef|return|else)(\w[\w "
                      r"\*]*?)\b(\w+)\(([^;{]*?)\)\s*(?:PRINTF_LIKE\([^)]*\))?\s*([;{])", re.M)
RECORD = re.compile(r"^(?:static )?(?:const )?(?:struct|union|enum) (\w+) \{", re.M)
# Each program has one of these.
ENTRY = "main"


def read_sources():
    """Returns {path: text without comments} of all C files except tests."""
    found = {}
    for top in TOPS:
        for directory, _, names in os.walk(f"{rings.SOURCE}/{top}"):
            for name in names:
                path = os.path.relpath(f"{directory}/{name}", rings.SOURCE)
                if name.endswith((".c", ".h")):
                    found[path] = COMMENTS.sub("", rings.read(path))
    return found


def read_rules():
    data = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(";",))
    data.optionxform = str
    data.read_string(rings.read(DATA))
    may = {name: data[name].get("may", "").split() for name in data.sections() if name != "exceptions"}
    return may, dict(data["exceptions"])


def included(sources, path):
    return [name for name in INCLUDE.findall(sources[path]) if name in sources]


def wrong_edges(sources, may, exceptions):
    for path in sorted(sources):
        own = os.path.dirname(path)
        for name in included(sources, path):
            other = os.path.dirname(name)
            if own not in may:
                yield f"{path}: no rule for {own}"
            elif other not in (own, *may[own]) and exceptions.get(path) != name:
                yield f"{path} includes {name}"


def unused_rules(sources, may):
    used = {(os.path.dirname(path), os.path.dirname(name)) for path in sources
            for name in included(sources, path)}
    for own, others in may.items():
        yield from (f"{own} does not include {other}" for other in others if (own, other) not in used)


def circles(sources):
    """Finds cycles between modules; a .c file and its header are one module."""
    after = {}
    for path in sources:
        after.setdefault(path[:-2], set()).update(name[:-2] for name in included(sources, path)
                                                  if name[:-2] != path[:-2])
    # A module that includes none of the remaining ones is in no cycle.
    while leaves := [one for one, others in after.items() if not others & after.keys()]:
        for one in leaves:
            del after[one]
    # Neither is one that none of the remaining ones includes.
    while tops := [one for one in after if not any(one in others for others in after.values())]:
        for one in tops:
            del after[one]
    return sorted(after)


def strangers(sources):
    """Finds functions that a header declares but its own source does not define."""
    defined = {}
    for path, text in sources.items():
        for _, name, _, end in FUNCTION.findall(text):
            if end == "{":
                defined.setdefault(name, set()).add(path)
    for path, text in sorted(sources.items()):
        for _, name, _, end in FUNCTION.findall(text) if path.endswith(".h") else ():
            if end == ";" and name in defined and not {path, f"{path[:-2]}.c"} & defined[name]:
                yield f"{path}: {name}() is in {' '.join(defined[name])}"


def twice(pairs):
    """Returns a line for each name that has several places, from (name, place)."""
    places = {}
    for name, where in pairs:
        places.setdefault(name, set()).add(where)
    return [f"{name}: {' '.join(sorted(where))}" for name, where in sorted(places.items()) if len(where) > 1]


def file_names(sources):
    return twice((os.path.basename(path)[:-2], path[:-2]) for path in sources
                 if os.path.basename(path)[:-2] != ENTRY)


def record_names(sources):
    return twice((name, path) for path, text in sources.items() for name in RECORD.findall(text))


def function_names(sources):
    return twice((name, path) for path, text in sources.items() for _, name, _, end in FUNCTION.findall(text)
                 if end == "{" and name != ENTRY)


SAMPLE = {
    "lib/a.h": "int a_make(void);\n", "lib/a.c": '#include "lib/a.h"\nint a_make(void)\n{\n}\n',
    "helper/b.h": '#include "lib/a.h"\nstruct b {\n};\nint b_do(int x,\n\t int y);\n',
    "helper/b.c": '#include "helper/b.h"\nint b_do(int x,\n\t int y)\n{\n}\n',
}
RULES = {"lib": [], "helper": ["lib"]}
# A fault in SAMPLE after PATH gets TEXT, and the check that finds it.
FAULTS = (
    ("an include upwards", "lib/a.c", '#include "helper/b.h"\n', "wrong_edges"),
    ("a directory without a rule", "other/c.c", '#include "lib/a.h"\n', "wrong_edges"),
    ("a cycle of headers", "lib/a.h", '#include "helper/b.h"\n', "circles"),
    ("a cycle through a source", "lib/a.c", '#include "helper/b.h"\n', "circles"),
    ("a header with another file's function", "helper/b.h", "int a_make(void);\n", "strangers"),
    ("two files with one name", "helper/a.c", "\n", "file_names"),
    ("two structs with one name", "lib/a.c", "struct b {\n};\n", "record_names"),
    ("two functions with one name, one of them static", "helper/c.c", "static int a_make(void)\n{\n}\n",
     "function_names"),
)


def check(sources, may, exceptions):
    return {"wrong_edges": list(wrong_edges(sources, may, exceptions)), "circles": circles(sources),
            "strangers": list(strangers(sources)), "file_names": file_names(sources),
            "record_names": record_names(sources), "function_names": function_names(sources)}


def main():
    found = check(SAMPLE, RULES, {})
    tap.report(not any(found.values()), "a sample without faults passes", found)
    for what, path, text, by in FAULTS:
        tap.report(check({**SAMPLE, path: text}, RULES, {})[by], f"a sample with {what} fails")
    sources, (may, exceptions) = read_sources(), read_rules()
    tap.report(len(sources) > 200, "the sources are found", len(sources))
    found = check(sources, may, exceptions)
    for by, claim in (("wrong_edges", f"{DATA} allows each include"),
                      ("circles", "there are no include cycles"),
                      ("strangers", "headers only declare what their own source defines"),
                      ("file_names", "file names are unique"), ("record_names", "struct names are unique"),
                      ("function_names", "function names are unique")):
        tap.report(not found[by], claim, *found[by])
    unused = list(unused_rules(sources, may))
    tap.report(not unused, f"each rule of {DATA} is needed", *unused)
    tap.done()


main()
