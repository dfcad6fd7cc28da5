"""Giving the bond back: `releaseBond.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree, the module after the function

import brownie

from tests import samples
from tests.contracts.escrow.world import events, refused, upgrade

FEE = samples.FEE


def release(world, terms, sender=None):
    return world.escrow.releaseBond(terms.as_abi(), {"from": sender or world.stranger})


def try_release(world, terms):
    return world.escrow.releaseBond.call(terms.as_abi(), {"from": world.provider})


def test_When_AllWindowsAreClosed(world):
    """Rule 23."""
    feed = world.feed()
    terms = world.bonded(feed, windows=2)
    world.fund(terms, 0, 2)
    world.judge(feed, "b" * 12 + "g" * 48)
    world.judge(feed, "g" * 60)
    for window in range(2):
        world.close(terms, window)

    tx = release(world, terms)

    left = FEE - FEE // 5
    assert tx.return_value == left
    assert events(tx, "BondReleased") == [
        {"agreement": "0x" + world.id_of(terms).hex(), "amount": left}
    ]
    assert world.bond(terms) == (0, 0, 0)
    assert world.balances() == (FEE + left, FEE + FEE // 5, 0)
    assert world.escrow.held(world.token) == 0


def test_When_NoWindowWasFunded(world):
    """Rule 23: from the second on in which the last window begins."""
    terms = world.bonded(world.feed())
    begins = terms.window_start(2)
    world.at(begins - 1)
    with refused("SLAEscrow_BondInUse", 0, begins):
        release(world, terms)
    world.at(begins)
    release(world, terms)
    assert world.balances() == (FEE, 0, 0)


def test_When_TheAgreementEndedEarly(world):
    """Rules 10 and 23."""
    feed = world.feed()
    terms = world.bonded(feed, windows=9, notice_period=1)
    world.fund(terms, 0, 9)
    world.judge(feed, "g" * 60)
    world.escrow.endByNotice(terms.as_abi(), {"from": world.provider})
    assert world.bond(terms) == (FEE, 0, 2)
    world.close(terms, 0)
    with refused("SLAEscrow_BondInUse", 1, terms.window_start(1)):
        try_release(world, terms)
    world.judge(feed, "g" * 60)
    world.close(terms, 1)
    release(world, terms)
    assert world.balances() == (3 * FEE, 7 * FEE, 0)


def test_When_WindowsWereTerminated(world):
    """Rules 10 and 23."""
    terms = world.bonded(world.feed(), windows=3)
    world.fund(terms, 0, 3)
    world.at(terms.window_start(1))
    world.terminate(terms, world.termination(terms, 1))
    assert world.bond(terms) == (FEE, 0, 1)
    world.terminate(terms, world.termination(terms, 0))
    assert world.bond(terms) == (FEE, 0, 0)
    release(world, terms)
    assert world.balances() == (FEE, 3 * FEE, 0)


def test_When_TheAgreementEndedBeforeItBegan(world):
    """Rules 10 and 23: no window begins any more."""
    terms = world.bonded(world.feed(), notice_period=1)
    world.fund(terms, 0, 2)
    world.escrow.endByNotice(terms.as_abi(), {"from": world.consumer})
    release(world, terms)
    assert world.now < terms.start
    assert world.balances() == (FEE, 2 * FEE, 0)


def test_When_TheTermsAmendOthers(world):
    """Rules 6 and 23."""
    feed = world.feed()
    one = world.bonded(feed)
    world.fund(one, 0, 3)
    two = world.amended(one, 1, windows=4)
    assert world.bond(one) == (FEE, 0, 3)
    world.fund(two, 3, 1)
    assert world.bond(two) == (FEE, 0, 4)
    for _ in range(5):
        world.judge(feed, "g" * 60)
    for window in (0, 1, 3):
        world.close(two, window)
    # Only a window of the first version is open.
    with refused("SLAEscrow_BondInUse", 1, two.window_start(3)):
        try_release(world, two)
    world.close(one, 0)
    release(world, two)
    assert world.balances() == (5 * FEE, 0, 0)


def test_When_AmendingTermsEndedBeforeTheyBegan(world):
    """Rules 6 and 23: windows of the terms before may still be funded."""
    one = world.bonded(world.feed())
    two = world.amended(one, 2)
    world.terminate(two, world.termination(two))
    assert world.escrow.endOf(world.id_of(two)) == 0
    world.at(two.start - 1)
    with refused("SLAEscrow_BondInUse", 0, two.start):
        release(world, two)
    world.at(two.start)
    release(world, two)
    assert world.balances() == (FEE, 0, 0)


def test_When_SomebodyPostsAfterTheRelease(world):
    terms = world.bonded(world.feed())
    world.at(terms.window_start(2))
    release(world, terms)
    world.post_bond(terms, 5, world.stranger)
    assert world.bond(terms) == (5, 0, 0)
    assert release(world, terms).return_value == 5


def test_When_TheProviderCannotBePaid(world):
    """Rule 22."""
    terms = world.bonded(world.feed())
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.provider, True, {"from": world.stranger})
    world.at(terms.window_start(2))
    release(world, terms)
    assert world.escrow.withdrawable(token, world.provider) == FEE == world.escrow.held(token)


def test_RevertWhen_AWindowIsFundedAndNotClosed(world):
    """Rule 23: also long after its end."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 3)
    world.go(terms.expiry(2))
    for window in (2, 0):
        world.close(terms, window)
    with refused("SLAEscrow_BondInUse", 1, terms.window_start(2)):
        try_release(world, terms)
    world.close(terms, 1)
    assert try_release(world, terms) == FEE


