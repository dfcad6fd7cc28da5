"""`makegood sla open` and `fund`: the commands that pay. Each says what it will do, and asks, before it does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.agreement import windows_text
from relayer.cli.output import output_options
from relayer.cli.sending import YES, Step, carry_out, nothing_to_do, reached, tokens
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import signatures
from relayer.document.quantities import show_time
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session

_RANGE = re.compile(r"([0-9]{1,5})(?:\.\.([0-9]{1,5}))?")
_OVER = {
    "revoked": "a party has withdrawn its signature: these terms can never be opened",
    "ended": "the agreement was open and has ended: these terms cannot be opened again",
}
_UNPAYABLE = {
    "funded": "is paid already",
    "closed": "is closed",
    "lapsed": "has begun unpaid",
    "refunded": "was refunded: the agreement has ended",
    "terminated": "was ended by both parties",
    "moved": "belongs to the terms that amend these",
}


@click.command("open")
@click.argument("document", type=DOCUMENT)
@YES
@session_options
@output_options
def open_(session: Session, document: Path, *, yes: bool) -> None:
    """Open the agreement of DOCUMENT, which both parties have signed, and pay its prepaid windows.

    Anyone may pay. Without a key this says what would be done.
    """
    agreement = session.document(document)
    on_chain = reached(session, agreement)
    if on_chain.status == "open":
        nothing_to_do(
            session, on_chain, "the agreement is open already", _facts(on_chain, "open", [], 0)
        )
        return
    if on_chain.status in _OVER:
        raise ConfigurationError(_OVER[on_chain.status], hint="agree on new ones with another salt")
    given = signatures.load(agreement)
    faults = signatures.verify(agreement, given, on_chain.chain.has_code)
    if wrong := {role: fault for role, fault in faults.items() if fault}:
        raise ConfigurationError(
            "; ".join(wrong.values()),
            hint="; ".join(f"makegood sla sign {document} --as {role}" for role in wrong),
        )
    terms = agreement.terms
    if on_chain.now > terms.open_by:
        raise ConfigurationError(
            f"the agreement had to be opened by {show_time(terms.open_by)}",
            hint="agree on a later start; both parties sign again",
        )
    call = on_chain.escrow.open(terms, given.provider or b"", given.consumer or b"")
    windows = range(terms.prepaid_windows)
    amount = sum(map(terms.fee_of, windows))
    effects = ["the agreement is opened", *_payment_effects(on_chain, windows, amount)]
    step = Step("open", call, "escrow", amount, approval="approve")
    facts = _facts(on_chain, "open", windows, amount)
    carry_out(session, on_chain, [step], effects, yes=yes, facts=facts)


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--windows", required=True, metavar="N or A..B", help="Windows to pay, from 0.")
@YES
@session_options
@output_options
def fund(session: Session, document: Path, windows: str, *, yes: bool) -> None:
    """Pay for later windows of the open agreement of DOCUMENT, each before it begins.

    Anyone may pay. Without a key this says what would be done.
    """
    agreement = session.document(document)
    chosen = window_range(windows, agreement.terms.windows)
    on_chain = reached(session, agreement)
    if on_chain.status == "revoked":
        raise ConfigurationError(_OVER["revoked"])
    if not on_chain.registered:
        raise ConfigurationError("the agreement is not open", hint=f"makegood sla open {document}")
    for number in chosen:
        status, _ = on_chain.window_status(number)
        reason = _UNPAYABLE.get(status)
        if status == "unfunded" and number >= on_chain.end:
            reason = f"is void: the agreement ends before window {on_chain.end}"
        if reason:
            raise ConfigurationError(
                f"window {number} {reason}", hint=f"makegood sla status {document}"
            )
    call = on_chain.escrow.fund(agreement.terms, chosen[0], len(chosen))
    amount = sum(map(agreement.terms.fee_of, chosen))
    effects = _payment_effects(on_chain, chosen, amount)
    step = Step("fund", call, "escrow", amount, approval="approve")
    facts = _facts(on_chain, "fund", chosen, amount)
    carry_out(session, on_chain, [step], effects, yes=yes, facts=facts)


def window_range(text: str, windows: int) -> range:
    """Windows "3" or "1..4". Raises a usage error if there are no such windows."""
    match = _RANGE.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not first <= last < windows:
        raise click.BadParameter(
            f'found "{text}"; write N or A..B between 0 and {windows - 1}', param_hint="--windows"
        )
    return range(first, last + 1)


def _payment_effects(on_chain: OnChain, windows: Sequence[int], amount: int) -> list[str]:
    if not windows:
        return ["no window is paid for yet"]
    which = f"{'window' if len(windows) == 1 else 'windows'} {windows_text(windows)}"
    return [f"{tokens(on_chain, amount)} are taken from the sender for {which}"]


def _facts(on_chain: OnChain, function: str, windows: Sequence[int], amount: int) -> dict[str, Any]:
    """What ``--json`` shows of both commands."""
    return {
        "function": function,
        "windows": list(windows),
        "amount": on_chain.document.amount(amount),
    }
