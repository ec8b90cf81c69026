"""Command line completion in real shells. A row is a line up to the cursor, with words that must and must not
be offered for its last word. Each is tried with rootlet itself, bash, zsh and fish."""
import os
import re
import shlex
import shutil
import subprocess
import time

from support import tap
from support.pace import patient
from support.terminal import Terminal
from support.world import ROOTLET, SOURCE, Home

SCRIPTS = f"{SOURCE}/frontend/completion"
ROWS = [
    # line, offered, not offered
    ("rootlet ", ["create", "check", "mcp", "help"], ["--name", "jammy"]),
    ("rootlet cr", ["create"], ["check"]),
    ("rootlet help d", ["delete", "doctor"], ["check"]),
    ("rootlet create --", ["--name", "--release", "--json", "--color"], ["--deep", "create"]),
    ("rootlet create --rel", ["--release"], ["--name"]),
    ("rootlet create --release ", ["jammy", "bookworm"], ["--name", "first-one"]),
    ("rootlet create --release boo", ["bookworm"], ["jammy"]),
    ("rootlet create --profile ", ["fstests", "minimal", "mine"], ["jammy"]),
    ("rootlet check --name ", ["first-one", "second-one"], [".hidden", "a-file"]),
    ("rootlet delete --yes --name se", ["second-one"], ["first-one"]),
    ("rootlet fstests -c ext4/b", ["ext4/bigalloc"], ["ext4/4k", "xfs/4k"]),
    ("rootlet configurations show own", ["own/mine"], ["ext4/4k"]),
    ("rootlet profiles ", ["list", "show", "check"], ["--json"]),
    ("rootlet profiles show m", ["minimal", "mine"], ["fstests"]),
    ("rootlet run --kernel ", ["distro", "some-file"], ["--name"]),
    ("rootlet run --kernel distro --rwdir some", ["some-directory"], ["some-file"]),
    ("rootlet check --color ", ["auto", "never"], ["--name"]),
    ("rootlet run --root-transport ", ["auto", "image", "dir"], ["--name"]),
    ("rootlet runs show ", ["a-run", "last"], ["list", ".hidden-run"]),
    ("rootlet runs compare a-run ", ["a-run", "last"], ["list", "compare"]),
    ("rootlet runs compare --json a-run ", ["a-run", "last"], ["compare"]),
    ("rootlet runs compare a-run a-run ", [], ["last", "list"]),
    ("rootlet runs durations a-run ", ["a-run", "last"], ["list"]),
    ("rootlet runs report a-run ", ["a-run", "last"], ["list"]),
    ("rootlet runs report a-run --", ["--html", "--ktap", "--junit"], ["a-run"]),
    ("rootlet runs archive ", ["a-run", "last"], ["list"]),
    ("rootlet runs show a-run --", ["--json", "--keep"], ["a-run"]),
    ("rootlet create --engine ", ["native", "debootstrap"], ["first-one", "--name"]),
    ("rootlet create --name first-one --eng", ["--engine"], ["--release"]),
    ("rootlet cache ", ["list", "verify", "prune"], ["--json", "first-one"]),
    ("rootlet cache prune ", [], ["list", "verify"]),
    ("rootlet cache prune --", ["--max-size", "--json"], ["verify"]),
    ("rootlet policy ", ["check", "show", "seccomp"], ["some-file"]),
    ("rootlet policy check ", ["some-file"], ["seccomp", "show"]),
    ("rootlet audit ", ["show", "verify"], ["--last"]),
    ("rootlet audit verify ", ["some-file"], ["show"]),
    ("rootlet audit show some-file ", ["some-file"], ["verify"]),
    ("rootlet fstests --baseline ", ["a-run", "last"], ["first-one", ".hidden-run"]),
    ("rootlet nosuch ", [], ["create", "--name"]),
]
EQUALS = [("rootlet create --release=boo", ["bookworm"], ["jammy"]),
          ("rootlet check --name=", ["first-one", "second-one"], ["some-file"])]

home = Home()
work = home.make_dir(f"{home.dir}/work")
for name in ("first-one", "second-one", ".hidden"):
    home.make_dir(f"{home.store}/{name}") \
        if os.path.isdir(home.store) or home.make_dir(home.store) else None
home.write(".kerneldev-mcp/a-file", "")
for name in ("a-run", ".hidden-run"):
    home.write(f"state/rootlet/runs/{name}/run.json", "{}")
