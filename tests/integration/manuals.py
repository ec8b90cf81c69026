"""A command's help, which comes from its table of options, its manual page and its MCP tools have to say the
same. Reads the sources beside what was built from them."""
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
PARTS = ("EXIT_STATUS", "COMMON_OPTIONS", "WHICH_ROOTFS", "SOURCE_OPTIONS", "UPGRADE_OPTIONS")
# None: rootlet.1. Other commands have a page of their own.
PAGE_OF = {"chroot": "shell", "uninstall": "install", "help": None}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def commands():
    return [line.split("\t")[0] for line in home.run("__complete", "").out.splitlines()]


def default_in(text):
    """The default that a text names: "(default: 2G)", "auto (default)"; None: none."""
    found = re.search(r"\(default: ([^)]*)\)|(\S+) \((?:the )?default\)", text)
    return found and (found.group(1) or found.group(2))


def of_help(text):
    """{option or verb: (its value, its default)} of the rows of a help."""
    found = {}
    for block in re.split(r"\n(?=  \S)|\n\n", text.partition("\n\n")[2]):
        row = re.match(r"  (-?-?[a-z][a-z0-9-]*)(?: (\S+(?: [A-Z]\S*)*))?(?:  +|\n|$)((?:.|\n)*)", block)
        if row:
            default = default_in(re.sub(r"\s+", " ", row.group(3))) if row.group(1)[0] == "-" else None
            found[row.group(1)] = (row.group(2) or "", default)
    return found


def expand(text):
    return re.sub(r"@([A-Z_]+)@", lambda m: read(f"{MAN}/{m.group(1).lower().replace('_', '-')}.scd")
                  if m.group(1) in PARTS else "", text)


def of_page(text):
    """{option or verb: (its value, its default)} of the definitions in a page's source."""
    found = {}
    for words, body in re.findall(r"^(\*.*)\n((?:\t.*\n)+)", text, re.M):
        plain = re.sub(r"\s+", " ", body.replace("_", "").replace("*", ""))
        for word, value in re.findall(r"(?:^|, )\*(--[a-z0-9-]+|[a-z]+)\*([^,]*)", words):
            value = value.replace("_", "").replace("...", "…").strip()
            found[word] = (value, default_in(plain) if word[0] == "-" else None)
    return found


def options(words):
    return {word: said for word, said in words.items() if word.startswith("--")}


def differences(a, b, where_a, where_b):
    """Both ways, values and defaults included."""
    wrong = [f"{word} is in {where_a}, not in {where_b}" for word in a if word not in b]
    wrong += [f"{word} is in {where_b}, not in {where_a}" for word in b if word not in a]
    return wrong + [f"{word}: {a[word] or 'no value'} in {where_a}, {b[word] or 'no value'} in {where_b}"
                    for word in a if word in b and a[word] != b[word]]


def check_command(command):
    name = PAGE_OF.get(command, command)
    page = f"{MAN}/rootlet{'-' if name else ''}{name or ''}.1.scd"
    shown, helped = home.run(command, "--help").out, home.run("help", command).out
    tap.report(shown == helped and shown.startswith("usage: rootlet"), f"{command} --help is help {command}")
    wide = [line for line in shown.splitlines() if len(line) > 80]
    tap.report(not wide, f"{command}: the help has at most 80 columns", *wide)
    said = of_help(shown)
    if not os.path.exists(page):
        tap.report(False, f"{command}: it has a manual page", f"{page} is missing")
        return
    written = of_page(expand(read(page)).partition("# OPTIONS")[2].partition("\n# ")[0] + "\n")
    if command == "help":
        written = {word: row for word, row in written.items() if word in said}
    for alias in re.findall(r"\((--[a-z-]+) is the same\)", shown):
        tap.report(written.pop(alias, None), f"{command}: the page has {alias}")
    wrong = differences(options(said), options(written), "the help", "the page")
    tap.report(said and not wrong, f"{command}: the page has the options of the help, and the reverse",
               *wrong)
    body = of_page(read(page))
    wrong = [f"{word} {value}" for word, (value, _) in said.items() if word[0] != "-" and
             body.get(word, ("missing",))[0] != value]
    tap.report(not wrong, f"{command}: the page has the verbs of the help", *wrong)


