"""A monitoring service that workers read: the daemon schedules, hands over, and takes in the answers."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from relayer.operations import metrics
from relayer.scaleout.clock import DatabaseClock
from relayer.scaleout.jobs import MOST_FEEDS, Job, Jobs, Wanted
from relayer.sources import FAILING_SECONDS, LONGEST_PAUSE, Source
from relayer.store.readings import Answered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oracles import AnyService
    from oracles.base import Interval
    from relayer.operations.alerts import Alerts
    from relayer.sources import Watched, _Open
    from relayer.store import Store
    from relayer.store.readings import StoredReading

log = structlog.get_logger(__name__)

OVERLAP_SECONDS = 5.0
"""An answer is dated a moment before others can see it: each look begins so long before the last one."""
SWEEP_SECONDS = 30.0
"""What was handed over so long ago is looked after: was it answered unseen, was its job lost?"""
MOST_QUEUED = 1_000
"""Jobs of one service that wait in the queue at once; after a long outage the others wait here."""
_AT_ONCE = 100
"""Jobs handed over in one transaction."""


@dataclass
class _Chunk:
    """What is open of a job's feeds."""

    interval: Interval
    place: int
    open: dict[bytes, _Open] = field(default_factory=dict)
    queued_at: float | None = None

    def job(self, source: str) -> Job:
        wanted = (
            Wanted(feed, one.number, one.item.reporter.index)
            for feed, one in sorted(self.open.items())
        )
        return Job(source, self.interval, self.place, tuple(wanted))


