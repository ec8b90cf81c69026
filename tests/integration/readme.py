"""What the README says of messages: each that it explains is one that the programs can say."""
import glob
import re

from support import tap
from support.world import SOURCE

# In a message of the README: what stands for something else there, or is left out.
VARIABLE = re.compile(r'…|"you"|/[a-z]+(?:/[a-z]+)*')
LITERAL = r'"((?:[^"\\]|\\.)*)"'


def literals():
    """All texts in the sources, each as one however many lines it is written on."""
    found = []
    for folder in ("frontend", "frontend/fstests", "helper", "policy", "proto"):
        for path in glob.glob(f"{SOURCE}/{folder}/*.c"):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for run in re.finditer(rf"(?:{LITERAL}\s*)+", text):
                joined = "".join(re.findall(LITERAL, run.group(0)))
                found.append(joined.replace('\\"', '"'))
    return found


def explained():
    """The messages of the first column, without those that only name an exit status."""
    with open(f"{SOURCE}/README.md", encoding="utf-8") as file:
        section = file.read().partition("## When something fails\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \| ", section, re.M)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


texts = literals()
messages = explained()
tap.report(len(messages) >= 12 and len(texts) > 1000, "the README's messages and the sources' texts are found",
           len(messages), len(texts))
for message in messages:
    pieces = [piece.strip() for piece in VARIABLE.split(message) if len(piece.strip()) > 3]
    tap.report(pieces and any(all(piece in text for piece in pieces) for text in texts),
               f"a message of the README's can be said: {message}", *pieces)
tap.done()
