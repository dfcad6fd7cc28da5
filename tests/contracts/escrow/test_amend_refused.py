"""Amendments that are refused: `amend.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from relayer.protocol.typed_data import sign, terms_message
from tests import samples
from tests.contracts.escrow.world import FUNDED, ZERO_HASH, refused, tally_answer

FEE = samples.FEE
HOUR = 3_600


def test_RevertWhen_ThePreviousIsAnother(world):
    """Rule 6: the history cannot fork, nor leave out a version."""
    current, other = world.opened(), world.opened(salt=bytes(32))
    for previous in (world.id_of(other), ZERO_HASH):
        next_ = world.next_terms(current, 1, previous=previous)
        with refused("SLAEscrow_Previous", world.id_of(current), previous):
            world.try_amend(current, next_)


def test_RevertWhen_TheTermsAreNotOpen(world):
    """Rules 6 and 21: never opened, ended, or amended before."""
    never = world.terms()
    ended = world.opened(salt=b"\x01" * 32)
    world.terminate(ended, world.termination(ended))
    amended = world.opened(salt=b"\x02" * 32)
    world.amended(amended, 2)
    for current in (never, ended, amended):
        next_ = world.next_terms(current, 1, salt=b"\x07" * 32)
        with refused("SLAEscrow_NotOpen", world.id_of(current)):
            world.try_amend(current, next_)


CHANGES = {
    "provider": {"provider": samples.wallet(4).address},
    "consumer": {"consumer": samples.wallet(4).address},
    "token": {"token": "spare"},
    "oracle": {"oracle": "spare"},
    "a bond": {"bond": 1},
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("prepaid", [0, 3])
def test_RevertWhen_AMemberChangesThatCannot(world, name, prepaid):
    """Rule 6: whether windows are funded or not, and though all have signed."""
    current = world.opened(prepaid_windows=prepaid)
    spare = brownie.MonitoringOracle.deploy({"from": world.stranger}).address
    changes = {key: spare if value == "spare" else value for key, value in CHANGES[name].items()}
    next_ = world.next_terms(current, 1, **changes)
    keys = {samples.wallet(i).address: samples.wallet(i) for i in (1, 2, 4)}
    message = terms_message(world.domain, next_)
    signed = [sign(keys[party], message) for party in (next_.provider, next_.consumer)]
    with refused("SLAEscrow_NotAmendable"):
        world.try_amend(current, next_, signed)


def test_RevertWhen_TheFeeOfAFundedWindowChanges(world):
    """Rule 6: up or down, and by the share that a short window is."""
    current = world.opened(prepaid_windows=3)
    for fee in (FEE - 1, FEE + 1):
        with refused("SLAEscrow_NotAmendable"):
            world.try_amend(current, world.next_terms(current, 2, fee_per_window=fee))
    short = world.feed(current.window_start(2), offset=30)
    with refused("SLAEscrow_NotAmendable"):
        world.try_amend(current, world.next_terms(current, 2, short))
    assert world.try_amend(current, world.next_terms(current, 2, short, fee_per_window=2 * FEE))
    assert world.try_amend(current, world.next_terms(current, 3, fee_per_window=1))


def test_RevertWhen_AFundedWindowHasNoPlace(world):
    """Rule 6: its fee would be nobody's."""
    current = world.opened(windows=5, prepaid_windows=4)
    with refused("SLAEscrow_NotAmendable"):
        world.try_amend(current, world.next_terms(current, 1, windows=2))
    assert world.try_amend(current, world.next_terms(current, 1, windows=3))


@pytest.mark.parametrize("offset", [-HOUR, -1, 60, 1_800, HOUR + 60, 4 * HOUR])
def test_RevertWhen_ItBeginsAtNoBoundary(world, offset):
    """Rule 6: neither within a window nor before the terms or after their end. The feed of the new terms fits."""
    current = world.opened(prepaid_windows=3)
    start = current.start + offset
    next_ = world.next_terms(current, 1, world.feed(start), start=start, open_by=start)
    with refused("SLAEscrow_NoBoundary", start):
        world.try_amend(current, next_)


