#!/usr/bin/python3
"""Prints packaging/package-names as the initializers of the tables in install_command.c: install_names.py FILE"""
import sys

MANAGERS = ("apt", "dnf", "zypper", "pacman")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    print("static const struct install_system install_systems[] = {")
    for kind, manager, *names in rows:
        if kind == "system":
            print("".join(f'\t{{ "{name}", {MANAGERS.index(manager)} }},\n' for name in names), end="")
    for wanted in ("install", "reinstall"):
        print(f"}};\nstatic const char *const {wanted}_commands[] = {{")
        for kind, manager, *words in rows:
            if kind == wanted:
                print(f'\t[{MANAGERS.index(manager)}] = "{" ".join(words)} ",')
    print("};\nstatic const char *const install_packages[][INSTALL_MANAGERS] = {")
    for kind, *names in rows:
        if kind == "package":
            print("\t{ " + ", ".join(f'"{name}"' for name in names) + " },")
    print("};")


main()
