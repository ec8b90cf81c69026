"""The configuration file: which commands it reaches, what it cannot do, and rootlet config. Needs no helper,
no rootfs and no network. How it is parsed: unit/defaults."""
import json
import os
import re

from support import tap
from support.mcp import Server
from support.schemas import document
from support.world import AS_ROOT, SOURCE, Case, Home, play

INPUT = 2
FILE = "config/rootlet/config"
home = Home()
PATH = f"{home.dir}/{FILE}"
KERNEL = home.write("bzImage", "no kernel")


def config(text, mode=0o600):
    home.write(FILE, text)
    os.chmod(PATH, mode)


def is_refused(what, words, says, status=INPUT):
    play(Case(what, words, status, says), home)


# What, the file, the command, and what it says.
for title, written, command, expected in (
        ("a value", "[run]\nmemory = 1\n", ["run", "--kernel", KERNEL, "--", "true"],
         rf"--memory 1: .*\({PATH}:2 sets --memory\)"),
        ("a value that the command line replaces", "[run]\nmemory = 1\n",
         ["run", "--kernel", KERNEL, "--memory", "2", "--", "true"], "--memory 2: [^(]*$"),
        ("a required option", "[run]\nkernel = ~/none\n", ["run", "--", "true"],
         rf"{home.dir}/none: No such file.*\({PATH}:2 sets --kernel\)"),
        ("a value for all", "[all]\nprofile = nosuch\n", ["create"],
         rf'no profile "nosuch".*\({PATH}:2 sets --profile\)'),
        ("a conflict with an option that is given", "[fstests]\njobs = 3\n",
         ["fstests", "--kernel", "x", "--fstests", "y", "--device", "/dev/null"],
         rf"does not go with --jobs \({PATH}:2 sets --jobs\)"),
        ("a flag that the line turns off", "[fstests]\ninstall-missing = yes\n",
         ["fstests", "--kernel", KERNEL, "--fstests", "/none", "--host-root", "--no-install-missing"],
         "not a kernel"),
        ("a flag", "[fstests]\ninstall-missing = yes\n",
         ["fstests", "--kernel", KERNEL, "--fstests", "/none", "--host-root"],
         rf"--install-missing does not go with --host-root \({PATH}:2 sets --install-missing\)"),
        ("defaults that --host-root has no use for", f"[fstests]\nbuild = yes\noverlay = {home.dir}\n"
         "keyring = ~/keys\n", ["fstests", "--kernel", KERNEL, "--fstests", "/none", "--host-root"],
         "not a kernel[^(]*[(]no x86 boot header[)][^(]*$"),
        ("a mistake", "[run]\n\nmemorx = 4G\n", ["create"],
         rf'{PATH}:3: rootlet run has no option "memorx"; did you mean: memory'),
        ("an option of one call", "[delete]\nyes = yes\n", ["create"],
         rf"{PATH}:2: --yes cannot have a default")):
    config(written)
    is_refused(f"the file has {title}", command, expected)
config("[rnu]\nx = 1\n")
for name in (["list"], ["help"], ["create", "--help"], ["__complete", "run", "--mem"]):
    done = home.run(*name)
    tap.report(done.status == 0 and PATH not in done.err, f"a wrong file does not stop rootlet {name[0]}",
               done)
is_refused("rootlet config reports a wrong file", ["config"], rf"{PATH}:1: unknown section \[rnu\]")
value, wrong = document("config", home.run("config", "--json"))
tap.report(not wrong and value["exit_status"] == INPUT and "[rnu]" in value["error"]["message"],
           "rootlet config --json reports a wrong file", *wrong, value)

RIGHT = "[run]\nmemory = 1\n"
for bits in (0o620, 0o602, 0o666):
    config(RIGHT, bits)
    is_refused(f"a file of mode {bits:o}", ["create", "--profile", "nosuch"],
               f"other users can write to {PATH}.*chmod go-w {PATH}")
config(RIGHT, 0o644)
is_refused("a file that others can read", ["create", "--profile", "nosuch"], 'no profile "nosuch"')
for title, data, says in (("of 70000 bytes", "; " + 70000 * "x" + "\n", "at most 65536 bytes"),
                          ("with a NUL byte", "[run]\0\nx = 1\n", "NUL")):
    config(data)
    is_refused(f"a file {title}", ["create", "--profile", "nosuch"], says)
os.unlink(PATH)
os.mkfifo(PATH)
os.chown(PATH, *home.user.ids())
is_refused("a pipe", ["create", "--profile", "nosuch"], "not a regular file")
os.unlink(PATH)
os.symlink(home.write("dotfiles", RIGHT), PATH)
is_refused("a link to a file", ["run", "--kernel", KERNEL, "--", "true"], "sets --memory")
os.unlink(PATH)
if AS_ROOT:
    config(RIGHT, 0o644)
    os.chown(PATH, 12345, 12345)
    is_refused("a file of another user", ["create", "--profile", "nosuch"], "belongs to uid 12345")
    os.chown(PATH, 0, 0)
    is_refused("a file of root", ["run", "--kernel", KERNEL, "--", "true"], "sets --memory")
    os.chmod(PATH, 0o600)
    is_refused("a file that cannot be read", ["create", "--profile", "nosuch"], "Permission denied", 1)
    os.unlink(PATH)
else:
    tap.skip("a file of another user", "only root can make one")