def test_RevertWhen_ItsFirstWindowHasBegun(world):
    """Rules 1 and 6: in the very second in which it begins it has begun. `openBy` holds for amendments too."""
    current = world.opened(prepaid_windows=3)
    next_ = world.next_terms(current, 1)
    for late in (0, 1):
        world.at(next_.start + late)
        with refused("SLAEscrow_WindowBegan", 1, next_.start):
            world.amend(current, next_)
    early = world.next_terms(current, 2, open_by=next_.start)
    with refused("SLAEscrow_TooLateToOpen", early.open_by):
        world.amend(current, early)
    late = world.next_terms(current, 2)
    with refused("SLAEscrow_Times", late.start + 1, late.start):
        world.amend(current, replace(late, open_by=late.start + 1))


def test_RevertWhen_ItsFeedsHaveJudgedAlready(scripted):
    """Rule 1."""
    world = scripted
    world.oracle.script(0, tally_answer(), {"from": world.stranger})
    current = world.opened(prepaid_windows=3)
    world.oracle.script(0, tally_answer(judged=1), {"from": world.stranger})
    with refused("SLAEscrow_AlreadyJudged", 0):
        world.try_amend(current, world.next_terms(current, 1))
    assert world.statuses(current) == [FUNDED] * 3


def test_RevertWhen_TheNewTermsAreOutOfBounds(world):
    """Rules 6 and 13: they are checked as those of any agreement."""
    current = world.opened()
    for changes, error, *values in (
        ({"levels": ()}, "Levels", 0),
        ({"credit_cap": 10_001}, "Credit", 10_001),
        ({"windows": 513}, "Windows", 0, 513),
    ):
        next_ = world.next_terms(current, 1, **changes)
        with refused(f"SLAEscrow_{error}", *values):
            world.try_amend(current, next_)


def test_RevertWhen_TheNewTermsPrepay(world):
    """Rule 6: the prepaid windows may be those that are funded already."""
    current = world.opened()
    with refused("SLAEscrow_Windows", 1, 3):
        world.try_amend(current, world.next_terms(current, 1, prepaid_windows=1))


def test_RevertWhen_ASignatureIsSomebodyElses(world):
    """Rule 21: nobody amends alone."""
    current = world.opened()
    next_ = world.next_terms(current, 1)
    provider, consumer = samples.signatures(world.domain, next_)
    forged = sign(samples.wallet(3), terms_message(world.domain, next_))
    for signed, party in (
        ((forged, consumer), next_.provider),
        ((provider, forged), next_.consumer),
        ((consumer, provider), next_.provider),
        ((provider, provider), next_.consumer),
    ):
        with refused("PartySignatures_Invalid", party):
            world.try_amend(current, next_, signed)


def test_RevertWhen_TheSignaturesAreOfAnotherPrevious(world):
    """Rule 21: what amends one agreement does not amend another of the same parties."""
    current, other = world.opened(), world.opened(salt=bytes(32))
    signed = samples.signatures(world.domain, world.next_terms(current, 1))
    next_ = world.next_terms(current, 1, previous=world.id_of(other))
    with refused("PartySignatures_Invalid", next_.provider):
        world.try_amend(other, next_, signed)
    assert world.try_amend(other, next_)


@pytest.mark.parametrize("number", [1, 2])
def test_RevertGiven_APartyHasWithdrawnItsSignature(world, number):
    """Rules 1 and 21."""
    current = world.opened()
    next_ = world.next_terms(current, 1)
    party = brownie.accounts[number]
    world.escrow.revoke(world.id_of(next_), {"from": party})
    with refused("PartySignatures_Revoked", party.address, world.id_of(next_)):
        world.try_amend(current, next_)


def test_RevertWhen_ItIsBroughtAgain(world):
    """Rule 21."""
    current = world.opened(prepaid_windows=3)
    next_ = world.amended(current, 1)
    with refused("SLAEscrow_NotOpen", world.id_of(current)):
        world.try_amend(current, next_)
    # Nor is it ever opened as an agreement of its own.
    with refused("SLAEscrow_Previous", ZERO_HASH, next_.previous):
        world.try_open(next_)
