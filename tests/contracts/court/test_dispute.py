"""Freezing what depends on unknown intervals: `dispute.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from tests.contracts.court.world import (
    CONSUMER,
    DEPOSIT,
    DOLLAR,
    FEE,
    KEEPS_UNKNOWN,
    LAPSED,
    NONE,
    OPEN,
    PERIOD,
    PROVIDER,
    RULED,
    RULING_PERIOD,
)
from tests.contracts.escrow.world import REENTERED, events, refused, upgrade


@pytest.mark.parametrize("side", [CONSUMER, PROVIDER])
def test_RevertGiven_TheCallerIsNotTheOtherParty(world, feed, side):
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    payee = world.consumer if side == CONSUMER else world.provider
    for caller in (payee, world.stranger, world.arbiter):
        with refused("DisputeCourt_NotParty", caller.address):
            world.dispute(terms, side, sender=caller)


def test_RevertGiven_TheDisputeIsOpen(world, feed):
    """Rule 16: one dispute per party and window."""
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    world.pay(terms, feed, "u")
    world.give(world.provider, DEPOSIT)
    world.token.approve(world.court, DEPOSIT, {"from": world.provider})
    with refused("DisputeCourt_DisputedBefore", OPEN):
        world.dispute(terms, CONSUMER)


@pytest.mark.parametrize("status", [RULED, LAPSED])
def test_RevertGiven_TheDisputeIsOver(world, feed, status):
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    if status == RULED:
        world.rule(terms, CONSUMER, DOLLAR)
    else:
        world.lapse(terms, CONSUMER, at=world.now + RULING_PERIOD + 1)
    world.pay(terms, feed, "u")
    world.token.approve(world.court, DEPOSIT, {"from": world.provider})
    with refused("DisputeCourt_DisputedBefore", status):
        world.dispute(terms, CONSUMER)


def test_RevertGiven_NoPaymentDependsOnUnknownIntervals(world, feed):
    terms, _ = world.closed(feed, "bb")
    for side in (CONSUMER, PROVIDER):
        with refused("DisputeCourt_NothingDisputable"):
            world.dispute(terms, side)


def test_RevertGiven_NothingWaits(world, feed):
    """What is not settled yet cannot be disputed: the payment has not begun to wait."""
    terms = world.agreed(feed)
    world.judge(feed, "u")
    for side in (CONSUMER, PROVIDER):
        with refused("DisputeCourt_NothingDisputable"):
            world.dispute(terms, side)


def test_RevertGiven_AllHasMatured(world, feed):
    terms = world.agreed(feed)
    booked = world.pay(terms, feed, "u")
    with refused("DisputeCourt_NothingDisputable"):
        world.dispute(terms, CONSUMER, at=booked + PERIOD)


def test_RevertGiven_ThePartyHasNotAllowedTheDeposit(world, feed):
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.token.approve(world.court, DEPOSIT - 1, {"from": world.provider})
    with refused("ERC20InsufficientAllowance", world.court.address, DEPOSIT - 1, DEPOSIT):
        world.dispute(terms, CONSUMER)


def test_RevertGiven_TheTokenDeliversLessThanTheDeposit(world, feed):
    """Rule 22."""
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    upgrade(world.token, brownie.FeeOnTransferToken)
    with refused("Treasury_ReceivedLess", DEPOSIT, DEPOSIT * 99 // 100):
        world.dispute(terms, CONSUMER)


def test_RevertGiven_TheOracleFails(world, feed):
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    upgrade(world.oracle, brownie.ScriptedOracle)
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.dispute(terms, CONSUMER)


def test_RevertWhen_OtherTermsArePassed(world, feed):
    """Rule 21: whoever names itself a party, or another arbiter, names another agreement."""
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    for other in (
        replace(terms, provider=world.stranger.address, dispute_deposit=0),
        replace(terms, arbiter=world.stranger.address, provider=world.stranger.address),
    ):
        with refused("DisputeCourt_NothingDisputable"):
            world.dispute(other, CONSUMER, sender=world.stranger)


def test_When_TheProviderDisputes(world, feed):
    """Rule 16: two intervals were bad, and stay paid; three are unknown."""
    terms = world.agreed(feed)
    booked = world.pay(terms, feed, "bubuu")
    assert world.waiting(terms, CONSUMER) == (0, 5 * DOLLAR, booked + PERIOD, 0, 0)

    tx = world.dispute(terms, CONSUMER)

    ruling_by = world.now + RULING_PERIOD
    assert tx.return_value == 3 * DOLLAR
    assert events(tx, "Disputed") == [world.dispute_event(terms, CONSUMER, 3 * DOLLAR, ruling_by)]
    assert world.dispute_of(terms, CONSUMER) == (OPEN, 3 * DOLLAR, ruling_by)
    assert world.waiting(terms, CONSUMER) == (0, 2 * DOLLAR, booked + PERIOD, 0, 0)
    assert world.dispute_of(terms, PROVIDER) == (NONE, 0, 0)
    assert world.money() == (0, DEPOSIT, 5 * DOLLAR + DEPOSIT)
    assert world.court.held(world.token) == 5 * DOLLAR + DEPOSIT


def test_When_TheConsumerDisputes(world, feed):
    """Rule 16: of 58 dollars that are the provider's, three are so because three intervals are unknown."""
    terms, closed = world.closed(feed, "bubuu")
    assert world.waiting(terms, PROVIDER) == (0, FEE - 2 * DOLLAR, closed + PERIOD, 0, 0)

    tx = world.dispute(terms, PROVIDER)

    ruling_by = world.now + RULING_PERIOD
    assert tx.return_value == 3 * DOLLAR
    assert events(tx, "Disputed") == [world.dispute_event(terms, PROVIDER, 3 * DOLLAR, ruling_by)]
    assert world.dispute_of(terms, PROVIDER) == (OPEN, 3 * DOLLAR, ruling_by)
    assert world.waiting(terms, PROVIDER) == (0, FEE - 5 * DOLLAR, closed + PERIOD, 0, 0)
    assert world.waiting(terms, CONSUMER) == (0, 2 * DOLLAR, closed + PERIOD, 0, 0)
    assert world.money() == (DEPOSIT, 0, FEE + DEPOSIT)


