"""Between what an arbiter may decide: `bounds.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from relayer.protocol.scope import Scope
from relayer.protocol.terms import Level, Measure, Tier, UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import ANSWER, REVERT, refused, tally_answer

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4


def bounds(world, terms, window=0):
    return tuple(world.escrow.bounds(terms.as_abi(), window))


@pytest.mark.parametrize("policy", UnknownPolicy)
def test_When_IntervalsAreUnknown(world, policy):
    """Rule 16: whatever the terms make of unknown intervals."""
    feed = world.feed()
    terms = world.opened(feed, unknown_policy=policy)
    world.judge(feed, "b" + "u" * 4)
    assert bounds(world, terms) == (TENTH, TENTH)
    world.judge(feed, "u")
    assert bounds(world, terms) == (TENTH, QUARTER)
    # A run of them may have been one of bad intervals, together with those beside it.
    world.judge(feed, "u" * 4)
    assert bounds(world, terms) == (TENTH, FEE)


def test_When_IntervalsAreNotJudgedYet(world):
    """Rule 16."""
    feed = world.feed()
    terms = world.opened(feed)
    assert bounds(world, terms) == (0, 0)
    world.judge(feed, "g" * 10)
    assert bounds(world, terms) == (0, 0)


def test_When_ValuesHaveARange(world):
    """Rules 16 and 19."""
    feed = world.feed(scope=Scope(best=1_000_000))
    tier = Tier(Measure.AVERAGE_BEYOND, 900_000, 2_500)
    terms = world.opened(feed, levels=(Level(feed.ref, (tier,)),))
    world.judge(feed, [400_000, *"u" * 5])
    # 60 intervals may deviate by 6,000,000 together; the first has by 600,000.
    assert bounds(world, terms) == (0, 0)
    world.judge(feed, "u")
    assert bounds(world, terms) == (0, QUARTER)
    world.judge(feed, [400_000] * 10)
    assert bounds(world, terms) == (QUARTER, QUARTER)


def test_When_ADefaultIsDueForUnknownIntervals(world):
    """Rule 16: in both bounds nothing is unknown."""
    feed = world.feed()
    terms = world.opened(feed, unknown_limit=0, unknown_credit=9_000)
    world.judge(feed, "u")
    assert world.claimable(terms)[0] == 9_000
    assert bounds(world, terms) == (0, TENTH)


def test_When_TheWindowWasPaid(world):
    feed = world.feed()
    terms = world.opened(feed, unknown_policy=UnknownPolicy.BAD)
    world.judge(feed, "u" * 6 + "g" * 54)
    assert bounds(world, terms) == (0, QUARTER)
    world.settle(terms)
    assert bounds(world, terms) == (0, QUARTER)
    world.close(terms)
    assert bounds(world, terms) == (0, QUARTER)


def test_When_TheExpiryPasses(world):
    """Rule 13."""
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b")
    for time, expected in (
        (terms.expiry(0) - 1, (TENTH, TENTH)),
        (terms.expiry(0), (TENTH, FEE)),
    ):
        world.wait_until(time)
        assert bounds(world, terms) == expected


def test_RevertWhen_TheOracleFails(scripted):
    """Rule 13."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.script(REVERT, b"", {"from": world.stranger})
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        bounds(world, terms)


def test_RevertWhen_TheWindowIsBeyondAllThatAnOracleCounts(world):
    """Rule 13: of 32 bits of its number, none would remain."""
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b")
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(2**32)):
        bounds(world, terms, 2**32)
