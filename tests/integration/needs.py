"""Libraries and interpreters that fstests programs need, tested without a guest:
frontend/guest/build-fstests.sh adds libraries to a built tree, and functions of frontend/guest/fstests.sh,
run on trees on this host, report what keeps programs from starting."""
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

from support import tap
from support.world import BUILD, SCRATCH, SOURCE

ABSENT = f"{BUILD}/tests/absent"
LIBRARY = f"{BUILD}/tests/librootlet-absent.so"
OLDER = f"{BUILD}/tests/librootlet-absent-old.so"
SONAME = "librootlet-absent.so.3"
work = tempfile.mkdtemp(prefix="needs.", dir=SCRATCH)


def directory(name):
    os.makedirs(f"{work}/{name}", exist_ok=True)
    return f"{work}/{name}"


def closure():
    """Creates sources whose `make` builds a program that needs a library, and one that needs only libc."""
    libraries = directory("libraries")
    shutil.copy(LIBRARY, f"{libraries}/{SONAME}")
    makefile = f"all:\n\tmkdir src\n\tcp {ABSENT} src/absent\n\tcp /bin/true src/true\n\ttouch src/thing.o\n"
    sources = io.BytesIO()
    with tarfile.open(fileobj=sources, mode="w") as tar:
        for name, text, mode in (("Makefile", makefile, 0o644), ("script", "#!/bin/sh\n", 0o755),
                                 (".rootlet/lib/of-the-user", "", 0o644)):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), mode
            tar.addfile(info, io.BytesIO(text.encode()))
    done = subprocess.run(["bash", f"{SOURCE}/frontend/guest/build-fstests.sh", f"{work}/built"], check=False,
                          input=sources.getvalue(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": libraries})
    if not tap.report(done.returncode == 0, "build-fstests.sh builds the sources", done.stderr.decode()):
        return
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
        record = tar.extractfile("./.rootlet/needs").read().decode()
        mode = tar.getmember("./src/absent").mode
    tap.report({"src/absent", "src/true", "script"} <= names and mode & 0o111 and "src/thing.o" not in names,
               "the output has the built files without object files", names)
    tap.report(f".rootlet/lib/{SONAME}" in names, "the output has the library of its program", names)
    tap.report(not any(re.search(r"lib/(libc|libm|ld-linux.*)\.so", name) for name in names),
               "the output has no files of the C library", names)
    tap.report(record == f"{SONAME} {libraries}/{SONAME}\n", "the record says where each library came from",
               record)
    tap.report(".rootlet/lib/of-the-user" not in names, "a .rootlet in the sources is not copied", names)


def loader():
    text = subprocess.run(["readelf", "-lW", ABSENT], stdout=subprocess.PIPE, check=True, text=True).stdout
    return re.search(r"interpreter: (\S+)\]", text).group(1)


def guest(function, tree, needs="", library=None, before=""):
    """Runs FUNCTION of guest/fstests.sh on TREE; returns (exit status, output). LIBRARY is an extra library
    path."""
    with open(f"{SOURCE}/frontend/guest/fstests.sh", encoding="utf-8") as file:
        functions = re.findall(r"^\w+\(\) \{\n.*?^\}\n", file.read(), re.M | re.S)
    results = directory("results")
    with open(f"{results}/rootlet.needs", "w", encoding="utf-8") as file:
        file.write(needs)
    script = f"fstests={tree} results={results}\n{''.join(functions)}\n{before}\n{function}\n"
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                            **({"LD_LIBRARY_PATH": library} if library else {})})
    return done.returncode, done.stdout


def checks():
    tree, good, old = directory("tree"), directory("good"), directory("old")
    shutil.copy(ABSENT, f"{tree}/absent")
    shutil.copy(LIBRARY, f"{good}/{SONAME}")
    shutil.copy(OLDER, f"{old}/{SONAME}")
    load = f"load\t{loader()}\tabsent\n"
    for what, needs, library, says in (
            ("a program and its library", load, good, None),
            ("no library", load, None, rf"programs of fstests: absent: {re.escape(SONAME)}: cannot open"),
            ("an older library", load, old, "absent: .*version `ABSENT_2' not found"),
            ("no loader", "load\t/lib/ld-nosuch.so.9\tabsent\n", good, "absent needs /lib/ld-nosuch.so.9;"),
            ("no interpreter", "script\t/usr/bin/nosuch\tsrc/x.pl\t\n", good, "x.pl needs /usr/bin/nosuch;"),
            ("an unknown program for env", "script\t/usr/bin/env\tsrc/x.pl\tnosuch-pearl\n", good,
             "src/x.pl needs nosuch-pearl;"),
            ("an interpreter", "script\t/bin/bash\tcheck\t\nscript\t/usr/bin/env\tx\tbash\n", good, None),
            ("two faults", load + "script\t/nosuch\tx\t\n", None, "absent: .*; x needs /nosuch; fix: ")):
        status, output = guest("check_programs", tree, needs, library)
        good_one = (status, output) == (0, "") if says is None else \
            status == 120 and len(output) < 1000 and re.fullmatch(rf"rootlet: .*{says}.*\n", output)
        tap.report(good_one, f"check_programs: {what}", status, output)


def offers():
    """ldconfig and mount are fakes, because this host is not the guest."""
    tree, run = directory("offer"), directory("run")
    os.makedirs(f"{tree}/.rootlet/lib")
    for name in ("libhas.so.1", "liblacks.so.2"):
        open(f"{tree}/.rootlet/lib/{name}", "w", encoding="utf-8").close()
    stand_ins = ("ldconfig() { [[ $1 == -p ]] && printf '2 libs\\n\\tlibhas.so.1 (libc6) => /x\\n"
                 "\\tliblacks.so.21 (libc6) => /x\\n' || echo ldconfig \"$@\"; }\n"
                 "mount() { echo mount \"$@\"; }\n")
    # Keeps it away from this host's /run.
    elsewhere = f'eval "$(declare -f offer_libraries | sed "s,/run/rootlet,{run},g")"; offer_libraries'
    status, output = guest(elsewhere, tree, before=stand_ins)
    tap.report(status == 0 and os.listdir(f"{run}/lib") == ["liblacks.so.2"],
               "only libraries that the root lacks are added", status, output, os.listdir(run))
    tap.report(re.search(r"^ldconfig -X .*\nmount --bind \S+/ld.so.cache /etc/ld.so.cache$", output, re.M),
               "libraries are added through the loader's cache", output)
    status, output = guest("offer_libraries", directory("bare"), before=stand_ins)
    tap.report((status, output) == (0, ""), "a tree without libraries changes nothing", output)


closure()
checks()
offers()
tap.done()