def exit_statuses(text):
    """{number: meaning}, of the help's table or the manual's."""
    return dict(re.findall(r"^  (\d+) +(.*)$", text, re.M)) or \
        dict(re.findall(r"^\|\[ \*(\d+)\*\n:\[ (.*)$", text, re.M))


def check_statuses():
    fragment = exit_statuses(read(f"{MAN}/exit-status.scd"))
    shown = exit_statuses(home.run("--help").out)
    tap.report(fragment == shown and len(shown) > 8, "exit statuses: the help's table is the manual's",
               *differences(fragment, shown, "the manual", "the help"))
    defined = set(re.findall(r"^\s+EXIT_\w+ = (\d+),", read(f"{SOURCE}/frontend/cli/report.h"), re.M))
    tap.report(defined == set(shown), "exit statuses: every one that there is", defined ^ set(shown))
    for page in sorted(glob.glob(f"{MAN}/*.1.scd")):
        tap.report("\n# EXIT STATUS\n" in read(page) and "\n@EXIT_STATUS@\n" in read(page),
                   f"exit statuses: the table is in {os.path.basename(page)}")


def check_pages():
    sources = {os.path.basename(path).removesuffix(".scd"): read(path) for path in glob.glob(f"{MAN}/*.scd")}
    pages = {name: text for name, text in sources.items() if re.search(r"\.\d$", name)}
    for name, text in sorted(pages.items()):
        title, _, section = name.rpartition(".")
        wrong = [] if text.startswith(f"{title}({section})\n") else ["its title is another"]
        if not re.search(rf"^# NAME\n\n{re.escape(title)}.* - ", text, re.M):
            wrong.append("its NAME is another")
        wrong += [f"refers to {other}({number}), which is missing" for other, number in
                  re.findall(r"\*(rootlet[a-z.-]*)\*\((\d)\)", text) if f"{other}.{number}" not in pages]
        tap.report(not wrong, f"page {name}: title and references", *wrong)
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
                   f"page {name} can be shown", *complaints)


def check_tools():
    """rootlet-mcp(1) has every tool and parameter, its default, and what it becomes."""
    rows = re.findall(r"^\|\[ [*_](\w+)[*_]\n:\[ (.*)\n:\[ (.*)$", read(f"{MAN}/rootlet-mcp.1.scd"), re.M)
    written, tool = {}, ""
    for name, default, here in rows:
        tool = name if here.startswith("*rootlet ") else tool
        written[f"{tool} {name}"] = (default, here)
    wanted = {}
    for one in json.loads(read(f"{SOURCE}/frontend/mcp/tools.json")):
        words = " ".join(word for word in one["command"]["words"] if word != "--json")
        words = "mcp" if words in ("", "__groups") else words
        wanted[f"{one['name']} {one['name']}"] = ("-", f"*rootlet {words}*")
        for name, becomes in one["command"]["arguments"].items():
            default = one["inputSchema"]["properties"][name].get("default")
            default = " ".join(default) if isinstance(default, list) else json.dumps(default).strip('"')
            if name in one["inputSchema"].get("required", []):
                default = "required"
            elif default == "null":
                default = "~/.kerneldev-mcp/test-rootfs" if name.endswith("rootfs_path") else "-"
            here = ("-" if not becomes else
                    f"*{becomes['true']}*" if isinstance(becomes, dict) and "true" in becomes else
                    f"*{becomes['false']}* if false" if isinstance(becomes, dict) else
                    "arguments after *--*" if becomes == "--" else f"*{becomes}*")
            wanted[f"{one['name']} {name}"] = (default, here)
        missing = set(one["inputSchema"]["properties"]) ^ set(one["command"]["arguments"])
        tap.report(not missing, f"tool {one['name']}: every parameter becomes something", missing)
        if words != "mcp":  # else the server itself does it
            check_tool(one)
    wrong = differences(wanted, written, "tools.json", "rootlet-mcp(1)")
    tap.report(not wrong, "rootlet-mcp(1) has every tool and parameter", *wrong)


