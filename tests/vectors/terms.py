"""What both parties sign, put together byte by byte as EIP-712 says, with times that follow from it."""

from random import Random
from typing import Any

from eth_keys import keys
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.samples import wallet
from tests.vectors import measurement
from tests.vectors.digests import CHAIN_IDS, address, hexadecimal, number

# What account 8 of the test mnemonic deploys first, second and third on the chains that the contract tests run on.
DEPLOYER = 8
ESCROW, TOKEN, ORACLE = (
    to_checksum_address(keccak(b"\xd6\x94" + bytes.fromhex(wallet(DEPLOYER).address[2:]) + n)[12:])
    for n in (b"\x80", b"\x01", b"\x02")
)
PROVIDER, CONSUMER = 1, 2
DAY = 86_400
YEAR_2100 = 4_102_444_800

FEED = "FeedRef(bytes32 panel,uint256 measurement,bytes32 descriptor)"
TIER = "Tier(uint8 measure,uint32 limit,uint16 credit)"
LEVEL = "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)"
TERMS = (
    "Terms(address provider,address consumer,address token,address oracle,uint40 start,uint40 openBy,"
    "uint128 feePerWindow,uint16 windows,uint16 prepaidWindows,Level[] levels,uint8 combination,"
    "uint16 creditCap,uint8 unknownPolicy,uint32 unknownLimit,uint16 unknownCredit,bytes32 document,"
    "bytes32 salt)"
)


def type_hash(*types: str) -> bytes:
    """The type itself first, then those it refers to, in alphabetical order."""
    return keccak(text=types[0] + "".join(sorted(types[1:])))


def data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def level_hash(level: dict[str, Any]) -> bytes:
    feed = keccak(type_hash(FEED) + b"".join(map(data, level["feed"])))
    tiers = b"".join(
        keccak(type_hash(TIER) + b"".join(map(number, tier))) for tier in level["tiers"]
    )
    return keccak(
        type_hash(LEVEL, FEED, TIER)
        + feed
        + keccak(tiers)
        + number(level["per_bad"])
        + number(level["removed"])
    )


def struct_hash(terms: dict[str, Any]) -> bytes:
    return keccak(
        type_hash(TERMS, FEED, LEVEL, TIER)
        + b"".join(address(terms[name]) for name in ("provider", "consumer", "token", "oracle"))
        + number(terms["start"])
        + number(terms["open_by"])
        + number(int(terms["fee_per_window"]))
        + number(terms["windows"])
        + number(terms["prepaid_windows"])
        + keccak(b"".join(map(level_hash, terms["levels"])))
        + number(terms["combination"])
        + number(terms["credit_cap"])
        + number(terms["unknown_policy"])
        + number(terms["unknown_limit"])
        + number(terms["unknown_credit"])
        + data(terms["document"])
        + data(terms["salt"])
    )


def agreement_id(terms: dict[str, Any], chain_id: int) -> bytes:
    domain = keccak(
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        + keccak(b"Makegood SLAEscrow")
        + keccak(b"1")
        + number(chain_id)
        + address(ESCROW)
    )
    return keccak(b"\x19\x01" + domain + struct_hash(terms))


def signature(account: int, digest: bytes) -> str:
    signed = keys.PrivateKey(bytes(wallet(account).key)).sign_msg_hash(digest)
    return hexadecimal(number(signed.r) + number(signed.s) + bytes([27 + signed.v]))


def build() -> dict[str, list[Any]]:
    return {
        "deployer": [DEPLOYER],
        "contracts": [ESCROW, TOKEN, ORACLE],
        "terms": [signed(terms) for terms in samples(Random(9))],
    }


