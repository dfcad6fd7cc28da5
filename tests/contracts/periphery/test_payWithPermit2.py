"""Paying by Permit2, whose real code answers here: `payWithPermit2.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests import samples
from tests.contracts.escrow.world import events
from tests.contracts.periphery.payments import FEE, FOREVER, PERMIT2, Booking, Purpose, reverted

PERMIT2_TYPES = (
    "((address,uint256),uint256,uint256)",
    "(address,uint256)",
    "address",
    "bytes32",
    "string",
    "bytes",
)


@pytest.mark.parametrize(
    ("purpose", "booked", "amount"),
    [("open", [0], FEE), ("fund", [1], FEE), ("bond", FEE // 2, FEE // 2)],
)
def test_When_AStrangerBringsWhatThePayerHasSigned(pay, purpose, booked, amount):
    """Rule 12. The signature is over the type as `payments.py` spells it out, not as the contract does."""
    booking = pay.booking(purpose)
    before = pay.token.balanceOf(pay.consumer)

    tx = pay.by_permit2(booking)

    assert tx.sender == pay.stranger
    assert pay.booked(booking) == booked
    assert pay.token.balanceOf(pay.consumer) == before - amount
    assert pay.token.balanceOf(pay.escrow) == pay.escrow.held(pay.token) == amount
    assert pay.nothing_left()
    assert events(tx, "Transfer")[0] == {"from": pay.consumer, "to": pay.router, "value": amount}


def test_When_ThePayerIsAWalletContract(pay):
    """Rule 21."""
    wallet = brownie.MockWallet.deploy(samples.wallet(4).address, {"from": pay.stranger})
    pay.token.mint(wallet, FEE, {"from": pay.stranger})
    approve = pay.token.approve.encode_input(PERMIT2["address"], FEE)
    wallet.execute(pay.token, approve, {"from": pay.stranger})
    booking = pay.to_fund()
    with reverted("InvalidContractSignature()"):
        pay.by_permit2(booking, payer=wallet)

    pay.by_permit2(booking, pay.permit2(booking, key=samples.wallet(4)), payer=wallet)

    assert pay.token.balanceOf(wallet) == 0
    assert pay.booked(booking) == [1]


@pytest.mark.parametrize(
    "field",
    [
        *("agreement", "purpose", "first", "count", "amount"),
        *("token", "payer", "nonce", "deadline"),
    ],
)
def test_RevertWhen_SomethingDiffersFromWhatWasSigned(pay, field):
    """Rules 12 and 21."""
    signed = pay.to_fund(first=1, count=1)
    signature = pay.permit2(signed)
    brought, payer, nonce, deadline = signed, pay.consumer, 0, FOREVER
    if field == "agreement":
        brought = replace(signed, terms=pay.opened(salt=b"\x01" * 32))
    elif field == "purpose":
        brought = replace(signed, purpose=Purpose.POST_BOND)
    elif field == "token":
        token = brownie.PermitDollar.deploy({"from": pay.stranger})
        brought = replace(signed, terms=replace(signed.terms, token=token.address))
    elif field == "payer":
        payer = pay.provider
    elif field == "nonce":
        nonce = 1
    elif field == "deadline":
        deadline = FOREVER + 1
    else:
        changed = {"first": 2, "count": 2, "amount": FEE - 1}
        brought = replace(signed, **{field: changed[field]})
    with reverted("InvalidSigner()"):
        pay.by_permit2(brought, signature, payer, nonce, deadline)
    pay.by_permit2(signed, signature)


def test_RevertWhen_ASignatureIsForTheRouterOfAnotherEscrow(pay, compiled_here):
    """Rule 21."""
    booking = pay.to_fund()
    hostile = pay.hostile(compiled_here, FEE)
    view = pay.escrow.agreementId.signature
    hostile.escrow.answer(view, pay.id_of(booking.terms), {"from": pay.stranger})
    with reverted("InvalidSigner()"):
        hostile.by_permit2(booking, pay.permit2(booking))


def test_RevertWhen_ASignatureWasUsedBefore(pay):
    """Rule 21: a bond can be added to twice, but not by one signature."""
    booking = pay.to_post_bond()
    pay.by_permit2(booking)
    with reverted("InvalidNonce()"):
        pay.by_permit2(booking)
    pay.by_permit2(booking, nonce=1)
    assert pay.booked(booking) == FEE


def test_RevertWhen_TheDeadlineIsOver(pay):
    booking = pay.to_fund()
    deadline = brownie.chain[-1].timestamp + 100
    signature = pay.permit2(booking, deadline=deadline)
    pay.at(deadline + 1)
    with reverted("SignatureExpired(uint256)"):
        pay.by_permit2(booking, signature, deadline=deadline)


def test_RevertWhen_AStrangerTakesTheSignatureToPermit2(pay):
    """Rule 12: taking and booking are one transaction."""
    booking = pay.to_fund()
    data = keccak(text=f"permitWitnessTransferFrom({','.join(PERMIT2_TYPES)})")[:4] + encode(
        PERMIT2_TYPES,
        [
            ((pay.token.address, FEE), 0, FOREVER),
            (pay.stranger.address, FEE),
            pay.consumer.address,
            bytes(pay.router.witnessOf(booking.as_abi())),
            pay.router.WITNESS_TYPE(),
            pay.permit2(booking),
        ],
    )
    with reverted("InvalidSigner()"):
        pay.stranger.transfer(PERMIT2["address"], 0, data=data)


def test_RevertWhen_TheEscrowRefuses(pay):
    """Rule 12: what is not booked is not taken."""
    booking = pay.to_open()
    spoilt = replace(booking, signatures=booking.signatures[::-1])
    signature = pay.permit2(booking)
    with brownie.reverts(f"PartySignatures_Invalid: {pay.provider.address.lower()}"):
        pay.by_permit2(spoilt, signature)
    pay.by_permit2(booking, signature)


def test_RevertWhen_TheEscrowTakesLessThanTheAmount(pay):
    booking = replace(pay.to_fund(), amount=FEE + 1)
    with brownie.reverts("FundingRouter_NotPassedOn: 0, 1"):
        pay.by_permit2(booking)


def test_RevertWhen_TheTokenKeepsAPart(pay):
    """Rule 22: also if strangers left enough here to make up for it."""
    token = brownie.FeeOnTransferToken.deploy({"from": pay.stranger})
    token.mint(pay.consumer, FEE, {"from": pay.stranger})
    token.approve(PERMIT2["address"], FEE, {"from": pay.consumer})
    token.mint(pay.router, FEE, {"from": pay.stranger})
    booking = Booking(Purpose.FUND, pay.opened(token=token.address), 1, 1)
    with brownie.reverts(f"Treasury_ReceivedLess: {FEE}, {FEE * 99 // 100}"):
        pay.by_permit2(booking)
