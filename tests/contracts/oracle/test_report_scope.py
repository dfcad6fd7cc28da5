"""Hours that are not judged, and values that have a range: rules 4, 19, 24 and 25. See `report.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relayer.protocol.measurement import Comparison
from relayer.protocol.readings import MAX_VALUE, NO_DATA, NOT_APPLICABLE
from relayer.protocol.scope import Scope
from relayer.protocol.tally import Tally, Verdict
from tests.contracts.oracle.desk import codes, judged, panel, refused

HOUR = 3_600
# Monday, in a summer in which clocks elsewhere are an hour ahead.
MONDAY = int(datetime(2096, 7, 2, tzinfo=UTC).timestamp())


def hours_off(*hours):
    """Of the week, from Monday 00:00 UTC on."""
    return Scope(hours_off=sum(1 << hour for hour in hours))


@pytest.fixture
def open_week(open_desk):
    """`open_week(hour, *off)`: intervals of half an hour, windows of eight, from this hour of a week on; these hours are off."""

    def open_one(hour, *off, **changes):
        fields = {"start": MONDAY + hour * HOUR, "interval": 1_800, "window_intervals": 8}
        return open_desk(scope=hours_off(*off), **(fields | changes))

    return open_one


# Hours off


def test_When_HoursAreOff(open_week):
    """Rule 4: they are not in the denominator, and bad readings within them do not count; one hour is two intervals."""
    feed = open_week(8, 9, 11)
    feed.judge("gb" + "bb" + "?-" + "gg" + "b")
    feed.check("gbbb?-ggb")
    expected = Tally(planned=4, judged=4, bad=1, unknown=1, not_applicable=1, longest_run=1)
    assert feed.tally(0) == expected
    assert feed.tally(1) == Tally(planned=8, judged=1, bad=1, longest_run=1)


@pytest.mark.parametrize("reporters", [2, 3])
def test_When_HoursAreOff_wherever_reports_end(open_week, reporters):
    """By equal strings and by others, in one report and in many."""
    for descriptor, step in ((b"\1" * 32, 1), (b"\2" * 32, 3), (b"\3" * 32, 20)):
        feed = open_week(8, 9, 10, 13, descriptor=descriptor)
        history = "bgbbbbggbb?-bbbgggbb"
        for first in range(0, 20, step):
            part = history[first : first + step]
            feed.report(*(feed.sign(i, first, part) for i in range(reporters)))
        feed.check(history)


def test_When_HoursOffEndTheReport(open_week):
    feed = open_week(8, 9)
    feed.judge("ggb")
    assert feed.state == (3, Verdict.EXCLUDED)
    feed.judge("bb")
    assert feed.state == (5, Verdict.BAD)


@pytest.mark.parametrize(
    ("hour", "off", "left"),
    [
        # Sunday 22:00 to Monday 02:00.
        (166, (167, 0), [0, 1, 6, 7]),
        (166, (166, 1), [2, 3, 4, 5]),
        (167, (0, 1, 2), [0, 1]),
    ],
)
def test_When_AWeekEndsWithinTheReport(open_week, hour, off, left):
    """Rule 25: weeks begin on Monday 00:00 UTC."""
    feed = open_week(hour, *off)
    assert feed.tally(0).planned == len(left)
    feed.judge("b" * 8)
    assert feed.tally(0) == Tally(len(left), len(left), bad=len(left), longest_run=len(left))


def test_When_AWeekEndsWithinTheReport_hour_by_hour(open_week):
    """Whatever hour of the week is off, exactly that one is."""
    for hour in (0, 1, 23, 24, 100, 166, 167):
        feed = open_week(hour - 1 if hour else 167, hour, interval=HOUR, window_intervals=3)
        assert feed.tally(0).planned == 2
        assert feed.tally(56).planned == 2  # a week later
        assert {feed.tally(w).planned for w in range(1, 56)} == {3}
        feed.judge("gbg")
        assert (feed.tally(0).bad, feed.tally(0).judged) == (0, 2)


@pytest.mark.parametrize("covered", [4, 5])
def test_When_NobodyAnswersForHoursOff(open_week, covered):
    """A maintenance during which nobody measures holds up nothing, with or without a reading around it."""
    feed = open_week(8, 9, 10)
    feed.judge("gg")
    tx = feed.report(*(feed.sign(i, 6, "bbg"[: covered - 3]) for i in range(2)))
    assert judged(tx)[:2] == (2, codes("????" + "bbg"[: covered - 3]))
    feed.check("gg????" + "bbg"[: covered - 3])


def test_When_NobodyAnswersForHoursOff_but_more_is_missing(open_week):
    """They are passed, and the first interval that is due is not."""
    feed = open_week(8, 9)
    feed.judge("gg")
    feed.report(*(feed.sign(i, 5, "bb") for i in range(2)))
    feed.check("gg??")
    with refused("MonitoringOracle_Gap", 4):
        feed.report(*(feed.sign(i, 5, "bb") for i in range(2)))


def test_When_TheAnswersForHoursOffContradict(open_week):
    feed = open_week(8, 9)
    tx = feed.report(feed.sign(0, 0, "gggggg"), feed.sign(1, 0, "ggbbgg"))
    assert judged(tx)[:2] == (0, codes("gg??gg"))
    feed.check("gg??gg")


def test_When_HoursOffArePassedWithoutAQuorum(open_week):
    """Rule 2: nobody buys time by passing one after the other of the intervals that need no agreement."""
    feed = open_week(8, 9)
    reported_at = feed.judge("gg").timestamp
    feed.wait(feed.settled(4))
    with refused("MonitoringOracle_AlreadyJudged", 2, 0):
        feed.send([(2, b"\0\0\0\0", [])])
    for up_to in (3, 4):
        feed.send([feed.sign(0, 2, "bb")], up_to=up_to)
        assert feed.state == (up_to, Verdict.EXCLUDED)
        assert feed.advanced_at == reported_at
    feed.wait(feed.skippable(5))
    feed.skip(5)
    feed.check("gg???")


@pytest.mark.parametrize("before", ["bb", "gb", "bg"])
@pytest.mark.parametrize("cut", [0, 2, 3, 4])
def test_When_HoursOffInterruptARun(open_week, before, cut):
    """Rule 24: excluded neither ends nor lengthens a run."""
    feed = open_week(8, 9)
    history = before + "bgbb"
    if cut:
        feed.judge(history[:cut])
    feed.judge(history[cut:])
    feed.check(history)
    assert feed.tally(0).longest_run == {"bb": 4, "gb": 3, "bg": 2}[before]


@pytest.mark.parametrize("readings", ["bbbbbbbb", "????????", "gggggggg"])
def test_When_AWindowIsOffThroughout(open_week, readings):
    """Rule 24: D = 0."""
    feed = open_week(8, 8, 9, 10, 11)
    assert feed.tally(0) == Tally(planned=0)
    feed.judge(readings + "b")
    assert feed.tally(0) == Tally(planned=0)
    assert feed.tally(0).complete
    assert feed.kept(2) == [False, False]
    assert feed.tally(1) == Tally(planned=8, judged=1, bad=1, longest_run=1)


def test_When_AllButTheHoursOffIsUnknown(open_week):
    """Rule 18: as after `skip`."""
    feed = open_week(8, 9)
    feed.judge("??gg????")
    assert feed.tally(0) == Tally(planned=6, judged=6, unknown=6)
    assert feed.kept(1) == [False]


# Ranges: rule 19


def test_When_ValuesHaveARange(open_desk):
    """Milliseconds: 0 is best, more than 500 is as bad as 500; what is no number is at its best."""
    feed = open_desk(
        scope=Scope(best=0, worst=500),
        comparison=Comparison.AT_MOST,
        threshold=200,
        window_intervals=4,
    )
    history = [0, 120, 501, MAX_VALUE, NO_DATA, NOT_APPLICABLE, 200, 201, 7]
    feed.judge(history[:3])
    feed.judge(history[3:])
    feed.check(history)
    assert [feed.tally(w).deviation for w in range(3)] == [0 + 120 + 500 + 500, 401, 7]
    assert [feed.tally(w).bad for w in range(3)] == [2, 1, 0]


def test_When_ValuesHaveARange_at_the_limits_of_numbers(open_desk):
    """Sums of 32-bit values need more than 32 bits."""
    feed = open_desk(scope=Scope(best=0, worst=MAX_VALUE), threshold=1)
    feed.judge([MAX_VALUE] * 59)
    assert feed.tally(0).deviation == 59 * MAX_VALUE
    assert feed.tally(0).bad == 0
    feed.judge([0])
    assert feed.tally(0) == Tally(60, 60, bad=1, longest_run=1, deviation=59 * MAX_VALUE)


def test_When_TheBestValueIsTheHighest(open_desk):
    feed = open_desk(scope=Scope(best=1_000, worst=900), threshold=950)
    history = [1_000, 2_000, 949, 0, 950, 900]
    feed.judge(history)
    feed.check(history)
    assert feed.tally(0).deviation == 0 + 0 + 51 + 100 + 50 + 100
    assert feed.tally(0).bad == 3


@pytest.mark.parametrize(
    ("value", "threshold", "verdict"),
    [
        (0, 50, Verdict.GOOD),
        (99, 100, Verdict.GOOD),
        (99, 101, Verdict.BAD),
        (300, 201, Verdict.BAD),
    ],
)
@pytest.mark.parametrize("reporters", [1, 2, 3])
def test_When_ClampingMovesAValueAcrossTheThreshold(
    open_desk, value, threshold, verdict, reporters
):
    """The same whether equal strings come once, or each reporter's for itself."""
    feed = open_desk(
        panel(1) if reporters == 1 else panel(),
        scope=Scope(best=200, worst=100),
        threshold=threshold,
    )
    feed.wait(feed.settled(1))
    feed.send([feed.sign(i, 0, [value]) for i in range(reporters)])
    assert feed.verdict == verdict
    feed.check([value])


def test_When_ValuesOutsideTheRangeDiffer(open_desk):
    """Rule 19: clamped before agreement, so that outliers beyond the range are one answer."""
    feed = open_desk(
        panel(3, 2), scope=Scope(best=0, worst=500), comparison=Comparison.AT_MOST, threshold=200
    )
    tx = feed.report(*feed.each_signs(501, 7_000_000, 3))
    assert judged(tx) == (0, [500], {0, 1, 2}, {2})
    assert feed.tally(0).deviation == 500
    plain = open_desk(
        panel(3, 2), replace(feed.feed).descriptor, comparison=Comparison.AT_MOST, threshold=200
    )
    with refused("MonitoringOracle_NoAgreement", 0):
        plain.report(*plain.each_signs(501, 7_000_000, None))
