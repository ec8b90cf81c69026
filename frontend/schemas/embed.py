#!/usr/bin/python3
"""Turns JSON files into a C table, name and text, so that the program carries them with it."""
import json
import os
import sys


def literal(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    # A string literal of any length is fine for gcc and clang; C17 promises 4095 characters only.
    return f'"{escaped}"'


print("/* Made from frontend/mcp/tools.json and frontend/schemas by frontend/schemas/embed.py. */")
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        text = json.dumps(json.load(file), separators=(",", ":"), ensure_ascii=False)
    print(f'{{ "{os.path.basename(path).removesuffix(".json")}",\n  {literal(text)} }},')
