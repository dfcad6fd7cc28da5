"""One HTTP/1.1 exchange with one deadline for everything.

A per-packet timeout, all that HTTP libraries offer, lets a server that drips a byte a second hold
its client for hours. Here a timer shuts the connection down at the deadline, whatever it is busy
with. Nothing comes from the environment (proxies, netrc, cookies) and no connection is reused:
every exchange sees the service as a new client does.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from oracles.border import EVERYWHERE, Border
from oracles.probing.deadline import Failed, Reason, connect, left, reason_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

__all__ = ["Answer", "Exchange", "Failed", "Origin", "origin"]

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host, port."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_URL: Final = TypeAdapter(AnyHttpUrl)


@dataclass(frozen=True)
class Answer:
    """A complete answer; `body` holds at most the bytes asked for."""

    status: int
    location: str | None
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """How to ask: the same for every URL of a redirect chain.

    `timeout` is in seconds and covers the whole chain. `border` holds for each of its hosts. `headers` are sent to their origin only.
    """

    method: str
    timeout: float
    max_bytes: int
    max_redirects: int
    tls: ssl.SSLContext
    headers: Mapping[Origin, Mapping[str, str]]
    border: Border = EVERYWHERE

    def fetch(self, url: str) -> Answer:
        """The final answer. Raises Failed, and nothing else, for whatever the network does."""
        deadline = time.monotonic() + self.timeout
        try:
            return self._follow(url, deadline)
        except (OSError, http.client.HTTPException) as error:
            reason: Reason = "timeout" if time.monotonic() >= deadline else _reason(error)
            raise Failed(reason) from error

    def _follow(self, url: str, deadline: float) -> Answer:
        target, border = urlsplit(url), self.border
        first = target.hostname or ""
        for followed in range(self.max_redirects + 1):
            try:
                answer = self._ask(target, deadline, border)
                # a connection that the timer shut down may look like a short but complete answer
                left(deadline)
            except (OSError, http.client.HTTPException, Failed) as error:
                inside = isinstance(error, Failed) and error.reason == "inside"
                if not followed or inside:
                    raise
                # whatever it was: the service spoke, and sent us there
                raise Failed("redirects") from error
            if not self.max_redirects or answer.status not in _REDIRECTS or not answer.location:
                return answer
            target, border = _next(target, answer.location), self.border.beyond(first)
        raise Failed("redirects")

    def _ask(self, url: SplitResult, deadline: float, border: Border) -> Answer:
        scheme, host, port = origin(url)
        connection = (
            http.client.HTTPSConnection(host, port, context=self.tls)
            if scheme == "https"
            else http.client.HTTPConnection(host, port)
        )
        with contextlib.closing(connection), _connected(host, port, deadline, border) as raw:
            if scheme == "https":
                connection.sock = self.tls.wrap_socket(raw, server_hostname=host)
            else:
                connection.sock = raw
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            headers = {"User-Agent": "makegood-probe", "Accept": "*/*", "Connection": "close"}
            headers.update(self.headers.get((scheme, host, port), {}))
            connection.request(self.method, path, headers=headers)
            with connection.getresponse() as response:
                body = response.read(self.max_bytes)
                if len(body) < self.max_bytes and response.length:
                    raise http.client.IncompleteRead(body, response.length)
                return Answer(response.status, response.getheader("Location"), body)


def origin(url: SplitResult) -> Origin:
    """The origin of an http or https URL, with the port that it implies."""
    return url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def _next(current: SplitResult, location: str) -> SplitResult:
    """Where a redirect leads. Raises Failed when it leads nowhere or away from TLS."""
    try:
        url = _URL.validate_python(urljoin(current.geturl(), location))
    except (ValidationError, ValueError):
        raise Failed("redirects") from None
    if url.username or url.password or (current.scheme == "https" and url.scheme != "https"):
        raise Failed("redirects")
    return urlsplit(str(url))


@contextlib.contextmanager
def _connected(host: str, port: int, deadline: float, border: Border) -> Iterator[socket.socket]:
    """A connection that is shut down at the deadline (of the monotonic clock)."""
    raw = connect(host, port, deadline, border)
    # a handle of our own, because TLS takes the socket over and http.client closes it when it likes
    handle = raw.dup()

    def abort() -> None:
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(left(deadline), abort)
    timer.start()
    try:
        with raw:
            yield raw
    finally:
        timer.cancel()
        timer.join()
        handle.close()


def _reason(error: OSError | http.client.HTTPException) -> Reason:
    # http.client's RemoteDisconnected is both
    return reason_of(error) if isinstance(error, OSError) else "protocol"
