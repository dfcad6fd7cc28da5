"""Replacing terms by others, or renewing them: `amend.tree`. What is refused is in `test_amend_refused.py`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie

from relayer.protocol.terms import Level, Measure, Tier
from tests import samples
from tests.contracts.escrow.world import (
    CLOSED,
    ENDED,
    FUNDED,
    MOVED,
    OPEN,
    REFUNDED,
    UNFUNDED,
    events,
    refused,
    tally_answer,
)

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4
HOUR = 3_600


def test_When_BothHaveSigned(world):
    """Rule 6."""
    current = world.opened(windows=5, prepaid_windows=4)
    next_ = world.next_terms(current, 2, windows=4, credit_cap=5_000)

    tx = world.amend(current, next_)

    old, new = (world.id_of(terms) for terms in (current, next_))
    assert tx.return_value == "0x" + new.hex()
    assert [world.escrow.status(id_) for id_ in (old, new)] == [ENDED, OPEN]
    assert [world.escrow.endOf(id_) for id_ in (old, new)] == [2, 4]
    assert world.statuses(current) == [FUNDED, FUNDED, MOVED, MOVED, UNFUNDED]
    assert world.statuses(next_) == [FUNDED, FUNDED, UNFUNDED, UNFUNDED]
    assert world.balances() == (0, 0, 4 * FEE)
    assert world.escrow.held(world.token) == 4 * FEE
    assert events(tx, "Amended") == [
        {
            "agreement": "0x" + old.hex(),
            "previous": "0x" + old.hex(),
            "next": "0x" + new.hex(),
            "window": 2,
        }
    ]
    assert events(tx, "Opened")[0]["id"] == "0x" + new.hex()
    assert "Transfer" not in tx.events


def test_When_ItBeginsWithTheFirstWindow(world):
    """Rule 6: what has not begun can be amended as a whole."""
    current = world.opened(prepaid_windows=2)
    next_ = world.amended(current, 0)
    assert world.escrow.endOf(world.id_of(current)) == 0
    assert world.statuses(current) == [MOVED, MOVED, UNFUNDED]
    assert world.statuses(next_) == [FUNDED, FUNDED, UNFUNDED]


def test_When_TheTermsEndWhereItBegins(world):
    """Rule 6: until the last second before they end."""
    feed = world.feed()
    current = world.opened(feed, prepaid_windows=3)
    next_ = world.next_terms(current, 3, fee_per_window=2 * FEE)
    world.at(next_.start - 1)
    world.amend(current, next_)
    assert world.now == next_.start - 1
    assert world.escrow.status(world.id_of(current)) == ENDED
    assert world.escrow.endOf(world.id_of(current)) == 3
    assert world.statuses(current) == [FUNDED] * 3
    assert world.statuses(next_) == [UNFUNDED] * 3
    world.fund(next_, 1, 1)
    assert world.escrow.held(world.token) == 5 * FEE


def test_When_WindowsOfBothAreJudged(world):
    """Rule 6: the feed's windows go on; what a bad interval costs changes with the terms."""
    feed = world.feed()
    current = world.opened(feed, prepaid_windows=3)
    next_ = world.next_terms(
        current, 1, levels=(Level(feed.ref, (Tier(Measure.AVAILABILITY_BELOW, 990_000, 5_000),)),)
    )
    world.amend(current, next_)
    for pattern in ("b" + "g" * 59, "g" * 60, "b" + "g" * 59):
        world.judge(feed, pattern)

    world.close(next_, 1)
    assert world.balances() == (FEE // 2, FEE // 2, 2 * FEE)
    world.close(current, 0)
    assert world.balances() == (FEE // 2 + FEE - TENTH, FEE // 2 + TENTH, FEE)
    world.close(next_, 0)
    assert world.balances() == (FEE // 2 + FEE - TENTH + FEE, FEE // 2 + TENTH, 0)
    for window in (1, 2):
        with refused("SLAEscrow_WindowNot", window, FUNDED, MOVED):
            world.close(current, window)
        assert world.claimable(current, window) == (0, 0, False)
    assert world.escrow.held(world.token) == 0


def test_When_ItIsAmendedAgain(world):
    """Rule 6: to another feed, which begins with the third version and judges more strictly."""
    feed = world.feed()
    one = world.opened(feed, windows=6, prepaid_windows=5)
    two = world.amended(one, 1, windows=8)
    strict = world.feed(one.window_start(3), threshold=999_999, interval=600, window_intervals=6)
    three = world.next_terms(two, 2, levels=(Level(strict.ref, samples.TIERS[:1]),), windows=3)
    tx = world.amend(two, three)

    ids = [world.id_of(terms) for terms in (one, two, three)]
    assert [str(world.escrow.firstOf(id_)) for id_ in ids] == ["0x" + ids[0].hex()] * 3
    assert events(tx, "Amended") == [
        {
            "agreement": "0x" + ids[0].hex(),
            "previous": "0x" + ids[1].hex(),
            "next": "0x" + ids[2].hex(),
            "window": 2,
        }
    ]
    assert [world.escrow.endOf(id_) for id_ in ids] == [1, 2, 3]
    assert world.statuses(one) == [FUNDED, *[MOVED] * 4, UNFUNDED]
    assert world.statuses(two) == [FUNDED, FUNDED, MOVED, MOVED, *[UNFUNDED] * 4]
    assert world.statuses(three) == [FUNDED, FUNDED, UNFUNDED]

    world.judge(feed, "g" * 180)
    world.judge(strict, [999_998, *"ggggg"])
    world.judge(strict, "g" * 6)
    for terms, window in ((one, 0), (two, 0), (two, 1), (three, 0), (three, 1)):
        world.close(terms, window)
    assert world.balances() == (5 * FEE - TENTH, TENTH, 0)


def test_When_AMovedWindowWasPaid(scripted):
    """Rule 10: it takes an oracle that judges ahead of time, but what is paid is paid."""
    world = scripted
    world.oracle.script(0, tally_answer(), {"from": world.stranger})
    current = world.opened(prepaid_windows=2)
    world.oracle.script(0, tally_answer(judged=1, bad=1), {"from": world.stranger})
    world.settle(current, 1)
    world.oracle.script(0, tally_answer(), {"from": world.stranger})
    next_ = world.amended(current, 1)
    assert world.window(current, 1) == (MOVED, TENTH)
    assert world.window(next_) == (FUNDED, TENTH)
    world.oracle.script(0, tally_answer(judged=60, bad=1), {"from": world.stranger})
    world.close(next_)
    world.close(current)
    assert world.balances() == (2 * (FEE - TENTH), 2 * TENTH, 0)


def test_When_LaterWindowsAreNotFunded(world):
    """Rule 6: here windows of two hours follow on those of one."""
    current = world.opened()
    feed = world.feed(current.window_start(1), window_intervals=120)
    next_ = world.amended(current, 1, feed, fee_per_window=3 * FEE, windows=1)
    world.fund(next_, 0, 1)
    world.judge(feed, "g" * 120)
    world.close(next_)
    assert world.balances() == (3 * FEE, 0, FEE)


def test_When_TheAmendedTermsGoOn(world):
    """Rules 6 and 10."""
    feed = world.feed()
    current = world.opened(feed, windows=5, notice_period=600)
    world.amended(current, 4)
    world.fund(current, 1, 3)
    world.judge(feed, "b")
    world.settle(current)
    assert world.window(current) == (FUNDED, TENTH)
    # Notice is given in window 0, and ends this version with window 1; it cannot end later than where it was amended.
    tx = world.escrow.endByNotice(current.as_abi(), {"from": world.provider})
    assert tx.return_value == 1
    assert world.escrow.endOf(world.id_of(current)) == 1
    assert world.balances() == (0, TENTH + 3 * FEE, FEE - TENTH)
    world.judge(feed, "g" * 59)
    world.close(current)
    assert world.statuses(current) == [CLOSED, REFUNDED, REFUNDED, REFUNDED, UNFUNDED]


def test_When_WindowsWereRefundedBefore(world):
    """Rule 10: what was ended is not open to amendment; what was closed is not moved."""
    current = world.opened(prepaid_windows=3, notice_period=1)
    world.at(current.window_start(1))
    world.escrow.endByNotice(current.as_abi(), {"from": world.consumer})
    assert world.statuses(current) == [FUNDED, FUNDED, REFUNDED]
    next_ = world.next_terms(current, 2)
    with refused("SLAEscrow_NotOpen", world.id_of(current)):
        world.amend(current, next_)


def test_When_APartyIsAWalletContract(world):
    """Rule 21."""
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    current = world.opened(consumer=wallet.address)
    next_ = world.amended(current, 1)
    assert world.escrow.status(world.id_of(next_)) == OPEN
