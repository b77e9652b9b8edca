"""The line between a gateway and LNbits, which can hold up an order to pay."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

PATIENCE = 60


class Line(ThreadingHTTPServer):
    """Passes on every request, but for orders to pay while `hold` is set.

    With "order" an order does not get to LNbits, with "answer" it does and the answer to it does not come back.
    `holding` says that one is held up.
    """

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Passage)
        self.upstream = httpx.Client(base_url=upstream, timeout=PATIENCE, trust_env=False)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.hold = None
        self.holding = threading.Event()
        self.cut = threading.Event()

    @contextmanager
    def holds(self, what):
        """Holds orders up; in the end what was held is lost."""
        self.holding.clear()
        self.cut.clear()
        self.hold = what
        try:
            yield
        finally:
            self.hold = None
            self.cut.set()

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            self.upstream.close()


class Passage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_order = self.command == "POST" and self.path.endswith("/payments") and b'"out":true' in body
        held = self.server.hold if is_order else None
        if held == "order":
            return self.lose()
        headers = {name: self.headers[name] for name in ("X-Api-Key", "Content-Type") if name in self.headers}
        answer = self.server.upstream.request(self.command, self.path, content=body, headers=headers)
        if held == "answer":
            return self.lose()
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = pass_on

    def lose(self):
        self.server.holding.set()
        self.server.cut.wait(PATIENCE)
        self.close_connection = True

    def log_message(self, *_):
        """The gateway's own log tells what it asked."""
