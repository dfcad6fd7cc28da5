"""What both parties sign, put together byte by byte as EIP-712 says, with times that follow from it."""

from bisect import bisect_left
from random import Random
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.samples import wallet
from tests.vectors import calendar_months, measurement, scope
from tests.vectors.digests import CHAIN_IDS, address, data, hexadecimal, number, signature

# What account 8 of the test mnemonic deploys first, second and third on the chains that the contract tests run on.
DEPLOYER = 8
ESCROW, TOKEN, ORACLE = (
    to_checksum_address(keccak(b"\xd6\x94" + bytes.fromhex(wallet(DEPLOYER).address[2:]) + n)[12:])
    for n in (b"\x80", b"\x01", b"\x02")
)
PROVIDER, CONSUMER, ARBITER = 1, 2, 7
AVERAGE = 3
DAY = 86_400
YEAR_2100 = 4_102_444_800

NOBODY = "0x" + 40 * "0"
NO_TERMS = hexadecimal(bytes(32))
MONTHS = measurement.MONTHS

FEED = "FeedRef(bytes32 panel,uint256 measurement,uint256 scope,bytes32 descriptor)"
TIER = "Tier(uint8 measure,uint32 limit,uint16 credit)"
LEVEL = "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)"
TERMS = (
    "Terms(address provider,address consumer,address token,address oracle,bytes32 previous,uint40 start,"
    "uint40 openBy,uint128 feePerWindow,uint16 windows,uint16 prepaidWindows,uint128 bond,Level[] levels,"
    "uint8 combination,uint16 creditCap,uint8 unknownPolicy,uint32 unknownLimit,uint16 unknownCredit,"
    "address arbiter,uint32 challengePeriod,uint128 disputeDeposit,uint16 breachesToEnd,uint32 noticePeriod,"
    "bytes32 document,bytes32 salt)"
)
TERMINATION = "Termination(bytes32 agreement,uint16 window,uint128 toProvider,uint40 validUntil)"


def type_hash(*types: str) -> bytes:
    """The type itself first, then those it refers to, in alphabetical order."""
    return keccak(text=types[0] + "".join(sorted(types[1:])))


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
        + data(terms["previous"])
        + number(terms["start"])
        + number(terms["open_by"])
        + number(int(terms["fee_per_window"]))
        + number(terms["windows"])
        + number(terms["prepaid_windows"])
        + number(int(terms["bond"]))
        + keccak(b"".join(map(level_hash, terms["levels"])))
        + number(terms["combination"])
        + number(terms["credit_cap"])
        + number(terms["unknown_policy"])
        + number(terms["unknown_limit"])
        + number(terms["unknown_credit"])
        + address(terms["arbiter"])
        + number(terms["challenge_period"])
        + number(int(terms["dispute_deposit"]))
        + number(terms["breaches_to_end"])
        + number(terms["notice_period"])
        + data(terms["document"])
        + data(terms["salt"])
    )


def termination_hash(agreement: bytes, fields: dict[str, Any]) -> bytes:
    return keccak(
        type_hash(TERMINATION)
        + agreement
        + number(fields["window"])
        + number(int(fields["to_provider"]))
        + number(fields["valid_until"])
    )


def digest(chain_id: int, hashed: bytes) -> bytes:
    domain = keccak(
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        + keccak(b"Makegood SLAEscrow")
        + keccak(b"1")
        + number(chain_id)
        + address(ESCROW)
    )
    return keccak(b"\x19\x01" + domain + hashed)


def build() -> dict[str, list[Any]]:
    made = [signed(terms, Random(number_)) for number_, terms in enumerate(samples(Random(9)))]
    return {"deployer": [DEPLOYER], "contracts": [ESCROW, TOKEN, ORACLE], "terms": made}


