"""Credits beyond the fee: `bond.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import itertools

import pytest

from relayer.protocol.terms import Level
from tests import samples
from tests.contracts.escrow.world import CLOSED, FUNDED, UNFUNDED, events, refused

FEE = samples.FEE
TENTH = FEE // 10


def test_When_TheBondIsNotThereInFull(world):
    """Rule 23: the consumer does not pay for a promise that nothing stands behind."""
    terms = world.opened(bond=FEE, prepaid_windows=0)
    world.give(world.consumer, 3 * FEE)

    def fund():
        return world.escrow.fund.call(terms.as_abi(), 0, 3, {"from": world.consumer})

    with refused("SLAEscrow_BondMissing", FEE, 0):
        fund()
    world.post_bond(terms, FEE - 1)
    with refused("SLAEscrow_BondMissing", FEE, FEE - 1):
        fund()
    world.post_bond(terms, 1)
    world.fund(terms, 0, 3)
    assert world.bond(terms) == (FEE, 0, 3)
    assert world.statuses(terms) == [FUNDED] * 3


def test_When_TheBondIsUsedUp(world):
    """Rule 23."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 2)
    world.judge(feed, "b" * 11)
    world.settle(terms)
    with refused("SLAEscrow_BondMissing", FEE, FEE - TENTH):
        world.fund(terms, 2, 1)
    world.post_bond(terms, TENTH)
    world.fund(terms, 2, 1)


def test_When_ACreditExceedsTheFee(world):
    """Rule 23: at once, as any credit."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 1)
    world.judge(feed, "b" * 8)
    world.settle(terms)
    world.judge(feed, "b" * 4)
    assert world.claimable(terms) == (12_000, 4 * TENTH, False)

    tx = world.settle(terms)

    id_ = "0x" + world.id_of(terms).hex()
    assert events(tx, "BondPaid") == [
        {"agreement": id_, "id": id_, "window": 0, "amount": 2 * TENTH}
    ]
    assert events(tx, "Settled") == [
        {"id": id_, "window": 0, "credit": 12_000, "amount": 4 * TENTH}
    ]
    assert len(events(tx, "Transfer")) == 1
    assert world.window(terms) == (FUNDED, 12 * TENTH)
    assert world.bond(terms) == (8 * TENTH, 0, 1)
    assert world.balances() == (0, 12 * TENTH, 8 * TENTH)
    world.judge(feed, "b")
    assert events(world.settle(terms), "BondPaid")[0]["amount"] == TENTH
    assert world.bond(terms) == (7 * TENTH, 0, 1)


def test_When_ACreditWithinTheFeeIsDue(world):
    """Rule 23: the whole fee is within it."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 1)
    world.judge(feed, "b" * 10 + "g" * 50)
    tx = world.close(terms)
    assert "BondPaid" not in tx.events
    assert world.bond(terms) == (FEE, 0, 0)
    assert world.balances() == (0, FEE, FEE)


def test_When_TheWindowIsClosed(world):
    """Rules 23 and 24."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 1)
    world.judge(feed, "b" * 15 + "g" * 45)
    tx = world.close(terms)
    assert tx.return_value == (15 * TENTH, 0)
    assert events(tx, "Closed")[0] == {
        "id": "0x" + world.id_of(terms).hex(),
        "window": 0,
        "credit": 15_000,
        "toConsumer": 15 * TENTH,
        "toProvider": 0,
    }
    assert "BondShort" not in tx.events
    assert world.window(terms) == (CLOSED, 15 * TENTH)
    assert world.bond(terms) == (5 * TENTH, 0, 0)
    assert world.balances() == (0, 15 * TENTH, 5 * TENTH)


def test_When_TheCapIsBeyondTheFee(world):
    """Rule 7: floor(7 * 65,535 / 10,000) = 45."""
    feed = world.feed()
    level = Level(feed.ref, (), credit_per_bad_interval=65_535)
    terms = world.bonded(feed, 100, levels=(level,), fee_per_window=7)
    world.fund(terms, 0, 1)
    world.judge(feed, "b" * 60)
    world.close(terms)
    assert world.window(terms) == (CLOSED, 45)
    assert world.bond(terms) == (100 - 38, 0, 0)


def test_When_TheBondFallsShortOfARunningWindow(world):
    """Rule 23."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 1)
    world.judge(feed, "b" * 30)
    assert world.claimable(terms) == (30_000, 2 * FEE, False)
    tx = world.settle(terms)
    assert "BondShort" not in tx.events
    assert world.bond(terms) == (0, 0, 1)
    assert world.claimable(terms) == (30_000, 0, False)
    assert len(world.settle(terms).events) == 0
    tx = world.post_bond(terms, 5 * TENTH)
    assert "BondMadeGood" not in tx.events
    world.settle(terms)
    assert world.window(terms) == (FUNDED, 25 * TENTH)
    assert world.bond(terms) == (0, 0, 1)


