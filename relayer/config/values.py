"""How single values of a configuration are written. A message says what is allowed and does not repeat the value: it may be secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from eth_typing import ChecksumAddress
from pydantic import BeforeValidator, PlainValidator, SecretStr

if TYPE_CHECKING:
    from urllib.parse import SplitResult

POSTGRESQL = "postgresql://"
_ADDRESS = "write an address: 0x and 40 hexadecimal digits"
_URL = "write {what}: http:// or https:// and a host"
_LISTEN = "write a host and a port from 1 to 65535, such as 127.0.0.1:8720 or [::1]:8720"
_DATABASE = (
    "write the path of a file, or the address of a PostgreSQL: postgresql://user@host/database"
)


def url(value: object, what: str) -> str:
    """An address of HTTP. ``what`` it leads to is said in the message."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    parts = _split(value)
    if not (parts and parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError(_URL.format(what=what))
    return str(value)


def database(value: object) -> Path | SecretStr:
    """A file, or the URL of a PostgreSQL, which may hold a password."""
    if isinstance(value, Path | SecretStr):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(_DATABASE)
    if "://" not in value:
        return Path(value)
    parts = _split(value)
    if not (parts and value.startswith(POSTGRESQL) and parts.path.strip("/")):
        raise ValueError(_DATABASE)
    return SecretStr(value)


def listen(value: object) -> tuple[str, int] | None:
    """Where to listen: a host and a port."""
    if value is None:
        return None
    if isinstance(value, tuple):  # as it was read before
        host, port = value
        return str(host), int(port)
    parts = _split(f"tcp://{value}")
    bare = isinstance(value, str) and not re.search(r"[/?#@]", value)
    if not (parts and bare and parts.hostname and parts.port):
        raise ValueError(_LISTEN)
    return parts.hostname, parts.port


def shown(listen: tuple[str, int] | None) -> str | None:
    """The inverse of :func:`listen`."""
    if listen is None:
        return None
    host, port = listen
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address(value: object) -> ChecksumAddress:
    """An account. In mixed case its checksum (EIP-55) must hold."""
    # Most commands need neither batcher nor peers, and should not wait for the documents' modules.
    from relayer.document.quantities import address as checked  # noqa: PLC0415

    return checked(value)


def region(value: object) -> str:
    """A region of AWS."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", value):
        raise ValueError("write a region of AWS, such as eu-central-1")
    return value


def number(value: object) -> object:
    """Not a truth value, which Python takes for one."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def some(value: object) -> object:
    """A single value is a list of one; an empty list says nothing."""
    if isinstance(value, list) and not value:
        raise ValueError("write at least one, or leave the field out")
    return [value] if isinstance(value, str | SecretStr) else value


def evidence_key(value: object) -> object:
    """A key of 32 bytes. As it was written: :func:`relayer.evidence.cipher.read_key` makes bytes of it."""
    from relayer.evidence.cipher import read_key  # noqa: PLC0415 - most commands need no encryption

    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        raise ValueError("write it as ${NAME} or ${file:/path}")  # noqa: TRY004 - pydantic collects ValueErrors
    read_key(text)
    return value


def _split(value: object) -> SplitResult | None:
    """The parts of a URL; None if it is none."""
    if not isinstance(value, str) or re.search(r"[\s\x00-\x1f]", value):
        return None
    try:
        parts = urlsplit(value)
        sound = parts.port != 0
    except ValueError:
        return None
    return parts if sound else None


RpcUrl = Annotated[
    SecretStr, BeforeValidator(lambda value: url(value, "the address of an RPC endpoint"))
]
Webhook = Annotated[
    SecretStr, BeforeValidator(lambda value: url(value, "the address of a webhook"))
]
PeerUrl = Annotated[str, BeforeValidator(lambda value: url(value, "the address of a reporter"))]
ServiceUrl = Annotated[str, BeforeValidator(lambda value: url(value, "the address of a service"))]
EvidenceKey = Annotated[SecretStr, BeforeValidator(evidence_key)]
Database = Annotated[Path | SecretStr, PlainValidator(database)]
Listen = Annotated[tuple[str, int] | None, PlainValidator(listen)]
Account = Annotated[ChecksumAddress, BeforeValidator(address)]
Region = Annotated[str, BeforeValidator(region)]
