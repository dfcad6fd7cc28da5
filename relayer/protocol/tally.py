"""Verdicts and how they are counted: the twin of what ``MonitoringOracle`` keeps of a window."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE

if TYPE_CHECKING:
    from relayer.protocol.measurement import Measurement


class Verdict(IntEnum):
    """What the oracle concludes for an interval."""

    NONE = 0
    GOOD = 1
    BAD = 2
    UNKNOWN = 3
    NOT_APPLICABLE = 4


def verdict_of(code: int, measurement: Measurement) -> Verdict:
    """The verdict of a judged answer."""
    if code == NO_DATA:
        return Verdict.UNKNOWN
    if code == NOT_APPLICABLE:
        return Verdict.NOT_APPLICABLE
    return Verdict.GOOD if measurement.is_good(code) else Verdict.BAD


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of a window [intervals].

    :param planned: Intervals of the window: the denominator.
    :param judged: Intervals judged so far, unknown ones included.
    :param longest_run: Longest run of consecutive bad intervals.
    """

    planned: int
    judged: int = 0
    bad: int = 0
    unknown: int = 0
    not_applicable: int = 0
    longest_run: int = 0

    @property
    def good(self) -> int:
        return self.judged - self.bad - self.unknown - self.not_applicable

    @property
    def complete(self) -> bool:
        return self.judged == self.planned

    def as_abi(self) -> tuple[int, int, int, int, int, int]:
        return (
            self.planned,
            self.judged,
            self.bad,
            self.unknown,
            self.not_applicable,
            self.longest_run,
        )


def count(codes: list[int], measurement: Measurement) -> Tally:
    """The tally of a window whose first ``len(codes)`` intervals were judged so."""
    verdicts = [verdict_of(code, measurement) for code in codes]
    longest = run = 0
    for verdict in verdicts:
        run = run + 1 if verdict is Verdict.BAD else 0
        longest = max(longest, run)
    return Tally(
        planned=measurement.window_intervals,
        judged=len(verdicts),
        bad=verdicts.count(Verdict.BAD),
        unknown=verdicts.count(Verdict.UNKNOWN),
        not_applicable=verdicts.count(Verdict.NOT_APPLICABLE),
        longest_run=longest,
    )
