"""The tree whose root a reporter signs: one leaf per feed, proofs as OpenZeppelin's ``MerkleProof`` takes them.

Node k of a tree with n leaves is leaf k for k < n, and else the hash of nodes 2 (k - n) and 2 (k - n) + 1, the smaller
first; the root is node 2n - 2. A tree of one leaf is that leaf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eth_hash.auto import keccak

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def leaf(feed_id: bytes, first: int, readings: bytes) -> bytes:
    """The leaf of a feed: its packed readings of intervals from ``first`` on. Hashed twice, so that no node can pass for one."""
    if len(feed_id) != 32:
        raise ValueError(f"a feed's id has 32 bytes, not {len(feed_id)}")
    if not 0 <= first < 1 << 32:
        raise ValueError(f"interval {first} does not lie between 0 and 4294967295")
    # abi.encode(bytes32, uint32, bytes32): three words
    return keccak(keccak(feed_id + first.to_bytes(32, "big") + keccak(readings)))


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree with these leaves, in this order."""
    return _nodes(leaves)[-1]


def proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf ``index`` to the root: for ``MerkleProof.processProof``."""
    nodes = _nodes(leaves)
    if not 0 <= index < len(leaves):
        raise ValueError(f"leaf {index} of {len(leaves)}")
    siblings = []
    while index < len(nodes) - 1:
        siblings.append(nodes[index ^ 1])
        index = len(leaves) + index // 2
    return siblings


def multiproof(leaves: Sequence[bytes], indices: Collection[int]) -> tuple[list[bytes], list[bool]]:
    """Hashes and flags that lead from some leaves, in the order of the tree, to the root: for ``MerkleProof.processMultiProof``."""
    nodes = _nodes(leaves)
    known = set(indices)
    if not known or not known <= set(range(len(leaves))):
        raise ValueError(f"leaves {sorted(known)} of {len(leaves)}")
    hashes, flags = [], []
    for k in range(len(leaves) - 1):
        pair = (2 * k, 2 * k + 1)
        unknown = [nodes[child] for child in pair if child not in known]
        if len(unknown) == 2:
            continue
        flags.append(not unknown)
        hashes += unknown
        known.add(len(leaves) + k)
    return hashes, flags


def _nodes(leaves: Sequence[bytes]) -> list[bytes]:
    if not leaves:
        raise ValueError("a tree has at least one leaf")
    nodes = list(leaves)
    for k in range(len(leaves) - 1):
        one, other = nodes[2 * k], nodes[2 * k + 1]
        nodes.append(keccak(one + other if one < other else other + one))
    return nodes
