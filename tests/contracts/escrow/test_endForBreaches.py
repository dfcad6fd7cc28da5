"""Ending an agreement that is breached too often: `endForBreaches.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree, the module after the function

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
    tally_answer,
)

FEE = samples.FEE
TENTH = FEE // 10


def breached(world, needed=2, windows=6, prepaid=5, patterns=("b" + "g" * 59,) * 2):
    """An agreement in its third window, the first two settled."""
    feed = world.feed()
    terms = world.opened(feed, windows=windows, prepaid_windows=prepaid, breaches_to_end=needed)
    for window, pattern in enumerate(patterns):
        world.judge(feed, pattern)
        world.settle(terms, window)
    return terms


def end(world, terms, windows, sender=None):
    return world.escrow.endForBreaches(terms.as_abi(), windows, {"from": sender or world.consumer})


def try_end(world, terms, windows, sender=None):
    options = {"from": sender or world.consumer}
    return world.escrow.endForBreaches.call(terms.as_abi(), windows, options)


def test_When_EnoughWindowsWereBreached(world):
    """Rule 10."""
    terms = breached(world)

    tx = end(world, terms, [0, 1])

    id_ = "0x" + world.id_of(terms).hex()
    assert tx.return_value == 3
    assert world.statuses(terms) == [FUNDED, FUNDED, FUNDED, REFUNDED, REFUNDED, UNFUNDED]
    assert world.escrow.status(id_) == ENDED
    assert world.escrow.endOf(id_) == 3
    assert world.balances() == (0, 2 * TENTH + 2 * FEE, 3 * FEE - 2 * TENTH)
    assert world.escrow.held(world.token) == 3 * FEE - 2 * TENTH
    assert events(tx, "Ended") == [{"id": id_, "window": 3, "party": world.consumer}]
    assert events(tx, "Refunded") == [
        {"id": id_, "window": window, "amount": FEE} for window in (3, 4)
    ]
    # The provider is left with what it earned.
    for window in (0, 1):
        world.close(terms, window)
    assert world.balances()[0] == 2 * (FEE - TENTH)


def test_When_MoreWindowsAreShownThanNeeded(world):
    """Rule 10."""
    terms = breached(world, needed=1)
    assert end(world, terms, [0, 1]).return_value == 3


@pytest.mark.parametrize(("early", "window"), [(1, 3), (0, 4)])
def test_When_AWindowBeginsThisSecond(world, early, window):
    """Rule 10: as rule 11 has it, a window has begun in the second in which it begins."""
    terms = breached(world)
    world.at(terms.window_start(3) - early)
    assert end(world, terms, [0, 1]).return_value == window
    assert world.statuses(terms)[3] == (REFUNDED if early else FUNDED)


def test_When_TheAgreementHasNotBegun(scripted):
    """Rule 10: it takes an oracle that judges ahead of time, but what was paid was paid."""
    world = scripted
    world.oracle.script(0, tally_answer(), {"from": world.stranger})
    terms = world.opened(prepaid_windows=3, breaches_to_end=1)
    world.oracle.script(0, tally_answer(judged=1, bad=1), {"from": world.stranger})
    world.settle(terms, 1)
    assert end(world, terms, [1]).return_value == 0
    assert world.escrow.endOf(world.id_of(terms)) == 0
    # A window that was paid before it began gives back the rest of its fee.
    assert world.statuses(terms) == [REFUNDED] * 3
    assert world.balances() == (0, 3 * FEE, 0)


def test_When_TheBreachedWindowsAreRunningAndClosed(world):
    terms = breached(world, patterns=("b" + "g" * 59, "b"))
    world.close(terms, 0)
    assert end(world, terms, [0, 1]).return_value == 2
    assert world.statuses(terms) == [CLOSED, FUNDED, REFUNDED, REFUNDED, REFUNDED, UNFUNDED]


def test_RevertWhen_FewerWindowsWereBreached(world):
    """Rule 10."""
    terms = breached(world, needed=3)
    for windows in ([], [0], [0, 1]):
        with refused("SLAEscrow_Breaches", len(windows), 3):
            try_end(world, terms, windows)


def test_RevertWhen_TheTermsAskForNone(world):
    """Rule 10."""
    terms = breached(world, needed=0)
    for windows in ([], [0, 1]):
        with refused("SLAEscrow_Breaches", len(windows), 0):
            try_end(world, terms, windows)


def test_RevertWhen_AWindowIsShownTwice(world):
    """Rule 10."""
    terms = breached(world)
    for windows, index in (([0, 0], 1), ([0, 1, 1], 2)):
        with refused("SLAEscrow_Breaches", index, 2):
            try_end(world, terms, windows)


def test_RevertWhen_WindowsAreNotInOrder(world):
    """Rule 10: which is how it is seen that none is shown twice."""
    terms = breached(world)
    for windows, index in (([1, 0], 1), ([0, 1, 0], 2)):
        with refused("SLAEscrow_Breaches", index, 2):
            try_end(world, terms, windows)


def test_RevertWhen_AWindowWasNotBreached(world):
    """Rule 10: not even one beside those that were."""
    terms = breached(world, patterns=("b" + "g" * 59, "g" * 60, "b" + "g" * 59))
    assert try_end(world, terms, [0, 2]) == 4
    for windows, window in (
        ([0, 1], 1),
        ([0, 1, 2], 1),
        ([0, 2, 5], 5),
        ([0, 2**256 - 1], 2**256 - 1),
    ):
        with refused("SLAEscrow_NotBreached", window):
            try_end(world, terms, windows)


def test_RevertWhen_ABreachWasNotPaidYet(world):
    """Rule 10: the consumer settles first, as anyone may."""
    feed = world.feed()
    terms = world.opened(feed, breaches_to_end=1)
    world.judge(feed, "b")
    with refused("SLAEscrow_NotBreached", 0):
        try_end(world, terms, [0])
    world.settle(terms)
    assert try_end(world, terms, [0]) == 1


def test_RevertWhen_AWindowLapsed(world):
    """Rule 11: no fee, no promise, no breach."""
    terms = breached(world, needed=1, prepaid=1, patterns=("g" * 60,))
    world.judge(world.feed(), "b" * 60)
    with refused("SLAEscrow_NotBreached", 1):
        try_end(world, terms, [1])


def test_RevertWhen_TheCallerIsNotTheConsumer(world):
    """Rule 10: a provider cannot breach its way out."""
    terms = breached(world)
    for caller in (world.provider, world.stranger):
        with refused("SLAEscrow_NotParty", caller.address):
            try_end(world, terms, [0, 1], caller)


def test_RevertWhen_TheLastWindowHasBegun(world):
    """Rule 10: what is left ends by itself. Nor does it end twice."""
    terms = breached(world, windows=3, prepaid=3)
    with refused("SLAEscrow_NothingToEnd", 3):
        try_end(world, terms, [0, 1])
    terms = breached_again(world)
    end(world, terms, [0])
    with refused("SLAEscrow_NothingToEnd", 1):
        try_end(world, terms, [0])


def breached_again(world):
    """Another agreement, in its first window."""
    start = (world.now // 3_600 + 2) * 3_600
    feed = world.feed(start)
    terms = world.opened(feed, prepaid_windows=3, breaches_to_end=1)
    world.judge(feed, "b")
    world.settle(terms)
    return terms


def test_RevertWhen_NobodyOpenedTheAgreement(world):
    terms = world.terms(breaches_to_end=1)
    with refused("SLAEscrow_NotBreached", 0):
        try_end(world, terms, [0])
