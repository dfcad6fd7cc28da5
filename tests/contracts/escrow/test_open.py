"""Opening an agreement: `open.tree`. What is signed, bounded and paid is in `test_open_*.py`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest
from eth_utils.crypto import keccak

from tests import samples
from tests.contracts.escrow.world import (
    BURN_GAS,
    FUNDED,
    OPEN,
    REVERT,
    UNFUNDED,
    ZERO_HASH,
    events,
    refused,
    set_storage,
    tally_answer,
)


def test_When_BothPartiesHaveSigned(world):
    """Rules 12 and 21."""
    terms = world.terms(prepaid_windows=2)
    id_ = world.id_of(terms)

    tx = world.open(terms)

    assert tx.return_value == "0x" + id_.hex()
    assert world.escrow.status(id_) == OPEN
    assert [world.window(terms, w) for w in range(3)] == [(FUNDED, 0), (FUNDED, 0), (UNFUNDED, 0)]
    assert world.balances() == (0, 0, 2 * samples.FEE)
    assert world.escrow.held(world.token) == 2 * samples.FEE
    (opened,) = events(tx, "Opened")
    assert (opened["id"], opened["provider"], opened["consumer"]) == (
        "0x" + id_.hex(),
        world.provider,
        world.consumer,
    )
    # Whoever reads the event has all that `settle` and `close` need.
    assert world.escrow.agreementId(opened["terms"]) == "0x" + id_.hex()
    assert world.escrow.endOf(id_) == 3
    assert str(world.escrow.firstOf(id_)) == "0x" + id_.hex()
    assert events(tx, "Funded") == [
        {
            "id": "0x" + id_.hex(),
            "first": 0,
            "count": 2,
            "amount": 2 * samples.FEE,
            "payer": world.consumer,
        }
    ]


def test_When_AStrangerBringsTheSignatures(world):
    """Rule 12: the consumer's allowance is not the stranger's to use."""
    terms = world.terms()
    world.give(world.consumer, 5 * samples.FEE)

    world.open(terms, payer=world.stranger)

    assert world.token.balanceOf(world.consumer) == 5 * samples.FEE
    assert world.token.allowance(world.consumer, world.escrow) == 5 * samples.FEE
    assert world.token.balanceOf(world.stranger) == 0
    assert world.escrow.held(world.token) == samples.FEE


def test_When_NoWindowIsPrepaid(world):
    terms = world.terms(prepaid_windows=0)

    tx = world.open(terms)

    assert "Funded" not in tx.events
    assert world.escrow.status(world.id_of(terms)) == OPEN
    assert world.window(terms) == (UNFUNDED, 0)
    assert world.escrow.held(world.token) == 0


def test_When_ItIsTheLastSecond(world):
    """Rule 1: openBy is the last time at which an agreement is opened, and may be its start."""
    terms = world.terms(prepaid_windows=0)
    world.at(terms.open_by)
    world.open(terms)
    assert world.now == terms.open_by == terms.start
    assert world.escrow.status(world.id_of(terms)) == OPEN


def test_RevertWhen_OpenByIsOver(world):
    """Rule 1: a signature is no option on a past that is known."""
    terms = world.terms(prepaid_windows=0, open_by=world.start - 600)
    world.at(terms.open_by + 1)
    with refused("SLAEscrow_TooLateToOpen", terms.open_by):
        world.open(terms)


def test_RevertWhen_APrepaidWindowHasBegun(world):
    """Rule 11: also in the very second in which it begins, which openBy may allow."""
    terms = world.terms()
    world.give(world.consumer, samples.FEE)
    world.at(terms.start)
    with refused("SLAEscrow_WindowBegan", 0, terms.start):
        world.escrow.open(
            terms.as_abi(), *samples.signatures(world.domain, terms), {"from": world.consumer}
        )


def test_RevertWhen_TheOracleHasJudgedAnIntervalOfTheFirstWindow(scripted):
    """Rule 1. An honest oracle cannot have; but only the oracle's word counts."""
    world = scripted
    terms = world.terms(prepaid_windows=0)
    world.oracle.script(0, tally_answer(judged=1), {"from": world.stranger})
    with refused("SLAEscrow_AlreadyJudged", 0):
        world.try_open(terms)
    world.oracle.script(0, tally_answer(judged=0), {"from": world.stranger})
    world.open(terms)


def test_RevertWhen_OnlyALaterLevelsFeedHasJudgedAnIntervalOfTheFirstWindow(world):
    """Rule 1 holds for every feed of the agreement."""
    feeds = [world.feed(descriptor=bytes([i]) * 32) for i in range(3)]
    # The oracle's storage is forced to what its rules do not allow: next interval 1.
    slot = keccak(feeds[1].id + (0).to_bytes(32, "big"))
    set_storage(world.oracle, slot, 1)
    assert world.oracle.latest(feeds[1].id)[0] == 1
    with refused("SLAEscrow_AlreadyJudged", 1):
        world.try_open(world.terms(*feeds, prepaid_windows=0))


def test_When_FeedsWereJudgedBeforeTheFirstWindowOnly(world):
    """Rules 1 and 8: a feed may have a past, just not in the agreement."""
    feed = world.feed()
    world.judge(feed, "b" * 59)
    terms = world.terms(
        feed, start=world.start + 2 * 3_600, open_by=world.start + 2 * 3_600, windows=1
    )
    world.open(terms)
    assert world.claimable(terms) == (0, 0, False)


@pytest.mark.parametrize("mode", [REVERT, BURN_GAS])
def test_RevertWhen_TheOracleGivesNoSoundAnswer(scripted, mode):
    """Rule 13 is for exits; into an agreement with a dead oracle nobody is let."""
    world = scripted
    terms = world.terms(prepaid_windows=0)
    world.oracle.script(mode, b"", {"from": world.stranger})
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.try_open(terms)


def test_RevertGiven_TheIdIsOpen(world):
    """Rule 21: an id is used once, also when the agreement is over."""
    terms = world.opened()
    with refused("SLAEscrow_IdUsed", world.id_of(terms), 1):
        world.try_open(terms)


def test_RevertGiven_TheIdHasEnded(world):
    """Rule 21."""
    terms = world.opened()
    world.terminate(terms, world.termination(terms))
    with refused("SLAEscrow_IdUsed", world.id_of(terms), 2):
        world.try_open(terms)


def test_RevertWhen_TheTermsHaveAPrevious(world):
    """Rule 6: terms that amend others are opened by `amend`, which checks what they may amend."""
    current = world.opened()
    next_ = world.next_terms(current, 1)
    with refused("SLAEscrow_Previous", ZERO_HASH, world.id_of(current)):
        world.try_open(next_)
