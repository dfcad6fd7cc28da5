"""One deadline for a whole call over HTTP: connecting, TLS, the answer's head and its body.

The timeouts of HTTP libraries are per address and per packet: a server with ten silent addresses,
or one that drips a byte a second, would hold its client for as long as it likes. All the libraries
that adapters use (urllib3, requests, botocore, Datadog's client) connect by urllib3's pools, and
`watched` makes such pools heed the deadline. Only the look-up of a host's name is not covered: how
long that may take is for the system's resolver to say (`options timeout` in /etc/resolv.conf).
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Self

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

from oracles.border import EVERYWHERE, Border
from oracles.errors import AccessRefused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse


class Deadline:
    """For what happens within the block, in this thread, by connections of `watched` pools.

    They are shut down when the time is over, whatever they are busy with. Raises Unavailable then,
    in place of any other error, and also if there is none: an answer that was cut off may look
    like a short but complete one. `name` begins the message. `seconds` is the time.
    """

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._end = time.monotonic() + seconds
        self._timer: threading.Timer | None = None

    @property
    def left(self) -> float:
        """Seconds, 0 when the time is over."""
        return max(0.0, self._end - time.monotonic())

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._token)
        self._release()
        if not self.left and (kind is None or issubclass(kind, Exception)):
            text = f"{self._name} took more than {self._seconds:g} s"
            raise Unavailable(text, hung=True) from None

    def watch(self, stream: socket.socket) -> None:
        """Shut this connection down in time, and let go of the one before."""
        self._release()
        # A handle of our own: TLS takes the stream over, and its shutdown is not for other threads.
        handle = socket.socket(fileno=os.dup(stream.fileno()))
        self._timer = threading.Timer(self.left, _shut, [handle])
        self._timer.daemon = True
        self._handle = handle
        self._timer.start()

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._handle.close()
            self._timer = None


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def watched(
    pools: Mapping[str, type[HTTPConnectionPool]], border: Border = EVERYWHERE
) -> dict[str, type[HTTPConnectionPool]]:
    """The `pool_classes_by_scheme` of a pool manager, with connections that heed deadlines.

    Within a Deadline, connections across `border` raise AccessRefused.
    """
    return {scheme: _watched(pool, border) for scheme, pool in pools.items()}


def _watched(pool: type[HTTPConnectionPool], border: Border) -> type[HTTPConnectionPool]:
    connection = type("Watched", (_Watched, pool.ConnectionCls), {"border": border})
    return type("WatchedPool", (pool,), {"ConnectionCls": connection})


class _Watched(HTTPConnection):
    border: ClassVar[Border]

    def _new_conn(self) -> socket.socket:
        deadline = _current.get()
        if deadline is None:
            return super()._new_conn()
        with self._in_words_of_urllib3():
            stream = self._connected(deadline)
        deadline.watch(stream)
        return stream

    def _connected(self, deadline: Deadline) -> socket.socket:
        """A connection to the first address that answers. Each may take what is left, at most."""
        patience = self.timeout if isinstance(self.timeout, int | float) else deadline.left
        host = self._dns_host.strip("[]")
        failure: OSError = OSError("the host has no address")
        found = socket.getaddrinfo(host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        passed = self.border.passed(host, self.port, [(one[0], one[4]) for one in found])
        if found and not passed:
            raise AccessRefused(
                f"{host} lies inside the own network, where documents lead nobody: {self.border.hint}"
            )
        for _, address in passed:
            seconds = min(patience, deadline.left)
            if not seconds:
                raise TimeoutError
            try:
                return create_connection(
                    (str(address[0]), int(address[1])),
                    seconds,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                failure = error
        raise failure

    @contextlib.contextmanager
    def _in_words_of_urllib3(self) -> Iterator[None]:
        try:
            yield
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"no connection to {self.host}: {error}") from error

    def _tunnel(self) -> None:
        super()._tunnel()
        deadline = _current.get()
        if deadline is not None and not deadline.left:
            # The proxy's answer is cut off, and TLS must not begin on what is shut down.
            raise ConnectTimeoutError(self, "no answer of the proxy in time")

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        deadline = _current.get()
        stream: Any = self.sock
        if deadline is not None and stream is not None:  # a connection of an earlier call, perhaps
            deadline.watch(stream)
        return super().getresponse()


def _shut(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)
