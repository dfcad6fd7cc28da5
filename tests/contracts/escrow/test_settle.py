"""Paying the consumer what is certain: `settle.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import itertools
from dataclasses import replace

import brownie
import pytest

from relayer.protocol.terms import Combination, Level, Measure, Tier, UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import (
    ANSWER,
    BURN_GAS,
    CLOSED,
    FUNDED,
    REENTERED,
    REVERT,
    UNFUNDED,
    events,
    outcomes_by_gas,
    refused,
    set_code,
    tally_answer,
    upgrade,
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


# TALLIES

AVAILABILITY = Tier(Measure.AVAILABILITY_BELOW, 990_000, 1_000)
WORSE = Tier(Measure.AVAILABILITY_BELOW, 950_000, 3_000)
SIX_BAD = Tier(Measure.BAD_INTERVALS_AT_LEAST, 6, 2_500)
RUN_OF_3 = Tier(Measure.BAD_RUN_AT_LEAST, 3, 4_000)
EXCLUDED, GOOD, BAD = UnknownPolicy


# Windows of 100 intervals: tiers, changes of level and terms, tally, and the credit that the rules give.
TALLIES = {
    "99 % is not below 99 %": ([AVAILABILITY], {}, {}, {"bad": 1}, 0),
    "98 % is": ([AVAILABILITY], {}, {}, {"bad": 2}, 1_000),
    "the rest may still be good": ([AVAILABILITY], {}, {}, {"judged": 2, "bad": 2}, 1_000),
    "largest tier, not the first": ([AVAILABILITY, WORSE], {}, {}, {"bad": 6}, 3_000),
    "largest tier, not the last": ([WORSE, AVAILABILITY], {}, {}, {"bad": 6}, 3_000),
    "largest tier of all measures": (
        [AVAILABILITY, SIX_BAD, RUN_OF_3],
        {},
        {},
        {"bad": 6, "run": 3},
        4_000,
    ),
    "5 bad": ([SIX_BAD], {}, {}, {"bad": 5}, 0),
    "6 bad": ([SIX_BAD], {}, {}, {"bad": 6}, 2_500),
    "6 bad, a run of 2": ([RUN_OF_3], {}, {}, {"bad": 6, "run": 2}, 0),
    "a run of 3": ([RUN_OF_3], {}, {}, {"bad": 3, "run": 3}, 4_000),
    "per bad interval": ([], {"credit_per_bad_interval": 7}, {}, {"bad": 3}, 21),
    "and the tier": ([SIX_BAD], {"credit_per_bad_interval": 7}, {}, {"bad": 6}, 2_542),
    "cap": ([SIX_BAD], {}, {"credit_cap": 2_000}, {"bad": 6}, 2_000),
    "cap over per bad": ([], {"credit_per_bad_interval": 10_000}, {}, {"bad": 100}, 10_000),
    "not applicable is good": ([AVAILABILITY], {}, {}, {"bad": 1, "not_applicable": 1}, 0),
    "or removed": (
        [AVAILABILITY],
        {"remove_not_applicable": True},
        {},
        {"bad": 1, "not_applicable": 1},
        1_000,
    ),
    "all not applicable": ([AVAILABILITY], {}, {}, {"not_applicable": 100}, 0),
    "all removed": (
        [AVAILABILITY, SIX_BAD],
        {"remove_not_applicable": True, "credit_per_bad_interval": 7},
        {"unknown_limit": 0, "unknown_credit": 10_000},
        {"not_applicable": 100},
        0,
    ),
    "unknown excluded": ([AVAILABILITY, SIX_BAD], {}, {}, {"unknown": 99}, 0),
    "unknown good": ([AVAILABILITY, SIX_BAD], {}, {"unknown_policy": GOOD}, {"unknown": 99}, 0),
    "unknown excluded stays in D": ([AVAILABILITY], {}, {}, {"bad": 1, "unknown": 50}, 0),
    "unknown bad": ([AVAILABILITY], {}, {"unknown_policy": BAD}, {"bad": 1, "unknown": 1}, 1_000),
    "unknown bad counts as 6 bad": ([SIX_BAD], {}, {"unknown_policy": BAD}, {"unknown": 6}, 2_500),
    "but not as a run": ([RUN_OF_3], {}, {"unknown_policy": BAD}, {"unknown": 6}, 0),
    "unknown bad, each": (
        [],
        {"credit_per_bad_interval": 7},
        {"unknown_policy": BAD},
        {"bad": 1, "unknown": 2},
        21,
    ),
    "10 % unknown": (
        [SIX_BAD],
        {},
        {"unknown_limit": 100_000, "unknown_credit": 500},
        {"unknown": 10},
        0,
    ),
    "more than 10 % unknown": (
        [SIX_BAD],
        {},
        {"unknown_limit": 100_000, "unknown_credit": 500},
        {"unknown": 11},
        500,
    ),
    "the share is of D": (
        [SIX_BAD],
        {"remove_not_applicable": True},
        {"unknown_limit": 100_000, "unknown_credit": 500},
        {"unknown": 10, "not_applicable": 1},
        500,
    ),
    "the default lowers nothing": (
        [SIX_BAD],
        {},
        {"unknown_limit": 0, "unknown_credit": 500},
        {"bad": 6, "unknown": 1},
        2_500,
    ),
    "the default is not added": (
        [AVAILABILITY],
        {},
        {"unknown_limit": 0, "unknown_credit": 1_500},
        {"bad": 2, "unknown": 1},
        1_500,
    ),
    "the default is capped": (
        [SIX_BAD],
        {},
        {"unknown_limit": 0, "unknown_credit": 500, "credit_cap": 400},
        {"unknown": 1},
        400,
    ),
    "no default without a share": (
        [SIX_BAD],
        {},
        {"unknown_limit": 1_000_000, "unknown_credit": 500},
        {"unknown": 100},
        0,
    ),
}


@pytest.mark.parametrize("name", TALLIES)
def test_When_TheTallyIsOfAnyKind(scripted, name):
    """Rules 4, 7 and 24."""
    tiers, level, changes, tally, credit = TALLIES[name]
    world = scripted
    feed = world.feed(interval=36, window_intervals=100)
    levels = (Level(feed.ref, tuple(tiers), **level),)
    world.oracle.script(ANSWER, tally_answer(planned=100), {"from": world.stranger})
    terms = world.opened(feed, levels=levels, **changes)
    tally = tally_answer(planned=100, **({"judged": 100} | tally))
    world.oracle.script(ANSWER, tally, {"from": world.stranger})
    assert world.claimable(terms)[:2] == (credit, FEE * credit // 10_000)
    world.settle(terms)
    assert world.balances()[1] == FEE * credit // 10_000


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


# ORACLES


@pytest.mark.parametrize(("policy", "credit"), [(EXCLUDED, 1_000), (GOOD, 1_000), (BAD, 2_500)])
@pytest.mark.parametrize("mode", [REVERT, BURN_GAS])
def test_When_TheOracleFails(scripted, mode, policy, credit):
    """Rule 13: what was paid stays paid."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_policy=policy)
    world.oracle.script(ANSWER, tally_answer(judged=1, bad=1), {"from": world.stranger})
    world.settle(terms)
    world.oracle.script(mode, b"", {"from": world.stranger})
    expiry = terms.expiry(0)
    world.at(expiry - 1)
    with refused("SLAEscrow_OracleFailed", 0, expiry):
        world.settle(terms)
    world.at(expiry)
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE * credit // 10_000)


