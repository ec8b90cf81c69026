"""The requests of a build with the test mirror's packages, and sessions that send requests one by one."""
import os
import re

from . import mirror as mirrors
from .protocol import Helper, opened


class Build:
    """Each request is (name, paths of its descriptors, fields). The staging directory is in DIRECTORY."""

    def __init__(self, at, directory, engine="native"):
        self.at, self.arch = at, mirrors.arch()
        self.suite = f"{at.root}/dists/{mirrors.SUITE}"
        self.begin = ("Begin", (directory, at.keyring), {"name": "new", "suite": mirrors.SUITE,
                                                         "arch": self.arch, "engine": engine})
        self.release = ("Release", (f"{self.suite}/InRelease",), {"pocket": ""})

    def index(self, component):
        return ("Index", (f"{self.suite}/{component}/binary-{self.arch}/Packages",),
                {"pocket": "", "component": component})

    def packages(self, component):
        """Returns {name: request} of all packages of COMPONENT."""
        found = {}
        with open(self.index(component)[1][0], encoding="utf-8") as file:
            for stanza in filter(str.strip, file.read().split("\n\n")):
                fields = dict(re.findall(r"^(Package|Filename|SHA256): (.*)$", stanza, re.M))
                found[fields["Package"]] = ("Package", (f"{self.at.root}/{fields['Filename']}",), {
                    "name": fields["Package"], "sha256": bytes.fromhex(fields["SHA256"])})
        return found

    def accepted(self, component):
        """Returns the requests that must precede a package of COMPONENT."""
        return self.begin, self.release, self.index(component)

    def whole(self):
        """Yields all requests from Begin to the last package."""
        yield from (self.begin, self.release)
        for component in ("main", "universe"):
            yield self.index(component)
            yield from self.packages(component).values()


class Session:
    """A helper after the FIRST requests, which must succeed. It is restarted after it exits: exiting is a
    valid answer to a malformed request."""

    def __init__(self, user, first=()):
        self.user, self.first, self.wrong, self.ends = user, tuple(first), [], []
        self.start()

    def start(self):
        self.helper = Helper(self.user, seconds=120)
        for kind, paths, fields in self.first:
            with opened(*paths) as fds:
                answer = self.helper.ask(kind, fds, **fields)
            self.wrong += [f"{kind} before it: {answer}"] if answer.code else []

    def restart(self):
        self.ends.append(self.helper.leave())
        self.start()

    def send(self, packet, fds=()):
        answer = self.helper.send(packet, fds)
        for fd in answer.fds:
            os.close(fd)
        if answer.code < 0:
            self.restart()
        return answer

    def leave(self):
        """Returns complaints about the FIRST requests and about how helpers ended."""
        self.ends.append(self.helper.leave())
        return self.wrong + [f"the helper ended with {status}" for status in self.ends
                             if status is None or status < 0]
