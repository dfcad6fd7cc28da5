"""Verdicts and how they are counted: the twin of what ``MonitoringOracle`` keeps of a window."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.scope import ALL, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.protocol.measurement import Measurement


class Verdict(IntEnum):
    """What the oracle concludes for an interval."""

    NONE = 0
    GOOD = 1
    BAD = 2
    UNKNOWN = 3
    NOT_APPLICABLE = 4
    EXCLUDED = 5


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Intervals [first, end) that all parties of a feed have excluded from judgement.

    :param planned: Whether they stay in the denominator, because the window had begun when they were excluded (rule 4).
    """

    first: int
    end: int
    planned: bool = False

    def __contains__(self, number: int) -> bool:
        return self.first <= number < self.end


def verdict_of(code: int, measurement: Measurement, scope: Scope = ALL) -> Verdict:
    """The verdict of a judged answer, of an interval that counts."""
    if code == NO_DATA:
        return Verdict.UNKNOWN
    if code == NOT_APPLICABLE:
        return Verdict.NOT_APPLICABLE
    return Verdict.GOOD if measurement.is_good(scope.clamp(code)) else Verdict.BAD


def verdict_at(
    number: int,
    code: int,
    measurement: Measurement,
    scope: Scope = ALL,
    exclusions: Sequence[Exclusion] = (),
) -> Verdict:
    """The verdict of interval ``number``, whatever was answered for those that do not count."""
    off = scope.is_off(measurement.start_of(number))
    if off or any(number in exclusion for exclusion in exclusions):
        return Verdict.EXCLUDED
    return verdict_of(code, measurement, scope)


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of a window [intervals].

    :param planned: Intervals in the service hours and not excluded before the window began: the denominator.
    :param judged: Planned intervals judged so far, unknown ones included.
    :param longest_run: Longest run of consecutive bad intervals.
    :param deviation: Sum of the distances of the judged values from the scope's best value [units of the feed].
    """

    planned: int
    judged: int = 0
    bad: int = 0
    unknown: int = 0
    not_applicable: int = 0
    longest_run: int = 0
    deviation: int = 0

    @property
    def good(self) -> int:
        return self.judged - self.bad - self.unknown - self.not_applicable

    @property
    def complete(self) -> bool:
        return self.judged == self.planned

    def as_abi(self) -> tuple[int, ...]:
        return astuple(self)


def planned_intervals(
    measurement: Measurement,
    scope: Scope,
    first: int,
    end: int,
    exclusions: Sequence[Exclusion] = (),
) -> int:
    """How many of the intervals [first, end) of one window are in its denominator (rule 4)."""
    removed = sum(
        scope.in_service(measurement, max(first, e.first), min(end, e.end))
        for e in exclusions
        if not e.planned and e.first < end and e.end > first
    )
    return scope.in_service(measurement, first, end) - removed


def count(
    codes: Sequence[int],
    measurement: Measurement,
    scope: Scope = ALL,
    *,
    window: int = 0,
    exclusions: Sequence[Exclusion] = (),
) -> Tally:
    """The tally of a window whose first ``len(codes)`` intervals were judged so."""
    first = measurement.window_begin(window)
    verdicts = [
        verdict_at(number, code, measurement, scope, exclusions)
        for number, code in enumerate(codes, first)
    ]
    longest = run = deviation = 0
    for code, verdict in zip(codes, verdicts, strict=True):
        if verdict is not Verdict.EXCLUDED:
            run = run + 1 if verdict is Verdict.BAD else 0
            longest = max(longest, run)
        if verdict in (Verdict.GOOD, Verdict.BAD):
            deviation += scope.deviation(code)
    end = first + measurement.window_intervals_of(window)
    return Tally(
        planned=planned_intervals(measurement, scope, first, end, exclusions),
        judged=planned_intervals(measurement, scope, first, first + len(codes), exclusions),
        bad=verdicts.count(Verdict.BAD),
        unknown=verdicts.count(Verdict.UNKNOWN),
        not_applicable=verdicts.count(Verdict.NOT_APPLICABLE),
        longest_run=longest,
        deviation=deviation,
    )
