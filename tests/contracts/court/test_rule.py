"""What the arbiter decides: `rule.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from tests.contracts.court.world import (
    CONSUMER,
    DEPOSIT,
    DOLLAR,
    FEE,
    LAPSED,
    NONE,
    PERIOD,
    PROVIDER,
    RULED,
    RULING_PERIOD,
)
from tests.contracts.escrow.world import REENTERED, attempt, events, refused, request


@pytest.fixture
def disputed(world, feed):
    """Terms of which the provider disputes three dollars, and the two that go on waiting."""
    terms = world.agreed(feed)
    world.pay(terms, feed, "bubuu")
    world.dispute(terms, CONSUMER)
    return terms


def test_RevertGiven_TheCallerIsNotTheArbiter(world, disputed):
    for caller in (world.provider, world.consumer, world.stranger):
        with refused("DisputeCourt_NotArbiter", caller.address):
            world.rule(disputed, CONSUMER, 0, sender=caller)


def test_RevertGiven_NobodyDisputed(world, disputed):
    for terms, side, window in (
        (disputed, PROVIDER, 0),
        (disputed, CONSUMER, 1),
        (replace(disputed, salt=b"\x03" * 32), CONSUMER, 0),
    ):
        with refused("DisputeCourt_NoOpenDispute", NONE):
            world.rule(terms, side, 0, window=window)


def test_RevertGiven_TheDisputeWasRuled(world, disputed):
    world.rule(disputed, CONSUMER, DOLLAR)
    with refused("DisputeCourt_NoOpenDispute", RULED):
        world.rule(disputed, CONSUMER, DOLLAR)


def test_RevertGiven_TheDisputeLapsed(world, disputed):
    world.lapse(disputed, CONSUMER, at=world.now + RULING_PERIOD + 1)
    with refused("DisputeCourt_NoOpenDispute", LAPSED):
        world.rule(disputed, CONSUMER, DOLLAR)


def test_RevertGiven_TheTimeIsOver(world, disputed):
    ruling_by = world.now + RULING_PERIOD
    with refused("DisputeCourt_RulingTooLate", ruling_by):
        world.rule(disputed, CONSUMER, DOLLAR, at=ruling_by + 1)


def test_Given_TheTimeIsAboutToBeOver(world, disputed):
    world.rule(disputed, CONSUMER, DOLLAR, at=world.now + RULING_PERIOD)
    assert world.dispute_of(disputed, CONSUMER)[0] == RULED


def test_RevertWhen_TheAwardExceedsTheDisputedAmount(world, disputed):
    for award in (3 * DOLLAR + 1, 2**256 - 1):
        with refused("DisputeCourt_AwardExceedsDisputed", award, 3 * DOLLAR):
            world.rule(disputed, CONSUMER, award)


def test_RevertWhen_OtherTermsArePassed(world, disputed):
    """Rule 21: who names itself the arbiter, or another deposit, names another agreement."""
    for other in (
        replace(disputed, arbiter=world.stranger.address),
        replace(disputed, arbiter=world.stranger.address, dispute_deposit=3 * DEPOSIT),
    ):
        with refused("DisputeCourt_NoOpenDispute", NONE):
            world.rule(other, CONSUMER, 0, sender=world.stranger)


def resolved(world, terms, side, awarded, upheld):
    return {
        "id": "0x" + world.id_of(terms).hex(),
        "window": 0,
        "side": side,
        "status": RULED,
        "awarded": awarded,
        "upheld": upheld,
    }


def test_When_AllIsAwarded(world, disputed):
    tx = world.rule(disputed, CONSUMER, 3 * DOLLAR)
    assert events(tx, "Resolved") == [resolved(world, disputed, CONSUMER, 3 * DOLLAR, 0)]
    assert len(events(tx, "Transfer")) == 1
    assert world.money() == (3 * DOLLAR + DEPOSIT, DEPOSIT, 2 * DOLLAR)
    assert world.dispute_of(disputed, CONSUMER)[:2] == (RULED, 3 * DOLLAR)
    assert world.court.held(world.token) == 2 * DOLLAR


@pytest.mark.parametrize("award", [1, DOLLAR, 3 * DOLLAR - 1])
@pytest.mark.parametrize("side", [CONSUMER, PROVIDER])
def test_When_APartIsAwarded(world, feed, side, award):
    if side == CONSUMER:
        terms = world.agreed(feed)
        world.pay(terms, feed, "uuu")
    else:
        terms, _ = world.closed(feed, "uuu")
    world.dispute(terms, side)
    held = world.money()[2]
    tx = world.rule(terms, side, award)
    assert events(tx, "Resolved") == [resolved(world, terms, side, award, 3 * DOLLAR - award)]
    payee, other = 3 * DOLLAR - award + DEPOSIT, award + DEPOSIT
    expected = (other, payee) if side == CONSUMER else (payee, other)
    assert world.money() == (*expected, held - 3 * DOLLAR - DEPOSIT)


def test_When_NothingIsAwarded(world, disputed):
    """Rule 16: the loser forfeits the deposit."""
    tx = world.rule(disputed, CONSUMER, 0)
    assert events(tx, "Resolved") == [resolved(world, disputed, CONSUMER, 0, 3 * DOLLAR)]
    assert len(events(tx, "Transfer")) == 1
    assert world.money() == (0, 3 * DOLLAR + 2 * DEPOSIT, 2 * DOLLAR)
    assert world.court.held(world.token) == 2 * DOLLAR


@pytest.mark.parametrize("award", [0, 1, DOLLAR])
def test_When_TheTermsAskForNoDeposit(world, feed, award):
    terms = world.agreed(feed, dispute_deposit=0)
    world.pay(terms, feed, "u")
    world.dispute(terms, CONSUMER)
    world.rule(terms, CONSUMER, award)
    assert world.money() == (award, DOLLAR - award, 0)


def test_When_APartyHasAnotherPayoutAddress(world, disputed):
    world.escrow.setPayout(brownie.accounts[7], {"from": world.provider})
    world.escrow.setPayout(brownie.accounts[8], {"from": world.consumer})
    world.rule(disputed, CONSUMER, DOLLAR)
    assert world.token.balanceOf(brownie.accounts[7]) == DOLLAR + DEPOSIT
    assert world.token.balanceOf(brownie.accounts[8]) == 2 * DOLLAR
    assert world.money() == (0, DEPOSIT, 2 * DOLLAR)


@pytest.mark.parametrize("refusing", ["provider", "consumer", "both"])
def test_When_APayeeCannotBePaid(vicious, feed, refusing):
    """Rule 22."""
    world = vicious
    terms = world.agreed(feed)
    world.pay(terms, feed, "uuu")
    world.dispute(terms, CONSUMER)
    due = {"provider": DOLLAR + DEPOSIT, "consumer": 2 * DOLLAR}
    names = list(due) if refusing == "both" else [refusing]
    for name in names:
        world.token.setDenied(getattr(world, name), True, {"from": world.stranger})
    world.rule(terms, CONSUMER, DOLLAR)
    for name, amount in due.items():
        withheld = world.court.withdrawable(world.token, getattr(world, name))
        assert withheld == (amount if name in names else 0)
    kept = sum(due[name] for name in names)
    assert world.money()[2] == world.court.held(world.token) == kept


def test_When_GasIsTooShortForThePayments(world, disputed):
    """Rule 22: whatever the gas, both payments are delivered, or nothing happens."""
    data = world.court.rule.encode_input(disputed.as_abi(), 0, CONSUMER, DOLLAR)
    outcomes = set()
    for gas in range(60_000, 360_000, 10_000):
        snapshot = request("evm_snapshot")
        done = attempt(world.arbiter, world.court, data, gas) is not None
        for party in (world.provider, world.consumer):
            assert world.court.withdrawable(world.token, party) == 0
        assert world.court.held(world.token) == (2 * DOLLAR if done else 5 * DOLLAR + DEPOSIT)
        outcomes.add(done)
        request("evm_revert", snapshot)
    assert outcomes == {True, False}


DOORS = ("release", "dispute", "rule", "lapse", "withdraw", "redeliver", "skim")


@pytest.mark.parametrize("door", DOORS)
def test_When_ThePayeeCallsBack(vicious, feed, door):
    """Rule 22."""
    world = vicious
    terms = world.agreed(feed)
    world.pay(terms, feed, "uuu")
    world.dispute(terms, CONSUMER)
    data = world.court_doors(terms, world.token)[door]
    world.token.onDelivery(world.provider, world.court, data, {"from": world.stranger})
    world.rule(terms, CONSUMER, DOLLAR)
    assert (world.token.called(), world.token.result()) == (False, REENTERED)
    assert world.money() == (DOLLAR + DEPOSIT, 2 * DOLLAR + DEPOSIT, 0)


def test_When_PaymentsThatAreNotDisputedStillWait(world, feed):
    terms, closed = world.closed(feed, "bu")
    world.dispute(terms, PROVIDER)
    world.rule(terms, PROVIDER, DOLLAR)
    assert world.waiting(terms, PROVIDER) == (0, FEE - 2 * DOLLAR, closed + PERIOD, 0, 0)
    assert world.waiting(terms, CONSUMER) == (0, DOLLAR, closed + PERIOD, 0, 0)
    for side in (CONSUMER, PROVIDER):
        world.release(terms, side, at=max(world.now + 1, closed + PERIOD))
    assert world.money() == (FEE - 2 * DOLLAR + DEPOSIT, 2 * DOLLAR + DEPOSIT, 0)