def signed(made: dict[str, Any], random: Random) -> dict[str, Any]:
    helpers = ("begins", "first_period", "longest_deadline", "feed_windows")
    begins, period, deadline, feed_windows = (made[name] for name in helpers)
    terms = {name: value for name, value in made.items() if name not in helpers}
    fee = int(terms["fee_per_window"])
    fees = [fee * (begins[1] - begins[0]) // period] + [fee] * terms["windows"]
    termination = {
        "window": random.choice((0, random.randrange(2**16))),
        "to_provider": str(random.randrange(fee + 1)),
        "valid_until": random.choice((2**40 - 1, random.randrange(2**40))),
    }
    return {
        "terms": terms,
        "struct_hash": hexadecimal(struct_hash(terms)),
        # window, its begin, when it can be closed without its oracle, its fee
        "times": [
            [w, begins[w], begins[w + 1] + 2 * deadline + 30 * DAY, str(fees[w])]
            for w in sorted({0, 1, terms["windows"] - 1})
        ],
        # time, and the first window that begins then or later
        "from": [
            [time, bisect_left(begins, time)]
            for begin in (begins[0], begins[1], begins[7])
            for time in (begin - 1, begin, begin + 1)
        ],
        # for each level, the number that its feed gives to window 0
        "feed_windows": feed_windows,
        "termination": termination,
        "agreements": [
            {
                "chain_id": chain_id,
                "id": hexadecimal(id_),
                "provider": signature(PROVIDER, id_),
                "consumer": signature(CONSUMER, id_),
                "termination": end(chain_id, id_, termination),
            }
            for chain_id in CHAIN_IDS
            for id_ in [digest(chain_id, struct_hash(terms))]
        ],
    }


def end(chain_id: int, id_: bytes, fields: dict[str, Any]) -> dict[str, str]:
    """How both end this agreement."""
    hashed = termination_hash(id_, fields)
    ended = digest(chain_id, hashed)
    return {
        "struct_hash": hexadecimal(hashed),
        "digest": hexadecimal(ended),
        "provider": signature(PROVIDER, ended),
        "consumer": signature(CONSUMER, ended),
    }


def samples(random: Random):
    yield from (one(random, levels, tiers) for levels, tiers in ((1, 1), (1, 0), (1, 8), (8, 8)))
    least = one(random, 1, 1) | {"open_by": 0, "windows": 1, "prepaid_windows": 0}
    yield least | {"fee_per_window": "1", "credit_cap": 1, "unknown_limit": 0, "unknown_credit": 0}
    most = one(random, 2, 2) | {"fee_per_window": str(2**112 - 1), "windows": 512}
    yield most | {"credit_cap": 10_000, "unknown_limit": 1_000_000, "unknown_credit": 10_000}
    bonded = one(random, 1, 1) | {"prepaid_windows": 0, "bond": str(2**128 - 1)}
    yield bonded | {"credit_cap": 2**16 - 1, "unknown_credit": 2**16 - 1}
    disputed = one(random, 1, 1) | {
        "arbiter": wallet(ARBITER).address,
        "challenge_period": 30 * DAY,
    }
    yield disputed | {"dispute_deposit": str(2**128 - 1)}
    yield one(random, 1, 1) | {"breaches_to_end": 2**16 - 1, "notice_period": 2**32 - 1}
    # Terms that differ in one word only.
    twin = one(random, 2, 3)
    yield twin
    yield twin | {name: twin[name][::-1] for name in ("levels", "feed_windows")}
    yield twin | {"salt": hexadecimal(bytes(32))}
    yield twin | {"previous": hexadecimal(random.randbytes(32)), "prepaid_windows": 0}
    for kind in (fixed, monthly, late, late_month):
        for _ in range(6):
            yield one(random, random.randint(1, 4), random.randint(0, 4), kind)


# Windows of an agreement: their length [s, or MONTHS], when each begins, length of the period that window 0 is the end of [s].


def fixed(random: Random) -> tuple[int, list[int], int]:
    length = random.choice((3_600, DAY, 30 * DAY))
    start = random.randint(YEAR_2100 + 400 * DAY, 2**40 - 514 * length)
    start -= random.choice((0, start % 3_600))
    return length, [start + w * length for w in range(514)], length


def late(random: Random) -> tuple[int, list[int], int]:
    """The feeds begin in the middle of a window."""
    length, begins, _ = fixed(random)
    return length, [begins[0] + 600 * random.randint(1, 5), *begins[1:]], length


def monthly(random: Random) -> tuple[int, list[int], int]:
    index = calendar_months.index_of(YEAR_2100) + random.randint(13, 3_000)
    begins = calendar_months.starts()[index : index + 514]
    return MONTHS, begins, begins[1] - begins[0]


def late_month(random: Random) -> tuple[int, list[int], int]:
    _, begins, period = monthly(random)
    return MONTHS, [begins[0] + 3_600 * random.randint(1, 27 * 24), *begins[1:]], period


def one(random: Random, levels: int, tiers: int, kind: Any = fixed) -> dict[str, Any]:
    """Valid terms of the next century: no chain under test has reached their start."""
    length, begins, period = kind(random)
    start, windows = begins[0], random.randint(2, 60)
    short = kind in {late, late_month}
    feeds = [a_feed(random, length, begins, short=short) for _ in range(levels)]
    scopes = [judged(random, feed) for feed in feeds]
    bond = random.choice((0, 0, 0, random.randrange(1, 10**20)))
    most = 2**16 - 1 if bond else 10_000
    disputable = random.random() < 0.3
    return {
        "provider": wallet(PROVIDER).address,
        "consumer": wallet(CONSUMER).address,
        "token": TOKEN,
        "oracle": ORACLE,
        "previous": NO_TERMS,
        "start": start,
        "open_by": start - random.randint(0, DAY),
        # as text, because other languages' JSON numbers end at 2^53
        # and so much that a short window 0, of some 600 s at least, is not free
        "fee_per_window": str(random.randint(10**4, 10 ** random.randint(5, 33))),
        "windows": windows,
        "prepaid_windows": 0 if bond else random.randint(0, windows),
        "bond": str(bond),
        "levels": [
            {
                "feed": [
                    hexadecimal(random.randbytes(32)),
                    measurement.word({name: feed[name] for name in measurement.PLAIN}),
                    scope.word(scope_),
                    hexadecimal(random.randbytes(32)),
                ],
                "tiers": [tier(random, feed, scope_, most) for _ in range(tiers)],
                "per_bad": random.randint(1, most) if tiers == 0 else random.choice((0, 17)),
                "removed": random.random() < 0.5,
            }
            for feed, scope_ in zip(feeds, scopes, strict=True)
        ],
        "combination": random.randrange(2),
        "credit_cap": random.randint(1, most),
        "unknown_policy": random.randrange(3),
        "unknown_limit": random.randint(0, 1_000_000),
        "unknown_credit": random.randint(0, most),
        "arbiter": wallet(ARBITER).address if disputable else NOBODY,
        "challenge_period": random.randint(1, 30 * DAY) if disputable else 0,
        "dispute_deposit": str(random.randint(0, 10**20)) if disputable else "0",
        "breaches_to_end": random.choice((0, 3)),
        "notice_period": random.choice((0, random.randrange(2**32))),
        "document": hexadecimal(random.randbytes(32)),
        "salt": hexadecimal(random.randbytes(32)),
        "begins": begins,
        "first_period": period,
        "longest_deadline": max(feed["deadline"] for feed in feeds),
        "feed_windows": [feed["window"] for feed in feeds],
    }


def a_feed(random: Random, length: int, begins: list[int], *, short: bool) -> dict[str, int]:
    interval = random.choice((10, 60, 300, 600))
    settle_delay, cadence = random.randint(0, 900), random.randint(0, 3_600)
    start, before, window = placed(random, length, begins, short=short)
    return {
        "start": start,
        "interval": interval,
        "window_intervals": length // interval,
        "settle_delay": settle_delay,
        "deadline": settle_delay + 2 * cadence + random.randint(1, DAY),
        "cadence": cadence,
        "comparison": random.randrange(6),
        "threshold": random.randrange(2**32),
        "offset": before // interval,
        "window": window,
        "notice": random.choice((0, random.randrange(2**24))),
    }


def placed(random: Random, length: int, begins: list[int], *, short: bool) -> tuple[int, int, int]:
    """When a feed begins, what its window 0 lacks of a whole one [s; 0 for months], its number for the agreement's window 0.

    Feeds of whole windows may have begun earlier, and in the middle of a window.
    """
    start = begins[0]
    if short:
        return start, length and length - (begins[1] - start), 0
    earlier = random.choice((0, 1, 12))
    if length == MONTHS:
        begin = calendar_months.starts()[calendar_months.index_of(start) - earlier]
        into = random.choice((0, 3_600 * random.randrange(28 * 24))) if earlier else 0
        return begin + into, 0, earlier
    into = random.choice((0, length // 6 * random.randint(1, 5))) if earlier else 0
    return start - earlier * length + into, into, earlier


def judged(random: Random, feed: dict[str, int]) -> dict[str, int]:
    ends = random.choice(((0, 0), (random.randrange(2**31), random.randrange(2**31, 2**32 - 2))))
    best, worst = random.sample(ends, 2)
    aligned = feed["start"] % feed["interval"] == 0
    return {
        "best": best,
        "worst": worst,
        "allowance": random.choice((0, random.randrange(2**24))),
        "hours_off": random.choice((0, scope.NIGHTS)) if aligned else 0,
    }


def tier(random: Random, feed: dict[str, int], scope_: dict[str, int], most: int) -> list[int]:
    credit = random.randint(1, most)
    low, high = sorted((scope_["best"], scope_["worst"]))
    measure = random.randrange(4 if high else 3)
    if measure == AVERAGE:
        limits = (low, high - 1) if scope_["worst"] == high else (low + 1, high)
        return [measure, random.randint(*limits), credit]
    longest = feed["window_intervals"] or 31 * DAY // feed["interval"]
    return [measure, random.randint(1, longest if measure else 1_000_000), credit]
