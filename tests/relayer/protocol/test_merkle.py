"""The tree whose root a reporter signs: rules 15 and 21."""

import pytest
from eth_abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol import merkle
from tests.vectors import load

VECTORS = load("merkle")
LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def data(hexadecimal):
    return bytes.fromhex(hexadecimal[2:])


def parent(one, other):
    return keccak(min(one, other) + max(one, other))


def process(leaf, proof):
    """OpenZeppelin's `MerkleProof.processProof`."""
    for sibling in proof:
        leaf = parent(leaf, sibling)
    return leaf


def process_many(leaves, proof, flags):
    """OpenZeppelin's `MerkleProof.processMultiProof`."""
    assert len(leaves) + len(proof) == len(flags) + 1
    queue, proof = list(leaves), list(proof)
    for known in flags:
        one = queue.pop(0)
        queue.append(parent(one, queue.pop(0) if known else proof.pop(0)))
    assert not proof
    assert len(queue) == 1
    return queue[0]


def test_leaves():
    for feed_id, first, readings, leaf in VECTORS["leaves"]:
        assert merkle.leaf(data(feed_id), first, data(readings)) == data(leaf)


@pytest.mark.parametrize("tree", VECTORS["trees"], ids=lambda tree: len(tree["leaves"]))
def test_trees(tree):
    leaves, root = [data(leaf) for leaf in tree["leaves"]], data(tree["root"])
    assert merkle.root(leaves) == root
    for index, hashes in tree["proofs"]:
        proof = [data(item) for item in hashes]
        assert merkle.proof(leaves, index) == proof
        assert process(leaves[index], proof) == root
    for vector in tree["multiproofs"]:
        proof, flags = [data(item) for item in vector["proof"]], vector["proof_flags"]
        assert merkle.multiproof(leaves, vector["indices"]) == (proof, flags)
        known = [leaves[i] for i in vector["indices"]]
        assert process_many(known, proof, flags) == root


@given(LEAVES, st.data())
def test_any_leaves_lead_to_the_root(leaves, draw):
    indices = draw.draw(st.sets(st.integers(0, len(leaves) - 1), min_size=1))
    proof, flags = merkle.multiproof(leaves, indices)
    known = [leaves[i] for i in sorted(indices)]
    assert process_many(known, proof, flags) == merkle.root(leaves)
    index = min(indices)
    assert process(leaves[index], merkle.proof(leaves, index)) == merkle.root(leaves)


def test_one_leaf_is_the_root():
    leaf = b"\1" * 32
    assert merkle.root([leaf]) == leaf
    assert merkle.proof([leaf], 0) == []
    assert merkle.multiproof([leaf], [0]) == ([], [])


def test_all_leaves_need_no_proof():
    leaves = [bytes([i]) * 32 for i in range(5)]
    assert merkle.multiproof(leaves, range(5)) == ([], [True] * 4)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_proof_of_what_is_not_there(index):
    leaves = [bytes([i]) * 32 for i in range(3)]
    with pytest.raises(ValueError, match="of 3"):
        merkle.proof(leaves, index)
    with pytest.raises(ValueError, match="of 3"):
        merkle.multiproof(leaves, [0, index])


def test_a_tree_has_a_leaf():
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle.root([])
    with pytest.raises(ValueError, match="of 1"):
        merkle.multiproof([b"\1" * 32], [])


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1), st.binary(max_size=80))
def test_a_leaf_is_what_the_abi_encodes(feed_id, first, readings):
    words = encode(["bytes32", "uint32", "bytes32"], [feed_id, first, keccak(readings)])
    assert merkle.leaf(feed_id, first, readings) == keccak(keccak(words))


@pytest.mark.parametrize(
    ("feed_id", "first"), [(bytes(31), 0), (bytes(33), 0), (bytes(32), -1), (bytes(32), 2**32)]
)
def test_what_no_feed_has_makes_no_leaf(feed_id, first):
    with pytest.raises(ValueError, match=r"has 32 bytes|does not lie between"):
        merkle.leaf(feed_id, first, b"")
