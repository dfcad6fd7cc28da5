"""Paying the consumer what is certain: `settle.tree`. Tallies, oracles and payments are in `test_settle_*.py`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import itertools
from dataclasses import replace

import pytest

from relayer.protocol.terms import Combination, Level
from tests import samples
from tests.contracts.escrow.world import (
    ANSWER,
    CLOSED,
    FUNDED,
    UNFUNDED,
    events,
    refused,
    tally_answer,
)

FEE = samples.FEE
# Of samples.TIERS: below 99 % 10 %, 6 bad 25 %, a run of 10 bad 100 %.
TENTH, QUARTER = FEE // 10, FEE // 4


def test_When_NothingIsCertainYet(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "gggun")
    tx = world.settle(terms)
    assert tx.return_value == 0
    assert len(tx.events) == 0
    assert world.balances() == (0, 0, FEE)


def test_When_ACreditBecomesCertain(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "gb")

    tx = world.settle(terms)

    assert world.now < terms.window_start(1)
    assert tx.return_value == TENTH
    assert events(tx, "Settled") == [
        {"id": "0x" + world.id_of(terms).hex(), "window": 0, "credit": 1_000, "amount": TENTH}
    ]
    assert world.window(terms) == (FUNDED, TENTH)
    assert world.balances() == (0, TENTH, FEE - TENTH)
    assert world.escrow.held(world.token) == FEE - TENTH


CALLS = list(itertools.product([False, True], repeat=3))


@pytest.mark.parametrize("calls", CALLS, ids=lambda calls: "".join("-s"[call] for call in calls))
def test_When_TheCreditGrows(world, calls):
    """Rule 7: whichever of the steps are settled, and by whom, the sum is the same."""
    feed = world.feed()
    terms = world.opened(feed)
    callers = itertools.cycle([world.stranger, world.provider, world.consumer])
    for call, pattern, credit in zip(
        calls, ("b" + "g" * 9, "bgbgbgbgbg", "b" * 10), (TENTH, QUARTER, FEE), strict=True
    ):
        world.judge(feed, pattern)
        if call:
            world.settle(terms, sender=next(callers))
            assert world.balances()[1] == credit
    world.judge(feed, "g" * 30)
    world.close(terms)
    assert world.balances() == (0, FEE, 0)


def test_When_ItIsCalledAgain(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b")
    world.settle(terms)
    for caller in (world.consumer, world.provider, world.stranger):
        assert len(world.settle(terms, sender=caller).events) == 0
    assert world.balances() == (0, TENTH, FEE - TENTH)


# AMOUNTS


def test_When_AmountsDoNotDivide(scripted):
    """Rule 7: floor(fee * credit / 10,000) of the whole credit; rounding each payment would lose units."""
    world = scripted
    feed = world.feed()
    levels = (Level(feed.ref, (), credit_per_bad_interval=2_500),)
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(feed, levels=levels, fee_per_window=7)
    paid = []
    for bad in range(1, 5):
        world.oracle.script(ANSWER, tally_answer(judged=bad, bad=bad), {"from": world.stranger})
        world.settle(terms)
        paid.append(world.balances()[1])
    assert paid == [1, 3, 5, 7]


def test_When_TheFeeIsTooSmallForACredit(scripted):
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(fee_per_window=9)
    world.oracle.script(ANSWER, tally_answer(judged=1, bad=1), {"from": world.stranger})
    assert world.claimable(terms) == (1_000, 0, False)
    assert len(world.settle(terms).events) == 0
    world.oracle.script(ANSWER, tally_answer(judged=60, bad=1), {"from": world.stranger})
    world.close(terms)
    assert world.balances() == (9, 0, 0)


def test_When_TheTokenHas18Decimals(scripted):
    world = scripted
    fee = 123_456_789_012_345_678_901
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(fee_per_window=fee, credit_cap=3_333)
    world.oracle.script(ANSWER, tally_answer(judged=60, bad=10, run=10), {"from": world.stranger})
    world.settle(terms)
    assert world.balances()[1] == 41_148_147_777_814_814_777
    world.close(terms)
    assert world.balances() == (fee - 41_148_147_777_814_814_777, 41_148_147_777_814_814_777, 0)


# WINDOWS, LEVELS, AGREEMENTS


def test_When_TheWindowHasNotBegun(world):
    terms = world.opened()
    assert len(world.settle(terms).events) == 0
    assert world.claimable(terms) == (0, 0, False)


def test_When_TheWindowIsOver(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "g" * 54 + "b" * 6)
    world.go(terms.expiry(0) + 1)
    world.settle(terms)
    assert world.balances() == (0, QUARTER, FEE - QUARTER)
    world.close(terms)
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)


def test_When_ThereAreSeveralWindows(world):
    """Rule 24: counts and runs restart."""
    feed = world.feed()
    terms = world.opened(feed, prepaid_windows=3)
    world.judge(feed, "g" * 55 + "b" * 5)
    world.judge(feed, "b" * 5 + "g" * 55)
    world.judge(feed, "g" * 60)
    for window in (2, 0, 1):
        world.settle(terms, window)
    assert [world.window(terms, w) for w in range(3)] == [
        (FUNDED, TENTH),
        (FUNDED, TENTH),
        (FUNDED, 0),
    ]
    assert world.balances() == (0, 2 * TENTH, 3 * FEE - 2 * TENTH)


@pytest.mark.parametrize(
    ("combination", "first", "both"),
    [(Combination.WORST, 1_000, 2_500), (Combination.SUM, 1_000, 3_500)],
)
def test_When_ThereAreSeveralLevels(world, combination, first, both):
    """Rules 7 and 8: one feed is older and coarser; what was bad before the agreement is not the agreement's."""
    fine = world.feed()
    coarse = world.feed(world.start - 3_600, interval=300, window_intervals=12)
    terms = world.opened(
        fine, coarse, combination=combination, start=world.start, open_by=world.start
    )
    world.judge(coarse, "b" * 12)
    world.judge(fine, "b")
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE * first // 10_000)
    world.judge(coarse, "b" * 6)
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE * both // 10_000)


