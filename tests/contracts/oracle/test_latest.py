"""See `latest.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import pytest

from relayer.protocol.readings import MAX_VALUE, NO_DATA, NOT_APPLICABLE
from relayer.protocol.tally import Verdict


def test_When_NothingOfTheFeedWasJudged(feed):
    assert tuple(feed.oracle.latest(feed.feed.id)) == (0, Verdict.NONE, 0)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0, Verdict.BAD),
        (989_999, Verdict.BAD),
        (990_000, Verdict.GOOD),
        (MAX_VALUE, Verdict.GOOD),
        (NOT_APPLICABLE, Verdict.NOT_APPLICABLE),
        (NO_DATA, Verdict.UNKNOWN),
    ],
)
def test_When_AReportWasTheLast(feed, code, verdict):
    tx = feed.judge([990_000, 0, code])
    assert tuple(feed.oracle.latest(feed.feed.id)) == (3, verdict, tx.timestamp)


def test_When_ASkipWasTheLast(feed):
    report = feed.judge("b")
    feed.skip_when_due(70)
    assert tuple(feed.oracle.latest(feed.feed.id)) == (70, Verdict.UNKNOWN, report.timestamp)


@pytest.mark.parametrize(
    ("readings", "verdict"),
    [
        ("gbgb", Verdict.BAD),
        ("bgbg", Verdict.GOOD),
        ("gbg-", Verdict.NOT_APPLICABLE),
        ("gbg?", Verdict.UNKNOWN),
        ("bbg", Verdict.GOOD),
    ],
)
def test_When_TheReportEndedAWindow(open_desk, readings, verdict):
    """Counts begin anew with a window, the last verdict stays."""
    feed = open_desk(window_intervals=2)
    tx = feed.judge(readings)
    assert tuple(feed.oracle.latest(feed.feed.id)) == (len(readings), verdict, tx.timestamp)
