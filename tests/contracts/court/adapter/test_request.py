"""Buying a ruling: `request.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from tests.contracts.court.adapter.tribunal import COST, EXTRA_DATA
from tests.contracts.court.world import (
    CONSUMER,
    LAPSED,
    NONE,
    PROVIDER,
    RULED,
    RULING_PERIOD,
)
from tests.contracts.escrow.world import REENTERED, events, refused


def test_RevertGiven_TheTermsHaveAnotherArbiter(world, feed, tribunal):
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    with refused("ArbitratorAdapter_NotArbiter", world.arbiter.address):
        tribunal.request(terms)
    with refused("ArbitratorAdapter_NoOpenDispute", NONE):
        tribunal.request(replace(terms, arbiter=tribunal.adapter.address))


def test_RevertGiven_NobodyDisputed(world, feed, tribunal):
    terms = tribunal.disputed(feed)
    with refused("ArbitratorAdapter_NoOpenDispute", NONE):
        tribunal.request(terms, side=PROVIDER)


def test_RevertGiven_TheCourtWaitsNoLonger(world, feed, tribunal):
    """Who paid for a ruling then would pay for nothing."""
    terms = tribunal.disputed(feed)
    ruling_by = world.now + RULING_PERIOD
    world.at(ruling_by + 1)
    with refused("ArbitratorAdapter_TooLate", ruling_by):
        tribunal.request(terms)


@pytest.mark.parametrize("status", [RULED, LAPSED])
def test_RevertGiven_TheDisputeIsOver(world, feed, tribunal, status):
    terms = tribunal.disputed(feed)
    if status == RULED:
        tribunal.request(terms)
        tribunal.give(2)
        tribunal.execute(terms)
        with refused("ArbitratorAdapter_RequestedBefore", 0):
            tribunal.request(terms)
    else:
        world.lapse(terms, CONSUMER, at=world.now + RULING_PERIOD + 1)
        with refused("ArbitratorAdapter_NoOpenDispute", LAPSED):
            tribunal.request(terms)


def test_RevertGiven_TheRulingWasAskedForBefore(feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    with refused("ArbitratorAdapter_RequestedBefore", 0):
        tribunal.request(terms)


def test_RevertGiven_TooLittleIsPaid(feed, tribunal):
    terms = tribunal.disputed(feed)
    with refused("ArbitratorAdapter_TooLittlePaid", COST - 1, COST):
        tribunal.request(terms, amount=COST - 1)


@pytest.mark.parametrize("payer", [1, 2, 3])
def test_When_AnyonePaysForARuling(world, feed, tribunal, payer):
    terms = tribunal.disputed(feed)
    payer = brownie.accounts[payer]
    tx = tribunal.request(terms, sender=payer)
    assert tx.return_value == 0
    assert events(tx, "Requested") == [
        {
            "disputeID": 0,
            "id": "0x" + world.id_of(terms).hex(),
            "requester": payer.address,
            "court": world.court.address,
            "window": 0,
            "side": CONSUMER,
        }
    ]
    assert events(tx, "Dispute") == [
        {
            "arbitrator": tribunal.arbitrator.address,
            "disputeID": 0,
            "metaEvidenceID": 0,
            "evidenceGroupID": 0,
        }
    ]
    case = tribunal.arbitrator.cases(0)
    assert case[:2] == (tribunal.adapter, 2)
    assert bytes(case[2]) == EXTRA_DATA
    assert tribunal.arbitrator.balance() == COST
    assert tribunal.adapter.balance() == 0


def test_When_MoreIsPaidThanThePrice(feed, tribunal):
    """The mock keeps what it is paid, as arbitrators may: it must not be paid more than its price."""
    terms = tribunal.disputed(feed)
    before = tribunal.payer.balance()
    tx = tribunal.request(terms, amount=5 * COST)
    assert before - tribunal.payer.balance() - tx.gas_used * tx.gas_price == COST
    assert (tribunal.arbitrator.balance(), tribunal.adapter.balance()) == (COST, 0)


def miserly_request(world, tribunal, compiled_here, terms, amount):
    miser = compiled_here.Miser.deploy({"from": world.stranger})
    data = tribunal.adapter.request.encode_input(world.court, terms.as_abi(), 0, CONSUMER)
    return miser.execute(tribunal.adapter, data, {"from": tribunal.payer, "amount": amount})


def test_RevertWhen_TheCallerDoesNotAcceptTheRest(world, feed, tribunal, compiled_here):
    terms = tribunal.disputed(feed)
    with refused("FailedCall"):
        miserly_request(world, tribunal, compiled_here, terms, COST + 1)
    assert tribunal.request_of(terms) == (False, 0, False, 0)


def test_When_AContractPaysThePrice(world, feed, tribunal, compiled_here):
    terms = tribunal.disputed(feed)
    miserly_request(world, tribunal, compiled_here, terms, COST)
    assert tribunal.request_of(terms) == (True, 0, False, 0)


def test_When_SeveralDisputesAreOpen(world, feed, tribunal):
    one = tribunal.disputed(feed)
    other = world.feed(world.start + 3_600, descriptor=b"\x02" * 32)
    two = tribunal.disputed(other)
    tribunal.request(two)
    tribunal.request(one)
    tribunal.give(2, number=0)
    assert tribunal.request_of(one) == (True, 1, False, 0)
    assert tribunal.request_of(two) == (True, 0, True, 2)
    with refused("ArbitratorAdapter_NotRuled", 1):
        tribunal.execute(one)
    tribunal.execute(two)
    assert world.dispute_of(two, CONSUMER)[0] == RULED


def test_When_TheCourtIsAFake(world, feed, tribunal):
    """Another escrow's court knows nothing of the dispute, and a request to it is not one to the real court."""
    terms = tribunal.disputed(feed)
    other = brownie.SLAEscrow.deploy({"from": world.stranger})
    with refused("ArbitratorAdapter_NoOpenDispute", NONE):
        tribunal.request(terms, court=other.court())
    tribunal.request(terms)
    tribunal.give(2)
    with refused("ArbitratorAdapter_NotRequested"):
        tribunal.execute(terms, court=other.court())


def test_When_TheArbitratorCallsBack(world, feed, hasty):
    """Else one dispute would have two numbers."""
    terms = hasty.disputed(feed)
    again = hasty.adapter.request.encode_input(world.court, terms.as_abi(), 0, CONSUMER)
    hasty.arbitrator.onDispute(again, {"from": world.stranger})
    hasty.request(terms, amount=0)
    assert (hasty.arbitrator.called(), hasty.arbitrator.result()) == (False, REENTERED)
