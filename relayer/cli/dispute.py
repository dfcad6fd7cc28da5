"""`makegood sla dispute`, `rule` and `lapse`: what parties and arbiter do about a payment that waits (rule 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from relayer.bindings import Court
from relayer.cli.output import output_options
from relayer.cli.sending import (
    YES,
    Step,
    amount_option,
    carry_out,
    check_sender,
    nothing_to_do,
    opened,
    tokens,
)
from relayer.cli.session import DOCUMENT, session_options
from relayer.document.quantities import show_duration, show_time
from relayer.document.signatures import Role, party
from relayer.errors import ConfigurationError
from relayer.protocol.terms import NOBODY
from relayer.settlement import RULING_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from relayer.bindings import Dispute
    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session

SIDES: tuple[Role, ...] = ("consumer", "provider")
"""Whose payment it is, in the order of the court's enumeration."""

_Command = TypeVar("_Command", bound="Callable[..., Any]")


class Payment(NamedTuple):
    """A party's payment for a window, and the court that it waits in."""

    on_chain: OnChain
    court: Court
    window: int
    side: Role

    @property
    def number(self) -> int:
        return SIDES.index(self.side)

    @property
    def other(self) -> Role:
        return SIDES[1 - self.number]

    @property
    def name(self) -> str:
        return f"the {self.side}'s payment for window {self.window}"

    @property
    def facts(self) -> dict[str, Any]:
        return {"window": self.window, "side": self.side}

    @property
    def dispute(self) -> Dispute:
        with self.on_chain.chain.errors():
            agreement = self.on_chain.document.agreement_id
            return self.court.dispute_of(agreement, self.window, self.number)


def _payment_options(command: _Command) -> _Command:
    """The document, and which payment of it."""
    decorated: Any = command
    for decorate in (
        output_options,
        session_options,
        YES,
        click.option(
            "--side", type=click.Choice(SIDES), required=True, help="Whose payment it is."
        ),
        click.option(
            "--window", type=click.IntRange(min=0), required=True, help="Of which window."
        ),
        click.argument("document", type=DOCUMENT),
    ):
        decorated = decorate(decorated)
    result: _Command = decorated
    return result


@click.command
@_payment_options
def dispute(session: Session, document: Path, window: int, side: Role, *, yes: bool) -> None:
    """Dispute what the other party is paid for a window of DOCUMENT, while the payment waits.

    It freezes what depends on unknown intervals, and only that, until the arbiter rules. Once per party and window. The deposit
    comes back unless the arbiter awards nothing.
    """
    payment = _payment(session, document, window, side)
    on_chain, terms = payment.on_chain, payment.on_chain.terms
    check_sender(session, f"the {payment.other}", party(on_chain.document, payment.other))
    found = payment.dispute
    if found.status == "open":
        nothing_to_do(
            session,
            on_chain,
            f"it is disputed; the arbiter may rule until {show_time(found.ruling_by)}",
        )
        return
    if found.status != "none":
        raise ConfigurationError(
            f"{payment.name} was disputed before, and that is over ({found.status})",
            hint="a payment can be disputed once",
        )
    disputed = _disputable(payment)
    deposit = terms.dispute_deposit
    effects = [
        f"{tokens(on_chain, disputed)} of {payment.name} are frozen",
        f"the arbiter {terms.arbiter} has {show_duration(RULING_SECONDS)} to rule",
        "if the arbiter is silent, the payment stands and the deposit comes back",
    ]
    if deposit:
        effects.insert(
            2,
            f"a deposit of {tokens(on_chain, deposit)} is taken; it goes to the {side} if the arbiter awards nothing",
        )
    call = payment.court.dispute(terms, window, payment.number)
    facts = payment.facts | {
        "disputed": on_chain.document.amount(disputed),
        "deposit": on_chain.document.amount(deposit),
    }
    step = Step("dispute", call, "court", deposit)
    carry_out(session, on_chain, [step], effects, yes=yes, facts=facts)