def test_When_TheOracleRevertsWithATally(world, compiled_here):
    """Rule 13: what comes with a failure is no answer, however much it looks like one."""
    world.oracle = compiled_here.RevertingOracle.deploy({"from": world.stranger})
    world.oracle.set(False, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.set(True, tally_answer(judged=60, bad=60, run=60), {"from": world.stranger})
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.escrow.settle.call(terms.as_abi(), 0, {"from": world.stranger})
    world.oracle.set(False, tally_answer(judged=60, bad=60, run=60), {"from": world.stranger})
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE)


UNSOUND = {
    "nothing": b"",
    "too short": tally_answer()[:-1],
    "a word too many": tally_answer() + bytes(32),
    "a byte too many": tally_answer() + b"\x00",
    "long": tally_answer() + bytes(2_000),
    "another length of window": tally_answer(planned=59),
    "a longer window": tally_answer(planned=61),
    "no window": tally_answer(planned=0),
    "more judged than planned": tally_answer(judged=61),
    "bad but not judged": tally_answer(judged=1, bad=2, run=1),
    "unknown but not judged": tally_answer(judged=1, unknown=2),
    "not applicable but not judged": tally_answer(judged=1, not_applicable=2),
    "two kinds at once": tally_answer(judged=3, bad=2, unknown=1, not_applicable=1),
    "a run without bad ones": tally_answer(judged=3, bad=1, run=2),
    "beyond 32 bits": tally_answer(judged=2**32 + 1),
    "beyond 32 bits, planned": tally_answer(planned=2**32 + 60),
    "so large that sums overflow": tally_answer(2**256 - 1, 2**256 - 1, *[2**255] * 3),
    "so large that 32-bit sums overflow": tally_answer(
        judged=60, bad=2**31, unknown=2**31, not_applicable=0
    ),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_When_TheOracleAnswersWhatCannotBe(scripted, name):
    """Rule 13: nonsense is no answer, and stops nobody for ever."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_limit=999_999, unknown_credit=700)
    world.oracle.script(ANSWER, UNSOUND[name], {"from": world.stranger})
    expiry = terms.expiry(0)
    with refused("SLAEscrow_OracleFailed", 0, expiry):
        world.escrow.settle.call(terms.as_abi(), 0, {"from": world.stranger})
    world.at(expiry)
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE * 700 // 10_000)


def test_When_TheOracleLosesItsCode(scripted):
    """Rule 13: an account without code answers everything with nothing."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_policy=BAD)
    set_code(world.oracle.address, "0x")
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.escrow.settle.call(terms.as_abi(), 0, {"from": world.stranger})
    world.at(terms.expiry(0))
    world.settle(terms)
    assert world.window(terms) == (FUNDED, QUARTER)


def test_When_TheOracleTakesBackWhatItSaid(scripted):
    """Rule 7: owed is never negative."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.script(ANSWER, tally_answer(judged=6, bad=6), {"from": world.stranger})
    world.settle(terms)
    world.oracle.script(ANSWER, tally_answer(judged=60, bad=1), {"from": world.stranger})
    assert world.claimable(terms) == (1_000, 0, True)
    assert len(world.settle(terms).events) == 0
    world.close(terms)
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)


def test_When_GasIsTooShortForTheOracle(world):
    """Rule 13: all unknown would be worth 10 % to the consumer; who starves a sound oracle gets nothing."""
    feed = world.feed()
    terms = world.opened(feed, unknown_limit=0, unknown_credit=1_000)
    world.judge(feed, "g" * 60)
    world.go(terms.expiry(0))
    brownie.chain.mine()
    limits = range(36_000, 136_000, 2_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, world.consumer))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": 0, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)


def test_When_GasIsTooShortForAFailingOracle(scripted):
    """Rule 13: it counts as failing only after it was given all that an answer may use."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_policy=BAD)
    world.oracle.script(BURN_GAS, b"", {"from": world.stranger})
    world.go(terms.expiry(0))
    brownie.chain.mine()
    limits = range(60_000, 460_000, 8_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, world.consumer))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": QUARTER, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)


