"""Talking to one EVM chain: connecting, simulating, and sending a transaction that a person waits for.

The daemon's transactions, which must survive it, are in :mod:`relayer.outbox`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    ContractLogicError,
    TimeExhausted,
    Web3Exception,
    Web3RPCError,
)

from relayer.bindings import decode_error
from relayer.errors import ChainUnavailable, Reverted
from relayer.redaction import redacted_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress
    from web3.contract.contract import ContractFunction
    from web3.types import TxReceipt

REQUEST_SECONDS = 10
RECEIPT_SECONDS = 180
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


class Chain:
    """A connection to an RPC endpoint whose chain id is known."""

    def __init__(self, w3: Web3, chain_id: int, *, max_fee_per_gas: int | None = None) -> None:
        self.w3 = w3
        self.chain_id = chain_id
        self.max_fee_per_gas = max_fee_per_gas

    @classmethod
    def connect(
        cls,
        rpc_url: str,
        *,
        expected_chain_id: int | None = None,
        max_fee_per_gas: int | None = None,
    ) -> Chain:
        """Connect to an endpoint, and make sure that it is the right chain.

        :param max_fee_per_gas: No transaction pays more per gas [wei].
        :raises ChainUnavailable: No answer, no sense in it, or another chain.
        """
        host = redacted_url(rpc_url)
        w3 = Web3(Web3.HTTPProvider(rpc_url, request_kwargs={"timeout": REQUEST_SECONDS}))
        with _rpc_errors(host):
            chain_id = w3.eth.chain_id
        if expected_chain_id is not None and chain_id != expected_chain_id:
            raise ChainUnavailable(
                f"{host} serves chain {chain_id}, but chain {expected_chain_id} is needed",
                hint="set rpcUrl (or --rpc-url) to an endpoint of the right chain",
            )
        return cls(w3, chain_id, max_fee_per_gas=max_fee_per_gas)

    @property
    def host(self) -> str:
        """The endpoint without anything secret in its address."""
        return redacted_url(str(getattr(self.w3.provider, "endpoint_uri", "")))

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns whatever web3 raises into :class:`ChainUnavailable` or :class:`Reverted`."""
        with _rpc_errors(self.host):
            yield

    def now(self) -> int:
        """Time of the newest block [s, UNIX time]."""
        with self.errors():
            return int(self.w3.eth.get_block("latest")["timestamp"])

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

    def simulate(self, call: ContractFunction, sender: ChecksumAddress) -> Any:
        """What the call would return. Changes nothing and costs nothing.

        :raises Reverted: With the contract's own error.
        """
        with self.errors():
            return call.call({"from": sender})

    def prepare(
        self, call: ContractFunction, sender: ChecksumAddress, nonce: int, fees: Fees
    ) -> dict[str, Any]:
        """A transaction ready to be signed. Estimating its gas simulates it once more.

        :raises Reverted: With the contract's own error.
        """
        with self.errors():
            gas = call.estimate_gas({"from": sender})
        return {
            "type": 2,
            "chainId": self.chain_id,
            "from": sender,
            "to": to_checksum_address(call.address),
            "nonce": nonce,
            "data": call._encode_transaction_data(),  # noqa: SLF001 - build_transaction would ask the node again
            "value": 0,
            "gas": int(gas * GAS_MARGIN),
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }

    def send(self, call: ContractFunction, account: LocalAccount) -> TxReceipt:
        """Simulate, sign, broadcast, and wait until the transaction is mined.

        :raises Reverted: The simulation or the transaction failed; the error is the contract's own.
        :raises ChainUnavailable: The chain did not answer. If the transaction was sent, the message names it.
        """
        self.simulate(call, account.address)
        transaction = self.prepare(call, account.address, self.nonce(account.address), self.fees())
        signed = account.sign_transaction(transaction)
        tx_hash = Web3.to_hex(signed.hash)
        with self.errors():
            self.w3.eth.send_raw_transaction(signed.raw_transaction)
        try:
            with self.errors():
                receipt = self.w3.eth.wait_for_transaction_receipt(
                    signed.hash, timeout=RECEIPT_SECONDS, poll_latency=0.2
                )
        except ChainUnavailable as error:
            raise ChainUnavailable(
                f"transaction {tx_hash} was sent, but is not confirmed: {error.message}",
                hint="look it up before you repeat the command; nothing is paid twice",
            ) from error
        if receipt["status"] != 1:
            # What changed between the simulation and the block shows in a second one.
            self.simulate(call, account.address)
            raise Reverted(f"transaction {tx_hash} was reverted", hint="try again")
        return receipt


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
        if isinstance(data, str) and data.startswith("0x") and len(data) > 2:
            raise decode_error(bytes.fromhex(data[2:])) from error
        raise Reverted(f"the contract refused: {error.message or 'no reason given'}") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise ChainUnavailable(
            f"no answer from {host}", hint="is the node running, and rpcUrl (or --rpc-url) right?"
        ) from error
    except requests.RequestException as error:
        code = getattr(error.response, "status_code", None)
        said = f"HTTP {code}" if code else type(error).__name__
        raise ChainUnavailable(f"{host} refused the request: {said}") from error
    except TimeExhausted as error:
        raise ChainUnavailable(f"not mined within {RECEIPT_SECONDS} s") from error
    except Web3RPCError as error:
        raise ChainUnavailable(f"{host} answered: {rpc_message(error)}") from error
    except (BadFunctionCallOutput, BadResponseFormat) as error:
        raise ChainUnavailable(
            f"{host} gave no sensible answer: is the contract's address right for this chain?"
        ) from error
    except (Web3Exception, ValueError, KeyError) as error:
        raise ChainUnavailable(f"{host} gave no sensible answer: {error}") from error


def rpc_message(error: BaseException | None) -> str:
    """The node's own words; empty if there are none."""
    if not isinstance(error, Web3RPCError):
        return ""
    details = (error.rpc_response or {}).get("error")
    return str(details.get("message")) if isinstance(details, dict) else str(error)
