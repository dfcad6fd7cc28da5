"""`makegood sla end`: by notice or for breaches (rule 10); by both parties at once: :mod:`relayer.cli.joint_ending`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from relayer.cli import joint_ending
from relayer.cli.joint_ending import Proposal, held_from, windows_of
from relayer.cli.output import output_options
from relayer.cli.sending import (
    YES,
    Step,
    carry_out,
    check_sender,
    nothing_to_do,
    opened,
    read_with,
    tokens,
)
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import quantities
from relayer.document.quantities import show_duration, show_time
from relayer.document.signatures import ROLES
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--by-notice", is_flag=True, help="With the agreed notice, as either party.")
@click.option(
    "--for-breaches", is_flag=True, help="After enough breached windows, as the consumer."
)
@click.option("--sign", "signing", is_flag=True, help="Sign that it ends at once.")
@click.option("--together", is_flag=True, help="Bring what both signed to the escrow.")
@click.option("--as", "role", type=click.Choice(ROLES), help="Who signs.")
@click.option("--provider-gets", metavar="TOKENS", help="With --sign: of what is still held.")
@click.option(
    "--share",
    metavar="PERCENT",
    callback=read_with(quantities.credit),
    help="With --sign: the provider's share of what is still held.",
)
@click.option(
    "--from-window",
    "first",
    type=click.IntRange(min=0),
    help="With --sign: the first window that ends; by default the one that runs.",
)
@click.option(
    "--valid",
    metavar="DURATION",
    callback=read_with(quantities.duration),
    help="With --sign: how long the proposal may be used (2d).",
)
@YES
@session_options
@output_options
def end(
    session: Session,
    document: Path,
    *,
    by_notice: bool,
    for_breaches: bool,
    signing: bool,
    together: bool,
    yes: bool,
    **proposal: Any,
) -> None:
    """End the agreement of DOCUMENT before its last window.

    --by-notice and --for-breaches take effect where a window begins: what was paid for later ones goes back to the consumer.
    Both parties may end it at once: one signs what the provider gets of the money still held (--sign --as ROLE with
    --provider-gets or --share), the other signs the same file (--sign --as ROLE), anyone brings it (--together).
    """
    if sum((by_notice, for_breaches, signing, together)) != 1:
        raise click.UsageError("choose one of --by-notice, --for-breaches, --sign and --together")
    proposed = Proposal(**proposal)
    proposed.check(signing=signing)
    on_chain = opened(session, document)
    if by_notice:
        _by_notice(session, on_chain, yes=yes)
    elif for_breaches:
        _for_breaches(session, on_chain, yes=yes)
    elif signing:
        joint_ending.sign(session, on_chain, proposed, yes=yes)
    else:
        joint_ending.bring(session, on_chain, yes=yes)


def _by_notice(session: Session, on_chain: OnChain, *, yes: bool) -> None:
    terms = on_chain.terms
    if not terms.notice_period:
        raise ConfigurationError(
            f"{on_chain.document.path} agrees on no ending by notice (spec.termination.notice)",
            hint="both parties may end it together: makegood sla end --sign",
        )
    check_sender(session, "provider or consumer", terms.provider, terms.consumer)
    window = terms.window_from(on_chain.now + terms.notice_period)
    if _is_over(session, on_chain, window):
        return
    step = Step("endByNotice", on_chain.escrow.end_by_notice(terms), "escrow")
    effects = [
        f"notice of {show_duration(terms.notice_period)} is given now",
        *_boundary_effects(on_chain, window),
    ]
    carry_out(session, on_chain, [step], effects, yes=yes, facts={"endsBeforeWindow": window})


def _for_breaches(session: Session, on_chain: OnChain, *, yes: bool) -> None:
    terms, escrow = on_chain.terms, on_chain.escrow
    if not terms.breaches_to_end:
        raise ConfigurationError(
            f"{on_chain.document.path} agrees on no ending for breaches (spec.termination.breaches)",
            hint="both parties may end it together: makegood sla end --sign",
        )
    check_sender(session, "the consumer", terms.consumer)
    window = terms.window_from(on_chain.now + 1)
    if _is_over(session, on_chain, window):
        return
    paid, due = _breached(on_chain)
    found = sorted(paid + due)
    if len(found) < terms.breaches_to_end:
        listed = f": {', '.join(map(str, found))}" if found else ""
        raise ConfigurationError(
            f"{terms.breaches_to_end} breached windows are needed, {len(found)} are known so far{listed}",
            hint=f"makegood sla status {on_chain.document.path}",
        )
    # Only a credit that was paid proves a breach.
    unpaid = due[: max(0, terms.breaches_to_end - len(paid))]
    shown = sorted(paid + unpaid)
    steps = [
        *(Step(f"settle window {each}", escrow.settle(terms, each), "escrow") for each in unpaid),
        Step("endForBreaches", escrow.end_for_breaches(terms, shown), "escrow"),
    ]
    effects = [
        f"breached windows: {', '.join(map(str, shown))} ({terms.breaches_to_end} are needed)",
        *(f"the credit that is due for window {each} is paid first" for each in unpaid),
        *_boundary_effects(on_chain, window),
    ]
    facts = {"endsBeforeWindow": window, "breached": shown}
    carry_out(session, on_chain, steps, effects, yes=yes, facts=facts)


def _breached(on_chain: OnChain) -> tuple[list[int], list[int]]:
    """Windows for which a credit was paid, and others for which one is due."""
    paid, due = [], []
    for number in range(min(on_chain.end, on_chain.current_window() + 1)):
        status, amount = on_chain.window_status(number)
        if amount:
            paid.append(number)
        elif status == "funded":
            with on_chain.chain.errors():
                _, claimable, _ = on_chain.escrow.claimable(on_chain.terms, number)
            if claimable:
                due.append(number)
    return paid, due


def _is_over(session: Session, on_chain: OnChain, window: int) -> bool:
    """Whether the agreement ends before ``window`` anyway; says so."""
    if window < on_chain.end:
        return False
    at = show_time(on_chain.terms.window_start(on_chain.end))
    why = "was ended" if on_chain.status == "ended" else "ends by itself"
    nothing_to_do(session, on_chain, f"the agreement {why} before window {on_chain.end}, at {at}")
    return True


def _boundary_effects(on_chain: OnChain, window: int) -> list[str]:
    begin = show_time(on_chain.terms.window_start(window))
    effects = [f"the agreement ends before window {window}, at {begin}; earlier ones go on"]
    funded, held = held_from(on_chain, window)
    if funded:
        back = tokens(on_chain, held)
        effects.append(f"{back}, paid for {windows_of(funded)}, go back to the consumer")
    else:
        effects.append("no later window is paid for: nothing is refunded")
    return effects
