"""What settling and closing would do: `claimable.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie

from relayer.protocol.terms import UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import ANSWER, REVERT, refused, tally_answer

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4


def test_When_TheWindowRuns(world):
    feed = world.feed()
    terms = world.opened(feed)
    assert world.claimable(terms) == (0, 0, False)
    world.judge(feed, "b")
    assert world.claimable(terms) == (1_000, TENTH, False)
    world.settle(terms)
    assert world.claimable(terms) == (1_000, 0, False)
    world.judge(feed, "b" * 5)
    assert world.claimable(terms) == (2_500, QUARTER - TENTH, False)


def test_When_TheWindowIsJudged(world):
    feeds = [world.feed(descriptor=bytes([i]) * 32) for i in range(2)]
    terms = world.opened(*feeds)
    world.judge(feeds[0], "b" + "g" * 59)
    assert world.claimable(terms) == (1_000, TENTH, False)
    world.judge(feeds[1], "g" * 60)
    assert world.claimable(terms) == (1_000, TENTH, True)


def test_When_TheExpiryPasses(world):
    """Rule 13."""
    feed = world.feed()
    terms = world.opened(feed, unknown_policy=UnknownPolicy.BAD)
    world.judge(feed, "b")
    for time, expected in (
        (terms.expiry(0) - 1, (1_000, TENTH, False)),
        (terms.expiry(0), (2_500, QUARTER, True)),
    ):
        world.at(time)
        brownie.chain.mine()
        assert world.now == time
        assert world.claimable(terms) == expected


def test_Given_ThereIsNothingToClaim(world):
    feed = world.feed()
    terms = world.opened(feed)
    assert world.claimable(world.terms(windows=9)) == (0, 0, False)
    assert world.claimable(terms, 1) == (0, 0, False)
    world.judge(feed, "b" * 60)
    world.close(terms)
    assert world.claimable(terms) == (0, 0, False)


def test_RevertWhen_TheOracleFails(scripted):
    """Rule 13."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.script(REVERT, b"", {"from": world.stranger})
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.claimable(terms)
