"""What may be shown of addresses and options in which secrets hide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

REFERENCE: Final = re.compile(r"\$\{(?:file:(?P<file>[^}]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))\}")
"""How a value refers to a secret: ``${NAME}`` or ``${file:/path}``."""

_SECRET_WORD = re.compile(r"auth|credential|key|pass|secret|token|cookie|header", re.IGNORECASE)
_HIDDEN = "***"


def redacted_url(url: str) -> str:
    """Scheme and host of a URL: keys of RPC services hide in user name, path and query."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "?"
    bare = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
    hidden = parts.path.strip("/") or parts.query or parts.username or parts.password
    return f"{bare}/..." if hidden else bare


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
