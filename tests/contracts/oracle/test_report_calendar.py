"""Windows that are months, and a first window that is short: rules 8 and 25. See `report.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

from datetime import UTC, datetime

import pytest

from relayer.protocol.scope import Scope
from relayer.protocol.tally import Tally
from tests.contracts.oracle.desk import PARTIES, panel

DAY = 86_400


def utc(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp())


@pytest.fixture
def open_months(open_desk):
    """`open_months(year, month, day)`: windows are months, intervals days."""

    def open_one(*date, **changes):
        fields = {"start": utc(*date), "interval": DAY, "window_intervals": 0}
        return open_desk(**(fields | changes))

    return open_one


@pytest.mark.parametrize(
    ("date", "days"),
    [
        ((2096, 1, 1), [31, 29, 31, 30]),
        ((2097, 1, 1), [31, 28, 31, 30]),
        ((2100, 2, 1), [28, 31, 30, 31]),
        ((2095, 11, 1), [30, 31, 31, 29]),
        ((2096, 6, 1), [30, 31, 31, 30]),
    ],
)
def test_When_WindowsAreMonths(open_months, date, days):
    """Rule 25: as long as the calendar says, in leap years, others and across new year."""
    feed = open_months(*date)
    assert [feed.tally(w).planned for w in range(4)] == days
    history = ""
    for length in days:
        history += "b" * length
        feed.judge("b" * length)
    for window, length in enumerate(days):
        assert feed.tally(window) == Tally(length, length, bad=length, longest_run=length)
    feed.check(history)


def test_When_WindowsAreMonths_to_the_interval(open_months):
    """The last hour of February 29 and the first of March."""
    feed = open_months(2096, 2, 29, 22, interval=3_600)
    feed.judge("gbbg")
    assert feed.tally(0) == Tally(2, 2, bad=1, longest_run=1)
    assert feed.tally(1) == Tally(31 * 24, 2, bad=1, longest_run=1)


@pytest.mark.parametrize(
    ("date", "days"),
    [
        ((2096, 1, 30), [2, 29, 31]),
        ((2097, 1, 31), [1, 28, 31]),
        ((2095, 12, 30), [2, 31, 29]),
        ((2096, 2, 29), [1, 31, 30]),
        ((2096, 3, 2), [30, 30, 31]),
    ],
)
def test_When_TheFeedStartsWithinAMonth(open_months, date, days):
    """Rule 8: window 0 holds the start, whenever in its month that is."""
    feed = open_months(*date)
    assert [feed.tally(w).planned for w in range(3)] == days
    feed.judge("b" * days[0])
    assert feed.tally(0).complete
    feed.judge("bb")
    assert feed.tally(0) == Tally(days[0], days[0], bad=days[0], longest_run=days[0])
    assert feed.tally(1) == Tally(days[1], 2, bad=2, longest_run=2)
    assert feed.kept(2) == [True, False]


@pytest.mark.parametrize("reporters", [2, 3])
@pytest.mark.parametrize("scope", [Scope(), Scope(best=1_000_000, worst=0)], ids=["plain", "range"])
def test_When_TwoMonthsEndWithinTheReport(open_months, reporters, scope):
    """The rest of January, February of a leap year, and what is over of March."""
    feed = open_months(2096, 1, 30, scope=scope)
    history = "gb" + "b?-" * 9 + "gb" + "bbg"
    feed.report(*(feed.sign(i, 0, history) for i in range(reporters)))
    feed.check(history)
    assert feed.kept(3) == [True, True, False]
    assert feed.tally(1).planned == 29
    assert feed.tally(2) == Tally(31, 3, 2, 0, 0, 2, 2_000_000 if scope.has_range else 0)


@pytest.mark.parametrize("offset", [1, 2, 3])
@pytest.mark.parametrize("reporters", [2, 3])
def test_When_TheFeedStartsWithinAWindow(open_desk, offset, reporters):
    """Rule 8: a start in the middle of a period is a window 0 that is short."""
    feed = open_desk(panel(3, parties=PARTIES), window_intervals=4, offset=offset)
    assert [feed.tally(w).planned for w in range(3)] == [4 - offset, 4, 4]
    history = "bbbbbbbbb"
    feed.report(*(feed.sign(i, 0, history) for i in range(reporters)))
    feed.check(history)
    short = 4 - offset
    assert feed.tally(0) == Tally(short, short, bad=short, longest_run=short)
    assert feed.tally(1) == Tally(4, 4, bad=4, longest_run=4)


def test_When_TheFeedStartsWithinAWindow_and_nothing_is_known_of_it(open_desk):
    """Rule 18: what leaves no slot is as long as the window is."""
    feed = open_desk(window_intervals=4, offset=3)
    feed.judge("?g")
    feed.check("?g")
    assert feed.kept(2) == [False, False]
    assert feed.tally(0) == Tally(1, 1, unknown=1)


def test_When_TheFeedStartsWithinAWindow_with_all_that_a_slot_can_hold(open_desk):
    feed = open_desk(window_intervals=4, offset=2)
    feed.judge("???")
    feed.check("???")
    assert feed.kept(2) == [False, False]
