"""Ids of feeds and what reporters sign, put together byte by byte as Solidity's ABI and EIP-712 say."""

from random import Random
from typing import Any

from eth_keys import keys
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.samples import wallet
from tests.vectors import measurement, merkle, scope

# What account 9 of the test mnemonic deploys first, on the chains that the contract tests run on.
DEPLOYER = 9
CONTRACT = keccak(b"\xd6\x94" + bytes.fromhex(wallet(DEPLOYER).address[2:]) + b"\x80")[12:]
CHAIN_IDS = (31_337, 1_337)
START = 1_600_300_800  # a midnight long over on every chain under test
DAY = 86_400
# Account numbers of those who may exclude spans, in the order in which they are hashed.
PARTIES: tuple[tuple[int, ...], ...] = ((), (1,), (2, 1), (), (1, 2, 3))
SCOPES = (
    {},
    {"best": 1_000, "worst": 5},
    {"hours_off": scope.WEEKEND},
    {"allowance": 10},
    {"best": 0, "worst": 2**32 - 3, "allowance": 2**24 - 1, "hours_off": scope.NIGHTS},
)


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def address(hexadecimal: str) -> bytes:
    return bytes(12) + bytes.fromhex(hexadecimal[2:])


def parties_hash(parties: list[str]) -> bytes:
    """abi.encode of an array: its offset, its length, its members. Nothing if there are none."""
    if not parties:
        return bytes(32)
    return keccak(number(32) + number(len(parties)) + b"".join(map(address, parties)))


def panel_hash(reporters: list[str], quorum: int, tolerance: int, parties: bytes) -> bytes:
    """abi.encode of a struct that holds an array: offset of the struct; its members; the array they point to."""
    head = number(32)
    members = number(128) + number(quorum) + number(tolerance) + parties
    array = number(len(reporters)) + b"".join(map(address, reporters))
    return keccak(head + members + array)


def digest(chain_id: int, struct_hash: bytes) -> bytes:
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
    return keccak(b"\x19\x01" + domain + struct_hash)


def batch_hash(root: bytes, evidence: bytes) -> bytes:
    return keccak(keccak(b"Batch(bytes32 root,bytes32 evidence)") + root + evidence)


def exclusion_hash(feed_id: bytes, first: int, end: int) -> bytes:
    kind = keccak(b"Exclusion(bytes32 feedId,uint32 first,uint32 end)")
    return keccak(kind + feed_id + number(first) + number(end))


def build() -> dict[str, list[Any]]:
    feeds = [feed(index, reporters) for index, reporters in enumerate((1, 3, 4, 5, 31))]
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
        "bundles": [
            bundle(chain_id, index, feeds[index], Random(7 + 10 * index + number_))
            for chain_id in CHAIN_IDS
            for index in (0, 1, 3)
            for number_ in range(5)
        ],
        "exclusions": [
            exclusion(chain_id, index, feeds[index], Random(8 + index))
            for chain_id in CHAIN_IDS
            for index in range(len(feeds))
            if feeds[index]["parties"]
        ],
    }


def feed(index: int, reporters: int) -> dict[str, Any]:
    random = Random(reporters)
    wallets = [wallet(20 + i) for i in range(reporters)]
    addresses = sorted((w.address for w in wallets), key=lambda text: int(text, 16))
    quorum = 1 if reporters == 1 else reporters - 1
    tolerance = random.choice((0, 1, 2**32 - 1))
    parties = [wallet(account).address for account in PARTIES[index]]
    panel = panel_hash(addresses, quorum, tolerance, parties_hash(parties))
    times = {"start": START, "threshold": reporters, "notice": reporters}
    if index % 2:
        times["window_intervals"] = measurement.MONTHS
    return {
        "reporters": addresses,
        "quorum": quorum,
        "tolerance": tolerance,
        "parties": parties,
        "parties_hash": hexadecimal(parties_hash(parties)),
        "panel": hexadecimal(panel),
        **words(panel, measurement.PLAIN | times, SCOPES[index], random.randbytes(32)),
    }


def words(
    panel: bytes, times: dict[str, int], scope_: dict[str, int], descriptor: bytes
) -> dict[str, str]:
    """What of a feed is beside its panel, and its id."""
    made = {
        "measurement": measurement.word(times),
        "scope": scope.word(scope_),
        "descriptor": hexadecimal(descriptor),
    }
    return made | {"id": hexadecimal(keccak(panel + b"".join(map(data, made.values()))))}


