"""The documents match the code: the programs can print each message that docs/troubleshooting.md explains,
the numbers of system calls are those of the lists, exit statuses are those of the code, links lead to files,
each promise of SECURITY.md names tests that run, and packages have the same version and files."""
import glob
import json
import os
import re
import subprocess

from support import sanitizers, tap
from support.world import BUILD, ROOTLET, SOURCE

# The parts of an explained message that vary or are left out.
VARIABLE = re.compile(r'…|"you"|/[a-z]+(?:/[a-z]+)*')
LITERAL = r'"((?:[^"\\]|\\.)*)"'
DOCUMENTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "NEWS.md", "docs/**/*.md")


def read(name):
    with open(f"{SOURCE}/{name}", encoding="utf-8") as file:
        return file.read()


def documents():
    return sorted(os.path.relpath(path, SOURCE) for pattern in DOCUMENTS
                  for path in glob.glob(f"{SOURCE}/{pattern}", recursive=True))


def literals():
    """Every string literal in the sources; adjacent ones are joined as the compiler joins them."""
    found = []
    for directory in ("frontend", "helper", "lib", "policy", "proto"):
        for path in glob.glob(f"{SOURCE}/{directory}/**/*.c", recursive=True):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for run in re.finditer(rf"(?:{LITERAL}\s*)+", text):
                joined = "".join(re.findall(LITERAL, run.group(0)))
                found.append(joined.replace('\\"', '"'))
    return found


def explained():
    """The messages in the first column, without rows that only name an exit status."""
    rows = re.findall(r"^\| (.*?) \| ", read("docs/troubleshooting.md"), re.M)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


def check_messages():
    texts, messages = literals(), explained()
    tap.report(len(messages) >= 12 and len(texts) > 1000,
               "the explained messages and the sources' strings are found",
               len(messages), len(texts))
    for message in messages:
        pieces = [piece.strip() for piece in VARIABLE.split(message) if len(piece.strip()) > 3]
        tap.report(pieces and any(all(piece in text for piece in pieces) for text in texts),
                   f"docs/troubleshooting.md: the programs can print: {message}", *pieces)


def numbers_of_calls():
    done = subprocess.run([ROOTLET, "policy", "seccomp", "--json"], stdout=subprocess.PIPE, check=True)
    calls = {row["process"]: row["calls"] for row in json.loads(done.stdout)}
    # The jailer's own are those that no jail's list has.
    count = {name: len(names) for name, names in calls.items()}
    count["jailer"] = len(set(calls["jailer"]) - set(calls["jail"]))
    told = dict(re.findall(r"^\| (\w+) \|.*\| (\d+)(?: of its own)? \|$", read("docs/architecture.md"), re.M))
    wanted = {name: str(number) for name, number in count.items() if name != "tool"}
    wanted["verifier"] = str(count["tool"])
    tap.report(told == wanted, "docs/architecture.md: how many system calls each process may make", told,
               wanted)
    told = dict(re.findall(r"^\| (\w+) \|.*\| (\d+) system calls", read("SECURITY.md"), re.M))
    wanted = {name: str(count[name])
              for name in ("waiter", "parser", "unpacker", "assembler", "reader", "copier", "remover",
                           "fetch")}
    tap.report(told == wanted,
               "SECURITY.md: how many system calls a process that reads hostile input may make",
               told, count)


def exit_statuses():
    table = read("docs/usage.md").partition("## Exit statuses\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| (\d+) \|", table, re.M))
    defined = set(re.findall(r"^\s+EXIT_\w+ = (\d+),", read("frontend/cli/report.h"), re.M))
    tap.report(len(defined) > 8 and told == defined, "docs/usage.md: every exit status", told ^ defined)


