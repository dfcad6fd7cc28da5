"""Terms (rules 1, 6, 8, 10, 13, 16, 19 and 21): the shared vectors, and what the twin refuses before anybody signs it."""

from dataclasses import replace

import pytest

from relayer.protocol.feed import FeedRef
from relayer.protocol.measurement import Measurement
from relayer.protocol.scope import Scope
from relayer.protocol.terms import (
    Combination,
    Level,
    Measure,
    Termination,
    Terms,
    Tier,
    UnknownPolicy,
)
from relayer.protocol.typed_data import (
    Domain,
    digest,
    recover,
    sign,
    termination_message,
    terms_message,
)
from tests import samples
from tests.vectors import load

VECTORS = load("terms")
ESCROW, TOKEN, ORACLE = VECTORS["contracts"]
START = 1_800_000_000


def data(text):
    return bytes.fromhex(text[2:])


def terms_of(vector):
    fields = dict(vector["terms"])
    levels = tuple(
        Level(
            FeedRef(
                data(level["feed"][0]),
                Measurement.unpack(int(level["feed"][1], 16)),
                data(level["feed"][3]),
                Scope.unpack(int(level["feed"][2], 16)),
            ),
            tuple(Tier(Measure(m), limit, credit) for m, limit, credit in level["tiers"]),
            level["per_bad"],
            level["removed"],
        )
        for level in fields["levels"]
    )
    return Terms(
        **fields
        | {
            "levels": levels,
            **{name: int(fields[name]) for name in ("fee_per_window", "bond", "dispute_deposit")},
            "previous": data(fields["previous"]),
            "combination": Combination(fields["combination"]),
            "unknown_policy": UnknownPolicy(fields["unknown_policy"]),
            "document": data(fields["document"]),
            "salt": data(fields["salt"]),
        }
    )


def test_hashes_ids_and_signatures():
    """Rule 21."""
    ids = set()
    for vector in VECTORS["terms"]:
        terms = terms_of(vector)
        assert terms.problem() is None
        for agreement in vector["agreements"]:
            message = terms_message(Domain(agreement["chain_id"], ESCROW), terms)
            assert message.body == data(vector["struct_hash"])
            assert digest(message) == data(agreement["id"])
            for account, name in ((1, "provider"), (2, "consumer")):
                assert sign(samples.wallet(account), message) == data(agreement[name])
                assert recover(message, data(agreement[name])) == getattr(terms, name)
            ids.add(agreement["id"])
    assert len(ids) == 2 * len(VECTORS["terms"])


def test_terminations():
    """Rules 10 and 21."""
    for vector in VECTORS["terms"]:
        fields = vector["termination"]
        for agreement in vector["agreements"]:
            termination = Termination(
                data(agreement["id"]),
                fields["window"],
                int(fields["to_provider"]),
                fields["valid_until"],
            )
            ended = agreement["termination"]
            message = termination_message(Domain(agreement["chain_id"], ESCROW), termination)
            assert message.body == data(ended["struct_hash"])
            assert digest(message) == data(ended["digest"])
            for account, name in ((1, "provider"), (2, "consumer")):
                assert sign(samples.wallet(account), message) == data(ended[name])


def test_times_and_fees():
    """Rules 8 and 13."""
    for vector in VECTORS["terms"]:
        terms = terms_of(vector)
        for i, number in enumerate(vector["feed_windows"]):
            assert terms.feed_window(i, 0) == number
        for time, window in vector["from"]:
            assert terms.window_from(time) == window
        for window, begin, expiry, fee in vector["times"]:
            assert terms.window_start(window) == begin
            assert terms.expiry(window) == expiry
            assert terms.fee_of(window) == int(fee)
            for i, level in enumerate(terms.levels):
                assert level.feed.measurement.window_start(terms.feed_window(i, window)) == begin


def test_the_vectors_cover_every_kind_of_window():
    """Rule 8: short windows 0, months, feeds that began earlier, and in the middle of a window."""
    made = [terms_of(vector) for vector in VECTORS["terms"]]
    assert sum(terms.fee_of(0) < terms.fee_per_window for terms in made) > 8
    assert sum(terms.window_seconds == 0 for terms in made) > 8
    feeds = [level.feed for terms in made for level in terms.levels]
    begins = [measurement.offset for measurement in (feed.measurement for feed in feeds)]
    assert sum(offset > 0 for offset in begins) > 15
    assert sum(vector["feed_windows"][0] > 0 for vector in VECTORS["terms"]) > 5
    measures = [tier.measure for terms in made for level in terms.levels for tier in level.tiers]
    assert set(measures) == set(Measure)


JUNE, JULY = 1_811_808_000, 1_814_400_000  # 2027