def test_When_TheBondFallsShortOfAClosedWindow(world):
    """Rule 23."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 2)
    world.judge(feed, "b" * 30 + "g" * 30)
    world.judge(feed, "b" * 11 + "g" * 49)
    tx = world.close(terms)
    id_ = "0x" + world.id_of(terms).hex()
    assert events(tx, "BondShort") == [{"agreement": id_, "id": id_, "window": 0, "amount": FEE}]
    assert events(tx, "Closed")[0]["toConsumer"] == 2 * FEE
    assert world.window(terms) == (CLOSED, 2 * FEE)
    assert world.bond(terms) == (0, FEE, 1)
    world.close(terms, 1)
    assert world.bond(terms) == (0, FEE + TENTH, 0)
    assert world.balances() == (0, 3 * FEE, 0)


STEPS = ("settle", 0), ("close", 0), ("settle", 1), ("close", 1), ("post", None)
# A window is closed in the end, and nothing is settled after it.
ORDERS = [
    steps
    for steps in itertools.permutations(STEPS)
    if all(steps.index(("settle", w)) < steps.index(("close", w)) for w in range(2))
]


@pytest.mark.parametrize("steps", ORDERS[::3])
def test_When_WindowsCompeteForIt(world, steps):
    """Rule 23: 170 % and 90 % are missing, 100 % are there and 50 % come later."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.fund(terms, 0, 2)
    world.judge(feed, "b" * 27 + "g" * 33)
    world.judge(feed, "b" * 19 + "g" * 41)
    for step, window in steps:
        if step == "post":
            world.post_bond(terms, FEE // 2)
        else:
            getattr(world, step)(terms, window)
    assert world.bond(terms) == (0, 26 * TENTH - 15 * TENTH, 0)
    assert world.balances() == (0, 2 * FEE + 15 * TENTH, 0)
    assert world.escrow.held(world.token) == 0


def test_When_TheWindowLapsed(world):
    """Rule 11."""
    feed = world.feed()
    terms = world.bonded(feed)
    world.judge(feed, "b" * 60)
    assert world.claimable(terms) == (0, 0, False)
    with refused("SLAEscrow_WindowNot", 0, FUNDED, UNFUNDED):
        world.close(terms)
    assert world.bond(terms) == (FEE, 0, 0)


def test_When_TheTermsWereAmended(world):
    """Rules 6 and 23."""
    feed = world.feed()
    one = world.bonded(feed)
    world.fund(one, 0, 2)
    two = world.amended(one, 1, bond=2 * FEE)
    assert world.statuses(two)[0] == FUNDED
    with refused("SLAEscrow_BondMissing", 2 * FEE, FEE):
        world.escrow.fund.call(two.as_abi(), 1, 1, {"from": world.consumer})
    world.judge(feed, "b" * 12 + "g" * 48)
    world.judge(feed, "b" * 13 + "g" * 47)
    tx = world.close(two, 0)
    first, second = ("0x" + world.id_of(terms).hex() for terms in (one, two))
    assert events(tx, "BondPaid") == [
        {"agreement": first, "id": second, "window": 0, "amount": 3 * TENTH}
    ]
    world.close(one, 0)
    assert world.bond(one) == world.bond(two) == (5 * TENTH, 0, 0)
    assert world.balances() == (0, 25 * TENTH, 5 * TENTH)


def test_When_OtherTermsHaveTheSameParties(world):
    """Rule 23."""
    feed = world.feed()
    rich = world.bonded(feed, 9 * FEE, salt=bytes(32))
    poor = world.bonded(feed, 1)
    world.fund(poor, 0, 1)
    world.judge(feed, "b" * 20)
    world.settle(poor)
    assert world.window(poor) == (FUNDED, FEE + 1)
    assert world.bond(rich) == (9 * FEE, 0, 0)


def test_When_TheAgreementHasNoBond(world):
    """Rule 23."""
    feed = world.feed()
    level = Level(feed.ref, (), credit_per_bad_interval=10_000)
    terms = world.opened(feed, levels=(level,))
    world.opened(feed, salt=bytes(32), prepaid_windows=3)
    world.judge(feed, "b" * 60)
    tx = world.close(terms)
    assert tx.return_value == (FEE, 0)
    assert "BondShort" not in tx.events
    assert world.escrow.held(world.token) == 3 * FEE
