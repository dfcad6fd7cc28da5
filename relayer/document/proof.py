"""What a document and its signatures prove to whoever holds them, with the chain or without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from relayer.document import signatures

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_typing import ChecksumAddress

    from relayer.document.document import Document
    from relayer.document.signatures import Role, Signatures

State = Literal["proven", "open", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that somebody may doubt.

    :param state: ``open``: neither proven nor wrong, as far as can be seen here.
    """

    about: str
    state: State
    detail: str


def claimed(document: Document, agreement: bytes | None) -> Finding:
    """Whether the document makes the agreement that is meant (32 bytes)."""
    own = f"0x{document.agreement_id.hex()}"
    if agreement is None:
        return Finding(
            "agreement", "open", f"{own}; compare it with the other party's, or give --agreement"
        )
    if agreement == document.agreement_id:
        return Finding("agreement", "proven", f"{own}: these are its terms and its document")
    return Finding(
        "agreement",
        "wrong",
        f"this document makes {own}, not 0x{agreement.hex()}: a letter of it, or of a file that it names, differs",
    )


def signed(
    document: Document,
    given: Signatures,
    *,
    has_code: Callable[[ChecksumAddress], bool] | None,
    registered: bool,
) -> list[Finding]:
    """Whether each party has signed the terms that follow from the document.

    :param has_code: Whether an account is a contract; None if nobody can be asked.
    :param registered: Whether the escrow has opened the agreement, which takes both signatures.
    """
    return [_signed(document, given, role, has_code, registered) for role in signatures.ROLES]


def _signed(
    document: Document,
    given: Signatures,
    role: Role,
    has_code: Callable[[ChecksumAddress], bool] | None,
    registered: bool,  # noqa: FBT001 - as above
) -> Finding:
    about, account = f"signature of the {role}", signatures.party(document, role)
    if registered:
        return Finding(about, "proven", f"{account}: the escrow has opened the agreement with it")
    if given.of(role) is None:
        return Finding(about, "open", f"{account}: there is none beside the document")
    fault = signatures.fault(document, given, role)
    if fault is None:
        return Finding(about, "proven", f"{account} has signed these terms")
    if has_code is None or has_code(account):
        maybe = "may be" if has_code is None else "is"
        return Finding(
            about, "open", f"{fault}; {account} {maybe} a contract, which only the chain can ask"
        )
    return Finding(about, "wrong", fault)
