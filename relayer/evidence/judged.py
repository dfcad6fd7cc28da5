"""What the oracle made of a feed's intervals: its events, and the reports that they are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eth_utils.crypto import keccak

from relayer.bindings import Oracle
from relayer.errors import ChainUnavailable
from relayer.protocol.readings import NO_DATA, READING_BYTES, unpack_readings
from relayer.protocol.typed_data import compact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relayer.chain import Chain
    from relayer.evidence.package import Batch
    from relayer.protocol.feed import Feed

_FIRST_STEP: Final = 1_000
"""Blocks that are searched at once to begin with; nodes allow different numbers."""
_LARGEST_STEP: Final = 50_000
_SMALLEST_STEP: Final = 16
_HEAD_BYTES: Final = 4 + 2

_JUDGED: Final = keccak(text="Judged(bytes32,uint32,bytes,uint256,uint256)")
_JUDGED_MANY: Final = keccak(text="JudgedMany(bytes32[],bytes,uint256,uint256)")
_SKIPPED: Final = keccak(text="Skipped(bytes32,uint32,uint32)")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of an interval.

    :param code: The judged value; "no data" stands for unknown.
    :param heard: Bit i is set if reporter i signed something in the report; 0: nobody reported it in time.
    :param transaction: Of the report.
    """

    code: int
    heard: int
    transaction: bytes


class Record:
    """The oracle's events about one feed."""

    def __init__(self, chain: Chain, oracle: str, feed: Feed) -> None:
        self._chain = chain
        self._oracle = Oracle(chain.w3, oracle)  # type: ignore[arg-type]
        self._feed = feed
        self._inputs: dict[bytes, bytes] = {}

    def find(self, first: int, end: int) -> dict[int, Judgement]:
        """The intervals among [first, end) that are judged.

        :raises ChainUnavailable: The chain does not answer, or does not keep events that old.
        """
        with self._chain.errors():
            judged_until = min(end, self._oracle.next_interval(self._feed.id))
        found: dict[int, Judgement] = {}
        if judged_until <= first:
            return found
        head = self._chain.head().number
        begin = self._block_at(self._feed.measurement.readable_at(first), head)
        step = _FIRST_STEP
        while begin <= head and len(found) < judged_until - first:
            last = min(begin + step - 1, head)
            try:
                logs = self._logs(begin, last)
            except ChainUnavailable:
                if step <= _SMALLEST_STEP:
                    raise
                step = max(_SMALLEST_STEP, step // 4)
                continue
            for entry in logs:
                for number, code, heard in self._said(entry):
                    if first <= number < end:
                        transaction = bytes(entry["transactionHash"])
                        found[number] = Judgement(code, heard, transaction)
            begin = last + 1
            step = min(_LARGEST_STEP, 2 * step)
        return found

    def carries(self, judgement: Judgement, batch: Batch, reporter: int) -> bool:
        """Whether a batch's signature was part of the report, be it sent alone or with other calls.

        :param reporter: Index in the panel.
        """
        if not judgement.heard >> reporter & 1:
            return False
        data = self._inputs.get(judgement.transaction)
        if data is None:
            with self._chain.errors():
                found = self._chain.w3.eth.get_transaction(judgement.transaction)  # type: ignore[arg-type]
            data = self._inputs[judgement.transaction] = bytes(found["input"])
        r, vs = compact(batch.signature)
        # An endorsement is four words in a row, however deep it lies.
        return reporter.to_bytes(32, "big") + batch.evidence + r + vs in data

    def _block_at(self, time: int, head: int) -> int:
        """The first block of this time or later."""
        low, high = 0, head
        with self._chain.errors():
            while low < high:
                middle = (low + high) // 2
                if self._chain.w3.eth.get_block(middle)["timestamp"] < time:
                    low = middle + 1
                else:
                    high = middle
        return low

    def _logs(self, begin: int, last: int) -> list[Any]:
        asked: Sequence[list[Any]] = (
            [["0x" + _JUDGED.hex(), "0x" + _SKIPPED.hex()], "0x" + self._feed.id.hex()],
            ["0x" + _JUDGED_MANY.hex()],
        )
        found: list[Any] = []
        with self._chain.errors():
            for topics in asked:
                found += self._chain.w3.eth.get_logs(
                    {
                        "address": self._oracle.address,
                        "fromBlock": begin,
                        "toBlock": last,
                        "topics": topics,
                    }
                )
        return found

    def _said(self, entry: Any) -> Iterator[tuple[int, int, int]]:
        """Interval, code and who was heard, of each interval of ours that an event is about."""
        kind = bytes(entry["topics"][0])
        events = self._oracle.contract.events
        if kind == _SKIPPED:
            said = events.Skipped().process_log(entry)["args"]
            for number in range(said["first"], said["upTo"]):
                yield number, NO_DATA, 0
        elif kind == _JUDGED:
            said = events.Judged().process_log(entry)["args"]
            for number, code in enumerate(unpack_readings(said["values"]), said["first"]):
                yield number, code, said["heard"]
        else:
            said = events.JudgedMany().process_log(entry)["args"]
            for feed, first, values in _unbundled(said["feedIds"], said["values"]):
                if feed == self._feed.id:
                    for number, code in enumerate(unpack_readings(values), first):
                        yield number, code, said["heard"]


def _unbundled(feeds: Sequence[bytes], values: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Each feed of a report of many, its first interval and what was judged."""
    at = 0
    for feed in feeds:
        first = int.from_bytes(values[at : at + 4], "big")
        begin = at + _HEAD_BYTES
        at = begin + READING_BYTES * int.from_bytes(values[at + 4 : begin], "big")
        yield bytes(feed), first, values[begin:at]
