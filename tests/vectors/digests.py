"""Ids of feeds and what reporters sign, put together byte by byte as Solidity's ABI and EIP-712 say."""

from random import Random
from typing import Any

from eth_keys import keys
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.samples import wallet
from tests.vectors import measurement

# What account 9 of the test mnemonic deploys first, on the chains that the contract tests run on.
DEPLOYER = 9
CONTRACT = keccak(b"\xd6\x94" + bytes.fromhex(wallet(DEPLOYER).address[2:]) + b"\x80")[12:]
CHAIN_IDS = (31_337, 1_337)
START = 1_600_000_000  # long over on every chain under test


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def address(hexadecimal: str) -> bytes:
    return bytes(12) + bytes.fromhex(hexadecimal[2:])


def panel_hash(reporters: list[str], quorum: int, tolerance: int) -> bytes:
    """abi.encode of a struct that holds an array: offset of the struct; its members; the array they point to."""
    head = number(32)
    members = number(96) + number(quorum) + number(tolerance)
    array = number(len(reporters)) + b"".join(map(address, reporters))
    return keccak(head + members + array)


def digest(chain_id: int, feed_id: bytes, first: int, readings: bytes, evidence: bytes) -> bytes:
    domain = keccak(
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        + keccak(b"Makegood MonitoringOracle")
        + keccak(b"1")
        + number(chain_id)
        + bytes(12)
        + CONTRACT
    )
    batch = keccak(
        keccak(b"Batch(bytes32 feedId,uint32 first,bytes readings,bytes32 evidence)")
        + feed_id
        + number(first)
        + keccak(readings)
        + evidence
    )
    return keccak(b"\x19\x01" + domain + batch)


def build() -> dict[str, list[Any]]:
    feeds = [feed(reporters, Random(reporters)) for reporters in (1, 3, 4, 5, 31)]
    return {
        "deployer": [DEPLOYER],
        "contract": [to_checksum_address(CONTRACT)],
        "feeds": feeds,
        "batches": [
            batch(chain_id, index, feeds[index], Random(6 + 10 * index + number_))
            for chain_id in CHAIN_IDS
            for index in range(len(feeds))
            for number_ in range(3)
        ],
    }


def feed(reporters: int, random: Random) -> dict[str, Any]:
    wallets = [wallet(20 + i) for i in range(reporters)]
    addresses = sorted((w.address for w in wallets), key=lambda text: int(text, 16))
    quorum = 1 if reporters == 1 else reporters - 1
    tolerance = random.choice((0, 1, 2**32 - 1))
    word = measurement.word(measurement.PLAIN | {"start": START, "threshold": reporters})
    descriptor = random.randbytes(32)
    panel = panel_hash(addresses, quorum, tolerance)
    return {
        "reporters": addresses,
        "quorum": quorum,
        "tolerance": tolerance,
        "measurement": word,
        "descriptor": hexadecimal(descriptor),
        "panel": hexadecimal(panel),
        "id": hexadecimal(keccak(panel + bytes.fromhex(word[2:]) + descriptor)),
    }


def batch(chain_id: int, index: int, feed_: dict[str, Any], random: Random) -> dict[str, Any]:
    """One string of readings and a quorum of signatures under it, each with evidence of its own."""
    keys_ = {w.address: w.key for w in (wallet(20 + i) for i in range(len(feed_["reporters"])))}
    # Feeds are reported from their beginning; a number with all its bits tells the field's width apart.
    first = random.choice((0, 0, 2**32 - 1))
    readings = random.randbytes(4 * random.choice((1, 2, 7, 8, 9, 60)))
    signatures = []
    for reporter in range(feed_["quorum"]):
        evidence = random.choice((bytes(32), random.randbytes(32)))
        hashed = digest(chain_id, bytes.fromhex(feed_["id"][2:]), first, readings, evidence)
        key = keys.PrivateKey(bytes(keys_[feed_["reporters"][reporter]]))
        signed = key.sign_msg_hash(hashed)
        signatures.append(
            {
                "reporter": reporter,
                "evidence": hexadecimal(evidence),
                "digest": hexadecimal(hashed),
                "r": hexadecimal(number(signed.r)),
                "vs": hexadecimal(number(signed.v << 255 | signed.s)),
            }
        )
    return {
        "chain_id": chain_id,
        "feed": index,
        "first": first,
        "readings": hexadecimal(readings),
        "signatures": signatures,
    }


def hexadecimal(data: bytes) -> str:
    return "0x" + data.hex()
