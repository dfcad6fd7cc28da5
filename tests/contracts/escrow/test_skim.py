"""Taking what nobody is owed: `skim.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie

from tests import samples
from tests.contracts.escrow.world import FUNDED, REENTERED, events, refused, upgrade

FEE = samples.FEE
TENTH = FEE // 10


def skim(world, token, to=None):
    return world.escrow.skim(token, to or brownie.accounts[6], {"from": world.stranger})


def test_When_AStrangerHasSentTokens(world):
    """Rule 22: surplus = balance - held, bonds and fees alike."""
    feed = world.feed()
    bonded = world.bonded(feed, salt=bytes(32))
    terms = world.opened(feed, prepaid_windows=2)
    world.token.mint(world.escrow, 7, {"from": world.stranger})
    tx = skim(world, world.token)
    assert tx.return_value == 7
    to = brownie.accounts[6]
    assert events(tx, "Skimmed") == [{"token": world.token, "to": to, "amount": 7}]
    assert world.token.balanceOf(to) == 7
    held = world.escrow.held(world.token)
    assert held == 3 * FEE == world.token.balanceOf(world.escrow)
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.bond(bonded) == (FEE, 0, 0)
    assert world.balances() == (FEE - TENTH, TENTH, 2 * FEE)


def test_When_PaymentsAreWithheld(world):
    """Rule 22."""
    terms = world.opened()
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.terminate(terms, world.termination(terms))
    token.mint(world.escrow, 1, {"from": world.stranger})
    assert skim(world, token).return_value == 1
    world.escrow.withdraw(token, world.stranger, {"from": world.consumer})
    assert token.balanceOf(world.stranger) == FEE


def test_When_NothingIsToBeHad(world):
    world.opened()
    assert skim(world, world.token).return_value == 0
    assert world.token.balanceOf(world.escrow) == FEE


def test_When_TheTokenWasNeverUsedHere(world):
    other = brownie.TestDollar.deploy({"from": world.stranger})
    other.mint(world.escrow, 5, {"from": world.stranger})
    assert skim(world, other).return_value == 5


def test_RevertWhen_LessIsThereThanIsHeld(world):
    """Rule 22: a token that shrinks by itself leaves no surplus."""
    world.opened()
    token = upgrade(world.token, brownie.RebasingToken)
    token.rebase(world.escrow, 99, {"from": world.stranger})
    with brownie.reverts():
        world.escrow.skim.call(token, world.stranger, {"from": world.stranger})


def test_RevertWhen_TheTokenTakesMoreThanAsked(world):
    """Rule 22: what is held would pay for it."""
    world.opened()
    token = upgrade(world.token, brownie.GreedyToken)
    token.mint(world.escrow, 5, {"from": world.stranger})
    with refused("Treasury_NotDelivered", token.address, 5, 6):
        skim(world, token)
    assert token.balanceOf(world.escrow) == FEE + 5


def test_RevertWhen_ItIsNoToken(world):
    with brownie.reverts():
        world.escrow.skim.call(world.stranger, world.stranger, {"from": world.stranger})
    with brownie.reverts():
        world.escrow.skim.call(world.oracle, world.stranger, {"from": world.stranger})


def test_When_TheReceiverCallsBack(world):
    """Rule 22: in the middle of it the surplus is still to be seen, but not to be had."""
    terms = world.opened()
    token = brownie.TestDollar.deploy({"from": world.stranger})
    token.mint(world.escrow, 5, {"from": world.stranger})
    token = upgrade(token, brownie.HookToken)
    wallet = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    again = world.escrow.skim.encode_input(token, wallet)
    wallet.onTokens(world.escrow, again, {"from": world.stranger})
    skim(world, token, wallet)
    assert str(wallet.hookResult()) == REENTERED
    assert token.balanceOf(wallet) == 5
    assert world.statuses(terms)[0] == FUNDED
