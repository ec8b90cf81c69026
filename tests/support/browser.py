"""Drives a headless Chromium over a pair of pipes, by the DevTools protocol
(https://chromedevtools.github.io/devtools-protocol/)."""
import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from .pace import patient

KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "ArrowUp": (38, ""), "ArrowDown": (40, ""),
        "ArrowLeft": (37, ""),
        "ArrowRight": (39, ""), "Home": (36, ""), "End": (35, ""), "PageDown": (34, ""), "PageUp": (33, ""),
        "Tab": (9, ""), "/": (191, "/")}


def program():
    """Returns Chromium's path, or None."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


class Browser:
    """One page of a browser of its own, with a profile of its own, which exit() removes."""

    def __init__(self, user=None):
        # Chromium expects its commands on descriptor 3 and answers on 4.
        read_in, self.to = os.pipe()
        self.answers, write_out = os.pipe()
        self.profile = tempfile.mkdtemp(prefix="rootlet-browser.")
        if user and user.uid is not None:
            os.chown(self.profile, user.uid, user.gid)
        words = [program(), "--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
                 "--disable-extensions", "--disable-background-networking", "--disable-component-update",
                 # Its own sandbox needs a setuid program or namespaces, which containers may lack.
                 "--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND",
                 f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec 3<&{read_in} 4>&{write_out}; exec "$@"', "sh", *words],
            pass_fds=(read_in, write_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "HOME": self.profile, "LANG": "C.UTF-8", "TZ": "UTC"},
            **(user.switch() if user else {}))
        os.close(read_in)
        os.close(write_out)
        self.number, self.left, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.to)
        try:
            self.process.wait(patient(10))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _message(self, until):
        while b"\0" not in self.left:
            if not select.select([self.answers], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self.answers, 1 << 20)
            if not data:
                raise EOFError("the browser has exited")
            self.left += data
        message, _, self.left = self.left.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        """Returns the result; keeps events that arrive before it."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        until = time.monotonic() + patient(30)
        while True:
            message = self._message(until)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.events.append(message)

    def event(self, method):
        """Waits for an event and returns its parameters."""
        until = time.monotonic() + patient(30)
        while True:
            for i, message in enumerate(self.events):
                if message.get("method") == method:
                    del self.events[i]
                    return message["params"]
            self.events.append(self._message(until))

    def open(self, path, width=1280, height=900, dark=False):
        """Loads a file and waits until it is complete and painted."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])
        self.events.clear()
        self.call("Page.navigate", url="about:blank")
        self.event("Page.loadEventFired")
        self.events.clear()
        self.call("Page.navigate", url=f"file://{path}")
        self.event("Page.loadEventFired")
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def value(self, expression):
        """Returns the value of a JavaScript expression, a promise's when it is kept."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
                           userGesture=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"])[:500])
        return result["result"].get("value")

    def complaints(self):
        """Returns what the console, the log and uncaught errors said since the page was opened."""
        self.value("0")
        found = []
        for message in self.events:
            said = message.get("params", {})
            if message.get("method") == "Log.entryAdded":
                found.append(said["entry"]["text"])
            elif message.get("method") == "Runtime.exceptionThrown":
                found.append(str(said["exceptionDetails"])[:300])
            elif message.get("method") in ("Runtime.consoleAPICalled", "Page.javascriptDialogOpening"):
                found.append(str(said)[:300])
        return found

    def requests(self):
        """Returns the addresses that the page has asked for since it was opened."""
        self.value("0")
        return [message["params"]["request"]["url"] for message in self.events
                if message.get("method") == "Network.requestWillBeSent"]

    def click(self, selector):
        """Clicks with the mouse in the middle of the first element that SELECTOR finds."""
        place = self.value(f"""(() => {{ const e = document.querySelector({json.dumps(selector)});
            e.scrollIntoView({{block: "nearest", inline: "nearest"}}); const r = e.getBoundingClientRect();
            return [r.x + r.width / 2, r.y + r.height / 2]; }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                      clickCount=1)
        self.settle()

    def press(self, key, control=False):
        code, text = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      modifiers=2 if control else 0,
                      **({"text": text} if text and kind == "keyDown" and not control else {}))
        self.settle()

    def type(self, text):
        self.call("Input.insertText", text=text)
        self.settle()

    def settle(self):
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screenshot(self, path, whole=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def tree(self):
        """Returns (role, name) of all that a screen reader is told about."""
        found = []
        for node in self.call("Accessibility.getFullAXTree")["nodes"]:
            if not node.get("ignored"):
                with contextlib.suppress(KeyError):
                    found.append((node["role"]["value"], node["name"]["value"]))
        return found
