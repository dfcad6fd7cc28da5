"""Taking what could not be delivered: `withdraw.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests import samples
from tests.contracts.escrow.world import REENTERED, events, refused, upgrade

FEE = samples.FEE
TENTH = FEE // 10


@pytest.fixture
def withheld(world):
    """10 % are withheld for the consumer, 90 % for the provider, FEE of another window is held. Returns the token."""
    feed = world.feed()
    terms = world.opened(feed, prepaid_windows=2)
    token = upgrade(world.token, brownie.DenyListToken)
    for payee in (world.consumer, world.provider):
        token.setDenied(payee, True, {"from": world.stranger})
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.escrow.withdrawable(token, world.consumer) == TENTH
    return token


def _claim_stays(world, token):
    assert world.escrow.withdrawable(token, world.consumer) == TENTH
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == 2 * FEE


def test_When_APaymentWasWithheld(world, withheld):
    """Rule 22."""
    tx = world.escrow.withdraw(withheld, world.stranger, {"from": world.consumer})
    assert tx.return_value == TENTH
    assert events(tx, "Withdrawn") == [
        {"token": withheld, "payee": world.consumer, "to": world.stranger, "amount": TENTH}
    ]
    assert withheld.balanceOf(world.stranger) == TENTH
    assert world.escrow.withdrawable(withheld, world.consumer) == 0
    assert world.escrow.withdrawable(withheld, world.provider) == FEE - TENTH
    assert world.escrow.held(withheld) == withheld.balanceOf(world.escrow) == 2 * FEE - TENTH
    with refused("Treasury_NothingToWithdraw", withheld.address, world.consumer.address):
        world.escrow.withdraw(withheld, world.stranger, {"from": world.consumer})


def test_RevertWhen_NothingWasWithheld(world):
    world.opened()
    with refused("Treasury_NothingToWithdraw", world.token.address, world.consumer.address):
        world.escrow.withdraw(world.token, world.consumer, {"from": world.consumer})


def test_RevertWhen_ThePaymentBelongsToAnother(world, withheld):
    with refused("Treasury_NothingToWithdraw", withheld.address, world.stranger.address):
        world.escrow.withdraw(withheld, world.consumer, {"from": world.stranger})
    _claim_stays(world, withheld)


def test_RevertWhen_ThePaymentIsOfAnotherToken(world, withheld):
    other = brownie.TestDollar.deploy({"from": world.stranger})
    other.mint(world.escrow, FEE, {"from": world.stranger})
    with refused("Treasury_NothingToWithdraw", other.address, world.consumer.address):
        world.escrow.withdraw(other, world.stranger, {"from": world.consumer})


def test_RevertWhen_TheTokenStillRefuses(world, withheld):
    """Rule 22."""
    with refused("DenyListToken_Denied", world.consumer.address):
        world.escrow.withdraw(withheld, world.consumer, {"from": world.consumer})
    _claim_stays(world, withheld)
    withheld.setDenied(world.consumer, False, {"from": world.stranger})
    world.escrow.withdraw(withheld, world.consumer, {"from": world.consumer})
    assert withheld.balanceOf(world.consumer) == TENTH


def test_RevertWhen_TheReceiverIsTheEscrowItself(world, withheld):
    """Rule 22: the claim would be gone, and the tokens nobody's."""
    with refused("Treasury_NotDelivered", withheld.address, TENTH, 0):
        world.escrow.withdraw(withheld, world.escrow, {"from": world.consumer})
    _claim_stays(world, withheld)


def test_RevertWhen_TheTokenLies(world, withheld):
    """Rule 22."""
    token = upgrade(world.token, brownie.LyingToken)
    # Slot 5, in which this token keeps whether it lies, is the other one's deny list: empty.
    token.setLying(True, {"from": world.stranger})
    with refused("Treasury_NotDelivered", token.address, TENTH, 0):
        world.escrow.withdraw(token, world.stranger, {"from": world.consumer})
    _claim_stays(world, token)


def test_RevertWhen_TheTokenTakesMoreThanAsked(world, withheld):
    """Rule 22."""
    token = upgrade(world.token, brownie.GreedyToken)
    with refused("Treasury_NotDelivered", token.address, TENTH, TENTH + 1):
        world.escrow.withdraw(token, world.stranger, {"from": world.consumer})
    _claim_stays(world, token)


def test_When_TheReceiverCallsBack(world, withheld):
    """Rule 22: the claim is gone before the tokens go, and the door is locked besides."""
    token = upgrade(world.token, brownie.HookToken)
    wallet = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    again = world.escrow.withdraw.encode_input(token, wallet)
    wallet.onTokens(world.escrow, again, {"from": world.stranger})
    world.escrow.withdraw(token, wallet, {"from": world.consumer})
    assert str(wallet.hookResult()) == REENTERED
    assert token.balanceOf(wallet) == TENTH
    assert world.escrow.held(token) == 2 * FEE - TENTH


def test_When_DeliveryIsDear(world):
    """Rule 22: what a push cannot afford, the payee can."""
    feed = world.feed()
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.opened(feed, consumer=wallet.address)
    token = upgrade(world.token, brownie.HookToken)
    other = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    dear = other.onTokens.encode_input(world.stranger, b"\x01" * 1_000)
    wallet.onTokens(other, dear, {"from": world.consumer})
    world.judge(feed, "b")
    world.settle(terms)
    assert world.escrow.withdrawable(token, wallet) == TENTH
    withdraw = world.escrow.withdraw.encode_input(token, wallet)
    wallet.execute(world.escrow, withdraw, {"from": world.consumer})
    assert token.balanceOf(wallet) == TENTH
    assert world.escrow.withdrawable(token, wallet) == 0
