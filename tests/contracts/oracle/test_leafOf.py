"""See `leafOf.tree`. The shared vectors say what the leaves are: `test_vectors.py`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

from eth_abi.abi import encode
from eth_utils.crypto import keccak

FEED, READINGS = b"\xfe" * 32, bytes.fromhex("000f424000000000ffffffff")


def test_When_ReadingsAreGiven(oracle):
    """Rule 21: hashed twice, so that no node of a tree is one."""
    data = encode(["bytes32", "uint32", "bytes32"], [FEED, 7, keccak(READINGS)])
    assert bytes(oracle.leafOf(FEED, 7, READINGS)) == keccak(keccak(data))


def test_When_AnyFieldIsChanged(oracle):
    leaves = [
        (FEED, 7, READINGS),
        (b"\xff" * 32, 7, READINGS),
        (FEED, 8, READINGS),
        (FEED, 2**32 - 1, READINGS),
        (FEED, 7, READINGS[:-4]),
        (FEED, 7, READINGS + bytes(4)),
    ]
    assert len({bytes(oracle.leafOf(*leaf)) for leaf in leaves}) == len(leaves)
