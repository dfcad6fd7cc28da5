"""Windows with hours that are not judged: `hours.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from relayer.protocol.scope import Scope
from relayer.protocol.terms import Level, UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import CLOSED, refused

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4
HOUR = 3_600


def off(*times):
    """A scope without the hours of the week that hold these times."""
    return Scope(hours_off=sum(1 << (time // HOUR + 72) % 168 for time in times))


@pytest.mark.parametrize("policy", UnknownPolicy)
def test_When_AWindowHasNoHourThatIsJudged(world, policy):
    """Rule 24: D = 0. Nobody has to report anything."""
    feed = world.feed(scope=off(world.start))
    level = Level(feed.ref, samples.TIERS, credit_per_bad_interval=100)
    changes = {"unknown_limit": 0, "unknown_credit": 10_000, "unknown_policy": policy}
    terms = world.opened(feed, levels=(level,), **changes)
    world.at(terms.window_start(1) - 1)
    with refused("SLAEscrow_NotJudged", 0, terms.expiry(0)):
        world.close(terms)
    assert world.claimable(terms) == (0, 0, False)
    world.at(terms.window_start(1))
    tx = world.close(terms)
    assert tx.return_value == (0, FEE)
    assert world.window(terms) == (CLOSED, 0)
    assert world.balances() == (FEE, 0, 0)


def test_When_OneLevelHasNoHourThatIsJudged(world):
    """Rules 8 and 24."""
    nights = world.feed(scope=off(world.start))
    days = world.feed()
    terms = world.opened(nights, days)
    world.judge(days, "b" + "g" * 58)
    assert world.claimable(terms) == (1_000, TENTH, False)
    world.judge(days, "g")
    assert world.claimable(terms) == (1_000, TENTH, True)
    world.close(terms)
    assert world.balances() == (FEE - TENTH, TENTH, 0)


def two_hours(world, **changes):
    """Windows of two hours, the second of which is not judged."""
    feed = world.feed(scope=off(world.start + HOUR), window_intervals=120)
    return feed, world.opened(feed, **changes)


def test_When_APartOfAWindowIsOff(world):
    """Rule 4: one of 60 is too much for 99 %, and one of 120 would not be."""
    feed, terms = two_hours(world)
    world.judge(feed, "b" + "g" * 59)
    assert world.claimable(terms) == (1_000, TENTH, True)
    world.judge(feed, "b" * 60)
    assert world.claimable(terms) == (1_000, TENTH, True)
    world.close(terms)
    assert world.balances() == (FEE - TENTH, TENTH, 0)


SHARE = {"unknown_limit": 999_999, "unknown_credit": 700}


def test_When_AWindowIsSkipped(world):
    """Rules 2 and 4: all of 60 are unknown, which are half of the window's 120 intervals."""
    feed, terms = two_hours(world, **SHARE)
    world.go(terms.window_start(1) + feed.measurement.deadline)
    world.oracle.skip(feed.as_abi(), 120, {"from": world.stranger})
    world.close(terms)
    assert world.balances()[1] == FEE * 7 // 100


def test_When_TheExpiryHasPassed(world):
    """Rules 4 and 13."""
    _, terms = two_hours(world, **SHARE)
    world.at(terms.expiry(0))
    world.close(terms)
    assert world.balances()[1] == FEE * 7 // 100
