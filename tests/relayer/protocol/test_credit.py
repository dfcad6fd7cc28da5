"""Credits (rules 4, 7 and 24): the shared vectors, and what holds for all tallies."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol.credit import denominator, level_credit, owed_down, window_credit
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.tally import Tally, count
from relayer.protocol.terms import Combination, Level, Measure, Tier, UnknownPolicy
from tests import samples
from tests.vectors import load

VECTORS = load("credit")
FEED = samples.feed(1_800_000_000).ref
NOBODY = {"token": samples.wallet(3).address, "oracle": samples.wallet(4).address}
TERMS = samples.terms(samples.feed(1_800_000_000), **NOBODY)


def case_of(vector):
    """The terms and tallies of a vector."""
    levels = tuple(
        Level(
            FEED,
            tuple(Tier(Measure(m), limit, credit) for m, limit, credit in level["tiers"]),
            level["per_bad"],
            level["removed"],
        )
        for level in vector["levels"]
    )
    terms = replace(
        TERMS,
        levels=levels,
        combination=Combination(vector["combination"]),
        credit_cap=vector["cap"],
        unknown_policy=UnknownPolicy(vector["policy"]),
        unknown_limit=vector["unknown_limit"],
        unknown_credit=vector["unknown_credit"],
    )
    return terms, [Tally(*level["tally"]) for level in vector["levels"]]


def test_windows():
    for vector in VECTORS["windows"]:
        assert window_credit(*case_of(vector)) == vector["expected"], vector


def test_owed():
    for fee, credit, paid, expected in VECTORS["owed"]:
        assert owed_down(int(fee), credit, int(paid)) == int(expected)


def test_the_vectors_cover_every_way_to_a_credit():
    """Rules 4 and 7: each measure met and not met, each policy, cap and default binding and not."""
    expected = [vector["expected"] for vector in VECTORS["windows"]]
    assert sum(credit == 0 for credit in expected) > 50
    assert (
        sum(
            credit == vector["cap"]
            for credit, vector in zip(expected, VECTORS["windows"], strict=True)
        )
        > 50
    )
    assert (
        sum(
            credit == vector["unknown_credit"] > 0
            for credit, vector in zip(expected, VECTORS["windows"], strict=True)
        )
        > 20
    )
    for policy in UnknownPolicy:
        changed = 0
        for vector in VECTORS["windows"]:
            terms, tallies = case_of(vector)
            changed += window_credit(terms, tallies) != window_credit(
                replace(terms, unknown_policy=policy), tallies
            )
        assert changed > 5, policy


def test_one_tally_for_each_level():
    with pytest.raises(ValueError, match="zip"):
        window_credit(TERMS, [])


TIERS = st.lists(
    st.one_of(
        st.builds(
            Tier,
            st.just(Measure.AVAILABILITY_BELOW),
            st.integers(1, 1_000_000),
            st.integers(1, 10_000),
        ),
        st.builds(
            Tier,
            st.just(Measure.BAD_INTERVALS_AT_LEAST),
            st.integers(1, 12),
            st.integers(1, 10_000),
        ),
        st.builds(
            Tier, st.just(Measure.BAD_RUN_AT_LEAST), st.integers(1, 12), st.integers(1, 10_000)
        ),
    ),
    max_size=4,
).map(tuple)
LEVELS = st.builds(Level, st.just(FEED), TIERS, st.integers(0, 300), st.booleans())
AGREEMENTS = st.builds(
    lambda levels, **changes: replace(TERMS, levels=tuple(levels), **changes),
    st.lists(LEVELS, min_size=1, max_size=3),
    combination=st.sampled_from(Combination),
    credit_cap=st.integers(1, 10_000),
    unknown_policy=st.sampled_from(UnknownPolicy),
    unknown_limit=st.sampled_from([0, 100_000, 500_000, 1_000_000]),
    unknown_credit=st.integers(0, 10_000),
)
ANSWERS = st.lists(
    st.sampled_from([1_000_000, 0, NO_DATA, NOT_APPLICABLE]), min_size=12, max_size=12
)
WINDOW = samples.measurement(1_800_000_000, window_intervals=12)


@given(AGREEMENTS, ANSWERS)
def test_a_credit_never_falls_while_a_window_is_judged(terms, codes):
    """Why what is certain can be paid at once: rules 4 and 7. Also when what is missing at the end counts as unknown."""
    last = 0
    for judged in range(len(codes) + 1):
        tally = count(codes[:judged], WINDOW)
        credit = window_credit(terms, [tally] * len(terms.levels))
        assert last <= credit <= terms.credit_cap
        expired = replace(tally, unknown=tally.unknown + 12 - judged, judged=12)
        assert credit <= window_credit(terms, [expired] * len(terms.levels))
        last = credit


@given(AGREEMENTS, ANSWERS, st.integers(1, 2**128 - 1))
def test_no_order_of_settlements_changes_the_sum(terms, codes, fee):
    """Rule 7: rounding happens once."""
    paid = 0
    for judged in range(len(codes) + 1):
        credit = window_credit(terms, [count(codes[:judged], WINDOW)] * len(terms.levels))
        paid += owed_down(fee, credit, paid)
    assert paid == fee * credit // 10_000 <= fee


@given(LEVELS, ANSWERS)
def test_policies_are_ordered(level, codes):
    """Rule 4: unknown as bad is never less for the consumer than unknown as anything else."""
    tally = count(codes, WINDOW)
    excluded, good, bad = (level_credit(level, tally, policy) for policy in UnknownPolicy)
    assert excluded == good <= bad


def test_what_was_never_planned_earns_no_credit():
    """Rule 24: D = 0."""
    level = Level(FEED, samples.TIERS, 10_000, remove_not_applicable=True)
    tally = Tally(60, 60, not_applicable=60)
    assert denominator(level, tally) == 0
    assert level_credit(level, tally, UnknownPolicy.BAD) == 0
    terms = replace(TERMS, levels=(level,), unknown_limit=0, unknown_credit=10_000)
    assert window_credit(terms, [tally]) == 0
