"""A web server with bad habits, on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field

from tests.oracles.sockets import listening, reset


def answer(status="200 OK", body=b"all fine", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + end


SLOW = 60
"""How long `/slow` says nothing [s]. Those that drip never end."""


@dataclass
class Web:
    """`requests` are those seen, headers included; the path decides the behaviour."""

    port: int = 0
    requests: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    statuses: dict[str, str] = field(default_factory=dict)
    body: bytes = b"all fine"

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def behave(self, stream: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            more = stream.recv(4096)
            if not more:
                return
            request += more
        self.requests.append(request.decode())
        path = request.split()[1].decode()
        match path.split("?")[0]:
            case "/slow":
                self.stop.wait(SLOW)
            case "/drip-header":
                self._drip(stream, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
            case "/drip-body":
                self._drip(stream, answer(body=b"x" * 1000)[:-1000], b"x")
            case "/drip-until-close":
                self._drip(stream, b"HTTP/1.0 200 OK\r\n\r\n", b"x")
            case "/reset":
                reset(stream)
            case "/silent":
                pass
            case "/truncated":
                stream.sendall(answer(body=b"x" * 100)[:-50])
            case "/noise":
                stream.sendall(b"\x00\xff220 smtp ready\r\n\r\n")
            case "/chunked":
                stream.sendall(chunked(b"all ", b"fine"))
            case "/chunk-missing":
                stream.sendall(chunked(b"all ", end=b""))
            case "/big":
                stream.sendall(answer(body=b"x" * 100_000 + b"needle"))
            case "/redirect":
                stream.sendall(answer("302 Found", b"", "Location: " + path.partition("?to=")[2]))
            case "/loop":
                stream.sendall(answer("302 Found", b"", "Location: /loop"))
            case other:
                body = b"" if request.startswith(b"HEAD") else self.body
                stream.sendall(answer(self.statuses.get(other, "200 OK"), body))

    def _drip(self, stream: socket.socket, first: bytes, drop: bytes) -> None:
        stream.sendall(first)
        while not self.stop.wait(0.02):
            stream.sendall(drop)


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None):
    web = Web()

    def behave(stream, _):
        if tls is None:
            web.behave(stream)
        else:
            with tls.wrap_socket(stream, server_side=True) as secured:
                web.behave(secured)

    with listening(behave) as web.port:
        try:
            yield web
        finally:
            web.stop.set()


def closed_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
