"""Where a rootfs may be made, and what may be deleted: everything that is refused before a helper
starts or a byte is downloaded, with what was there left as it was."""
import os

from support import tap
from support.world import AS_ROOT, Case, Home, play


def make(*steps):
    """Things to lay out in the home folder first: "name/" a folder, "name=text" a file,
    "name>target" a symlink, "name/!" a folder without write permission."""
    def setup(home):
        for step in steps:
            if step.endswith("/!"):
                os.chmod(home.make_folder(f"{home.folder}/{step[:-2]}"), 0o555)
            elif step.endswith("/"):
                home.make_folder(f"{home.folder}/{step[:-1]}")
            elif "=" in step:
                home.write(*step.split("=", 1))
            else:
                name, target = step.split(">")
                os.symlink(target, f"{home.folder}/{name}")
    return setup


def kept(*names):
    """Complains where one of these is not there any more."""
    def check(home):
        return [f"{name} is gone" for name in names if not os.path.lexists(f"{home.folder}/{name}")]
    return check


def case(what, words, status, says, steps=(), names=()):
    return Case(what, words, status, says, setup=make(*steps), check=kept(*names))


STORE = ".kerneldev-mcp"
FORGED = [f"{STORE}/", f"{STORE}/own/", f"{STORE}/own/file=precious"]

CASES = [
    case("create over a plain folder", ["create", "--name", "own"], 6, "not made by rootlet",
         FORGED, [f"{STORE}/own/file"]),
    case("create --force over a plain folder", ["create", "--name", "own", "--force"], 6,
         "not made by rootlet", FORGED, [f"{STORE}/own/file"]),
    case("create over an empty folder", ["create", "--path", "empty"], 6, "not made by rootlet",
         ["empty/"], ["empty"]),
    case("create over a file", ["create", "--path", "file"], 6, "symlink or a file",
         ["file=precious"], ["file"]),
    case("create --force over a symlink to a folder", ["create", "--path", "link", "--force"], 6,
         "symlink or a file", ["target/", "target/file=precious", "link>target"],
         ["link", "target/file"]),
    case("create over a dangling symlink", ["create", "--path", "dangling", "--force"], 6,
         "symlink or a file", ["dangling>/no/such"], ["dangling"]),
    case("create in a folder that is not there", ["create", "--path", "no/such"], 1, "mkdir -p",
         [], []),
    case("create in what is no folder", ["create", "--path", "text/x"], 1, "text: Not a dir",
         ["text=x"]),
    case("create where the store is a file", ["create"], 1, STORE, [f"{STORE}=x"], [STORE]),
    case("delete of /", ["delete", "--path", "/", "--yes"], 2, "not a valid rootfs path"),
    case("delete of //", ["delete", "--path", "//", "--yes"], 2, "not a valid rootfs path"),
    case("delete of .", ["delete", "--path", ".", "--yes"], 2, "not a valid rootfs path"),
    case("delete of ..", ["delete", "--path", "..", "--yes"], 2, "not a valid rootfs path"),
    case("delete of a path that ends with ..", ["delete", "--path", "d/..", "--yes"], 2,
         "not a valid rootfs path", ["d/"]),
    case("delete of a plain folder", ["delete", "--path", "plain", "--yes"], 1,
         "was not made by rootlet", ["plain/", "plain/file=precious"], ["plain/file"]),
    case("delete of a plain folder in the store", ["delete", "--name", "own", "--yes"], 1,
         "was not made by rootlet", FORGED, [f"{STORE}/own/file"]),
    case("delete of a file", ["delete", "--path", "file", "--yes"], 1, "not a directory",
         ["file=precious"], ["file"]),
    case("delete of a symlink", ["delete", "--path", "link", "--yes"], 1, "symlink",
         ["target/", "link>target"], ["link", "target"]),
    case("delete of nothing", ["delete", "--path", "nothing", "--yes"], 1, "no rootfs at"),
    case("check of a plain folder", ["check", "--path", "plain"], 1, (), ["plain/"], ["plain"]),
    case("shell in a plain folder", ["shell", "--path", "plain", "--", "true"], 1,
         "was not made by rootlet", ["plain/"]),
    case("shell in a symlink", ["shell", "--path", "link", "--", "true"], 1, "symlink",
         ["target/", "link>target"]),
]

for one in CASES:
    play(one, Home())

home = Home()
home_case = Case("delete of $HOME", ["delete", "--path", home.folder, "--yes"], 1, "was not made by",
                 setup=make("file=precious"), check=kept("file"))
# A home folder's name may be none for a rootfs at all; both refusals are right.
play(home_case, home)

unwritable = Case("create in an unwritable folder", ["create", "--path", "shut/x"], 1,
                  "cannot write to the directory .*shut.*--path", setup=make("shut/!"))
if AS_ROOT and Home().user.uid in (None, 0):
    tap.skip(unwritable.what, "no unprivileged user: root may write anywhere")
else:
    play(unwritable, Home())
play(Case("create where others own the folder", ["create", "--path", "/usr/lib/x"], 1,
          "cannot write to the directory /usr/lib"), Home())
tap.done()
