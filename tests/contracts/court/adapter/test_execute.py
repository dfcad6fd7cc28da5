"""Carrying a ruling to the court: `execute.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from tests.contracts.court.adapter.tribunal import Tribunal
from tests.contracts.court.world import (
    CONSUMER,
    DEPOSIT,
    DOLLAR,
    LAPSED,
    OPEN,
    RULED,
    RULING_PERIOD,
)
from tests.contracts.escrow.world import events, refused


def lapses(world, terms, ruling_by):
    assert world.dispute_of(terms, CONSUMER)[0] == OPEN
    world.lapse(terms, CONSUMER, at=max(world.now, ruling_by) + 1)
    assert world.dispute_of(terms, CONSUMER)[0] == LAPSED
    assert world.money() == (DEPOSIT, DEPOSIT + 3 * DOLLAR, 0)


def test_RevertGiven_NobodyAskedForARuling(feed, tribunal):
    terms = tribunal.disputed(feed)
    with refused("ArbitratorAdapter_NotRequested"):
        tribunal.execute(terms)


def test_RevertGiven_TheArbitratorHasNotRuled(feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    with refused("ArbitratorAdapter_NotRuled", 0):
        tribunal.execute(terms)


def test_RevertGiven_TheArbitratorRefusedToDecide(world, feed, tribunal):
    terms = tribunal.disputed(feed)
    ruling_by = world.now + RULING_PERIOD
    tribunal.request(terms)
    tribunal.give(0)
    with refused("ArbitratorAdapter_NoDecision", 0):
        tribunal.execute(terms)
    lapses(world, terms, ruling_by)


@pytest.mark.parametrize("ruling", [3, 2**256 - 1])
def test_RevertGiven_TheRulingIsNoneOfTheChoices(world, feed, hasty, ruling):
    terms = hasty.disputed(feed)
    ruling_by = world.now + RULING_PERIOD
    hasty.arbitrator.onDispute(hasty.adapter.rule.encode_input(0, ruling), {"from": world.stranger})
    hasty.request(terms, amount=0)
    with refused("ArbitratorAdapter_NoDecision", ruling):
        hasty.execute(terms)
    lapses(world, terms, ruling_by)


def test_RevertGiven_TheRulingCameTooLate(world, feed, tribunal):
    terms = tribunal.disputed(feed)
    ruling_by = world.now + RULING_PERIOD
    tribunal.request(terms)
    tribunal.give(2)
    world.at(ruling_by + 1)
    with refused("DisputeCourt_RulingTooLate", ruling_by):
        tribunal.execute(terms)
    lapses(world, terms, ruling_by)


def test_RevertGiven_ItWasExecutedBefore(feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    tribunal.give(2)
    tribunal.execute(terms)
    with refused("DisputeCourt_NoOpenDispute", RULED):
        tribunal.execute(terms)


def test_When_ThePaymentStands(world, feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    tribunal.give(1)
    assert tribunal.execute(terms).return_value == 0
    assert world.money() == (0, 3 * DOLLAR + 2 * DEPOSIT, 0)


def test_When_AllIsAwarded(world, feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    tribunal.give(2)
    tx = tribunal.execute(terms)
    assert tx.return_value == 3 * DOLLAR
    assert events(tx, "Resolved")[0]["awarded"] == 3 * DOLLAR
    assert world.money() == (3 * DOLLAR + DEPOSIT, DEPOSIT, 0)


@pytest.mark.parametrize(
    ("steps", "ruling", "award"),
    [
        (2, 2, 3 * DOLLAR // 2),
        (7, 1, 0),
        (7, 2, -(-3 * DOLLAR // 7)),
        (7, 7, -(-18 * DOLLAR // 7)),
        (7, 8, 3 * DOLLAR),
        (100, 34, 99 * DOLLAR // 100),
        (100, 101, 3 * DOLLAR),
    ],
)
def test_When_ThereAreSeveralSteps(world, feed, steps, ruling, award):
    """Rounded up: whoever is awarded anything gets its deposit back."""
    tribunal = Tribunal(world, steps)
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    assert tribunal.arbitrator.cases(0)[1] == steps + 1
    tribunal.give(ruling)
    assert tribunal.execute(terms).return_value == award
    deposits = (DEPOSIT, DEPOSIT) if award else (0, 2 * DEPOSIT)
    assert world.money() == (award + deposits[0], 3 * DOLLAR - award + deposits[1], 0)


def test_When_TheOtherPartyAskedForTheRuling(world, feed, tribunal):
    """A party that freezes a payment and leaves it at that cannot keep it frozen."""
    terms = tribunal.disputed(feed)
    tribunal.request(terms, sender=world.consumer)
    tribunal.give(1)
    tribunal.execute(terms)
    assert world.money() == (0, 3 * DOLLAR + 2 * DEPOSIT, 0)
