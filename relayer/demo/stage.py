"""What there is before the play begins: the contracts on a chain, and wallets with money."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from eth_account import Account

from relayer.bindings import Escrow, Oracle, Token
from relayer.demo.processes import MNEMONIC, environment, python_module
from relayer.errors import ChainUnavailable, MakegoodError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eth_account.datastructures import SignedTransaction
    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress
    from web3.contract.contract import ContractFunction
    from web3.types import TxReceipt

    from relayer.chain import Chain

T = TypeVar("T")

COIN = 10**18
PATIENCE_SECONDS = 180
"""How long a busy chain may take to answer, or to mine a transaction [s]."""
RESEND_SECONDS = 5
"""After this a transaction is sent once more: ganache may lose those that come while it mines [s]."""
_PAUSE = 0.2


@dataclass(frozen=True)
class Wallets:
    """Fresh keys, made for this run alone."""

    provider: LocalAccount
    consumer: LocalAccount
    reporters: tuple[LocalAccount, ...]

    @classmethod
    def generate(cls, reporters: int) -> Wallets:
        made = tuple(Account.create() for _ in range(reporters))
        return cls(Account.create(), Account.create(), made)


@dataclass(frozen=True)
class Contracts:
    """What was deployed.

    :param decimals: Of the token.
    """

    oracle: Oracle
    escrow: Escrow
    token: Token
    decimals: int


class Gift(NamedTuple):
    """A transaction that one of the chain's rich test accounts sends."""

    to: ChecksumAddress
    coins: int = 0
    data: str = "0x"


def deploy(chain: Chain, rpc_url: str, folder: Path) -> Contracts:
    """Deploys in a process of its own, because brownie is not part of the relayer."""
    deployments = folder / "deployments"
    run = subprocess.run(  # noqa: S603 - a command of our own
        python_module("scripts.local", rpc_url),
        env={**environment(folder), "MAKEGOOD_DEPLOYMENTS": str(deployments)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise MakegoodError(f"the contracts could not be deployed: {run.stderr.strip()[-500:]}")
    recorded = json.loads((deployments / f"{chain.chain_id}.json").read_text())
    addresses = {name: entry["address"] for name, entry in recorded["contracts"].items()}
    token = Token(chain.w3, addresses["TestDollar"])
    return Contracts(
        Oracle(chain.w3, addresses["MonitoringOracle"]),
        Escrow(chain.w3, addresses["SLAEscrow"]),
        token,
        patiently(chain, token.decimals),
    )


def hand_out_money(chain: Chain, contracts: Contracts, wallets: Wallets, fee: int) -> None:
    """Coins for gas to those who send transactions; the fee to the consumer, who lets the escrow take it."""
    mint = contracts.token.mint(wallets.consumer.address, fee)
    gifts = [Gift(each.address, COIN) for each in (wallets.consumer, *wallets.reporters)]
    gifts.append(Gift(contracts.token.address, data=str(mint._encode_transaction_data())))  # noqa: SLF001
    give(chain, gifts)
    send(chain, contracts.token.approve(contracts.escrow.address, fee), wallets.consumer)


def give(chain: Chain, gifts: Sequence[Gift]) -> None:
    """Send all gifts at once, each from another test account: ganache loses all but the first of those that one sends.

    :raises ChainUnavailable: One was not mined in time.
    """
    Account.enable_unaudited_hdwallet_features()
    fees = patiently(chain, chain.fees)
    signed = []
    for number, gift in enumerate(gifts, 1):
        rich = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": chain.chain_id,
            "nonce": patiently(chain, partial(chain.nonce, rich.address)),
            "to": gift.to,
            "value": gift.coins,
            "data": gift.data,
            "gas": 100_000,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }
        signed.append(rich.sign_transaction(transaction))
    _deliver(chain, signed)


def send(chain: Chain, call: ContractFunction, account: LocalAccount) -> TxReceipt:
    """Send one transaction, and wait until it is mined, however busy the chain is.

    :raises ChainUnavailable: It was not mined in time.
    """
    sender = account.address
    transaction = patiently(
        chain, lambda: chain.prepare(call, sender, chain.nonce(sender), chain.fees())
    )
    [receipt] = _deliver(chain, [account.sign_transaction(transaction)])
    return receipt


def patiently(chain: Chain, ask: Callable[[], T]) -> T:
    """The chain's answer, also if it is too busy to give it at once.

    :raises ChainUnavailable: It has not answered for a long time.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with chain.errors():
                return ask()
        except ChainUnavailable:
            if time.monotonic() > give_up:
                raise
        time.sleep(_PAUSE)


def _deliver(chain: Chain, signed: Sequence[SignedTransaction]) -> list[TxReceipt]:
    """Send transactions until they are mined: again and again, for a pool may lose them. Of each nonce one counts."""
    receipts: dict[bytes, TxReceipt] = {}
    give_up = time.monotonic() + PATIENCE_SECONDS
    send_at = 0.0
    while missing := [each for each in signed if bytes(each.hash) not in receipts]:
        now = time.monotonic()
        if now > give_up:
            raise ChainUnavailable(f"{chain.host} has mined nothing within {PATIENCE_SECONDS} s")
        again = now >= send_at
        with suppress(ChainUnavailable):
            for each in missing:
                if again:
                    chain.broadcast(bytes(each.raw_transaction))
                if receipt := chain.receipt(bytes(each.hash)):
                    receipts[bytes(each.hash)] = receipt
        if again:
            send_at = now + RESEND_SECONDS
        time.sleep(_PAUSE)
    if any(receipt["status"] != 1 for receipt in receipts.values()):
        raise MakegoodError("a transaction was reverted: this is a bug in makegood")
    return [receipts[bytes(each.hash)] for each in signed]
