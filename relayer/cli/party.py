"""`makegood sla revoke`, `payout` and `withdraw`: what a party does in its own name. Its key is the one that sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from relayer.cli.output import output_options
from relayer.cli.sending import YES, Step, carry_out, nothing_to_do, reached, sender_of, tokens
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import quantities, signatures
from relayer.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from eth_typing import ChecksumAddress

    from relayer.cli.agreement import OnChain
    from relayer.cli.session import Session


def _address(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else quantities.address(value)
    except ValueError as error:
        raise click.BadParameter(f'found "{value}"; {error}', param=parameter) from None


@click.command
@click.argument("document", type=DOCUMENT)
@YES
@session_options
@output_options
def revoke(session: Session, document: Path, *, yes: bool) -> None:
    """Withdraw your signature under DOCUMENT, for good, while the agreement is not open.

    Whoever holds your signature can open the agreement until then; a file that you delete does not take it back.
    """
    on_chain, sender = _reached_with_key(session, document)
    role = _role(on_chain, sender)
    if on_chain.registered:
        raise ConfigurationError(
            "the agreement was opened already: withdrawing a signature changes nothing now",
            hint=f"makegood sla status {document}",
        )
    if role in on_chain.revoked_by:
        done = "the signature is withdrawn already"
        nothing_to_do(session, on_chain, done, _facts("revoke", done))
        return
    step = Step("revoke", on_chain.escrow.revoke(on_chain.document.agreement_id), "escrow")
    effect = f"withdraw the {role}'s signature, for good"
    carry_out(session, on_chain, [step], [effect], yes=yes, facts=_facts("revoke", effect))


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--to", required=True, metavar="ADDRESS", callback=_address, help="The new address.")
@YES
@session_options
@output_options
def payout(session: Session, document: Path, to: ChecksumAddress, *, yes: bool) -> None:
    """Have what the escrow of DOCUMENT pays you, in all your agreements, sent to another address.

    Your own address takes that back. What waits to be withdrawn stays yours.
    """
    on_chain, sender = _reached_with_key(session, document)
    _role(on_chain, sender)
    with on_chain.chain.errors():
        now = on_chain.escrow.payout(sender)
    if now == to:
        done = f"payments go to {to} already"
        nothing_to_do(session, on_chain, done, _facts("setPayout", done))
        return
    step = Step("setPayout", on_chain.escrow.set_payout(to), "escrow")
    effect = f"send payments of all agreements to {to}, not to {now}"
    carry_out(session, on_chain, [step], [effect], yes=yes, facts=_facts("setPayout", effect))


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--to", metavar="ADDRESS", callback=_address, help="Not to your own address.")
@YES
@session_options
@output_options
def withdraw(session: Session, document: Path, to: ChecksumAddress | None, *, yes: bool) -> None:
    """Fetch payments in the token of DOCUMENT that the escrow could not deliver to you."""
    on_chain, sender = _reached_with_key(session, document)
    token = on_chain.terms.token
    with on_chain.chain.errors():
        amount = on_chain.escrow.withdrawable(token, sender)
    if not amount:
        done = f"nothing waits for {sender}"
        nothing_to_do(session, on_chain, done, _facts("withdraw", done))
        return
    step = Step("withdraw", on_chain.escrow.withdraw(token, to or sender), "escrow")
    effect = f"withdraw {tokens(on_chain, amount)} to {to or sender}"
    carry_out(session, on_chain, [step], [effect], yes=yes, facts=_facts("withdraw", effect))


def _reached_with_key(session: Session, path: Path) -> tuple[OnChain, ChecksumAddress]:
    """The agreement on its chain, and whose key is configured."""
    sender = sender_of(session)
    if sender is None:
        raise KeyUnavailable("no key is configured", hint="use the key of the party")
    return reached(session, session.document(path)), sender


def _role(on_chain: OnChain, sender: ChecksumAddress) -> signatures.Role:
    for role in signatures.ROLES:
        if signatures.party(on_chain.document, role) == sender:
            return role
    raise KeyUnavailable(
        f"{sender} is neither provider nor consumer of {on_chain.document.name}",
        hint="use the key of the party",
    )


def _facts(function: str, effect: str) -> dict[str, Any]:
    """What ``--json`` shows of each of these commands."""
    return {"function": function, "effect": effect}