def test_When_LessWaitsThanIsDisputable(world, feed):
    """Three dollars depend on unknown intervals, and two of them were paid out before."""
    terms = world.agreed(feed)
    booked = world.pay(terms, feed, "uu")
    world.release(terms, CONSUMER, at=booked + PERIOD)
    world.pay(terms, feed, "u")
    assert world.dispute(terms, CONSUMER).return_value == DOLLAR
    assert world.waiting(terms, CONSUMER) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(("pattern", "frozen"), [("bb", 1), ("u", 2), ("bu", 2)])
def test_When_ACreditIsDueThatNobodySettled(world, feed, pattern, frozen):
    terms = world.agreed(feed)
    world.pay(terms, feed, "ub")
    world.judge(feed, pattern)
    assert world.dispute(terms, CONSUMER).return_value == frozen * DOLLAR
    world.settle(terms)
    world.release(terms, CONSUMER, at=world.now + PERIOD)
    least, _ = world.escrow.bounds(terms.as_abi(), 0)
    assert world.money() == (0, DEPOSIT + least, DEPOSIT + frozen * DOLLAR)


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [("bbb", "u", (3, 0)), ("bb", "buu", (2, 1)), ("uu", "uuu", (0, 0)), ("uub", "bu", (2, 0))],
)
def test_When_TwoPaymentsWait(world, feed, first, second, left):
    """Rule 16: in the last case the second payment is frozen whole, as if its bad interval had been paid first."""
    terms = world.agreed(feed)
    earlier = world.pay(terms, feed, first)
    later = world.pay(terms, feed, second)
    unknown = (first + second).count("u")
    assert world.dispute(terms, CONSUMER).return_value == unknown * DOLLAR
    times = (earlier + PERIOD if left[0] else 0, later + PERIOD if left[1] else 0)
    assert world.waiting(terms, CONSUMER) == (
        0,
        left[0] * DOLLAR,
        times[0],
        left[1] * DOLLAR,
        times[1],
    )


