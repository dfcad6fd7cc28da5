"""What the escrow tells without being changed: `views.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from relayer.protocol.typed_data import Domain, digest, terms_message
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
    assert tuple(world.escrow.windowOf(b"\x01" * 32, 0)) == (UNFUNDED, 0)
    assert tuple(world.escrow.windowOf(b"\x01" * 32, 2**256 - 1)) == (UNFUNDED, 0)
    assert world.escrow.held(world.stranger) == 0
    assert world.escrow.withdrawable(world.token, world.stranger) == 0


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
