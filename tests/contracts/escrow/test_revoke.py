"""Withdrawing a signature that nobody has used: `revoke.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests import samples
from tests.contracts.escrow.world import FUNDED, NONE, OPEN, events, refused


@pytest.mark.parametrize("number", [1, 2])
def test_When_APartyRevokes(world, number):
    """Rules 1 and 21: who has signed and not been answered may withdraw the offer."""
    party = brownie.accounts[number]
    terms = world.terms()
    id_ = world.id_of(terms)
    given_before = samples.signatures(world.domain, terms)

    tx = world.escrow.revoke(id_, {"from": party})

    assert events(tx, "SignatureRevoked") == [{"party": party, "digest": "0x" + id_.hex()}]
    assert world.escrow.revoked(party, id_)
    assert world.escrow.status(id_) == NONE
    given_after = samples.signatures(world.domain, terms)
    for signed in (given_before, given_after):
        with refused("PartySignatures_Revoked", party.address, id_):
            world.try_open(terms, signed)


def test_When_AStrangerRevokes(world):
    """Rule 1: or anybody could veto what two others want."""
    terms = world.terms()
    world.escrow.revoke(world.id_of(terms), {"from": world.stranger})
    assert not world.escrow.revoked(world.provider, world.id_of(terms))
    assert not world.escrow.revoked(world.consumer, world.id_of(terms))
    world.open(terms)


def test_When_TermsDifferFromRevokedOnes(world):
    """Rule 21: a new offer needs only a new salt."""
    world.escrow.revoke(world.id_of(world.terms()), {"from": world.provider})
    again = world.terms(salt=b"\x01" * 32)
    world.open(again)
    assert world.escrow.status(world.id_of(again)) == OPEN


def test_When_ItIsDoneAgain(world):
    id_ = world.id_of(world.terms())
    for _ in range(2):
        world.escrow.revoke(id_, {"from": world.consumer})
        assert world.escrow.revoked(world.consumer, id_)


def test_Given_TheAgreementIsOpen(world):
    """Rule 1: what is open ends by its own rules."""
    feed = world.feed()
    terms = world.opened(feed)
    world.escrow.revoke(world.id_of(terms), {"from": world.provider})
    assert world.escrow.status(world.id_of(terms)) == OPEN
    assert world.window(terms) == (FUNDED, 0)
    world.fund(terms, 1, 1)
    world.judge(feed, "b")
    world.settle(terms)
    assert world.balances()[1] == samples.FEE // 10
