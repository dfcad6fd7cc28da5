"""What may be shown of addresses and options in which secrets hide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

REFERENCE: Final = re.compile(r"\$\{(?:file:(?P<file>[^}]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))\}")
"""How a value refers to a secret: ``${NAME}`` or ``${file:/path}``."""

_SECRET_WORD = re.compile(r"auth|credential|key|pass|secret|token|cookie|header", re.IGNORECASE)
_HIDDEN = "***"
_LONG = 16
"""A shorter part of an address is a word, not a secret: hiding it would make the log unreadable."""


def redacted_url(url: str) -> str:
    """Scheme and host of a URL: keys of RPC services hide in user name, path and query."""
    parts = urlsplit(url)
    hidden = parts.path.strip("/") or parts.query or parts.username or parts.password
    bare = f"{parts.scheme}://{_host(url) or '?'}"
    return f"{bare}/..." if hidden else bare


def redacted_database(url: str) -> str:
    """The URL of a database without password and options: user, host and name are what an operator has to compare."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{_host(url)}{parts.path}"


def secret_parts(url: str) -> list[str]:
    """What must not appear in any output: the URL if something hides in it, its password, its long parts. As written and decoded."""
    parts = urlsplit(url)
    whole = [url] * (redacted_url(url) != url)
    values = [value for _, value in parse_qsl(parts.query)]
    inner = [*parts.path.split("/"), parts.query, *values, parts.username or ""]
    written = [part for part in inner if len(part) >= _LONG]
    if parts.password:
        written.append(parts.password)
    return list(dict.fromkeys([*whole, *written, *map(unquote, written)]))


def database_secrets(url: str) -> list[str]:
    """As :func:`secret_parts`; but the names of host, user and database are none."""
    parts = urlsplit(url)
    options = [value for name, value in parse_qsl(parts.query) if _SECRET_WORD.search(name)]
    passwords = [password for password in (parts.password, *options) if password]
    whole = [url] * bool(passwords)
    return list(dict.fromkeys([*whole, *passwords, *map(unquote, passwords)]))


def redacted(value: Any, *, secret: bool = False) -> Any:
    """Options of an adapter without what may be a secret. References to secrets are none."""
    if isinstance(value, Mapping):
        return {
            key: redacted(inner, secret=secret or bool(_SECRET_WORD.search(key)))
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [redacted(inner, secret=secret) for inner in value]
    if isinstance(value, str) and "://" in value:
        return redacted_url(value)
    if not secret or value is None or isinstance(value, bool):
        return value
    references = "".join(match[0] for match in REFERENCE.finditer(str(value)))
    return references or _HIDDEN


def _host(url: str) -> str:
    """Host and port, an IPv6 address in its brackets; empty if there is none."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host
