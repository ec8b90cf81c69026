"""The system calls that each process of rootlet-helper may make, from tests/adversary/lists.expected, which
is written by hand and not derived from the lists under test."""
import os
from dataclasses import dataclass, field

FILE = f"{os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}/adversary/lists.expected"


@dataclass
class Expected:
    """kind: "kill", "error", "contained" or two of them; calls: names; arguments: {"CALL:NUMBER": (the result
    for any other value, the allowed values)}."""
    kind: str
    calls: set = field(default_factory=set)
    arguments: dict = field(default_factory=dict)


def expected():
    sets = {}
    with open(FILE, encoding="ascii") as file:
        for line in file:
            word, *rest = line.partition("#")[0].split() or [None]
            if word == "set":
                one = sets[rest[0]] = Expected(" ".join(rest[1:]))
            elif word == "calls":
                one.calls |= set(rest)
            elif word == "argument":
                call, number, refused, *values = rest
                _, known = one.arguments.setdefault(f"{call}:{number}", (refused, set()))
                known |= {int(value, 16) for value in values}
    return sets
