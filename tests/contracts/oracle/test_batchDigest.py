"""See `batchDigest.tree`. The shared vectors say what the digests are: `test_vectors.py`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

import brownie
from eth_abi.abi import encode
from eth_utils.crypto import keccak

ROOT = b"\xaa" * 32
EVIDENCE = b"\xee" * 32


def test_When_ARootAndEvidenceAreGiven(feed):
    """Rule 21: the domain names the contract and the chain; its name and version can be asked for (ERC-5267)."""
    fields, name, version, chain_id, contract, salt, extensions = feed.oracle.eip712Domain()
    assert (str(fields), name, version) == ("0x0f", "Makegood MonitoringOracle", "1")
    assert (chain_id, contract) == (brownie.chain.id, feed.oracle.address)
    assert (int(str(salt), 16), tuple(extensions)) == (0, ())

    domain_type = (
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    )
    domain = keccak(
        keccak(text=domain_type)
        + keccak(text=name)
        + keccak(text=version)
        + encode(["uint256", "address"], [chain_id, contract])
    )
    batch = keccak(keccak(text="Batch(bytes32 root,bytes32 evidence)") + ROOT + EVIDENCE)
    assert bytes(feed.oracle.batchDigest(ROOT, EVIDENCE)) == keccak(b"\x19\x01" + domain + batch)


def test_When_AnyFieldIsChanged(feed):
    batches = [(ROOT, EVIDENCE), (b"\1" * 32, EVIDENCE), (ROOT, bytes(32)), (EVIDENCE, ROOT)]
    twin = brownie.MonitoringOracle.deploy({"from": brownie.accounts[0]})
    digests = {bytes(feed.oracle.batchDigest(*batch)) for batch in batches}
    digests |= {bytes(twin.batchDigest(*batch)) for batch in batches}
    assert len(digests) == 2 * len(batches)