def test_When_AllThatWaitsIsFrozen(world, feed):
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    booked = world.pay(terms, feed, "bb")
    assert world.waiting(terms, CONSUMER) == (0, 2 * DOLLAR, booked + PERIOD, 0, 0)


def test_When_OnePaymentHasMaturedThatNobodyReleased(world, feed):
    terms = world.agreed(feed)
    first = world.pay(terms, feed, "u")
    second = world.pay(terms, feed, "uu")
    assert world.dispute(terms, CONSUMER, at=first + PERIOD).return_value == 2 * DOLLAR
    assert first + PERIOD < second + PERIOD
    assert world.waiting(terms, CONSUMER) == (DOLLAR, 0, 0, 0, 0)
    world.release(terms, CONSUMER)
    assert world.money() == (0, DEPOSIT + DOLLAR, DEPOSIT + 2 * DOLLAR)


def test_When_APartIsNotDisputed(world, feed):
    """Rule 16."""
    terms = world.agreed(feed)
    booked = world.pay(terms, feed, "bbu")
    world.dispute(terms, CONSUMER)
    world.release(terms, CONSUMER, at=booked + PERIOD)
    assert world.money() == (0, DEPOSIT + 2 * DOLLAR, DEPOSIT + DOLLAR)


def test_When_LaterPaymentsCome(world, feed):
    """One dispute per party and window covers what waits when it begins."""
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    booked = world.pay(terms, feed, "uu")
    assert world.dispute_of(terms, CONSUMER)[1] == DOLLAR
    world.release(terms, CONSUMER, at=booked + PERIOD)
    assert world.money() == (0, DEPOSIT + 2 * DOLLAR, DEPOSIT + DOLLAR)


def test_When_TheTermsAskForNoDeposit(world, feed):
    terms = world.agreed(feed, dispute_deposit=0)
    world.pay(terms, feed, "u")
    tx = world.dispute(terms, CONSUMER)
    assert "Transfer" not in tx.events
    assert world.money() == (0, 0, DOLLAR)


@pytest.mark.parametrize("awards", [(0, 0), (0, 2), (2, 0), (1, 1), (2, 2)])
def test_When_BothPartiesDisputeAWindow(world, feed, awards):
    """Rule 16: two of six unknown intervals are paid by the default credit; four more are the provider's for now."""
    terms = world.agreed(
        feed, KEEPS_UNKNOWN, unknown_limit=0, unknown_credit=400, dispute_deposit=0
    )
    world.judge(feed, "bbuuuuuu" + "g" * 52)
    world.close(terms)
    least, most = world.escrow.bounds(terms.as_abi(), 0)
    assert (least, most) == (2 * DOLLAR, 8 * DOLLAR)
    assert world.window(terms)[1] == 4 * DOLLAR
    assert world.dispute(terms, CONSUMER).return_value == 2 * DOLLAR
    assert world.dispute(terms, PROVIDER).return_value == 4 * DOLLAR
    world.rule(terms, CONSUMER, awards[0] * DOLLAR)
    world.rule(terms, PROVIDER, awards[1] * 2 * DOLLAR)
    for side in (CONSUMER, PROVIDER):
        world.release(terms, side, at=world.now + PERIOD)
    consumer = (4 - awards[0] + 2 * awards[1]) * DOLLAR
    assert world.money() == (FEE - consumer, consumer, 0)
    assert least <= consumer <= most


DOORS = ("release", "dispute", "rule", "lapse", "withdraw", "redeliver", "skim")


@pytest.mark.parametrize("door", [*DOORS, "settle"])
def test_When_TheTokenCallsBack(vicious, feed, door):
    """Rule 22: while the deposit arrives."""
    world = vicious
    terms = world.agreed(feed)
    world.pay(terms, feed, "u")
    world.judge(feed, "b")
    doors = world.court_doors(terms, world.token)
    target = world.court
    if door == "settle":
        target, doors["settle"] = world.escrow, world.escrow.settle.encode_input(terms.as_abi(), 0)
    world.token.onDelivery(world.court, target, doors[door], {"from": world.stranger})
    world.dispute(terms, CONSUMER)
    assert (world.token.called(), world.token.result()) == (False, REENTERED)
    assert world.money()[2] == world.court.held(world.token) == DOLLAR + DEPOSIT
