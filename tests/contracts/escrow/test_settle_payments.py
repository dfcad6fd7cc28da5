"""Consumers who cannot, or should not, be paid: `settle.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from relayer.protocol.terms import Level
from tests import samples
from tests.contracts.escrow.world import (
    FUNDED,
    REENTERED,
    events,
    outcomes_by_gas,
    refused,
    upgrade,
)

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4


@pytest.mark.parametrize("container", ["DenyListToken", "GasBurningToken"])
def test_When_TheConsumerCannotBePaid(world, container):
    """Rule 22: the payment waits; so does its receipt in `held`; and the caller's bill is bounded."""
    feed = world.feed()
    terms = world.opened(feed)
    token = upgrade(world.token, getattr(brownie, container))
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.judge(feed, "b")

    tx = world.settle(terms)

    assert events(tx, "Withheld") == [{"token": token, "payee": world.consumer, "amount": TENTH}]
    assert world.window(terms) == (FUNDED, TENTH)
    assert world.balances() == (0, 0, FEE)
    assert world.escrow.held(token) == FEE
    assert world.escrow.withdrawable(token, world.consumer) == TENTH
    assert tx.gas_used < 500_000
    # More of the same adds up.
    world.judge(feed, "b" * 5)
    world.settle(terms)
    assert world.escrow.withdrawable(token, world.consumer) == QUARTER


def _wallet_consumer(world, feed, **changes):
    """An agreement whose consumer is a wallet contract that is told about payments."""
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.opened(feed, consumer=wallet.address, **changes)
    return wallet, terms, upgrade(world.token, brownie.HookToken)


def test_When_TheConsumerCallsBack(world):
    """Rule 22: all doors and all ways in are tried in `reentry.tree`."""
    feed = world.feed()
    levels = (Level(feed.ref, (), credit_per_bad_interval=1_000),)
    wallet, terms, token = _wallet_consumer(world, feed, levels=levels)
    doors = world.doors(terms, token)
    for bad, door in enumerate(("settle", "close", "withdraw", "redeliver", "skim"), 1):
        wallet.onTokens(world.escrow, doors[door], {"from": world.consumer})
        world.judge(feed, "b")
        world.settle(terms)
        assert str(wallet.hookResult()) == REENTERED
        assert world.window(terms) == (FUNDED, bad * TENTH)
        assert token.balanceOf(wallet) == bad * TENTH


@pytest.mark.parametrize("share", [1, 2])
def test_When_TheConsumerSendsThePaymentBack(world, compiled_here, share):
    """Rule 22: what counts is what left. What came back waits for who sent it, and nobody else gains by it."""
    token = compiled_here.CallingToken.deploy({"from": world.stranger})
    feed = world.feed()
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.terms(feed, token=token.address, consumer=wallet.address)
    world.open(terms, token=token)
    back = token.transfer.encode_input(world.escrow, TENTH // share)
    token.onDelivery(
        wallet, wallet, wallet.execute.encode_input(token, back), {"from": wallet.owner()}
    )
    world.judge(feed, "b")

    world.settle(terms)

    assert token.balanceOf(wallet) == TENTH - TENTH // share
    assert world.escrow.withdrawable(token, wallet) == TENTH // share
    assert world.window(terms) == (FUNDED, TENTH)
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == FEE - TENTH + TENTH // share


def test_RevertWhen_TheTokenTakesMoreThanAsked(world):
    """Rule 22: such a token would pay one agreement's debts with another's money."""
    feed = world.feed()
    terms = world.opened(feed)
    upgrade(world.token, brownie.GreedyToken)
    world.judge(feed, "b")
    with refused("Treasury_NotDelivered", world.token.address, TENTH, TENTH + 1):
        world.settle(terms)
    assert world.balances() == (0, 0, FEE)


def test_When_TheTokenAnswersMegabytes(world, compiled_here):
    """Rule 22: nobody copies them, and who calls does not pay for it."""
    token = compiled_here.CallingToken.deploy({"from": world.stranger})
    feed = world.feed()
    terms = world.terms(feed, token=token.address)
    world.open(terms, token=token)
    gas = []
    # The first payment is dearer than the others: it fills slots that were empty. The last answer is as long as the gas of
    # a push can pay for; that costs the token 64,000, and would cost the escrow more than that to copy.
    for pattern, length in (("b", 32), ("g" + "b" * 5, 32), ("b" * 10, 160_000)):
        token.setAnswerLength(length, {"from": world.stranger})
        world.judge(feed, pattern)
        gas.append(world.settle(terms).gas_used)
    assert token.balanceOf(world.consumer) == FEE
    assert gas[2] - gas[1] < 70_000


def test_When_GasIsTooShortForThePayment(world):
    """Rule 22: a payee with a costly receiver is paid in full, or not in this transaction."""
    feed = world.feed()
    wallet, terms, _ = _wallet_consumer(world, feed)
    other = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    costly = other.onTokens.encode_input(world.stranger, b"\x01" * 100)
    wallet.onTokens(other, costly, {"from": world.consumer})
    world.judge(feed, "b")
    limits = range(100_000, 500_000, 8_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, wallet))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": TENTH, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)


def test_When_GasIsTooShortForADearToken(world):
    """Rule 22: it would fail at once, and leave enough for withholding the payment."""
    feed = world.feed()
    terms = world.opened(feed)
    upgrade(world.token, brownie.DearToken)
    world.judge(feed, "b")
    limits = range(60_000, 360_000, 6_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, world.consumer))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": TENTH, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)
