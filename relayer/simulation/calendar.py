"""A window as a calendar: a row for each day with a cell for each hour, or, of windows longer than two months, a row for each week."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from relayer.protocol.tally import Verdict

if TYPE_CHECKING:
    from relayer.simulation.course import LevelCourse, WindowCourse

HOUR = 3_600
DAY = 86_400
WEEK = 7 * DAY
MOST_DAYS = 62
"""Windows of more days have a row for each week."""
# January 1, 1970 was a Thursday.
_MONDAY = 4 * DAY


class Look(Enum):
    """What a cell shows: the worst of what was in it."""

    OUTSIDE = " "
    """Not in the window, or not judged yet."""
    GOOD = "."
    EXCLUDED = "-"
    ABSENT = "n"
    """Not applicable."""
    UNKNOWN = "?"
    SOME_BAD = "x"
    ALL_BAD = "X"


@dataclass(frozen=True, slots=True)
class Cell:
    """:param start: Begin of the hour or day [s, UNIX time]."""

    start: int
    counts: Counter[Verdict]

    @property
    def look(self) -> Look:
        counts = self.counts
        total = counts.total()
        if not total:
            return Look.OUTSIDE
        if counts[Verdict.BAD]:
            judged = total - counts[Verdict.EXCLUDED]
            return Look.ALL_BAD if counts[Verdict.BAD] == judged else Look.SOME_BAD
        for verdict, look in (
            (Verdict.UNKNOWN, Look.UNKNOWN),
            (Verdict.GOOD, Look.GOOD),
            (Verdict.NOT_APPLICABLE, Look.ABSENT),
        ):
            if counts[verdict]:
                return look
        return Look.EXCLUDED

    @property
    def share_bad(self) -> float:
        """Of the judged intervals, for a shade; the money goes by exact numbers."""
        judged = self.counts.total() - self.counts[Verdict.EXCLUDED]
        return self.counts[Verdict.BAD] / judged if judged else 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A day of 24 hours, or a week of seven days.

    :param amount: What was paid to the consumer because of it [units of the token's decimals].
    """

    start: int
    label: str
    cells: tuple[Cell, ...]
    amount: int

    @property
    def bad(self) -> int:
        """Bad intervals."""
        return sum(cell.counts[Verdict.BAD] for cell in self.cells)


def calendar(window: WindowCourse, level: int) -> list[Row]:
    """The rows of a level's window, in order."""
    days = (window.end - window.start) / DAY
    row, cell = (DAY, HOUR) if days <= MOST_DAYS else (WEEK, DAY)
    phase = 0 if row == DAY else _MONDAY
    first = (window.start - phase) // row * row + phase
    counts = _counts(window.levels[level], cell)
    paid: Counter[int] = Counter()
    for payment in window.payments:
        if payment.level == level:
            paid[(payment.interval - phase) // row * row + phase] += payment.amount
    return [
        Row(
            start,
            datetime.fromtimestamp(start, UTC).strftime("%a %d" if row == DAY else "%d %b"),
            tuple(
                Cell(at, counts.get(at // cell, Counter()))
                for at in range(start, start + row, cell)
            ),
            paid[start],
        )
        for start in range(first, window.end, row)
    ]


def _counts(course: LevelCourse, cell: int) -> dict[int, Counter[Verdict]]:
    """Verdicts by the number of the cell that holds the interval's start."""
    measurement = course.level.feed.measurement
    if cell % measurement.interval == 0 and measurement.start % measurement.interval == 0:
        return _whole_cells(course, cell)
    found: dict[int, Counter[Verdict]] = {}
    for number, verdict in enumerate(course.verdicts, course.first):
        found.setdefault(measurement.start_of(number) // cell, Counter())[verdict] += 1
    return found


def _whole_cells(course: LevelCourse, cell: int) -> dict[int, Counter[Verdict]]:
    """The same where cells hold whole intervals: a slice for each."""
    measurement = course.level.feed.measurement
    each = cell // measurement.interval
    begin = measurement.start_of(course.first)
    found: dict[int, Counter[Verdict]] = {}
    at = 0
    while at < len(course.verdicts):
        start = begin + at * measurement.interval
        count = each - start % cell // measurement.interval
        found[start // cell] = Counter(course.verdicts[at : at + count])
        at += count
    return found
