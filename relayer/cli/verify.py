"""`makegood sla verify`: whether a document is the one that was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import proof, signatures
from relayer.document.proof import Finding
from relayer.document.quantities import bytes32
from relayer.document.signatures import ROLES
from relayer.errors import ChecksFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session
    from relayer.document import Document
    from relayer.document.signatures import Role, Signatures

_NOT_SHOWN = (
    "that the accounts are of the parties that you think they are",
    "that monitoring services answer, and say the truth",
)


class _Id(click.ParamType[bytes]):
    name = "ID"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        try:
            return bytes32(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--agreement", type=_Id(), help="Id of the agreement that the document has to make.")
@click.option("--offline", is_flag=True, help="Look at the signatures only, ask no chain.")
@session_options
@output_options
def verify(session: Session, document: Path, agreement: bytes | None, *, offline: bool) -> None:
    """Prove that DOCUMENT is the one that was signed.

    Computes document hash, terms, feeds and agreement id again, checks both signatures beside the document and, unless
    --offline, asks the escrow for the agreement. Exits with 0 if both parties have signed exactly this, 7 if that is not
    proven, 3 if the document or its contracts are wrong.
    """
    read = session.document(document)
    findings: list[Finding] = [proof.claimed(read, agreement)]
    try:
        given = signatures.load(read)
    except signatures.OtherTerms as error:
        given = signatures.Signatures()
        findings.append(Finding("signatures", "wrong", error.message))
    findings += _signed(read, given) if offline else _asked(session, read, given)
    wrong = [finding for finding in findings if finding.state == "wrong"]
    parties = [finding for finding in findings if finding.about.startswith("signature of")]
    proven = not wrong and all(finding.state == "proven" for finding in parties)
    result = {
        "document": str(read.path),
        "files": [str(file) for file in read.files],
        "documentHash": f"0x{read.hash.hex()}",
        "agreementId": f"0x{read.agreement_id.hex()}",
        "signed": proven,
        "findings": [
            {"about": one.about, "state": one.state, "detail": one.detail} for one in findings
        ],
        "levels": [
            {
                "name": level.name,
                "feedId": f"0x{level.feed.id.hex()}",
                "descriptor": f"0x{level.feed.descriptor.hex()}",
            }
            for level in read.levels
        ],
        "notShown": list(_NOT_SHOWN),
    }
    session.output.data(result, lambda: _show(session, read, findings, proven=proven))
    if not proven:
        open_ = [one.about for one in parties if one.state != "proven"]
        what = "; ".join(one.detail for one in wrong) or f"not proven: {', '.join(open_)}"
        hints = [] if wrong else [f"`{_sign(read, role)}`" for role in ROLES if not given.of(role)]
        if offline and not wrong:
            hints.append("without --offline the escrow is asked")
        raise ChecksFailed(
            f"this is not shown to be what both parties signed: {what}",
            hint="; ".join(hints) or None,
        )


def _sign(document: Document, role: Role) -> str:
    return f"makegood sla sign {document.path} --as {role}"


def _signed(document: Document, given: Signatures) -> list[Finding]:
    return proof.signed(document, given, has_code=None, registered=False)


def _asked(session: Session, document: Document, given: Signatures) -> Iterator[Finding]:
    """What the chain says."""
    from relayer.cli.agreement import OnChain

    on_chain = OnChain(document, session.chain(document.chain_id))
    on_chain.check()
    yield Finding(
        "escrow", "proven", f"{on_chain.escrow.address} computes the same id of the terms"
    )
    yield from _feeds(on_chain)
    yield _opened(on_chain)
    yield from proof.signed(
        document, given, has_code=on_chain.chain.has_code, registered=on_chain.registered
    )


def _opened(on_chain: OnChain) -> Finding:
    match on_chain.status:
        case "none":
            return Finding("opening", "open", "nobody has opened the agreement")
        case "revoked":
            who = " and the ".join(on_chain.revoked_by)
            return Finding("opening", "wrong", f"the {who} withdrew the signature")
        case status:
            return Finding("opening", "proven", f"the agreement is {status}")


def _feeds(on_chain: OnChain) -> Iterator[Finding]:
    """Whether the oracle knows the feeds by the ids that follow from the document."""
    for level in on_chain.document.levels:
        about = f"feed of {level.name}"
        with on_chain.chain.errors():
            function = on_chain.oracle.contract.functions.feedIdOf(level.feed.as_abi())
            computed = bytes(function.call())
        own, descriptor = f"0x{level.feed.id.hex()}", f"0x{level.feed.descriptor.hex()}"
        if computed == level.feed.id:
            yield Finding(about, "proven", f"{own}, with the descriptor {descriptor}")
        else:
            yield Finding(about, "wrong", f"{own}, but the oracle computes 0x{computed.hex()}")


def _show(session: Session, document: Document, findings: list[Finding], *, proven: bool) -> None:
    output = session.output
    output.fields(
        [
            *(("document", file) for file in document.files),
            ("document hash", f"0x{document.hash.hex()}"),
            ("agreement id", f"0x{document.agreement_id.hex()}"),
        ]
    )
    output.line()
    output.table(
        ["about", "state", "detail"], [[one.about, _state(one), one.detail] for one in findings]
    )
    if proven:
        output.line("both parties have signed exactly this document")
    for text in _NOT_SHOWN:
        output.note(f"not shown by this: {text}")


def _state(one: Finding) -> str:
    """Whether the id is the one that was meant only a person can say who does not give it."""
    asks_person = one.about == "agreement" and one.state == "open"
    return "to compare" if asks_person else _STATES[one.state]


_STATES = {"proven": "proven", "open": "not proven", "wrong": "WRONG"}
