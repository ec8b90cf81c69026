"""A command on its own terminal, as a person would run it."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

from .pace import patient


class Terminal:
    """with Terminal(home, words…) as terminal: terminal.expect(pattern); terminal.type(text)"""

    def __init__(self, home, *words, size=None, **more):
        self.master, slave = pty.openpty()
        if size:
            self.resize(*size)
        self.settings = termios.tcgetattr(self.master)
        self.text = ""
        more["environment"] = {"TERM": "xterm", **more.get("environment", {})}
        self.process = home.start(*words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                  before=("setsid", "--ctty", "--wait"), **more)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def read(self, seconds):
        """Reads available output, waiting at most SECONDS; returns False at end of file."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, seconds=60):
        """Returns True when PATTERN is on the screen."""
        end = time.monotonic() + patient(seconds)
        while not re.search(pattern, self.text):
            if time.monotonic() > end or not self.read(0.2):
                return bool(re.search(pattern, self.text))
        return True

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def as_it_was(self):
        """Whether its settings are the original ones."""
        return termios.tcgetattr(self.master) == self.settings

    def type(self, text):
        os.write(self.master, text.encode())

    def wait(self, seconds=60):
        """Returns the exit status, or None if it does not end."""
        end = time.monotonic() + patient(seconds)
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        while self.read(0.1) and select.select([self.master], [], [], 0)[0]:
            pass
        return self.process.poll()
