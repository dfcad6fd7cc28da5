"""Times, windows, comparison and threshold of a feed: the twin of ``MeasurementLib.sol``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from relayer.protocol import calendar_months

DAY = 86_400
MAX_WINDOW_SECONDS = 366 * DAY
MAX_WINDOW_INTERVALS = 1 << 22
MAX_DEADLINE_SECONDS = 30 * DAY
LONGEST_MONTH_SECONDS = 31 * DAY


class Comparison(IntEnum):
    """An interval is good if ``value <comparison> threshold``."""

    LESS_THAN = 0
    AT_MOST = 1
    MORE_THAN = 2
    AT_LEAST = 3
    EQUAL_TO = 4
    NOT_EQUAL_TO = 5

    def holds(self, value: int, threshold: int) -> bool:
        match self:
            case Comparison.LESS_THAN:
                return value < threshold
            case Comparison.AT_MOST:
                return value <= threshold
            case Comparison.MORE_THAN:
                return value > threshold
            case Comparison.AT_LEAST:
                return value >= threshold
            case Comparison.EQUAL_TO:
                return value == threshold
            case Comparison.NOT_EQUAL_TO:
                return value != threshold


# Field, lowest bit, width: the layout of the packed word.
_LAYOUT = (
    ("start", 0, 40),
    ("interval", 40, 24),
    ("window_intervals", 64, 24),
    ("settle_delay", 88, 24),
    ("deadline", 112, 24),
    ("cadence", 136, 24),
    ("comparison", 160, 8),
    ("threshold", 168, 32),
    ("offset", 200, 24),
    ("notice", 224, 24),
)
_WIDTH = 248


@dataclass(frozen=True, slots=True)
class Measurement:
    """When and against what a feed is judged. Windows and intervals are numbered from 0 at the feed's start.

    :param start: Start of interval 0 and of window 0 [s, UNIX time, UTC].
    :param interval: Length of an interval [s].
    :param window_intervals: Length of a window [intervals]; 0: calendar months (UTC).
    :param settle_delay: No reading counts before its interval's end plus this [s].
    :param deadline: After this anyone may record missing intervals as unknown [s].
    :param cadence: How often a healthy feed is to be reported [s].
    :param threshold: What values are compared with [units of the feed].
    :param offset: Intervals of window 0 that lie before the start: so many is it short of a whole one. 0 for months.
    :param notice: How long before it begins a span must be excluded [s].
    """

    start: int
    interval: int
    window_intervals: int
    settle_delay: int
    deadline: int
    cadence: int
    comparison: Comparison
    threshold: int
    offset: int = 0
    notice: int = 0

    def problem(self) -> str | None:
        """Why the contracts would refuse this measurement (rules 2, 13 and 25); None if they would not."""
        for name, _, width in _LAYOUT:
            if not 0 <= getattr(self, name) < 1 << width:
                return f"{name} must lie between 0 and {(1 << width) - 1}"
        rules = (
            (self.interval > 0, "interval must be longer than 0 s"),
            (
                self.window_intervals <= MAX_WINDOW_INTERVALS,
                f"a window must have 1 to {MAX_WINDOW_INTERVALS} intervals",
            ),
            (
                self.window_seconds <= MAX_WINDOW_SECONDS,
                "a window must not be longer than 366 days",
            ),
            (
                not self.is_monthly or self._fits_days,
                "with monthly windows the interval must divide a day, and the feed start on a whole one",
            ),
            (
                self.offset == 0 or self.offset < self.window_intervals,
                "the first window must have at least one interval, and with months the offset must be 0",
            ),
            (
                self.deadline <= MAX_DEADLINE_SECONDS,
                "the report deadline must not be longer than 30 days",
            ),
            (
                self.deadline > self.settle_delay,
                "the report deadline must be longer than the settle delay",
            ),
            (
                self.deadline >= self.settle_delay + 2 * self.cadence,
                "the report deadline must be at least the settle delay plus twice the reporting cadence",
            ),
        )
        return next((rule for holds, rule in rules if not holds), None)

    def pack(self) -> int:
        """The word that the contracts take. Only valid measurements have one."""
        if problem := self.problem():
            raise ValueError(problem)
        return sum(int(getattr(self, name)) << low for name, low, _ in _LAYOUT)

    @classmethod
    def unpack(cls, word: int) -> Measurement:
        """The inverse of :meth:`pack`; raises ValueError for words that no valid measurement has."""
        if word >> _WIDTH:
            raise ValueError("reserved bits are set")
        fields = {name: word >> low & (1 << width) - 1 for name, low, width in _LAYOUT}
        comparison = Comparison(fields.pop("comparison"))
        measurement = cls(comparison=comparison, **fields)
        if problem := measurement.problem():
            raise ValueError(problem)
        return measurement

    @property
    def is_monthly(self) -> bool:
        """Whether windows are calendar months (UTC)."""
        return self.window_intervals == 0

    @property
    def _fits_days(self) -> bool:
        return self.interval > 0 and DAY % self.interval == 0 and self.start % self.interval == 0

    @property
    def window_seconds(self) -> int:
        """Length of a whole window [s]; 0 for months."""
        return self.window_intervals * self.interval

    @property
    def most_window_intervals(self) -> int:
        """Length of the longest window [intervals]: of months, that of one with 31 days."""
        return self.window_intervals or LONGEST_MONTH_SECONDS // self.interval

    @property
    def first_period(self) -> int:
        """Length of the whole period of which window 0 is the end [s]."""
        if not self.is_monthly:
            return self.window_seconds
        month = calendar_months.month_of(self.start)
        return calendar_months.start_of(month + 1) - calendar_months.start_of(month)

    def is_good(self, value: int) -> bool:
        """Whether a value keeps the promise."""
        return self.comparison.holds(value, self.threshold)

    def start_of(self, number: int) -> int:
        """Start of interval ``number``, and so the end of the one before [s, UNIX time]."""
        return self.start + number * self.interval

    def readable_at(self, number: int) -> int:
        """When a reading of interval ``number`` counts: its end plus the settle delay [s, UNIX time]."""
        return self.start_of(number + 1) + self.settle_delay

    def closed_until(self, now: int) -> int:
        """How many intervals are over and settled at ``now``: the first number that cannot be read yet."""
        return max(0, (now - self.settle_delay - self.start) // self.interval)

    def window_of(self, number: int) -> int:
        """The window that interval ``number`` belongs to."""
        if not self.is_monthly:
            return (number + self.offset) // self.window_intervals
        month = calendar_months.month_of(self.start_of(number))
        return month - calendar_months.month_of(self.start)

    def window_begin(self, window: int) -> int:
        """First interval of a window, and so the end of the one before."""
        if window == 0:
            return 0
        if not self.is_monthly:
            return window * self.window_intervals - self.offset
        begin = calendar_months.start_of(calendar_months.month_of(self.start) + window)
        return (begin - self.start) // self.interval

    def window_intervals_of(self, window: int) -> int:
        """Length of a window [intervals]."""
        return self.window_begin(window + 1) - self.window_begin(window)

    def window_start(self, window: int) -> int:
        """Start of a window, and so the end of the one before [s, UNIX time]."""
        return self.start_of(self.window_begin(window))

    def window_at(self, time: int) -> int:
        """The window that holds ``time`` [s, UNIX time], which is no earlier than the feed's start."""
        return self.window_of((time - self.start) // self.interval)
