"""Where a rootfs may be created, and what may be deleted. Refusals come before a helper starts or anything is
downloaded, and leave existing files alone."""
import os

from support import tap
from support.world import AS_ROOT, Case, Home, play


def make(*steps):
    """Returns a setup function that creates files in the home directory: "name/" a directory, "name=text" a
    file, "name>target" a symlink, "name/!" a directory without write permission."""
    def setup(home):
        for step in steps:
            if step.endswith("/!"):
                os.chmod(home.make_dir(f"{home.dir}/{step[:-2]}"), 0o555)
            elif step.endswith("/"):
                home.make_dir(f"{home.dir}/{step[:-1]}")
            elif "=" in step:
                home.write(*step.split("=", 1))
            else:
                name, target = step.split(">")
                os.symlink(target, f"{home.dir}/{name}")
    return setup


def kept(*names):
    """Returns a check that complains if one of NAMES is gone."""
    def check(home):
        return [f"{name} is gone" for name in names if not os.path.lexists(f"{home.dir}/{name}")]
    return check


def case(what, words, status, says, steps=(), names=()):
    return Case(what, words, status, says, setup=make(*steps), check=kept(*names))


STORE = ".kerneldev-mcp"
FORGED = [f"{STORE}/", f"{STORE}/own/", f"{STORE}/own/file=precious"]

CASES = [
    case("create over a plain directory", ["create", "--name", "own"], 6, "not made by rootlet",
         FORGED, [f"{STORE}/own/file"]),
    case("create --force over a plain directory", ["create", "--name", "own", "--force"], 6,
         "not made by rootlet", FORGED, [f"{STORE}/own/file"]),
    case("create over an empty directory", ["create", "--path", "empty"], 6, "not made by rootlet",
         ["empty/"], ["empty"]),
    case("create over a file", ["create", "--path", "file"], 6, "symlink or a file",
         ["file=precious"], ["file"]),
    case("create --force over a symlink to a directory", ["create", "--path", "link", "--force"], 6,
         "symlink or a file", ["target/", "target/file=precious", "link>target"],
         ["link", "target/file"]),
    case("create over a dangling symlink", ["create", "--path", "dangling", "--force"], 6,
         "symlink or a file", ["dangling>/no/such"], ["dangling"]),
    case("create in a missing directory", ["create", "--path", "no/such"], 1, "mkdir -p",
         [], []),
    case("create in a path that is not a directory", ["create", "--path", "text/x"], 1, "text: Not a dir",
         ["text=x"]),
    case("create when the store is a file", ["create"], 1, STORE, [f"{STORE}=x"], [STORE]),
    case("delete of /", ["delete", "--path", "/", "--yes"], 2, "not a valid rootfs path"),
    case("delete of //", ["delete", "--path", "//", "--yes"], 2, "not a valid rootfs path"),
    case("delete of .", ["delete", "--path", ".", "--yes"], 2, "not a valid rootfs path"),
    case("delete of ..", ["delete", "--path", "..", "--yes"], 2, "not a valid rootfs path"),
    case("delete of a path that ends with ..", ["delete", "--path", "d/..", "--yes"], 2,
         "not a valid rootfs path", ["d/"]),
    case("delete of a plain directory", ["delete", "--path", "plain", "--yes"], 1,
         "was not made by rootlet", ["plain/", "plain/file=precious"], ["plain/file"]),
    case("delete of a plain directory in the store", ["delete", "--name", "own", "--yes"], 1,
         "was not made by rootlet", FORGED, [f"{STORE}/own/file"]),
    case("delete of a file", ["delete", "--path", "file", "--yes"], 1, "not a directory",
         ["file=precious"], ["file"]),
    case("delete of a symlink", ["delete", "--path", "link", "--yes"], 1, "symlink",
         ["target/", "link>target"], ["link", "target"]),
    case("delete of a missing path", ["delete", "--path", "nothing", "--yes"], 1, "no rootfs at"),
    case("check of a plain directory", ["check", "--path", "plain"], 1, (), ["plain/"], ["plain"]),
    case("shell in a plain directory", ["shell", "--path", "plain", "--", "true"], 1,
         "was not made by rootlet", ["plain/"]),
    case("shell in a symlink", ["shell", "--path", "link", "--", "true"], 1, "symlink",
         ["target/", "link>target"]),
]

for one in CASES:
    play(one, Home())

home = Home()
home_case = Case("delete of $HOME", ["delete", "--path", home.dir, "--yes"], 1, "was not made by",
                 setup=make("file=precious"), check=kept("file"))
# A home directory's name may not be a valid rootfs name; either refusal is right.
play(home_case, home)

unwritable = Case("create in an unwritable directory", ["create", "--path", "shut/x"], 1,
                  "cannot write to the directory .*shut.*--path", setup=make("shut/!"))
if AS_ROOT and Home().user.uid in (None, 0):
    tap.skip(unwritable.what, "needs an unprivileged user: root can write anywhere")
else:
    play(unwritable, Home())
play(Case("create in a directory of another user", ["create", "--path", "/usr/lib/x"], 1,
          "cannot write to the directory /usr/lib"), Home())
tap.done()