@pytest.mark.parametrize(
    ("measurement", "fee"),
    [
        ({"start": JUNE, "window_intervals": 0}, 100),
        ({"start": JULY - 15 * 86_400, "window_intervals": 0}, 50),
        ({"start": JULY - 1_440 * 60, "window_intervals": 0}, 3),
        ({"start": JUNE, "offset": 0}, 100),
        ({"start": JUNE, "offset": 1}, 98),
        ({"start": JUNE, "offset": 59}, 1),
    ],
)
def test_a_short_window_costs_its_share(measurement, fee):
    """Rule 8: rounded down."""
    terms = samples.terms(
        samples.feed(**measurement), token=TOKEN, oracle=ORACLE, fee_per_window=100
    )
    assert terms.problem() is None
    assert [terms.fee_of(window) for window in range(3)] == [fee, 100, 100]


# PROBLEMS

FEED = samples.feed(START)
TERMS = samples.terms(FEED, token=TOKEN, oracle=ORACLE)
LEVEL = TERMS.levels[0]
TIER = LEVEL.tiers[0]
ZERO = "0x" + "00" * 20


def levels(**changes):
    return {"levels": (replace(LEVEL, **changes),)}


def tier(measure, limit, credit):
    return levels(tiers=(Tier(measure, limit, credit),))


def second(start=START, **changes):
    other = samples.feed(start, **changes)
    return {"levels": (LEVEL, Level(other.ref, samples.TIERS[:1]))}


def months(start, *others, tiers=samples.TIERS):
    """One level for each start of a feed, all with calendar months."""
    feeds = [samples.feed(time, window_intervals=0) for time in (start, *others)]
    return {
        "start": start,
        "open_by": start,
        "levels": tuple(Level(feed.ref, tiers) for feed in feeds),
    }


def average(limit, best=20, worst=100):
    tiers = (Tier(Measure.AVERAGE_BEYOND, limit, 1),)
    return levels(feed=replace(LEVEL.feed, scope=Scope(best, worst)), tiers=tiers)


BOND = {"bond": 1, "prepaid_windows": 0}
ARBITER = {"arbiter": samples.wallet(7).address, "challenge_period": 1}
MONTH = 44_640  # minutes of 31 days


