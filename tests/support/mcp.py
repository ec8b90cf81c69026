"""A client of `rootlet mcp` that can send any bytes, well-formed or not."""
import json
import select
import subprocess
import time

from .pace import patient


class Server:
    """with Server(home) as server: server.initialize(); server.request("tools/list")"""

    def __init__(self, home, **more):
        self.process = home.start("mcp", stdin=subprocess.PIPE, **more)
        self.buffer = b""
        self.seen = []  # messages not yet consumed
        self.last_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass

    def send(self, message):
        """Sends bytes unchanged, anything else as a line of JSON."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self, seconds=patient(60)):
        """Returns the next message, or None on timeout or if the server has exited."""
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            data = self.process.stdout.read1(1 << 20)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def wait_for(self, wanted, seconds=60):
        """Returns the next message for which WANTED is true; keeps the others for later."""
        for i, message in enumerate(self.seen):
            if wanted(message):
                return self.seen.pop(i)
        end = time.monotonic() + patient(seconds)
        while (message := self.read(end - time.monotonic())) is not None:
            if wanted(message):
                return message
            self.seen.append(message)
        return None

    def start(self, method, params=None, **more):
        """Sends a request; returns its id."""
        self.last_id += 1
        message = {"jsonrpc": "2.0", "id": self.last_id, "method": method, **more}
        if params is not None:
            message["params"] = params
        self.send(message)
        return self.last_id

    def answer(self, number, seconds=60):
        return self.wait_for(lambda m: isinstance(m, dict) and m.get("id") == number and
                             ("result" in m or "error" in m), seconds)

    def request(self, method, params=None, seconds=60):
        return self.answer(self.start(method, params), seconds)

    def initialize(self, revision="2025-11-25"):
        answer = self.request("initialize", {
            "protocolVersion": revision, "capabilities": {},
            "clientInfo": {"name": "rootlet-test", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def start_call(self, tool, arguments=None, token=None):
        params = {"name": tool, "arguments": arguments or {}}
        if token is not None:
            params["_meta"] = {"progressToken": token}
        return self.start("tools/call", params)

    def call(self, tool, arguments=None, seconds=60, **more):
        return self.answer(self.start_call(tool, arguments, **more), seconds)

    def cancel(self, number):
        self.send({"jsonrpc": "2.0", "method": "notifications/cancelled",
                   "params": {"requestId": number, "reason": "test"}})

    def end(self, seconds=30):
        """Closes its input and returns its exit status, or None if it does not exit."""
        self.process.stdin.close()
        try:
            return self.process.wait(patient(seconds))
        except subprocess.TimeoutExpired:
            return None
