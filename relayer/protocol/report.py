"""Signed readings as the oracle takes them: the twin of the structs that ``IMonitoringOracle.sol`` takes with signatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relayer.protocol import merkle
from relayer.protocol.readings import READING_BYTES
from relayer.protocol.typed_data import compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from relayer.protocol.feed import Panel

ALL_INTERVALS = (1 << 32) - 1
"""As ``upTo`` of ``report``: judge all that the batches hold."""

_Endorsement = tuple[int, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """What one reporter signed: its readings of consecutive intervals.

    :param reporter: Index into the panel's reporters.
    :param first: Number of the first interval.
    :param readings: Packed readings, see :func:`.readings.pack_readings`.
    :param evidence: Hash of the raw answers behind them (32 bytes), or zeros.
    :param signature: 65 bytes (r, s, v).
    """

    reporter: int
    first: int
    readings: bytes
    evidence: bytes
    signature: bytes

    @property
    def end(self) -> int:
        """Number of the first interval after the batch."""
        return self.first + len(self.readings) // READING_BYTES

    def as_statement(self) -> tuple[Any, ...]:
        """The ``Statement`` argument of ``proveEquivocation``."""
        return (self.first, self.readings, [], self.evidence, *compact(self.signature))


@dataclass(frozen=True, slots=True)
class FeedReadings:
    """Readings of consecutive intervals of one feed: one leaf of what a reporter signs."""

    feed_id: bytes
    first: int
    readings: bytes

    @property
    def leaf(self) -> bytes:
        return merkle.leaf(self.feed_id, self.first, self.readings)

    def pack(self) -> bytes:
        """As a ``Bundle`` holds them: first interval, number of intervals, readings."""
        count = len(self.readings) // READING_BYTES
        return self.first.to_bytes(4, "big") + count.to_bytes(2, "big") + self.readings


_NOTHING = bytes(6)


@dataclass(frozen=True, slots=True)
class SignedBundle:
    """What one reporter signed at once: its readings of many feeds of one panel.

    :param reporter: Index into the panel's reporters.
    :param feeds: Readings of each feed, in the order of the leaves.
    :param evidence: Hash of the raw answers behind them (32 bytes), or zeros.
    :param signature: 65 bytes (r, s, v), under :func:`.typed_data.root_message`.
    """

    reporter: int
    feeds: tuple[FeedReadings, ...]
    evidence: bytes
    signature: bytes

    @property
    def leaves(self) -> list[bytes]:
        return [feed.leaf for feed in self.feeds]

    @property
    def root(self) -> bytes:
        return merkle.root(self.leaves)

    def as_statement(self, feed_id: bytes) -> tuple[Any, ...]:
        """The ``Statement`` argument of ``proveEquivocation`` on one of the feeds."""
        index = [feed.feed_id for feed in self.feeds].index(feed_id)
        proof, feed = merkle.proof(self.leaves, index), self.feeds[index]
        return (feed.first, feed.readings, proof, self.evidence, *compact(self.signature))


def batches_as_abi(signed: Iterable[SignedBatch]) -> list[tuple[Any, ...]]:
    """The ``Batch[]`` argument of ``report``: reporters with equal strings pass the string once (rule 14)."""
    grouped: dict[tuple[int, bytes], list[_Endorsement]] = {}
    for batch in signed:
        grouped.setdefault((batch.first, batch.readings), []).append(_endorsement(batch))
    return [(first, readings, sorted(who)) for (first, readings), who in grouped.items()]


def bundles_as_abi(
    feed_ids: Sequence[bytes], signed: Iterable[SignedBundle]
) -> list[tuple[Any, ...]]:
    """The ``Bundle[]`` argument of ``reportMany``: reporters who signed the same pass it once (rule 15).

    :param feed_ids: The feeds of the call, in the order of everybody's leaves. Some may be missing in what a reporter
        signed, and feeds that it signed may be missing here.
    """
    grouped: dict[tuple[FeedReadings, ...], list[_Endorsement]] = {}
    for bundle in signed:
        grouped.setdefault(bundle.feeds, []).append(_endorsement(bundle))
    bundles = ((_bundle(feed_ids, feeds), sorted(who)) for feeds, who in grouped.items())
    return [(*bundle, who) for bundle, who in bundles if bundle]


def _bundle(
    feed_ids: Sequence[bytes], feeds: tuple[FeedReadings, ...]
) -> tuple[bytes, list[bytes], list[bool]] | None:
    """Readings, proof and flags of a bundle; None if it says nothing of these feeds."""
    places = {feed.feed_id: index for index, feed in enumerate(feeds) if feed.readings}
    indices = [places[feed_id] for feed_id in feed_ids if feed_id in places]
    if indices != sorted(set(indices)):
        raise ValueError("the feeds do not stand in the order in which they were signed")
    if not indices:
        return None
    readings = b"".join(
        feeds[places[feed_id]].pack() if feed_id in places else _NOTHING for feed_id in feed_ids
    )
    proof, flags = merkle.multiproof([feed.leaf for feed in feeds], indices)
    # Without a hash they are all the leaves of the tree, which the oracle needs no flags for: they would cost gas.
    return (readings, proof, flags if proof else [])


def _endorsement(signed: SignedBatch | SignedBundle) -> _Endorsement:
    return (signed.reporter, signed.evidence, *compact(signed.signature))


def reporter_index(panel: Panel, address: str) -> int | None:
    """The index of a reporter in its panel; None if it is none of them."""
    return next((i for i, reporter in enumerate(panel.reporters) if reporter == address), None)
