"""See `ignored.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import pytest

from tests.contracts.oracle.desk import PARTIES, panel


def lie(feed, reporter):
    feed.prove(reporter, 0, feed.sign(reporter, 0, "g"), feed.sign(reporter, 0, "b"))


def ignored(feed):
    return feed.oracle.ignored(feed.feed.panel.hash)


def test_When_NothingWasProven(feed):
    assert ignored(feed) == 0


@pytest.mark.parametrize("reporter", [0, 1, 30])
def test_When_AReporterHasEquivocated(open_desk, reporter):
    feed = open_desk(panel(31))
    lie(feed, reporter)
    assert ignored(feed) == 1 << reporter


def test_When_SeveralReportersHaveEquivocated(feed):
    for reporter in (2, 0):
        lie(feed, reporter)
    assert ignored(feed) == 0b101


def test_When_AnotherPanelIsAskedFor(feed, open_desk):
    """Rule 17: the panel's matter, and with other terms it is another panel."""
    lie(feed, 0)
    for other in (panel(3, tolerance=1), panel(3, parties=PARTIES), panel(5)):
        assert ignored(open_desk(other)) == 0
    assert ignored(open_desk(descriptor=b"\1" * 32)) == 1
