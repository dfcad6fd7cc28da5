"""What the periphery's contracts tell a caller: `views.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from copy import copy
from dataclasses import replace

import brownie
from eth_abi.abi import encode
from eth_account._utils.encode_typed_data.encoding_and_hashing import hash_struct
from eth_utils.crypto import keccak

from tests.contracts.periphery.payments import PAYMENT, PERMIT2, Purpose


def test_When_AskedForTheWitnessOfAPayment(pay):
    """Rule 21."""
    booking = pay.to_fund(first=1, count=2)
    changed = [
        booking,
        replace(booking, terms=pay.terms(salt=b"\x01" * 32)),
        replace(booking, purpose=Purpose.OPEN),
        replace(booking, first=2),
        replace(booking, count=1),
    ]
    witnesses = [bytes(pay.router.witnessOf(one.as_abi())) for one in changed]
    types = {"Payment": PAYMENT}
    assert witnesses == [hash_struct("Payment", types, pay.payment(one)) for one in changed]
    assert len(set(witnesses)) == len(witnesses)
    other = copy(pay)
    other.escrow = brownie.SLAEscrow.deploy({"from": pay.stranger})
    other.router = pay.router_of(other.escrow)
    witness = bytes(other.router.witnessOf(booking.as_abi()))
    assert witness == hash_struct("Payment", types, other.payment(booking))
    assert witness not in witnesses


def test_When_AskedForTheNonceOfAnAuthorisation(pay):
    """Rule 21."""
    booking = pay.to_fund()
    witness = bytes(pay.router.witnessOf(booking.as_abi()))
    for salt in (bytes(32), b"\x01" * 32):
        nonce = keccak(encode(["bytes32", "bytes32"], [witness, salt]))
        assert bytes(pay.router.nonceOf(booking.as_abi(), salt)) == nonce


def test_When_AskedForPermit2(router):
    assert router.PERMIT2() == PERMIT2["address"]


def test_When_AskedForAStakeThatNobodyMade(stakes, dollar):
    anybody = brownie.accounts[5]
    assert tuple(stakes.stakeOf(anybody, bytes(32), anybody, dollar)) == (0, 0)
