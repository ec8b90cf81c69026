"""Plain English: the words in tests/prose.ini must not occur in anything that people read. With paths as
arguments, only lists the words in these."""
import configparser
import io
import os
import re
import subprocess
import sys
import tokenize

from support import rings, tap

DATA = "tests/prose.ini"
# Recorded files and data.
FOREIGN = ("tests/recorded/", "tests/fuzz/seeds/", "tests/prose.ini", "tests/static/prose.py", "LICENSE")
C_PARTS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
# Code in prose: `code`, names with "_" or "()", paths, CAPITALS=… and options.
CODE = re.compile(r"`[^`\n]*`|\b\w+\(\)|\b\w*_\w*\b|[\w.-]*/[\w./*-]*|"
                  r"(?<!\w)--?[a-z][\w-]*|\b[\w-]+\.\w+\b|\b\w+ ?=\S*|"
                  r"\{[^{}\n]*\}|\$\{?\w+")


def words_of(text):
    """Returns TEXT with code replaced by spaces of the same length."""
    return CODE.sub(lambda match: " " * len(match.group()), text)


def blank(text):
    """Returns spaces and newlines of TEXT's shape."""
    return re.sub(r"[^\n]", " ", text)


def prose_of_c(text):
    """Returns comments and messages, with everything else blank."""
    out, at = [], 0
    for match in C_PARTS.finditer(text):
        part = match.group()
        out.append(blank(text[at:match.start()]))
        # A message has several words; a single word is a name.
        keep = part[0] == "/" or part[0] == '"' and " " in part.strip('" ')
        line = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        out.append(part if keep and "#include" not in line else blank(part))
        at = match.end()
    return "".join([*out, blank(text[at:])])


def prose_of_python(text):
    lines = [" " * len(line) for line in text.split("\n")]

    def put(row, column, part):
        for i, piece in enumerate(part.split("\n")):
            if row + i < len(lines):
                lines[row + i] = lines[row + i][:column if i == 0 else 0] + piece
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or token.type == tokenize.STRING and " " in token.string:
            put(token.start[0] - 1, token.start[1], token.string)
    return "\n".join(lines)


def prose_of_comments(text):
    """Returns the prose of files whose comments start with # or ;."""
    return "\n".join(line if re.match(r"\s*[#;](?!!)", line)
                     else re.sub(r"^.*?(?=\s#\s|$)", lambda m: " " * len(m.group()), line)
                     for line in text.split("\n"))


def prose_of_document(text):
    """Returns the prose of Markdown and scdoc, without code blocks and bold or underlined code."""
    text = re.sub(r"^(```|~~~).*?^\1", lambda match: blank(match.group()), text, flags=re.M | re.S)
    text = re.sub(r"^(\t| {4}).*$", lambda match: " " * len(match.group()), text, flags=re.M)
    return re.sub(r"\*[^*\n]+\*|_[^_\n]+_", lambda match: " " * len(match.group()), text)


def prose_of_json(text):
    """Returns the values of "description" and "title"."""
    return "\n".join(line if re.match(r'\s*"(description|title)"', line) else "" for line in text.split("\n"))


KINDS = (
    (r".*\.([ch]|proto|m?js)$", prose_of_c), (r".*\.(md|scd)$", prose_of_document),
    (r".*\.json$", prose_of_json),
    (r".*(\.py|#!/usr/bin/python3)$", prose_of_python),
    (r".*(\.sh|\.ini|\.conf|\.example|\.list|\.argued|\.yml|meson\.build|meson\.options|#!/.*)$|"
     r"(debian|packaging)/.*", prose_of_comments),
)


def prose_of(path, text):
    """A file whose name does not tell what it is may begin with the name of its interpreter."""
    first = text.partition("\n")[0]
    for pattern, extract in KINDS:
        if re.match(pattern, path) or first.startswith("#!") and re.match(pattern, first):
            try:
                return words_of(extract(text))
            except (tokenize.TokenError, SyntaxError):
                return ""
    return ""


def read_words():
    data = configparser.ConfigParser(interpolation=None, delimiters=(" = ",), comment_prefixes=(";",))
    data.optionxform = str
    data.read_string(rings.read(DATA))
    return [(re.compile(pattern, re.I), instead) for pattern, instead in data["words"].items()], \
        dict(data["allowed"])


def complaints(path, text, words, allowed):
    prose = prose_of(path, text)
    for pattern, instead in words:
        for match in pattern.finditer(prose):
            if allowed.get(path) == match.group():
                continue
            line = prose.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match.group().strip()!r}: write: {instead}"


def files():
    done = subprocess.run(["git", "-C", rings.SOURCE, "ls-files"], stdout=subprocess.PIPE, text=True,
                          check=False)
    found = done.stdout.split("\n")[:-1] or [
        os.path.relpath(f"{directory}/{name}", rings.SOURCE) for directory, _, names in os.walk(rings.SOURCE)
                                             for name in names]
    return [path for path in found if not path.startswith((*FOREIGN, "build", ".git/")) and
            os.path.isfile(f"{rings.SOURCE}/{path}")]


# (file, text, whether it has a complaint)
SAMPLES = (
    ("a.c", '/* The folder. */\n', True), ("a.c", 'int folder; /* `directory` */\n', False),
    ("a.c", 'error_set(err, "no folder %s", x);\n', True), ("a.c", 'f("folder");\n', False),
    ("a.md", "A folder.\n", True), ("a.md", "```\nfolder\n```\n`directory`\n", False),
           ("a.scd", "*folder* is\n", False),
    ("a.py", 'x("makes it anew")\n', True), ("a.py", "folder = 1  # his\n", True),
           ("a.py", "folder = 1\n", False),
    ("a.sh", "# mends it\n", True), ("a.sh", "folder=1\n", False),
           ("a.json", '"description": "of a folder"\n', True),
    ("a.json", '"folder": 1\n', False), ("a.ini", "; a folder\n", True),
    ("a", "#!/usr/bin/python3\nfolder = 1  # anew\n", True), ("a", "#!/bin/bash\n# anew\n", True),
    ("a", "# anew\n", False), ("debian/rules", "# anew\n", True), ("a.js", "f(); // anew\n", True),
)


def main():
    words, allowed = read_words()
    if len(sys.argv) > 1:
        wanted = [path for path in files() if path.startswith(tuple(sys.argv[1:]))]
        for path in wanted:
            for line in complaints(path, rings.read(path), words, allowed):
                print(line)
        return
    for path, text, wrong in SAMPLES:
        tap.report(bool(list(complaints(path, text, words, {}))) == wrong, f"{path}: {text.strip()!r}")
    found = [line for path in files() for line in complaints(path, rings.read(path), words, allowed)]
    tap.report(len(files()) > 400, "the files are found", len(files()))
    tap.report(not found, f"no words of {DATA} are used", f"{len(found)} times", *found[:40])
    tap.done()


main()
