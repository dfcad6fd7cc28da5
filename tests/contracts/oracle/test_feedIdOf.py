"""See `feedIdOf.tree`. The shared vectors say what the ids are: `test_vectors.py`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

from dataclasses import replace

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from relayer.protocol.measurement import Comparison
from relayer.protocol.scope import Scope
from tests.contracts.oracle.desk import PARTIES, panel


def test_When_AFeedIsGivenInFull(feed):
    panel_, *words = feed.feed.as_abi()
    panel_hash = keccak(encode(["(address[],uint8,uint32,bytes32)"], [panel_]))
    words = encode(["bytes32", "uint256", "uint256", "bytes32"], [panel_hash, *words])
    assert bytes(feed.oracle.feedIdOf(feed.feed.as_abi())) == keccak(words)
    assert feed.feed.id == keccak(words)


def test_When_AnyPartOfAFeedIsChanged(feed):
    """Section 2: the id is the configuration, so no one can change a feed under an agreement."""
    one = feed.feed
    measurement = one.measurement
    feeds = [
        one,
        replace(one, descriptor=b"\xdf" * 32),
        replace(one, panel=panel(5, 3)),
        replace(one, panel=panel(3, 2, tolerance=1)),
        replace(one, panel=replace(one.panel, quorum=3)),
        *(
            replace(one, measurement=replace(measurement, **changes))
            for changes in (
                {"start": measurement.start + 1},
                {"interval": 61},
                {"window_intervals": 61},
                {"settle_delay": 31},
                {"deadline": 7_201},
                {"cadence": 601},
                {"comparison": Comparison.MORE_THAN},
                {"threshold": 990_001},
                {"offset": 1},
                {"notice": 1},
            )
        ),
        replace(one, panel=panel(3, parties=PARTIES)),
        replace(one, panel=panel(3, parties=PARTIES[::-1])),
        *(
            replace(one, scope=scope)
            for scope in (Scope(best=1), Scope(worst=1), Scope(allowance=1), Scope(hours_off=1))
        ),
    ]
    assert len({bytes(feed.oracle.feedIdOf(other.as_abi())) for other in feeds}) == len(feeds)
