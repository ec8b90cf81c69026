#!/usr/bin/python3
"""Turns LIST.list files into a C header with one NULL-terminated array LIST_calls each."""
import os
import re
import sys

print("#pragma once\n")
for path in sys.argv[1:]:
    name = os.path.basename(path).removesuffix(".list")
    calls = []
    with open(path, encoding="ascii") as file:
        for line in file:
            calls += line.split("#", 1)[0].split()
    for call in calls:
        if not re.fullmatch(r"[a-z0-9_]+", call) or calls.count(call) > 1:
            sys.exit(f"{path}: {call}: no system call, or twice")
    print(f"static const char *const {name}_calls[] = {{")
    for call in calls:
        print(f'\t"{call}",')
    print("\tNULL,\n};")