def heading_anchors(text):
    """As GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-")
            for line in re.findall(r"^#+ (.*)$", text, re.M)}


def links():
    for name in documents():
        wrong = []
        for link in re.findall(r"\]\(([^)\s]+)\)", read(name)):
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if not re.match(r"\w+:", link) and (not os.path.exists(f"{SOURCE}/{target}") or
                                                anchor and anchor not in heading_anchors(read(target))):
                wrong.append(link)
        tap.report(not wrong, f"{name}: every link leads somewhere", *wrong)
    files = {word for name in documents() for word in re.findall(
        r"`((?:frontend|helper|lib|policy|proto|tests|docs)/[\w./-]+)`", read(name))}
    missing = [path for path in sorted(files) if
               "NAME" not in path and not os.path.exists(f"{SOURCE}/{path}")]
    tap.report(len(files) > 20 and not missing, "every source file that a document names exists", *missing)


def short():
    """README.md is for users, who read it whole; what only some need is in docs/."""
    lines = read("README.md").count("\n")
    tap.report(lines <= 250, "README.md has at most 250 lines", lines)


def promises():
    """Each row of the table names tests, by directory and name."""
    table = read("SECURITY.md").partition("## What is promised\n")[2].partition("\n\n`")[0]
    rows = re.findall(r"^\| (\d+)\. .* \| (.*) \|$", table, re.M)
    built = read("tests/meson.build")
    tests = {}
    for directory, name in (("unit", "unit_tests"), ("integration", "python_tests"),
                         ("adversary", "adversary_tests")):
        block = re.search(rf"^{name} = \{{\n(.*?)^\}}", built, re.M | re.S).group(1)
        tests[directory] = set(re.findall(r"^  '(\w+)':", block, re.M))
    named = [one for _, cell in rows for one in re.findall(r"`(\w+/\w+)`", cell)]
    wrong = [one for one in named if one.partition("/")[2] not in tests.get(one.partition("/")[0], ())]
    tap.report([int(number) for number, _ in rows] == list(range(1, len(rows) + 1)) and len(rows) >= 12 and
               len(named) >= 20 and all("`" in cell for _, cell in rows) and not wrong,
               "SECURITY.md: each promise names tests, and each of them runs", len(rows), len(named), *wrong)


def version():
    """The version in meson.build is everyone's."""
    wanted = re.search(r"^  version: '(.*)',$", read("meson.build"), re.M).group(1)
    told = subprocess.run([ROOTLET, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    protocol = re.search(r"PROTOCOL_VERSION (\d+)u", read("proto/channel.h")).group(1)
    form = rf"rootlet {re.escape(wanted)}\nfeatures:( [+-][a-z-]+)+\nprotocol: {protocol}\n"
    tap.report(re.fullmatch(form, told), "rootlet --version: version, features and protocol", told)
    for name, pattern in (("NEWS.md", r"^## (\S+)$"), ("README.md", r"^\| rootlet (\d\S+) \|"),
                          ("debian/changelog", r"^rootlet \((.*)\) "),
                          ("packaging/rpm/rootlet.spec", r"^Version: +(\S+)$"),
                          ("packaging/arch/PKGBUILD", r"^pkgver=(\S+)$")):
        found = re.search(pattern, read(name), re.M)
        tap.report(found and found.group(1) == wanted, f"{name} has the version of meson.build", found)


def install_commands():
    """install_command.c rewrites them, so they must have its form."""
    texts = literals()
    forms = [text for text in texts if re.search(r"\b(apt|apt-get|dnf|zypper) install|pacman -S", text)]
    wrong = [text for text in forms if not re.search(r"apt install (--reinstall )?([a-z%$]|$)", text)]
    tap.report(len(forms) > 8 and not wrong, "messages name packages as for apt", *wrong)


def package_lists():
    """debian/rootlet.install names what meson installs, each file once."""
    with open(f"{BUILD}/meson-info/intro-installed.json", encoding="utf-8") as file:
        places = {path.replace("/usr/local/", "usr/") for path in json.load(file).values()}
    # A package has them elsewhere, or not at all: see packaging/meson.build.
    places -= {"usr/share/rootlet/install-helper", "usr/share/rootlet/logrotate.conf"}
    listed = [line.split()[0] for line in read("debian/rootlet.install").splitlines()]
    wrong = [place for place in places
             if sum(f"{place}/".startswith(f"{one}/") for one in listed) != 1]
    unused = [one for one in listed if not any(f"{place}/".startswith(f"{one}/") for place in places)]
    tap.report(len(places) > 50 and not wrong and not unused,
               "debian/rootlet.install: all that meson installs, and nothing else", *wrong, *unused)


def build_dependencies():
    """A package of each library that meson.build asks for. dpkg knows which one has its .pc file."""
    asked = set(re.findall(r"dependency\('([^']+)'", read("meson.build")))
    shared = set(re.findall(r"dependency\('([^']+)'\)", read("meson.build")))
    control = set(re.findall(r"[\w.+-]+-dev", read("debian/control")))
    found = subprocess.run(["dpkg", "-S", *(f"*/pkgconfig/{name}.pc" for name in asked)],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    owners = {path.rpartition("/")[2].removesuffix(".pc"): package
              for package, path in re.findall(r"^([^:]+)(?::\w+)?: (.*)$", found, re.M)}
    # Debian has several packages with the same libcurl.pc.
    missing = [f"{name}: {owners.get(name)}" for name in asked - {"libcurl"}
               if owners.get(name) not in control]
    tap.report(len(asked) > 10 and not missing, "debian/control builds with all libraries", *missing)
    built = set(re.findall(r"pkgconfig\((\S+)\)", read("packaging/rpm/rootlet.spec")))
    tap.report(shared and shared <= built, "the spec file as well", *shared - built)


def debian():
    done = subprocess.run(["dpkg-parsechangelog", "--file", f"{SOURCE}/debian/changelog", "--all"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    tap.report(done.returncode == 0 and "warning" not in done.stdout, "debian/changelog can be parsed",
               done.stdout)
    stanzas = re.split(r"\n\n", read("debian/control").strip())
    tap.report([re.match(r"(Source|Package): (\S+)\n", one).group(2) for one in stanzas] ==
               ["rootlet", "rootlet", "rootlet-privileged"], "debian/control: the source and two packages")
    for name in ("config", "postinst", "postrm", "prerm"):
        path = f"{SOURCE}/debian/rootlet-privileged.{name}"
        done = subprocess.run(["sh", "-n", path], stderr=subprocess.PIPE, text=True, check=False)
        tap.report(done.returncode == 0 and read(f"debian/rootlet-privileged.{name}").startswith(
            "#!/bin/sh\nset -e\n"), f"debian/rootlet-privileged.{name} ends at the first error", done.stderr)


check_messages()
if not sanitizers.watched():  # the sanitizers' runtimes make calls of their own
    numbers_of_calls()
exit_statuses()
links()
short()
promises()
version()
install_commands()
package_lists()
build_dependencies()
debian()
tap.done()