def test_RevertWhen_AWindowMayStillBeFunded(world):
    """Rule 23: a provider does not take back the bond between two windows."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 1)
    world.judge(feed, "g" * 60)
    world.close(terms, 0)
    with refused("SLAEscrow_BondInUse", 0, terms.window_start(2)):
        try_release(world, terms)
    world.fund(terms, 2, 1)


def test_RevertWhen_TheTermsWereAmended(world):
    """Rules 6 and 23: terms that end sooner do not release what later ones need."""
    one = world.bonded(world.feed())
    two = world.amended(one, 1, windows=9)
    world.wait_until(one.window_start(2))
    with refused("SLAEscrow_NotNewest", world.id_of(one)):
        try_release(world, one)
    with refused("SLAEscrow_BondInUse", 0, two.window_start(8)):
        try_release(world, two)
    # Not even if they are ended as well, which leaves a mark of its own.
    world.terminate(one, world.termination(one))
    with refused("SLAEscrow_NotNewest", world.id_of(one)):
        try_release(world, one)


def test_RevertWhen_NothingIsThere(world):
    """Never posted, released before, no bond at all, nobody opened the agreement."""
    terms = world.opened(bond=FEE, prepaid_windows=0)
    plain = world.opened()
    never = world.terms(salt=bytes(32))
    world.wait_until(terms.window_start(2))
    for nothing in (terms, plain, never):
        with refused("SLAEscrow_NoBond"):
            try_release(world, nothing)
    world.post_bond(terms, FEE)
    release(world, terms)
    with refused("SLAEscrow_NoBond"):
        try_release(world, terms)


def test_RevertWhen_TheBondStillOwes(world):
    """Rule 23."""
    feed = world.feed()
    terms = world.bonded(feed, windows=1)
    world.fund(terms, 0, 1)
    world.judge(feed, "b" * 25 + "g" * 35)
    world.close(terms)
    with refused("SLAEscrow_NoBond"):
        try_release(world, terms)
    assert world.bond(terms) == (0, FEE // 2, 0)
    world.post_bond(terms, FEE)
    release(world, terms)
    assert world.balances() == (FEE // 2, 2 * FEE + FEE // 2, 0)
