"""Billing by calendar months, end to end: `months.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from datetime import UTC, datetime

from relayer.protocol.terms import UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import CLOSED, FUNDED, REFUNDED, UNFUNDED, refused

FEE = samples.FEE
DAY = 86_400
ODD = 1_000_003


def at_date(year, month, day=1):
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


JANUARY_17 = at_date(2028, 1, 17)


def daily(world, start=JANUARY_17):
    """A feed with one reading a day, whose windows are months."""
    return world.feed(start, interval=DAY, window_intervals=0)


def test_When_AnAgreementBeginsInTheMiddleOfAMonthBeforeALeapFebruary(world):
    """Rules 7, 8 and 25: 15 of 31 days of January, 29 of February, 31 of March."""
    feed = daily(world)
    terms = world.terms(feed, fee_per_window=ODD, prepaid_windows=3)
    world.open(terms)
    short = ODD * 15 // 31
    assert short * 31 < ODD * 15
    assert world.escrow.held(world.token) == short + 2 * ODD == sum(world.balances())
    assert [world.escrow.feeOf(terms.as_abi(), w) for w in range(3)] == [short, ODD, ODD]

    world.judge(feed, "b" + "g" * 14)
    world.settle(terms, 0)
    world.judge(feed, "b" * 6 + "g" * 23)
    world.judge(feed, "g" * 30 + "b")
    paid = [short // 10, ODD // 4, ODD // 10]
    for window in (1, 2, 0):
        world.close(terms, window)
    assert [world.window(terms, w) for w in range(3)] == [(CLOSED, credit) for credit in paid]
    assert world.balances() == (short + 2 * ODD - sum(paid), sum(paid), 0)
    assert world.escrow.held(world.token) == 0


def test_When_AMonthEnds(world):
    """Rule 25: February 29 is the last of its month in 2028, and there is none in 2030."""
    for year, days in ((2028, 29), (2030, 28)):
        feed = daily(world, at_date(year, 2))
        terms = world.opened(feed, windows=2, prepaid_windows=2)
        world.judge(feed, "g" * (days - 1))
        assert world.claimable(terms) == (0, 0, False)
        world.judge(feed, "b")
        assert world.claimable(terms) == (1_000, FEE // 10, True)
        assert world.claimable(terms, 1) == (0, 0, False)
        world.judge(feed, "b")
        assert world.claimable(terms) == (1_000, FEE // 10, True)
        assert world.claimable(terms, 1) == (1_000, FEE // 10, False)


def test_When_WindowsAreFundedOneByOne(world):
    """Rules 11 and 25."""
    feed = daily(world)
    terms = world.opened(feed, prepaid_windows=0)
    world.fund(terms, 0, 1)
    assert world.balances() == (0, 0, terms.fee_of(0))
    world.give(world.consumer, 2 * FEE)
    march = at_date(2028, 3)
    world.at(march - 1)
    world.escrow.fund(terms.as_abi(), 2, 1, {"from": world.consumer})
    world.at(march)
    february = at_date(2028, 2)
    with refused("SLAEscrow_WindowBegan", 1, february):
        world.escrow.fund(terms.as_abi(), 1, 1, {"from": world.consumer})
    assert world.statuses(terms) == [FUNDED, UNFUNDED, FUNDED]


def test_When_AShortWindowIsRefunded(world):
    """Rules 8 and 10."""
    terms = world.opened(daily(world), prepaid_windows=2, notice_period=1)
    world.escrow.endByNotice(terms.as_abi(), {"from": world.provider})
    assert world.statuses(terms) == [REFUNDED, REFUNDED, UNFUNDED]
    assert world.balances() == (0, FEE + FEE * 15 // 31, 0)


def test_When_AShortWindowHasAFixedLength(world):
    """Rule 8: 23 of 60 intervals lie before the start."""
    feed = world.feed(offset=23)
    terms = world.opened(feed, fee_per_window=ODD, prepaid_windows=2)
    short = ODD * 37 // 60
    assert world.balances() == (0, 0, short + ODD)
    world.judge(feed, "b" * 6 + "g" * 31)
    world.judge(feed, "g" * 60)
    for window in range(2):
        world.close(terms, window)
    assert world.balances() == (short - short // 4 + ODD, short // 4, 0)


def test_When_AMonthIsNotJudged(world):
    """Rule 13."""
    feed = daily(world)
    terms = world.opened(feed, prepaid_windows=2, unknown_policy=UnknownPolicy.BAD)
    world.judge(feed, "g" * 15)
    expiry = at_date(2028, 3) + 2 * feed.measurement.deadline + 30 * DAY
    world.at(expiry - 1)
    with refused("SLAEscrow_NotJudged", 1, expiry):
        world.close(terms, 1)
    world.at(expiry)
    world.close(terms, 1)
    assert world.window(terms, 1) == (CLOSED, FEE // 4)


def test_When_TermsAreRenewed(world):
    """Rules 6 and 8: the feed goes on, so its month of April is a whole one."""
    feed = daily(world)
    current = world.opened(feed, prepaid_windows=3)
    assert current.window_start(3) == at_date(2028, 4)
    next_ = world.amended(current, 3)
    world.fund(next_, 0, 3)
    assert world.balances() == (0, 0, FEE * 15 // 31 + 5 * FEE)
    for days in (15, 29, 31, 30):
        world.judge(feed, "g" * days)
    world.close(next_, 0)
    assert world.balances()[0] == FEE
