"""What `makegood sla status` says beside windows: bond, disputes, endings, exclusions and amendments, where there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.bindings import Court
from relayer.cli.bond import missing
from relayer.cli.dispute import SIDES
from relayer.cli.exclusion import shown
from relayer.cli.sending import tokens
from relayer.document import consents
from relayer.document.consents import ExcludedSpan
from relayer.document.quantities import show_time
from relayer.document.signatures import ROLES, Signatures
from relayer.errors import ConfigurationError, Reverted
from relayer.protocol.terms import NO_TERMS, NOBODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.cli.agreement import OnChain

Block = list[tuple[str, str]]
"""Lines of a name and a text each, that are shown together."""

_NAMES = ("bond", "amendment", "ending", "payments", "exclusions")


def standing(on_chain: OnChain, windows: Sequence[int]) -> tuple[dict[str, Any], list[Block]]:
    """As JSON, null where there is nothing, and for people.

    :param windows: Disputes and exclusions are looked up for these.
    """
    if not on_chain.registered:
        return dict.fromkeys(_NAMES), []
    found = (
        _bond(on_chain),
        _amendment(on_chain),
        _ending(on_chain),
        _payments(on_chain, windows),
        _exclusions(on_chain, windows),
    )
    values = [value if block else None for value, block in found]
    return dict(zip(_NAMES, values, strict=True)), [block for _, block in found if block]


def _bond(on_chain: OnChain) -> tuple[dict[str, Any], Block]:
    terms, document = on_chain.terms, on_chain.document
    if not terms.bond:
        return {}, []
    with on_chain.chain.errors():
        held = on_chain.escrow.bond(document.agreement_id)
    needed = missing(on_chain, held)
    value = {
        "agreed": document.amount(terms.bond),
        "held": document.amount(held.amount),
        "owed": document.amount(held.owed),
        "openWindows": held.open_windows,
    }
    block = [
        ("bond", f"{tokens(on_chain, held.amount)} of {tokens(on_chain, terms.bond)}"),
        ("stands for", f"{held.open_windows} paid windows that are not closed"),
    ]
    if held.owed:
        block.append(("still owed", f"{tokens(on_chain, held.owed)} to the consumer"))
    if needed:
        block.append(("missing", f"{tokens(on_chain, needed)} (makegood sla bond)"))
    return value, block


def _amendment(on_chain: OnChain) -> tuple[dict[str, Any], Block]:
    terms, document = on_chain.terms, on_chain.document
    value: dict[str, Any] = {"amends": None, "first": None, "amendedFromWindow": None}
    block: Block = []
    if terms.previous != NO_TERMS:
        with on_chain.chain.errors():
            first = on_chain.escrow.first_of(document.agreement_id)
        value |= {"amends": f"0x{terms.previous.hex()}", "first": f"0x{first.hex()}"}
        block.append(("amends", f"0x{terms.previous.hex()}"))
        if first != terms.previous:
            block.append(("first", f"0x{first.hex()}"))
    if on_chain.status == "ended" and _is_amended(on_chain):
        at = show_time(terms.window_start(on_chain.end))
        value["amendedFromWindow"] = on_chain.end
        block.append(("amended", f"other terms hold from window {on_chain.end} on, {at}"))
    return value, block


def _is_amended(on_chain: OnChain) -> bool:
    """Whether other terms have taken over. Only the bond's release asks that, before anything else."""
    try:
        on_chain.chain.simulate(
            on_chain.escrow.release_bond(on_chain.terms), on_chain.terms.provider
        )
    except Reverted as error:
        return error.error == "SLAEscrow_NotNewest"
    return False


def _ending(on_chain: OnChain) -> tuple[dict[str, Any], Block]:
    """A proposal beside the document that nobody has brought yet."""
    document = on_chain.document
    try:
        ending = consents.load_ending(document)
    except ConfigurationError as error:
        return {"error": error.message}, [("ending", error.message)]
    if ending is None:
        return {}, []
    agreed = ending.termination
    done = on_chain.status == "ended" and on_chain.end <= agreed.window
    if done or agreed.valid_until < on_chain.now:
        return {}, []
    signers = _signers(ending.signatures)
    value = {
        "fromWindow": agreed.window,
        "toProvider": document.amount(agreed.to_provider),
        "validUntil": show_time(agreed.valid_until),
        "signedBy": signers,
    }
    return value, [
        ("ending", f"proposed from window {agreed.window} on"),
        ("provider gets", tokens(on_chain, agreed.to_provider)),
        ("signed by", ", ".join(signers) or "nobody"),
        ("valid until", show_time(agreed.valid_until)),
    ]


