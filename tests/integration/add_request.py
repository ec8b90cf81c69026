"""Adding a request takes one row with its fields, one message, and one file with its handler (listed in
meson.build). The test adds a sample to a copy of the sources, builds the helper and sends it the request."""
import contextlib
import filecmp
import json
import os
import re
import shutil
import subprocess
import tempfile

from support import protocol, tap
from support.protocol import INPUT
from support.world import SCRATCH, SOURCE, Home

ROW = '	REQUEST(SAMPLE,      Sample,     sample,      "check",  "d",' \
    '    WHEN_IDLE,     MINUTE,      CAPS_NONE)\n'
FIELDS = r"""
#define SAMPLE_FIELDS(FIELD) \
	FIELD(sample, TEXT, name, 8 + 1, valid_account_name, "sample's name") \
	FIELD(sample, NUMBER, number, , valid_account_id, "sample's number")
/* clang-format on */
"""
MESSAGE = """// Descriptor: a directory.
message Sample {
	string name = 1;
	uint32 number = 2;
}

message Reply {
"""
HANDLER = """#include <string.h>

#include "helper/jailer/handlers.h"

int handle_sample(struct server *s, struct request *request, struct error **err)
{
	(void)s;
	(void)err;
	request->status = (int)(request->task->sample.number + strlen(request->task->sample.name));
	return 0;
}
"""
EDITS = [
    # Each goes after the current last one.
    ("proto/requests.h", r"(?<=\))(?=\n\n/\* The fields of each)", " \\\n" + ROW.rstrip("\n")),
    ("proto/requests.h", r"/\* clang-format on \*/\n\Z", FIELDS),
    ("proto/rootlet.proto", r"(?<== NUMBER;\n)(?=\t\}\n)", "\t\tSample sample = NEXT;\n"),
    ("proto/rootlet.proto", r"message Reply \{\n", MESSAGE),
    ("helper/meson.build", "(?<='jailer/requests/look.c',)", " 'jailer/requests/sample.c',"),
]


def add(tree):
    """Returns whether each place was found exactly once."""
    good, last = True, len(protocol.REQUESTS)
    for name, old, new in EDITS:
        with open(f"{tree}/{name}", encoding="utf-8") as file:
            text = file.read()
        text, count = re.subn(old.replace("NUMBER", str(last)), lambda _,
                              new=new: new.replace("NEXT", str(last + 1)), text)
        good = good and count == 1
        with open(f"{tree}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    with open(f"{tree}/helper/jailer/requests/sample.c", "w", encoding="utf-8") as file:
        file.write(HANDLER)
    return good


def leave_out(directory, names):
    """Tells shutil.copytree() to ignore builds and files that are not source."""
    return {name for name in names if name == "__pycache__" or
            directory == SOURCE and (name == ".git" or name.startswith("build"))}


def same(one, other):
    return os.path.lexists(one) and os.path.lexists(other) and (
        os.readlink(one) == os.readlink(other) if os.path.islink(one) else filecmp.cmp(one, other, False))


def changed(tree):
    """Returns the files of TREE that differ from the source tree."""
    files = [os.path.relpath(f"{directory}/{name}", tree) for directory, _, names in os.walk(tree)
             for name in names]
    return sorted(name for name in files if not same(f"{SOURCE}/{name}", f"{tree}/{name}"))


def build(tree):
    """Returns what failed, or an empty string."""
    for command in (["meson", "setup", f"{tree}/build", tree],
                    ["ninja", "-C", f"{tree}/build", "helper/rootlet-helper", "helper/rootlet-worker",
                     "proto/list_requests"]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode:
            return done.stdout
    return ""


def check(home, tree):
    table = subprocess.run([f"{tree}/build/proto/list_requests", "json"], stdout=subprocess.PIPE,
                           check=True).stdout
    row = json.loads(table)["requests"]["Sample"]
    protocol.REQUESTS["Sample"] = (row["number"], row["fields"])
    log, file = f"{home.dir}/audit.log", home.write("file", "")
    rows = (
        ("with an invalid name", home.dir, "invalid sample's name", {"name": "a b", "number": 7}),
        ("with a name that is too long", home.dir, "malformed", {"name": "x" * 9, "number": 7}),
        ("with an invalid number", home.dir, "invalid sample's number", {"name": "x", "number": 0}),
        ("without its descriptor", None, "takes 1 descriptors, not 0", {"name": "x", "number": 7}),
        ("with the wrong kind of descriptor", file, "wrong kind", {"name": "x", "number": 7}))
    with protocol.Helper(home.user, program=f"{tree}/build/helper/rootlet-helper", record=log) as helper:
        for what, path, says, fields in rows:
            with protocol.opened(*([path] if path else [])) as fds:
                answer = helper.ask("Sample", fds, **fields)
            tap.report(answer.code == INPUT and says in answer.message, f"Sample {what} is refused", answer)
        with protocol.opened(home.dir) as fds:
            answer = helper.ask("Sample", fds, name="x", number=7)
        tap.report(answer.code == 0 and answer.status == 8, "Sample is carried out", answer)
    with open(log, encoding="utf-8") as lines:
        last = [json.loads(line) for line in lines][-1]
    tap.report(last["request"] == "Sample" and last["arguments"].endswith("name=x number=7"),
               "Sample is in the audit log with its fields", last)


home = Home()
with contextlib.ExitStack() as stack:
    work = tempfile.mkdtemp(dir=SCRATCH)
    stack.callback(shutil.rmtree, work)
    os.chmod(work, 0o755)
    shutil.copytree(SOURCE, f"{work}/tree", symlinks=True, ignore=leave_out)
    tap.report(add(f"{work}/tree"), "every place to add a request is where the test expects it")
    files = changed(f"{work}/tree")
    tap.report(files == ["helper/jailer/requests/sample.c", "helper/meson.build", "proto/requests.h",
                         "proto/rootlet.proto"],
               "adding a request takes one row, one message, one file, and that file's name in meson.build",
               *files)
    failed = build(f"{work}/tree")
    tap.report(not failed, "the helper builds with the new request", failed)
    if not failed:
        check(home, f"{work}/tree")
tap.done()
