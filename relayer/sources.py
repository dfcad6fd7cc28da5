"""One thread for each place that is asked: samples, and the first two steps of its feeds' readings, schedule and read.

A monitoring service that hangs delays neither the others nor what the daemon sends. What is to be read follows from the chain
(where a feed stands) and the database (what was answered), so a restart after an outage reads what was missed: services
that keep a history answer, of the others the interval has no data.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog
from eth_utils.crypto import keccak

from oracles import NO_DATA as ABSENT
from oracles import GarbageAnswer, MonitoringError, Throttled, Value, encode
from relayer.operations import metrics
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.reporting import MAX_INTERVALS
from relayer.store.errors import StoreUnavailable
from relayer.store.readings import Answered, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from oracles import AnyService, Query, Reading
    from oracles.base import Interval
    from relayer.operations.alerts import Alerts
    from relayer.reporting import Reporter
    from relayer.store import Store

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 1.0
"""How long the thread sleeps at most: a new feed, or an interval that the chain's clock is late for, waits no longer [s]."""
LONGEST_RETRY = 60.0
"""A failed reading is tried again after 1, 2, 4, ... seconds, at most this."""
LONGEST_ASKED_PAUSE = 300.0
"""A service may ask to be left alone for so long at most: whatever it says, a reading has a deadline [s]."""
STORE_RETRY = 5.0
"""While the database fails, services are not asked for what cannot be stored more often than this [s]."""
MOST_AHEAD = 60
"""Intervals of a backlog that are asked for in one go, where the service can."""
LARGEST_AHEAD = 30_000
"""Readings that are held so before they are stored: one is a kilobyte."""
_DOUBLINGS = 6
"""Pauses between attempts double so many times, then they are LONGEST_RETRY."""
FAILING_SECONDS = 300
"""A source that has answered nothing for so long is an alert [s]."""
LOGGED_ONE_BY_ONE = 10
"""Of more answers to one question only their number is logged."""


_Question: TypeAlias = tuple[str, str]
"""The key and the metric of a query: queries themselves cannot be keys."""


class Watched:
    """A feed and the question that its readings answer."""

    def __init__(self, reporter: Reporter, query: Query[Any]) -> None:
        self.reporter = reporter
        self.query = query
        self.next = 0  # first interval that is not scheduled
        self.ready_at = 0.0  # when it can be read [s, UNIX time]
        self._first = 0

    def schedule(self, now: float, delay: int) -> list[int]:
        """The intervals that can be read at ``now`` and were not scheduled before."""
        reporter, measurement = self.reporter, self.reporter.feed.measurement
        if reporter.first < self._first:
            self.next = reporter.first  # a reorganisation took the feed back
        self._first = reporter.first
        begin = max(self.next, reporter.first)
        end = min(reporter.closed(int(now)), begin + MAX_INTERVALS)
        while end > begin and self.query.interval(end - 1).end + delay > now:
            end -= 1
        self.next = max(begin, end)
        if self.next >= reporter.until:
            self.ready_at = now + LONGEST_RETRY  # an amendment may prolong it
        else:
            over = self.query.interval(self.next).end + delay
            self.ready_at = max(measurement.readable_at(self.next), over)
        return [number for number in range(begin, end) if not reporter.knows(number)]


@dataclass(slots=True)
class _Open:
    """An interval of a feed that has no answer yet."""

    item: Watched
    number: int
    failures: int = 0
    retry_at: float = 0.0


