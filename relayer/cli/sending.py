"""What commands have in common that send in a party's name: say what will happen, ask, approve what is taken, send.

Without a key they say what would happen. Nothing is sent before the first call was simulated, and nothing is approved for a call
that would be refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from relayer import keys
from relayer.cli.agreement import OnChain
from relayer.document import quantities, signatures
from relayer.errors import ConfigurationError, KeyUnavailable, MakegoodError, Reverted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eth_account.signers.base import BaseAccount
    from eth_typing import ChecksumAddress
    from web3.contract.contract import ContractFunction
    from web3.types import TxReceipt

    from relayer.cli.session import Session
    from relayer.document import Document

YES = click.option("--yes", is_flag=True, help="Do not ask.")

# Errors of these come from our contracts; all others, when money is taken, from the token.
_OURS = (
    "SLAEscrow_",
    "DisputeCourt_",
    "MonitoringOracle_",
    "PartySignatures_",
    "Treasury_",
    "Measurement_",
    "Scope_",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    :param name: What the command calls its transaction, unique in a command.
    :param contract: Whom it calls, for people.
    :param amount: What the called contract takes from the sender's allowance [units of the token's decimals].
    :param approval: What the transaction that allows it is called; by default "approve for" and the name.
    """

    name: str
    call: ContractFunction
    contract: str
    amount: int = 0
    approval: str | None = None


def reached(session: Session, document: Document) -> OnChain:
    """The agreement of a document on its chain, open or not. Raises ConfigurationError if the contracts are not those that it means."""
    on_chain = OnChain(document, session.chain(document.chain_id))
    on_chain.check()
    return on_chain


def opened(session: Session, path: Path) -> OnChain:
    """The agreement of a document on its chain. Raises ConfigurationError if it was never opened."""
    on_chain = reached(session, session.document(path))
    if not on_chain.registered:
        raise ConfigurationError(
            f"the agreement of {path} is not open", hint=f"makegood sla open {path}"
        )
    return on_chain


def sender_of(session: Session) -> ChecksumAddress | None:
    """Whose key is configured; None: nobody's, so a command only says what it would do."""
    return keys.address_of(session.config.key)


def check_sender(session: Session, who: str, *allowed: ChecksumAddress) -> None:
    """Raises KeyUnavailable if the configured key is not that of an account that may send.

    :param who: What the allowed ones are called: "the arbiter".
    """
    sender = sender_of(session)
    if sender is not None and sender not in allowed:
        raise KeyUnavailable(
            f"this is the key of {sender}, but only {who} may do this ({' or '.join(allowed)})",
            hint=f"use the key of {who}",
        )


def signing_account(session: Session, on_chain: OnChain, role: signatures.Role) -> BaseAccount:
    """The configured key, which is that of the party. Raises KeyUnavailable."""
    expected = signatures.party(on_chain.document, role)
    check_sender(session, f"the {role}", expected)
    return session.needed_account(on_chain.chain.chain_id)


def tokens(on_chain: OnChain, amount: int) -> str:
    """An amount for people: "40.00 tUSD"."""
    return f"{on_chain.document.amount(amount)} {on_chain.symbol}"


def amount_option(on_chain: OnChain, option: str, text: str) -> int:
    """What an option says in tokens, in the token's smallest units. Raises a usage error."""
    try:
        return quantities.amount(text, on_chain.document.token_decimals)
    except ValueError as error:
        raise click.BadParameter(f'found "{text}"; {error}', param_hint=option) from None


