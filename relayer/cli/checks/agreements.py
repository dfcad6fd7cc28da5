"""The SLA documents: what they say, that the chain knows their contracts, and our part in their panels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from relayer.cli.checks.finding import Finding, guarded
from relayer.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relayer.chain import Chain
    from relayer.cli.checks.finding import Known
    from relayer.document import Document


def documents(known: Known) -> Iterator[Finding]:
    try:
        files = [*known.named] or known.config.agreement_files()
    except MakegoodError as error:
        yield Finding("documents", "failed", error.message, error.hint)
        return
    if not files:
        mend = "name SLA documents: agreements: [agreements/*.yaml]"
        yield Finding("documents", "failed", "the configuration names none", mend)
    for file in files:
        yield guarded(f"document {file.name}", partial(_document, known, file))


def _document(known: Known, file: Path) -> Finding:
    document = known.session.document(file, adapters=True)
    known.documents.append(document)
    return Finding(f"document {file.name}", "ok", f"agreement 0x{document.agreement_id.hex()}")


def agreement(known: Known, document: Document) -> Iterator[Finding]:
    yield _panel(known, document)
    name = f"contracts of {document.name}"
    if chain := known.chains.get(document.chain_id):
        yield guarded(name, partial(_contracts, document, chain))
    else:
        yield Finding(name, "skipped", "the chain is not reachable")


def _panel(known: Known, document: Document) -> Finding:
    name = f"reporter in {document.name}"
    if known.address is None:
        return Finding(name, "skipped", "no key")
    lacking = [level.name for level in document.levels if known.address not in level.sources]
    if lacking:
        detail = f"{known.address} is no reporter of {', '.join(lacking)}"
        return Finding(name, "failed", detail, "use the key that the document names")
    return Finding(name, "ok", ", ".join(level.name for level in document.levels))


def _contracts(document: Document, chain: Chain) -> Finding:
    from relayer.cli.agreement import OnChain

    name = f"contracts of {document.name}"
    on_chain = OnChain(document, chain)
    on_chain.check()
    for level in document.levels:
        with chain.errors():
            computed = bytes(
                on_chain.oracle.contract.functions.feedIdOf(level.feed.as_abi()).call()
            )
        if computed != level.feed.id:
            detail = f"the oracle computes another id for {level.name}: 0x{computed.hex()}"
            return Finding(name, "failed", detail, "correct settlement.oracle")
    status = on_chain.status
    shown = "not open yet" if status == "none" else status
    return Finding(name, "ok", f"ids agree; the agreement is {shown}")
