"""Between two reporters: a real HTTP server that forwards most requests and answers the rest with what a bad peer would say."""

from __future__ import annotations

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

KINDS = (
    "error",
    "busy",
    "garbage",
    "nonsense",
    "empty",
    "truncated",
    "redirect",
    "bomb",
    "endless",
    "other_chain",
    "cut",
    "hang",
)
"""The misbehaviours, in their order; after the last one it behaves."""
EVERY = 5
"""In between it behaves for a visit or two: otherwise it would be visited less and less."""
HANG_SECONDS = 5
BOMB = gzip.compress(bytes(64 << 20), 9)


class BadPeer:
    """:param target: The address of the real peer."""

    def __init__(self, target):
        self._target = target
        self._lock = threading.Lock()
        self._asked = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.close_connection = True
                proxy._answer(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """Whoever asked had enough of it."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def done(self):
        """How many misbehaviours are over."""
        with self._lock:
            return min(self._asked // EVERY, len(KINDS))

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, handler):
        with self._lock:
            number, place = divmod(self._asked, EVERY)
            self._asked += 1
        if place == EVERY - 1 and number < len(KINDS):
            getattr(self, f"_{KINDS[number]}")(handler)
        else:
            self._forward(handler)

    def _forward(self, handler, cut=None, replace=None):
        headers = {name: value for name, value in handler.headers.items() if name != "Host"}
        try:
            answer = requests.get(self._target + handler.path, headers=headers, timeout=10)
        except requests.RequestException:
            return
        body = answer.content.replace(*replace) if replace else answer.content
        self._say(handler, answer.status_code, body[:cut], length=len(body))

    def _say(self, handler, status, body, length=None, **headers):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    def _error(self, handler):
        self._say(handler, 500, b"oops")

    def _busy(self, handler):
        self._say(handler, 429, b"", Retry_After="1")

    def _garbage(self, handler):
        self._say(handler, 200, b"<html>It works!</html>")

    def _nonsense(self, handler):
        self._say(handler, 200, b'{"bundles": [{"surprise": [1e999, null]}], "next": -1}')

    def _empty(self, handler):
        self._say(handler, 200, b"")

    def _truncated(self, handler):
        self._forward(handler, cut=60)

    def _redirect(self, handler):
        self._say(handler, 302, b"", Location="http://127.0.0.1:1/")

    def _bomb(self, handler):
        self._say(handler, 200, BOMB, Content_Encoding="gzip")

    def _endless(self, handler):
        handler.send_response(200)
        handler.end_headers()
        piece = b'{"bundles": [' + b" " * 65_536
        for _ in range(1_000):
            handler.wfile.write(piece)
            piece = piece[-1:] * 65_536

    def _other_chain(self, handler):
        self._forward(handler, replace=(b"31337", b"1"))

    def _cut(self, handler):
        """Nothing at all."""

    def _hang(self, handler):
        time.sleep(HANG_SECONDS)
