#!/usr/bin/python3
"""Turns JSON files into a C table of names and texts, which is compiled into the program."""
import json
import os
import sys


def literal(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    # gcc and clang take string literals of any length; C17 guarantees only 4095 characters.
    return f'"{escaped}"'


print("/* Made from frontend/mcp/tools.json and frontend/schemas by frontend/schemas/embed.py. */")
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        text = json.dumps(json.load(file), separators=(",", ":"), ensure_ascii=False)
    print(f'{{ "{os.path.basename(path).removesuffix(".json")}",\n  {literal(text)} }},')