def check_tool(tool):
    """A parameter has the default and the choices of the option that it becomes. It may have a default if the
    option has none."""
    rows, wrong = of_help(home.run(tool["command"]["words"][0], "--help").out), []
    for name, option in tool["command"]["arguments"].items():
        becomes = option.values() if isinstance(option, dict) else [option]
        wrong += [f"{name}: there is no option {one}" for one in becomes
                  if one.replace("--no-", "--") not in rows and one != "--"]
        value, default = rows.get(str(option), ("", None))
        published = tool["inputSchema"]["properties"][name]
        if default and " " not in default and str(published.get("default")) != default:
            wrong.append(f"{name}: {published.get('default')}, the default of {option} is {default}")
        if "|" in value and published.get("enum") != value.split("|"):
            wrong.append(f"{name}: {published.get('enum')}, {option} takes {value}")
    tap.report(not wrong, f"tool {tool['name']}: parameters have the defaults and choices of the options",
               *wrong)


def stages(*names):
    """What the sources, or those that are named, call their stages."""
    paths = [f"{SOURCE}/{name}" for name in names] or \
        glob.glob(f"{SOURCE}/frontend/**/*.c", recursive=True) + \
        glob.glob(f"{SOURCE}/helper/**/*.c", recursive=True)
    return {stage for path in paths for stage in
            re.findall(r'(?:progress_stage|note_progress|serve_progress)\([^;"]*"([^"]*)"', read(path))}


def check_requests():
    """The table of requests in SECURITY.md is the one in proto/requests.h, and rootlet-protocol(7) has it."""
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
    """README.md and docs/usage.md name every command; README's session and examples show stages that
    exist."""
    text = read(f"{SOURCE}/README.md")
    for name in ("README.md", "docs/usage.md"):
        missing = [one for one in commands() if not re.search(rf"`(rootlet )?{one}\b",
                                                                read(f"{SOURCE}/{name}"))]
        tap.report(not missing, f"{name} names every command", missing)
    session = re.search(r"^`quickstart` prints(?:.|\n)*?:\n\n((?:\t.*\n|\n(?=\t))+)", text, re.M)
    lines = [line.strip() for line in session.group(1).splitlines()] if session else []
    lines = [line for line in lines if re.match(r"[A-Z][a-z]+ing\b", line)]
    # If something other than a rootfs is downloaded, the stage names it.
    purposes = {purpose for path in glob.glob(f"{SOURCE}/frontend/**/*.c", recursive=True) for purpose in
                re.findall(r'\bpurpose = "([^"]*)"', read(path))}
    known = stages() | {f"{stage} of {purpose}"
                        for stage in stages("frontend/archive/packages.c") for purpose in purposes}
    wrong = [line for line in lines if re.sub(r"  .*", "", line) not in known]
    tap.report(len(lines) > 8 and not wrong, "README's session: every stage is in the sources", *wrong)
    missing = [stage for stage in stages("frontend/rootfs/provision.c", "frontend/rootfs/hand_over.c")
               if stage not in ("Cloning", "Copying a snapshot", "Copying the rootfs",
                                "Setting the times of directories") and stage not in lines]
    tap.report(not missing, "README's session: every stage of a create", *missing)
    for name in ("docs/programs.md", "docs/man/rootlet.1.scd"):
        shown = re.findall(r'"stage":"(.*?)"', read(f"{SOURCE}/{name}"))
        tap.report(shown and set(shown) <= stages(), f"{name}: the stage in its example", *shown)


tap.report(len(commands()) > 8, "there are commands", commands())
for one in commands():
    check_command(one)
check_statuses()
check_pages()
check_tools()
check_requests()
check_readme()
tap.done()
