"""The five steps of a reading, for one feed: schedule, read, sign, collect a quorum, submit.

Each step stores its result before the next one begins. Steps 1 and 2 run in the thread of the monitoring service
(:mod:`relayer.sources`), steps 3 to 5 here, in the daemon's loop. What is to be done follows from the store and the chain
alone, so a restart needs no recovery of its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from eth_utils.crypto import keccak

from relayer.outbox import Outgoing
from relayer.protocol.readings import agree, pack_readings, unpack_readings
from relayer.protocol.report import SignedBatch
from relayer.protocol.tally import Verdict, verdict_at
from relayer.protocol.typed_data import batch_message, sign

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from relayer.bindings import Oracle
    from relayer.protocol.feed import Feed
    from relayer.protocol.typed_data import Domain
    from relayer.store import Store, StoredReading

log = structlog.get_logger(__name__)

MAX_INTERVALS = 2_000
"""Most intervals of one report: about 2,500,000 gas with one reporter, far below what a transaction may use."""


class Reporter:
    """This relayer's part in one feed.

    :param name: What people call the feed.
    :param index: Our place in the feed's panel.
    :ivar first: The chain's next interval; nothing before it is of interest any more.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        *,
        index: int,
        salt: bytes,
        oracle: Oracle,
        domain: Domain,
        store: Store,
    ) -> None:
        self.name = name
        self.feed = feed
        self.id = feed.id
        self.index = index
        self._salt = salt
        self.first = 0
        self._until = 0
        self._now = 0
        self._observed_at = 0.0
        self._advanced_at = 0
        self._oracle = oracle
        self._domain = domain
        self._store = store

    def observe(self, now: int) -> None:
        """Ask the chain where the feed stands at ``now`` (its time). Its word wins over whatever we remember."""
        self.first, _, self._advanced_at = self._oracle.latest(self.id)
        self._now, self._observed_at = now, time.monotonic()

    def note_end(self, end: int, *, shared: bool) -> None:
        """Nothing after ``end`` [s, UNIX time] is of use to an agreement; ``shared``: another one was noted before."""
        until = (end - self.feed.measurement.start) // self.feed.measurement.interval
        self._until = max(self._until, until) if shared else until

    def schedule(self, now: float) -> None:
        """Step 1: note which intervals are over and settled."""
        # Not by our clock alone: an answer stands for ever, and one that was asked for too early is none.
        chain = self._now + time.monotonic() - self._observed_at if self._now else 0
        closed = self._closed(int(min(now, chain)))
        self._store.schedule(self.id, range(self.first, min(closed, self.first + MAX_INTERVALS)))

    def sign(self, account: LocalAccount) -> None:
        """Step 3: sign the batch from the chain's next interval to the newest one that is read."""
        # What the chain does not take for over yet would have it refuse the whole batch.
        closed = self._closed(self._now)
        readings = self._store.readings(
            self.id, self.first, min(MAX_INTERVALS, closed - self.first)
        )
        if not readings:
            return
        signed = {b.reporter: b for b in self._store.longest_batches(self.id, self.first)}
        own = signed.get(self.index)
        if own is not None and own.end >= self.first + len(readings):
            return
        packed = pack_readings([reading.code for reading in readings])
        evidence = evidence_hash(readings, self._salt)
        message = batch_message(self._domain, self.id, self.first, packed, evidence)
        batch = SignedBatch(self.index, self.first, packed, evidence, sign(account, message))
        self._store.save_batch(self.id, batch)
        log.info(
            "readings signed",
            action="readings_signed",
            feed=self.name,
            first=batch.first,
            count=len(readings),
            newest=readings[-1].code,
        )

    def _closed(self, now: int) -> int:
        return min(self._until, self.feed.measurement.closed_until(now))

    def submission(self, now: int) -> Outgoing | None:
        """Steps 4 and 5: the report that is due at ``now`` (the chain's time), if a quorum has signed one.

        If the report deadline has passed and there is nothing to report, the way on is to record the interval as unknown.
        """
        batches = self._store.longest_batches(self.id, self.first)
        codes = self._judged(batches)
        if codes:
            if not self._is_due(codes, now):
                return None
            last = self.first + len(codes) - 1
            call = self._oracle.report(self.feed, batches)
            return Outgoing(
                call, "report", self.id, f"{self.name}: intervals {self.first} to {last}"
            )
        overdue = self._overdue_until(now)
        if overdue <= self.first:
            return None
        return Outgoing(
            self._oracle.skip(self.feed, overdue),
            "skip",
            self.id,
            f"{self.name}: intervals {self.first} to {overdue - 1} unknown",
        )

    def _judged(self, batches: list[SignedBatch]) -> list[int]:
        """What the oracle would conclude from these batches, from the chain's next interval on."""
        panel = self.feed.panel
        unpacked = [(batch.first, unpack_readings(batch.readings)) for batch in batches]
        judged: list[int] = []
        while True:
            number = self.first + len(judged)
            answers = [
                codes[number - first] for first, codes in unpacked if number < first + len(codes)
            ]
            if not answers:
                return judged
            code = agree(
                answers,
                reporters=len(panel.reporters),
                quorum=panel.quorum,
                tolerance=panel.tolerance,
                measurement=self.feed.measurement,
                scope=self.feed.scope,
            )
            if code is None:
                return judged
            judged.append(code)

    def _is_due(self, codes: list[int], now: int) -> bool:
        """A bad verdict, the end of a window, or the feed's cadence make a report due."""
        measurement, scope = self.feed.measurement, self.feed.scope
        end = self.first + len(codes)
        return (
            any(
                verdict_at(number, code, measurement, scope) is Verdict.BAD
                for number, code in enumerate(codes, self.first)
            )
            or measurement.window_of(end) > measurement.window_of(self.first)
            or len(codes) * measurement.interval >= measurement.cadence
            or now >= measurement.readable_at(self.first) + measurement.cadence
            or len(codes) >= MAX_INTERVALS
        )

    def _overdue_until(self, now: int) -> int:
        """The first interval from the chain's next one on that has an answer of ours, or is not overdue (rule 2)."""
        measurement = self.feed.measurement
        if now < self._advanced_at + measurement.deadline:
            return self.first
        overdue = (now - measurement.deadline - measurement.start) // measurement.interval
        answered = self._store.first_answered(self.id, self.first)
        return overdue if answered is None else min(overdue, answered)


def evidence_hash(readings: list[StoredReading], salt: bytes) -> bytes:
    """Commits to the raw answers behind a batch: the hash of the hashes of each interval's evidence, in order.

    :param salt: The feed's, known to those who hold the SLA document. Without it anyone who guesses what is measured could
        find the guess confirmed on chain.
    """
    return keccak(b"".join(keccak(salt + reading.evidence) for reading in readings))
