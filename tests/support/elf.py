"""What an ELF program requires from the loader."""
import re
import subprocess


def loads(path):
    """Returns its loader and libraries: [] if it is statically linked, so that nothing is ever loaded into
    it."""
    text = subprocess.run(["readelf", "--wide", "--program-headers", "--dynamic", path],
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=True,
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout
    if "Program Headers:" not in text:
        raise ValueError(f"{path} is not a program: {text[:200]}")
    return re.findall(r"program interpreter: ([^]]+)\]|\(NEEDED\)\s+Shared library: \[([^]]+)\]", text)


def functions(path):
    """Returns the functions in an unstripped program."""
    text = subprocess.run(["nm", "--defined-only", "--format=posix", path], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    return {line.split()[0] for line in text.splitlines() if line.split()[1] in "Tt"}


def profiles(path):
    """Returns {program: its rules} of an AppArmor profile."""
    with open(path, encoding="utf-8") as file:
        return {program: rules.split() for program, rules in
                re.findall(r"^profile \S+ (\S+) [^{]*\{([^}]*)\}", file.read(), re.M)}
