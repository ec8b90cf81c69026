#!/usr/bin/python3
"""Turns the page of HTML reports into C declarations: embed.py PAGE STYLE SCRIPT… puts the style and the scripts, as
one, into the page, and their hashes into its Content-Security-Policy. What comes before and after the data is a string
each."""
import base64
import hashlib
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def source(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def literal(text):
    """A C string, in pieces: some compilers dislike one that is very long."""
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") for line in text.split("\n")]
    return '"' + '\\n"\n\t"'.join(escaped) + '"'


def main():
    page, style, *scripts = map(read, sys.argv[1:])
    script = "\n".join(scripts)
    for mark, text in (("@STYLE@", style), ("@SCRIPT@", script), ("@STYLE_SOURCE@", source(style)),
                       ("@SCRIPT_SOURCE@", source(script))):
        if page.count(mark) != 1:
            sys.exit(f"{sys.argv[1]} must have {mark} once")
        page = page.replace(mark, text)
    begin, end = page.split("@DATA@")
    print("/* Made from frontend/reports/page.* by frontend/reports/embed.py. */")
    print(f"static const char report_page_begin[] =\n\t{literal(begin)};")
    print(f"static const char report_page_end[] =\n\t{literal(end)};")


main()