def read_with(
    reader: Callable[[object], int],
) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """A callback for options whose text a reader of :mod:`relayer.document.quantities` understands."""

    def callback(_: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
        try:
            return None if value is None else reader(value)
        except ValueError as error:
            raise click.BadParameter(f'found "{value}"; {error}', param=parameter) from None

    return callback


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


def agree(session: Session, chain_id: int, question: str, *, yes: bool) -> None:
    """Asks before something is signed, as :func:`confirm` does before it is sent."""
    if session.output.interactive and not yes:
        if not session.output.confirm(question):
            raise MakegoodError("not confirmed; nothing was signed")
    else:
        confirm(session, chain_id, yes=yes)


def show_plan(session: Session, on_chain: OnChain, effects: Sequence[str]) -> None:
    """Says which agreement it is about, and what will happen."""
    chain, document = on_chain.chain, on_chain.document
    lines = [
        ("network", f"chain {chain.chain_id} ({chain.host})"),
        ("agreement", f"{document.name}, 0x{document.agreement_id.hex()}"),
        *(("effect", effect) for effect in effects),
    ]
    _note(session, lines)


def nothing_to_do(
    session: Session, on_chain: OnChain, why: str, facts: dict[str, Any] | None = None
) -> None:
    """The command found its work done already."""
    session.output.note(f"nothing to do: {why}; nothing was sent")
    _result(session, on_chain, [], {}, facts or {}, dry_run=False)


def carry_out(
    session: Session,
    on_chain: OnChain,
    steps: Sequence[Step],
    effects: Sequence[str],
    *,
    yes: bool,
    facts: dict[str, Any] | None = None,
) -> None:
    """Shows, asks, approves what is missing of the allowances, and sends one step after the other.

    :param facts: What ``--json`` shows beside the transactions.
    """
    output, chain = session.output, on_chain.chain
    sender = sender_of(session)
    show_plan(session, on_chain, effects)
    _show_calls(session, on_chain, sender, steps)
    if sender is None:
        output.note("dry run: no key is configured, so nothing was sent")
        _result(session, on_chain, effects, {}, facts or {}, dry_run=True)
        return
    keys.refuse_public_key(sender, chain.chain_id)
    _check_balance(on_chain, sender, sum(step.amount for step in steps))
    _simulate(on_chain, sender, steps[0])
    confirm(session, chain.chain_id, yes=yes)
    account = session.needed_account(chain.chain_id)
    sent: dict[str, str] = {}
    for step in steps:
        missing = _missing(on_chain, sender, step)
        if missing:
            # Once more: much can happen while a question waits for its answer.
            _simulate(on_chain, sender, step)
            sent[step.approval or f"approve for {step.name}"] = _approve(
                session, on_chain, account, step
            )
        try:
            with output.working(f"sending {step.name}"):
                receipt = chain.send(step.call, account)
        except Reverted as error:
            if missing:
                output.warn(
                    f"note: the {step.contract} keeps an allowance of {tokens(on_chain, step.amount)} "
                    "that it did not use; approving 0 takes it back"
                )
            raise error from None
        sent[step.name] = transaction_hash(receipt)
    _result(session, on_chain, effects, sent, facts or {}, dry_run=False)
    output.note(f"next: makegood sla status {on_chain.document.path}")


def _show_calls(
    session: Session, on_chain: OnChain, sender: ChecksumAddress | None, steps: Sequence[Step]
) -> None:
    """Says who calls what, and what has to be approved for it."""
    lines = [("from", sender or "nobody: no key is configured")]
    for step in steps:
        lines += [
            ("to", f"{step.call.address} ({step.contract})"),
            ("function", step.name),
        ]
        if step.amount:
            amount = tokens(on_chain, step.amount)
            lines.append(("amount", amount))
            if sender is None or _missing(on_chain, sender, step):
                lines.append(("first", f"approve exactly {amount} for the {step.contract}"))
    _note(session, lines)


def _note(session: Session, lines: Sequence[tuple[str, str]]) -> None:
    for name, value in lines:
        session.output.note(f"{name:<10} {value}")


def _check_balance(on_chain: OnChain, sender: ChecksumAddress, needed: int) -> None:
    if not needed:
        return
    with on_chain.chain.errors():
        balance = on_chain.token.balance(sender)
    if balance < needed:
        raise MakegoodError(
            f"{sender} has {tokens(on_chain, balance)}, but {on_chain.document.amount(needed)} are needed"
        )


def _missing(on_chain: OnChain, sender: ChecksumAddress, step: Step) -> bool:
    if not step.amount:
        return False
    with on_chain.chain.errors():
        return on_chain.token.allowance(sender, step.call.address) < step.amount


def _simulate(on_chain: OnChain, sender: ChecksumAddress, step: Step) -> None:
    """Raises Reverted if the step would fail, but not for want of the allowance that is still to be approved.

    The contracts check everything of their own before they take money.
    """
    try:
        on_chain.chain.simulate(step.call, sender)
    except Reverted as error:
        ours = error.error is not None and error.error.startswith(_OURS)
        if ours or not _missing(on_chain, sender, step):
            raise


def _approve(session: Session, on_chain: OnChain, account: BaseAccount, step: Step) -> str:
    """Allows exactly the amount. Some tokens want the old allowance to be taken back first."""
    spender = step.call.address
    approve = on_chain.token.approve(spender, step.amount)
    with session.output.working("approving the amount"):
        try:
            on_chain.chain.simulate(approve, account.address)
        except Reverted:
            on_chain.chain.send(on_chain.token.approve(spender, 0), account)
        return transaction_hash(on_chain.chain.send(approve, account))


def _result(
    session: Session,
    on_chain: OnChain,
    effects: Sequence[str],
    sent: dict[str, str],
    facts: dict[str, Any],
    *,
    dry_run: bool,
) -> None:
    document = on_chain.document
    result = {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "document": str(document.path),
        "chainId": document.chain_id,
        **facts,
        "effects": list(effects),
        "dryRun": dry_run,
        "transactions": sent,
    }
    session.output.data(
        result,
        lambda: session.output.fields(
            [
                ("agreement", result["agreementId"]),
                *((f"{name} transaction", tx) for name, tx in sent.items()),
            ]
        ),
    )


def transaction_hash(receipt: TxReceipt) -> str:
    """The transaction's hash in hexadecimal."""
    return f"0x{bytes(receipt['transactionHash']).hex()}"
