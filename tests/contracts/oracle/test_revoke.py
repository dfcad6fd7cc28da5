"""Withdrawn signatures of parties: rule 21. See `revoke.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

from dataclasses import replace

import brownie
import pytest

from relayer.protocol.feed import parties_hash
from relayer.protocol.scope import Scope
from tests.contracts.oracle.desk import PARTIES, panel, refused

PROVIDER, CONSUMER = PARTIES


@pytest.fixture
def feed(open_desk):
    return open_desk(panel(parties=PARTIES), scope=Scope(allowance=6))


def digest_of(feed, first=3, end=6):
    return bytes(feed.oracle.exclusionDigest(feed.feed.id, first, end))


def revoke(feed, party, digest):
    return feed.oracle.revoke(digest, {"from": party})


def test_When_TheSignatureWasGivenAndNotUsed(feed):
    signatures = feed.sign_exclusion(3, 6)
    revoke(feed, PROVIDER.address, digest_of(feed))
    with refused("PartySignatures_Revoked", PROVIDER.address, digest_of(feed)):
        feed.exclude(3, 6, signatures)


def test_When_TheSignatureIsGivenLater(feed):
    """For good: the same words are never agreed to again."""
    revoke(feed, CONSUMER.address, digest_of(feed))
    with refused("PartySignatures_Revoked", CONSUMER.address, digest_of(feed)):
        feed.exclude(3, 6)
    feed.exclude(3, 5)
    assert len(feed.oracle.exclusions(feed.feed.id, 0)) == 1


def test_When_TheSignatureWasUsedAlready(feed):
    feed.exclude(3, 6)
    revoke(feed, PROVIDER.address, digest_of(feed))
    assert feed.tally(0).planned == 57
    feed.judge("gggbbb")
    assert feed.tally(0).bad == 0


@pytest.mark.parametrize("somebody", [0, 5])
def test_When_SomebodyElseRevokesTheDigest(feed, somebody):
    revoke(feed, brownie.accounts[somebody], digest_of(feed))
    assert not feed.oracle.revoked(PROVIDER.address, digest_of(feed))
    feed.exclude(3, 6)
    assert len(feed.oracle.exclusions(feed.feed.id, 0)) == 1


def test_When_AWalletContractRevokes(open_desk):
    wallet = brownie.MockWallet.deploy(CONSUMER.address, {"from": brownie.accounts[0]})
    parties = (PROVIDER, wallet)
    panel_ = replace(panel(), parties=parties_hash([party.address for party in parties]))
    feed = open_desk(panel_, scope=Scope(allowance=6))
    digest = digest_of(feed)
    data = feed.oracle.revoke.encode_input(digest)
    wallet.execute(feed.oracle, data, {"from": brownie.accounts[5]})
    with refused("PartySignatures_Revoked", wallet.address, digest):
        feed.exclude(3, 6, feed.sign_exclusion(3, 6), parties)


def test_When_ItIsRevokedTwice(feed):
    for _ in range(2):
        revoke(feed, PROVIDER.address, digest_of(feed))
        assert feed.oracle.revoked(PROVIDER.address, digest_of(feed))


def test_When_ItSucceeds(feed):
    digest = digest_of(feed)
    tx = revoke(feed, PROVIDER.address, digest)
    assert len(tx.events) == 1
    event = tx.events["SignatureRevoked"]
    assert (event["party"], bytes(event["digest"])) == (PROVIDER.address, digest)
    assert feed.oracle.revoked(PROVIDER.address, digest)
    assert not feed.oracle.revoked(CONSUMER.address, digest)
    assert not feed.oracle.revoked(PROVIDER.address, digest_of(feed, 3, 7))
