"""Skipping hours off, short windows and months: rules 4, 18, 24 and 25. See `skip.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

from datetime import UTC, datetime

import pytest

from relayer.protocol.scope import Scope
from relayer.protocol.tally import Tally, Verdict

HOUR, DAY = 3_600, 86_400
MONDAY = int(datetime(2096, 7, 2, tzinfo=UTC).timestamp())


@pytest.fixture
def feed(open_desk):
    """From Monday 08:00 on, intervals of half an hour, windows of eight; Monday 09:00 to 10:00 is off, and Sunday."""
    scope = Scope(hours_off=1 << 9 | ((1 << 24) - 1) << 144)
    return open_desk(scope=scope, start=MONDAY + 8 * HOUR, interval=1_800, window_intervals=8)


@pytest.mark.parametrize("before", ["", "b", "bbb", "b?-g", "bbbbbb"])
@pytest.mark.parametrize("up_to", [7, 8, 9, 16, 40])
def test_When_HoursAreOff(feed, before, up_to):
    """Rule 4: only what is planned can be unknown."""
    if before:
        feed.judge(before)
    feed.skip_when_due(up_to)
    history = before + "?" * (up_to - len(before))
    feed.check(history)
    assert feed.state == (up_to, Verdict.UNKNOWN)
    assert feed.kept(2) == [bool(before) and up_to >= 8, False]
    feed.judge("bb")
    feed.check(history + "bb")


def test_When_HoursAreOff_for_weeks(feed):
    """Rule 18: closed-form."""
    feed.judge("b")
    week = 7 * DAY // 1_800
    used = []
    for weeks in (1, 400):
        used.append(feed.skip_when_due(weeks * week).gas_used)
        # From window 0 on, a week has six days and an hour less.
        planned = sum(feed.tally(w).planned for w in range(week // 8))
        assert planned == week - 48 - 2
    assert abs(used[1] - used[0]) < 25_000  # the first one keeps the tally of window 0


@pytest.mark.parametrize("up_to", [3, 4])
def test_When_ItEndsWithinHoursOff(feed, up_to):
    feed.skip_when_due(up_to)
    feed.check("?" * up_to)
    assert feed.state == (up_to, Verdict.EXCLUDED)
    assert feed.tally(0) == Tally(planned=6, judged=2, unknown=2)


def test_When_AllThatIsLeftOfAWindowIsOff(open_desk):
    """Rule 24: excluded does not end a run, whoever passes it."""
    scope = Scope(hours_off=1 << 9)
    feed = open_desk(scope=scope, start=MONDAY + 8 * HOUR, interval=1_800, window_intervals=8)
    feed.judge("bb")
    feed.skip_when_due(4)
    feed.judge("b")
    feed.check("bb??b")
    assert feed.tally(0).longest_run == 3
    end = open_desk(
        descriptor=b"\2" * 32,
        scope=scope,
        start=MONDAY + 8 * HOUR,
        interval=1_800,
        window_intervals=4,
    )
    end.judge("bb")
    end.skip_when_due(4)
    assert end.tally(0) == Tally(2, 2, bad=2, longest_run=2)
    assert end.kept(1) == [True]


@pytest.mark.parametrize("offset", [1, 3])
@pytest.mark.parametrize("up_to", [1, 3, 4, 9])
def test_When_TheFirstWindowIsShort(open_desk, offset, up_to):
    """Rule 8."""
    feed = open_desk(window_intervals=4, offset=offset)
    feed.skip_when_due(up_to)
    feed.check("?" * up_to)
    assert feed.kept(3) == [False, False, False]
    feed.judge("b")
    feed.check("?" * up_to + "b")


@pytest.mark.parametrize(
    ("up_to", "passed"), [(1, 0), (2, 1), (30, 1), (31, 2), (62, 3), (400, 14)]
)
@pytest.mark.parametrize("before", ["", "b"])
def test_When_WindowsAreMonths(open_desk, up_to, passed, before):
    """Rule 25: two days of January, February of a leap year, and so on."""
    start = int(datetime(2096, 1, 30, tzinfo=UTC).timestamp())
    feed = open_desk(start=start, interval=DAY, window_intervals=0)
    if before:
        feed.judge(before)
    if up_to > len(before):
        feed.skip_when_due(up_to)
    feed.check(before + "?" * (up_to - len(before)))
    complete = [feed.tally(w).complete for w in range(passed + 1)]
    assert complete == [True] * passed + [False]
    assert feed.kept(3) == [bool(before) and passed > 0, False, False]