# PAYMENTS


@pytest.mark.parametrize("container", ["DenyListToken", "GasBurningToken"])
def test_When_TheConsumerCannotBePaid(world, container):
    """Rule 22: the payment waits; so does its receipt in `held`; and the caller's bill is bounded."""
    feed = world.feed()
    terms = world.opened(feed)
    token = upgrade(world.token, getattr(brownie, container))
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.judge(feed, "b")

    tx = world.settle(terms)

    assert events(tx, "Withheld") == [{"token": token, "payee": world.consumer, "amount": TENTH}]
    assert world.window(terms) == (FUNDED, TENTH)
    assert world.balances() == (0, 0, FEE)
    assert world.escrow.held(token) == FEE
    assert world.escrow.withdrawable(token, world.consumer) == TENTH
    assert tx.gas_used < 500_000
    # More of the same adds up.
    world.judge(feed, "b" * 5)
    world.settle(terms)
    assert world.escrow.withdrawable(token, world.consumer) == QUARTER


def _wallet_consumer(world, feed, **changes):
    """An agreement whose consumer is a wallet contract that is told about payments."""
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.opened(feed, consumer=wallet.address, **changes)
    return wallet, terms, upgrade(world.token, brownie.HookToken)


def test_When_TheConsumerCallsBack(world):
    """Rule 22: paid in the middle of a settlement, the consumer finds every door locked."""
    feed = world.feed()
    levels = (Level(feed.ref, (), credit_per_bad_interval=1_000),)
    wallet, terms, token = _wallet_consumer(world, feed, levels=levels)
    for bad, data in enumerate(world.doors(terms, token).values(), 1):
        wallet.onTokens(world.escrow, data, {"from": world.consumer})
        world.judge(feed, "b")
        world.settle(terms)
        assert str(wallet.hookResult()) == REENTERED
        assert world.window(terms) == (FUNDED, bad * TENTH)
        assert token.balanceOf(wallet) == bad * TENTH


