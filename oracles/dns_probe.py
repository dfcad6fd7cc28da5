"""Our own probe: asks name servers for a name several times per interval, and judges the answers."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from dns.rdtypes.txtbase import TXTBase
from pydantic import AfterValidator, Field

from oracles.border import EVERYWHERE
from oracles.errors import BadRequest
from oracles.probing.address import HostMaybePort, split
from oracles.probing.deadline import Failed, connect, failing, receive, send
from oracles.probing.probe import Number, Probe, ProbeOptions, ProbeSpec, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oracles.base import Query
    from oracles.border import Border
    from oracles.probing.deadline import Reason

_UDP_PAYLOAD: Final = 1232
"""What fits into one packet everywhere (DNS Flag Day 2020); a longer answer comes over TCP."""


def _name(text: str) -> str:
    try:
        dns.name.from_text(text)
    except dns.exception.DNSException:
        raise ValueError("allowed: a domain name such as www.example.com") from None
    return text


class DnsProbeSpec(ProbeSpec):
    """What is asked of whom, and which answer counts as up. See docs/oracles/dns_probe.md."""

    name: Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_name)]
    type: Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"] = "A"
    servers: tuple[HostMaybePort, ...] = Field(default=(), max_length=8)
    """Asked one after the other until one answers as expected; by default the system's."""
    expect: tuple[str, ...] = Field(default=(), max_length=64)
    """Answers as a zone file has them (a TXT without its quotes); by default any."""
    match: Literal["equal", "contain"] = "equal"
    """Whether `expect` are all answers that there may be, or some of them."""


@dataclass(frozen=True)
class DnsSample(Sample):
    """`rcode` is the response code of the last answer, if there was one: 3 is NXDOMAIN."""

    rcode: Number | None = None


class DnsProbe(Probe[DnsProbeSpec, ProbeOptions, DnsSample]):
    """Up: a name server gives the answers that are expected, within the timeout."""

    name = "dns_probe"
    Spec = DnsProbeSpec
    Options = ProbeOptions
    Sample = DnsSample

    @classmethod
    def _check(cls, query: Query[DnsProbeSpec]) -> None:
        super()._check(query)
        _expected(query.spec)

    def _measure(self, spec: DnsProbeSpec) -> Mapping[str, int]:
        deadline = time.monotonic() + float(spec.timeout)
        expected = _expected(spec)
        question = dns.message.make_query(spec.name, spec.type, use_edns=0, payload=_UDP_PAYLOAD)
        servers = [split(server) for server in spec.servers] or _system_servers()
        border = self._border if spec.servers else EVERYWHERE  # our own resolvers are our choice
        fault: Failed | None = None
        for place, (host, port) in enumerate(servers):
            now = time.monotonic()
            share = (deadline - now) / (len(servers) - place)  # none uses up the others' time
            try:
                answer = _ask(question, host, port or 53, now + share, border)
                return {"rcode": _judged(answer, spec, expected)}
            except Failed as failed:
                # one that cannot be reached from here must not hide what another one says
                if fault is None or fault.reason in ("own", "inside") or failed.seen:
                    fault = failed
        if fault is None:
            raise Failed("own")
        raise fault


def _system_servers() -> list[tuple[str, int | None]]:
    """This machine's resolvers, read anew for every sample. Raises Failed when there are none."""
    try:
        found = dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError) as error:
        raise Failed("own") from error
    return [(str(server), found.port) for server in found.nameservers]


def _ask(
    question: dns.message.Message, host: str, port: int, deadline: float, border: Border
) -> dns.message.Message:
    """The answer by UDP, or by TCP if it is too long for that. Raises Failed."""
    with failing():
        answer = _by_udp(question, host, port, deadline, border)
        return _by_tcp(question, host, port, deadline, border) if answer is None else answer


def _by_udp(
    question: dns.message.Message, host: str, port: int, deadline: float, border: Border
) -> dns.message.Message | None:
    """The answer, or None if it was truncated. Raises OSError, Failed.

    A packet that is no answer to this question ends nothing: anybody may have sent it.
    """
    silence: Reason = "timeout"
    with connect(host, port, deadline, border, socket.SOCK_DGRAM) as stream:
        send(stream, question.to_wire(), deadline)
        while True:
            try:
                answer = dns.message.from_wire(receive(stream, 65535, deadline))
            except TimeoutError:
                raise Failed(silence) from None
            except dns.exception.DNSException:
                silence = "protocol"
            else:
                if not question.is_response(answer):
                    silence = "protocol"
                elif answer.flags & dns.flags.TC:
                    return None
                else:
                    return answer


def _by_tcp(
    question: dns.message.Message, host: str, port: int, deadline: float, border: Border
) -> dns.message.Message:
    wire = question.to_wire()
    with connect(host, port, deadline, border) as stream:
        send(stream, struct.pack("!H", len(wire)) + wire, deadline)
        [size] = struct.unpack("!H", _exactly(stream, 2, deadline))
        wire = _exactly(stream, size, deadline)
    try:
        answer = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        raise Failed("protocol") from None
    if not question.is_response(answer):
        raise Failed("protocol")
    return answer


def _exactly(stream: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        more = receive(stream, size - len(data), deadline)
        if not more:
            raise Failed("connection")
        data += more
    return data


def _judged(answer: dns.message.Message, spec: DnsProbeSpec, expected: frozenset[bytes]) -> int:
    """The response code of an answer that is as expected. Raises Failed for any other."""
    rcode = int(answer.rcode())
    if rcode:
        raise Failed("rcode", rcode=rcode)
    try:
        if not isinstance(answer, dns.message.QueryMessage):
            raise Failed("protocol", rcode=rcode)
        chain = answer.resolve_chaining()  # follows what CNAMEs there are
    except dns.exception.DNSException:
        raise Failed("protocol", rcode=rcode) from None
    given = frozenset(_form(data) for data in chain.answer or ())
    fits = given >= expected if spec.match == "contain" or not expected else given == expected
    if not given or not fits:
        raise Failed("answer", rcode=rcode)
    return rcode


def _expected(spec: DnsProbeSpec) -> frozenset[bytes]:
    """What `expect` says, in comparable form. Raises BadRequest."""
    if spec.type == "TXT":
        return frozenset(text.encode() for text in spec.expect)
    kind = dns.rdatatype.from_text(spec.type)
    forms = set()
    for text in spec.expect:
        try:
            data = dns.rdata.from_text(
                dns.rdataclass.IN, kind, text, origin=dns.name.root, relativize=False
            )
        except (dns.exception.DNSException, ValueError):
            raise BadRequest(
                f"expect: {text!r} is no {spec.type} record; allowed is what stands in a zone file"
            ) from None
        forms.add(_form(data))
    return frozenset(forms)


def _form(data: dns.rdata.Rdata) -> bytes:
    """Equal for equal records: names in lower case, the parts of a TXT joined."""
    if isinstance(data, TXTBase):
        return b"".join(data.strings)
    return data.to_digestable()
