"""Giving the provider the rest: `close.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import itertools

import brownie
import pytest

from relayer.protocol.terms import Level, UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import (
    ANSWER,
    CLOSED,
    FUNDED,
    REENTERED,
    REVERT,
    UNFUNDED,
    events,
    outcomes_by_gas,
    refused,
    tally_answer,
    upgrade,
)

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4
EXCLUDED, GOOD, BAD = UnknownPolicy


def test_When_AllIsJudgedAndAllWasGood(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "g" * 60)

    tx = world.close(terms)

    assert tx.return_value == (0, FEE)
    assert "Settled" not in tx.events
    assert events(tx, "Closed") == [
        {
            "id": "0x" + world.id_of(terms).hex(),
            "window": 0,
            "credit": 0,
            "toConsumer": 0,
            "toProvider": FEE,
        }
    ]
    assert len(events(tx, "Transfer")) == 1
    assert world.window(terms) == (CLOSED, 0)
    assert world.balances() == (FEE, 0, 0)
    assert world.escrow.held(world.token) == 0


def test_When_AllIsJudgedAndSomeWasBad(world):
    """Rule 24: nobody has to settle first, and the provider gains nothing by closing quickly."""
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "g" * 54 + "b" * 6)

    tx = world.close(terms, sender=world.provider)

    id_ = "0x" + world.id_of(terms).hex()
    assert tx.return_value == (QUARTER, FEE - QUARTER)
    assert events(tx, "Settled") == [{"id": id_, "window": 0, "credit": 2_500, "amount": QUARTER}]
    assert events(tx, "Closed") == [
        {
            "id": id_,
            "window": 0,
            "credit": 2_500,
            "toConsumer": QUARTER,
            "toProvider": FEE - QUARTER,
        }
    ]
    assert world.window(terms) == (CLOSED, QUARTER)
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)
    assert world.escrow.held(world.token) == 0


def test_When_TheCreditIsTheWholeFee(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b" * 60)
    tx = world.close(terms)
    assert len(events(tx, "Transfer")) == 1
    assert events(tx, "Closed")[0]["toProvider"] == 0
    assert world.balances() == (0, FEE, 0)


def test_When_TheWindowWasSettledBefore(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b")
    world.settle(terms)
    world.judge(feed, "g" * 54 + "b" * 5)
    tx = world.close(terms)
    assert tx.return_value == (QUARTER - TENTH, FEE - QUARTER)
    assert events(tx, "Closed")[0]["toConsumer"] == QUARTER
    assert world.window(terms) == (CLOSED, QUARTER)
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_When_WindowsAreClosedInAnyOrder(world, order):
    feed = world.feed()
    terms = world.opened(feed, prepaid_windows=3)
    for pattern in ("g" * 60, "b" + "g" * 59, "b" * 60):
        world.judge(feed, pattern)
    expected = [(FEE, 0), (FEE - TENTH, TENTH), (0, FEE)]
    provider = consumer = 0
    for window in order:
        world.close(terms, window)
        provider += expected[window][0]
        consumer += expected[window][1]
        assert world.balances() == (provider, consumer, 3 * FEE - provider - consumer)
    assert world.escrow.held(world.token) == 0


def test_RevertWhen_AnIntervalIsMissing(world):
    """Rule 13: until then only the oracle can complete it."""
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "g" * 59)
    with refused("SLAEscrow_NotJudged", 0, terms.expiry(0)):
        world.close(terms)
    world.judge(feed, "b")
    world.close(terms)
    assert world.balances() == (FEE - TENTH, TENTH, 0)


@pytest.mark.parametrize("missing", [0, 1])
def test_RevertWhen_AnIntervalOfALaterLevelIsMissing(world, missing):
    """Rule 13: the window is over when all of its feeds say so."""
    feeds = [world.feed(descriptor=bytes([i]) * 32) for i in range(2)]
    terms = world.opened(*feeds)
    for i, feed in enumerate(feeds):
        world.judge(feed, "g" * (59 if i == missing else 60))
    with refused("SLAEscrow_NotJudged", 0, terms.expiry(0)):
        world.close(terms)
    world.judge(feeds[missing], "g")
    world.close(terms)


@pytest.mark.parametrize(("policy", "credit"), [(EXCLUDED, 1_000), (GOOD, 1_000), (BAD, 2_500)])
def test_When_TheExpiryHasPassed(world, policy, credit):
    """Rule 13: nobody needs the reporters to get the money out."""
    feed = world.feed()
    terms = world.opened(feed, unknown_policy=policy)
    world.judge(feed, "g" * 20 + "b")
    expiry = terms.expiry(0)
    world.at(expiry - 1)
    with refused("SLAEscrow_NotJudged", 0, expiry):
        world.close(terms)
    world.at(expiry)
    world.close(terms)
    assert world.balances() == (FEE - FEE * credit // 10_000, FEE * credit // 10_000, 0)


@pytest.mark.parametrize(("judged", "credit"), [(30, 0), (29, 700)])
def test_When_TheExpiryHasPassedAndAPartWasJudged(world, judged, credit):
    """Rule 13: what was judged stays judged; here the share of the rest may be a half."""
    feed = world.feed()
    terms = world.opened(feed, unknown_limit=500_000, unknown_credit=700)
    world.judge(feed, "g" * judged)
    world.at(terms.expiry(0))
    world.close(terms)
    assert world.balances()[1] == FEE * credit // 10_000


def test_When_TheOracleFailedForGood(scripted):
    """Rule 13: never below what was paid."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.script(ANSWER, tally_answer(judged=6, bad=6), {"from": world.stranger})
    world.settle(terms)
    world.oracle.script(REVERT, b"", {"from": world.stranger})
    expiry = terms.expiry(0)
    world.at(expiry - 1)
    with refused("SLAEscrow_OracleFailed", 0, expiry):
        world.close(terms)
    world.at(expiry)
    tx = world.close(terms)
    assert events(tx, "Closed")[0]["credit"] == 0
    assert world.window(terms) == (CLOSED, QUARTER)
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)
    assert world.escrow.held(world.token) == 0


