"""Validates the output of --json against the schemas of frontend/schemas, as the build completes them."""
import json
import os
import re

import jsonschema

from .world import BUILD, SOURCE

NAMES = sorted(name.removesuffix(".json") for name in os.listdir(f"{SOURCE}/frontend/schemas")
               if name.endswith(".json") and name != "definitions.json")


def schema(name):
    with open(f"{BUILD}/frontend/schemas/{name}.json", encoding="utf-8") as file:
        return json.load(file)


def unresolved(value):
    """Returns the references in a schema to anything except its own definitions."""
    names = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(value)))
    return names - {f"#/$defs/{name}" for name in value.get("$defs", ())}


def errors(name, value):
    """Returns complaints about VALUE under schema NAME."""
    validator = jsonschema.Draft202012Validator(schema(name))
    return [f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in validator.iter_errors(value)]


def parse(text):
    """Returns the values of a stream or a document, and complaints about lines that are not JSON."""
    values, wrong = [], []
    for line in text.splitlines():
        try:
            values.append(json.loads(line))
        except ValueError:
            wrong.append(f"not JSON: {line[:200]}")
    return values, wrong


def document(name, outcome):
    """Returns the document that OUTCOME printed, and complaints."""
    values, wrong = parse(outcome.out)
    if len(values) != 1:
        wrong.append(f"{len(values)} documents instead of one")
    return (values[0] if values else None), wrong + [e for value in values for e in errors(name, value)]


def stream(name, outcome):
    """Returns the events of a stream, its last line, and complaints."""
    values, wrong = parse(outcome.out)
    if not values:
        return [], None, [*wrong, "nothing was printed"]
    events, result = values[:-1], values[-1]
    wrong += [e for event in events for e in errors("events", event)] + errors(name, result)
    if result.get("exit_status") != outcome.status:
        wrong.append(f"exit_status {result.get('exit_status')} is not that of the process")
    return events, result, wrong
