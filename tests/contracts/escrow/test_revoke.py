"""Ruling out an agreement that was signed: `revoke.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from tests.contracts.escrow.world import NONE, OPEN, REVOKED, events, refused


def _revoke(world, terms, party):
    tx = world.escrow.revoke(terms.as_abi(), {"from": party})
    id_ = world.id_of(terms)
    assert events(tx, "Revoked") == [{"id": "0x" + id_.hex(), "party": party}]
    assert world.escrow.status(id_) == REVOKED
    with refused("SLAEscrow_IdUsed", id_, REVOKED):
        world.try_open(terms)


def test_When_TheProviderRevokes(world):
    """Rules 1 and 21: who has signed and not been answered may withdraw the offer."""
    _revoke(world, world.terms(), world.provider)


def test_When_TheConsumerRevokes(world):
    """Rules 1 and 21."""
    _revoke(world, world.terms(), world.consumer)


def test_When_TermsDifferFromRevokedOnes(world):
    """Rule 21: a new offer needs only a new salt."""
    _revoke(world, world.terms(), world.provider)
    again = world.terms(salt=b"\x01" * 32)
    assert world.escrow.status(world.id_of(again)) == NONE
    world.open(again)


def test_RevertWhen_TheCallerIsNoParty(world):
    """Rule 1: or anybody could veto what two others want."""
    terms = world.terms()
    for caller in (world.stranger, world.escrow):
        with refused("SLAEscrow_NotParty", caller.address):
            world.escrow.revoke.call(terms.as_abi(), {"from": caller})
    world.open(terms)


def test_RevertGiven_TheAgreementIsOpen(world):
    """Rule 1: what is open ends by its own rules."""
    terms = world.opened()
    with refused("SLAEscrow_IdUsed", world.id_of(terms), OPEN):
        world.escrow.revoke(terms.as_abi(), {"from": world.provider})
    assert world.escrow.status(world.id_of(terms)) == OPEN


def test_RevertGiven_TheAgreementIsRevoked(world):
    """Rule 21."""
    terms = world.terms()
    world.escrow.revoke(terms.as_abi(), {"from": world.provider})
    with refused("SLAEscrow_IdUsed", world.id_of(terms), REVOKED):
        world.escrow.revoke(terms.as_abi(), {"from": world.consumer})
