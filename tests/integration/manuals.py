"""A command's table of options, its --help and its manual page must agree. Reads the sources as well as the
built files."""
import glob
import json
import os
import re
import shutil
import subprocess

from support import tap
from support.world import BUILD, SOURCE, Home

home = Home()
MAN = f"{SOURCE}/docs/man"
PAGE_OF = {"chroot": "shell", "help": None}  # the others have their own page; None: rootlet.1
# In every command's help and page, but not in its table.
COMMON = {"--color": "WHEN", "--help": ""}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def commands():
    return [line.split("\t")[0] for line in home.run("__complete", "").out.splitlines()]


def of_help(text):
    """Returns {word: kind of value} for the lines that name an option or a word."""
    found = {}
    for word, kind in re.findall(r"^  (-?-?[a-z][a-z0-9-]*)(?: ([A-Z]+|[a-z0-9-]+(?:\|[a-z0-9-]+)+)…?)?(?= "
                                 r"|$)", text, re.M):
        found[word] = kind
    return found


def of_table(command):
    """Returns {option: takes a value} from the struct option in the source."""
    for path in glob.glob(f"{SOURCE}/frontend/**/*.c", recursive=True):
        match = re.search(rf"const struct option {command}_options\[\] = \{{(.*?)\n?\s*\{{ NULL", read(path),
                          re.S)
        if match:
            return {f"--{name}": takes == "required" for name, takes in re.findall(
                r'\{ "([a-z0-9-]+)", (no|required)_argument', match.group(1))}
    return None


def expand(text):
    return re.sub(r"@([A-Z_]+)@", lambda m: read(f"{MAN}/{m.group(1).lower().replace('_', '-')}.scd")
                  if m.group(1) in ("EXIT_STATUS", "COMMON_OPTIONS", "WHICH_ROOTFS") else "", text)


def of_page(text):
    """Returns {word: kind of value} for the definitions in a page's source."""
    found = {}
    for line in re.findall(r"^(\*.*)$", text, re.M):
        for word, kind in re.findall(r"\*(--[a-z0-9-]+|[a-z]+)\*(?: _([A-Za-z0-9|-]+)_)?", line):
            found[word] = kind
    return found


def options(words):
    return {word: kind for word, kind in words.items() if word.startswith("--")}


def differences(a, b, where_a, where_b):
    """Compares both ways, including values."""
    wrong = [f"{word} is in {where_a}, not in {where_b}" for word in a if word not in b]
    wrong += [f"{word} is in {where_b}, not in {where_a}" for word in b if word not in a]
    return wrong + [f"{word}: {a[word] or 'no value'} in {where_a}, {b[word] or 'no value'} in {where_b}"
                    for word in a if word in b and a[word] != b[word]]


def check_command(command):
    name = PAGE_OF.get(command, command)
    page = f"{MAN}/rootlet{'-' if name else ''}{name or ''}.1.scd"
    shown, helped = home.run(command, "--help").out, home.run("help", command).out
    tap.report(shown == helped and shown.startswith("usage: rootlet"),
               f"{command} --help equals help {command}")
    said = of_help(shown)
    table = of_table(name or command)
    aliases = {"--suite": "--release"}  # in the table and the page; the help mentions it in a remark
    wrong = ["there is no table of options"] if table is None else [
        f"{option} is in the table, not in the help" for option in table
        if option not in said and f"({option} is the same)" not in shown]
    wrong += [f"{option} is in the help, not in the table" for option in options(said)
              if option not in (table or {}) and option not in COMMON]
    wrong += [f"{option}: table and help disagree on whether it takes a value" for option,
              takes in (table or {}).items()
              if option in said and bool(said[option]) != takes]
    wrong += [f"{option} {kind} is not in the help" for option, kind in COMMON.items()
              if said.get(option) != kind]
    tap.report(not wrong, f"{command}: the help lists its options", *wrong)
    if not os.path.exists(page):
        tap.report(False, f"{command}: has a manual page", f"{page} is missing")
        return
    written = of_page(expand(read(page)).partition("# OPTIONS")[2].partition("\n# ")[0])
    if command == "help":
        written = {word: kind for word, kind in written.items() if word in COMMON}
    for alias, name_of_it in aliases.items():
        if alias in written and name_of_it in written:
            written.pop(alias)
    wrong = differences(options(said), options(written), "the help", "the page")
    tap.report(not wrong, f"{command}: page and help have the same options", *wrong)
    words = {word: kind for word, kind in said.items() if word[0] != "-"}
    body = of_page(read(page))
    wrong = [f"{word} {kind}" for word, kind in words.items() if body.get(word) != kind]
    tap.report(not wrong, f"{command}: page and help have the same words", *wrong)


