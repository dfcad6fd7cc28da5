"""One thread for each monitoring service: samples, and steps 1 and 2 of its feeds' readings (schedule, read).

A monitoring service that hangs delays neither the others nor what the daemon sends.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from oracles import NO_DATA as ABSENT
from oracles import GarbageAnswer, MonitoringError, Value, encode
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oracles import AnyService, Query, Reading
    from oracles.base import Interval
    from relayer.reporting import Reporter
    from relayer.store import Store

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 1.0
"""How long the thread sleeps at most: a new feed or a due interval waits no longer [s]."""
LONGEST_RETRY = 60.0
"""A failed reading is tried again after 1, 2, 4, ... seconds, at most this."""


@dataclass(frozen=True)
class Watched:
    """A feed and the question that its readings answer."""

    reporter: Reporter
    query: Query[Any]


class Source:
    """A monitoring service at work."""

    def __init__(
        self, service: AnyService, store: Store, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._watched: tuple[Watched, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"source-{service.name}", daemon=True
        )

    @property
    def name(self) -> str:
        return self._service.name

    def watch(self, watched: tuple[Watched, ...]) -> None:
        """Replace what this source watches."""
        self._watched = watched

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread. One that hangs in a monitoring service dies with the process."""
        self._stop.set()
        self._thread.join(timeout)
        self._service.close()

    def step(self) -> float:
        """Sample and read what is due. Returns when to come back [s, UNIX time]."""
        now = self._clock()
        watched = self._watched
        again = self._service.sample([w.query for w in watched], now)
        if again is not None and not self._thread.is_alive():
            # `relayer once`: whoever takes no samples must not conclude "no data" from their absence.
            return again
        failed: set[bytes] = set()
        for interval, all_asked in self._due(watched, now).items():
            if self._stop.is_set():
                break
            # One failure per feed and step: a feed whose service hangs must not hold up the others.
            asked = [(item, n) for item, n in all_asked if item.reporter.id not in failed]
            if not asked:
                continue
            for (item, number), answer in zip(asked, self._read(asked, interval), strict=True):
                self._keep(item, number, answer)
                if isinstance(answer, MonitoringError):
                    failed.add(item.reporter.id)
            if again is not None and self._clock() >= again:
                break  # the next sample must not be late; one interval is read at every step, however late it is
        return min(now + LONGEST_PAUSE, again if again is not None else now + LONGEST_PAUSE)

    def _due(
        self, watched: Sequence[Watched], now: float
    ) -> dict[Interval, list[tuple[Watched, int]]]:
        """Step 1 for each feed; then what can be read at ``now``, by interval."""
        due: dict[Interval, list[tuple[Watched, int]]] = defaultdict(list)
        for item in watched:
            reporter = item.reporter
            reporter.schedule(now)
            delay = self._service.delay(item.query)
            for number in self._store.unread(reporter.id, reporter.first, now):
                interval = item.query.interval(number)
                if interval.end + delay <= now:
                    due[interval].append((item, number))
        return due

    def _read(
        self, asked: Sequence[tuple[Watched, int]], interval: Interval
    ) -> Sequence[Reading | MonitoringError]:
        try:
            return self._service.read([item.query for item, _ in asked], interval)
        except Exception as error:
            log.exception("adapter failed", action="source_failed", source=self.name)
            if len(asked) == 1:
                return [GarbageAnswer(f"{self.name} failed: {type(error).__name__}")]
            return [answer for one in asked for answer in self._read([one], interval)]

    def _keep(self, item: Watched, number: int, answer: Reading | MonitoringError) -> None:
        reporter = item.reporter
        if not isinstance(answer, MonitoringError):
            code = code_of(answer)
            self._store.save_reading(reporter.id, number, code, answer)
            log.info(
                "interval read",
                action="interval_read",
                feed=reporter.name,
                interval=number,
                value=code if code < NOT_APPLICABLE else str(answer.answer.value),  # type: ignore[union-attr]
                unit=answer.metric.unit.name,
            )
            return
        failures = self._store.failures(reporter.id, number)
        pause = answer.retry_after or min(LONGEST_RETRY, 2.0**failures)
        if not answer.retryable:
            pause = LONGEST_RETRY
        self._store.save_failure(reporter.id, number, str(answer), self._clock() + pause)
        log.warning(
            "reading failed",
            action="reading_failed",
            feed=reporter.name,
            interval=number,
            problem=str(answer),
            kind=type(answer).__name__,
            retry_in=pause,
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                again = self.step()
            except Exception:
                # The thread must outlive whatever an adapter or the disk does: the operator sees the trace, the next
                # round tries again.
                log.exception("source failed", action="source_failed", source=self.name)
                again = self._clock() + LONGEST_PAUSE
            self._stop.wait(max(0.01, again - self._clock()))


def code_of(reading: Reading) -> int:
    """The four-byte code of a reading."""
    if isinstance(reading.answer, Value):
        return encode(reading.metric, reading.answer.amount)
    return NO_DATA if reading.answer is ABSENT else NOT_APPLICABLE
