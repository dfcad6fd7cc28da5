"""Payments that begin to wait: `book.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests.contracts.court.world import (
    CONSUMER,
    DOLLAR,
    FEE,
    KEEPS_UNKNOWN,
    PERIOD,
    PROVIDER,
)
from tests.contracts.escrow.world import REENTERED, attempt, events, refused


def test_RevertGiven_TheCallerIsNotTheEscrow(world):
    world.token.mint(world.stranger, DOLLAR, {"from": world.stranger})
    world.token.approve(world.court, DOLLAR, {"from": world.stranger})
    with refused("DisputeCourt_NotEscrow", world.stranger.address):
        world.court.book(
            b"\x01" * 32, 0, CONSUMER, world.token, DOLLAR, PERIOD, {"from": world.stranger}
        )


def test_When_NothingWaits(world, feed):
    terms = world.agreed(feed)
    world.judge(feed, "gb")

    tx = world.settle(terms)

    assert events(tx, "Booked") == [
        {
            "id": "0x" + world.id_of(terms).hex(),
            "window": 0,
            "side": CONSUMER,
            "amount": DOLLAR,
            "maturesAt": world.now + PERIOD,
        }
    ]
    assert world.waiting(terms, CONSUMER) == (0, DOLLAR, world.now + PERIOD, 0, 0)
    assert world.waiting(terms, PROVIDER) == (0, 0, 0, 0, 0)
    assert world.token.balanceOf(world.court) == world.court.held(world.token) == DOLLAR
    assert world.token.balanceOf(world.escrow) == world.escrow.held(world.token) == FEE - DOLLAR
    assert world.token.allowance(world.escrow, world.court) == 0


def test_When_APaymentIsMaturing(world, feed):
    """Rule 16: only the waiting bucket's time moves, and never back."""
    terms = world.agreed(feed)
    first = world.pay(terms, feed, "b")
    second = world.pay(terms, feed, "bb")
    assert world.waiting(terms, CONSUMER) == (
        0,
        DOLLAR,
        first + PERIOD,
        2 * DOLLAR,
        second + PERIOD,
    )
    third = world.pay(terms, feed, "b")
    assert second < third
    assert world.waiting(terms, CONSUMER) == (
        0,
        DOLLAR,
        first + PERIOD,
        3 * DOLLAR,
        third + PERIOD,
    )


def test_When_APaymentHasMaturedThatNobodyReleased(world, feed):
    """Rule 16: else the waiting bucket's time would move on for ever."""
    terms = world.agreed(feed)
    first = world.pay(terms, feed, "b")
    world.judge(feed, "bb")
    world.at(first + PERIOD - 1)
    world.settle(terms)
    second = world.now
    world.judge(feed, "bbbb", when=first + PERIOD)
    world.settle(terms)
    third = world.now
    assert first + PERIOD <= third < second + PERIOD
    assert world.waiting(terms, CONSUMER) == (
        DOLLAR,
        2 * DOLLAR,
        second + PERIOD,
        4 * DOLLAR,
        third + PERIOD,
    )
    world.release(terms, CONSUMER)
    assert world.waiting(terms, CONSUMER)[0] == 0
    assert world.token.balanceOf(world.consumer) == DOLLAR + terms.dispute_deposit


def test_When_TwoPaymentsHaveMaturedThatNobodyReleased(world, feed):
    terms = world.agreed(feed)
    world.pay(terms, feed, "b")
    second = world.pay(terms, feed, "bb")
    world.judge(feed, "bbbb", when=second + PERIOD)
    world.settle(terms)
    third = world.now
    assert world.waiting(terms, CONSUMER) == (3 * DOLLAR, 4 * DOLLAR, third + PERIOD, 0, 0)


@pytest.mark.parametrize("keeper", [True, False], ids=["released at once", "released at the end"])
def test_When_AWindowIsInBreachAllTheTime(world, feed, keeper):
    """Rule 16: booked every minute, each payment is paid in time, whether or not anyone helps on the way."""
    period = 300
    terms = world.agreed(feed, challenge_period=period)
    booked, released = [], 0
    for _ in range(16):
        booked.append(world.pay(terms, feed, "b"))
        world.wait_until(world.now + 10)
        matured, maturing, maturing_at, later, later_at = world.waiting(terms, CONSUMER)
        must = sum(DOLLAR for time in booked if time + 2 * period <= world.now)
        may = sum(DOLLAR for time in booked if time + period <= world.now)
        assert must <= released + matured <= may
        assert released + matured + maturing + later == len(booked) * DOLLAR
        assert maturing_at > world.now
        assert later == 0 or later_at > maturing_at
        if keeper and matured:
            released += world.release(terms, CONSUMER).return_value
            assert world.waiting(terms, CONSUMER)[0] == 0
    assert must > 0
    assert (released > 0) == keeper
    world.release(terms, CONSUMER, at=booked[-1] + 2 * period)
    assert world.token.balanceOf(world.consumer) == 16 * DOLLAR + terms.dispute_deposit
    assert world.token.balanceOf(world.court) == world.court.held(world.token) == 0


