"""See `exclusionDigest.tree`. The shared vectors say what the digests are: `test_vectors.py`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

import brownie

from relayer.protocol.typed_data import digest, exclusion_message


def test_When_ASpanIsGiven(feed):
    """Rule 21: one type per kind of message."""
    message = exclusion_message(feed.domain, feed.feed.id, 7, 9)
    assert bytes(feed.oracle.exclusionDigest(feed.feed.id, 7, 9)) == digest(message)


def test_When_AnyFieldIsChanged(feed):
    last = 2**32 - 1
    spans = [(b"\1" * 32, 7, 9), (b"\2" * 32, 7, 9), (b"\1" * 32, 6, 9), (b"\1" * 32, 7, last)]
    twin = brownie.MonitoringOracle.deploy({"from": brownie.accounts[0]})
    digests = {bytes(feed.oracle.exclusionDigest(*span)) for span in spans}
    digests |= {bytes(twin.exclusionDigest(*span)) for span in spans}
    assert len(digests) == 2 * len(spans)
