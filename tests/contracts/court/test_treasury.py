"""What the court holds for others, and what it does not: `treasury.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests.contracts.court.world import (
    CONSUMER,
    DEPOSIT,
    DOLLAR,
    FEE,
    PERIOD,
    PROVIDER,
    RULING_PERIOD,
)
from tests.contracts.escrow.world import refused


@pytest.fixture
def withheld(vicious, feed):
    """A world in which the consumer could not be paid three dollars."""
    world = vicious
    terms = world.agreed(feed, dispute_deposit=0)
    booked = world.pay(terms, feed, "bbb")
    world.token.setDenied(world.consumer, True, {"from": world.stranger})
    world.release(terms, CONSUMER, at=booked + PERIOD)
    return world


def test_When_StrangersHaveSentTokens(world, feed):
    """Rule 22."""
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    world.token.mint(world.court, 5, {"from": world.stranger})
    world.court.skim(world.token, world.arbiter, {"from": world.stranger})
    assert world.token.balanceOf(world.arbiter) == 5
    assert world.money()[2] == world.court.held(world.token) == DOLLAR + DEPOSIT


def test_Given_NothingWasSent(world, feed):
    terms = world.agreed(feed)
    world.pay(terms, feed, "b")
    assert world.court.skim(world.token, world.arbiter, {"from": world.stranger}).return_value == 0
    assert world.money()[2] == DOLLAR


def test_RevertGiven_NothingIsWithheld(world):
    token, payee = world.token.address, world.consumer.address
    with refused("Treasury_NothingToWithdraw", token, payee):
        world.court.withdraw(token, payee, {"from": payee})
    with refused("Treasury_NothingToWithdraw", token, payee):
        world.court.redeliver(token, payee, {"from": world.stranger})


def test_When_APayeeWithdraws(withheld):
    world = withheld
    world.court.withdraw(world.token, brownie.accounts[8], {"from": world.consumer})
    assert world.token.balanceOf(brownie.accounts[8]) == 3 * DOLLAR
    assert world.court.held(world.token) == world.money()[2] == 0


def test_When_AnyoneRedelivers(withheld):
    world = withheld
    world.escrow.setPayout(brownie.accounts[8], {"from": world.consumer})
    world.court.redeliver(world.token, world.consumer, {"from": world.stranger})
    assert world.token.balanceOf(brownie.accounts[8]) == 3 * DOLLAR
    assert world.court.withdrawable(world.token, world.consumer) == 0
    assert world.court.held(world.token) == world.money()[2] == 0


def test_When_ThePayeeStillCannotBePaid(withheld):
    world = withheld
    with brownie.reverts("denied"):
        world.court.redeliver(world.token, world.consumer, {"from": world.stranger})
    assert world.court.withdrawable(world.token, world.consumer) == 3 * DOLLAR
    assert world.court.held(world.token) == world.money()[2] == 3 * DOLLAR


def test_When_AllHaveGotTheirs(world, feed):
    """Strangers can bring everything to its owner, whatever the parties and the arbiter do."""
    terms, _ = world.closed(feed, "bbuuu")
    world.dispute(terms, PROVIDER)
    world.lapse(terms, PROVIDER, at=world.now + RULING_PERIOD + 1)
    for side in (CONSUMER, PROVIDER):
        world.release(terms, side)
    assert world.money() == (FEE - 2 * DOLLAR + DEPOSIT, 2 * DOLLAR + DEPOSIT, 0)
    assert world.court.held(world.token) == world.escrow.held(world.token) == 0
