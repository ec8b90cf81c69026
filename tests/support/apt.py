"""Real packages from the mirror in the host's apt configuration, downloaded with apt: it verifies the
archive's signature and resolves dependencies. The host's apt state is not touched."""
import glob
import os
import re
import subprocess


def os_release():
    values = {}
    with open("/etc/os-release", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.strip().partition("=")
            values[key] = value.strip("\"'")
    return values


def host_suite():
    return os_release().get("VERSION_CODENAME", "")


def _paragraphs(text):
    for block in re.split(r"\n\s*\n", text):
        fields, last = {}, None
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and last:
                fields[last] += " " + line.strip()
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        yield fields


def _one_line(line):
    """Parses a line: deb [signed-by=FILE] URI SUITE COMPONENT…"""
    found = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
    if not found:
        return None
    options, uri, suite, components = found.groups()
    signed = re.search(r"signed-by=(\S+)", options or "")
    return uri, suite, components.split(), signed.group(1) if signed else ""


def host_sources(directory="/etc/apt"):
    """Yields (URI, suite, components, keyring) for every enabled line and paragraph."""
    entries = []
    for path in [f"{directory}/sources.list", *sorted(glob.glob(f"{directory}/sources.list.d/*"))]:
        if not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path.endswith(".list"):
            entries += filter(None, map(_one_line, text.splitlines()))
            continue
        for fields in _paragraphs(text):
            if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
                continue
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    entries.append((uri, suite, fields.get("components", "").split(),
                                    fields.get("signed-by", "")))
    return entries


def host_source(suite):
    """Returns the host's entry for SUITE, or None."""
    return next((entry for entry in host_sources() if entry[1] == suite), None)


def download(wanted, directory):
    """Downloads the packages WANTED (as for apt) and their dependencies to `directory`; returns the paths of
    the .debs. Existing files are not downloaded again."""
    suite = host_suite()
    uri, _, components, keyring = host_source(suite)
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        os.makedirs(f"{directory}/{name}", exist_ok=True)
    with open(f"{directory}/etc/sources.list", "w", encoding="utf-8") as file:
        signed = f"[signed-by={keyring}] " if keyring.startswith("/") else ""
        file.write(f"deb {signed}{uri} {suite} {' '.join(components)}\n")
    open(f"{directory}/state/status", "w", encoding="utf-8").close()
    options = {"Dir::Etc::sourcelist": f"{directory}/etc/sources.list",
               "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
               "Dir::State": f"{directory}/state", "Dir::State::status": f"{directory}/state/status",
               "Dir::Cache": f"{directory}/cache", "APT::Sandbox::User": "root",
               "APT::Install-Recommends": "false", "APT::Get::Assume-Yes": "true",
               "APT::Get::AllowUnauthenticated": "false", "Acquire::Languages": "none",
               "Acquire::Retries": "3"}
    apt = ["apt-get", "-q"]
    for key, value in options.items():
        apt += ["-o", f"{key}={value}"]
    for words in (["update"],
                  ["install", "--download-only", "--no-install-recommends", *wanted]):
        _run(apt + words)
    return _selected(apt, wanted, f"{directory}/cache/archives")


def _run(words):
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            stdin=subprocess.DEVNULL, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(words[-6:])}: {result.stdout[-2000:]}")
    return result.stdout


def _selected(apt, wanted, archives):
    """Returns the archives of exactly this selection: the directory may contain others."""
    simulated = _run(apt + ["install", "--simulate", *wanted])
    paths = []
    for name, version, arch in re.findall(r"^Inst (\S+) \((\S+) .*\[(\S+)\]\)", simulated, re.M):
        name = name.partition(":")[0]
        paths.append(f"{archives}/{name}_{version.replace(':', '%3a')}_{arch}.deb")
    return paths
