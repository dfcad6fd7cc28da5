"""`makegood sla status` and `list`: what became of agreements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from relayer.cli.agreement import OnChain, Window
from relayer.cli.money import window_range
from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.cli.standing import standing
from relayer.document import signatures
from relayer.document.quantities import show_share, show_time
from relayer.errors import ChainUnavailable, ConfigurationError
from relayer.protocol.terms import BPS, PPM

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.chain import Chain
    from relayer.cli.session import Session
    from relayer.cli.standing import Block
    from relayer.protocol.tally import Tally

SHOWN_WINDOWS = 24


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--windows", metavar="N or A..B", help="Only these windows.")
@session_options
@output_options
def status(session: Session, document: Path, windows: str | None) -> None:
    """Windows, tallies, credits and payments of the agreement of DOCUMENT."""
    agreement = session.document(document)
    terms = agreement.terms
    chosen = window_range(windows, terms.windows) if windows else None
    on_chain = OnChain(agreement, session.chain(agreement.chain_id))
    on_chain.check()
    if chosen is None:
        # Up to the one that comes next; earlier ones on request.
        end = max(1, min(terms.windows, on_chain.current_window() + 2))
        chosen = range(max(0, end - SHOWN_WINDOWS), end)
    details = [on_chain.window(number) for number in chosen] if on_chain.registered else []
    beside, blocks = standing(on_chain, [window.number for window in details])
    result = _as_json(on_chain, details) | beside
    session.output.data(result, lambda: _show(session, on_chain, details, result, blocks))
    if on_chain.status == "none":
        session.output.note(f"next: makegood sla open {document}")


@click.command("list")
@session_options
@output_options
def list_(session: Session) -> None:
    """All documents of the configuration and what became of them."""
    output = session.output
    files = session.config.agreement_files()
    if not files:
        output.note("note: the configuration names no documents (agreements: [...])")
    chains: dict[int, Chain | str] = {}
    rows = [_row(session, file, chains) for file in files]
    output.data(
        rows,
        lambda: output.table(
            ["name", "state", "chain", "agreement", "document"],
            [
                [row[k] for k in ("name", "state", "chainId", "agreementId", "document")]
                for row in rows
            ],
        ),
    )
    for row in rows:
        if row["error"]:
            output.warn(str(row["error"]))
    invalid = sum(row["state"] == "invalid" for row in rows)
    if invalid:
        raise ConfigurationError(f"{invalid} of {len(rows)} documents are invalid")


def _row(session: Session, file: Path, chains: dict[int, Chain | str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": None,
        "state": "invalid",
        "chainId": None,
        "agreementId": None,
        "document": str(file),
        "error": None,
    }
    try:
        document = session.document(file)
        row |= {
            "name": document.name,
            "chainId": document.chain_id,
            "agreementId": f"0x{document.agreement_id.hex()}",
        }
        missing = signatures.load(document).missing
    except ConfigurationError as error:
        return row | {"error": error.message}
    state = {0: "signed", 1: f"unsigned by the {missing[0]}" if missing else "", 2: "unsigned"}
    row["state"] = state[len(missing)]
    if session.config.rpc_url is None:
        return row
    chain = _chain(session, document.chain_id, chains)
    if isinstance(chain, str):
        return row | {"error": chain}
    try:
        on_chain = OnChain(document, chain)
        on_chain.check()
        found = on_chain.status
        if found == "none" and on_chain.now > document.terms.open_by:
            found = "expired"
        over = on_chain.registered and on_chain.current_window() >= on_chain.end
        row["state"] = "over" if over else row["state"] if found == "none" else found
    except (ChainUnavailable, ConfigurationError) as error:
        row["error"] = error.message
    return row


def _chain(session: Session, chain_id: int, chains: dict[int, Chain | str]) -> Chain | str:
    """The chain of a document, connected once; or why there is none."""
    if chain_id not in chains:
        try:
            chains[chain_id] = session.chain(chain_id)
        except ChainUnavailable as error:
            chains[chain_id] = error.message
    return chains[chain_id]


def _as_json(on_chain: OnChain, details: list[Window]) -> dict[str, Any]:
    document, terms = on_chain.document, on_chain.terms
    deposited, held = _totals(on_chain)
    return {
        "name": document.name,
        "document": str(document.path),
        "agreementId": f"0x{document.agreement_id.hex()}",
        "chainId": document.chain_id,
        "status": on_chain.status,
        "provider": terms.provider,
        "consumer": terms.consumer,
        "token": {"address": terms.token, "symbol": on_chain.symbol},
        "feePerWindow": document.amount(terms.fee_per_window),
        "windowCount": terms.windows,
        "endsBeforeWindow": on_chain.end if on_chain.end < terms.windows else None,
        "payouts": _payouts(on_chain),
        "withheld": _withheld(on_chain),
        "deposited": document.amount(deposited),
        "held": document.amount(held),
        "chainTime": show_time(on_chain.now),
        "windows": [_window_json(on_chain, window) for window in details],
    }


def _window_json(on_chain: OnChain, window: Window) -> dict[str, Any]:
    document, terms = on_chain.document, on_chain.terms
    return {
        "window": window.number,
        "status": window.status,
        "start": show_time(terms.window_start(window.number)),
        "end": show_time(terms.window_start(window.number + 1)),
        "expiry": show_time(terms.expiry(window.number)),
        "creditBps": window.credit,
        "paid": document.amount(window.paid),
        "claimable": document.amount(window.claimable),
        "closable": window.closable,
        "levels": [
            {
                "name": level.name,
                "planned": tally.planned,
                "judged": tally.judged,
                "good": tally.good,
                "bad": tally.bad,
                "unknown": tally.unknown,
                "notApplicable": tally.not_applicable,
                "longestRun": tally.longest_run,
                "availabilityPpm": on_chain.availability(index, tally),
            }
            for index, (level, tally) in enumerate(
                zip(document.levels, window.tallies, strict=False)
            )
        ],
    }


def _totals(on_chain: OnChain) -> tuple[int, int]:
    """What was paid in for windows of these terms, and what of it the escrow still holds."""
    deposited = held = 0
    for number in range(on_chain.terms.windows if on_chain.registered else 0):
        state, paid = on_chain.window_status(number)
        fee = on_chain.terms.fee_of(number)
        deposited += fee if state in ("funded", "closed", "refunded", "terminated") else 0
        held += max(0, fee - paid) if state == "funded" else 0
    return deposited, held


def _payouts(on_chain: OnChain) -> dict[str, str]:
    """Where payments to the parties go."""
    with on_chain.chain.errors():
        return {
            role: on_chain.escrow.payout(signatures.party(on_chain.document, role))
            for role in signatures.ROLES
        }


def _withheld(on_chain: OnChain) -> dict[str, str]:
    """What could not be delivered to the parties, from all their agreements in this token."""
    escrow, document = on_chain.escrow, on_chain.document
    with on_chain.chain.errors():
        return {
            role: document.amount(
                escrow.withdrawable(on_chain.terms.token, signatures.party(document, role))
            )
            for role in signatures.ROLES
        }


def _show(
    session: Session,
    on_chain: OnChain,
    details: list[Window],
    result: dict[str, Any],
    blocks: list[Block],
) -> None:
    output, document = session.output, on_chain.document
    symbol = on_chain.symbol
    output.fields(
        [
            ("agreement", f"{document.name}, {result['agreementId']}"),
            ("network", f"chain {document.chain_id}, escrow {on_chain.escrow.address}"),
            ("status", _status_text(on_chain)),
            (
                "fee",
                f"{result['feePerWindow']} {symbol} per window, {result['windowCount']} windows",
            ),
            *(
                (f"to the {role}", account)
                for role, account in result["payouts"].items()
                if account != result[role]
            ),
            ("deposited", f"{result['deposited']} {symbol}"),
            ("held", f"{result['held']} {symbol}"),
            *(
                (f"withheld from the {role}", f"{amount} {symbol} (makegood sla withdraw)")
                for role, amount in result["withheld"].items()
                if amount != document.amount(0)
            ),
            ("chain time", result["chainTime"]),
        ]
    )
    for block in blocks:
        output.line()
        output.fields(block)
    if not details:
        return
    output.line()
    output.table(
        ["window", "status", "start", "end", "credit", "paid", "claimable", "next"],
        [
            [
                window.number,
                window.status,
                show_time(on_chain.terms.window_start(window.number)),
                show_time(on_chain.terms.window_start(window.number + 1)),
                None if window.credit is None else show_share(window.credit, BPS),
                document.amount(window.paid),
                document.amount(window.claimable),
                _next(on_chain, window),
            ]
            for window in details
        ],
    )
    output.line()
    output.table(
        ["window", "level", "judged", "good", "bad", "unknown", "n/a", "longest", "availability"],
        [
            [window.number, document.levels[index].name, *_tally_cells(on_chain, index, tally)]
            for window in details
            for index, tally in enumerate(window.tallies)
        ],
    )


def _status_text(on_chain: OnChain) -> str:
    match on_chain.status:
        case "none":
            return "not open"
        case "revoked":
            return (
                f"never opened; the {' and the '.join(on_chain.revoked_by)} withdrew the signature"
            )
        case "ended":
            return f"ended before window {on_chain.end}"
        case status:
            return status


def _tally_cells(on_chain: OnChain, level: int, tally: Tally) -> list[object]:
    availability = on_chain.availability(level, tally)
    return [
        f"{tally.judged}/{tally.planned}",
        tally.good,
        tally.bad,
        tally.unknown,
        tally.not_applicable,
        tally.longest_run,
        None if availability is None else show_share(availability, PPM),
    ]


def _next(on_chain: OnChain, window: Window) -> str | None:
    if window.claimable:
        return "settle"
    if window.closable:
        return "close"
    if window.status == "funded":
        return f"closable by {show_time(on_chain.terms.expiry(window.number))}"
    return None
