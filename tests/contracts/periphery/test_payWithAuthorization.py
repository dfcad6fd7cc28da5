"""Paying by EIP-3009: `payWithAuthorization.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from tests.contracts.escrow.world import events
from tests.contracts.periphery.payments import FEE, FOREVER, Purpose


@pytest.mark.parametrize(
    ("purpose", "booked", "amount"),
    [("open", [0], FEE), ("fund", [1], FEE), ("bond", FEE // 2, FEE // 2)],
)
def test_When_AStrangerBringsWhatThePayerHasSigned(pay, purpose, booked, amount):
    """Rule 12."""
    booking = pay.booking(purpose)
    before = pay.token.balanceOf(pay.consumer)

    tx = pay.by_authorization(booking)

    assert tx.sender == pay.stranger
    assert pay.booked(booking) == booked
    assert pay.token.balanceOf(pay.consumer) == before - amount
    assert pay.token.balanceOf(pay.escrow) == pay.escrow.held(pay.token) == amount
    assert pay.nothing_left()
    assert events(tx, "Transfer")[0] == {"from": pay.consumer, "to": pay.router, "value": amount}


@pytest.mark.parametrize(
    "field",
    [
        *("agreement", "purpose", "first", "count", "amount"),
        *("payer", "valid_after", "valid_before", "salt"),
    ],
)
def test_RevertWhen_SomethingDiffersFromWhatWasSigned(pay, field):
    """Rules 12 and 21."""
    booking = pay.to_fund(first=1, count=1)
    signed = pay.authorization(booking)
    brought, shown = booking, signed
    if field == "agreement":
        brought = replace(booking, terms=pay.opened(salt=b"\x01" * 32))
    elif field == "purpose":
        brought = replace(booking, purpose=Purpose.POST_BOND)
    elif field in ("first", "count", "amount"):
        changed = {"first": 2, "count": 2, "amount": FEE - 1}
        brought = replace(booking, **{field: changed[field]})
    else:
        changed = {"payer": pay.provider.address, "valid_after": 1, "valid_before": FOREVER + 1}
        shown = replace(signed, **{field: changed.get(field, b"\x01" * 32)})
    with brownie.reverts("PermitDollar_Signature: "):
        pay.by_authorization(brought, shown)
    pay.by_authorization(booking, signed)


def test_RevertWhen_AnAuthorisationIsForTheRouterOfAnotherEscrow(pay, compiled_here):
    """Rule 21."""
    booking = pay.to_fund()
    signed = pay.authorization(booking)
    hostile = pay.hostile(compiled_here, FEE)
    view = pay.escrow.agreementId.signature
    hostile.escrow.answer(view, pay.id_of(booking.terms), {"from": pay.stranger})
    with brownie.reverts("PermitDollar_Signature: "):
        hostile.by_authorization(booking, signed)


def test_RevertWhen_AnAuthorisationWasUsedBefore(pay):
    """Rule 21: a bond can be added to twice, but not by one authorisation."""
    booking = pay.to_post_bond()
    pay.by_authorization(booking)
    nonce = pay.router.nonceOf(booking.as_abi(), b"\x5a" * 32)
    with brownie.reverts(f"PermitDollar_NonceUsed: {bytes(nonce)!r}"):
        pay.by_authorization(booking)
    pay.by_authorization(booking, pay.authorization(booking, salt=b"\x01" * 32))
    assert pay.booked(booking) == FEE


def test_RevertWhen_ItIsNotValidYetOrNoMore(pay):
    booking = pay.to_fund()
    now = brownie.chain[-1].timestamp
    for after, before in ((now + 1_000, FOREVER), (0, now)):
        signed = pay.authorization(booking, valid_after=after, valid_before=before)
        with brownie.reverts(f"PermitDollar_NotValidNow: {after}, {before}"):
            pay.by_authorization(booking, signed)


def test_RevertWhen_AStrangerTakesTheAuthorisationToTheToken(pay):
    """Rule 12: taking and booking are one transaction."""
    booking = pay.to_fund()
    signed = pay.authorization(booking)
    nonce = pay.router.nonceOf(booking.as_abi(), signed.salt)
    call = (signed.payer, pay.router, FEE, 0, FOREVER, nonce, *signed.vrs)
    with brownie.reverts(f"PermitDollar_NotPayee: {pay.stranger.address.lower()}"):
        pay.token.receiveWithAuthorization(*call, {"from": pay.stranger})


def test_RevertWhen_TheEscrowRefuses(pay):
    """Rule 12: what is not booked is not taken."""
    booking = pay.to_open()
    spoilt = replace(booking, signatures=booking.signatures[::-1])
    signed = pay.authorization(booking)
    with brownie.reverts(f"PartySignatures_Invalid: {pay.provider.address.lower()}"):
        pay.by_authorization(spoilt, signed)
    pay.by_authorization(booking, signed)


def test_RevertWhen_TheEscrowTakesLessThanTheAmount(pay):
    booking = replace(pay.to_fund(), amount=FEE + 1)
    with brownie.reverts("FundingRouter_NotPassedOn: 0, 1"):
        pay.by_authorization(booking)
