"""Terms moved in time: the same agreement, as if it had begun when the readings do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relayer.protocol import calendar_months
from relayer.protocol.measurement import DAY
from relayer.protocol.scope import HOUR
from relayer.protocol.terms import MAX_WINDOWS

if TYPE_CHECKING:
    from relayer.protocol.terms import Terms


def holds(terms: Terms, first: int, last: int) -> bool:
    """Whether any of the times from ``first`` to ``last`` [s, UNIX time] lies in one of the agreement's windows."""
    return first < terms.window_start(terms.windows) and last >= terms.start


def natural_start(terms: Terms, first: int) -> int:
    """Where an agreement whose first reading is at ``first`` would have begun [s, UNIX time].

    With its month; with windows of fixed length on a whole day, hour or interval, whichever is the longest that intervals fit into.
    """
    if not terms.window_seconds:
        return calendar_months.start_of(calendar_months.month_of(first))
    intervals = [level.feed.measurement.interval for level in terms.levels]
    whole = next((span for span in (DAY, HOUR) if not any(span % i for i in intervals)), None)
    step = whole or max(intervals)
    return first // step * step


def begun_at(terms: Terms, start: int, last: int) -> Terms:
    """The same terms from ``start`` on, with as many windows as it takes to reach ``last`` [s, UNIX time].

    A start within a month makes a short first window, as it does in an agreement (rule 8).
    """
    levels = tuple(
        replace(
            level,
            feed=replace(
                level.feed, measurement=replace(level.feed.measurement, start=start, offset=0)
            ),
        )
        for level in terms.levels
    )
    moved = replace(terms, start=start, open_by=start, levels=levels)
    windows = moved.window_from(last + 1) if last >= start else 1
    return replace(moved, windows=min(MAX_WINDOWS, max(1, windows)), prepaid_windows=0)
