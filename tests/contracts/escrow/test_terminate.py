"""Ending an agreement by both signatures: `terminate.tree`. What is refused is in `test_terminate_refused.py`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests import samples
from tests.contracts.escrow.world import (
    CLOSED,
    ENDED,
    FUNDED,
    MOVED,
    NOBODY,
    REFUNDED,
    TERMINATED,
    UNFUNDED,
    events,
    set_code,
    upgrade,
)

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4


def test_When_BothHaveSigned(world):
    """Rule 10."""
    terms = world.opened(prepaid_windows=2)

    tx = world.terminate(terms, world.termination(terms, 0, FEE // 2))

    id_ = "0x" + world.id_of(terms).hex()
    assert tx.return_value == 2 * FEE - FEE // 2
    assert world.balances() == (FEE // 2, 2 * FEE - FEE // 2, 0)
    assert world.escrow.held(world.token) == 0
    assert world.statuses(terms) == [TERMINATED, TERMINATED, UNFUNDED]
    assert world.escrow.status(id_) == ENDED
    assert world.escrow.endOf(id_) == 0
    assert events(tx, "Ended") == [{"id": id_, "window": 0, "party": NOBODY}]
    assert events(tx, "Terminated") == [
        {"id": id_, "window": window, "paid": 0} for window in range(2)
    ]
    assert events(tx, "Split") == [
        {"id": id_, "toConsumer": 2 * FEE - FEE // 2, "toProvider": FEE // 2}
    ]


def test_When_CreditsWerePaid(world):
    """Rule 10."""
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b" * 6)
    world.settle(terms)
    tx = world.terminate(terms, world.termination(terms, 0, FEE - QUARTER - 1))
    assert tx.return_value == 1
    assert events(tx, "Terminated")[0]["paid"] == QUARTER
    assert world.window(terms) == (TERMINATED, QUARTER)
    assert world.balances() == (FEE - QUARTER - 1, QUARTER + 1, 0)
    # What becomes certain later is not due any more.
    world.judge(feed, "b" * 54)
    assert world.claimable(terms) == (0, 0, False)


def test_When_WindowsAreRunningAndOverAndAhead(world):
    """Rule 10: also one that is over and not closed, and one that lies behind a window nobody paid for."""
    feed = world.feed()
    terms = world.opened(feed, windows=6, prepaid_windows=3)
    world.fund(terms, 4, 1)
    world.judge(feed, "g" * 60)
    world.close(terms)
    world.judge(feed, "g" * 60)
    world.judge(feed, "g")
    world.terminate(terms, world.termination(terms, 0, FEE + 7))
    assert world.statuses(terms) == [
        *(CLOSED, TERMINATED, TERMINATED, UNFUNDED, TERMINATED, UNFUNDED)
    ]
    assert world.balances() == (2 * FEE + 7, 2 * FEE - 7, 0)


def test_When_ItBeginsWithALaterWindow(world):
    """Rule 10."""
    feed = world.feed()
    terms = world.opened(feed, prepaid_windows=3)
    world.terminate(terms, world.termination(terms, 1, 5))
    assert world.statuses(terms) == [FUNDED, TERMINATED, TERMINATED]
    assert world.escrow.endOf(world.id_of(terms)) == 1
    assert world.balances() == (5, 2 * FEE - 5, FEE)
    world.judge(feed, "b" + "g" * 59)
    world.close(terms)
    assert world.balances() == (5 + FEE - TENTH, 2 * FEE - 5 + TENTH, 0)


@pytest.mark.parametrize("to_provider", [0, FEE])
def test_When_TheSplitGivesOnePartyAll(world, to_provider):
    terms = world.opened()
    tx = world.terminate(terms, world.termination(terms, 0, to_provider))
    assert len(events(tx, "Transfer")) == 1
    assert world.balances() == (to_provider, FEE - to_provider, 0)


def test_When_NothingIsHeld(world):
    terms = world.opened(prepaid_windows=0)
    tx = world.terminate(terms, world.termination(terms))
    assert "Transfer" not in tx.events
    assert world.escrow.status(world.id_of(terms)) == ENDED
    assert events(tx, "Split") == [
        {"id": "0x" + world.id_of(terms).hex(), "toConsumer": 0, "toProvider": 0}
    ]


def test_When_ACreditBeyondTheFeeWasPaid(world):
    """Rule 23: the bond is not split, and stands behind nothing any more."""
    feed = world.feed()
    terms = world.bonded(feed, windows=2)
    world.fund(terms, 0, 2)
    world.judge(feed, "b" * 12)
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE + FEE // 5)
    world.terminate(terms, world.termination(terms, 0, FEE))
    assert world.balances() == (FEE, FEE + FEE // 5, FEE - FEE // 5)
    assert world.bond(terms) == (FEE - FEE // 5, 0, 0)


def test_When_SomebodySettlesInBetween(world):
    """Rule 10: the provider gets the very amount that both have signed."""
    feed = world.feed()
    terms = world.opened(feed, prepaid_windows=2)
    termination = world.termination(terms, 0, FEE)
    world.judge(feed, "b" * 6)
    world.settle(terms)
    world.terminate(terms, termination)
    assert world.balances() == (FEE, FEE, 0)


def test_When_SomebodyClosesInBetween(world):
    """Rule 10: no party can be kept from its own split, nor be paid a window twice."""
    feed = world.feed()
    terms = world.opened(feed, prepaid_windows=2)
    termination = world.termination(terms, 0, FEE // 2)
    world.judge(feed, "g" * 60)
    world.close(terms)
    world.terminate(terms, termination)
    assert world.statuses(terms) == [CLOSED, TERMINATED, UNFUNDED]
    assert world.balances() == (FEE + FEE // 2, FEE // 2, 0)


def test_When_ItIsTheLastSecond(world):
    """Rule 10."""
    terms = world.opened()
    termination = world.termination(terms)
    world.at(termination.valid_until)
    world.terminate(terms, termination)
    assert world.now == termination.valid_until


def test_When_NoticeWasGivenBefore(world):
    """Rule 10."""
    terms = world.opened(prepaid_windows=3, notice_period=1)
    world.at(terms.window_start(1))
    world.escrow.endByNotice(terms.as_abi(), {"from": world.consumer})
    tx = world.terminate(terms, world.termination(terms, 1, 9))
    assert world.statuses(terms) == [FUNDED, TERMINATED, REFUNDED]
    assert world.escrow.endOf(world.id_of(terms)) == 1
    assert tx.return_value == FEE - 9
    # What had ended already stays where it ended.
    world.terminate(terms, world.termination(terms, 0, 0))
    assert world.escrow.endOf(world.id_of(terms)) == 0
    assert world.balances() == (9, 3 * FEE - 9, 0)


def test_When_TheTermsWereAmended(world):
    """Rules 6 and 10: both versions can be ended, each by its own id."""
    current = world.opened(prepaid_windows=3)
    next_ = world.amended(current, 1)
    world.terminate(current, world.termination(current, 0, 1))
    assert world.statuses(current) == [TERMINATED, MOVED, MOVED]
    assert world.statuses(next_) == [FUNDED, FUNDED, UNFUNDED]
    world.terminate(next_, world.termination(next_, 1, 2))
    assert world.statuses(next_) == [FUNDED, TERMINATED, UNFUNDED]
    assert world.balances() == (3, 2 * FEE - 3, FEE)


def test_When_PartiesAreWalletContracts(world):
    """Rule 21: ERC-1271."""
    provider = brownie.MockWallet.deploy(world.provider, {"from": world.provider})
    consumer = brownie.MockWallet.deploy(world.consumer, {"from": world.consumer})
    terms = world.opened(provider=provider.address, consumer=consumer.address)
    world.terminate(terms, world.termination(terms, 0, 1))
    assert world.token.balanceOf(provider) == 1
    assert world.token.balanceOf(consumer) == FEE - 1


def test_When_APartyHasDelegatedToCode(world):
    """Rule 21: EIP-7702."""
    terms = world.opened()
    for party in (world.provider, world.consumer):
        set_code(party.address, "0xef0100" + world.token.address[2:])
    world.terminate(terms, world.termination(terms))
    assert world.statuses(terms)[0] == TERMINATED


@pytest.mark.parametrize("denied", ["provider", "consumer"])
def test_When_APartyCannotBePaid(world, denied):
    """Rule 22: it stops nobody from ending."""
    terms = world.opened()
    token = upgrade(world.token, brownie.DenyListToken)
    party = getattr(world, denied)
    token.setDenied(party, True, {"from": world.stranger})
    world.terminate(terms, world.termination(terms, 0, TENTH))
    owed = TENTH if denied == "provider" else FEE - TENTH
    assert world.escrow.withdrawable(token, party) == owed
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == owed
