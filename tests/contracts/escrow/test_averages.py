"""Levels by the average of a window of ten intervals: `averages.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from relayer.protocol.measurement import Comparison
from relayer.protocol.scope import Scope
from relayer.protocol.terms import Level, Measure, Tier, UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import CLOSED, FUNDED

FEE = samples.FEE
QUARTER = FEE // 4
EXCLUDED, GOOD, BAD = UnknownPolicy


def agreed(world, scope, limit, level=None, **changes):
    """An agreement that gives 25 % back if the average lies beyond `limit`."""
    feed = world.feed(
        scope=scope,
        interval=360,
        window_intervals=10,
        comparison=Comparison.NOT_EQUAL_TO,
        threshold=4_000_000,
    )
    tier = Tier(Measure.AVERAGE_BEYOND, limit, 2_500)
    levels = (Level(feed.ref, (tier,), **(level or {})),)
    return feed, world.opened(feed, levels=levels, **changes)


def pays(world, feed, terms, values):
    """Whether the agreement pays now, after these values."""
    world.judge(feed, values)
    world.settle(terms)
    assert world.window(terms)[1] in (0, QUARTER)
    return world.window(terms)[1] == QUARTER


LOW = Scope(best=0, worst=1_000)
HIGH = Scope(best=1_000_000, worst=0)
NARROW = Scope(best=500, worst=1_500)


@pytest.mark.parametrize(
    ("scope", "limit", "first", "last"),
    [
        # Ten values may deviate from the best by 1,000 together: what is not known yet may still be the best.
        (LOW, 100, [1_000], [1]),
        (LOW, 100, [300, 300, 300, 0, 100], [1]),
        (LOW, 0, [0] * 5, [1]),
        (LOW, 999, [1_000] * 9 + [990], None),
        (NARROW, 600, [1_500], [501]),
        (NARROW, 600, [700] * 5, [501]),
    ],
)
def test_When_ALowValueIsTheBest(world, scope, limit, first, last):
    """Rule 19: not at the limit, but beyond it."""
    feed, terms = agreed(world, scope, limit)
    assert not pays(world, feed, terms, first)
    if last:
        assert pays(world, feed, terms, last)
        assert world.window(terms) == (FUNDED, QUARTER)


@pytest.mark.parametrize(
    ("limit", "first", "last"),
    [
        (900_000, [0], [999_999]),
        (900_000, [500_000, 500_000, 1_000_000], [999_999]),
        (1_000_000, [1_000_000], [999_999]),
        (1, [0] * 9 + [10], None),
    ],
)
def test_When_AHighValueIsTheBest(world, limit, first, last):
    """Rule 19."""
    feed, terms = agreed(world, HIGH, limit)
    assert not pays(world, feed, terms, first)
    if last:
        assert pays(world, feed, terms, last)


def test_When_ValuesLieOutsideTheRange(world):
    """Rule 19: one absurd value weighs as the worst one, and none weighs less than the best."""
    feed, terms = agreed(world, NARROW, 600)
    assert not pays(world, feed, terms, [3_000_000])
    assert not pays(world, feed, terms, [0, 1, 499])
    assert pays(world, feed, terms, [501])


@pytest.mark.parametrize(
    ("policy", "first", "last"),
    [
        (EXCLUDED, ["u"] * 8 + [1_000], [1]),
        (GOOD, ["u"] * 8 + [1_000], [1]),
        (BAD, ["u"], [1]),
        (BAD, [1], ["u"]),
    ],
)
def test_When_IntervalsAreUnknown(world, policy, first, last):
    """Rule 19."""
    feed, terms = agreed(world, LOW, 100, unknown_policy=policy)
    assert not pays(world, feed, terms, first)
    assert pays(world, feed, terms, last)


@pytest.mark.parametrize("removed", [False, True])
def test_When_IntervalsAreNotApplicable(world, removed):
    """Rules 4 and 19: of five that are left, 501 are too much."""
    feed, terms = agreed(world, LOW, 100, {"remove_not_applicable": removed})
    assert not pays(world, feed, terms, ["n"] * 5 + [500])
    assert pays(world, feed, terms, [1]) == removed
    assert pays(world, feed, terms, [499, 1])


def test_When_TheWindowIsOver(world):
    """Rule 19: nine values are bad enough, the tenth makes up for them; the second window is worse."""
    feed, terms = agreed(world, HIGH, 999_000, prepaid_windows=2)
    world.judge(feed, [999_000] * 9 + [1_000_000])
    world.close(terms)
    assert world.window(terms) == (CLOSED, 0)
    world.judge(feed, [998_999] + [999_000] * 9)
    world.close(terms, 1)
    assert world.window(terms, 1) == (CLOSED, QUARTER)
    assert world.balances() == (FEE + FEE - QUARTER, QUARTER, 0)
