"""Doubles for the tests of whoever uses this package: nothing here talks to a network."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from oracles.base import (
    NO_DATA,
    Absence,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
    Spec,
    Value,
)
from oracles.errors import MonitoringError
from oracles.units import METRICS, Metric


class MemorySampleStore:
    """A SampleStore that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: dict[str, dict[int, bytes]] = {}

    def put(self, key: str, at: int, sample: bytes) -> None:
        with self._lock:
            self._samples.setdefault(key, {}).setdefault(at, sample)

    def get(self, key: str, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        with self._lock:
            samples = sorted(self._samples.get(key, {}).items())
        return samples[bisect_left(samples, (start,)) : bisect_left(samples, (end,))]


class ScriptedSpec(Spec):
    """Names the line of the script that answers."""

    line: str


Script = Mapping[str, Callable[[Interval], int | Fraction | Absence | MonitoringError]]


class ScriptedService(MonitoringService[ScriptedSpec, Options]):
    """Answers from a script: a function of the interval for each line, "no data" without one.

    A function returns an amount in the metric's unit, an absence, or an error to be reported.
    """

    name = "scripted"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 0
    Spec = ScriptedSpec
    Options = Options

    script: ClassVar[Script] = {}

    def _read(
        self, queries: Sequence[Query[ScriptedSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        return [self._answer(query, interval) for query in queries]

    def _answer(self, query: Query[ScriptedSpec], interval: Interval) -> Reading | MonitoringError:
        line = self.script.get(query.spec.line)
        said = NO_DATA if line is None else line(interval)
        if isinstance(said, MonitoringError):
            return said
        answer = said if isinstance(said, Absence) else Value(Fraction(said))
        try:
            return self._reading(query, interval, answer, str(said))
        except MonitoringError as error:
            return error
