"""Packing calls into one transaction, so that what is due costs few of them.

The ``Batcher`` contract makes many calls in one transaction, and gives each an equal share of the gas. So the gas limit follows
from the most expensive one: a big report goes alone, sixty settlements go together. One call that fails stops no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hexbytes import HexBytes
from web3 import Web3
from web3.logs import DISCARD

from relayer.bindings import contract, decode_error
from relayer.chain import GAS_MARGIN
from relayer.encoded import EncodedCall
from relayer.errors import Reverted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eth_typing import ChecksumAddress
    from web3.types import TxReceipt

    from relayer.bindings import Call
    from relayer.chain import Chain
    from relayer.store.transactions import Item

MAX_CALLDATA: Final = 110_000
"""Most bytes of a transaction's data: geth refuses transactions of more than 128 KiB."""

# What ``Batcher`` keeps back of the gas that it shares, for each call: see the constants of the contract.
_KEPT_EACH: Final = 17_000 + 3_000
# What it uses before it shares: finding its way, looking at the first target, and a place in memory for each result.
_BEFORE: Final = 6_000
_BEFORE_EACH: Final = 1_000
# Bytes that a call takes in the data besides its own: offsets, lengths, address, padding.
_BYTES_EACH: Final = 6 * 32
_TRANSACTION_GAS: Final = 21_000
_IDLE: Final = "it would do nothing now"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call that someone wants to be sent.

    :param items: The work that it does, at least one piece.
    """

    call: Call
    items: tuple[Item, ...]

    @property
    def about(self) -> str:
        """What it does, for people."""
        return "; ".join(item.description for item in self.items)


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that was not sent, and why."""

    outgoing: Outgoing
    reverted: Reverted


@dataclass(frozen=True, slots=True)
class Packed:
    """One transaction's call.

    :param gas: Its gas limit.
    :param contents: What it does: several go through the ``Batcher``.
    """

    call: Call
    gas: int
    contents: tuple[Outgoing, ...]


def pack(
    chain: Chain,
    sender: ChecksumAddress,
    calls: Sequence[Outgoing],
    *,
    batcher: ChecksumAddress | None,
    max_gas: int,
) -> tuple[Packed | None, list[Refused]]:
    """As many calls as fit into one transaction, which was simulated.

    :param calls: The first has priority; of the others those are taken that fit in with it.
    :param batcher: Address of the ``Batcher``; None: only one call is taken.
    :param max_gas: Most gas of a transaction of several calls. One call that needs more is taken nevertheless.
    :returns: None if nothing is left to send; and what the contracts refuse.
    :raises ChainUnavailable: The chain does not answer.
    """
    packing = _Packing(chain, sender, batcher, max_gas)
    refused: list[Refused] = []
    while True:
        gone = {id(one.outgoing) for one in refused}
        chosen, unfit = packing.choose([one for one in calls if id(one) not in gone])
        refused += unfit
        if not chosen:
            return None, refused
        packed = packing.packed(chosen)
        try:
            failed = packing.failures(packed)
        except Reverted as error:
            if len(chosen) > 1:
                packing.one_at_a_time()  # they do not get along with each other
                continue
            failed = [Refused(chosen[0], error)]
        if not failed:
            return packed, refused
        refused += failed


