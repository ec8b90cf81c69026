#!/usr/bin/python3
"""Makes schemas complete: bundle.py DIRECTORY DEFINITIONS SCHEMA… writes each schema into DIRECTORY, with those of
the shared definitions that it uses. A validator then needs no other file and no network."""
import json
import os
import re
import sys

REFERENCE = re.compile(r'(?<="\$ref": ")(?:definitions\.json)?#/\$defs/(\w+)(?=")')


def bundled(text, definitions):
    """Returns the schema TEXT with the definitions that it uses, directly or through others."""
    used, wanted = {}, REFERENCE.findall(text)
    while wanted:
        name = wanted.pop()
        if name not in used:
            used[name] = definitions[name]
            wanted += REFERENCE.findall(json.dumps(definitions[name]))
    schema = json.loads(REFERENCE.sub(r"#/$defs/\1", text))
    return {**schema, "$defs": {name: used[name] for name in sorted(used)}} if used else schema


def main():
    directory, shared, *paths = sys.argv[1:]
    with open(shared, encoding="utf-8") as file:
        definitions = json.load(file)["$defs"]
    for path in paths:
        with open(path, encoding="utf-8") as file:
            schema = bundled(file.read(), definitions)
        with open(f"{directory}/{os.path.basename(path)}", "w", encoding="utf-8") as file:
            json.dump(schema, file, indent=2, ensure_ascii=False)
            file.write("\n")


main()
