"""Doubles for the tests of whoever uses this package: nothing here talks to a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from oracles.base import (
    NO_DATA,
    Absence,
    Answer,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
    Spec,
    Value,
)
from oracles.errors import GarbageAnswer, MonitoringError
from oracles.memory import MemorySampleStore
from oracles.units import METRICS, Metric


class ScriptedSpec(Spec):
    """Names the line of the script that answers."""

    line: str


__all__ = ["MemorySampleStore", "ScriptedService", "ScriptedSpec"]

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
        try:
            return self._reading(query, interval, str(said))
        except MonitoringError as error:
            return error

    @classmethod
    def conclude(cls, query: Query[ScriptedSpec], interval: Interval, raw: object) -> Answer:  # noqa: ARG003
        for absence in Absence:
            if raw == str(absence):
                return absence
        try:
            return Value(Fraction(str(raw)))
        except ValueError as error:
            raise GarbageAnswer("a line of the script says no number") from error
