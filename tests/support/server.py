"""A mirror on 127.0.0.1 that misbehaves on demand and counts requests."""
import http.server
import os
import re
import ssl
import threading
import time
from dataclasses import dataclass

from .pace import patient


@dataclass
class Fault:
    """A fault for requests whose path matches PATTERN (a regular expression).

    action: "status" (argument: the number), "body" (bytes, or a function of the real ones), "truncate" (bytes
    to send before the connection breaks), "stall" (bytes to send, then silence), "slow" (bytes per second),
    "redirect" (a function of the path that returns the Location, or None for an answer without one). times:
    how often before the path is served normally; None: always. Server.ranges: what it does when asked for the
    rest of a file: "sent" it, or it is "ignored" (status 200 and the whole file), or "wrong" (status 206, but
    from the beginning)."""
    pattern: str
    action: str
    argument: object = 0
    times: int = None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        server = self.server
        with server.lock:
            server.connections += 1
            server.most = max(server.most, server.connections)
        try:
            super().handle()
        finally:
            with server.lock:
                server.connections -= 1

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def do_CONNECT(self):
        """A proxy request for https: recorded and refused."""
        self.server.tunnels.append(self.path)
        self.refuse(403)

    def answer(self, with_body):
        server = self.server
        # Proxy requests contain the full URL.
        whole = re.match(r"http://[^/]*/(.*)", self.path)
        path = whole.group(1) if whole else self.path.lstrip("/")
        server.proxied += bool(whole)
        server.hosts.add(self.headers.get("Host", ""))
        server.requests.append(path)
        server.times.append(time.monotonic())
        fault = server.fault_for(path)
        if fault and fault.action == "status":
            return self.refuse(fault.argument)
        if fault and fault.action == "redirect":
            return self.redirect(fault.argument(path))
        body = server.content(path)
        if fault and fault.action == "body":
            body = fault.argument(body) if callable(fault.argument) else fault.argument
        if body is None:
            return self.refuse(404)
        start = self.range_start(len(body), path)
        wrong, start = start and server.ranges == "wrong", start if server.ranges == "sent" else 0
        self.send_response(206 if start or wrong else 200)
        if start or wrong:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if with_body:
            self.send_body(body[start:], fault)

    def range_start(self, size, path):
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found.group(1)) if found else 0
        if start:
            self.server.resumed.append(path)
        return start if start < size else 0

    def redirect(self, location):
        """Sends an answer with a meaningless body."""
        body = b"moved" * 1000
        self.send_response(302)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_body(self, body, fault):
        try:
            if not fault or fault.action == "body":
                self.wfile.write(body)
                self.server.sent += len(body)
            elif fault.action == "slow":
                self.trickle(body, fault.argument)
            else:
                self.wfile.write(body[:fault.argument])
                self.wfile.flush()
                self.close_connection = True
                if fault.action == "stall":
                    self.server.stopping.wait(600)
        except OSError:
            self.close_connection = True

    def trickle(self, body, rate):
        step = max(rate // 20, 1)
        for at in range(0, len(body), step):
            self.wfile.write(body[at:at + step])
            if self.server.stopping.wait(0.05):
                break


class Server(http.server.ThreadingHTTPServer):
    """with Server(directory, faults) as server: … server.url. CERTIFICATE is a file with a key and its
    certificate, and turns on https."""
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, directory, faults=(), certificate=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handler does the handshake, so that it does not block other connections.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.dir = directory
        self.faults = [Fault(**vars(fault)) for fault in faults]
        self.requests = []  # paths in order of arrival
        self.times = []     # arrival time of each
        self.hosts = set()  # as requests name them
        self.tunnels = []   # "HOST:PORT" of https proxy requests
        self.resumed = []   # requests that resumed an earlier one
        self.ranges = "sent"
        self.proxied = 0    # number of proxy requests
        self.connections = self.most = 0  # simultaneous: current and maximum
        self.sent = 0
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # the client disconnected

    def fault_for(self, path):
        with self.lock:
            for fault in self.faults:
                if fault.times != 0 and re.search(fault.pattern, path):
                    if fault.times:
                        fault.times -= 1
                    return fault
        return None

    def content(self, path):
        full = os.path.normpath(os.path.join(self.dir, path))
        if not full.startswith(self.dir + os.sep) or not os.path.isfile(full):
            return None
        with open(full, "rb") as file:
            return file.read()

    def wait_for(self, pattern, seconds=60):
        """Returns True after a matching path was requested."""
        end = time.monotonic() + patient(seconds)
        while time.monotonic() < end:
            if any(re.search(pattern, path) for path in list(self.requests)):
                return True
            time.sleep(0.02)
        return False
