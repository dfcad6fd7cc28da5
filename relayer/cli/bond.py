"""`makegood sla bond`: the provider's collateral, posted and given back (rule 23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relayer.cli.output import output_options
from relayer.cli.sending import YES, Step, amount_option, carry_out, nothing_to_do, opened, tokens
from relayer.cli.session import DOCUMENT, session_options
from relayer.document.quantities import show_time
from relayer.errors import ConfigurationError
from relayer.protocol.terms import NO_TERMS

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.bindings import Bond
    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--amount", metavar="TOKENS", help="So much; by default what is missing.")
@click.option("--release", is_flag=True, help="Give the provider what is left of it.")
@YES
@session_options
@output_options
def bond(session: Session, document: Path, amount: str | None, *, release: bool, yes: bool) -> None:
    """Post the bond of DOCUMENT, without which no window can be paid for; or give it back when it has served.

    Anyone may do either. Without a key this says what would be done.
    """
    if release and amount is not None:
        raise click.UsageError("--release gives back all of it: leave --amount out")
    on_chain = opened(session, document)
    terms = on_chain.terms
    if not terms.bond:
        raise ConfigurationError(
            f"{document} asks for no bond (spec.money.bond)",
            hint=f"makegood sla validate {document}",
        )
    with on_chain.chain.errors():
        held = on_chain.escrow.bond(on_chain.document.agreement_id)
    if release:
        _release(session, on_chain, held, yes=yes)
    else:
        _post(session, on_chain, held, amount, yes=yes)


def missing(on_chain: OnChain, held: Bond) -> int:
    """What would have to be posted now for the bond to be there in full; what is owed, once no window can be paid for."""
    needed = on_chain.terms.bond if on_chain.now < last_begins(on_chain) else 0
    return max(0, needed - held.amount) + held.owed


def _post(
    session: Session, on_chain: OnChain, held: Bond, amount: str | None, *, yes: bool
) -> None:
    units = (
        missing(on_chain, held) if amount is None else amount_option(on_chain, "--amount", amount)
    )
    if amount is not None and not 0 < units < 1 << 128:
        raise click.BadParameter("write an amount larger than 0", param_hint="--amount")
    if not units:
        there = f"{tokens(on_chain, held.amount)} of the bond are there, and no more are needed"
        nothing_to_do(session, on_chain, there)
        return
    owed = min(units, held.owed)
    after = held.amount + units - owed
    effects = [
        f"{tokens(on_chain, units)} are taken from the sender for the provider's bond",
        f"the escrow then holds {tokens(on_chain, after)} of the {tokens(on_chain, on_chain.terms.bond)} agreed",
    ]
    if owed:
        effects.insert(
            1, f"{tokens(on_chain, owed)} of them go to the consumer: credits that were still owed"
        )
    step = Step("postBond", on_chain.escrow.post_bond(on_chain.terms, units), "escrow", units)
    facts = {"amount": on_chain.document.amount(units), "bond": on_chain.document.amount(after)}
    carry_out(session, on_chain, [step], effects, yes=yes, facts=facts)


def _release(session: Session, on_chain: OnChain, held: Bond, *, yes: bool) -> None:
    if not held.amount:
        nothing_to_do(session, on_chain, "nothing of the bond is there")
        return
    begins = last_begins(on_chain)
    status = f"makegood sla status {on_chain.document.path}"
    if held.open_windows:
        raise ConfigurationError(
            f"the bond still stands for {held.open_windows} paid windows that are not closed",
            hint=f"release it when they are: {status}",
        )
    if on_chain.now < begins:
        raise ConfigurationError(
            f"the bond stands until the last window begins, at {show_time(begins)}",
            hint="release it then, or end the agreement first (makegood sla end)",
        )
    effects = [f"the provider gets the rest of the bond, {tokens(on_chain, held.amount)}"]
    step = Step("releaseBond", on_chain.escrow.release_bond(on_chain.terms), "escrow")
    facts = {"amount": on_chain.document.amount(held.amount)}
    carry_out(session, on_chain, [step], effects, yes=yes, facts=facts)


def last_begins(on_chain: OnChain) -> int:
    """Until when windows could still be paid for [s, UNIX time]: the twin of ``Bonds._lastBegins``."""
    terms = on_chain.terms
    if on_chain.end:
        return terms.window_start(on_chain.end - 1)
    return 0 if terms.previous == NO_TERMS else terms.start
