"""Hosts and ports as they stand in specifications and options."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_HOST_PORT: Final = re.compile(
    r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\[\]:]+))(?::(?P<port>\d{1,5}))?"
)


def _host(text: str) -> str:
    # a name that ends with a number is none: the C library would read 127.1 as an address
    last = text.rstrip(".").rpartition(".")[2]
    named = _NAME.fullmatch(text) and len(text) <= 253 and not last.isdigit()
    if not named and ip_version(text) is None:
        raise ValueError(
            "allowed: an IPv4 or IPv6 address, or a host name in ASCII (xn--... for others)"
        )
    return text


def _host_port(text: str) -> str:
    split(text)
    return text


def _with_port(text: str) -> str:
    if split(text)[1] is None:
        raise ValueError("the port is missing: allowed are host:port and [IPv6 address]:port")
    return text


Host = Annotated[str, AfterValidator(_host)]
"""An address or a name, without port and brackets."""
Port = Annotated[int, Field(ge=1, le=65535)]
HostMaybePort = Annotated[str, AfterValidator(_host_port)]
"""host, host:port, [IPv6 address] or [IPv6 address]:port."""
HostPort = Annotated[str, AfterValidator(_with_port)]
"""host:port or [IPv6 address]:port."""


def ip_version(host: str) -> int | None:
    """4 or 6 if `host` is an address, None if it is a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None


def split(text: str) -> tuple[str, int | None]:
    """Host and port, if there is one, of what `HostMaybePort` allows. Raises ValueError."""
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ValueError("allowed: host, host:port, [IPv6 address] or [IPv6 address]:port")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"the port {port} is not between 1 and 65535")
    return (str(ipaddress.IPv6Address(match["v6"])) if match["v6"] else _host(match["host"])), port
