"""Terms (rules 1, 8, 13 and 21): the shared vectors, and what the twin refuses before anybody signs it."""

from dataclasses import replace

import pytest

from relayer.protocol.feed import FeedRef
from relayer.protocol.measurement import Measurement
from relayer.protocol.terms import Combination, Level, Measure, Terms, Tier, UnknownPolicy
from relayer.protocol.typed_data import Domain, digest, recover, sign, terms_message
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
                data(level["feed"][2]),
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
            "fee_per_window": int(fields["fee_per_window"]),
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


def test_times():
    """Rules 8 and 13."""
    for vector in VECTORS["terms"]:
        terms = terms_of(vector)
        for window, begin, expiry in vector["times"]:
            assert terms.window_start(window) == begin
            assert terms.expiry(window) == expiry
            for i, level in enumerate(terms.levels):
                first = terms.feed_window(i, window) * level.feed.measurement.window_intervals
                assert level.feed.measurement.start_of(first) == begin


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


PROBLEMS = {
    "one party": {"consumer": TERMS.provider},
    "no provider": {"provider": ZERO},
    "no consumer": {"consumer": ZERO},
    "opened after the start": {"open_by": START + 1},
    "no fee": {"fee_per_window": 0},
    "fee too large": {"fee_per_window": 1 << 128},
    "no window": {"windows": 0, "prepaid_windows": 0},
    "too many windows": {"windows": 1 << 16},
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
    "a measurement out of bounds": levels(
        feed=replace(LEVEL.feed, measurement=samples.measurement(START, deadline=31 * 86_400))
    ),
}
FINE = {
    "8 levels of 8 tiers": {"levels": (replace(LEVEL, tiers=(TIER,) * 8),) * 8},
    "as large as can be": {"fee_per_window": (1 << 128) - 1, "windows": (1 << 16) - 1},
    "per bad interval only": levels(tiers=(), credit_per_bad_interval=10_000),
    "availability of 100 %": tier(Measure.AVAILABILITY_BELOW, 1_000_000, 10_000),
    "all intervals bad": tier(Measure.BAD_INTERVALS_AT_LEAST, 60, 10_000),
    "a feed that began earlier": second(START - 7_200),
    "intervals of other lengths": second(interval=30, window_intervals=120),
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