def test_When_TheWindowHasANumberThatTheOracleDoesNotKnow(world):
    """Rule 13: the oracle counts windows with 32 bits. A feed of one second since 1970 runs out of them in 2106."""
    feed = world.feed(0, interval=1, window_intervals=1, settle_delay=0, cadence=0)
    start = 2**32 - 1
    levels = (Level(feed.ref, samples.TIERS[:1]),)
    terms = world.opened(
        feed,
        levels=levels,
        start=start,
        open_by=start,
        windows=2,
        prepaid_windows=2,
        unknown_policy=BAD,
    )
    assert terms.feed_window(0, 1) == 2**32
    expiry = terms.expiry(1)
    world.at(expiry - 1)
    with refused("SLAEscrow_OracleFailed", 0, expiry):
        world.close(terms, 1)
    world.at(expiry)
    world.close(terms, 1)
    assert world.balances() == (FEE - TENTH, TENTH, FEE)


def test_When_NothingWasPlanned(world):
    """Rule 24: D = 0. What of service hours makes of it is in `hours.tree`."""
    feed = world.feed()
    level = Level(feed.ref, samples.TIERS, credit_per_bad_interval=100, remove_not_applicable=True)
    terms = world.opened(feed, levels=(level,), unknown_limit=0, unknown_credit=10_000)
    world.judge(feed, "n" * 60)
    world.close(terms)
    assert world.balances() == (FEE, 0, 0)


@pytest.mark.parametrize(("policy", "credit"), [(EXCLUDED, 0), (GOOD, 0), (BAD, 2_500)])
def test_When_TheWindowWasSkipped(world, policy, credit):
    """Rule 2: long before the expiry."""
    feed = world.feed()
    terms = world.opened(feed, unknown_policy=policy)
    world.go(terms.window_start(1) + feed.measurement.deadline)
    world.oracle.skip(feed.as_abi(), 60, {"from": world.stranger})
    world.close(terms)
    assert world.balances() == (FEE - FEE * credit // 10_000, FEE * credit // 10_000, 0)


def test_When_RoundingLeavesAUnit(world):
    """Rule 7: down, for the provider; and nothing stays behind."""
    feed = world.feed()
    terms = world.opened(feed, fee_per_window=19)
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.balances() == (18, 1, 0)
    assert world.escrow.held(world.token) == 0


def test_RevertGiven_TheWindowIsNotFunded(world):
    """Rule 11."""
    terms = world.opened(prepaid_windows=0)
    world.go(terms.expiry(0))
    for window in (0, 3):
        with refused("SLAEscrow_WindowNot", window, FUNDED, UNFUNDED):
            world.close(terms, window)


def test_RevertGiven_TheWindowIsClosed(world):
    feed = world.feed()
    terms = world.opened(feed)
    # Money of another agreement, which a second closing would take.
    world.opened(feed, salt=bytes(32))
    world.judge(feed, "g" * 60)
    world.close(terms)
    with refused("SLAEscrow_WindowNot", 0, FUNDED, CLOSED):
        world.close(terms)


# PAYEES


def _denying(world, container, *denied):
    """An agreement whose window is judged, 25 % credit, in a token that does not deliver to `denied`."""
    feed = world.feed()
    terms = world.opened(feed)
    token = upgrade(world.token, container)
    for payee in denied:
        token.setDenied(payee, True, {"from": world.stranger})
    world.judge(feed, "g" * 54 + "b" * 6)
    return terms, token


def test_When_TheConsumerCannotBePaid(world):
    """Rule 22."""
    terms, token = _denying(world, brownie.DenyListToken, world.consumer)
    tx = world.close(terms)
    assert events(tx, "Withheld") == [{"token": token, "payee": world.consumer, "amount": QUARTER}]
    assert world.balances() == (FEE - QUARTER, 0, QUARTER)
    assert world.escrow.held(token) == world.escrow.withdrawable(token, world.consumer) == QUARTER
    assert world.window(terms) == (CLOSED, QUARTER)


def test_When_TheProviderCannotBePaid(world):
    """Rule 22."""
    terms, token = _denying(world, brownie.DenyListToken, world.provider)
    world.close(terms)
    assert world.balances() == (0, QUARTER, FEE - QUARTER)
    assert world.escrow.withdrawable(token, world.provider) == FEE - QUARTER
    assert world.escrow.held(token) == FEE - QUARTER


def test_When_NeitherCanBePaid(world):
    """Rule 22."""
    terms, token = _denying(world, brownie.DenyListToken, world.provider, world.consumer)
    world.close(terms)
    assert world.window(terms) == (CLOSED, QUARTER)
    assert world.escrow.held(token) == FEE
    for payee in (world.consumer, world.provider):
        token.setDenied(payee, False, {"from": world.stranger})
        world.escrow.withdraw(token, payee, {"from": payee})
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)


