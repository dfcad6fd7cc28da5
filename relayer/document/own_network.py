"""Which addresses of a data source lie in the network of whoever reads it.

A document is an instruction to the reporters' machines: it says where they send requests. The other party may have meant
something that only those machines can reach. What is said here of the words of a document, :mod:`oracles.border` enforces
of the addresses that are connected to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic_core import Url

from oracles import border
from oracles.probing import address

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST_FIELDS: Final = frozenset({"host", "servers"})
_URL: Final = re.compile(r"\s*https?:", re.IGNORECASE)
_LOCAL: Final = frozenset({"localhost", "local", "internal", "home.arpa"})
"""Names that nobody outside of a network resolves, or what they end with."""


def asked_inside(spec: object) -> list[str]:
    """Hosts, with ports where those are said, that a specification names and that lie inside; each once."""
    return list(dict.fromkeys(_named(spec, "", None)))


def _named(value: object, field: str, port: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _named(inner, name, value.get("port") if name == "host" else None)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner, field, None)
    elif isinstance(value, str):
        host, own_port = _host(value, field)
        if host and is_inside(host):
            said = own_port or port
            bracketed = f"[{host}]" if ":" in host else host
            yield f"{bracketed}:{said}" if isinstance(said, int) else bracketed


def _host(text: str, field: str) -> tuple[str | None, int | None]:
    """The host that a field names, and the port; None if it names none."""
    if _URL.match(text):
        try:
            url = Url(text)  # reads 0x7f.1 and the like as whoever sends the request does
        except ValueError:
            return None, None
        return (url.host or "").strip("[]"), url.port if f":{url.port}" in text else None
    if field not in _HOST_FIELDS:
        return None, None
    if address.ip_version(text):
        return text, None
    try:
        return address.split(text)
    except ValueError:
        return None, None


def is_inside(host: str) -> bool:
    """Whether a host is a loopback, private, link-local, multicast or reserved address, or a name without a meaning elsewhere."""
    if address.ip_version(host):
        return border.is_inside(host)
    name = host.rstrip(".").lower()
    return "." not in name or any(name.endswith(f".{local}") for local in _LOCAL)