@click.command
@click.option(
    "--award",
    metavar="TOKENS",
    required=True,
    help="So much of what is disputed goes to the party that disputed it.",
)
@_payment_options
def rule(
    session: Session, document: Path, window: int, side: Role, *, award: str, yes: bool
) -> None:
    """Decide a dispute of DOCUMENT as its arbiter. A ruling is final."""
    payment = _payment(session, document, window, side)
    on_chain, terms = payment.on_chain, payment.on_chain.terms
    check_sender(session, "the arbiter", terms.arbiter)
    units = amount_option(on_chain, "--award", award)
    found = _open_dispute(payment)
    if units > found.disputed:
        raise ConfigurationError(
            f"{tokens(on_chain, found.disputed)} are disputed: {tokens(on_chain, units)} cannot be awarded",
            hint="--award is between 0 and what is disputed",
        )
    if on_chain.now > found.ruling_by:
        raise ConfigurationError(
            f"the arbiter could rule until {show_time(found.ruling_by)}",
            hint=f"anyone may end the dispute: makegood sla lapse {document} --window {window} --side {side}",
        )
    effects = [
        f"the {payment.other} disputes {tokens(on_chain, found.disputed)} of {payment.name}",
        f"of that the {payment.other} gets {tokens(on_chain, units)}",
        f"and the {side} {tokens(on_chain, found.disputed - units)}",
    ]
    if terms.dispute_deposit:
        gets = payment.other if units else side
        effects.append(
            f"the deposit of {tokens(on_chain, terms.dispute_deposit)} goes to the {gets}"
        )
    call = payment.court.rule(terms, window, payment.number, units)
    facts = payment.facts | {
        "awarded": on_chain.document.amount(units),
        "upheld": on_chain.document.amount(found.disputed - units),
    }
    carry_out(session, on_chain, [Step("rule", call, "court")], effects, yes=yes, facts=facts)


@click.command
@_payment_options
def lapse(session: Session, document: Path, window: int, side: Role, *, yes: bool) -> None:
    """End a dispute of DOCUMENT on which the arbiter was silent: the payment stands. Anyone may."""
    payment = _payment(session, document, window, side)
    on_chain = payment.on_chain
    if payment.dispute.status == "lapsed":
        nothing_to_do(session, on_chain, "the dispute is over: the arbiter was silent")
        return
    found = _open_dispute(payment)
    if on_chain.now <= found.ruling_by:
        raise ConfigurationError(
            f"the arbiter may rule until {show_time(found.ruling_by)}",
            hint="a dispute lapses after that",
        )
    effects = [f"the {side} gets {tokens(on_chain, found.disputed)}: the payment stands"]
    if deposit := on_chain.terms.dispute_deposit:
        effects.append(f"the {payment.other} gets the deposit of {tokens(on_chain, deposit)} back")
    call = payment.court.lapse(on_chain.terms, window, payment.number)
    carry_out(
        session, on_chain, [Step("lapse", call, "court")], effects, yes=yes, facts=payment.facts
    )


def _payment(session: Session, path: Path, window: int, side: Role) -> Payment:
    on_chain = opened(session, path)
    if on_chain.terms.arbiter == NOBODY:
        raise ConfigurationError(
            f"{path} names no arbiter: payments are immediate and final",
            hint=f"makegood sla validate {path}",
        )
    if window >= on_chain.terms.windows:
        raise click.BadParameter(
            f"the agreement has windows 0 to {on_chain.terms.windows - 1}", param_hint="--window"
        )
    with on_chain.chain.errors():
        court = Court(on_chain.chain.w3, on_chain.escrow.court())
    return Payment(on_chain, court, window, side)


def _open_dispute(payment: Payment) -> Dispute:
    found = payment.dispute
    if found.status == "open":
        return found
    how = {"none": "is not disputed", "ruled": "was ruled on already; a ruling is final"}
    raise ConfigurationError(
        f"{payment.name} {how.get(found.status, 'is not disputed any more: the arbiter was silent')}",
        hint=f"makegood sla status {payment.on_chain.document.path}",
    )


def _disputable(payment: Payment) -> int:
    """What a dispute would freeze now: the twin of ``DisputeCourt._disputable``. Raises ConfigurationError if nothing."""
    on_chain, terms, window = payment.on_chain, payment.on_chain.terms, payment.window
    with on_chain.chain.errors():
        matured, waiting = payment.court.waiting(
            on_chain.document.agreement_id, window, payment.number
        )
        least, most = on_chain.escrow.bounds(terms, window)
        _, paid = on_chain.escrow.window(on_chain.document.agreement_id, window)
        _, due, _ = on_chain.escrow.claimable(terms, window)
    if not waiting:
        when = "its challenge period is over" if matured else "none has been made, or it was paid"
        raise ConfigurationError(
            f"nothing of {payment.name} waits: {when}",
            hint=f"a payment can be disputed for {show_duration(terms.challenge_period)}",
        )
    uncertain = most - paid if payment.side == "provider" else paid + due - least
    if uncertain <= 0:
        raise ConfigurationError(
            f"nothing of {payment.name} depends on an unknown interval: what reporters agreed on is no matter for an arbiter",
            hint=f"makegood sla status {on_chain.document.path}",
        )
    return min(waiting, uncertain)
