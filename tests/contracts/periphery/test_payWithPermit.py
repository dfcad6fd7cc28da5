"""Paying by EIP-2612: `payWithPermit.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree

from copy import copy
from dataclasses import replace

import brownie
import pytest
from eth_utils.crypto import keccak

from tests import samples
from tests.contracts.escrow.world import events
from tests.contracts.periphery.payments import FEE, FOREVER, Booking, Purpose

# A signature of nobody.
NO_PERMIT = (FOREVER, 27, bytes(32), bytes(32))
# What the lock of OpenZeppelin's ReentrancyGuard answers.
REENTERED = "0x" + keccak(text="ReentrancyGuardReentrantCall()")[:4].hex()


@pytest.mark.parametrize(
    ("purpose", "booked", "amount"),
    [("open", [0], FEE), ("fund", [1], FEE), ("bond", FEE // 2, FEE // 2)],
)
def test_When_TheCallerHasSignedAPermit(pay, purpose, booked, amount):
    """Rule 12."""
    booking = pay.booking(purpose)
    before = pay.token.balanceOf(pay.consumer)

    tx = pay.by_permit(booking)

    assert pay.booked(booking) == booked
    assert pay.token.balanceOf(pay.consumer) == before - amount
    assert pay.token.balanceOf(pay.escrow) == pay.escrow.held(pay.token) == amount
    assert pay.nothing_left()
    assert events(tx, "Transfer")[0] == {"from": pay.consumer, "to": pay.router, "value": amount}


def test_When_AStrangerHasUsedThePermitBefore(pay):
    """Rule 12: else anyone who sees the transaction coming could stop it."""
    booking = pay.to_fund(first=1, count=2)
    signed = pay.permit(booking.amount)
    parties = (pay.consumer, pay.router)
    pay.token.permit(*parties, booking.amount, *signed, {"from": pay.stranger})

    pay.by_permit(booking, signed)

    assert pay.booked(booking) == [1, 2]
    assert pay.nothing_left()


def test_RevertWhen_ThePermitIsBadAndThereIsNoAllowance(pay):
    """Rule 12."""
    booking = pay.to_fund()
    for signed in (
        pay.permit(booking.amount, owner=samples.wallet(3)),
        pay.permit(booking.amount, deadline=1),
        pay.permit(booking.amount - 1),
        pay.permit(booking.amount, nonce=7),
    ):
        with brownie.reverts(f"ERC20InsufficientAllowance: {_low(pay.router)}, 0, {FEE}"):
            pay.by_permit(booking, signed)


def test_RevertWhen_AStrangerBringsThePermit(pay):
    """Rule 12: the permit names neither agreement nor windows."""
    booking = pay.to_fund()
    signed = pay.permit(booking.amount)
    with brownie.reverts(f"ERC20InsufficientAllowance: {_low(pay.router)}, 0, {FEE}"):
        pay.by_permit(booking, signed, sender=pay.stranger)


def test_RevertWhen_SomebodyElseHasGivenThisContractAnAllowance(pay):
    """Rule 12."""
    booking = pay.to_fund()
    pay.token.approve(pay.router, 2**256 - 1, {"from": pay.consumer})
    with brownie.reverts(f"ERC20InsufficientAllowance: {_low(pay.router)}, 0, {FEE}"):
        pay.by_permit(booking, NO_PERMIT, sender=pay.stranger)
    pay.by_permit(booking, NO_PERMIT)


def test_RevertWhen_TheEscrowRefuses(pay):
    """Rule 12: what is not booked is not taken, and the permit is not used up."""
    booking = pay.to_fund()
    pay.by_permit(booking)
    before = pay.token.balanceOf(pay.consumer), pay.token.nonces(pay.consumer)
    with brownie.reverts("SLAEscrow_WindowNot: 1, 0, 1"):
        pay.by_permit(booking)
    assert (pay.token.balanceOf(pay.consumer), pay.token.nonces(pay.consumer)) == before


@pytest.mark.parametrize("takes", [0, FEE - 1])
def test_RevertWhen_TheEscrowTakesLessThanTheAmount(pay, compiled_here, takes):
    hostile = pay.hostile(compiled_here, takes)
    with brownie.reverts(f"FundingRouter_NotPassedOn: 0, {FEE - takes}"):
        hostile.by_permit(Booking(Purpose.FUND, pay.terms(), 1, 1))
    with brownie.reverts("FundingRouter_NotPassedOn: 0, 1"):
        pay.by_permit(replace(pay.to_fund(), amount=FEE + 1))


def test_RevertWhen_TheEscrowWouldTakeMoreThanTheAmount(pay, compiled_here):
    """Rule 22: also if strangers left enough here."""
    booking = replace(pay.to_fund(), amount=FEE - 1)
    with brownie.reverts(f"ERC20InsufficientBalance: {_low(pay.router)}, {FEE - 1}, {FEE}"):
        pay.by_permit(booking)
    hostile = pay.hostile(compiled_here, FEE)
    for world in (pay, hostile):
        world.token.mint(world.router, 5, {"from": pay.stranger})
        with brownie.reverts("FundingRouter_NotPassedOn: 5, 4"):
            world.by_permit(booking)


def test_RevertWhen_TheEscrowTakesWhatStrangersLeftHere(pay, compiled_here):
    """Rule 22: the token says that it took the payer's, and did not; the router's own would pay."""
    token = brownie.LyingToken.deploy({"from": pay.stranger})
    hostile = pay.hostile(compiled_here, FEE, token)
    token.mint(hostile.router, FEE, {"from": pay.stranger})
    stop_lying = token.setLying.encode_input(False)
    hostile.escrow.onCall(token, stop_lying, {"from": pay.stranger})
    token.setLying(True, {"from": pay.stranger})
    with brownie.reverts(f"FundingRouter_NotPassedOn: {FEE}, 0"):
        hostile.by_permit(Booking(Purpose.FUND, pay.terms(token=token.address), 1, 1), NO_PERMIT)


@pytest.mark.parametrize("left", [0, 1, FEE - 1, FEE])
def test_When_TheAllowanceToTheEscrowRunsOut(pay, compiled_here, left):
    """Some tokens count down even the largest allowance."""
    token = compiled_here.PlainToken.deploy({"from": pay.stranger})
    hostile = pay.hostile(compiled_here, FEE, token)
    token.mint(pay.consumer, FEE, {"from": pay.stranger})
    token.approve(hostile.router, FEE, {"from": pay.consumer})
    token.setAllowance(hostile.router, hostile.escrow, left, {"from": pay.stranger})
    # This token has no `permit`, which is one way of failing.
    hostile.by_permit(Booking(Purpose.FUND, pay.terms(token=token.address), 1, 1), NO_PERMIT)
    assert token.balanceOf(hostile.escrow) == FEE
    renewed = 0 if left == FEE else 2**256 - 1 - FEE
    assert token.allowance(hostile.router, hostile.escrow) == renewed


@pytest.mark.parametrize("purpose", list(Purpose))
def test_RevertWhen_ThereIsNoEscrow(pay, purpose):
    astray = copy(pay)
    astray.router = pay.router_of(brownie.accounts[7])
    with brownie.reverts():
        astray.by_permit(Booking(purpose, pay.terms(), 1, 1))


def test_RevertWhen_TheTokenKeepsAPart(pay, compiled_here):
    """Rule 22."""
    token = brownie.FeeOnTransferToken.deploy({"from": pay.stranger})
    received = FEE * 99 // 100
    hostile = pay.hostile(compiled_here, FEE, token)
    token.mint(pay.consumer, FEE, {"from": pay.stranger})
    for world in (pay, hostile):
        token.approve(world.router, FEE, {"from": pay.consumer})
    booking = Booking(Purpose.FUND, pay.opened(token=token.address), 1, 1)
    # Not even the part that the token keeps of it is there.
    short = f"{received - FEE // 100}, {received}"
    with brownie.reverts(f"ERC20InsufficientBalance: {_low(pay.router)}, {short}"):
        pay.by_permit(booking, NO_PERMIT)

    for world in (pay, hostile):
        token.mint(world.router, FEE, {"from": pay.stranger})
    with brownie.reverts(f"Treasury_ReceivedLess: {FEE}, {received}"):
        pay.by_permit(booking, NO_PERMIT)
    with brownie.reverts(f"FundingRouter_NotPassedOn: {FEE}, {received}"):
        hostile.by_permit(booking, NO_PERMIT)


def test_When_StrangersLeftTokensHere(pay):
    """Rule 22."""
    pay.token.mint(pay.router, 5, {"from": pay.stranger})
    booking = pay.to_fund()
    pay.by_permit(booking)
    assert pay.booked(booking) == [1]
    assert pay.token.balanceOf(pay.router) == 5


def test_When_TheEscrowCallsBack(pay, compiled_here):
    """Rule 22."""
    hostile = pay.hostile(compiled_here, FEE)
    booking = Booking(Purpose.FUND, pay.terms(), 1, 1)
    router, signed = hostile.router, pay.authorization(booking)
    doors = [
        router.payWithPermit.encode_input(booking.as_abi(), *NO_PERMIT),
        router.payWithPermit2.encode_input(booking.as_abi(), pay.consumer, 0, FOREVER, b""),
        router.payWithAuthorization.encode_input(booking.as_abi(), signed.as_abi()),
    ]
    for door in doors:
        hostile.escrow.onCall(router, door, {"from": pay.stranger})
        hostile.by_permit(booking)
        assert not hostile.escrow.called()
        assert str(hostile.escrow.result()) == REENTERED
    assert pay.token.balanceOf(hostile.escrow) == len(doors) * FEE


def _low(contract):
    return contract.address.lower()
