"""Our own probe: connects to a port several times per interval, and may exchange a few bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from oracles.errors import BadRequest
from oracles.probing.address import Host, Port
from oracles.probing.deadline import Failed, connect, failing, receive, send
from oracles.probing.probe import Probe, ProbeOptions, ProbeSpec, Sample

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from oracles.base import Query


def _bytes(text: str) -> str:
    if max(text) > "\xff":
        raise ValueError("each character stands for one byte: allowed are U+0000 to U+00FF")
    return text


Bytes = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_bytes)]
"""Bytes as text, one character for each: "PING\\r\\n", "\\x00\\xd2"."""


class TcpProbeSpec(ProbeSpec):
    """Where to connect, and what has to be said there. See docs/oracles/tcp_probe.md."""

    host: Host
    port: Port
    send: Bytes | None = None
    """Bytes to send once connected."""
    expect: Bytes | None = None
    """Bytes that must stand in the first `max_bytes` of what the service says."""
    max_bytes: int = Field(default=4096, ge=1, le=1_048_576)
    """Bytes that are read at most."""


class TcpProbe(Probe[TcpProbeSpec, ProbeOptions, Sample]):
    """Up: the port accepts a connection and says what is expected, within the timeout."""

    name = "tcp_probe"
    Spec = TcpProbeSpec
    Options = ProbeOptions
    Sample = Sample

    @classmethod
    def _check(cls, query: Query[TcpProbeSpec]) -> None:
        super()._check(query)
        spec = query.spec
        if spec.expect is not None and len(spec.expect) > spec.max_bytes:
            raise BadRequest(
                f"expect, {len(spec.expect)} bytes, does not fit into max_bytes {spec.max_bytes}"
            )

    def _measure(self, spec: TcpProbeSpec) -> Mapping[str, int]:
        deadline = time.monotonic() + float(spec.timeout)
        with failing(), connect(spec.host, spec.port, deadline, self._border) as stream:
            if spec.send is not None:
                send(stream, spec.send.encode("latin-1"), deadline)
            if spec.expect is not None:
                _hear(stream, spec.expect.encode("latin-1"), spec.max_bytes, deadline)
        return {}


def _hear(stream: socket.socket, expected: bytes, size: int, deadline: float) -> None:
    """Wait for `expected` within `size` bytes. Raises Failed, or OSError if nothing came at all."""
    heard = bytearray()
    while len(heard) < size:
        try:
            more = receive(stream, size - len(heard), deadline)
        except OSError:
            if not heard:
                raise
            break
        if not more:
            break
        seam = max(0, len(heard) - len(expected) + 1)
        heard += more
        if heard.find(expected, seam) >= 0:
            return
    raise Failed("answer")
