"""The border of a reporter's own network, which documents do not cross unless its operator lets them.

A document says where reporters' machines send requests, and the other party wrote it. It may have
meant what only those machines can reach: a cloud's metadata service, a database, a node's RPC.
What counts is therefore the address that is connected to, at every look-up and for every redirect.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeAlias

from pydantic import AfterValidator

from oracles.probing.address import ip_version, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

log = logging.getLogger(__name__)

Address: TypeAlias = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family, and what `socket.connect` takes for it."""
_Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IPv6 has given out for the internet."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_PLATFORM: Final = ipaddress.IPv4Address("168.63.129.16")
"""Looks public, and gives a virtual machine of Azure its certificates and settings."""


def _place(text: str) -> str:
    try:
        if "/" in text:
            ipaddress.ip_network(text)
        elif ip_version(text) is None:
            split(text)
    except ValueError:
        raise ValueError(
            "allowed: a network (10.0.0.0/8), an address or a host name (10.1.2.3, ::1, prometheus),"
            " or one of these two with a port (10.1.2.3:9090, [::1]:9090, prometheus:9090)"
        ) from None
    return text


AllowedNetworks = tuple[Annotated[str, AfterValidator(_place)], ...]
"""For options: what a document may have this machine ask, although it lies inside its network."""


def is_inside(address: str) -> bool:
    """Whether an address is none of the internet's: loopback, private, link-local, reserved, for many.

    Raises ValueError for what is no address.
    """
    return _inside(ipaddress.ip_address(address))


def _inside(ip: _Ip) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return not ip.is_global or ip.is_multicast or ip == _PLATFORM
    carried = ip.ipv4_mapped or ip.sixtofour
    if ip in _NAT64:
        carried = ipaddress.IPv4Address(ip.packed[-4:])
    if carried is not None:
        return _inside(carried)
    return ip not in _UNICAST or not ip.is_global


class Hosts(Protocol):
    """A set of hosts; thread-safe."""

    def add(self, host: str) -> None: ...

    def __contains__(self, host: str) -> bool: ...


class Border:
    """What one adapter may connect to for a document. May be used from several threads.

    `name` is the adapter's, whose option `allowed_networks` holds `allowed`. `public` remembers
    the hosts that were outside; by default as long as the border is there.
    """

    def __init__(self, name: str, allowed: Iterable[str], public: Hosts | None = None) -> None:
        """See `AllowedNetworks`."""
        self._name = name
        places = tuple(allowed)
        self._networks = [ipaddress.ip_network(place) for place in places if "/" in place]
        self._hosts = {_known(place) for place in places if "/" not in place}
        self._public: Hosts = set[str]() if public is None else public
        self._sent_from_outside = False

    def passed(self, host: str, port: int, found: Sequence[Address]) -> list[Address]:
        """Those of a host's addresses that may be connected to. None: it is for the operator to act."""
        passed = []
        for one in found:
            ip = ipaddress.ip_address(one[1][0])
            if not _inside(ip) and not _is_ours(*one):
                self._public.add(host)
            elif not self._allows(host, port, ip):
                continue
            passed.append(one)
        if not passed:
            log.warning(
                "not asked: it lies inside the own network",
                extra={
                    "action": "inside_refused",
                    "source": self._name,
                    "host": host,
                    "port": port,
                    "hint": self.hint,
                },
            )
        return passed

    def is_public(self, host: str) -> bool:
        """Whether it was outside before, or who sent us there was: where it leads now is its own doing."""
        return self._sent_from_outside or host in self._public

    def beyond(self, host: str) -> Border:
        """For where a host sends us: the same border, whose memory does not grow with what it names."""
        other = Border(self._name, ())
        other._networks, other._hosts = self._networks, self._hosts
        other._sent_from_outside = self.is_public(host)
        return other

    @property
    def hint(self) -> str:
        """What an operator does who means it."""
        return f"add it to sources.{self._name}.allowed_networks, if it is meant to be asked"

    def _allows(self, host: str, port: int, ip: _Ip) -> bool:
        names = {host.rstrip(".").lower(), str(ip)}
        if any((name, of) in self._hosts for name in names for of in (None, port)):
            return True
        return any(ip in network for network in self._networks)


def _is_ours(family: socket.AddressFamily, address: tuple[Any, ...]) -> bool:
    """Whether it is this machine's own, of which no firewall outside guards what listens here.

    Not seen where the kernel lets sockets have any address (net.ipv4.ip_nonlocal_bind).
    """
    nobodys = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"
    return _may_bind(family, address[0], *address[2:]) and not _may_bind(family, nobodys)


def _may_bind(family: socket.AddressFamily, ip: str, *more: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as stream:
            stream.bind((ip, 0, *more))
    except OSError:
        return False
    return True


@contextmanager
def unlogged() -> Iterator[None]:
    """Meanwhile nothing that is refused is logged: for those who say it as the result."""
    log.addFilter(_nothing)
    try:
        yield
    finally:
        log.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False


EVERYWHERE: Final = Border("", ("0.0.0.0/0", "::/0"))
"""For what the operator named: nothing is refused."""


def _known(place: str) -> tuple[str, int | None]:
    if ip_version(place):
        return str(ipaddress.ip_address(place)), None
    host, port = split(place)
    return host.rstrip(".").lower(), port
