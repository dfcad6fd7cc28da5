"""Adding to the bond: `postBond.tree`. What it pays for is in `bond.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree, the module after the function

import brownie

from tests import samples
from tests.contracts.escrow.world import events, refused, upgrade

FEE = samples.FEE


def owing(world, bad):
    """A closed window with so many bad intervals, each 10 % of the fee; the bond was one fee."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 1)
    world.judge(feed, "b" * bad + "g" * (60 - bad))
    world.close(terms)
    return terms


def test_When_AnyonePosts(world):
    """Rules 12 and 23."""
    terms = world.opened(bond=3 * FEE, prepaid_windows=0)
    world.give(world.provider, 9 * FEE)
    id_ = "0x" + world.id_of(terms).hex()
    for payer, amount in ((world.provider, 2 * FEE), (world.stranger, FEE), (world.consumer, 1)):
        tx = world.post_bond(terms, amount, payer)
        assert events(tx, "BondPosted") == [{"agreement": id_, "amount": amount, "payer": payer}]
        assert "BondMadeGood" not in tx.events
    assert world.bond(terms) == (3 * FEE + 1, 0, 0)
    assert world.escrow.held(world.token) == 3 * FEE + 1
    assert world.balances() == (9 * FEE, 0, 3 * FEE + 1)


def test_When_TheBondOwesLess(world):
    """Rule 23."""
    terms = owing(world, 25)
    assert world.bond(terms) == (0, FEE // 2, 0)
    assert world.balances() == (0, 2 * FEE, 0)

    tx = world.post_bond(terms, FEE)

    id_ = "0x" + world.id_of(terms).hex()
    assert events(tx, "BondMadeGood") == [{"agreement": id_, "amount": FEE // 2}]
    assert world.bond(terms) == (FEE // 2, 0, 0)
    assert world.balances() == (0, 2 * FEE + FEE // 2, FEE // 2)
    assert world.escrow.held(world.token) == FEE // 2


def test_When_TheBondOwesMore(world):
    """Rule 23: whoever pays."""
    terms = owing(world, 25)
    world.post_bond(terms, FEE // 2 - 1, world.stranger)
    assert world.bond(terms) == (0, 1, 0)
    world.post_bond(terms, 1, world.stranger)
    assert world.bond(terms) == (0, 0, 0)
    assert world.balances() == (0, 2 * FEE + FEE // 2, 0)


def test_When_TheConsumerCannotBePaid(world):
    """Rule 22."""
    terms = owing(world, 25)
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.post_bond(terms, FEE)
    assert world.escrow.withdrawable(token, world.consumer) == FEE // 2
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == FEE


def test_When_TheTermsAmendOthers(world):
    """Rules 6 and 23."""
    current = world.opened(bond=FEE, prepaid_windows=0)
    next_ = world.amended(current, 1, bond=2 * FEE)
    world.post_bond(next_, FEE)
    world.post_bond(current, 7)
    assert world.bond(current) == world.bond(next_) == (FEE + 7, 0, 0)
    # It is kept under the id of the first terms, and nothing is under another.
    assert tuple(world.escrow.bondOf(world.id_of(current))) == (FEE + 7, 0, 0)
    assert tuple(world.escrow.bondOf(world.id_of(next_))) == (0, 0, 0)


def test_When_TheAgreementHasEnded(world):
    """Rule 23."""
    terms = owing(world, 25)
    world.terminate(terms, world.termination(terms))
    world.post_bond(terms, FEE)
    assert world.bond(terms) == (FEE // 2, 0, 0)


def test_RevertWhen_TheTermsHaveNoBond(world):
    terms = world.opened()
    with refused("SLAEscrow_NoBond"):
        world.escrow.postBond.call(terms.as_abi(), 1, {"from": world.provider})


def test_RevertWhen_TheAmountIsNoneOrTooLarge(world):
    terms = world.opened(bond=1, prepaid_windows=0)
    world.give(world.provider, 2**130)
    for amount in (0, 2**128, 2**256 - 1):
        with refused("SLAEscrow_NoBond"):
            world.escrow.postBond.call(terms.as_abi(), amount, {"from": world.provider})
    world.post_bond(terms, 2**128 - 1)
    assert world.bond(terms) == (2**128 - 1, 0, 0)
    with brownie.reverts():
        world.escrow.postBond.call(terms.as_abi(), 1, {"from": world.provider})


def test_RevertWhen_NobodyOpenedTheAgreement(world):
    terms = world.terms(bond=1)
    with refused("SLAEscrow_NotOpen", world.id_of(terms)):
        world.escrow.postBond.call(terms.as_abi(), 1, {"from": world.provider})


def test_RevertWhen_TheTokenDeliversLessThanAsked(world):
    """Rule 22."""
    terms = world.opened(bond=FEE, prepaid_windows=0)
    world.give(world.provider, FEE)
    upgrade(world.token, brownie.FeeOnTransferToken)
    with refused("Treasury_ReceivedLess", FEE, FEE - FEE // 100):
        world.escrow.postBond.call(terms.as_abi(), FEE, {"from": world.provider})
