"""What exclusions do to what is judged: rules 4, 18, 20 and 24. See `exclude.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import pytest

from relayer.protocol.scope import Scope
from relayer.protocol.tally import Tally, Verdict
from tests.contracts.oracle.desk import PARTIES, codes, judged, panel, refused


@pytest.fixture
def feed(open_desk):
    """Windows of eight intervals, all of which may be excluded, without notice."""
    return open_desk(panel(parties=PARTIES), scope=Scope(allowance=8), window_intervals=8)


def exclude_late(feed, first, end):
    """When the window has begun, as late as may be."""
    feed.wait(feed.feed.measurement.start_of(first))
    feed.exclude(first, end)


def test_When_TheFeedWasJudgedBefore(feed):
    tx = feed.judge("bb?")
    feed.exclude(6, 8)
    assert feed.state == (3, Verdict.UNKNOWN)
    assert feed.advanced_at == tx.timestamp
    feed.check("bb?")
    feed.judge("bbbbb")
    feed.check("bb?bbbbb")


def test_When_TheWindowHasNotBegun(feed):
    """Rule 4: signed before the window begins, it is not planned."""
    feed.exclude(2, 5)
    feed.exclude(9, 10)
    assert [feed.tally(w) for w in range(3)] == [Tally(5), Tally(7), Tally(8)]
    feed.judge("bbbbbb")
    assert feed.tally(0) == Tally(planned=5, judged=3, bad=3, longest_run=3)


def test_When_TheWindowHasNotBegun_by_a_second(feed, start):
    feed.wait(start - 1)
    feed.exclude(2, 5)
    assert feed.tally(0) == Tally(planned=5)


def test_When_TheWindowHasBegun(feed):
    """Rule 4: the denominator is fixed when the window begins, so a late exclusion counts as good."""
    exclude_late(feed, 2, 5)
    assert feed.excluded[0].planned
    assert feed.tally(0) == Tally(planned=8)
    feed.judge("bbbbbb")
    tally = feed.tally(0)
    assert tally == Tally(planned=8, judged=6, bad=3, longest_run=3)
    assert tally.good == 3
    feed.check("bbbbbb")


def test_When_TheWindowHasBegun_in_that_second(feed, start):
    feed.wait(start)
    feed.exclude(2, 5)
    assert feed.tally(0) == Tally(planned=8)


def test_When_TheWindowHasBegun_for_one_span_of_two(feed):
    feed.exclude(2, 3)
    exclude_late(feed, 5, 7)
    assert [tuple(s) for s in feed.oracle.exclusions(feed.feed.id, 0)] == [
        (2, 3, False),
        (5, 7, True),
    ]
    history = "bbb?bbbb" + "b"
    feed.judge(history)
    feed.check(history)
    assert feed.tally(0) == Tally(planned=7, judged=7, bad=4, unknown=1, longest_run=2)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("said", ["b", "g", "?", "-"])
@pytest.mark.parametrize("reporters", [2, 3])
def test_When_ExcludedIntervalsAreReported(feed, late, said, reporters):
    """Whatever was measured meanwhile."""
    exclude_late(feed, 2, 5) if late else feed.exclude(2, 5)
    history = "gb" + said * 3 + "bgb"
    feed.report(*(feed.sign(i, 0, history) for i in range(reporters)))
    feed.check(history)
    planned = 8 if late else 5
    assert feed.tally(0) == Tally(planned, planned, bad=3, longest_run=2)


@pytest.mark.parametrize("late", [False, True])
def test_When_ExcludedIntervalsAreReported_last(feed, late):
    exclude_late(feed, 2, 5) if late else feed.exclude(2, 5)
    feed.judge("bbbb")
    assert feed.state == (4, Verdict.EXCLUDED)
    feed.check("bbbb")


def test_When_NobodyReportsExcludedIntervals(feed):
    """Rule 20: who excludes a span need not measure it."""
    feed.exclude(2, 5)
    tx = feed.report(feed.sign(0, 0, "gg"), feed.sign(1, 0, "gggbb"), *[feed.sign(2, 5, "b")])
    assert judged(tx)[:2] == (0, codes("gg???"))
    feed.report(*feed.all_sign("bb"))
    feed.check("gg???bb")


def test_When_NobodyReportsExcludedIntervals_and_the_next_is_missing(feed):
    feed.exclude(0, 2)
    feed.report(*feed.all_sign("bb", first=3))
    feed.check("??")
    with refused("MonitoringOracle_Gap", 2):
        feed.report(*feed.all_sign("bb", first=3))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("cut", [0, 2, 3, 5])
def test_When_ARunSurroundsTheSpan(feed, late, cut):
    """Rule 24: excluded neither ends nor lengthens a run."""
    exclude_late(feed, 2, 5) if late else feed.exclude(2, 5)
    history = "bbg?-bbg"
    if cut:
        feed.judge(history[:cut])
    feed.judge(history[cut:])
    feed.check(history)
    assert feed.tally(0).longest_run == 4


@pytest.mark.parametrize("late", [False, True])
def test_When_HoursOffOverlapTheSpan(open_desk, start, late):
    """Rule 20: what is off already is not taken out again, but counts against the allowance."""
    hour = (start // 3_600 + 72) % 168
    scope = Scope(allowance=3, hours_off=1 << (hour + 1) % 168)
    feed = open_desk(panel(parties=PARTIES), scope=scope, interval=1_800, window_intervals=8)
    exclude_late(feed, 1, 4) if late else feed.exclude(1, 4)
    assert feed.tally(0).planned == (6 if late else 5)
    feed.judge("bbbbbb")
    feed.check("bbbbbb")
    assert feed.tally(0).bad == 3
    with refused("MonitoringOracle_Allowance", 4, 3):
        feed.exclude(7, 8)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("before", ["b", "bbb", "bbbbbb"])
@pytest.mark.parametrize("up_to", [7, 8, 9, 20])
def test_When_ASkipPassesTheSpan(feed, late, before, up_to):
    """Rule 18: closed-form all the same."""
    exclude_late(feed, 2, 5) if late else feed.exclude(2, 5)
    feed.judge(before)
    feed.skip_when_due(up_to)
    history = before + "?" * (up_to - len(before))
    feed.check(history)
    feed.judge("b")
    feed.check(history + "b")


def test_When_ASkipPassesTheSpan_of_windows_that_only_ever_were_skipped(feed):
    feed.exclude(2, 5)
    feed.exclude(8, 16)
    feed.exclude(20, 21)
    feed.skip_when_due(30)
    feed.check("?" * 30)
    assert feed.kept(4) == [False] * 4
    assert feed.tally(0) == Tally(planned=5, judged=5, unknown=5)
    assert feed.tally(1) == Tally(planned=0)
    assert feed.tally(2) == Tally(planned=7, judged=7, unknown=7)


def test_When_ASkipPassesTheSpan_and_ends_there(feed):
    feed.exclude(2, 5)
    feed.judge("b")
    feed.skip_when_due(4)
    assert feed.state == (4, Verdict.EXCLUDED)
    feed.check("b???")


@pytest.mark.parametrize("readings", ["bbbbbbbb", "????????"])
def test_When_AllOfAWindowIsExcluded(feed, readings):
    """Rule 24: D = 0."""
    feed.exclude(8, 16)
    feed.judge("gggggggg" + readings)
    feed.check("gggggggg" + readings)
    assert feed.kept(2) == [True, False]
    assert feed.tally(1) == Tally(planned=0)


def test_When_AllOfAWindowIsExcluded_late(feed):
    """Planned, judged, and good."""
    exclude_late(feed, 1, 8)
    feed.judge("?bbbbbbb")
    feed.check("?bbbbbbb")
    assert feed.kept(1) == [False]
    assert feed.tally(0) == Tally(planned=8, judged=8, unknown=1)
    assert feed.tally(0).good == 7


@pytest.mark.parametrize("late", [False, True])
def test_When_AllThatIsLeftOfAWindowIsUnknown(feed, late):
    exclude_late(feed, 2, 5) if late else feed.exclude(2, 5)
    feed.judge("??bgb???")
    feed.check("??bgb???")
    assert feed.kept(1) == [False]
    assert feed.tally(0).unknown == 5


def test_When_AnotherFeedIsReported(feed, open_desk):
    feed.exclude(2, 5)
    other = open_desk(
        panel(parties=PARTIES), b"\1" * 32, scope=Scope(allowance=8), window_intervals=8
    )
    assert len(other.oracle.exclusions(other.feed.id, 0)) == 0
    other.judge("bbbbbb")
    assert other.tally(0) == Tally(planned=8, judged=6, bad=6, longest_run=6)