def exit_statuses(text):
    """Returns {number: meaning} from the table in the help or the manual."""
    return dict(re.findall(r"^  (\d+) +(.*)$", text, re.M)) or \
        dict(re.findall(r"^\|\[ \*(\d+)\*\n:\[ (.*)$", text, re.M))


def check_statuses():
    fragment = exit_statuses(read(f"{MAN}/exit-status.scd"))
    shown = exit_statuses(home.run("--help").out)
    tap.report(fragment == shown and len(shown) > 8, "exit statuses: help and manual have the same table",
               *differences(fragment, shown, "the manual", "the help"))
    defined = set(re.findall(r"^\s+EXIT_\w+ = (\d+),", read(f"{SOURCE}/frontend/cli/report.h"), re.M))
    tap.report(defined == set(shown), "exit statuses: the table is complete", defined ^ set(shown))
    for page in sorted(glob.glob(f"{MAN}/*.1.scd")):
        tap.report("\n# EXIT STATUS\n" in read(page) and "\n@EXIT_STATUS@\n" in read(page),
                   f"exit statuses: the table is in {os.path.basename(page)}")


def check_pages():
    sources = {os.path.basename(path).removesuffix(".scd"): read(path) for path in glob.glob(f"{MAN}/*.scd")}
    pages = {name: text for name, text in sources.items() if re.search(r"\.\d$", name)}
    for name, text in sorted(pages.items()):
        title, _, section = name.rpartition(".")
        wrong = [] if text.startswith(f"{title}({section})\n") else ["the title differs"]
        if not re.search(rf"^# NAME\n\n{re.escape(title)}.* - ", text, re.M):
            wrong.append("the NAME differs")
        wrong += [f"refers to {other}({number}), which is missing" for other, number in
                  re.findall(r"\*(rootlet[a-z.-]*)\*\((\d)\)", text) if f"{other}.{number}" not in pages]
        tap.report(not wrong, f"page {name}: has the right title and references", *wrong)
    built = f"{BUILD}/docs/man"
    for name in sorted(pages):
        if not os.path.exists(f"{built}/{name}"):
            tap.report(False, f"page {name} is built", "scdoc is missing: ./quickstart --deps-only --tests")
            continue
        done = subprocess.run([shutil.which("groff"), "-Kutf8", "-t", "-man", "-Tutf8", "-ww", "-rLL=100n",
                               f"{built}/{name}"],
                              capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if "can't break line" not in line and
                      "cannot adjust line" not in line]
        tap.report(done.returncode == 0 and not complaints and "@" not in done.stdout.replace("you@", ""),
                   f"page {name} can be formatted", *complaints)