class Source:
    """A monitoring service at work.

    :param chain_time: The chain's time as far as it is known [s, UNIX time]. An answer stands for ever, and one that was
        asked for too early is none, so our own clock alone does not say that an interval is over.
    :param on_answers: Told of answers once they are stored.
    :param lane: Which of several sources of this kind it is.
    """

    def __init__(
        self,
        service: AnyService,
        store: Store,
        *,
        alerts: Alerts,
        chain_time: Callable[[], float] = lambda: math.inf,
        on_answers: Callable[[Sequence[Answered]], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        lane: str = "",
    ) -> None:
        self._service = service
        self._name = f"{service.name} {lane}" if lane else service.name
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self.chain_time = chain_time
        self.on_answers = on_answers
        self.held = False
        """Set while this machine's clock is not known to be right: what is dated by it would be invented."""
        self._watched: tuple[Watched, ...] = ()
        self._queries: list[Query[Any]] = []
        self._open: dict[Interval, list[_Open]] = {}
        self._ahead: dict[Interval, dict[_Question, Reading | MonitoringError | None]] = (
            defaultdict(dict)
        )
        """What was read of a backlog at once, within one step; None is to be asked for alone."""
        self._alone: dict[_Question, float] = {}
        """Questions that failed when they were asked for several intervals, and until when each is asked for alone."""
        self._failing_since: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source-{self._name}", daemon=True)

    @property
    def name(self) -> str:
        """The adapter's name, and the lane if there is one."""
        return self._name

    def watch(self, watched: tuple[Watched, ...]) -> None:
        """Replace what this source watches."""
        if watched != self._watched:
            self._watched = watched
            self._queries = [item.query for item in watched]

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Have the thread end soon."""
        self._stop.set()

    def stop(self, timeout: float) -> None:
        """End the thread. One that hangs in a monitoring service dies with the process."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._service.close()

    def step(self) -> float:
        """Sample and read what is due. Returns when to come back [s, UNIX time]."""
        now = self._clock()
        if self.held:
            return now + LONGEST_PAUSE
        again = self._service.sample(self._queries, now)
        if again is not None and not self._thread.is_alive():
            # `relayer once`: whoever takes no samples must not conclude "no data" from their absence.
            return again
        self._schedule(min(now, self.chain_time()))
        failed: set[bytes] = set()
        self._ahead.clear()
        for interval in sorted(self._open, key=lambda interval: interval.start):
            if self._stop.is_set() or self.held:
                break
            self._read_ahead(interval, now, failed)
            self._ask(interval, now, failed)
            self._ahead.pop(interval, None)
            if again is not None and self._clock() >= again:
                break  # the next sample must not be late; one interval is read at every step, however late it is
        # To the moment; where an interval is over by our clock and not yet by the chain's, nothing tells when that will be.
        due = [at for item in self._watched if (at := item.ready_at) > now]
        return min([now + LONGEST_PAUSE, *due, *([] if again is None else [again])])

    def _schedule(self, now: float) -> None:
        """Step 1: note which intervals are over and settled."""
        rows = []
        found = []
        for item in self._watched:
            if item.ready_at <= now or item.reporter.first > item.next:
                delay = self._service.delay(item.query)
                before = item.next
                for number in item.schedule(now, delay):
                    rows.append((item.reporter.id, number))
                    found.append((item, number))
                if item.next < before:
                    log.info("feed taken back", action="feed_taken_back", feed=item.reporter.name)
        if not rows:
            return
        try:
            self._store.readings.schedule(rows)
        except BaseException:
            for item, number in found:
                item.next, item.ready_at = min(item.next, number), 0.0
            raise
        for item, number in found:
            self._open.setdefault(item.query.interval(number), []).append(_Open(item, number))

    def _ask(self, interval: Interval, now: float, failed: set[bytes]) -> None:
        """Step 2, for all feeds that have this interval open.

        :param failed: Feeds that failed in this step: one whose service hangs must not hold up the others.
        """
        waiting = [one for one in self._open[interval] if one.number >= one.item.reporter.first]
        asked = [
            one for one in waiting if one.retry_at <= now and one.item.reporter.id not in failed
        ]
        if asked:
            begun = time.monotonic()
            answers = self._read(asked, interval)
            metrics.READ_SECONDS.labels(self.name).inc(time.monotonic() - begun)
            unanswered = self._keep(asked, answers)
            failed.update(one.item.reporter.id for one in unanswered)
            done = {id(one) for one in asked} - {id(one) for one in unanswered}
            waiting = [one for one in waiting if id(one) not in done]
        if waiting:
            self._open[interval] = waiting
        else:
            del self._open[interval]

    def _read_ahead(self, interval: Interval, now: float, failed: Collection[bytes]) -> None:
        """Ask at once for this interval and those that wait behind it, where the service can."""
        if not self._service.reads_spans() or not self._unknown(interval, now, failed):
            return
        for intervals, queries in self._backlog(interval, now, failed):
            begun = time.monotonic()
            try:
                answers = self._service.read_span(queries, intervals)
            except Exception:
                log.exception("adapter failed", action="source_failed", source=self.name)
                # Each interval is asked for alone, and says what is wrong.
                self._alone.update(dict.fromkeys(map(_asked, queries), now + LONGEST_ASKED_PAUSE))
                continue
            metrics.READ_SECONDS.labels(self.name).inc(time.monotonic() - begun)
            for one, given in zip(intervals, answers, strict=True):
                for question, answer in zip(map(_asked, queries), given, strict=True):
                    # One interval may have spoilt the others. Too many calls are not mended by more.
                    if isinstance(answer, MonitoringError) and not isinstance(answer, Throttled):
                        self._alone[question] = now + LONGEST_ASKED_PAUSE
                    else:
                        self._ahead[one][question] = answer

    def _backlog(
        self, since: Interval, now: float, failed: Collection[bytes]
    ) -> Iterator[tuple[Sequence[Interval], Sequence[Query[Any]]]]:
        """Questions that wait for several intervals, by the intervals."""
        queries: dict[_Question, Query[Any]] = {}
        due: dict[_Question, list[Interval]] = defaultdict(list)
        for interval in sorted(one for one in self._open if one >= since)[:MOST_AHEAD]:
            for question, query in self._unknown(interval, now, failed).items():
                queries[question] = query
                due[question].append(interval)
        most = max(2, LARGEST_AHEAD // max(1, len(queries)))
        together: dict[tuple[Interval, ...], list[Query[Any]]] = defaultdict(list)
        for question, intervals in due.items():
            together[tuple(intervals[:most])].append(queries[question])
        yield from ((span, some) for span, some in together.items() if len(span) > 1)

    def _unknown(
        self, interval: Interval, now: float, failed: Collection[bytes]
    ) -> dict[_Question, Query[Any]]:
        """What is due for an interval, was not read ahead, and may be."""
        known = self._ahead[interval]
        return {
            question: one.item.query
            for one in self._open[interval]
            if one.retry_at <= now
            and one.item.reporter.id not in failed
            and (question := _asked(one.item.query)) not in known
            and self._alone.get(question, 0.0) <= now
        }

    def _read(
        self, asked: Sequence[_Open], interval: Interval
    ) -> Sequence[Reading | MonitoringError]:
        known = [self._ahead[interval].get(_asked(one.item.query)) for one in asked]
        rest = [one for one, answer in zip(asked, known, strict=True) if answer is None]
        given = iter(self._read_now(rest, interval) if rest else ())
        return [next(given) if answer is None else answer for answer in known]

    def _read_now(
        self, asked: Sequence[_Open], interval: Interval
    ) -> Sequence[Reading | MonitoringError]:
        try:
            return self._service.read([one.item.query for one in asked], interval)
        except Exception as error:
            log.exception("adapter failed", action="source_failed", source=self.name)
            if len(asked) == 1:
                return [GarbageAnswer(f"{self.name} failed: {type(error).__name__}")]
            return [answer for one in asked for answer in self._read_now([one], interval)]

    def _keep(
        self, asked: Sequence[_Open], answers: Sequence[Reading | MonitoringError]
    ) -> list[_Open]:
        """Store what was answered and what failed; returns what has no answer still."""
        answered, failures, unanswered = [], [], []
        for one, answer in zip(asked, answers, strict=True):
            if isinstance(answer, MonitoringError):
                failures.append(self._failure(one, answer))
                unanswered.append(one)
            else:
                answered.append(_answered(one, answer))
        # Counted first: what cannot be stored was not answered, and is asked again.
        stand = self._store.readings.save(answered)
        self._store.readings.fail(failures)
        self._watch_over(answered, failures)
        if answered:
            self.on_answers(stand)
            self._log(asked, answers, answered)
        return unanswered

    def _failure(self, one: _Open, answer: MonitoringError) -> Failed:
        pause = pause_after(answer, one.failures)
        one.failures += 1
        one.retry_at = self._clock() + pause
        reporter = one.item.reporter
        log.warning(
            "reading failed",
            action="reading_failed",
            feed=reporter.name,
            interval=one.number,
            problem=str(answer),
            kind=type(answer).__name__,
            retry_in=pause,
        )
        return Failed(reporter.id, one.number, str(answer), one.retry_at)

    def _watch_over(self, answered: Sequence[Answered], failures: Sequence[Failed]) -> None:
        now = self._clock()
        kinds = Counter(
            {NO_DATA: "no_data", NOT_APPLICABLE: "not_applicable"}.get(one.code, "value")
            for one in answered
        )
        kinds["failed"] = len(failures)
        for kind, count in kinds.items():
            metrics.READINGS.labels(self.name, kind).inc(count)
        if answered:
            metrics.READING_TIME.labels(self.name).set(now)
            self._failing_since = None
            self._alerts.clear("source_failing", self.name)
        elif failures:
            self._failing_since = self._failing_since or now
            if now - self._failing_since >= FAILING_SECONDS:
                self._alerts.fire("source_failing", self.name, failures[-1].problem)

    def _log(
        self,
        asked: Sequence[_Open],
        answers: Sequence[Reading | MonitoringError],
        answered: Sequence[Answered],
    ) -> None:
        if len(answered) > LOGGED_ONE_BY_ONE:
            log.info(
                "intervals read", action="interval_read", source=self.name, feeds=len(answered)
            )
            return
        for one, answer in zip(asked, answers, strict=True):
            if not isinstance(answer, MonitoringError):
                value = answer.answer
                log.info(
                    "interval read",
                    action="interval_read",
                    feed=one.item.reporter.name,
                    interval=one.number,
                    value=code_of(answer) if isinstance(value, Value) else str(value.value),
                    unit=answer.metric.unit.name,
                )

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                again = self.step()
            except StoreUnavailable as error:
                log.warning(
                    "nothing read",
                    action="source_failed",
                    source=self.name,
                    problem=error.message,
                )
                again = self._clock() + STORE_RETRY
            except Exception:
                # The thread must outlive whatever an adapter or the disk does: the operator sees the trace, the next
                # round tries again.
                log.exception("source failed", action="source_failed", source=self.name)
                again = self._clock() + LONGEST_PAUSE
            self._stop.wait(max(0.01, again - self._clock()))


def _asked(query: Query[Any]) -> _Question:
    return query.key, query.metric.name


def pause_after(error: MonitoringError, failures: int) -> float:
    """Seconds in 1..LONGEST_ASKED_PAUSE before a reading is tried again that has failed, ``failures`` times before."""
    if not error.retryable:
        return LONGEST_RETRY
    asked = error.retry_after
    if asked is not None and 0 < asked < math.inf:  # neither negative, nor NaN, nor for ever
        return min(max(asked, 1.0), LONGEST_ASKED_PAUSE)
    return min(LONGEST_RETRY, 2.0 ** min(failures, _DOUBLINGS))


def _answered(one: _Open, reading: Reading) -> Answered:
    reporter = one.item.reporter
    return Answered(
        feed=reporter.id,
        interval=one.number,
        code=code_of(reading),
        source=reading.source,
        evidence=reading.evidence,
        digest=keccak(reporter.salt + reading.evidence),
    )


def code_of(reading: Reading) -> int:
    """The four-byte code of a reading."""
    if isinstance(reading.answer, Value):
        return encode(reading.metric, reading.answer.amount)
    return NO_DATA if reading.answer is ABSENT else NOT_APPLICABLE
