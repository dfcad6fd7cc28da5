"""Trying again what could not be delivered: `redeliver.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests import samples
from tests.contracts.escrow.world import events, refused, upgrade

FEE = samples.FEE


@pytest.fixture
def withheld(world):
    """One fee is withheld for the consumer, another is held. Returns the token."""
    terms = world.opened()
    world.opened(salt=bytes(32))
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.terminate(terms, world.termination(terms))
    return token


def _claim_stays(world, token):
    assert world.escrow.withdrawable(token, world.consumer) == FEE
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == 2 * FEE


def redeliver(world, token, payee=None):
    return world.escrow.redeliver(token, payee or world.consumer, {"from": world.stranger})


def test_When_APaymentWasWithheld(world, withheld):
    """Rule 22: nobody can send it anywhere else."""
    withheld.setDenied(world.consumer, False, {"from": world.stranger})
    tx = redeliver(world, withheld)
    assert tx.return_value == FEE
    assert events(tx, "Withdrawn") == [
        {"token": withheld, "payee": world.consumer, "to": world.consumer, "amount": FEE}
    ]
    assert withheld.balanceOf(world.consumer) == FEE
    assert world.escrow.withdrawable(withheld, world.consumer) == 0
    assert world.escrow.held(withheld) == FEE
    with refused("Treasury_NothingToWithdraw", withheld.address, world.consumer.address):
        redeliver(world, withheld)


def test_RevertWhen_NothingWasWithheld(world, withheld):
    with refused("Treasury_NothingToWithdraw", withheld.address, world.provider.address):
        redeliver(world, withheld, world.provider)


def test_RevertWhen_TheTokenStillRefuses(world, withheld):
    """Rule 22."""
    with refused("DenyListToken_Denied", world.consumer.address):
        redeliver(world, withheld)
    _claim_stays(world, withheld)


def test_RevertWhen_TheTokenLies(world, withheld):
    """Rule 22."""
    token = upgrade(world.token, brownie.LyingToken)
    token.setLying(True, {"from": world.stranger})
    with refused("Treasury_NotDelivered", token.address, FEE, 0):
        redeliver(world, token)
    _claim_stays(world, token)


def test_When_DeliveryIsDear(world):
    """Rule 22: what a push cannot afford, whoever redelivers can."""
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.opened(consumer=wallet.address)
    token = upgrade(world.token, brownie.HookToken)
    other = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    dear = other.onTokens.encode_input(world.stranger, b"\x01" * 1_000)
    wallet.onTokens(other, dear, {"from": world.consumer})
    world.terminate(terms, world.termination(terms))
    assert world.escrow.withdrawable(token, wallet) == FEE
    redeliver(world, token, wallet)
    assert token.balanceOf(wallet) == FEE
