"""Readings of the past from monitoring services that keep them.

A question is asked interval by interval, and a month has 44,640 of them. Where a service answers with a series of points, one question for
a day brings the points of all of its intervals; each is then concluded from its own points. Some adapters are made for that (`read_span`); of
the others a few intervals of each day are asked for alone as well, to see that this is the same; where it is not, all of them are.
"""

from __future__ import annotations

import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from oracles import NO_DATA as ABSENT
from oracles import (
    AccessRefused,
    AnyService,
    BadRequest,
    GarbageAnswer,
    Interval,
    MonitoringError,
    Query,
    Reading,
    Unavailable,
    Value,
    connect,
    encode,
    load,
)
from oracles.composite import Composite
from relayer.errors import ConfigurationError
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DAY: Final = 86_400
ATTEMPTS: Final = 4
LONGEST_PAUSE: Final = 30.0
THREADS: Final = 8
HOPELESS: Final = 8
"""So many intervals fail one after the other, and none was read: the service cannot be reached at all."""
CHECKED: Final = 3
"""So many intervals of a day are asked for alone to see that the day's answer says the same."""

_AnswerT = TypeVar("_AnswerT", bound=Reading | MonitoringError | None)


@dataclass
class History:
    """What was read.

    :param codes: Codes of readings, by the interval's number; intervals that could not be read have none.
    :param problems: Why intervals could not be read, and how many for each reason.
    """

    codes: dict[int, int] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)


