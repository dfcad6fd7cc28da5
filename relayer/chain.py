"""Talking to one EVM chain: connecting, reading, simulating, and sending a transaction that a person waits for.

The chain is reached through one endpoint or several (:mod:`relayer.rpc`). The daemon's transactions, which must survive it,
are in :mod:`relayer.outbox`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    BlockNotFound,
    ContractLogicError,
    TimeExhausted,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)

from relayer import rpc_agreement
from relayer.bindings import decode_error
from relayer.errors import ChainUnavailable, ConfigurationError, Reverted
from relayer.rpc import FailoverProvider
from relayer.rpc_endpoint import Head
from relayer.rpc_errors import Kind, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eth_account.signers.base import BaseAccount
    from eth_typing import ChecksumAddress
    from web3.types import TxReceipt

    from relayer.bindings import Call
    from relayer.operations.alerts import Alerts

__all__ = ["Chain", "Fees", "Head", "Sent", "rpc_message", "unsigned"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

RECEIPT_SECONDS = 180
RECEIPT_POLL_SECONDS = 0.2
# What a transaction may cost more than its simulation did: storage may have changed in between.
GAS_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction pays per gas [wei]."""

    max_fee: int
    priority_fee: int

    def raised(self) -> Fees:
        """The least that replaces a pending transaction everywhere: both fees 12.5 % and 1 wei higher."""
        return Fees(self.max_fee * 9 // 8 + 1, self.priority_fee * 9 // 8 + 1)


class Sent(Enum):
    """What became of a transaction that was handed to the chain."""

    ACCEPTED = auto()
    """A node took it."""
    KNOWN = auto()
    """A node has it already."""
    NONCE_USED = auto()
    """Another transaction of the account, or this very one, was mined with its nonce."""
    UNDERPRICED = auto()
    """It pays too little: for the next block, for the pool, or to replace the pending one."""
    NO_FUNDS = auto()
    """The account cannot pay for it."""
    REFUSED = auto()
    """No node will ever take it."""


_SENT = {
    None: Sent.ACCEPTED,
    Kind.ALREADY_KNOWN: Sent.KNOWN,
    Kind.NONCE_TOO_LOW: Sent.NONCE_USED,
    Kind.UNDERPRICED: Sent.UNDERPRICED,
    Kind.INSUFFICIENT_FUNDS: Sent.NO_FUNDS,
}


class Chain:
    """A connection to a chain whose id is known. May be used from several threads.

    :param w3: Over a :class:`~relayer.rpc.FailoverProvider`, or over the HTTP provider of web3, which becomes one.
    :param max_fee_per_gas: No transaction pays more per gas [wei].
    :param agreement: How many endpoints have to agree where money is decided.
    """

    def __init__(
        self,
        w3: Web3,
        chain_id: int,
        *,
        max_fee_per_gas: int | None = None,
        agreement: int = 1,
        alerts: Alerts | None = None,
    ) -> None:
        if isinstance(w3.provider, HTTPProvider):
            url = str(w3.provider.endpoint_uri)
            w3.provider = FailoverProvider([url], chain_id=chain_id, alerts=alerts)
        # It asks for the chain's id before each call. The provider has checked that of every endpoint, and transactions are
        # made and signed here: they name the chain themselves.
        if "validation" in w3.middleware_onion:
            w3.middleware_onion.remove("validation")
        self.w3 = w3
        self.chain_id = chain_id
        self.max_fee_per_gas = max_fee_per_gas
        self._agreement = agreement
        self._alerts = alerts

    @classmethod
    def connect(
        cls,
        rpc_urls: str | Sequence[str],
        *,
        expected_chain_id: int | None = None,
        max_fee_per_gas: int | None = None,
        agreement: int = 1,
        alerts: Alerts | None = None,
    ) -> Chain:
        """Connect to a chain through one endpoint or several, the preferred one first.

        :param max_fee_per_gas: No transaction pays more per gas [wei].
        :param agreement: How many endpoints have to agree where money is decided, at most all.
        :param alerts: Where a failing endpoint is reported.
        :raises ChainUnavailable: No answer, no sense in it, or another chain.
        """
        urls = [rpc_urls] if isinstance(rpc_urls, str) else list(rpc_urls)
        if not 1 <= agreement <= max(1, len(urls)):
            raise ConfigurationError(
                f"{agreement} RPC endpoints have to agree, but there are {len(urls)}",
                hint="lower the agreement, or add endpoints",
            )
        provider = FailoverProvider(urls, chain_id=expected_chain_id, alerts=alerts)
        w3 = Web3(provider)
        with _rpc_errors(provider.name):
            chain_id = w3.eth.chain_id
        return cls(
            w3, chain_id, max_fee_per_gas=max_fee_per_gas, agreement=agreement, alerts=alerts
        )

    @property
    def host(self) -> str:
        """The endpoints without anything secret in their addresses."""
        return self._provider.name

    @property
    def _provider(self) -> FailoverProvider:
        return cast("FailoverProvider", self.w3.provider)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns whatever web3 raises into :class:`ChainUnavailable` or :class:`Reverted`."""
        with _rpc_errors(self.host):
            yield

    def agreed(self, read: Callable[[Web3], T], *, least: int | None = None) -> T:
        """What as many endpoints as have to agree say alike about one block.

        :param read: Reads through the Web3 it is given and through no other.
        :param least: So many suffice if no more answer, and none contradicts: for what must not wait until they do.
        :raises ChainUnavailable: They do not agree, or too few answer.
        """
        with self.errors():
            if self._agreement == 1:
                return read(self.w3)
            return rpc_agreement.agreed(
                self._provider, read, self._agreement, least=least, alerts=self._alerts
            )

    def head(self) -> Head:
        """The newest block. Its number never falls, unless all endpoints say that the chain was reorganised."""
        with self.errors():
            block = self.w3.eth.get_block("latest")
            return Head(int(block["number"]), bytes(block["hash"]), int(block["timestamp"]))

    def now(self) -> int:
        """Time of the newest block [s, UNIX time]."""
        return self.head().timestamp

    def finalized(self) -> int | None:
        """Number of the newest block that no reorganisation removes; None where the chain does not say."""
        with self.errors():
            try:
                return int(self.w3.eth.get_block("finalized")["number"])
            except BlockNotFound:
                return None
            except Web3RPCError as error:
                if classify(error) in (Kind.UNSUPPORTED, Kind.INVALID, Kind.LAGGING):
                    return None
                raise

    def balance(self, account: ChecksumAddress) -> int:
        """Balance in the chain's coin [wei]."""
        with self.errors():
            return int(self.w3.eth.get_balance(account))

    def nonce(self, account: ChecksumAddress) -> int:
        """How many transactions of the account are mined: its next nonce."""
        with self.errors():
            return int(self.w3.eth.get_transaction_count(account, "latest"))

    def has_code(self, address: ChecksumAddress) -> bool:
        with self.errors():
            return len(self.w3.eth.get_code(address)) > 0

    def fees(self) -> Fees:
        """Fees that get a transaction into one of the next blocks, within the agreed maximum."""
        with self.errors():
            base = int(self.w3.eth.get_block("latest").get("baseFeePerGas", 0))
            tip = int(self.w3.eth.max_priority_fee)
        fees = Fees(2 * base + tip, tip)
        if self.max_fee_per_gas is None or fees.max_fee <= self.max_fee_per_gas:
            return fees
        if base > self.max_fee_per_gas:
            raise ChainUnavailable(
                f"gas costs {base / 1e9:.3g} gwei now, more than the allowed "
                f"{self.max_fee_per_gas / 1e9:.3g}",
                hint="wait, or raise maxFeePerGasGwei",
            )
        return Fees(self.max_fee_per_gas, min(tip, self.max_fee_per_gas))

    def simulate(self, call: Call, sender: ChecksumAddress) -> Any:
        """What the call would return. Changes nothing and costs nothing.

        :raises Reverted: With the contract's own error.
        """
        with self.errors():
            return call.call({"from": sender})

    def estimate(self, call: Call, sender: ChecksumAddress) -> int:
        """Gas that the call would take now, without a margin.

        :raises Reverted: With the contract's own error.
        """
        with self.errors():
            return int(call.estimate_gas({"from": sender}))

    def prepare(
        self,
        call: Call,
        sender: ChecksumAddress,
        nonce: int,
        fees: Fees,
        gas: int | None = None,
    ) -> dict[str, Any]:
        """A transaction ready to be signed.

        :param gas: The most it may take; if it is not given, it is estimated, which simulates it once more.
        :raises Reverted: With the contract's own error.
        """
        return {
            "type": 2,
            "chainId": self.chain_id,
            "from": sender,
            "to": to_checksum_address(call.address),
            "nonce": nonce,
            "data": call._encode_transaction_data(),  # noqa: SLF001 - build_transaction would ask the node again
            "value": 0,
            "gas": int(self.estimate(call, sender) * GAS_MARGIN) if gas is None else gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }

    def broadcast(self, raw: bytes) -> Sent:
        """Hand a signed transaction to every endpoint.

        :raises ChainUnavailable: None gave a clear answer. One of them may have taken it all the same.
        """
        sent, said = self._broadcast(raw)
        if sent not in (Sent.ACCEPTED, Sent.KNOWN):
            log.warning(
                "transaction not taken",
                action="broadcast_refused",
                hash=Web3.to_hex(keccak(raw)),
                result=sent.name.lower(),
                said=said,
            )
        return sent

    def _broadcast(self, raw: bytes) -> tuple[Sent, str]:
        with self.errors():
            kind, answer = self._provider.broadcast(Web3.to_hex(raw))
        error = cast("dict[str, Any]", answer.get("error", {}))
        return _SENT.get(kind, Sent.REFUSED), str(error.get("message", ""))

    def receipt(self, tx_hash: bytes) -> TxReceipt | None:
        """The receipt of a mined transaction; None if it is in no block."""
        with self.errors():
            try:
                return self.w3.eth.get_transaction_receipt(HexBytes(tx_hash))
            except TransactionNotFound:
                return None

    def send(self, call: Call, account: BaseAccount) -> TxReceipt:
        """Simulate, sign, broadcast, and wait until the transaction is mined.

        :raises Reverted: The simulation or the transaction failed; the error is the contract's own.
        :raises ChainUnavailable: The chain did not answer. If the transaction was sent, the message names it.
        """
        sender = account.address
        self.simulate(call, sender)
        transaction = self.prepare(call, sender, self.nonce(sender), self.fees())
        signed = account.sign_transaction(transaction)
        tx_hash = Web3.to_hex(signed.hash)
        try:
            sent, said = self._broadcast(bytes(signed.raw_transaction))
        except ChainUnavailable as error:
            raise ChainUnavailable(
                f"transaction {tx_hash} may have been sent: {error.message}", hint=_LOOK_IT_UP
            ) from error
        if sent not in (Sent.ACCEPTED, Sent.KNOWN):
            raise ChainUnavailable(f"{self.host} answered: {said}", hint=_SEND_HINTS.get(sent))
        receipt = self._wait_for_receipt(bytes(signed.hash))
        if receipt["status"] != 1:
            # What changed between the simulation and the block shows in a second one.
            self.simulate(call, sender)
            raise Reverted(f"transaction {tx_hash} was reverted", hint="try again")
        return receipt

    def _wait_for_receipt(self, tx_hash: bytes) -> TxReceipt:
        """Outlasts a chain that does not answer for a while."""
        deadline = time.monotonic() + RECEIPT_SECONDS
        while True:
            problem: ChainUnavailable | None = None
            try:
                if receipt := self.receipt(tx_hash):
                    return receipt
            except ChainUnavailable as error:
                problem = error
            if time.monotonic() > deadline:
                why = f": {problem.message}" if problem else ""
                raise ChainUnavailable(
                    f"transaction {Web3.to_hex(tx_hash)} was sent, but is not mined within {RECEIPT_SECONDS:g} s{why}",
                    hint=_LOOK_IT_UP,
                ) from problem
            time.sleep(RECEIPT_POLL_SECONDS)


_LOOK_IT_UP = "look it up before you repeat the command; nothing is paid twice"
_SEND_HINTS = {
    Sent.NONCE_USED: "something else sends with this key at the same time; try again",
    Sent.UNDERPRICED: "another transaction of this key is pending, or gas became dearer; try again later",
    Sent.NO_FUNDS: "send coins to the account for its gas",
}


def unsigned(raw: bytes) -> dict[str, Any]:
    """The fields of a signed transaction, ready to be signed again."""
    fields = dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())
    return {name: value for name, value in fields.items() if name not in ("v", "r", "s")}


