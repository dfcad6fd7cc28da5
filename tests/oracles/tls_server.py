"""An HTTPS server of one's own on 127.0.0.1: HTTP/1.1, keep-alive, threads, scripted answers.

with serving_tls() as server:
    server.answer(lambda request: {"value": [1, 2]})
    ...  # point a client at server.url, let it trust server.ca_file
    assert server.requests[0].headers["authorization"] == "..."
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import ipaddress
import json
import socket
import ssl
import struct
import tempfile
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.oracles.sockets import listening

HANG = object()
"""An answer that does not come before the server ends."""
DRIP = object()
"""An answer that comes byte by byte, and never ends before the server does."""
RESET = object()
"""An answer that is a broken connection."""


@dataclass(frozen=True)
class Request:
    """What a client sent. `query` has every value of a parameter, `headers` names in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def one(self, name: str) -> str:
        """The only value of a query parameter."""
        [value] = self.query[name]
        return value

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """`body` is sent as it is if it is bytes, else as JSON. `length` lies about its size."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


Handler = Callable[[Request], Any]


@dataclass
class TlsServer:
    """`requests` are those seen, in order. Thread-safe enough for one test."""

    url: str = ""
    ca_file: str = ""
    """The PEM file of the certificate that clients must trust."""
    requests: list[Request] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    faults: list[Exception] = field(default_factory=list)
    """What went wrong in handlers. The first one is raised when the server ends."""
    _handler: Handler = lambda _: Answer({"error": "no handler"}, 500)

    @property
    def host(self) -> str:
        """127.0.0.1:port"""
        return self.url.partition("://")[2]

    def answer(self, handler: Handler) -> None:
        """From now on answer requests by `handler`: with an Answer, a JSON body, HANG, DRIP or RESET."""
        self._handler = handler

    def asked(self, path: str) -> list[Request]:
        """The requests seen for a path."""
        return [request for request in self.requests if request.path == path]

    def said(self, request: Request) -> Any:
        self.requests.append(request)
        try:
            return self._handler(request)
        except Exception as error:  # noqa: BLE001 - a failed assertion, for instance
            self.faults.append(error)
            return Answer({"error": "the handler failed"}, 500)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: two would cost a delayed acknowledgement at each call.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Listener

    def _serve(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        request = Request(
            self.command,
            urllib.parse.unquote(address.path),
            urllib.parse.parse_qs(address.query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("Content-Length", "0"))),
        )
        said = self.server.owner.said(request)
        if said is HANG:
            self.server.owner.stopped.wait(60)
            self.close_connection = True
        elif said is DRIP:
            self._send(Answer(length=1_000_000))
            while not self.server.owner.stopped.wait(0.02):
                self.wfile.write(b" ")
                self.wfile.flush()
        elif said is RESET:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
        else:
            self._send(said if isinstance(said, Answer) else Answer(said))

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class finds them so

    def _send(self, answer: Answer) -> None:
        plain = isinstance(answer.body, bytes)
        body = answer.body if plain else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        given = {"Content-Type": "application/json", **answer.headers}
        given["Content-Length"] = str(len(body) if answer.length is None else answer.length)
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if answer.length is not None:
            self.close_connection = True

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the client left, or the test is over
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass


class _Listener(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, owner: TlsServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.owner = owner
        self._tls = tls
        self._open: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        stream, address = super().get_request()
        if self._tls is not None:
            # The handshake is the connection's own thread's: a silent client must block no other.
            stream = self._tls.wrap_socket(stream, server_side=True, do_handshake_on_connect=False)
        self._open.append(stream)
        return stream, address

    def close_all(self) -> None:
        for stream in self._open:
            with contextlib.suppress(OSError, ValueError):
                stream.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serving_tls(*, plain: bool = False):
    """A TlsServer, until the end of the block. `plain` leaves TLS away (metadata servers do)."""
    server = TlsServer()
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "server.pem")
        pem.write_bytes(_key_and_certificate())
        ca_file = Path(folder, "ca.pem")
        ca_file.write_bytes(_key_and_certificate().partition(b"-----END PRIVATE KEY-----\n")[2])
        tls = None
        if not plain:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(pem)
        with _Listener(server, tls) as listener:
            server.url = f"http{'' if plain else 's'}://127.0.0.1:{listener.server_address[1]}"
            server.ca_file = str(ca_file)
            thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield server
            finally:
                server.stopped.set()
                listener.shutdown()
                listener.close_all()
                thread.join()
    if server.faults:
        raise server.faults[0]


@contextlib.contextmanager
def dripping_head():
    """The address of an HTTPS server whose answers begin, and whose head never ends."""
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "server.pem")
        pem.write_bytes(_key_and_certificate())
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pem)

        def drip(stream: socket.socket, stop: threading.Event) -> None:
            with tls.wrap_socket(stream, server_side=True) as secured:
                secured.recv(4096)
                secured.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.02):
                    secured.sendall(b"y")

        with listening(drip) as port:
            yield f"https://127.0.0.1:{port}"


@functools.cache
def _key_and_certificate() -> bytes:
    """A fresh P-256 key and its own certificate for 127.0.0.1 and localhost, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "makegood test server")])
    now = dt.datetime.now(dt.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = dict.fromkeys(
        (
            "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "crl_sign", "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), critical=True
        )
        .add_extension(identity, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