def historian(
    name: str,
    options: Mapping[str, Mapping[str, object]],
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> AnyService:
    """The service of that name, with the operator's options, asked by the day. Raises MonitoringError."""
    service = load(name)
    if issubclass(service, Composite):

        def inner(name: str) -> AnyService:
            return historian(name, options, pause=pause, clock=clock)

        return service(options.get(name, {}), connect=inner, clock=clock)
    # Composites use of an adapter what `_ByDay` has.
    return cast("AnyService", _ByDay(connect(name, options, clock=clock), pause, clock))


def read_history(
    service: AnyService,
    query: Query[Any],
    numbers: range,
    *,
    pause: Callable[[float], object] | None = None,
) -> History:
    """The readings of intervals that are over.

    :param pause: Waits so many seconds; what it returns is true if there is nothing to wait for any more.
    :raises ConfigurationError: Access is refused, the service cannot be reached, or not one interval can be read.
    """
    history = History()
    stopped = threading.Event()
    failed = 0

    def one(number: int) -> Reading | MonitoringError:
        if stopped.is_set():
            return Unavailable("not asked any more")
        return _ask(service, query, query.interval(number), pause or stopped.wait)

    with ThreadPoolExecutor(THREADS) as pool:
        for number, answer in zip(numbers, pool.map(one, numbers), strict=True):
            if isinstance(answer, Reading):
                history.codes[number] = code_of(answer)
                continue
            # A question of a time that the service has forgotten is refused at once, and others may not be.
            failed = failed + 1 if answer.retryable else 0
            hopeless = failed == HOPELESS and not history.codes
            if hopeless or isinstance(answer, AccessRefused):
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise ConfigurationError(
                    f"{service.name}: {answer}",
                    hint="`makegood monitor test FILE` tries the service alone",
                )
            reason = str(answer)
            history.problems[reason] = history.problems.get(reason, 0) + 1
    if not history.codes and history.problems:
        reason = next(iter(history.problems))
        raise ConfigurationError(
            f"{service.name} can be read for none of the {len(numbers):,} intervals: {reason}"
        )
    return history


def code_of(reading: Reading) -> int:
    """The four-byte code of a reading."""
    if isinstance(reading.answer, Value):
        return encode(reading.metric, reading.answer.amount)
    return NO_DATA if reading.answer is ABSENT else NOT_APPLICABLE


class _ByDay:
    """A service that is asked for a day at once, and answers for single intervals."""

    def __init__(
        self,
        service: AnyService,
        pause: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.name = service.name
        self._service = service
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._days: dict[tuple[str, int], Mapping[Interval, Reading]] = {}
        self._alone: set[str] = set()
        """Questions that cannot be asked by the day."""

    def query(self, *arguments: Any, **named: Any) -> Query[Any]:
        return self._service.query(*arguments, **named)

    def delay(self, query: Query[Any]) -> int:
        return self._service.delay(query)

    def close(self) -> None:
        self._service.close()

    def read(
        self, queries: Sequence[Query[Any]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        return [self._one(query, interval) for query in queries]

    def _one(self, query: Query[Any], interval: Interval) -> Reading | MonitoringError:
        found = self._day(query, interval).get(interval)
        if found is not None:
            return found
        [answer] = self._service.read([query], interval)
        return answer

    def _day(self, query: Query[Any], interval: Interval) -> Mapping[Interval, Reading]:
        """The readings of the day of an interval; none if they cannot be had together."""
        each = DAY // query.length
        number = (interval.start - query.first) // query.length
        if each < CHECKED or query.key in self._alone:
            return {}
        with self._lock:
            key = (query.key, number // each)
            if key not in self._days:
                begin = key[1] * each
                over = int(self._clock() - self._service.delay(query) - query.first)
                end = min(begin + each, over // query.length)
                self._days[key] = self._fetch(query, range(begin, end)) if end > begin else {}
            return self._days[key]

    def _span(self, query: Query[Any], numbers: range) -> Mapping[Interval, Reading] | None:
        """Of a service that is made to be asked for several intervals; None if it is not for this question."""
        intervals = list(map(query.interval, numbers))

        def read() -> list[Reading | MonitoringError | None]:
            return [answer for [answer] in self._service.read_span([query], intervals)]

        answers = _patiently(read, self._pause)
        if all(answer is None for answer in answers):
            return None
        each = zip(intervals, answers, strict=True)
        return {one: answer for one, answer in each if isinstance(answer, Reading)}

    def _fetch(self, query: Query[Any], numbers: range) -> Mapping[Interval, Reading]:
        if self._service.reads_spans() and (found := self._span(query, numbers)) is not None:
            return found
        start = query.interval(numbers.start).start
        try:
            whole = self._service.query(
                query.spec, query.metric.name, first=start, length=len(numbers) * query.length
            )
            reading = _ask(self._service, whole, whole.interval(0), self._pause)
            if isinstance(reading, MonitoringError):
                return {}  # a day that is forgotten in part, for instance: its intervals say what is known
            parts = _split(json.loads(reading.evidence)["answer"], numbers, query)
            found = {
                # What the adapter itself does with what it has fetched.
                interval: self._service._reading(query, interval, part)  # noqa: SLF001
                for interval, part in zip(map(query.interval, numbers), parts, strict=True)
            }
        except (BadRequest, GarbageAnswer):
            self._alone.add(query.key)
            return {}
        for interval in map(query.interval, _spread(numbers)):
            alone = _ask(self._service, query, interval, self._pause)
            if isinstance(alone, Reading) and alone.answer != found[interval].answer:
                # A service that makes longer spans coarser, for instance.
                self._alone.add(query.key)
                return {}
        return found


def _ask(
    service: AnyService, query: Query[Any], interval: Interval, pause: Callable[[float], object]
) -> Reading | MonitoringError:
    [answer] = _patiently(lambda: service.read([query], interval), pause)
    return answer


def _patiently(
    read: Callable[[], Sequence[_AnswerT]], pause: Callable[[float], object]
) -> Sequence[_AnswerT]:
    """Reads again while that may help, and ``pause`` does not say that it is over."""
    wait = 1.0
    for _ in range(ATTEMPTS - 1):
        answers = read()
        failed = [one for one in answers if isinstance(one, MonitoringError) and one.retryable]
        if not failed:
            return answers
        asked = failed[0].retry_after
        sensible = asked is not None and 0 < asked < math.inf  # neither negative, nor NaN
        if pause(min(asked if asked is not None and sensible else wait, LONGEST_PAUSE)):
            return answers
        wait *= 2
    return read()


def _split(raw: Any, numbers: range, query: Query[Any]) -> list[dict[str, Any]]:
    """Series of points, cut at the intervals. Raises GarbageAnswer for any other kind of answer."""
    series = {}
    if isinstance(raw, dict):
        series = {name: value for name, value in raw.items() if isinstance(value, list)}
    if not series or not all(map(_is_series, series.values())):
        raise GarbageAnswer("this is no series of points")
    start = query.interval(numbers.start).start
    parts = [{**raw, **{name: [] for name in series}} for _ in numbers]
    for name, points in series.items():
        for point in points:
            # Milliseconds of our days are larger than seconds of any.
            at = point[0] / 1_000 if point[0] > start * 500 else point[0]
            place = int((at - start) // query.length)
            if not 0 <= place < len(parts):
                raise GarbageAnswer("a point lies outside of the day")
            parts[place][name].append(point)
    return parts


def _is_series(points: Sequence[Any]) -> bool:
    return all(
        isinstance(point, list) and len(point) == 2 and isinstance(point[0], int | float)
        for point in points
    )


def _spread(numbers: range) -> list[int]:
    """A few numbers, the first and the last among them."""
    step = max(1, (len(numbers) - 1) // (CHECKED - 1))
    return sorted({*numbers[::step][: CHECKED - 1], numbers[-1]})