def test_When_AgreementsWindowsOrSidesDiffer(world, feed):
    one = world.agreed(feed, prepaid_windows=2)
    two = world.agreed(feed, salt=b"\x02" * 32)
    world.judge(feed, "b" + "g" * 59)
    world.judge(feed, "bb")
    world.close(one)
    first = world.now
    world.settle(one, window=1)
    second = world.now
    world.settle(two)
    third = world.now
    rest = FEE - DOLLAR
    assert world.waiting(one, CONSUMER) == (0, DOLLAR, first + PERIOD, 0, 0)
    assert world.waiting(one, PROVIDER) == (0, rest, first + PERIOD, 0, 0)
    assert world.waiting(one, CONSUMER, window=1) == (0, 2 * DOLLAR, second + PERIOD, 0, 0)
    assert world.waiting(two, CONSUMER) == (0, DOLLAR, third + PERIOD, 0, 0)


def test_When_TheTermsHaveNoArbiter(world, feed):
    nobody = "0x" + 40 * "0"
    terms = world.agreed(feed, arbiter=nobody, challenge_period=0, dispute_deposit=0)
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.money() == (FEE - DOLLAR, DOLLAR, 0)


def test_When_StrangersHaveSentTokens(world, feed):
    terms = world.agreed(feed)
    world.token.mint(world.court, 5 * DOLLAR, {"from": world.stranger})
    booked = world.pay(terms, feed, "b")
    assert world.waiting(terms, CONSUMER) == (0, DOLLAR, booked + PERIOD, 0, 0)
    assert world.court.held(world.token) == DOLLAR
    world.court.skim(world.token, world.stranger, {"from": world.stranger})
    assert world.token.balanceOf(world.stranger) == 5 * DOLLAR


def test_When_TheTokenKeepsAPartOfThePayment(vicious, feed):
    """Rule 22: one token's fee must neither stop the payment nor come out of other payments."""
    world = vicious
    terms = world.agreed(feed)
    first = world.pay(terms, feed, "b")
    world.token.keep(10, {"from": world.stranger})
    second = world.pay(terms, feed, "b")
    assert world.waiting(terms, CONSUMER) == (
        0,
        DOLLAR,
        first + PERIOD,
        DOLLAR * 9 // 10,
        second + PERIOD,
    )
    assert world.court.held(world.token) == world.token.balanceOf(world.court) == DOLLAR * 19 // 10
    assert world.escrow.held(world.token) == world.token.balanceOf(world.escrow) == FEE - 2 * DOLLAR


def test_When_TheTokenDeliversMoreThanThePayment(vicious, feed):
    world = vicious
    terms = world.agreed(feed)
    world.token.setBonus(5, {"from": world.stranger})
    booked = world.pay(terms, feed, "b")
    assert world.waiting(terms, CONSUMER) == (0, DOLLAR, booked + PERIOD, 0, 0)
    assert world.court.held(world.token) == DOLLAR == world.token.balanceOf(world.court) - 5


def test_RevertWhen_TheTokenDoesNothing(vicious, feed):
    world = vicious
    terms = world.agreed(feed)
    world.judge(feed, "b")
    world.token.setIdle(True, {"from": world.stranger})
    with refused("Treasury_NotDelivered", world.token.address, DOLLAR, 0):
        world.settle(terms)
    world.token.setIdle(False, {"from": world.stranger})
    world.settle(terms)
    assert world.court.held(world.token) == DOLLAR


def test_RevertWhen_TheTokenRefuses(vicious, feed):
    world = vicious
    terms = world.agreed(feed)
    world.judge(feed, "b")
    world.token.setRefusing(True, {"from": world.stranger})
    with refused("SafeERC20FailedOperation", world.token.address):
        world.settle(terms)
    world.token.setRefusing(False, {"from": world.stranger})
    world.settle(terms)
    assert world.court.held(world.token) == DOLLAR


DOORS = ("release", "dispute", "rule", "lapse", "withdraw", "redeliver", "skim", "book")


@pytest.mark.parametrize("door", DOORS)
def test_When_TheTokenCallsBack(vicious, feed, door):
    """Rule 22."""
    world = vicious
    terms = world.agreed(feed)
    doors = world.court_doors(terms, world.token)
    assert set(doors) == set(DOORS)
    world.judge(feed, "b")
    world.token.onDelivery(world.court, world.court, doors[door], {"from": world.stranger})
    world.settle(terms)
    assert (world.token.called(), world.token.result()) == (False, REENTERED)
    assert world.token.balanceOf(world.court) == world.court.held(world.token) == DOLLAR
    assert world.token.balanceOf(world.stranger) == 0


def test_When_TheCourtIsPayingSomebody(vicious, feed):
    """Rule 22: else what arrives within the payment would be taken for the token's, or the payment's."""
    world = vicious
    terms = world.agreed(feed, KEEPS_UNKNOWN)
    booked = world.pay(terms, feed, "b")
    world.judge(feed, "b")
    settle = world.escrow.settle.encode_input(terms.as_abi(), 0)
    world.token.onDelivery(world.consumer, world.escrow, settle, {"from": world.stranger})
    world.release(terms, CONSUMER, at=booked + PERIOD)
    assert (world.token.called(), world.token.result()) == (False, REENTERED)
    assert attempt(brownie.accounts[3], world.escrow, settle)
    assert world.court.held(world.token) == DOLLAR == world.token.balanceOf(world.court)
