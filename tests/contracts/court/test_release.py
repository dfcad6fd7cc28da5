"""Paying what has waited long enough: `release.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from tests.contracts.court.world import (
    CONSUMER,
    DOLLAR,
    FEE,
    PERIOD,
    PROVIDER,
)
from tests.contracts.escrow.world import REENTERED, attempt, events, refused, request, upgrade


def test_RevertGiven_NothingWasBooked(world, feed):
    terms = world.agreed(feed)
    for side in (CONSUMER, PROVIDER):
        with refused("DisputeCourt_NothingMatured", 0):
            world.release(terms, side)


def test_RevertGiven_NothingHasMatured(world, feed):
    terms = world.agreed(feed)
    booked = world.pay(terms, feed, "b")
    with refused("DisputeCourt_NothingMatured", booked + PERIOD):
        world.release(terms, CONSUMER, at=booked + PERIOD - 1)
    world.release(terms, CONSUMER, at=booked + PERIOD)


def test_RevertGiven_ItWasReleasedBefore(world, feed):
    terms = world.agreed(feed)
    booked = world.pay(terms, feed, "b")
    world.release(terms, CONSUMER, at=booked + PERIOD)
    with refused("DisputeCourt_NothingMatured", 0):
        world.release(terms, CONSUMER)


def test_RevertWhen_OtherTermsArePassed(world, feed):
    """Rule 21."""
    terms = world.agreed(feed)
    booked = world.pay(terms, feed, "b")
    world.wait_until(booked + PERIOD)
    for other in (
        replace(terms, consumer=world.stranger.address),
        replace(terms, token=world.stranger.address),
    ):
        with refused("DisputeCourt_NothingMatured", 0):
            world.release(other, CONSUMER)


@pytest.mark.parametrize("caller", [1, 2, 3])
def test_When_APaymentHasMatured(world, feed, caller):
    terms, booked = world.closed(feed, "bb", dispute_deposit=0)
    caller = brownie.accounts[caller]

    tx = world.release(terms, CONSUMER, at=booked + PERIOD, sender=caller)

    assert tx.return_value == 2 * DOLLAR
    assert events(tx, "Released") == [
        {
            "id": "0x" + world.id_of(terms).hex(),
            "window": 0,
            "side": CONSUMER,
            "amount": 2 * DOLLAR,
        }
    ]
    assert world.money() == (0, 2 * DOLLAR, FEE - 2 * DOLLAR)
    assert world.court.held(world.token) == FEE - 2 * DOLLAR
    world.release(terms, PROVIDER, sender=caller)
    assert world.money() == (FEE - 2 * DOLLAR, 2 * DOLLAR, 0)
    assert world.court.held(world.token) == 0


def test_When_OnlyTheFirstPaymentHasMatured(world, feed):
    terms = world.agreed(feed, dispute_deposit=0)
    first = world.pay(terms, feed, "b")
    second = world.pay(terms, feed, "bb")
    world.release(terms, CONSUMER, at=second + PERIOD - 1)
    assert first + PERIOD <= second + PERIOD - 1
    assert world.money() == (0, DOLLAR, 2 * DOLLAR)
    assert world.waiting(terms, CONSUMER) == (0, 2 * DOLLAR, second + PERIOD, 0, 0)


def test_When_BothHaveMatured(world, feed):
    terms = world.agreed(feed, dispute_deposit=0)
    world.pay(terms, feed, "b")
    second = world.pay(terms, feed, "bb")
    world.release(terms, CONSUMER, at=second + PERIOD)
    assert world.money() == (0, 3 * DOLLAR, 0)
    assert world.waiting(terms, CONSUMER) == (0, 0, 0, 0, 0)


def test_When_ThePartyHasAnotherPayoutAddress(world, feed):
    terms = world.agreed(feed, dispute_deposit=0)
    booked = world.pay(terms, feed, "b")
    treasurer = brownie.accounts[8]
    world.escrow.setPayout(treasurer, {"from": world.consumer})
    world.release(terms, CONSUMER, at=booked + PERIOD)
    assert world.token.balanceOf(treasurer) == DOLLAR
    assert world.money() == (0, 0, 0)


def test_When_ThePayeeCannotBePaid(vicious, feed):
    """Rule 22: it stops nobody, and stays the payee's."""
    world = vicious
    terms, booked = world.closed(feed, "bb", dispute_deposit=0)
    world.token.setDenied(world.consumer, True, {"from": world.stranger})
    tx = world.release(terms, CONSUMER, at=booked + PERIOD)
    assert events(tx, "Withheld") == [
        {
            "token": world.token.address,
            "payee": world.consumer.address,
            "amount": 2 * DOLLAR,
        }
    ]
    world.release(terms, PROVIDER)
    assert world.money() == (FEE - 2 * DOLLAR, 0, 2 * DOLLAR)
    assert world.court.held(world.token) == 2 * DOLLAR
    assert world.court.withdrawable(world.token, world.consumer) == 2 * DOLLAR


def test_When_ThePayeeBurnsAllGas(vicious, feed):
    world = vicious
    terms = world.agreed(feed, dispute_deposit=0)
    booked = world.pay(terms, feed, "b")
    world.token.setBurning(world.consumer, {"from": world.stranger})
    tx = world.release(terms, CONSUMER, at=booked + PERIOD, gas_limit=1_000_000)
    assert tx.gas_used < 500_000
    assert world.court.withdrawable(world.token, world.consumer) == DOLLAR


def test_When_GasIsTooShortForThePayment(world, feed):
    """Rule 22: whatever the gas, a payment that could be delivered is delivered, or nothing happens."""
    terms = world.agreed(feed, dispute_deposit=0)
    booked = world.pay(terms, feed, "b")
    world.wait_until(booked + PERIOD)
    data = world.court.release.encode_input(terms.as_abi(), 0, CONSUMER)
    outcomes = set()
    for gas in range(60_000, 200_000, 5_000):
        snapshot = request("evm_snapshot")
        done = attempt(world.stranger, world.court, data, gas) is not None
        assert world.court.withdrawable(world.token, world.consumer) == 0
        assert world.token.balanceOf(world.consumer) == (DOLLAR if done else 0)
        outcomes.add(done)
        request("evm_revert", snapshot)
    assert outcomes == {True, False}


def test_RevertWhen_TheTokenTakesMoreThanAsked(world, feed):
    """Rule 22: what is held for others would be taken."""
    terms, booked = world.closed(feed, "bb")
    upgrade(world.token, brownie.GreedyToken)
    with refused("Treasury_NotDelivered", world.token.address, 2 * DOLLAR, 2 * DOLLAR + 1):
        world.release(terms, CONSUMER, at=booked + PERIOD)


DOORS = ("release", "dispute", "rule", "lapse", "withdraw", "redeliver", "skim")


@pytest.mark.parametrize("door", DOORS)
def test_When_ThePayeeCallsBack(vicious, feed, door):
    """Rule 22."""
    world = vicious
    terms, booked = world.closed(feed, "b", dispute_deposit=0)
    data = world.court_doors(terms, world.token)[door]
    world.token.onDelivery(world.consumer, world.court, data, {"from": world.stranger})
    world.release(terms, CONSUMER, at=booked + PERIOD)
    assert (world.token.called(), world.token.result()) == (False, REENTERED)
    assert world.money() == (0, DOLLAR, FEE - DOLLAR)