@contextmanager
def _rpc_errors(host: str) -> Iterator[None]:
    try:
        yield
    except ContractLogicError as error:
        data = error.data
        if isinstance(data, dict):  # ganache wraps it
            data = data.get("result") or data.get("data")
        data = data.removeprefix("Reverted ") if isinstance(data, str) else ""  # nethermind says so
        if data.startswith("0x") and len(data) > 2:
            raise decode_error(bytes.fromhex(data[2:])) from error
        raise Reverted(f"the contract refused: {error.message or 'no reason given'}") from error
    except TimeExhausted as error:  # its words tell who was waited for, and how long
        raise ChainUnavailable(f"{host}: {error}") from error
    except Web3RPCError as error:
        if classify(error) is Kind.REVERTED:
            raise Reverted(f"the contract refused: {rpc_message(error)}") from error
        raise ChainUnavailable(f"{host} answered: {rpc_message(error)}") from error
    except (BadFunctionCallOutput, BadResponseFormat) as error:
        raise ChainUnavailable(
            f"{host} gave no sensible answer: is the contract's address right for this chain?"
        ) from error
    except (Web3Exception, ValueError, LookupError) as error:
        raise ChainUnavailable(f"{host} gave no sensible answer: {error}") from error


def rpc_message(error: BaseException | None) -> str:
    """The node's own words; empty if there are none."""
    if not isinstance(error, Web3RPCError):
        return ""
    details = (error.rpc_response or {}).get("error")
    return str(details.get("message")) if isinstance(details, dict) else str(error)
