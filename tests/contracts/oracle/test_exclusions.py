"""See `exclusions.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import pytest

from relayer.protocol.scope import Scope
from tests.contracts.oracle.desk import PARTIES, panel


@pytest.fixture
def feed(open_desk):
    return open_desk(panel(parties=PARTIES), scope=Scope(allowance=8), window_intervals=8)


def listed(feed, window=0):
    return [tuple(span) for span in feed.oracle.exclusions(feed.feed.id, window)]


def test_When_NothingWasExcluded(feed):
    assert listed(feed) == []


def test_When_SpansWereExcluded(feed, start):
    feed.exclude(3, 4)
    feed.exclude(2, 3)
    feed.wait(start)
    feed.exclude(6, 8)
    assert listed(feed) == [(3, 4, False), (2, 3, False), (6, 8, True)]
    feed.judge("b" * 9)
    assert listed(feed) == [(3, 4, False), (2, 3, False), (6, 8, True)]


@pytest.mark.parametrize("window", [0, 1, 2, 2**32 - 1])
def test_When_AnotherWindowIsAskedFor(feed, window):
    feed.exclude(8, 16)
    assert listed(feed, window) == ([(8, 16, False)] if window == 1 else [])


def test_When_AnotherFeedIsAskedFor(feed, open_desk):
    feed.exclude(2, 3)
    other = open_desk(panel(parties=PARTIES), scope=Scope(allowance=7), window_intervals=8)
    assert listed(other) == []
