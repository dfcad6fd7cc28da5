"""Judging what was signed in parts. See `report.tree`."""
# ruff: noqa: N802, N999 - tests are named after the branches of the tree

import pytest

from relayer.protocol.report import ALL_INTERVALS
from tests.contracts.oracle.desk import codes, judged, refused

HISTORY = "gbb?-ggbbbbg"


@pytest.fixture
def feed(open_desk):
    """Windows of four intervals."""
    return open_desk(window_intervals=4)


@pytest.mark.parametrize("reporters", [2, 3])
@pytest.mark.parametrize("up_to", [1, 3, 4, 5, 11, 12, 13, ALL_INTERVALS])
def test_When_UpToEndsIt(feed, reporters, up_to):
    """A batch that is too long for one transaction still serves."""
    signed = [feed.sign(i, 0, HISTORY) for i in range(reporters)]
    feed.wait(feed.settled(12))
    tx = feed.send(signed, up_to=up_to)
    assert judged(tx)[:2] == (0, codes(HISTORY[:up_to]))
    feed.check(HISTORY[:up_to])


def test_When_UpToEndsIt_where_only_some_batches_end(feed):
    """Rule 5: what is behind it in any batch is neither judged nor in the way."""
    feed.report(feed.sign(0, 0, "ggg"), feed.sign(1, 0, "ggb"), feed.sign(2, 0, "gg?"), up_to=2)
    feed.check("gg")


@pytest.mark.parametrize("up_to", [1, 2, 3])
def test_When_UpToEndsBeforeTheFutureThatWasSigned(feed, up_to):
    """A reporter cannot spoil a report by signing what is not over; that part still waits."""
    signed = [feed.sign(0, 0, "gbb"), feed.sign(1, 0, "gbb" + 57 * "g"), feed.sign(2, 0, "g" * 600)]
    feed.wait(feed.settled(3))
    with refused("MonitoringOracle_TooEarly", 599, feed.settled(600)):
        feed.send(signed)
    feed.send(signed, up_to=up_to)
    feed.check("gbb"[:up_to])


def test_RevertWhen_UpToIsBeyondWhatHasSettled(feed):
    signed = feed.all_sign("gbb")
    available_at = feed.settled(2)
    feed.wait(available_at - 1)
    with refused("MonitoringOracle_TooEarly", 1, available_at):
        feed.send(signed, up_to=2)
    feed.wait(available_at)
    feed.send(signed, up_to=2)
    feed.check("gb")


@pytest.mark.parametrize("up_to", [0, 1, 2])
def test_RevertWhen_UpToIsReachedAlready(feed, up_to):
    feed.judge("gb")
    signed = feed.all_sign("gbb", first=0)
    feed.wait(feed.settled(3))
    with refused("MonitoringOracle_AlreadyJudged", 2, up_to):
        feed.send(signed, up_to=up_to)


@pytest.mark.parametrize("step", [1, 3, 4, 5])
@pytest.mark.parametrize("reporters", [2, 3])
def test_When_ItIsJudgedInParts(open_desk, step, reporters):
    """The same signatures, again and again."""
    feeds = [open_desk(descriptor=bytes([i]) * 32, window_intervals=4) for i in range(2)]
    for feed, size in zip(feeds, (step, 12), strict=True):
        signed = [feed.sign(i, 0, HISTORY) for i in range(reporters)]
        feed.wait(feed.settled(12))
        for up_to in range(size, 12 + size, size):
            feed.send(signed, up_to=up_to)
        feed.check(HISTORY)
    assert feeds[0].kept(4) == feeds[1].kept(4) == [True, True, True, False]
    assert feeds[0].state == feeds[1].state
