"""A middleman before moto that can lie: it speaks the JSON that botocore speaks to CloudWatch."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Tamper = Callable[[dict, dict], Any]


@dataclass
class Refusal:
    """An error instead of an answer."""

    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Middleman:
    """`asked` are the requests seen. `tamper(request, answer)` may change the answer in place, or
    return a Refusal, or bytes to be sent in its stead."""

    port: int = 0
    asked: list[dict] = field(default_factory=list)
    signed_by: list[str] = field(default_factory=list)
    tamper: Tamper | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def handle(self, moto_port: int, head: Any, path: str, body: bytes) -> tuple[int, dict, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", moto_port)
        with contextlib.closing(connection):
            connection.request("POST", path, body, dict(head))
            response = connection.getresponse()
            status, headers, given = response.status, dict(response.getheaders()), response.read()
        if not head.get("X-Amz-Target", "").endswith(".GetMetricData"):
            return status, headers, given
        request = json.loads(body)
        self.asked.append(request)
        self.signed_by.append(head["Authorization"].split("Credential=")[1].split("/")[0])
        if self.tamper is None:
            return status, headers, given
        answer = json.loads(given) if status == 200 else {}
        said = self.tamper(request, answer)
        if isinstance(said, Refusal):
            error = {"__type": said.code, "message": "no"}
            return said.status, {**headers, **said.headers}, json.dumps(error).encode()
        if isinstance(said, bytes):
            return 200, headers, said
        return status, headers, json.dumps(answer).encode()


@contextlib.contextmanager
def between(moto_port: int):
    middleman = Middleman()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, given = middleman.handle(moto_port, self.headers, self.path, body)
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(given)))
            self.end_headers()
            self.wfile.write(given)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        middleman.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield middleman
        finally:
            server.shutdown()
            thread.join()
