"""An arbiter who is silent: `lapse.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests.contracts.court.world import (
    CONSUMER,
    DEPOSIT,
    DOLLAR,
    LAPSED,
    NONE,
    PROVIDER,
    RULED,
    RULING_PERIOD,
)
from tests.contracts.escrow.world import REENTERED, events, refused


@pytest.fixture
def disputed(world, feed):
    """Terms of which the provider disputes three dollars, and the two that go on waiting."""
    terms = world.agreed(feed)
    world.pay(terms, feed, "bubuu")
    world.dispute(terms, CONSUMER)
    return terms


def test_RevertGiven_NobodyDisputed(world, disputed):
    world.wait_until(world.now + RULING_PERIOD + 1)
    for side, window in ((PROVIDER, 0), (CONSUMER, 1)):
        with refused("DisputeCourt_NoOpenDispute", NONE):
            world.lapse(disputed, side, window=window)


def test_RevertGiven_TheArbiterMayStillRule(world, disputed):
    ruling_by = world.now + RULING_PERIOD
    with refused("DisputeCourt_RulingStillPossible", ruling_by):
        world.lapse(disputed, CONSUMER, at=ruling_by)


def test_RevertGiven_TheDisputeWasRuled(world, disputed):
    ruling_by = world.now + RULING_PERIOD
    world.rule(disputed, CONSUMER, 0)
    with refused("DisputeCourt_NoOpenDispute", RULED):
        world.lapse(disputed, CONSUMER, at=ruling_by + 1)


def test_RevertGiven_TheDisputeLapsedBefore(world, disputed):
    world.lapse(disputed, CONSUMER, at=world.now + RULING_PERIOD + 1)
    with refused("DisputeCourt_NoOpenDispute", LAPSED):
        world.lapse(disputed, CONSUMER)


@pytest.mark.parametrize("caller", [1, 2, 3])
def test_When_TheArbiterWasSilent(world, disputed, caller):
    """Rule 16: what the tally says stands, and asking was no fault."""
    caller = brownie.accounts[caller]
    tx = world.lapse(disputed, CONSUMER, at=world.now + RULING_PERIOD + 1, sender=caller)
    assert events(tx, "Resolved") == [
        {
            "id": "0x" + world.id_of(disputed).hex(),
            "window": 0,
            "side": CONSUMER,
            "status": LAPSED,
            "awarded": 0,
            "upheld": 3 * DOLLAR,
        }
    ]
    assert world.money() == (DEPOSIT, 3 * DOLLAR + DEPOSIT, 2 * DOLLAR)
    assert world.dispute_of(disputed, CONSUMER)[:2] == (LAPSED, 3 * DOLLAR)
    assert world.court.held(world.token) == 2 * DOLLAR


def test_When_TheTermsAskForNoDeposit(world, feed):
    terms = world.agreed(feed, dispute_deposit=0)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    tx = world.lapse(terms, CONSUMER, at=world.now + RULING_PERIOD + 1)
    assert len(events(tx, "Transfer")) == 1
    assert world.money() == (0, DOLLAR, 0)


@pytest.mark.parametrize("refusing", ["provider", "consumer"])
def test_When_APayeeCannotBePaid(vicious, feed, refusing):
    """Rule 22."""
    world = vicious
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    party = getattr(world, refusing)
    before = world.token.balanceOf(party)
    world.token.setDenied(party, True, {"from": world.stranger})
    world.lapse(terms, CONSUMER, at=world.now + RULING_PERIOD + 1)
    due = DEPOSIT if refusing == "provider" else DOLLAR
    assert world.court.withdrawable(world.token, party) == due
    assert world.court.held(world.token) == world.token.balanceOf(world.court) == due
    assert world.token.balanceOf(party) == before


DOORS = ("release", "dispute", "rule", "lapse", "withdraw", "redeliver", "skim")


@pytest.mark.parametrize("door", DOORS)
def test_When_ThePayeeCallsBack(vicious, feed, door):
    """Rule 22."""
    world = vicious
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    data = world.court_doors(terms, world.token)[door]
    world.token.onDelivery(world.consumer, world.court, data, {"from": world.stranger})
    world.lapse(terms, CONSUMER, at=world.now + RULING_PERIOD + 1)
    assert (world.token.called(), world.token.result()) == (False, REENTERED)
    assert world.money() == (DEPOSIT, DOLLAR + DEPOSIT, 0)