class _Packing:
    """The steps of :func:`pack`."""

    def __init__(
        self, chain: Chain, sender: ChecksumAddress, batcher: ChecksumAddress | None, max_gas: int
    ) -> None:
        self._chain = chain
        self._sender = sender
        self._batcher = contract(chain.w3, "Batcher", batcher) if batcher else None
        self._max_gas = max_gas
        self._estimates: dict[int, int] = {}

    def one_at_a_time(self) -> None:
        self._batcher = None

    def choose(self, calls: Sequence[Outgoing]) -> tuple[list[Outgoing], list[Refused]]:
        """The first call that is not refused, and those after it that fit in."""
        chosen: list[Outgoing] = []
        refused: list[Refused] = []
        highest = size = 0
        for outgoing in calls:
            if chosen and not self._fits(len(chosen) + 1, highest, size):
                break  # nothing fits any more, not even a smaller call
            more = len(call_data(outgoing.call)) + _BYTES_EACH
            if chosen and not self._fits(len(chosen) + 1, highest, size + more):
                continue
            try:
                gas = self._estimate(outgoing)
            except Reverted as error:
                refused.append(Refused(outgoing, error))
                continue
            if not chosen or self._fits(len(chosen) + 1, max(highest, gas), size + more):
                chosen.append(outgoing)
                highest, size = max(highest, gas), size + more
        return chosen, refused

    def packed(self, chosen: Sequence[Outgoing]) -> Packed:
        estimates = [self._estimate(outgoing) for outgoing in chosen]
        if self._batcher is None or len(chosen) == 1:
            # The margin is given up where it would not fit, the call is not.
            gas = min(int(estimates[0] * GAS_MARGIN), max(estimates[0], self._max_gas))
            return Packed(chosen[0].call, gas, (chosen[0],))
        gas_each = int(max(estimates) * GAS_MARGIN)
        pairs = [(outgoing.call.address, call_data(outgoing.call)) for outgoing in chosen]
        call = self._batcher.functions.run(pairs, gas_each)
        return Packed(call, batch_gas(len(chosen), gas_each, call_data(call)), tuple(chosen))

    def failures(self, packed: Packed) -> list[Refused]:
        """Simulate a transaction: which of its calls would fail, or do nothing?

        :raises Reverted: All of it would.
        """
        with self._chain.errors():
            results: Any = packed.call.call({"from": self._sender, "gas": packed.gas})
        if len(packed.contents) == 1:
            results = [(True, results)]
        return [
            Refused(outgoing, Reverted(_IDLE) if success else decode_error(bytes(returned)))
            for outgoing, (success, returned) in zip(packed.contents, results, strict=True)
            if not success or _is_idle(outgoing.call, returned)
        ]

    def _estimate(self, outgoing: Outgoing) -> int:
        if id(outgoing) not in self._estimates:
            self._estimates[id(outgoing)] = self._chain.estimate(outgoing.call, self._sender)
        return self._estimates[id(outgoing)]

    def _fits(self, count: int, highest: int, size: int) -> bool:
        """Whether so many calls fit into one transaction, of which one needs ``highest`` gas."""
        if self._batcher is None or size > MAX_CALLDATA:
            return False
        gas_each = int(highest * GAS_MARGIN)
        return batch_gas(count, gas_each, b"\x01" * size) <= self._max_gas


def _is_idle(call: Call, returned: object) -> bool:
    return isinstance(call, EncodedCall) and call.idle is not None and returned == call.idle


def batch_gas(count: int, gas_each: int, data: bytes) -> int:
    """Gas limit with which ``Batcher.run`` gives each of ``count`` calls at least ``gas_each``.

    :param data: Of the transaction.
    """
    zeros = data.count(0)
    tokens = zeros + 4 * (len(data) - zeros)
    shared = count * (gas_each + _KEPT_EACH)
    # The EVM keeps a 64th from every call (EIP-150), and a call's data is copied to memory, which costs more and more.
    words = len(data) // 32 + 1
    copied = 6 * words + words * words // 512
    before = _BEFORE + _BEFORE_EACH * count + copied
    needed = 4 * tokens + before + shared * 64 // 63 + 1
    # Large data has a price of its own (EIP-7623).
    return _TRANSACTION_GAS + max(needed, 10 * tokens)


def failed_calls(receipt: TxReceipt) -> list[tuple[int, Reverted]]:
    """Which calls of a mined ``Batcher`` transaction failed, by number, and why."""
    batcher = contract(Web3(), "Batcher", receipt["to"])
    events = batcher.events.CallFailed().process_receipt(receipt, errors=DISCARD)
    return [
        (entry["args"]["index"], decode_error(entry["args"]["reason"]))
        for entry in events
        if entry["address"] == batcher.address  # anyone may emit an event that looks the same
    ]


def call_data(call: Call) -> bytes:
    """The data of a transaction that makes the call."""
    return bytes(HexBytes(call._encode_transaction_data()))  # noqa: SLF001 - build_transaction would ask the node