def check_tools():
    """rootlet-mcp(1) lists every tool and parameter, its default, and its option."""
    rows = re.findall(r"^\|\[ [*_](\w+)[*_]\n:\[ (.*)\n:\[ (.*)$", read(f"{MAN}/rootlet-mcp.1.scd"), re.M)
    written, tool = {}, ""
    for name, default, here in rows:
        tool = name if here.startswith("*rootlet ") else tool
        written[f"{tool} {name}"] = (default, here)
    wanted = {}
    for one in json.loads(read(f"{SOURCE}/frontend/mcp/tools.json")):
        words = " ".join(word for word in one["command"]["words"] if word != "--json")
        wanted[f"{one['name']} {one['name']}"] = ("-", f"*rootlet {words}*")
        for name, becomes in one["command"]["arguments"].items():
            default = one["inputSchema"]["properties"][name].get("default")
            default = " ".join(default) if isinstance(default, list) else json.dumps(default).strip('"')
            if name in one["inputSchema"].get("required", []):
                default = "needed"
            elif default == "null":
                default = "~/.kerneldev-mcp/test-rootfs" if name.endswith("rootfs_path") else "-"
            here = (f"*{becomes['false']}* where it is false" if isinstance(becomes, dict) else
                    "the words behind *--*" if becomes == "--" else f"*{becomes}*")
            wanted[f"{one['name']} {name}"] = (default, here)
        missing = set(one["inputSchema"]["properties"]) ^ set(one["command"]["arguments"])
        tap.report(not missing, f"tool {one['name']}: every parameter maps to something", missing)
    wrong = differences(wanted, written, "tools.json", "rootlet-mcp(1)")
    tap.report(not wrong, "rootlet-mcp(1) has every tool and parameter", *wrong)


def stages(*names):
    """Returns the stage names in the sources, or in the named ones."""
    paths = [f"{SOURCE}/{name}" for name in names] or glob.glob(f"{SOURCE}/frontend/**/*.c",
                                                                recursive=True) + \
        glob.glob(f"{SOURCE}/helper/**/*.c", recursive=True)
    return {stage for path in paths for stage in
            re.findall(r'(?:progress_stage|note_progress|serve_progress)\([^;"]*"([^"]*)"', read(path))}


def check_requests():
    """SECURITY.md and rootlet-protocol(7) have the table of requests from proto/requests.h."""
    table = subprocess.run([f"{BUILD}/proto/list_requests", "markdown"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    wanted = re.findall(r"^message Request \{.*?^\}", read(f"{SOURCE}/proto/rootlet.proto"),
                        re.M | re.S)[0].count("=")
    tap.report(table.count("\n") == wanted + 2 and table in read(f"{SOURCE}/SECURITY.md"),
               "SECURITY.md has the table of requests", table)
    page = read(f"{BUILD}/docs/man/rootlet-protocol.7")
    names = re.findall(r"^\| (\w+) \|", table, re.M)[1:]
    missing = [name for name in names if not re.search(rf"^T\{{\n{name}\nT\}}", page, re.M)]
    tap.report(len(names) == wanted and not missing, "rootlet-protocol(7) has every request", missing)


def check_readme():
    """README names every command, and its sample output is current."""
    text = read(f"{SOURCE}/README.md")
    missing = [name for name in commands() if not re.search(rf"`(rootlet )?{name}\b", text)]
    tap.report(not missing, "README names every command", missing)
    session = re.search(r"^What the first one says(?:.|\n)*?:\n\n((?:\t.*\n|\n(?=\t))+)", text, re.M)
    lines = [line.strip() for line in session.group(1).splitlines()] if session else []
    lines = [line for line in lines if re.match(r"[A-Z][a-z]+ing\b", line)]
    # Stages of downloads other than for a rootfs also name their purpose.
    purposes = {purpose for path in glob.glob(f"{SOURCE}/frontend/**/*.c", recursive=True) for purpose in
                re.findall(r'\bpurpose = "([^"]*)"', read(path))}
    known = stages() | {f"{stage} of {purpose}" for stage in stages("frontend/archive/packages.c")
                        for purpose in purposes}
    wrong = [line for line in lines if re.sub(r"  .*", "", line) not in known]
    tap.report(len(lines) > 8 and not wrong, "README's session: every stage exists in the sources", *wrong)
    missing = [stage for stage in stages("frontend/rootfs/provision.c") if stage != "Cloning" and
               stage not in lines]
    tap.report(not missing, "README's session: shows every stage of a create", *missing)
    for name in ("README.md", "docs/man/rootlet.1.scd"):
        shown = re.findall(r'"stage":"(.*?)"', read(f"{SOURCE}/{name}"))
        tap.report(shown and set(shown) <= stages(), f"{name}: the stage in its example exists", *shown)


tap.report(len(commands()) > 8, "the commands are found", commands())
for one in commands():
    check_command(one)
check_statuses()
check_pages()
check_tools()
check_requests()
check_readme()
tap.done()