PROBLEMS = {
    "one party": {"consumer": TERMS.provider},
    "no provider": {"provider": ZERO},
    "no consumer": {"consumer": ZERO},
    "opened after the start": {"open_by": START + 1},
    "no fee": {"fee_per_window": 0},
    "fee too large": {"fee_per_window": 1 << 112},
    "no fee for a short window": months(JULY - 60) | {"fee_per_window": 43_199},
    "no window": {"windows": 0, "prepaid_windows": 0},
    "too many windows": {"windows": 513},
    "prepaid more than there are": {"prepaid_windows": 4},
    "prepaid less than none": {"prepaid_windows": -1},
    "cap of 0": {"credit_cap": 0},
    "cap over 100 %": {"credit_cap": 10_001},
    "default over 100 %": {"unknown_credit": 10_001},
    "default below 0": {"unknown_credit": -1},
    "unknown limit over 100 %": {"unknown_limit": 1_000_001},
    "unknown limit below 0": {"unknown_limit": -1},
    "no level": {"levels": ()},
    "9 levels": {"levels": (LEVEL,) * 9},
    "9 tiers": levels(tiers=(TIER,) * 9),
    "no credit": levels(tiers=()),
    "credit per bad interval over 100 %": levels(credit_per_bad_interval=10_001),
    "credit per bad interval below 0": levels(credit_per_bad_interval=-1),
    "availability of 0": tier(Measure.AVAILABILITY_BELOW, 0, 1),
    "availability over 100 %": tier(Measure.AVAILABILITY_BELOW, 1_000_001, 1),
    "0 bad intervals": tier(Measure.BAD_INTERVALS_AT_LEAST, 0, 1),
    "more bad intervals than there are": tier(Measure.BAD_INTERVALS_AT_LEAST, 61, 1),
    "run of 0": tier(Measure.BAD_RUN_AT_LEAST, 0, 1),
    "run longer than a window": tier(Measure.BAD_RUN_AT_LEAST, 61, 1),
    "tier of 0 %": tier(Measure.BAD_RUN_AT_LEAST, 1, 0),
    "tier over 100 %": tier(Measure.BAD_RUN_AT_LEAST, 1, 10_001),
    "windows of other lengths": second(window_intervals=30),
    "windows of another phase": second(START + 60),
    "a feed that begins later": second(START + 3_600),
    "prepaid with a bond": {"bond": 1},
    "prepaid with previous terms": {"previous": b"\1" * 32},
    "bond too large": BOND | {"bond": 1 << 128},
    "bond below 0": BOND | {"bond": -1},
    "cap beyond all bonds": BOND | {"credit_cap": 65_536},
    "default beyond all bonds": BOND | {"unknown_credit": 65_536},
    "tier beyond all bonds": BOND | tier(Measure.BAD_RUN_AT_LEAST, 1, 65_536),
    "credit per bad interval beyond all bonds": BOND | levels(credit_per_bad_interval=65_536),
    "arbiter without a challenge period": ARBITER | {"challenge_period": 0},
    "challenge period too long": ARBITER | {"challenge_period": 30 * 86_400 + 1},
    "challenge period without an arbiter": {"challenge_period": 1},
    "deposit without an arbiter": {"dispute_deposit": 1},
    "deposit too large": ARBITER | {"dispute_deposit": 1 << 128},
    "too many breaches": {"breaches_to_end": 1 << 16},
    "notice too long": {"notice_period": 1 << 32},
    "average without a range": tier(Measure.AVERAGE_BEYOND, 1, 1),
    "average better than the best": average(19),
    "average worse than the worst": average(101),
    "average of the worst": average(100),
    "average better than the best, downwards": average(101, 100, 20),
    "average of the worst, downwards": average(20, 100, 20),
    "average of 0 %": levels(
        feed=replace(LEVEL.feed, scope=Scope(1, 9)),
        tiers=(Tier(Measure.AVERAGE_BEYOND, 5, 0),),
    ),
    "a scope out of bounds": levels(feed=replace(LEVEL.feed, scope=Scope(1, 1))),
    "months in the middle of one that began before": months(JUNE + 60, JUNE),
    "a month feed that begins later": months(JUNE, JULY),
    "months beside windows of 30 days": {
        "start": JUNE,
        "open_by": JUNE,
        "levels": tuple(
            Level(samples.feed(JUNE, window_intervals=size).ref, samples.TIERS)
            for size in (0, 43_200)
        ),
    },
    "more bad intervals than a month has": months(
        JUNE, tiers=(Tier(Measure.BAD_RUN_AT_LEAST, MONTH + 1, 1),)
    ),
    "first windows of other lengths": second(offset=30),
    "within a window": second(START - 1_800),
    "a measurement out of bounds": levels(
        feed=replace(LEVEL.feed, measurement=samples.measurement(START, deadline=31 * 86_400))
    ),
}
FINE = {
    "8 levels of 8 tiers": {"levels": (replace(LEVEL, tiers=(TIER,) * 8),) * 8},
    "as large as can be": {"fee_per_window": (1 << 112) - 1, "windows": 512},
    "per bad interval only": levels(tiers=(), credit_per_bad_interval=10_000),
    "availability of 100 %": tier(Measure.AVAILABILITY_BELOW, 1_000_000, 10_000),
    "all intervals bad": tier(Measure.BAD_INTERVALS_AT_LEAST, 60, 10_000),
    "a feed that began earlier": second(START - 7_200),
    "intervals of other lengths": second(interval=30, window_intervals=120),
    "a feed that began within a window": second(START - 5_400, offset=30),
    "short first windows of one length": {
        "levels": (
            Level(samples.feed(START, offset=30).ref, samples.TIERS),
            Level(
                samples.feed(START, interval=30, window_intervals=120, offset=60).ref, samples.TIERS
            ),
        )
    },
    "amended": {"previous": b"\1" * 32, "prepaid_windows": 0},
    "as much as a bond allows": BOND
    | tier(Measure.BAD_RUN_AT_LEAST, 1, 65_535)
    | {"bond": (1 << 128) - 1, "credit_cap": 65_535, "unknown_credit": 65_535},
    "the shortest challenge": ARBITER,
    "the longest challenge": ARBITER
    | {"challenge_period": 30 * 86_400, "dispute_deposit": (1 << 128) - 1},
    "as many breaches and as long a notice": {
        "breaches_to_end": (1 << 16) - 1,
        "notice_period": (1 << 32) - 1,
    },
    "average of the best": average(20),
    "average just better than the worst": average(99),
    "average downwards": average(21, 100, 20),
    "average with 0 as best": average(0, 0, 9),
    "months": months(JUNE, JUNE, JUNE - 86_400, JUNE - 365 * 86_400),
    "rest of a month": months(JULY - 60, JULY - 60),
    "the least fee of a short window": months(JULY - 60) | {"fee_per_window": 43_200},
    "all intervals of a month": months(
        JUNE, tiers=(Tier(Measure.BAD_INTERVALS_AT_LEAST, MONTH, 1),)
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_the_escrow_refuses_has_a_problem(name):
    """The same table as in `tests/contracts/escrow/test_open.py`, for the twin."""
    assert replace(TERMS, **PROBLEMS[name]).problem()


@pytest.mark.parametrize("name", FINE)
def test_what_the_escrow_takes_has_none(name):
    assert replace(TERMS, **FINE[name]).problem() is None


def test_a_problem_names_where_it_is():
    problem = replace(
        TERMS, levels=(LEVEL, replace(LEVEL, tiers=(TIER, replace(TIER, limit=0))))
    ).problem()
    assert problem == "service level 1: tier 1: the limit must lie between 1 and 1000000"
