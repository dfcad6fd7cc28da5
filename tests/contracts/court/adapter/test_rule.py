"""The arbitrator's ruling: `rule.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie

from tests.contracts.court.world import CONSUMER, LAPSED, OPEN, RULING_PERIOD
from tests.contracts.escrow.world import events, refused


def test_RevertGiven_TheCallerIsNotTheArbitrator(feed, tribunal):
    tribunal.request(tribunal.disputed(feed))
    for caller in (tribunal.judge, brownie.accounts[2]):
        with refused("ArbitratorAdapter_NotArbitrator", caller.address):
            tribunal.adapter.rule(0, 2, {"from": caller})


def test_RevertGiven_TheArbitratorHasRuledBefore(world, feed, hasty):
    """A ruling is final."""
    terms = hasty.disputed(feed)
    hasty.arbitrator.onDispute(hasty.adapter.rule.encode_input(0, 2), {"from": world.stranger})
    hasty.request(terms, amount=0)
    other = hasty.disputed(world.feed(world.start + 3_600, descriptor=b"\x02" * 32))
    hasty.arbitrator.onDispute(hasty.adapter.rule.encode_input(0, 1), {"from": world.stranger})
    hasty.request(other, amount=0)
    assert not hasty.arbitrator.called()
    assert hasty.request_of(terms) == (True, 0, True, 2)


def test_When_TheArbitratorRules(world, feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    before = world.money()
    tx = tribunal.give(2)
    assert events(tx, "Ruling") == [
        {"arbitrator": tribunal.arbitrator.address, "disputeID": 0, "ruling": 2}
    ]
    assert tribunal.request_of(terms) == (True, 0, True, 2)
    assert world.dispute_of(terms, CONSUMER)[0] == OPEN
    assert world.money() == before


def test_When_TheDisputeHasLapsed(world, feed, tribunal):
    """The arbitrator's own bookkeeping must not hang on ours."""
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    world.lapse(terms, CONSUMER, at=world.now + RULING_PERIOD + 1)
    tribunal.give(2)
    assert tribunal.request_of(terms) == (True, 0, True, 2)
    with refused("DisputeCourt_NoOpenDispute", LAPSED):
        tribunal.execute(terms)


def test_When_TheArbitratorRulesAtOnce(world, feed, hasty):
    terms = hasty.disputed(feed)
    hasty.arbitrator.onDispute(hasty.adapter.rule.encode_input(0, 2), {"from": world.stranger})
    hasty.request(terms, amount=0)
    assert hasty.arbitrator.called()
    assert hasty.request_of(terms) == (True, 0, True, 2)
    hasty.execute(terms)
