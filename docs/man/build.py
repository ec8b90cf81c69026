#!/usr/bin/python3
"""Makes a manual page of its source: build.py SCDOC PAGE.scd OUTPUT [NAME=FILE…]. A line "@NAME@" stands
for the content of FILE, so that what several pages or other files say is written once."""
import subprocess
import sys


def main():
    scdoc, source, output, *parts = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        text = file.read()
    for part in parts:
        name, _, path = part.partition("=")
        with open(path, encoding="utf-8") as file:
            text = text.replace(f"@{name}@", file.read().rstrip("\n"))
    with open(output, "wb") as file:
        subprocess.run([scdoc], input=text.encode(), stdout=file, check=True)


main()
