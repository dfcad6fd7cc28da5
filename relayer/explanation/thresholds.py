"""Where each credit begins, and what examples cost. Worked out by :mod:`relayer.protocol`, as the contracts do it, never by a formula."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from relayer.protocol.credit import level_credit, owed_down, window_credit
from relayer.protocol.tally import Tally, planned_intervals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.protocol.terms import Level, Terms, Tier


@dataclass(frozen=True, slots=True)
class Example:
    """A window in which one level had so many of the worst intervals in a row, and all else was well.

    :param bad: How many [intervals].
    :param credit: What they cost [bps].
    :param to_consumer: Of the fee and the bond [units of the token's decimals].
    """

    window: int
    level: int
    planned: int
    bad: int
    credit: int
    to_consumer: int
    to_provider: int


def planned(terms: Terms, level: int, window: int) -> int:
    """The denominator of a window in which nothing is excluded [intervals]."""
    feed = terms.levels[level].feed
    number = terms.feed_window(level, window)
    begin, end = feed.measurement.window_begin(number), feed.measurement.window_begin(number + 1)
    return planned_intervals(feed.measurement, feed.scope, begin, end)


def tally_of(level: Level, count: int, bad: int) -> Tally:
    """A window of ``count`` intervals of which ``bad`` in a row are as bad as can be, and the others perfect."""
    scope = level.feed.scope
    return Tally(
        planned=count,
        judged=count,
        bad=bad,
        longest_run=bad,
        deviation=bad * abs(scope.worst - scope.best),
    )


def first_bad(terms: Terms, level: int, tier: Tier, window: int) -> int | None:
    """The smallest number of bad intervals that meets the tier; None if no number does."""
    agreed = terms.levels[level]
    alone = replace(agreed, tiers=(tier,), credit_per_bad_interval=0)
    count = planned(terms, level, window)
    met = bisect_left(
        range(count + 1),
        1,
        key=lambda bad: int(
            level_credit(alone, tally_of(agreed, count, bad), terms.unknown_policy) > 0
        ),
    )
    return met if met <= count else None


def example(terms: Terms, level: int, window: int, bad: int) -> Example:
    """What so many bad intervals of a level cost."""
    tallies = [
        tally_of(agreed, planned(terms, number, window), bad if number == level else 0)
        for number, agreed in enumerate(terms.levels)
    ]
    credit = window_credit(terms, tallies)
    fee = terms.fee_of(window)
    paid = min(owed_down(fee, credit, 0), fee + terms.bond)
    return Example(window, level, tallies[level].planned, bad, credit, paid, max(0, fee - paid))


def examples(terms: Terms, level: int, window: int) -> Iterator[Example]:
    """The last harmless number of bad intervals, and the first of each credit that the level can reach."""
    agreed = terms.levels[level]
    begins = {first_bad(terms, level, tier, window) for tier in agreed.tiers}
    if agreed.credit_per_bad_interval:
        begins |= {1, 10}
    counts = sorted(count for count in begins if count)
    if counts and counts[0] > 1:
        counts.insert(0, counts[0] - 1)
    last = None
    for bad in counts:
        if bad > planned(terms, level, window):
            return
        found = example(terms, level, window, bad)
        if last is None or found.credit > last.credit:
            yield found
            last = found


def windows_by_length(terms: Terms) -> tuple[int, int]:
    """The shortest and the longest of the agreement's whole windows, the first of its length each."""
    first = 0 if terms.fee_of(0) == terms.fee_per_window else 1
    numbers = range(min(first, terms.windows - 1), terms.windows)

    def seconds(window: int) -> int:
        return terms.window_start(window + 1) - terms.window_start(window)

    return min(numbers, key=seconds), max(numbers, key=seconds)