@pytest.mark.parametrize("share", [1, 2])
def test_When_TheConsumerSendsThePaymentBack(world, compiled_here, share):
    """Rule 22: what counts is what left. What came back waits for who sent it, and nobody else gains by it."""
    token = compiled_here.CallingToken.deploy({"from": world.stranger})
    feed = world.feed()
    wallet = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.terms(feed, token=token.address, consumer=wallet.address)
    world.open(terms, token=token)
    back = token.transfer.encode_input(world.escrow, TENTH // share)
    token.onDelivery(
        wallet, wallet, wallet.execute.encode_input(token, back), {"from": wallet.owner()}
    )
    world.judge(feed, "b")

    world.settle(terms)

    assert token.balanceOf(wallet) == TENTH - TENTH // share
    assert world.escrow.withdrawable(token, wallet) == TENTH // share
    assert world.window(terms) == (FUNDED, TENTH)
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == FEE - TENTH + TENTH // share


def test_RevertWhen_TheTokenTakesMoreThanAsked(world):
    """Rule 22: such a token would pay one agreement's debts with another's money."""
    feed = world.feed()
    terms = world.opened(feed)
    upgrade(world.token, brownie.GreedyToken)
    world.judge(feed, "b")
    with refused("SLAEscrow_NotDelivered", world.token.address, TENTH, TENTH + 1):
        world.settle(terms)
    assert world.balances() == (0, 0, FEE)


def test_When_TheTokenAnswersMegabytes(world, compiled_here):
    """Rule 22: nobody copies them, and who calls does not pay for it."""
    token = compiled_here.CallingToken.deploy({"from": world.stranger})
    feed = world.feed()
    terms = world.terms(feed, token=token.address)
    world.open(terms, token=token)
    gas = []
    # The first payment is dearer than the others: it fills slots that were empty. The last answer is as long as the gas of
    # a push can pay for; that costs the token 64,000, and would cost the escrow more than that to copy.
    for pattern, length in (("b", 32), ("g" + "b" * 5, 32), ("b" * 10, 160_000)):
        token.setAnswerLength(length, {"from": world.stranger})
        world.judge(feed, pattern)
        gas.append(world.settle(terms).gas_used)
    assert token.balanceOf(world.consumer) == FEE
    assert gas[2] - gas[1] < 70_000


def test_When_GasIsTooShortForThePayment(world):
    """Rule 22: a payee with a costly receiver is paid in full, or not in this transaction."""
    feed = world.feed()
    wallet, terms, _ = _wallet_consumer(world, feed)
    other = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    costly = other.onTokens.encode_input(world.stranger, b"\x01" * 100)
    wallet.onTokens(other, costly, {"from": world.consumer})
    world.judge(feed, "b")
    limits = range(100_000, 500_000, 8_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, wallet))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": TENTH, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)
