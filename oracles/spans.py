"""Many intervals, few calls: what one call of a service that answers with series asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oracles.base import Interval


def runs(intervals: Iterable[Interval], longest: int) -> Iterator[list[Interval]]:
    """Intervals of one length in the order of time, cut where there is a gap and after `longest` seconds.

    A run has one interval at least, however long that is.
    """
    run: list[Interval] = []
    for interval in sorted(intervals):
        if run and (interval.start != run[-1].end or interval.end - run[0].start > longest):
            yield run
            run = []
        run.append(interval)
    if run:
        yield run
