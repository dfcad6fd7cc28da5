"""Our seat in a panel: one signature for all of its feeds that are due, and reports of what a quorum agrees on.

The same panel of reporters usually watches many feeds. Each reporter signs the root of a tree over its readings of all feeds
that are due, and a report carries the leaves of as many feeds as fit into a transaction.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from eth_utils.crypto import keccak

from relayer.operations import metrics
from relayer.outbox import Item, Outgoing
from relayer.protocol import merkle
from relayer.protocol.report import FeedReadings, SignedBatch, SignedBundle
from relayer.protocol.typed_data import root_message, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eth_account.signers.base import BaseAccount

    from relayer.bindings import Oracle
    from relayer.exchange.contradictions import Contradiction
    from relayer.protocol.feed import Panel
    from relayer.protocol.typed_data import Domain
    from relayer.reporting import Reporter
    from relayer.store import StoredBundle

log = structlog.get_logger(__name__)

MAX_FEEDS = 400
"""Most feeds under one signature and in one report: about 5,000,000 gas."""
MAX_CALLDATA = 100_000
"""Most bytes of one report: nodes refuse transactions of more than 128 KiB."""

# What judging costs, rounded up from `make gas` [gas]: of these a report may be estimated; nodes do it exactly.
_GAS_FEED = 14_000
_GAS_NEW_SLOT = 25_000
_GAS_INTERVAL = 1_300
_GAS_INTERVAL_APART = 4_000


@dataclass(frozen=True, slots=True)
class _Ready:
    """A feed whose report is due, and what the oracle would judge."""

    reporter: Reporter
    codes: Sequence[int]


class Seat:
    """One reporter's part in one panel at one oracle.

    :param audience: Who may read what is signed here before it is on the chain; None: anyone.
    :param stagger: How long each reporter waits for the one whose turn is before it [s].
    :param max_gas: Most gas of one report.
    """

    def __init__(
        self,
        *,
        oracle: Oracle,
        domain: Domain,
        panel: Panel,
        index: int,
        audience: frozenset[str] | None,
        stagger: float,
        max_gas: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.oracle = oracle
        self.domain = domain
        self.panel = panel
        self.panel_hash = panel.hash
        self.index = index
        self.audience = audience
        self.name = f"panel {self.panel_hash.hex()[:8]}"
        self._stagger = stagger
        self._max_gas = max_gas
        self._clock = clock
        self.feeds: dict[bytes, Reporter] = {}
        self.ignored = 0
        self._blocks: list[list[Reporter]] = []
        # From which interval on a feed's report or skip is ready, and since when, for the turns.
        self._ready_since: dict[tuple[str, bytes], tuple[int, float]] = {}

    def watch(self, reporters: Iterable[Reporter]) -> None:
        """Replace the feeds. They stand in the order of their ids, in every tree of every reporter.

        Signatures are for blocks of feeds that do not change with what is due, so that those of several reporters cover
        the same feeds, and one report can carry them.
        """
        ordered = sorted(reporters, key=lambda reporter: reporter.id)
        self.feeds = {reporter.id: reporter for reporter in ordered}
        self._blocks = [ordered[i : i + MAX_FEEDS] for i in range(0, len(ordered), MAX_FEEDS)]

    def ignore(self, reporters: int) -> None:
        """Do not listen to those who have equivocated; the oracle does not, either (rule 17).

        :param reporters: Bit i is set for reporter i.
        """
        if reporters != self.ignored:
            self.ignored = reporters
            for reporter in self.feeds.values():
                reporter.forget(reporters)

    # Signing and hearing

    def sign(self, account: BaseAccount, now: int, floor: int) -> list[SignedBundle]:
        """Sign what has to be signed at ``now`` (the chain's time). Nothing is heard yet: store it first.

        :param floor: No interval that ended before this is signed anew [s, UNIX time].
        """
        bundles: list[SignedBundle] = []
        if self.ignored >> self.index & 1:
            return bundles
        for block in self._blocks:
            parts = [part for r in block if (part := r.to_sign(now, floor)) is not None]
            if not parts:
                continue
            feeds = tuple(readings for readings, _ in parts)
            evidence = merkle.root([keccak(b"".join(digests)) for _, digests in parts])
            root = merkle.root([feed.leaf for feed in feeds])
            signature = sign(account, root_message(self.domain, root, evidence))
            bundles.append(SignedBundle(self.index, feeds, evidence, signature))
            metrics.SIGNED.inc()
            log.info(
                "readings signed",
                action="readings_signed",
                about=self._about(feeds),
                feeds=len(feeds),
                intervals=sum(len(digests) for _, digests in parts),
            )
        return bundles

    def hear(self, bundle: SignedBundle) -> None:
        """Take in what a reporter of the panel signed, ourselves included. Its signature was checked."""
        if self.ignored >> bundle.reporter & 1:
            return
        for said in bundle.feeds:
            reporter = self.feeds.get(said.feed_id)
            if reporter is not None:
                reporter.hear(bundle, said)

    def concerns(self, bundle: StoredBundle) -> bool:
        """Whether a bundle was signed by a reporter of this panel, for this oracle."""
        return bundle.panel == self.panel_hash and bundle.oracle == self.oracle.address

    def _about(self, feeds: Sequence[FeedReadings]) -> str:
        if len(feeds) > 1:
            return f"{len(feeds)} feeds of {self.name}"
        [one] = feeds
        last = one.first + len(one.readings) // 4 - 1
        return f"{self.feeds[one.feed_id].name}: intervals {one.first} to {last}"

    # Reporting

    def reports(self, now: int) -> list[Outgoing]:
        """The reports that are due at ``now`` (the chain's time), and our turn; as few as fit."""
        ready = {}
        for reporter in self.feeds.values():
            codes = reporter.due(now)
            if codes and self._our_turn(reporter, "report"):
                ready[reporter.id] = _Ready(reporter, codes)
        calls = []
        while ready:
            feeds, bundles = self._one_call(ready)
            for item in feeds:
                del ready[item.reporter.id]
            calls.append(self._report(feeds, bundles))
        return calls

    def skips(self, now: int, known: int) -> list[Outgoing]:
        """What nobody can judge any more is recorded as unknown.

        :param known: Of what could not be read before this time of the chain nothing is given up yet: while it stood still, or we
            were away, nobody could ask for it [s, UNIX time].
        """
        calls = []
        for reporter in self.feeds.values():
            measurement = reporter.feed.measurement
            end = reporter.skips_until(
                min(now, known - measurement.settle_delay + measurement.deadline)
            )
            if end > reporter.first and self._our_turn(reporter, "skip"):
                about = f"{reporter.name}: intervals {reporter.first} to {end - 1} unknown"
                item = Item("skip", reporter.id, reporter.first, end, about)
                calls.append(Outgoing(self.oracle.skip(reporter.feed, end), (item,)))
        return calls

    def prove(self, found: Contradiction) -> Outgoing:
        """Shows the oracle that a reporter of the panel signed two answers for one interval (rule 17)."""
        call = self.oracle.prove_equivocation(
            found.feed, found.reporter, found.interval, found.one, found.other
        )
        about = f"{self.panel.reporters[found.reporter]} signed two answers for interval {found.interval}"
        item = Item("prove", found.feed.id, found.interval, found.interval + 1, about)
        return Outgoing(call, (item,))

    def turn(self, number: int) -> float:
        """How long to wait before doing what all reporters could do [s]: each is the first in its turn."""
        return ((self.index - number) % len(self.panel.reporters)) * self._stagger

    def _our_turn(self, reporter: Reporter, purpose: str) -> bool:
        now, key = self._clock(), (purpose, reporter.id)
        known = self._ready_since.get(key)
        if known is None or known[0] != reporter.first:
            known = self._ready_since[key] = (reporter.first, now)
        return now - known[1] >= self.turn(reporter.first)

    def _one_call(self, ready: Mapping[bytes, _Ready]) -> tuple[list[_Ready], list[SignedBundle]]:
        """Feeds that fit into one report, and the bundles that it needs: of each reporter one, for that is all it may hold."""
        leading = next(iter(ready.values()))
        bundles = [bundle for bundle, _ in leading.reporter.heard.values()]
        chosen = set(map(id, bundles))
        within = {said.feed_id for bundle in bundles for said in bundle.feeds}
        taken: list[_Ready] = []
        gas = size = 0
        # In the order of ids, which is that of the trees.
        for item in ready.values():
            if item.reporter.id not in within:
                continue
            # What it is to be judged by is all that was heard of it: only of less than that it may be something else.
            less = any(id(bundle) not in chosen for bundle, _ in item.reporter.heard.values())
            if less and list(item.reporter.agreed(bundles)) != list(item.codes):
                continue  # it needs another bundle of some reporter
            said = [part for b, part in item.reporter.heard.values() if id(b) in chosen]
            more_gas, more_size = _cost(item, said)
            if taken and (
                gas + more_gas > self._max_gas * 3 // 4
                or size + more_size > MAX_CALLDATA
                or len(taken) >= MAX_FEEDS
            ):
                break
            taken.append(item)
            gas += more_gas
            size += more_size
        return taken, self._needed(taken, bundles)

    def _needed(self, feeds: Sequence[_Ready], bundles: list[SignedBundle]) -> list[SignedBundle]:
        """Leave out bundles that change nothing and hide nothing: those that say what others say, beyond the quorum."""
        needed = sorted(bundles, key=lambda bundle: bundle.reporter != self.index)
        for bundle in reversed(list(needed)):
            if len(needed) <= self.panel.quorum:
                break
            fewer = [other for other in needed if other is not bundle]
            if all(
                list(item.reporter.agreed(fewer)) == list(item.codes)
                and not self._dissents(item, bundle)
                for item in feeds
            ):
                needed = fewer
        return needed

    @staticmethod
    def _dissents(item: _Ready, bundle: SignedBundle) -> bool:
        heard = item.reporter.heard.get(bundle.reporter)
        return heard is not None and item.reporter.dissents(heard[1], item.codes)

    def _report(self, feeds: list[_Ready], bundles: list[SignedBundle]) -> Outgoing:
        if len(feeds) == 1 and all(len(bundle.feeds) == 1 for bundle in bundles):
            [one] = feeds
            reporter = one.reporter
            batches = [_as_batch(bundle) for bundle in bundles]
            end = reporter.first + len(one.codes)
            about = f"{reporter.name}: intervals {reporter.first} to {end - 1}"
            item = Item("report", reporter.id, reporter.first, end, about)
            return Outgoing(self.oracle.report(reporter.feed, batches), (item,))
        call = self.oracle.report_many(
            {item.reporter.id: item.reporter.feed for item in feeds}, bundles
        )
        first = min(item.reporter.first for item in feeds)
        end = max(item.reporter.first + len(item.codes) for item in feeds)
        about = f"{len(feeds)} feeds of {self.name}: intervals {first} to {end - 1}"
        # Named after its first feed: other reports of the panel go on when this one is sent, or fails.
        return Outgoing(call, (Item("report", feeds[0].reporter.id, first, end, about),))


def _as_batch(bundle: SignedBundle) -> SignedBatch:
    """Of a bundle of one feed: its root is the leaf, so the signature is the same."""
    [feed] = bundle.feeds
    return SignedBatch(
        bundle.reporter, feed.first, feed.readings, bundle.evidence, bundle.signature
    )


def _cost(item: _Ready, said: Sequence[FeedReadings]) -> tuple[int, int]:
    """Gas and bytes that a feed adds to a report, at most."""
    strings = {(part.first, part.readings) for part in said}
    intervals = max(len(part.readings) // 4 for part in said)
    each = _GAS_INTERVAL if len(strings) == 1 else _GAS_INTERVAL_APART * len(strings)
    reporter = item.reporter
    measurement = reporter.feed.measurement
    end = reporter.first + len(item.codes)
    windows = measurement.window_of(end) - measurement.window_of(reporter.first)
    slots = windows + (reporter.first == 0)
    gas = _GAS_FEED + _GAS_NEW_SLOT * slots + each * intervals
    return gas, 3 * 32 + sum(6 + len(readings) for _, readings in strings) + 64
