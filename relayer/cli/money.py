"""`makegood sla open` and `fund`: the commands that pay. Each says what it will do, and asks, before it does it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from relayer import keys
from relayer.cli.agreement import OnChain, windows_text
from relayer.cli.output import output_options
from relayer.cli.session import DOCUMENT, session_options
from relayer.document import signatures
from relayer.document.quantities import show_time
from relayer.errors import ConfigurationError, MakegoodError, Reverted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eth_account.signers.base import BaseAccount
    from web3.contract.contract import ContractFunction
    from web3.types import TxReceipt

    from relayer.cli.session import Session
    from relayer.document import Document

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
YES = click.option("--yes", is_flag=True, help="Do not ask.")


@dataclass(frozen=True, slots=True)
class Payment:
    """A call of the escrow that takes money from the caller's allowance."""

    on_chain: OnChain
    call: ContractFunction
    function: str
    amount: int
    windows: Sequence[int]

    @property
    def document(self) -> Document:
        return self.on_chain.document


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
    on_chain = OnChain(agreement, session.chain(agreement.chain_id))
    on_chain.check()
    if on_chain.status == "open":
        session.output.note("the agreement is open already; nothing was sent")
        _result(session, agreement, "open", {}, None, dry_run=False)
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
    _pay(session, Payment(on_chain, call, "open", amount, windows), yes=yes)


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
    on_chain = OnChain(agreement, session.chain(agreement.chain_id))
    on_chain.check()
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
    _pay(session, Payment(on_chain, call, "fund", amount, chosen), yes=yes)


def window_range(text: str, windows: int) -> range:
    """Windows "3" or "1..4". Raises a usage error if there are no such windows."""
    match = _RANGE.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not first <= last < windows:
        raise click.BadParameter(
            f'found "{text}"; write N or A..B between 0 and {windows - 1}', param_hint="--windows"
        )
    return range(first, last + 1)


def _pay(session: Session, payment: Payment, *, yes: bool) -> None:
    """Shows, asks, approves what is missing of the allowance, and sends."""
    on_chain, output = payment.on_chain, session.output
    key = session.config.key
    payer = keys.address_of(key)
    missing = _missing_allowance(payment, payer) if payer else 0
    balance_fault = _balance_fault(payment, payer) if payer else None
    _show_plan(session, payment, payer, missing)
    if payer is None:
        output.note("dry run: no key is configured, so nothing was sent")
        if balance_fault is None:
            _result(session, payment.document, payment.function, {}, payment, dry_run=True)
        return
    keys.refuse_public_key(payer, on_chain.chain.chain_id)
    if balance_fault:
        raise balance_fault
    if not missing:
        on_chain.chain.simulate(payment.call, payer)
    confirm(session, on_chain.chain.chain_id, yes=yes)
    account = session.needed_account(on_chain.chain.chain_id)
    sent: dict[str, str] = {}
    if missing:
        sent["approve"] = _approve(session, payment, account)
    try:
        with output.working(f"sending {payment.function}"):
            receipt = on_chain.chain.send(payment.call, account)
    except Reverted as error:
        if missing:
            output.warn(
                f"note: the escrow keeps an allowance of {payment.document.amount(payment.amount)} "
                "that it did not use; approving 0 takes it back"
            )
        raise error from None
    sent[payment.function] = transaction_hash(receipt)
    _result(session, payment.document, payment.function, sent, payment, dry_run=False)
    output.note(f"next: makegood sla status {payment.document.path}")


def _missing_allowance(payment: Payment, payer: Any) -> int:
    """What the escrow may take too little."""
    on_chain = payment.on_chain
    with on_chain.chain.errors():
        allowed = on_chain.token.allowance(payer, on_chain.escrow.address)
    return max(0, payment.amount - allowed)


def _balance_fault(payment: Payment, payer: Any) -> MakegoodError | None:
    on_chain, document = payment.on_chain, payment.document
    with on_chain.chain.errors():
        balance = on_chain.token.balance(payer)
    if balance >= payment.amount:
        return None
    return MakegoodError(
        f"{payer} has {document.amount(balance)} {on_chain.symbol}, "
        f"but {document.amount(payment.amount)} are needed"
    )


def _show_plan(session: Session, payment: Payment, payer: str | None, missing: int) -> None:
    on_chain, document, output = payment.on_chain, payment.document, session.output
    amount = f"{document.amount(payment.amount)} {on_chain.symbol}"
    windows = f" for windows {windows_text(payment.windows)}" if payment.windows else ""
    lines = [
        ("network", f"chain {on_chain.chain.chain_id} ({on_chain.chain.host})"),
        ("agreement", f"{document.name}, 0x{document.agreement_id.hex()}"),
        ("from", payer or "nobody: no key is configured"),
        ("to", f"{on_chain.escrow.address} (escrow)"),
        ("function", payment.function),
        ("amount", f"{amount}{windows}"),
    ]
    if missing:
        lines.append(("first", f"approve exactly {amount} for the escrow"))
    for name, value in lines:
        output.note(f"{name:<10} {value}")


def confirm(session: Session, chain_id: int, *, yes: bool) -> None:
    """Asks whether to send; without a terminal only ``--yes`` will do, except on a local chain."""
    output = session.output
    if yes:
        return
    if output.interactive:
        if not output.confirm("Send?"):
            raise MakegoodError("not confirmed; nothing was sent")
    elif chain_id not in keys.LOCAL_CHAINS:
        raise click.UsageError(f"without a terminal, sending on chain {chain_id} needs --yes")


def _approve(session: Session, payment: Payment, account: BaseAccount) -> str:
    """Allows the escrow exactly the amount. Some tokens want the old allowance to be taken back first."""
    on_chain = payment.on_chain
    approve = on_chain.approve(payment.amount)
    with session.output.working("approving the amount"):
        try:
            on_chain.chain.simulate(approve, account.address)
        except Reverted:
            on_chain.chain.send(on_chain.approve(0), account)
        return transaction_hash(on_chain.chain.send(approve, account))


def _result(
    session: Session,
    document: Document,
    function: str,
    sent: dict[str, str],
    payment: Payment | None,
    *,
    dry_run: bool,
) -> None:
    output = session.output
    result = {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "document": str(document.path),
        "chainId": document.chain_id,
        "function": function,
        "windows": list(payment.windows) if payment else [],
        "amount": document.amount(payment.amount) if payment else document.amount(0),
        "dryRun": dry_run,
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


def transaction_hash(receipt: TxReceipt) -> str:
    """The transaction's hash in hexadecimal."""
    return f"0x{bytes(receipt['transactionHash']).hex()}"
