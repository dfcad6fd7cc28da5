"""TLS as a client: whom to trust. Made once, since reading the authorities takes a while."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import certifi

from oracles.errors import BadRequest

if TYPE_CHECKING:
    from pathlib import Path


def verifying(ca_file: Path | None = None) -> ssl.SSLContext:
    """Trusts the authorities in `ca_file` (PEM), or else the usual ones. Raises BadRequest."""
    try:
        return ssl.create_default_context(cafile=ca_file or certifi.where())
    except OSError as error:  # an SSLError is one
        raise BadRequest(
            f"ca_file: {ca_file} holds no certificates in PEM that could be read"
            f" ({type(error).__name__})"
        ) from None


def trusting() -> ssl.SSLContext:
    """Trusts whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
