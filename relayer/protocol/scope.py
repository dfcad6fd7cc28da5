"""What of a feed is judged, hours of the week and range of values: the twin of ``ScopeLib.sol``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relayer.protocol.readings import MAX_VALUE

if TYPE_CHECKING:
    from relayer.protocol.measurement import Measurement

HOUR = 3_600
WEEK_HOURS = 168
ALL_HOURS = (1 << WEEK_HOURS) - 1
# January 1, 1970 was a Thursday: so many hours of its week had passed.
_EPOCH_HOURS = 72
# Field, lowest bit, width: the layout of the packed word.
_LAYOUT = (("best", 0, 32), ("worst", 32, 32), ("allowance", 64, 24), ("hours_off", 88, WEEK_HOURS))


@dataclass(frozen=True, slots=True)
class Scope:
    """What counts. The default: all hours, any value, no exclusions.

    :param best: Best value [units of the feed].
    :param worst: Worst value; both 0: values have no range, and no average [units of the feed].
    :param allowance: How many intervals of a window the parties may exclude.
    :param hours_off: Bit h is set if hour h of the week, from Monday 00:00 UTC on, is not judged.
    """

    best: int = 0
    worst: int = 0
    allowance: int = 0
    hours_off: int = 0

    def problem(self, measurement: Measurement) -> str | None:
        """Why the contracts would refuse this scope of a feed (rules 13 and 19); None if they would not."""
        return self._out_of_bounds() or self._range_problem() or self._hours_problem(measurement)

    def _out_of_bounds(self) -> str | None:
        for name, _, width in _LAYOUT:
            if not 0 <= getattr(self, name) < 1 << width:
                return f"{name} must lie between 0 and {(1 << width) - 1}"
        return None

    def _range_problem(self) -> str | None:
        if self.best > MAX_VALUE or self.worst > MAX_VALUE:
            return f"best and worst value must lie between 0 and {MAX_VALUE}"
        if self.best == self.worst and self.best:
            return "best and worst value must differ"
        return None

    def _hours_problem(self, measurement: Measurement) -> str | None:
        if self.hours_off == 0:
            return None
        if self.hours_off == ALL_HOURS:
            return "at least one hour of the week must be judged"
        interval = measurement.interval
        if not interval or HOUR % interval or measurement.start % interval:
            return (
                "with hours off the interval must divide an hour, and the feed start on a whole one"
            )
        return None

    def pack(self) -> int:
        """The word that the contracts take. Only fields within their bounds have one."""
        if problem := self._out_of_bounds():
            raise ValueError(problem)
        return sum(int(getattr(self, name)) << low for name, low, _ in _LAYOUT)

    @classmethod
    def unpack(cls, word: int) -> Scope:
        """The inverse of :meth:`pack`. Every word is some scope; whether of a feed, :meth:`problem` tells."""
        return cls(**{name: word >> low & (1 << width) - 1 for name, low, width in _LAYOUT})

    @property
    def has_range(self) -> bool:
        """Whether values have a range, and so an average."""
        return bool(self.best or self.worst)

    def clamp(self, value: int) -> int:
        """The value in the range that is nearest to ``value``, which is no code for "no data" or "not applicable"."""
        if not self.has_range:
            return value
        low, high = sorted((self.best, self.worst))
        return min(max(value, low), high)

    def deviation(self, value: int) -> int:
        """Distance of a value, once it is clamped, from the best one; 0 without a range."""
        return abs(self.clamp(value) - self.best) if self.has_range else 0

    def is_off(self, time: int) -> bool:
        """Whether the interval that starts at ``time`` [s, UNIX time] is not judged."""
        return bool(self.hours_off >> (time // HOUR + _EPOCH_HOURS) % WEEK_HOURS & 1)

    def in_service(self, measurement: Measurement, first: int, end: int) -> int:
        """How many of the intervals [first, end) are judged, as far as the hours of the week go."""
        if not self.hours_off:
            return end - first
        per_hour = HOUR // measurement.interval
        origin = measurement.start // measurement.interval + _EPOCH_HOURS * per_hour
        on = self.hours_off ^ ALL_HOURS
        return _in_hours(on, per_hour, origin + end) - _in_hours(on, per_hour, origin + first)


ALL = Scope()


def _in_hours(on: int, per_hour: int, count: int) -> int:
    """How many of the first ``count`` intervals of a Monday and the weeks after it are in the hours ``on``."""
    hours, rest = divmod(count, per_hour)
    weeks, hour = divmod(hours, WEEK_HOURS)
    whole = weeks * on.bit_count() + (on & (1 << hour) - 1).bit_count()
    return whole * per_hour + (on >> hour & 1) * rest
