#!/usr/bin/python3
"""Turns LIST.list files into a C header with one struct call_list LIST_list each.

A line of a list names calls, or restricts an argument of one: "CALL NUMBER = VALUE…" allows only these
values, "CALL NUMBER & BIT…" only these bits. More lines about the same argument add to it. A value is
the C name of a constant, or NAME:NUMBER if the headers of some systems lack that name.

usage: generate.py [--also FILE] FILE…
--also adds the calls of that list to each other list."""
import argparse
import os
import re
import sys

NARROWED = re.compile(r"([a-z0-9_]+) ([0-5]) ([=&]) (.+)")
VALUE = re.compile(r"[A-Za-z_]\w*(:(0x[0-9a-f]+|\d+))?")


def parse(path):
    """(calls, {(call, argument, operator): values})"""
    calls, arguments = [], {}
    with open(path, encoding="ascii") as file:
        for line in file:
            line = line.split("#", 1)[0].strip()
            found = NARROWED.fullmatch(line)
            if found:
                arguments.setdefault(found.groups()[:3], []).extend(found.group(4).split())
            else:
                calls += line.split()
    for call in calls:
        if not re.fullmatch(r"[a-z0-9_]+", call) or calls.count(call) > 1:
            sys.exit(f"{path}: {call}: not a system call, or listed twice")
    for (call, argument, operator), values in arguments.items():
        other = (call, argument, "&" if operator == "=" else "=")
        wrong = [value for value in values if not VALUE.fullmatch(value) or values.count(value) > 1]
        if other in arguments or wrong:
            sys.exit(f"{path}: {call} {argument}: both values and bits, or malformed ones: {wrong}")
    return calls, arguments


def print_list(name, calls, arguments):
    print(f"static const char *const {name}_calls[] = {{")
    for call in calls:
        print(f'\t"{call}",')
    print("\tNULL,\n};")
    for (call, argument, _), values in arguments.items():
        print(f"static const struct argument_value {name}_{call}_{argument}[] = {{")
        for value in values:
            constant, _, number = value.partition(":")
            print(f'\t{{ "{constant}", (uint32_t)({number or constant}) }},')
        print("\t{ NULL, 0 },\n};")
    print(f"static const struct argument_rule {name}_arguments[] = {{")
    for call, argument, operator in arguments:
        print(f'\t{{ "{call}", {argument}, {"true" if operator == "&" else "false"}, {name}_{call}_{argument} }},')
    print("\t{ NULL, 0, false, NULL },\n};")
    print(f"static const struct call_list {name}_list = {{ {name}_calls, {name}_arguments }};\n")


options = argparse.ArgumentParser()
options.add_argument("--also", metavar="FILE")
options.add_argument("files", nargs="+", metavar="FILE")
options = options.parse_args()
lists = {os.path.basename(path).removesuffix(".list"): parse(path) for path in options.files}
if options.also:
    added, _ = parse(options.also)
    for calls, _ in lists.values():
        calls += [call for call in added if call not in calls]
listed = {call for calls, _ in lists.values() for call in calls}
print("#pragma once\n")
for name, (calls, arguments) in lists.items():
    unknown = [call for call, _, _ in arguments if call not in listed]
    if unknown:
        sys.exit(f"{name}.list: restricted but not listed: {unknown}")
    print_list(name, calls, arguments)
