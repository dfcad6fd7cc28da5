"""See `tally.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import pytest

from relayer.protocol.scope import Scope
from relayer.protocol.tally import Tally

LAST = 2**32 - 1


@pytest.fixture
def feed(open_desk):
    return open_desk(window_intervals=4)


@pytest.mark.parametrize("window", [0, 1, LAST])
def test_When_NothingOfTheFeedWasJudged(feed, window):
    assert feed.tally(window) == Tally(planned=4)


@pytest.mark.parametrize("history", ["g", "b", "?", "-", "bb?", "-gb"])
def test_When_TheWindowIsRunning(feed, history):
    """A tally that is not final is served too: credits are paid as soon as they are certain."""
    feed.judge(history)
    assert feed.tally(0) == feed.expected(history)
    assert not feed.tally(0).complete


def test_When_TheWindowIsClosed(feed):
    feed.judge("bb?-")
    final = feed.tally(0)
    assert final == Tally(4, judged=4, bad=2, unknown=1, not_applicable=1, longest_run=2)
    feed.judge("bbbbb")
    feed.skip_when_due(30)
    assert feed.tally(0) == final


def test_When_TheWindowWasOnlyEverSkipped(feed):
    feed.skip_when_due(9)
    for window in (0, 1):
        assert feed.tally(window) == Tally(4, judged=4, unknown=4)
    assert feed.tally(2) == Tally(4, judged=1, unknown=1)


@pytest.mark.parametrize("window", [2, 3, LAST])
def test_When_TheWindowIsNotReached(feed, window):
    """Rule 4: the denominator is fixed before the window begins."""
    feed.judge("gbgbgbgb")
    assert feed.tally(window) == Tally(planned=4)


def test_When_AnotherFeedIsAskedFor(feed, open_desk):
    """A reference certifies itself: with any of its words changed it names another feed."""
    feed.judge("bbbbb")
    for other in (
        open_desk(window_intervals=5),
        open_desk(descriptor=b"\xdf" * 32, window_intervals=4),
        open_desk(scope=Scope(allowance=1), window_intervals=4),
    ):
        planned = other.feed.measurement.window_intervals
        assert other.tally(0) == Tally(planned=planned)
    panel, *words = feed.feed.ref.as_abi()
    forged = (panel[:-1] + b"\0", *words)
    assert Tally(*feed.oracle.tally(forged, 0)) == Tally(planned=4)


def test_When_IntervalsHaveNoLength(feed):
    """No feed is like this; a caller who asks anyway gets an answer instead of a panic."""
    panel, measurement, scope, descriptor = feed.feed.ref.as_abi()
    for window in (0, 3):
        none = (panel, measurement & ~(0xFFFFFF << 40), scope, descriptor)
        assert Tally(*feed.oracle.tally(none, window)) == Tally(planned=0)
