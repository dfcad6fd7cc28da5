"""One deadline for everything a sample does on the network, and one word for what went wrong.

Deadlines are moments of the monotonic clock, so that nobody who sets this machine's clock shortens
or prolongs a sample. Nothing here keeps a connection or the address of a name for later: every
sample sees the service as a new client does.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oracles.border import Address, Border

Reason: TypeAlias = Literal[
    # nothing came, or not all
    "timeout",
    "dns",
    "connection",
    "tls",
    # something came, but not what it should be
    "protocol",
    "redirects",
    "status",
    "body",
    "answer",
    "rcode",
    # a certificate that does not verify
    "expired",
    "not_yet_valid",
    "name",
    "chain",
    # our own fault, or our operator's will
    "own",
    "forbidden",
    "inside",
]
"""The closed list of what a sample may fail for. docs/oracles/probes.md says what each one means."""

_OWN_FAULTS: Final = frozenset(
    {
        errno.EAFNOSUPPORT,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
    }
)
"""What only this machine can lack. A network that cannot be reached, a permission that is refused,
or a resolver that gives up is none of these: whoever runs the service can bring them about, with a
router, with an address such as 255.255.255.255, or with name servers that say SERVFAIL."""


class Failed(Exception):
    """A sample found no service that is up. `reason` is one of a closed list of words.

    `seen` is what it found all the same, as fields of the adapter's sample.
    """

    def __init__(self, reason: Reason, **seen: int) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.seen = seen


def left(deadline: float) -> float:
    """Seconds until the deadline. Raises TimeoutError when there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def reason_of(error: OSError) -> Reason:
    """The word for what a socket raised."""
    match error:
        case TimeoutError():
            return "timeout"
        case ssl.SSLError():
            return "tls"
        case OSError(errno=number) if number in _OWN_FAULTS:
            return "own"
        case _:
            return "connection"


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Turns what sockets raise into Failed."""
    try:
        yield
    except OSError as error:
        raise Failed(reason_of(error)) from error


def addresses(
    host: str, port: int, border: Border, family: socket.AddressFamily = socket.AF_UNSPEC
) -> list[Address]:
    """Where `host` is now and may be asked, best first; never empty. Raises Failed.

    Whoever runs a service could lead its name inside our network, to be no longer found down: a
    host that was outside before and leads inside now is one that cannot be connected to.
    The system's look-up knows no deadline.
    """
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Failed("own" if error.errno == socket.EAI_MEMORY else "dns") from error
    except UnicodeError as error:
        raise Failed("dns") from error
    except OSError as error:  # EAI_SYSTEM, as Python tells it
        raise Failed(reason_of(error)) from error
    if not found:
        raise Failed("dns")
    passed = border.passed(host, port, [(one[0], one[4]) for one in found])
    if not passed:
        raise Failed("connection" if border.is_public(host) else "inside")
    return passed


def connect(
    host: str,
    port: int,
    deadline: float,
    border: Border,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> socket.socket:
    """Connect to the first address that accepts, of those that lie within `border`.

    Raises OSError, Failed for the name and for the border.
    """
    fault: OSError | None = None
    for family, address in addresses(host, port, border):
        raw = None
        try:
            raw = socket.socket(family, kind)
            raw.settimeout(left(deadline))
            raw.connect(address)
        except OSError as error:
            if raw is not None:
                raw.close()
            # a machine without IPv6 must not hide that the service refused over IPv4
            if fault is None or fault.errno in _OWN_FAULTS:
                fault = error
        else:
            return raw
    raise cast("OSError", fault)


def send(stream: socket.socket, data: bytes, deadline: float) -> None:
    """Send everything by the deadline. Raises OSError."""
    stream.settimeout(left(deadline))
    stream.sendall(data)


def receive(stream: socket.socket, size: int, deadline: float) -> bytes:
    """What comes next, at most `size` bytes; nothing when the other side is done. Raises OSError."""
    stream.settimeout(left(deadline))
    return stream.recv(size)
