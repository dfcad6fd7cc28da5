"""Terminations that are refused: `terminate.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest

from relayer.protocol.typed_data import Domain, sign, termination_message
from tests import samples
from tests.contracts.escrow.world import FUNDED, refused

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4


def test_RevertWhen_ItsTimeIsOver(world):
    """Rule 10: an offer that nobody took up does not hang over the agreement for ever."""
    terms = world.opened()
    termination = world.termination(terms)
    world.at(termination.valid_until + 1)
    with refused("SLAEscrow_TerminationExpired", termination.valid_until):
        world.terminate(terms, termination)


def test_RevertWhen_ItIsForOtherTerms(world):
    """Rule 21."""
    terms, other = world.opened(), world.opened(salt=bytes(32))
    with refused("SLAEscrow_OtherAgreement", world.id_of(other)):
        world.try_terminate(terms, world.termination(other))


def test_RevertWhen_TheSplitExceedsWhatIsHeld(world):
    """Rule 10: another agreement's money is there, and stays there."""
    terms = world.opened()
    world.opened(salt=bytes(32), prepaid_windows=3)
    for to_provider in (FEE + 1, 2**128 - 1):
        with refused("SLAEscrow_SplitExceedsHeld", to_provider, FEE):
            world.try_terminate(terms, world.termination(terms, 0, to_provider))
    assert world.try_terminate(terms, world.termination(terms, 0, FEE)) == 0


def test_RevertWhen_TooMuchWasSettledInBetween(world):
    """Rule 10: credits paid stand; then both have to agree again."""
    feed = world.feed()
    terms = world.opened(feed)
    termination = world.termination(terms, 0, FEE - TENTH)
    world.judge(feed, "b" * 6)
    world.settle(terms)
    with refused("SLAEscrow_SplitExceedsHeld", FEE - TENTH, FEE - QUARTER):
        world.try_terminate(terms, termination)


def test_RevertWhen_ThereIsNothingToEnd(world):
    """Rules 10 and 21: never opened, ended by the same signatures, beyond the end, all closed."""
    never = world.terms(salt=b"\x09" * 32)
    with refused("SLAEscrow_NothingToEnd", 0):
        world.try_terminate(never, world.termination(never))
    feed = world.feed()
    terms = world.opened(feed, prepaid_windows=2)
    with refused("SLAEscrow_NothingToEnd", 3):
        world.try_terminate(terms, world.termination(terms, 3))
    with refused("SLAEscrow_NothingToEnd", 2**16 - 1):
        world.try_terminate(terms, world.termination(terms, 2**16 - 1))
    termination = world.termination(terms, 1)
    world.terminate(terms, termination)
    with refused("SLAEscrow_NothingToEnd", 1):
        world.try_terminate(terms, termination)
    world.judge(feed, "g" * 60)
    world.close(terms)
    # Nothing is held, but the agreement had ended with window 1 only.
    world.terminate(terms, world.termination(terms))
    with refused("SLAEscrow_NothingToEnd", 0):
        world.try_terminate(terms, world.termination(terms))


def test_RevertWhen_ASignatureIsSomebodyElses(world):
    """Rule 21: nobody ends alone."""
    terms = world.opened()
    termination = world.termination(terms)
    message = termination_message(world.domain, termination)
    provider, consumer = world.both(message)
    forged = sign(samples.wallet(3), message)
    for signed, party in (
        ((forged, consumer), terms.provider),
        ((provider, forged), terms.consumer),
        ((consumer, provider), terms.provider),
        ((provider, provider), terms.consumer),
        ((consumer, consumer), terms.provider),
        ((b"", consumer), terms.provider),
    ):
        with refused("PartySignatures_Invalid", party):
            world.try_terminate(terms, termination, signed)
    elsewhere = Domain(world.domain.chain_id + 1, world.escrow.address)
    with refused("PartySignatures_Invalid", terms.provider):
        signed = world.both(termination_message(elsewhere, termination))
        world.try_terminate(terms, termination, signed)


CHANGES = {"window": 1, "to_provider": 1, "valid_until": 2**40 - 1}


@pytest.mark.parametrize("name", [*CHANGES, "agreement"])
def test_RevertWhen_AFieldDiffersFromWhatWasSigned(world, name):
    """Rule 21."""
    terms = world.opened(prepaid_windows=2)
    other = world.opened(salt=bytes(32), prepaid_windows=2)
    signed = world.termination(other if name == "agreement" else terms)
    changed = replace(signed, agreement=world.id_of(terms))
    if name in CHANGES:
        changed = replace(signed, **{name: CHANGES[name]})
    old = world.both(termination_message(world.domain, signed))
    new = world.both(termination_message(world.domain, changed))
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_terminate(terms, changed, (old[0], new[1]))
    with refused("PartySignatures_Invalid", terms.consumer):
        world.try_terminate(terms, changed, (new[0], old[1]))
    assert world.try_terminate(terms, changed, new) is not None


@pytest.mark.parametrize(("word", "width"), [(1, 16), (2, 128), (3, 40)])
def test_RevertWhen_AWordHoldsWhatItsTypeDoesNotAllow(world, word, width):
    """Rule 21: there is one encoding of a termination."""
    terms = world.opened()
    termination = world.termination(terms)
    signed = world.both(termination_message(world.domain, termination))
    encoded = world.escrow.terminate.encode_input(terms.as_abi(), termination.as_abi(), *signed)
    data = bytes.fromhex(encoded[2:])
    # After the selector: where the terms are, the four words of the termination, where the signatures are.
    first = 4 + 32 + 32 * word

    def answer(bit):
        value = int.from_bytes(data[first : first + 32], "big") | (1 << bit if bit else 0)
        dirty = data[:first] + value.to_bytes(32, "big") + data[first + 32 :]
        call = {"from": str(world.stranger), "to": world.escrow.address, "data": "0x" + dirty.hex()}
        return brownie.web3.provider.make_request("eth_call", [call, "latest"])

    assert "error" not in answer(None)
    for bit in (width, 255):
        assert "error" in answer(bit)


def test_RevertWhen_TheSignaturesAreUnderTheTerms(world):
    """Rule 21: one type per kind of message; those are public since the agreement was opened."""
    terms = world.opened()
    with refused("PartySignatures_Invalid", terms.provider):
        world.try_terminate(
            terms, world.termination(terms), samples.signatures(world.domain, terms)
        )


@pytest.mark.parametrize("number", [1, 2])
def test_RevertGiven_APartyHasWithdrawnItsSignature(world, number):
    """Rule 21."""
    terms = world.opened()
    termination = world.termination(terms)
    digest = bytes(world.escrow.terminationDigest(termination.as_abi()))
    party = brownie.accounts[number]
    world.escrow.revoke(digest, {"from": party})
    with refused("PartySignatures_Revoked", party.address, digest):
        world.try_terminate(terms, termination)
    assert world.statuses(terms)[0] == FUNDED
