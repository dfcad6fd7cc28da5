"""What the court says of itself: `views.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from tests.contracts.court.world import (
    CONSUMER,
    DOLLAR,
    NONE,
    OPEN,
    PERIOD,
    PROVIDER,
    RULING_PERIOD,
)


def test_When_TimePasses(world, feed):
    terms = world.agreed(feed)
    first = world.pay(terms, feed, "b")
    second = world.pay(terms, feed, "bb")
    both = (0, DOLLAR, first + PERIOD, 2 * DOLLAR, second + PERIOD)
    for time, expected in (
        (first + PERIOD - 1, both),
        (first + PERIOD, (DOLLAR, 2 * DOLLAR, second + PERIOD, 0, 0)),
        (second + PERIOD - 1, (DOLLAR, 2 * DOLLAR, second + PERIOD, 0, 0)),
        (second + PERIOD, (3 * DOLLAR, 0, 0, 0, 0)),
    ):
        world.wait_until(time)
        assert world.waiting(terms, CONSUMER) == expected


def test_When_ADisputeIsOpen(world, feed):
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    assert world.dispute_of(terms, CONSUMER) == (NONE, 0, 0)
    world.dispute(terms, CONSUMER)
    assert world.dispute_of(terms, CONSUMER) == (OPEN, DOLLAR, world.now + RULING_PERIOD)
    assert world.dispute_of(terms, PROVIDER) == (NONE, 0, 0)
    assert world.dispute_of(terms, CONSUMER, window=1) == (NONE, 0, 0)


def test_Given_TheEscrow(world):
    assert world.court.escrow() == world.escrow
    assert world.escrow.court() == world.court
