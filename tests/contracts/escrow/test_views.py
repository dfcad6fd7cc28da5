"""What the escrow tells without being changed: `views.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from relayer.protocol.terms import Termination
from relayer.protocol.typed_data import Domain, digest, termination_message, terms_message
from tests import samples
from tests.contracts.escrow.world import FUNDED, NONE, UNFUNDED, on_ganache, request


def test_When_TermsAreHashed(world):
    """Rule 21: the Python twin and the contract agree on what is signed."""
    for terms in (world.terms(), world.terms(world.feed(), world.feed(threshold=1), windows=9)):
        assert world.escrow.agreementId(terms.as_abi()) == "0x" + world.id_of(terms).hex()


def test_When_TheChainChangesItsId(world):
    """Rule 21: after a fork, signatures of one branch are worth nothing on the other."""
    terms = world.terms()
    before = world.escrow.agreementId(terms.as_abi())
    if on_ganache():  # which cannot: at least the id is that of the chain it runs on
        assert before == "0x" + world.id_of(terms).hex()
        return
    request("anvil_setChainId", 4_321)
    try:
        forked = Domain(4_321, world.escrow.address)
        assert (
            world.escrow.agreementId(terms.as_abi())
            == "0x" + digest(terms_message(forked, terms)).hex()
            != before
        )
    finally:
        request("anvil_setChainId", 31_337)


def test_When_NothingWasEverHeardOfAnId(world):
    assert world.escrow.status(b"\x01" * 32) == NONE
    assert world.escrow.endOf(b"\x01" * 32) == 0
    assert str(world.escrow.firstOf(b"\x01" * 32)) == "0x" + "01" * 32
    assert tuple(world.escrow.bondOf(b"\x01" * 32)) == (0, 0, 0)
    assert world.escrow.payoutOf(world.stranger) == world.stranger
    assert not world.escrow.revoked(world.stranger, b"\x01" * 32)
    assert tuple(world.escrow.windowOf(b"\x01" * 32, 0)) == (UNFUNDED, 0)
    assert tuple(world.escrow.windowOf(b"\x01" * 32, 2**256 - 1)) == (UNFUNDED, 0)
    assert world.escrow.held(world.stranger) == 0
    assert world.escrow.withdrawable(world.token, world.stranger) == 0


def test_When_ATerminationIsHashed(world):
    """Rule 21: the Python twin and the contract agree on what is signed."""
    for words in ((b"\x01" * 32, 0, 0, 0), (b"\xff" * 32, 2**16 - 1, 2**128 - 1, 2**40 - 1)):
        termination = Termination(*words)
        expected = digest(termination_message(world.domain, termination))
        assert bytes(world.escrow.terminationDigest(termination.as_abi())) == expected


def test_When_TheFeeOfAWindowIsAskedFor(world):
    """Rule 8: a window 0 that is short costs its share, rounded down."""
    whole, short = world.feed(), world.feed(offset=23)
    for feed, first in ((whole, 1_000), (short, 1_000 * 37 // 60)):
        terms = world.terms(feed, fee_per_window=1_000)
        assert world.escrow.feeOf(terms.as_abi(), 0) == first == terms.fee_of(0)
        assert world.escrow.feeOf(terms.as_abi(), 1) == 1_000
    # The second window of a feed is whole, though it is the agreement's first.
    later = world.start + 37 * 60
    terms = world.terms(short, fee_per_window=1_000, start=later, open_by=later)
    assert world.escrow.feeOf(terms.as_abi(), 0) == 1_000


@pytest.mark.parametrize("window", [0, 1, 65_534])
def test_When_TheExpiryIsAskedFor(world, window):
    """Rule 13: the longest deadline of all levels counts, wherever it stands."""
    short, long = world.feed(deadline=1_500), world.feed(deadline=30 * 86_400)
    for feeds in ((short, long), (long, short), (short,)):
        terms = world.terms(*feeds)
        longest = max(feed.measurement.deadline for feed in feeds)
        expiry = world.start + (window + 1) * 3_600 + 2 * longest + 30 * 86_400
        assert world.escrow.expiryOf(terms.as_abi(), window) == expiry == terms.expiry(window)


def test_When_AStrangerSendsTokens(world):
    """Rule 22: what nobody asked for belongs to nobody and moves nothing."""
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "b")
    before = world.claimable(terms), world.window(terms), world.escrow.held(world.token)

    world.token.mint(world.stranger, 7 * samples.FEE, {"from": world.stranger})
    world.token.transfer(world.escrow, 7 * samples.FEE, {"from": world.stranger})

    assert (world.claimable(terms), world.window(terms), world.escrow.held(world.token)) == before
    assert world.window(terms) == (FUNDED, 0)
    world.settle(terms)
    world.judge(feed, "g" * 59)
    world.close(terms)
    assert world.balances() == (samples.FEE * 9 // 10, samples.FEE // 10, 7 * samples.FEE)
    assert world.escrow.held(world.token) == 0