def test_When_APayeeBurnsAllGas(world):
    """Rule 22: a push has a budget of its own, however much gas the caller brings."""
    terms, token = _denying(world, brownie.GasBurningToken, world.consumer)
    tx = world.close(terms, gas_limit=16_000_000)
    assert world.balances() == (FEE - QUARTER, 0, QUARTER)
    assert world.escrow.withdrawable(token, world.consumer) == QUARTER
    assert tx.gas_used < 500_000


def test_When_TheTokenLies(world):
    """Rule 22: a token that only says it delivered has not."""
    feed = world.feed()
    terms = world.opened(feed)
    token = upgrade(world.token, brownie.LyingToken)
    token.setLying(True, {"from": world.stranger})
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.balances() == (0, 0, FEE)
    assert world.escrow.held(token) == FEE
    assert world.escrow.withdrawable(token, world.consumer) == TENTH
    assert world.escrow.withdrawable(token, world.provider) == FEE - TENTH


def test_When_TheTokenBeginsToKeepAPart(world):
    """Rule 22: what left this contract is delivered; what the token keeps on the way is between it and the payee."""
    feed = world.feed()
    terms = world.opened(feed)
    token = upgrade(world.token, brownie.FeeOnTransferToken)
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.balances() == ((FEE - TENTH) * 99 // 100, TENTH * 99 // 100, 0)
    assert world.escrow.held(token) == 0
    assert world.escrow.withdrawable(token, world.consumer) == 0


def test_RevertWhen_TheTokenTakesMoreThanAsked(world):
    """Rule 22."""
    feed = world.feed()
    terms = world.opened(feed)
    world.opened(feed, salt=bytes(32))
    upgrade(world.token, brownie.GreedyToken)
    world.judge(feed, "g" * 60)
    with refused("Treasury_NotDelivered", world.token.address, FEE, FEE + 1):
        world.close(terms)
    assert world.balances() == (0, 0, 2 * FEE)


def test_When_APayeeCallsBack(world):
    """Rule 22: neither the consumer in the middle nor the provider at the end of a closing gets in."""
    feed = world.feed()
    wallets = {
        "consumer": brownie.MockWallet.deploy(world.consumer, {"from": world.consumer}),
        "provider": brownie.MockWallet.deploy(world.provider, {"from": world.provider}),
    }
    parties = {name: wallet.address for name, wallet in wallets.items()}
    terms = world.opened(feed, **parties)
    other = world.opened(feed, salt=bytes(32), **parties)
    token = upgrade(world.token, brownie.HookToken)
    data = world.escrow.close.encode_input(other.as_abi(), 0)
    for wallet in wallets.values():
        wallet.onTokens(world.escrow, data, {"from": world.stranger})
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert [str(wallet.hookResult()) for wallet in wallets.values()] == [REENTERED] * 2
    assert world.window(other) == (FUNDED, 0)
    assert token.balanceOf(wallets["consumer"]) == TENTH
    assert token.balanceOf(wallets["provider"]) == FEE - TENTH


def test_When_GasIsTooShortForThePayments(world):
    """Rule 22: whoever closes cannot choose a gas limit at which a payee is passed over."""
    feed = world.feed()
    wallet = brownie.MockWallet.deploy(world.provider, {"from": world.provider})
    terms = world.opened(feed, provider=wallet.address)
    upgrade(world.token, brownie.HookToken)
    other = brownie.MockWallet.deploy(world.stranger, {"from": world.stranger})
    costly = other.onTokens.encode_input(world.stranger, b"\x01" * 100)
    wallet.onTokens(other, costly, {"from": world.provider})
    world.judge(feed, "b" + "g" * 59)
    limits = range(120_000, 520_000, 8_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.close, terms, limits, wallet))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": FEE - TENTH, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)


def test_When_8LevelsOf8TiersAreJudged(world):
    feeds = [world.feed(descriptor=bytes([i]) * 32) for i in range(8)]
    tiers = (samples.TIERS * 3)[:8]
    terms = world.opened(*feeds, levels=tuple(Level(feed.ref, tiers) for feed in feeds))
    for feed in feeds:
        world.judge(feed, "b" * 6 + "g" * 54)
    tx = world.close(terms)
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)
    assert tx.gas_used < 600_000
