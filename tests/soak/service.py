"""The services that are watched: one path each on one web server, which remembers when each was down."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MARGIN = 3
"""A sample may be a little early or late: what was down or up for less than this beside an interval proves nothing [s]."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: object, client_address: object) -> None:
        """A relayer that was killed does not wait for its answer."""


class Services:
    """:param count: Paths ``/0`` to ``/count-1``."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._down: set[int] = set()
        self._outages: dict[int, list[list[float]]] = {number: [] for number in range(count)}
        services = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                up = int(self.path.strip("/")) not in services._down
                body = b"ok" if up else b"sorry"
                self.send_response(200 if up else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{number}"

    def fail(self, number: int) -> None:
        with self._lock:
            if number not in self._down:
                self._down.add(number)
                self._outages[number].append([time.time(), float("inf")])

    def mend(self, number: int) -> None:
        with self._lock:
            if number in self._down:
                self._down.discard(number)
                self._outages[number][-1][1] = time.time()

    def truth(self, number: int, start: float, end: float) -> bool | None:
        """Whether it was up all the time (True), down all the time (False), or neither can be said (None)."""
        start, end = start - MARGIN, end + MARGIN
        for begin, over in self._outages[number]:
            if begin <= start and over >= end:
                return False
            if begin < end and over > start:
                return None
        return True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
