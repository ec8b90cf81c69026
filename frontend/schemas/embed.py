#!/usr/bin/python3
"""Turns the MCP tools into a C declaration, which is compiled into the program: embed.py TOOLS SCHEMA… replaces the
name of each tool's output schema with the schema. A tool of the server's own has its schema in TOOLS."""
import json
import os
import sys


def output_schema(tool, schemas):
    """Returns the schema of the command's output. Arrays are wrapped, since a tool's result is an object."""
    if isinstance(tool["outputSchema"], dict):
        return tool["outputSchema"]
    schema, wrap = dict(schemas[tool["outputSchema"]]), tool.get("wrap")
    del schema["$schema"]
    if tool.get("brief"):
        schema["properties"] = {**schema["properties"], "left_out": {
            "description": "how many items of which list are left out",
            "type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}}
    if not wrap:
        return schema
    # References start at the root of the document.
    definitions = schema.pop("$defs", {})
    return {"type": "object", "required": [wrap], "properties": {wrap: schema}, "$defs": definitions}


def main():
    schemas = {}
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            schemas[os.path.basename(path).removesuffix(".json")] = json.load(file)
    with open(sys.argv[1], encoding="utf-8") as file:
        tools = [{**tool, "outputSchema": output_schema(tool, schemas)} for tool in json.load(file)]
    text = json.dumps(tools, separators=(",", ":"), ensure_ascii=False)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    print("/* Made from frontend/mcp/tools.json and frontend/schemas by frontend/schemas/embed.py. */")
    # gcc and clang take string literals of any length; C17 guarantees only 4095 characters.
    print(f'static const char tools_text[] = "{escaped}";')


main()