def test_When_TwoAgreementsShareAFeed(world):
    feed = world.feed()
    one = world.opened(feed)
    two = world.opened(feed, salt=b"\x02" * 32, fee_per_window=3 * FEE)
    world.judge(feed, "b")
    world.settle(one)
    assert [world.window(terms)[1] for terms in (one, two)] == [TENTH, 0]
    world.settle(two)
    assert [world.window(terms)[1] for terms in (one, two)] == [TENTH, 3 * TENTH]
    assert world.balances()[1:] == (4 * TENTH, 4 * FEE - 4 * TENTH)


def test_When_TheAgreementStartsInALaterWindowOfItsFeed(world):
    """Rule 8."""
    feed = world.feed()
    later = world.start + 2 * 3_600
    terms = world.opened(feed, start=later, open_by=later, windows=2, prepaid_windows=2)
    world.judge(feed, "b" * 60)
    world.judge(feed, "g" * 60)
    assert world.claimable(terms) == (0, 0, False)
    world.judge(feed, "b" + "g" * 59)
    world.judge(feed, "b" * 6)
    for window, paid in ((0, TENTH), (1, QUARTER)):
        world.settle(terms, window)
        assert world.window(terms, window) == (FUNDED, paid)


def test_RevertGiven_NobodyOpenedTheAgreement(world):
    with refused("SLAEscrow_WindowNot", 0, FUNDED, UNFUNDED):
        world.settle(world.terms())


def test_RevertGiven_TheWindowIsNotFunded(world):
    """Rule 11."""
    terms = world.opened()
    for window in (1, 3, 2**256 - 1):
        with refused("SLAEscrow_WindowNot", window, FUNDED, UNFUNDED):
            world.settle(terms, window)


def test_RevertGiven_TheWindowIsClosed(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b" * 60)
    world.close(terms)
    with refused("SLAEscrow_WindowNot", 0, FUNDED, CLOSED):
        world.settle(terms)


def test_RevertWhen_OtherTermsArePassed(world):
    """Rule 21: the window belongs to an id, and the id to every word of the terms."""
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b")
    for other in (
        replace(terms, consumer=world.stranger.address),
        replace(terms, fee_per_window=2 * FEE),
        replace(terms, levels=(replace(terms.levels[0], credit_per_bad_interval=1),)),
    ):
        with refused("SLAEscrow_WindowNot", 0, FUNDED, UNFUNDED):
            world.settle(other)