def signed(made: dict[str, Any]) -> dict[str, Any]:
    helpers = ("window_seconds", "longest_deadline")
    length, deadline = (made[name] for name in helpers)
    terms = {name: value for name, value in made.items() if name not in helpers}
    ids = {chain_id: agreement_id(terms, chain_id) for chain_id in CHAIN_IDS}
    return {
        "terms": terms,
        "struct_hash": hexadecimal(struct_hash(terms)),
        # window, its begin, and when it can be closed without its oracle
        "times": [
            [
                w,
                terms["start"] + w * length,
                terms["start"] + (w + 1) * length + 2 * deadline + 30 * DAY,
            ]
            for w in (0, 1, terms["windows"] - 1)
        ],
        "agreements": [
            {
                "chain_id": chain_id,
                "id": hexadecimal(id_),
                "provider": signature(PROVIDER, id_),
                "consumer": signature(CONSUMER, id_),
            }
            for chain_id, id_ in ids.items()
        ],
    }


def samples(random: Random):
    yield from (one(random, levels, tiers) for levels, tiers in ((1, 1), (1, 0), (1, 8), (8, 8)))
    least = one(random, 1, 1) | {"open_by": 0, "windows": 1, "prepaid_windows": 0}
    yield least | {"fee_per_window": "1", "credit_cap": 1, "unknown_limit": 0, "unknown_credit": 0}
    most = one(random, 2, 2) | {"fee_per_window": str(2**128 - 1), "windows": 2**16 - 1}
    yield most | {"credit_cap": 10_000, "unknown_limit": 1_000_000, "unknown_credit": 10_000}
    # Terms that differ in one word only.
    twin = one(random, 2, 3)
    yield twin
    yield twin | {"levels": twin["levels"][::-1]}
    yield twin | {"salt": hexadecimal(bytes(32))}
    for _ in range(20):
        yield one(random, random.randint(1, 4), random.randint(0, 4))


def one(random: Random, levels: int, tiers: int) -> dict[str, Any]:
    """Valid terms of the next century: no chain under test has reached their start."""
    length = random.choice((3_600, DAY, 30 * DAY))
    start = random.randint(YEAR_2100 + 400 * DAY, 2**40 - 400 * DAY)
    feeds = []
    longest = 0
    for _ in range(levels):
        interval = random.choice((10, 60, 300, 3_600))
        settle_delay, cadence = random.randint(0, 900), random.randint(0, 3_600)
        deadline = settle_delay + 2 * cadence + random.randint(1, DAY)
        longest = max(longest, deadline)
        feeds.append(
            {
                "start": start - length * random.choice((0, 0, 1, 12)),
                "interval": interval,
                "window_intervals": length // interval,
                "settle_delay": settle_delay,
                "deadline": deadline,
                "cadence": cadence,
                "comparison": random.randrange(6),
                "threshold": random.randrange(2**32),
            }
        )
    windows = random.randint(2, 60)
    return {
        "provider": wallet(PROVIDER).address,
        "consumer": wallet(CONSUMER).address,
        "token": TOKEN,
        "oracle": ORACLE,
        "start": start,
        "open_by": start - random.randint(0, DAY),
        # as text, because other languages' JSON numbers end at 2^53
        "fee_per_window": str(random.randint(1, 10 ** random.randint(1, 38))),
        "windows": windows,
        "prepaid_windows": random.randint(0, windows),
        "levels": [
            {
                "feed": [
                    hexadecimal(random.randbytes(32)),
                    measurement.word(feed),
                    hexadecimal(random.randbytes(32)),
                ],
                "tiers": [tier(random, feed["window_intervals"]) for _ in range(tiers)],
                "per_bad": random.randint(1, 10_000) if tiers == 0 else random.choice((0, 17)),
                "removed": random.random() < 0.5,
            }
            for feed in feeds
        ],
        "combination": random.randrange(2),
        "credit_cap": random.randint(1, 10_000),
        "unknown_policy": random.randrange(3),
        "unknown_limit": random.randint(0, 1_000_000),
        "unknown_credit": random.randint(0, 10_000),
        "document": hexadecimal(random.randbytes(32)),
        "salt": hexadecimal(random.randbytes(32)),
        "window_seconds": length,
        "longest_deadline": longest,
    }


def tier(random: Random, intervals: int) -> list[int]:
    measure = random.randrange(3)
    most = intervals if measure else 1_000_000
    return [measure, random.randint(1, most), random.randint(1, 10_000)]
