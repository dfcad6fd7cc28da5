"""Ending an agreement by notice: `endByNotice.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree, the module after the function

import brownie
import pytest

from tests import samples
from tests.contracts.escrow.world import (
    CLOSED,
    ENDED,
    FUNDED,
    REFUNDED,
    UNFUNDED,
    events,
    refused,
    upgrade,
)

FEE = samples.FEE
NOTICE = 2_700
MARCH, APRIL, MAY = 1_898_553_600, 1_901_232_000, 1_903_824_000  # of the year 2030


def noticed(world, **changes):
    """An agreement of five windows, three of them paid."""
    defaults = {"windows": 5, "prepaid_windows": 3, "notice_period": NOTICE}
    return world.opened(**(defaults | changes))


def end(world, terms, sender=None):
    return world.escrow.endByNotice(terms.as_abi(), {"from": sender or world.provider})


def try_end(world, terms, sender=None):
    options = {"from": sender or world.provider}
    return world.escrow.endByNotice.call(terms.as_abi(), options)


@pytest.mark.parametrize("party", ["provider", "consumer"])
def test_When_APartyGivesNotice(world, party):
    """Rule 10."""
    feed = world.feed()
    terms = noticed(world)
    world.judge(feed, "g" * 5)

    tx = end(world, terms, getattr(world, party))

    id_ = "0x" + world.id_of(terms).hex()
    assert tx.return_value == 1
    assert world.statuses(terms) == [FUNDED, REFUNDED, REFUNDED, UNFUNDED, UNFUNDED]
    assert world.escrow.status(id_) == ENDED
    assert world.escrow.endOf(id_) == 1
    assert world.balances() == (0, 2 * FEE, FEE)
    assert world.escrow.held(world.token) == FEE
    assert events(tx, "Ended") == [{"id": id_, "window": 1, "party": getattr(world, party)}]
    assert events(tx, "Refunded") == [
        {"id": id_, "window": window, "amount": FEE} for window in (1, 2)
    ]
    # The running window goes on as if nothing had happened.
    world.judge(feed, "b" + "g" * 54)
    world.close(terms)
    assert world.statuses(terms)[0] == CLOSED
    assert world.balances() == (FEE * 9 // 10, 2 * FEE + FEE // 10, 0)


@pytest.mark.parametrize(("late", "window"), [(0, 2), (1, 3)])
def test_When_ThePeriodEndsWhereAWindowBegins(world, late, window):
    """Rule 10: to the second."""
    terms = noticed(world)
    world.at(terms.window_start(2) - NOTICE + late)
    assert end(world, terms).return_value == window


def test_When_ThePeriodEndsBeforeTheFirstWindow(world):
    """Rule 10."""
    terms = noticed(world)
    world.at(terms.start - NOTICE)
    assert end(world, terms).return_value == 0
    assert world.escrow.endOf(world.id_of(terms)) == 0
    assert world.statuses(terms) == [REFUNDED] * 3 + [UNFUNDED] * 2
    assert world.balances() == (0, 3 * FEE, 0)


def test_When_WindowsBeforeTheEndAreNotFunded(world):
    """Rules 10 and 11."""
    terms = noticed(world, prepaid_windows=1, notice_period=2 * 3_600)
    world.at(terms.start)
    assert end(world, terms).return_value == 2
    world.fund(terms, 1, 1)
    world.give(world.consumer, FEE)
    for first, count in ((2, 1), (4, 1)):
        with refused("SLAEscrow_NoWindows", first, count, 2):
            world.escrow.fund.call(terms.as_abi(), first, count, {"from": world.consumer})


def test_When_NoticeIsGivenAgain(world):
    """Rule 10: notice binds who gave it; a later one moves nothing back, an earlier one by the other party may move it forward."""
    terms = noticed(world, prepaid_windows=5)
    world.at(terms.window_start(2))
    assert end(world, terms).return_value == 3
    world.at(terms.window_start(2) + 1)
    with refused("SLAEscrow_NothingToEnd", 3):
        end(world, terms, world.consumer)
    assert world.escrow.endOf(world.id_of(terms)) == 3
    assert world.balances() == (0, 2 * FEE, 3 * FEE)


def test_When_WindowsAreMonths(world):
    """Rules 10 and 25."""
    feed = world.feed(MARCH + 14 * 86_400, interval=86_400, window_intervals=0)
    terms = world.opened(feed, prepaid_windows=3, notice_period=10 * 86_400)
    paid = terms.fee_of(0) + 2 * FEE
    world.at(APRIL - 10 * 86_400 + 1)
    assert end(world, terms).return_value == 2
    assert world.balances() == (0, FEE, paid - FEE)
    world.wait_until(MAY - 10 * 86_400)
    with refused("SLAEscrow_NothingToEnd", 2):
        try_end(world, terms)


def test_When_TheConsumerCannotBePaid(world):
    """Rule 22: who cannot receive cannot keep the other party in the agreement."""
    terms = noticed(world)
    token = upgrade(world.token, brownie.DenyListToken)
    token.setDenied(world.consumer, True, {"from": world.stranger})
    world.at(terms.start)
    end(world, terms)
    assert world.escrow.withdrawable(token, world.consumer) == 2 * FEE
    assert world.escrow.held(token) == 3 * FEE


def test_RevertWhen_TheTermsAllowNone(world):
    """Rule 10."""
    terms = noticed(world, notice_period=0)
    for party in (world.provider, world.consumer):
        with refused("SLAEscrow_NoNoticeAgreed"):
            try_end(world, terms, party)


def test_RevertWhen_TheCallerIsNoParty(world):
    """Rule 10."""
    terms = noticed(world)
    with refused("SLAEscrow_NotParty", world.stranger.address):
        try_end(world, terms, world.stranger)


@pytest.mark.parametrize("notice", [1, 2**32 - 1])
def test_RevertWhen_ThePeriodEndsAfterTheLastWindowHasBegun(world, notice):
    """Rule 10: what is left ends by itself."""
    terms = noticed(world, notice_period=notice)
    world.at(terms.window_start(4))
    window = (world.start + 4 * 3_600 + notice - world.start + 3_599) // 3_600
    with refused("SLAEscrow_NothingToEnd", window):
        end(world, terms)


def test_RevertWhen_NobodyOpenedTheAgreement(world):
    terms = world.terms(notice_period=NOTICE)
    with refused("SLAEscrow_NothingToEnd", 0):
        try_end(world, terms)
