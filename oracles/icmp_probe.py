"""Our own probe: echo requests ("ping") several times per interval, and how many come back."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from oracles.errors import BadRequest
from oracles.probing.address import Host, ip_version
from oracles.probing.deadline import Failed, addresses, failing, reason_of
from oracles.probing.probe import Number, Probe, ProbeOptions, ProbeSpec, Sample
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oracles.base import Query
    from oracles.border import Address


SPACING: Final = 0.1
"""Seconds from one echo request of a sample to its next."""

_FAMILIES: Final = {
    None: socket.AF_UNSPEC,
    4: socket.AF_INET,
    6: socket.AF_INET6,
}
_PROTOCOLS: Final = {
    socket.AF_INET: socket.IPPROTO_ICMP,
    socket.AF_INET6: socket.IPPROTO_ICMPV6,
}
_ECHO: Final = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
"""The types of an echo request and of its reply."""

_DENIALS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT})
"""Why there is no socket, before anything is sent: no permission, or a kernel without this kind."""

_FORBIDDEN: Final = (
    "this machine lets the relayer send no echo requests. Allow its group to:"
    ' sysctl -w net.ipv4.ping_group_range="0 2147483647" (it holds for IPv6, too),'
    " or give the process the capability CAP_NET_RAW"
)


class IcmpProbeSpec(ProbeSpec):
    """What is sent to whom. See docs/oracles/icmp_probe.md."""

    host: Host
    ip_version: Literal[4, 6] | None = None
    """By default that of the first address that the look-up gives."""
    packets: int = Field(default=3, ge=1, le=20)
    """Echo requests per sample."""
    payload: int = Field(default=56, ge=16, le=1400)
    """Bytes in each, without headers."""


@dataclass(frozen=True)
class IcmpSample(Sample):
    """`round_trips_us` is the sum of the round trips of all `received`, in microseconds."""

    sent: Number = 0
    received: Number = 0
    round_trips_us: Number = 0


class IcmpProbe(Probe[IcmpProbeSpec, ProbeOptions, IcmpSample]):
    """Up: at least one echo request of the sample came back within the timeout."""

    name = "icmp_probe"
    METRICS: ClassVar[Mapping[str, Metric]] = {
        **Probe.METRICS,
        "packet_loss": METRICS["packet_loss"],
    }
    Spec = IcmpProbeSpec
    Options = ProbeOptions
    Sample = IcmpSample

    @classmethod
    def _check(cls, query: Query[IcmpProbeSpec]) -> None:
        super()._check(query)
        spec = query.spec
        version = ip_version(spec.host) or spec.ip_version
        if spec.ip_version not in (None, version):
            raise BadRequest(f"ip_version is {spec.ip_version}, but {spec.host} is of IPv{version}")
        if (spec.packets - 1) * SPACING > spec.timeout / 2:
            raise BadRequest(
                f"{spec.packets} packets take {(spec.packets - 1) * SPACING:g} s to send: allow"
                f" them twice that as timeout, or send fewer (found: {spec.timeout} s)"
            )

    def _measure(self, spec: IcmpProbeSpec) -> Mapping[str, int]:
        deadline = time.monotonic() + float(spec.timeout)
        address = addresses(spec.host, 0, self._border, _FAMILIES[spec.ip_version])[0]
        with failing(), _Echo(address, spec.payload) as echo:
            return echo.exchange(spec.packets, deadline)

    @classmethod
    def refusal(cls, reason: str) -> str | None:
        return _FORBIDDEN if reason == "forbidden" else super().refusal(reason)

    @classmethod
    def _amount(cls, query: Query[IcmpProbeSpec], counted: Sequence[IcmpSample]) -> Fraction | None:
        received = sum(sample.received for sample in counted)
        match query.metric.name:
            case "packet_loss":
                # A name that is gone loses all that was planned: it must not be the way out.
                sent = sum(sample.sent or query.spec.packets for sample in counted)
                return Fraction((sent - received) * 1_000_000, sent) if sent else None
            case "latency":
                trips = sum(sample.round_trips_us for sample in counted)
                return Fraction(trips, 1000 * received) if received else None
            case _:
                return super()._amount(query, counted)


class _Echo:
    """A socket that sends echo requests to one address and knows its own replies."""

    def __init__(self, address: Address, payload: int) -> None:
        self._family, self._to = address
        # Found in a reply, it proves that the reply is to us: nobody else has seen it.
        self._token = os.urandom(payload)
        self._socket = _open(self._family)
        try:
            self._socket.connect(self._to)  # replies of nobody else
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> _Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def exchange(self, packets: int, deadline: float) -> dict[str, int]:
        """Send so many, and wait for all. Raises OSError for our own faults, Failed if none came."""
        sent: dict[int, float] = {}
        trips: dict[int, float] = {}
        fault: OSError | None = None
        begin = time.monotonic()
        while len(trips) < packets and (now := time.monotonic()) < deadline:
            due = begin + len(sent) * SPACING if len(sent) < packets else deadline
            try:
                if now >= due:
                    sent[len(sent)] = now
                    self._socket.send(self._request(len(sent) - 1))
                    continue
                self._socket.settimeout(min(due, deadline) - now)
                number = self._reply(self._socket.recv(65535))
                if number in sent:
                    trips.setdefault(number, time.monotonic() - sent[number])
            except TimeoutError:
                continue
            except OSError as error:  # what a router says of one packet, or this machine of all
                if reason_of(error) == "own":
                    raise
                fault = error
        seen = {
            "sent": len(sent),
            "received": len(trips),
            "round_trips_us": sum(int(trip * 1_000_000) for trip in trips.values()),
        }
        if not trips:
            raise Failed("timeout" if fault is None else reason_of(fault), **seen)
        return seen

    def _request(self, number: int) -> bytes:
        kind = _ECHO[self._family][0]
        identifier = int.from_bytes(self._token[:2], "big")  # the kernel puts in one of its own
        head = struct.pack("!BBHHH", kind, 0, 0, identifier, number)
        checksum = _checksum(head + self._token)  # of ICMPv6 it is the kernel's business
        return struct.pack("!BBHHH", kind, 0, checksum, identifier, number) + self._token

    def _reply(self, packet: bytes) -> int | None:
        """The number of the request that this packet answers, if it answers one of ours."""
        if self._family == socket.AF_INET and packet[:1] >= b"\x40":
            packet = packet[(packet[0] & 15) * 4 :]  # its IPv4 header, from raw sockets
        kind = _ECHO[self._family][1]
        if len(packet) < 8 or packet[0] != kind or packet[8:] != self._token:
            return None
        return int.from_bytes(packet[6:8], "big")


def _open(family: socket.AddressFamily) -> socket.socket:
    """A socket for ICMP. Raises OSError, Failed if we may have none."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):  # the first needs no privilege
        try:
            return socket.socket(family, kind, _PROTOCOLS[family])
        except OSError as error:
            if error.errno not in _DENIALS:
                raise
    raise Failed("forbidden")


def _checksum(packet: bytes) -> int:
    """RFC 1071."""
    padded = packet + b"\0" * (len(packet) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
