"""Whose money opens an agreement: `open.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from tests import samples
from tests.contracts.escrow.world import REENTERED, refused


def test_RevertWhen_TheAllowanceDoesNotSuffice(world):
    """Rule 12: no fee, no agreement."""
    terms = world.terms(prepaid_windows=2)
    world.give(world.consumer, 2 * samples.FEE - 1)
    with refused(
        "ERC20InsufficientAllowance",
        world.escrow.address,
        2 * samples.FEE - 1,
        2 * samples.FEE,
    ):
        world.try_open(terms)


def test_RevertWhen_TheTokenDeliversLessThanAsked(world):
    """Rule 22: what is booked has arrived."""
    token = brownie.FeeOnTransferToken.deploy({"from": world.stranger})
    terms = world.terms(token=token.address)
    world.give(world.consumer, samples.FEE, token)
    with refused("Treasury_ReceivedLess", samples.FEE, samples.FEE - samples.FEE // 100):
        world.try_open(terms)


def test_RevertWhen_TheTokenOnlySaysThatItDelivered(world):
    """Rule 22."""
    token = brownie.LyingToken.deploy({"from": world.stranger})
    terms = world.terms(token=token.address)
    world.give(world.consumer, samples.FEE, token)
    token.setLying(True, {"from": world.stranger})
    with refused("Treasury_ReceivedLess", samples.FEE, 0):
        world.try_open(terms)


@pytest.fixture(scope="module")
def calling_token(module_isolation, compiled_here):
    return compiled_here.CallingToken.deploy({"from": brownie.accounts[0]})


def test_RevertWhen_TheTokenDeliversMoreThanAsked(world, calling_token):
    """Rule 22: received == asked; the rest would belong to nobody."""
    terms = world.terms(token=calling_token.address)
    world.give(world.consumer, samples.FEE, calling_token)
    calling_token.setBonus(1, {"from": world.stranger})
    with refused("Treasury_ReceivedLess", samples.FEE, samples.FEE + 1):
        world.try_open(terms)


def test_When_TheTokenCallsBackWhileItIsPulled(world, calling_token):
    """Rule 22: one lock over everything that touches money. Without it the inner deposit would count twice."""
    terms = world.terms(token=calling_token.address)
    for salt, data in enumerate(world.doors(terms, calling_token).values()):
        calling_token.onDelivery(world.escrow, world.escrow, data, {"from": world.stranger})
        world.open(replace(terms, salt=bytes([salt]) * 32), token=calling_token)
        assert not calling_token.called()
        assert str(calling_token.result()) == REENTERED