home.write("work/some-file", "")
home.make_dir(f"{work}/some-directory")
home.write("config/rootlet/profiles/mine.conf", "[packages]\na = bash\n")
home.write("config/rootlet/configurations/own.conf", "[mine]\ntype = ext4\n")
home.make_dir(f"{home.dir}/bin")
os.symlink(ROOTLET, f"{home.dir}/bin/rootlet")
PATH = f"{home.dir}/bin:/usr/local/bin:/usr/bin:/bin"


def words_of(line):
    words = shlex.split(line)
    return words[1:] + ([""] if line.endswith(" ") else [])


def of_rootlet(line):
    """rootlet offers everything that is valid there; the shell filters by what is typed, and completes
    files."""
    lines = home.run("__complete", *words_of(line)).out.splitlines()
    typed = words_of(line)[-1].partition("=")[2] if "=" in line else words_of(line)[-1]
    offered = [entry.split("\t")[0] for entry in lines if entry.startswith(typed)]
    for directive, wanted in ((":files", os.path.exists), (":directories", os.path.isdir)):
        if directive in lines:
            offered += [name for name in os.listdir(work) if wanted(f"{work}/{name}") and
                        name.startswith(typed)]
    return offered


BASH = """
source %s/rootlet.bash
COMP_LINE=$1 COMP_POINT=${#1}
# As readline splits: at blanks and at "=".
read -ra COMP_WORDS <<<"${1//=/ = }"
[[ $1 != *[\\ =] ]] || COMP_WORDS+=("")
[[ $1 != *= ]] || unset 'COMP_WORDS[-1]'
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_rootlet
printf '%%s\\n' "${COMPREPLY[@]}"
"""


def run_shell(*words):
    done = subprocess.run(words, cwd=work, env={**home.environment(), "PATH": PATH}, capture_output=True,
                          text=True, check=False, timeout=120, **home.user.switch())
    return done.stdout


def of_bash(line):
    return run_shell("bash", "--norc", "-c", BASH % SCRIPTS, "bash", line).split()


def of_fish(line):
    script = f"source {SCRIPTS}/rootlet.fish; complete --do-complete {shlex.quote(line)}"
    entries = [entry.split("\t")[0] for entry in run_shell("fish", "--no-config", "-c", script).splitlines()]
    return [re.sub(r"^--[a-z]+=", "", entry).rstrip("/") for entry in entries]


def judge(where, ask, rows):
    for line, offered, not_offered in rows:
        found = ask(line)
        wrong = [f"not offered: {word}" for word in offered if word not in found]
        wrong += [f"offered: {word}" for word in not_offered if word in found]
        tap.report(not wrong, f"{where}: \"{line}\"", *wrong, found)


class Zsh:
    """zsh completes only on a terminal: pressing TAB twice lists the candidates."""

    def __init__(self):
        home.write("zsh/.zshrc", f"fpath=({SCRIPTS} $fpath); autoload -Uz compinit; compinit -u -D\n"
                   "setopt no_beep list_rows_first\nunsetopt menu_complete auto_menu\nLISTMAX=1000\n"
                   "zstyle ':completion:*' list-separator '#'\nPROMPT='ready> '\n"
                   f"cd {work}\n")
        self.terminal = Terminal(home, "-i", program="/usr/bin/zsh", environment={
            "ZDOTDIR": f"{home.dir}/zsh", "PATH": PATH, "COLUMNS": "200"})
        assert self.terminal.expect(r"ready> "), self.terminal.text

    def ask(self, line):
        """Returns the screen after TAB: the completed line and the list."""
        terminal = self.terminal
        terminal.text = ""
        terminal.type(line)
        terminal.expect(re.escape(line[-4:]), 20)
        terminal.type("\t\t")
        # zsh is done when it echoes the next input.
        terminal.type("\x05~~~")
        terminal.expect(r"~~~", 30)
        time.sleep(patient(0.3))
        terminal.read(patient(0.3))
        text = terminal.text
        terminal.text = ""
        terminal.type("\x15\n")
        terminal.expect(r"ready> ", 20)
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|[\x07\r]", " ", text)
        words = [re.sub(r"^--[a-z]+=", "", word).rstrip("/~") for word in re.split(r"[\s#]+", text)]
        return [word for word in words if word not in line.split()[:-1]]


judge("rootlet", of_rootlet, ROWS + EQUALS)
judge("bash", of_bash, ROWS + EQUALS)
for shell, ask in (("fish", of_fish), ("zsh", None)):
    if not shutil.which(shell):
        tap.report(False, f"{shell} is installed", "./quickstart --deps-only --tests")
        continue
    judge(shell, ask or Zsh().ask, ROWS + EQUALS)
tap.done()
