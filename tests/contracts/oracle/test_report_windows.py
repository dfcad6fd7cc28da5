"""Where windows end, what they leave behind, and how runs are counted. See `report.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import pytest

from relayer.protocol.tally import Tally, Verdict


@pytest.fixture
def feed(open_desk):
    """Windows of four intervals."""
    return open_desk(window_intervals=4)


def test_When_AWindowEndsWithinTheReport(feed):
    """Rule 25: an interval belongs to the window that holds its start."""
    feed.judge("gb")
    assert feed.tally_slot(0) == 0  # one slot per feed while the window runs (rule 15)
    feed.judge("b?g")
    feed.check("gbb?g")
    assert feed.tally_slot(0) != 0


def test_When_AWindowEndsWithinTheReport_with_its_last_interval(feed):
    feed.judge("gbb?")
    feed.check("gbb?")
    assert feed.tally(0).complete
    assert feed.tally_slot(0) != 0
    assert feed.tally(1) == Tally(planned=4)


def test_When_AWindowEndsWithinTheReport_that_was_good_throughout(feed):
    """Nothing but good is not the same as nothing at all."""
    feed.judge("gggg")
    feed.check("gggg")
    assert feed.tally_slot(0) != 0


@pytest.mark.parametrize("before", ["", "g", "bbb", "gb?-"])
@pytest.mark.parametrize("length", [4, 7, 8, 13])
def test_When_SeveralWindowsEndWithinTheReport(feed, before, length):
    history = before + "bbg?-bbbb?ggg-"[:length]
    if before:
        feed.judge(before)
    feed.judge(history[len(before) :])
    feed.check(history)
    closed = len(history) // 4
    assert feed.kept(closed + 1) == [True] * closed + [False]


def test_When_SeveralWindowsEndWithinTheReport_but_agreement_ends_in_the_first(feed):
    """Rule 5: windows that were signed but not reached leave nothing."""
    feed.report(feed.sign(0, 0, "gggggbbbbbbb"), feed.sign(1, 0, "ggggggbbbbbb"))
    feed.check("ggggg")
    assert feed.kept(3) == [True, False, False]


def test_When_AWindowWasUnknownThroughout(feed):
    """As after `skip` (rule 18), and judged all the same."""
    feed.judge("g" + 11 * "?" + "g")
    feed.check("g" + 11 * "?" + "g")
    assert feed.kept(3) == [True, False, False]
    assert feed.tally(1) == Tally(planned=4, judged=4, unknown=4)


def test_When_ARunReachesIntoTheNextWindow(feed):
    """Rule 24: runs restart at each window, also where one report spans both."""
    feed.judge("gbbbbb")
    feed.check("gbbbbb")
    assert (feed.tally(0).longest_run, feed.tally(1).longest_run) == (3, 2)
    feed.judge("bg")
    feed.check("gbbbbbbg")
    assert feed.tally(1).longest_run == 3


def test_When_ARunReachesIntoTheNextWindow_at_the_end_of_a_report(feed):
    feed.judge("ggbb")
    feed.judge("bb")
    feed.check("ggbbbb")
    assert (feed.tally(0).longest_run, feed.tally(1).longest_run) == (2, 2)


@pytest.mark.parametrize("history", ["b?b", "b-b", "bgb", "bb?b", "b?bb", "bb-b", "?bb-", "-bbb"])
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_When_UnknownOrNotApplicableInterruptsARun(feed, history, cut):
    """Rule 24: unknown always ends a run; wherever reports begin and end."""
    if cut:
        feed.judge(history[:cut])
    feed.judge(history[cut:])
    feed.check(history)


def test_When_UnknownOrNotApplicableInterruptsARun_in_the_last_verdict(feed):
    feed.judge("bb?")
    assert feed.state == (3, Verdict.UNKNOWN)
    feed.judge("b")
    assert feed.tally(0) == Tally(planned=4, judged=4, bad=3, unknown=1, longest_run=2)
