"""Paying for later windows: `fund.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests import samples
from tests.contracts.escrow.world import (
    CLOSED,
    FUNDED,
    UNFUNDED,
    events,
    refused,
    tally_answer,
    upgrade,
)

FEE = samples.FEE


def test_When_WindowsLieAhead(world):
    """Rule 12."""
    terms = world.opened(windows=5)

    tx = world.fund(terms, 2, 2)

    assert [world.window(terms, w)[0] for w in range(5)] == [
        FUNDED,
        UNFUNDED,
        FUNDED,
        FUNDED,
        UNFUNDED,
    ]
    assert world.balances() == (0, 0, 3 * FEE)
    assert world.escrow.held(world.token) == 3 * FEE
    assert events(tx, "Funded") == [
        {
            "id": "0x" + world.id_of(terms).hex(),
            "first": 2,
            "count": 2,
            "amount": 2 * FEE,
            "payer": world.consumer,
        }
    ]


def test_When_AStrangerPays(world):
    """Rule 12: an allowance is at the disposal of its owner only."""
    terms = world.opened()
    world.give(world.consumer, 3 * FEE)
    world.give(world.provider, 3 * FEE)

    world.fund(terms, 1, 1, payer=world.stranger)

    assert world.balances()[:2] == (3 * FEE, 3 * FEE)
    with brownie.reverts():
        world.escrow.fund.call(terms.as_abi(), 2, 1, {"from": world.stranger})


def test_When_ItIsTheLastSecondBeforeAWindow(world):
    """Rule 11."""
    terms = world.opened()
    world.give(world.consumer, FEE)
    world.at(terms.window_start(1) - 1)
    world.escrow.fund(terms.as_abi(), 1, 1, {"from": world.consumer})
    assert world.window(terms, 1) == (FUNDED, 0)


@pytest.mark.parametrize("first", [0, 1])
def test_RevertWhen_AWindowHasBegun(world, first):
    """Rule 11: nobody insures a house that may be burning. One late window takes the others of the call with it."""
    terms = world.opened(prepaid_windows=0)
    world.give(world.consumer, 3 * FEE)
    begun = terms.window_start(first)
    world.at(begun)
    with refused("SLAEscrow_WindowBegan", first, begun):
        world.escrow.fund(terms.as_abi(), first, 3 - first, {"from": world.consumer})
    assert world.escrow.held(world.token) == 0


def test_When_AWindowLapsed(world):
    """Rule 11."""
    feed = world.feed()
    terms = world.opened(feed)
    world.go(terms.window_start(1))
    world.fund(terms, 2, 1)
    world.judge(feed, "g" * 60)
    world.judge(feed, "b" * 60)
    world.judge(feed, "g" * 60)
    for action in (world.settle, world.close):
        with refused("SLAEscrow_WindowNot", 1, FUNDED, UNFUNDED):
            action(terms, 1)
    assert world.claimable(terms, 1) == (0, 0, False)
    for window in (0, 2):
        world.close(terms, window)
    assert world.balances() == (2 * FEE, 0, 0)


def test_RevertWhen_AWindowIsFunded(world):
    """Rule 12: nobody pays twice, not even in one call with windows that are not paid."""
    terms = world.opened(windows=5)
    world.fund(terms, 2, 1)
    world.give(world.consumer, 5 * FEE)
    for first, count, funded in ((0, 1, 0), (2, 1, 2), (1, 3, 2)):
        with refused("SLAEscrow_WindowNot", funded, UNFUNDED, FUNDED):
            world.escrow.fund.call(terms.as_abi(), first, count, {"from": world.consumer})


def test_RevertWhen_AWindowIsClosed(scripted):
    """Rule 12: it takes an oracle that judges ahead of time, but closed is closed."""
    world = scripted
    world.oracle.script(0, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.script(0, tally_answer(judged=60), {"from": world.stranger})
    world.close(terms)
    assert world.now < terms.start
    with refused("SLAEscrow_WindowNot", 0, UNFUNDED, CLOSED):
        world.fund(terms, 0, 1)


@pytest.mark.parametrize(
    ("first", "count"),
    [(0, 0), (3, 0), (3, 1), (0, 4), (2, 2), (2**256 - 1, 1), (1, 2**256 - 1), (2**256 - 1, 2)],
)
def test_RevertWhen_ThereIsNoSuchWindow(world, first, count):
    terms = world.opened(prepaid_windows=0)
    world.give(world.consumer, 4 * FEE)
    with refused("SLAEscrow_NoWindows", first, count, 3):
        world.escrow.fund.call(terms.as_abi(), first, count, {"from": world.consumer})


def test_RevertWhen_NobodyOpenedTheAgreement(world):
    """Rule 21: what was not signed takes no money."""
    terms = world.terms()
    world.give(world.consumer, FEE)
    with refused("SLAEscrow_NotOpen", world.id_of(terms)):
        world.escrow.fund.call(terms.as_abi(), 1, 1, {"from": world.consumer})


def test_When_TheAgreementEndsLater(world):
    """Rule 10: until then it goes on, and may be paid for."""
    terms = world.opened(windows=5)
    world.terminate(terms, world.termination(terms, 2))
    world.fund(terms, 1, 1)
    assert world.statuses(terms) == [FUNDED, FUNDED, UNFUNDED, UNFUNDED, UNFUNDED]


def test_RevertWhen_TheAgreementEndsBefore(world):
    """Rule 10: nobody pays for what will not be."""
    terms = world.opened(windows=5)
    world.terminate(terms, world.termination(terms, 2))
    world.give(world.consumer, 5 * FEE)
    for first, count in ((2, 1), (1, 2), (4, 1)):
        with refused("SLAEscrow_NoWindows", first, count, 2):
            world.escrow.fund.call(terms.as_abi(), first, count, {"from": world.consumer})
    world.terminate(terms, world.termination(terms, 0))
    with refused("SLAEscrow_NoWindows", 1, 1, 0):
        world.escrow.fund.call(terms.as_abi(), 1, 1, {"from": world.consumer})


def test_When_AmountsAreAsLargeAsTheyCanBe(world):
    most = 2**112 - 1
    terms = world.opened(fee_per_window=most, prepaid_windows=0, windows=512)
    world.fund(terms, 509, 3)
    assert world.escrow.held(world.token) == 3 * most
    assert [world.window(terms, w) for w in (508, 511)] == [(UNFUNDED, 0), (FUNDED, 0)]


def test_RevertWhen_TheTokenDeliversLessThanAsked(world):
    """Rule 22: also if it began to keep a part only after the agreement was opened."""
    terms = world.opened()
    world.give(world.consumer, FEE)
    upgrade(world.token, brownie.FeeOnTransferToken)
    with refused("Treasury_ReceivedLess", FEE, FEE - FEE // 100):
        world.escrow.fund.call(terms.as_abi(), 1, 1, {"from": world.consumer})


def test_When_TheTokenCallsBackWhileItIsPulled(world, compiled_here):
    """Rule 22: the amount received is a difference of balances; a deposit inside a deposit would count for both."""
    token = compiled_here.CallingToken.deploy({"from": world.stranger})
    terms = world.terms(token=token.address, prepaid_windows=0)
    world.open(terms)
    world.give(world.consumer, 2 * FEE, token)
    token.onDelivery(
        world.escrow,
        world.escrow,
        world.escrow.fund.encode_input(terms.as_abi(), 2, 1),
        {"from": world.stranger},
    )
    world.escrow.fund(terms.as_abi(), 1, 1, {"from": world.consumer})
    assert not token.called()
    assert world.window(terms, 2) == (UNFUNDED, 0)
    assert world.escrow.held(token) == token.balanceOf(world.escrow) == FEE