def _payments(on_chain: OnChain, windows: Sequence[int]) -> tuple[list[dict[str, Any]], Block]:
    """What waits in the court, and what is or was disputed."""
    if on_chain.terms.arbiter == NOBODY:
        return [], []
    document, values = on_chain.document, []
    block: Block = []
    with on_chain.chain.errors():
        court = Court(on_chain.chain.w3, on_chain.escrow.court())
    for window in windows:
        for number, side in enumerate(SIDES):
            with on_chain.chain.errors():
                matured, waiting = court.waiting(document.agreement_id, window, number)
                dispute = court.dispute_of(document.agreement_id, window, number)
            if not (matured or waiting) and dispute.status == "none":
                continue
            values.append(
                {
                    "window": window,
                    "side": side,
                    "matured": document.amount(matured),
                    "waiting": document.amount(waiting),
                    "dispute": dispute.status,
                    "disputed": document.amount(dispute.disputed),
                    "rulingBy": show_time(dispute.ruling_by) if dispute.ruling_by else None,
                }
            )
            block.append(("payment", f"to the {side}, window {window}"))
            if waiting:
                block.append(("may be disputed", tokens(on_chain, waiting)))
            if matured:
                block.append(("may be delivered", tokens(on_chain, matured)))
            if dispute.status != "none":
                block.append(
                    ("disputed", f"{tokens(on_chain, dispute.disputed)}, {dispute.status}")
                )
            if dispute.status == "open":
                block.append(("ruling until", show_time(dispute.ruling_by)))
    return values, block


def _exclusions(on_chain: OnChain, windows: Sequence[int]) -> tuple[list[dict[str, Any]], Block]:
    """Spans that are not judged, and those that are signed and not brought yet."""
    document = on_chain.document
    try:
        signed = consents.load_exclusions(document)
    except ConfigurationError as error:
        return [{"error": error.message}], [("exclusions", error.message)]
    excluded = _excluded(on_chain, windows, signed)
    proposed = [
        span
        for span in signed
        if not any(span.is_same(other) for other in excluded)
        and _begin(on_chain, span) >= on_chain.now
    ]
    values, block = [], []
    for span in [*excluded, *proposed]:
        name, is_there = document.levels[span.level].name, span in excluded
        signers = list(ROLES) if is_there else _signers(span.signatures)
        begin, end = shown(on_chain, span.level, span.span).split(" to ")
        values.append(
            {"level": name, "from": begin, "to": end, "excluded": is_there, "signedBy": signers}
        )
        block.append(("excluded" if is_there else "proposed", f"{begin} to {end}"))
        block.append(("of level", name))
        if not is_there:
            block.append(("signed by", ", ".join(signers) or "nobody"))
    return values, block


def _excluded(
    on_chain: OnChain, windows: Sequence[int], signed: Sequence[ExcludedSpan]
) -> list[ExcludedSpan]:
    """What the oracle knows of these windows, and of those that signed spans lie in."""
    found = []
    for number, level in enumerate(on_chain.document.levels):
        if not level.feed.scope.allowance:
            continue
        of_feed = {on_chain.terms.feed_window(number, window) for window in windows}
        measurement = level.feed.measurement
        of_feed |= {measurement.window_of(s.span.first) for s in signed if s.level == number}
        for window in sorted(of_feed):
            with on_chain.chain.errors():
                spans = on_chain.oracle.exclusions(level.feed.id, window)
            found += [ExcludedSpan(number, span) for span in spans]
    return found


def _begin(on_chain: OnChain, each: ExcludedSpan) -> int:
    return on_chain.document.levels[each.level].feed.measurement.start_of(each.span.first)


def _signers(given: Signatures) -> list[str]:
    return [role for role in ROLES if given.of(role)]