class RemoteSource(Source):
    """As a :class:`.Source`, but the reading is done by `makegood relayer worker` processes.

    A restart needs nothing special: what is unread is scheduled again, and what waits in the queue is not queued twice.

    :param service: Must keep a history; it is never read here.
    :param store: Must be in PostgreSQL.
    """

    def __init__(
        self,
        service: AnyService,
        store: Store,
        *,
        alerts: Alerts,
        clock: Callable[[], float] = time.time,
        **more: Any,
    ) -> None:
        super().__init__(service, store, alerts=alerts, clock=clock, **more)
        self._jobs = Jobs(store)
        self._jobs.install(replace=True)
        self._shared_clock = DatabaseClock()
        self._shared_clock.ask(store)
        self._looked_at = self._shared_clock()
        self._swept_at = clock()
        self._answered_at = clock()
        self._place: dict[bytes, int] = {}
        self._chunks: dict[tuple[Interval, int], _Chunk] = {}
        self._fresh: dict[tuple[Interval, int], _Chunk] = {}
        self._chunk_of: dict[tuple[bytes, int], _Chunk] = {}

    def watch(self, watched: tuple[Watched, ...]) -> None:
        """Replace what this source watches."""
        if watched == self._watched:
            return
        super().watch(watched)
        # Feeds whose intervals are the same share jobs. Which feeds belong together depends on nothing else, so that a
        # restarted daemon finds its jobs in the queue.
        together: dict[tuple[int, int], list[bytes]] = defaultdict(list)
        for item in watched:
            query = item.query
            together[query.length, query.first % query.length].append(item.reporter.id)
        self._place = {
            feed: rank // MOST_FEEDS
            for feeds in together.values()
            for rank, feed in enumerate(sorted(feeds))
        }

    def step(self) -> float:
        """Hand over what is due, take in what was answered. Returns when to come back [s, UNIX time]."""
        now = self._clock()
        if self.held:
            return now + LONGEST_PAUSE
        self._schedule(min(now, self.chain_time()))
        self._sort_in()
        self._look()
        self._hand_over(now)
        if now >= self._swept_at + SWEEP_SECONDS:
            self._swept_at = now
            self._sweep(now)
        return now + LONGEST_PAUSE

    def _sort_in(self) -> None:
        """Put what was scheduled into the jobs that it belongs to."""
        for interval, ones in self._open.items():
            for one in ones:
                feed = one.item.reporter.id
                key = (interval, self._place.get(feed, 0))
                before = self._chunk_of.get((feed, one.number))
                if before is not None:  # a reorganisation took the feed back
                    self._drop(before, feed, one.number)
                chunk = self._chunks.setdefault(key, _Chunk(*key))
                chunk.open[feed] = one
                self._chunk_of[feed, one.number] = chunk
                self._fresh[key] = chunk
        self._open.clear()

    def _hand_over(self, now: float) -> None:
        """Oldest first, as many as the queue may hold."""
        queued = len(self._chunks) - len(self._fresh)
        due = sorted(self._fresh.items(), key=lambda item: (item[0][0].start, item[0][1]))
        due = due[: max(0, MOST_QUEUED - queued)]
        for begin in range(0, len(due), _AT_ONCE):
            part = due[begin : begin + _AT_ONCE]
            self._jobs.defer([chunk.job(self.name) for _, chunk in part])
            for key, chunk in part:
                chunk.queued_at = now
                del self._fresh[key]

    def _look(self) -> None:
        """Take in what workers answered since the last look."""
        self._shared_clock.ask(self._store)
        now = self._shared_clock()
        self._take(self._store.readings.answered_since(self._looked_at - OVERLAP_SECONDS))
        self._looked_at = now

    def _take(self, readings: Iterable[StoredReading]) -> None:
        """Tell of those answers that were awaited here; others are known, or other sources'."""
        found = []
        for reading in readings:
            chunk = self._chunk_of.get((reading.feed, reading.interval))
            if chunk is not None:
                self._drop(chunk, reading.feed, reading.interval)
                # The evidence stays in the database: nothing here needs it.
                digest = reading.digest or bytes(32)
                found.append(
                    Answered(reading.feed, reading.interval, reading.code, self.name, b"", digest)
                )
        if found:
            self._answered_at = self._clock()
            metrics.READING_TIME.labels(self.name).set(self._answered_at)
            self._alerts.clear("source_failing", self.name)
            self.on_answers(found)

    def _drop(self, chunk: _Chunk, feed: bytes, number: int) -> None:
        del self._chunk_of[feed, number]
        del chunk.open[feed]
        if not chunk.open:
            key = (chunk.interval, chunk.place)
            del self._chunks[key]
            self._fresh.pop(key, None)

    def _sweep(self, now: float) -> None:
        """Look after what was handed over some time ago."""
        self._forget_judged()
        old = [
            chunk
            for chunk in self._chunks.values()
            if chunk.queued_at is not None and chunk.queued_at <= now - SWEEP_SECONDS
        ]
        live = self._jobs.live() if old else set()
        firsts: dict[bytes, int] = {}
        for chunk in old:
            for feed, one in chunk.open.items():
                firsts[feed] = min(one.number, firsts.get(feed, one.number))
        if firsts:
            self._take(self._store.readings.answered_from(firsts))
        lost = [chunk for chunk in old if chunk.open and chunk.job(self.name).lock not in live]
        for chunk in lost:
            self._fresh[chunk.interval, chunk.place] = chunk
            chunk.queued_at = None
        if lost:
            log.warning(
                "jobs are gone that nobody finished: they are queued again",
                action="jobs_queued_again",
                source=self.name,
                jobs=len(lost),
            )
        self._watch_over_workers(now)

    def _forget_judged(self) -> None:
        """What the chain has gone past, or what is reported no more, nobody needs to read."""
        watched = {item.reporter.id for item in self._watched}
        judged: dict[bytes, int] = {}
        for (feed, number), chunk in list(self._chunk_of.items()):
            reporter = chunk.open[feed].item.reporter
            if number < reporter.first:
                judged[feed] = reporter.first
            if number < reporter.first or feed not in watched:
                self._drop(chunk, feed, number)
        self._store.readings.forget_unread(judged)

    def _watch_over_workers(self, now: float) -> None:
        waiting = [c for c in self._chunks.values() if c.queued_at is not None]
        since = min((c.queued_at for c in waiting if c.queued_at is not None), default=now)
        if now - max(since, self._answered_at) < FAILING_SECONDS:
            return
        workers = self._jobs.workers()
        oldest = min(waiting, key=lambda chunk: chunk.interval.start)
        feed, one = next(iter(oldest.open.items()))
        problem = self._store.readings.summary(feed, one.number)["problem"] or "nothing was read"
        what = problem if workers else "no worker is running"
        self._alerts.fire("source_failing", self.name, f"{what}; workers: {workers}")