is_refused("no file", ["create", "--profile", "nosuch"], 'no profile "nosuch"')
shown = home.run("config")
tap.report(shown.status == 0 and f"There is no {PATH}" in shown.out and "built-in\n" in shown.out,
           "rootlet config without a file", shown)

config("[all]\nmemory = 3G\n[run]\nappend = a\nappend = b\nquiet = no\n")
value, wrong = document("config", home.run("config", "--json"))
rows = {(row["command"], row["option"], row["value"]): row["origin"] for row in value["defaults"]}
tap.report(not wrong and value["file"] == PATH and value["exists"] is True and
           {("run", "--memory", "3G"): f"{PATH}:2", ("fstests", "--memory", "3G"): f"{PATH}:2",
            ("run", "--append", "a"): f"{PATH}:4", ("run", "--append", "b"): f"{PATH}:5",
            ("run", "--quiet", "no"): f"{PATH}:6",
            ("run", "--boot", "auto"): "built-in"}.items() <= rows.items() and
            ("run", "--memory", "2G") not in rows,
           "rootlet config --json: every value with its origin", *wrong, value)
shown = home.run("config")
tap.report(len(shown.out.splitlines()) == len(value["defaults"]) and
           f"run        --append a                                 {PATH}:4\n" in shown.out,
           "rootlet config shows the same as text", shown)

# The manual lists the options that cannot have a default.
with open(f"{SOURCE}/docs/man/rootlet-config.1.scd", encoding="utf-8") as page:
    paragraph = re.search(r"cannot have a default(?:.|\n)*?\n\n", page.read()).group()
    listed = set(re.findall(r"\*(--[a-z-]+)\*", paragraph))
refused, allowed = set(), set()
for name in (line.split("\t")[0] for line in home.run("__complete", "").out.splitlines()):
    for option in (line.split("\t")[0] for line in home.run("__complete", name, "--").out.splitlines()):
        if option.startswith("--") and option != "--":
            config(f"[{name}]\n{option[2:]} = yes\n")
            (refused if "cannot have a default" in home.run("config").err else allowed).add(option)
tap.report(refused == listed and not refused & allowed and len(allowed) > 40,
           "rootlet-config(1) lists the options without a default", refused ^ listed, refused & allowed)

# A kubernetes job gets the file's defaults, because its pods do not have the file.
config("[fstests]\nfstype = xfs\nmemory = 3G\ncluster-directory = /shared\nbaseline = last\nbuild = yes\n")
printed = home.run("fstests", "--cluster", "kubernetes", "--cluster-tasks", "2", "--kernel", "/k",
                   "--fstests", "/f", "--no-build", "--cluster-option", "image=x",
                   "--cluster-option", "claim=y", "--cluster-option", "kvm=none")
tap.report(printed.status == 0 and "--fstype=xfs" in printed.out and "--memory=3G" in printed.out and
           "--baseline" not in printed.out and "--build" not in printed.out and "/shared" in printed.out,
           "--cluster kubernetes writes defaults into the pods' command line", printed)

config("[upgrade]\nsecurity = yes\nmirror = http://x\n")
is_refused("upgrade --rollback: defaults that it has no use for are no conflict", ["upgrade", "--rollback"],
           "no rootfs at", 1)

# MCP: the defaults of the schema are given, so they win; others come from the file.
config("[fstests]\nforce-9p = yes\ninstall-missing = yes\n")
with Server(home) as server:
    server.initialize()
    words = server.call("fstests_vm_boot_and_run", {"kernel_path": KERNEL, "fstests_path": "/none"})["result"]
    tap.report("--install-missing does not go with --host-root" in words["content"][0]["text"],
               "MCP: a default in the file that the schema does not have", words)
with open(f"{SOURCE}/frontend/mcp/tools.json", encoding="utf-8") as file:
    flags = [(tool["name"], name, becomes) for tool in json.load(file)
             for name, becomes in tool["command"]["arguments"].items()
             if tool["inputSchema"]["properties"][name].get("type") == "boolean"]
wrong = [f"{tool} {name}: {becomes}" for tool, name, becomes in flags
         if isinstance(becomes, str) and becomes not in listed]
tap.report(len(flags) > 5 and not wrong, "MCP: false turns off what the file may turn on", *wrong)
config("[create]\nrelease = warty\nprofile = nosuch\nmirror = ftp://x\n[run]\nmemory = 1\nboot-timeout = x\n")
with Server(home) as server:
    server.initialize()
    for tool, arguments, says, silent in (
            ("create_test_rootfs", {}, "ftp://x", "warty"),
            ("create_test_rootfs", {"profile": "other"}, 'no profile "other"', "nosuch"),
            ("run_in_vm", {"kernel_path": KERNEL, "command": ["true"]},
             f"--boot-timeout x: not a number from 1 to 86400 ({PATH}:7 sets --boot-timeout)", "--memory 1")):
        result = server.call(tool, arguments)["result"]
        text = result["content"][0]["text"]
        tap.report(result["isError"] and says in text and silent not in text,
                   f"MCP: {tool} with {arguments}: {says}", result)
    config("[rnu]\nx = 1\n")
    result = server.call("run_in_vm", {"kernel_path": KERNEL, "command": ["true"]})["result"]
    tap.report(result["isError"] and f"{PATH}:1: " in result["content"][0]["text"],
               "MCP: a tool reports a wrong file", result)
tap.done()