def batch(chain_id: int, index: int, feed_: dict[str, Any], random: Random) -> dict[str, Any]:
    """One string of readings and a quorum of signatures under it, each with evidence of its own."""
    # Feeds are reported from their beginning; a number with all its bits tells the field's width apart.
    first = random.choice((0, 0, 2**32 - 1))
    readings = random.randbytes(4 * random.choice((1, 2, 7, 8, 9, 60)))
    leaf = merkle.leaf(data(feed_["id"]), first, readings)
    return {
        "chain_id": chain_id,
        "feed": index,
        "first": first,
        "readings": hexadecimal(readings),
        "leaf": hexadecimal(leaf),
        "signatures": signatures(chain_id, feed_, leaf, random),
    }


def signatures(
    chain_id: int, feed_: dict[str, Any], root: bytes, random: Random
) -> list[dict[str, Any]]:
    """Of a quorum of the feed's panel."""
    keys_ = {w.address: w.key for w in (wallet(20 + i) for i in range(len(feed_["reporters"])))}
    made = []
    for reporter in range(feed_["quorum"]):
        evidence = random.choice((bytes(32), random.randbytes(32)))
        hashed = digest(chain_id, batch_hash(root, evidence))
        key = keys.PrivateKey(bytes(keys_[feed_["reporters"][reporter]]))
        signed = key.sign_msg_hash(hashed)
        made.append(
            {
                "reporter": reporter,
                "evidence": hexadecimal(evidence),
                "digest": hexadecimal(hashed),
                "r": hexadecimal(number(signed.r)),
                "vs": hexadecimal(number(signed.v << 255 | signed.s)),
            }
        )
    return made


def bundle(chain_id: int, index: int, feed_: dict[str, Any], random: Random) -> dict[str, Any]:
    """A report of some feeds of a panel: of those that the reporters signed together some are left out, and others are new."""
    size = random.choice((1, 2, 3, 5, 9))
    others = [
        words(
            data(feed_["panel"]),
            measurement.PLAIN | {"start": START, "threshold": random.randrange(2**32)},
            random.choice(SCOPES),
            random.randbytes(32),
        )
        for _ in range(size + 2)
    ]
    signed, new = others[:size], others[size:]
    tree = [
        {
            "id": item["id"],
            "first": 0,
            "readings": hexadecimal(random.randbytes(4 * random.choice((1, 2, 7)))),
        }
        for item in signed
    ]
    leaves = [merkle.leaf(data(t["id"]), t["first"], data(t["readings"])) for t in tree]
    chosen = sorted(random.sample(range(size), random.randint(1, size)))
    reported: list[Any] = [(signed[i], i) for i in chosen]
    for item in random.sample(new, random.randint(0, 2)):
        reported.insert(random.randint(0, len(reported)), (item, None))
    proof, flags = merkle.multiproof(leaves, set(chosen))
    counts = [0 if i is None else len(data(tree[i]["readings"])) // 4 for _, i in reported]
    return {
        "chain_id": chain_id,
        "feed": index,
        "tree": tree,
        "root": hexadecimal(merkle.root(leaves)),
        "signatures": signatures(chain_id, feed_, merkle.root(leaves), random),
        "feeds": [item for item, _ in reported],
        "leaves": [i for _, i in reported],
        "readings": hexadecimal(
            b"".join(
                bytes(6)
                if i is None
                else tree[i]["first"].to_bytes(4, "big")
                + count.to_bytes(2, "big")
                + data(tree[i]["readings"])
                for (_, i), count in zip(reported, counts, strict=True)
            )
        ),
        "proof": [hexadecimal(item) for item in proof],
        # those of a whole tree are left out
        "proof_flags": flags if proof else [],
        "next": counts,
        "paths": [[hexadecimal(item) for item in merkle.proof(leaves, i)] for i in range(size)],
    }


def exclusion(chain_id: int, index: int, feed_: dict[str, Any], random: Random) -> dict[str, Any]:
    """A span with the signatures of all parties of the feed."""
    first = random.choice((0, 1, random.randrange(2**32 - 1)))
    end = random.choice((first + 1, 2**32 - 1))
    hashed = digest(chain_id, exclusion_hash(data(feed_["id"]), first, end))
    return {
        "chain_id": chain_id,
        "feed": index,
        "first": first,
        "end": end,
        "digest": hexadecimal(hashed),
        "signatures": [signature(account, hashed) for account in PARTIES[index]],
    }


def signature(account: int, digest_: bytes) -> str:
    """65 bytes (r, s, v), by account `account` of the test mnemonic."""
    signed = keys.PrivateKey(bytes(wallet(account).key)).sign_msg_hash(digest_)
    return hexadecimal(number(signed.r) + number(signed.s) + bytes([27 + signed.v]))


def hexadecimal(data_: bytes) -> str:
    return "0x" + data_.hex()


def data(text: str) -> bytes:
    return bytes.fromhex(text[2:])
