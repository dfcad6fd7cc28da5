"""The parties' signatures under an SLA document.

They travel beside it, in ``<its name>.signatures.json``::

{"agreementId": "0x…", "chainId": 1, "escrow": "0x…", "signatures": {"provider": "0x…", "consumer": "0x…"}}
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from relayer.errors import ConfigurationError, KeyUnavailable
from relayer.protocol.typed_data import recover, sign, terms_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.base import BaseAccount
    from eth_typing import ChecksumAddress

    from relayer.document.document import Document

Role: TypeAlias = Literal["provider", "consumer"]
ROLES: tuple[Role, ...] = get_args(Role)
MAX_BYTES = 1 << 16

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")


class OtherTerms(ConfigurationError):
    """The signatures beside a document are under other terms than those that follow from it."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """What the parties have signed so far; None where a signature is missing."""

    provider: bytes | None = None
    consumer: bytes | None = None

    def of(self, role: Role) -> bytes | None:
        return self.provider if role == "provider" else self.consumer

    @property
    def missing(self) -> list[Role]:
        return [role for role in ROLES if self.of(role) is None]


def party(document: Document, role: Role) -> ChecksumAddress:
    """The account that has to sign."""
    return document.terms.provider if role == "provider" else document.terms.consumer


def path_of(document: Document) -> Path:
    """Where the signatures under a document are kept."""
    return document.path.with_name(f"{document.path.stem}.signatures.json")


def load(document: Document) -> Signatures:
    """The signatures under a document; none if there is no file. Raises OtherTerms if they are not under its terms, ConfigurationError if the file is wrong."""
    file = path_of(document)
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Signatures()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    return _parsed(raw, file, document)


def sign_as(document: Document, role: Role, account: BaseAccount) -> Signatures:
    """Signs as one of the parties and keeps the signature beside the document."""
    expected = party(document, role)
    if account.address != expected:
        raise KeyUnavailable(
            f"this is the key of {account.address}, but the {role} is {expected}",
            hint="use the key of that party, or sign as the other one",
        )
    return add(
        document, role, sign(account, terms_message(document.domains.escrow, document.terms))
    )


def add(document: Document, role: Role, signature: bytes) -> Signatures:
    """Adds a signature to the document's file, or replaces it there."""
    signatures = load(document)
    signatures = (
        replace(signatures, provider=signature)
        if role == "provider"
        else replace(signatures, consumer=signature)
    )
    write_beside(path_of(document), _as_json(document, signatures))
    return signatures


def verify(
    document: Document, signatures: Signatures, has_code: Callable[[ChecksumAddress], bool]
) -> dict[Role, str | None]:
    """What is wrong with each party's signature; None if nothing is, or if the party is a contract that will judge itself."""
    return {role: _fault(document, signatures, role, has_code) for role in ROLES}


def fault(document: Document, signatures: Signatures, role: Role) -> str | None:
    """What is wrong with the signature of a party that is no contract; None if nothing is."""
    signature, expected = signatures.of(role), party(document, role)
    if signature is None:
        return f"the {role} has not signed"
    signer = recover(terms_message(document.domains.escrow, document.terms), signature)
    if signer == expected:
        return None
    if signer is None:
        return f"what stands for the {role} is no signature that the escrow accepts"
    return f"the {role}'s signature is of {signer}, not of {expected}"


def _fault(
    document: Document,
    signatures: Signatures,
    role: Role,
    has_code: Callable[[ChecksumAddress], bool],
) -> str | None:
    if signatures.of(role) is not None and has_code(party(document, role)):
        return None
    return fault(document, signatures, role)


def _parsed(raw: bytes, file: Path, document: Document) -> Signatures:
    wrong = f"{file} is not a file of signatures"
    again = "remove the file and sign again"
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{wrong}: it is larger than {MAX_BYTES} bytes", hint=again)
    try:
        content = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{wrong}: it is not JSON", hint=again) from None
    expected = _as_json(document, Signatures())
    if not isinstance(content, dict) or set(content) != set(expected):
        raise ConfigurationError(f"{wrong}: it must hold {', '.join(expected)}", hint=again)
    for key in ("agreementId", "chainId", "escrow"):
        if content[key] != expected[key]:
            raise OtherTerms(
                f"{file} belongs to other terms: its {key} is {content[key]}, not {expected[key]}",
                hint=f"if {document.path} was changed on purpose, {again} (both parties)",
            )
    given = content["signatures"]
    if not isinstance(given, dict) or not set(given) <= set(ROLES):
        raise ConfigurationError(f"{wrong}: signatures are of {' and '.join(ROLES)}", hint=again)
    for role, text in given.items():
        if not isinstance(text, str) or not _HEX.fullmatch(text):
            raise ConfigurationError(
                f"{wrong}: that of the {role} is not in hexadecimal", hint=again
            )
    return Signatures(**{role: bytes.fromhex(text[2:]) for role, text in given.items()})


def _as_json(document: Document, signatures: Signatures) -> dict[str, Any]:
    return {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "chainId": document.chain_id,
        "escrow": document.domains.escrow.contract,
        "signatures": {
            role: f"0x{signature.hex()}" for role in ROLES if (signature := signatures.of(role))
        },
    }


def write_beside(file: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file beside a document, atomically: whoever reads it sees the old one or the new one. Raises ConfigurationError."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
        ) as stream:
            temporary = Path(stream.name)
            json.dump(content, stream, indent=2)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(file)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None
