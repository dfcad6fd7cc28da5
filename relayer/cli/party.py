"""`makegood sla revoke`, `payout` and `withdraw`: what a party does in its own name. Its key is the one that sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from relayer import keys
from relayer.cli.agreement import OnChain
from relayer.cli.money import YES, confirm, transaction_hash
from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import quantities, signatures
from relayer.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from eth_typing import ChecksumAddress
    from web3.contract.contract import ContractFunction

    from relayer.cli.session import Session


@dataclass(frozen=True, slots=True)
class Step:
    """A call of the escrow by a party.

    :param call: None if there is nothing left to do.
    :param about: What it does, for people.
    """

    function: str
    call: ContractFunction | None
    about: str


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
    on_chain, sender = _opened(session, document)
    role = _role(on_chain, sender)
    if on_chain.registered:
        raise ConfigurationError(
            "the agreement was opened already: withdrawing a signature changes nothing now",
            hint=f"makegood sla status {document}",
        )
    if role in on_chain.revoked_by:
        step = Step("revoke", None, "the signature is withdrawn already")
    else:
        call = on_chain.escrow.revoke(on_chain.document.agreement_id)
        step = Step("revoke", call, f"withdraw the {role}'s signature, for good")
    _send(session, on_chain, sender, step, yes=yes)


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
    on_chain, sender = _opened(session, document)
    _role(on_chain, sender)
    with on_chain.chain.errors():
        now = on_chain.escrow.payout(sender)
    if now == to:
        step = Step("setPayout", None, f"payments go to {to} already")
    else:
        call = on_chain.escrow.set_payout(to)
        step = Step("setPayout", call, f"send payments of all agreements to {to}, not to {now}")
    _send(session, on_chain, sender, step, yes=yes)


@click.command
@click.argument("document", type=DOCUMENT)
@click.option("--to", metavar="ADDRESS", callback=_address, help="Not to your own address.")
@YES
@session_options
@output_options
def withdraw(session: Session, document: Path, to: ChecksumAddress | None, *, yes: bool) -> None:
    """Fetch payments in the token of DOCUMENT that the escrow could not deliver to you."""
    on_chain, sender = _opened(session, document)
    token = on_chain.terms.token
    with on_chain.chain.errors():
        amount = on_chain.escrow.withdrawable(token, sender)
    if not amount:
        step = Step("withdraw", None, f"nothing waits for {sender}")
    else:
        call = on_chain.escrow.withdraw(token, to or sender)
        shown = f"{on_chain.document.amount(amount)} {on_chain.symbol}"
        step = Step("withdraw", call, f"withdraw {shown} to {to or sender}")
    _send(session, on_chain, sender, step, yes=yes)


def _opened(session: Session, path: Path) -> tuple[OnChain, ChecksumAddress]:
    """The agreement on its chain, and whose key is configured."""
    sender = keys.address_of(session.config.key)
    if sender is None:
        raise KeyUnavailable("no key is configured", hint="use the key of the party")
    document = session.document(path)
    on_chain = OnChain(document, session.chain(document.chain_id))
    on_chain.check()
    return on_chain, sender


def _role(on_chain: OnChain, sender: ChecksumAddress) -> signatures.Role:
    for role in signatures.ROLES:
        if signatures.party(on_chain.document, role) == sender:
            return role
    raise KeyUnavailable(
        f"{sender} is neither provider nor consumer of {on_chain.document.name}",
        hint="use the key of the party",
    )


def _send(
    session: Session, on_chain: OnChain, sender: ChecksumAddress, step: Step, *, yes: bool
) -> None:
    """Shows, asks and sends, if there is anything to send."""
    chain, document, output = on_chain.chain, on_chain.document, session.output
    sent: dict[str, str] = {}
    if step.call is None:
        output.note(f"{step.about}; nothing was sent")
    else:
        for name, value in (
            ("network", f"chain {chain.chain_id} ({chain.host})"),
            ("agreement", f"{document.name}, 0x{document.agreement_id.hex()}"),
            ("from", sender),
            ("to", f"{on_chain.escrow.address} (escrow)"),
            ("function", step.function),
            ("effect", step.about),
        ):
            output.note(f"{name:<10} {value}")
        keys.refuse_public_key(sender, chain.chain_id)
        chain.simulate(step.call, sender)
        confirm(session, chain.chain_id, yes=yes)
        account = session.needed_account(chain.chain_id)
        with output.working(f"sending {step.function}"):
            sent[step.function] = transaction_hash(chain.send(step.call, account))
    result = {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "document": str(document.path),
        "chainId": document.chain_id,
        "function": step.function,
        "effect": step.about,
        "transactions": sent,
    }
    output.data(
        result,
        lambda: output.fields(
            [
                ("agreement", result["agreementId"]),
                *((f"{name} transaction", tx) for name, tx in sent.items()),
            ]
        ),
    )
