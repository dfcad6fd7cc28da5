"""The tree whose root a reporter signs, and the proofs of its leaves, by the definition of its nodes."""

from random import Random
from typing import Any

from eth_utils.crypto import keccak

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 31, 100)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def hexadecimal(data: bytes) -> str:
    return "0x" + data.hex()


def leaf(feed_id: bytes, first: int, readings: bytes) -> bytes:
    return keccak(keccak(feed_id + word(first) + keccak(readings)))


def node(leaves: list[bytes], k: int) -> bytes:
    """Node k: a leaf, or the hash of two nodes, the smaller first."""
    if k < len(leaves):
        return leaves[k]
    left, right = (node(leaves, child) for child in children(leaves, k))
    return keccak(min(left, right) + max(left, right))


def children(leaves: list[bytes], k: int) -> tuple[int, int]:
    return 2 * (k - len(leaves)), 2 * (k - len(leaves)) + 1


def below(leaves: list[bytes], k: int) -> set[int]:
    """The leaves under node k."""
    if k < len(leaves):
        return {k}
    left, right = (below(leaves, child) for child in children(leaves, k))
    return left | right


def root(leaves: list[bytes]) -> bytes:
    return node(leaves, 2 * len(leaves) - 2)


def proof(leaves: list[bytes], index: int) -> list[bytes]:
    """Siblings on the way up: of each node above the leaf, the child that does not hold it."""
    siblings = []
    for k in range(len(leaves), 2 * len(leaves) - 1):
        if index in below(leaves, k):
            (other,) = (c for c in children(leaves, k) if index not in below(leaves, c))
            siblings.append(node(leaves, other))
    return siblings


def multiproof(leaves: list[bytes], indices: set[int]) -> tuple[list[bytes], list[bool]]:
    """Of each node above one of the leaves: whether both children are, too, and if not, the one that is not."""
    hashes, flags = [], []
    for k in range(len(leaves), 2 * len(leaves) - 1):
        strangers = [c for c in children(leaves, k) if not below(leaves, c) & indices]
        if len(strangers) < 2:
            flags.append(not strangers)
            hashes += [node(leaves, c) for c in strangers]
    return hashes, flags


def build() -> dict[str, list[Any]]:
    random = Random(11)
    return {"leaves": [leaf_of(random) for _ in range(20)], "trees": [tree(size) for size in SIZES]}


def leaf_of(random: Random) -> list[Any]:
    """Feed, first interval, readings, leaf."""
    feed_id, first = random.randbytes(32), random.choice((0, 1, 2**32 - 1, random.randrange(2**32)))
    readings = random.randbytes(4 * random.choice((1, 2, 7, 8, 9, 60)))
    made = leaf(feed_id, first, readings)
    return [hexadecimal(feed_id), first, hexadecimal(readings), hexadecimal(made)]


def tree(size: int) -> dict[str, Any]:
    random = Random(size)
    leaves = [random.randbytes(32) for _ in range(size)]
    indices = range(size) if size <= 16 else (0, 1, size // 2, size - 2, size - 1)
    chosen = [{i for i in range(size) if bits >> i & 1} for bits in range(1, 2 ** min(size, 4))]
    chosen += [set(range(size)), *({i} for i in (0, size - 1))]
    chosen += [set(random.sample(range(size), random.randint(1, size))) for _ in range(6)]
    return {
        "leaves": [hexadecimal(item) for item in leaves],
        "root": hexadecimal(root(leaves)),
        # index of a leaf, and its proof
        "proofs": [[i, [hexadecimal(item) for item in proof(leaves, i)]] for i in indices],
        "multiproofs": [
            {
                "indices": sorted(some),
                "proof": [hexadecimal(item) for item in hashes],
                "proof_flags": flags,
            }
            for some in chosen
            for hashes, flags in [multiproof(leaves, some)]
        ],
    }
