"""Credits (rules 4, 7, 19 and 24): the shared vectors, and what holds for all tallies."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol.credit import (
    denominator,
    level_credit,
    owed_down,
    resolved,
    window_credit,
)
from relayer.protocol.readings import MAX_VALUE, NO_DATA, NOT_APPLICABLE
from relayer.protocol.scope import Scope
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
            replace(FEED, scope=Scope(*level["range"])),
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


def test_bounds():
    """Rule 16."""
    for range_, tally, good, bad in VECTORS["resolved"]:
        level = Level(replace(FEED, scope=Scope(*range_)), ())
        assert resolved(level, Tally(*tally), bad=False) == Tally(*good)
        assert resolved(level, Tally(*tally), bad=True) == Tally(*bad)


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


RANGE = Scope(best=1_000_000, worst=0)
RANGED = replace(FEED, scope=RANGE)
TIERS = st.lists(
    st.one_of(
        st.builds(
            Tier,
            st.just(Measure.AVERAGE_BEYOND),
            st.integers(1, 1_000_000),
            st.integers(1, 10_000),
        ),
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
LEVELS = st.builds(Level, st.just(RANGED), TIERS, st.integers(0, 300), st.booleans())
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
    st.sampled_from([1_000_000, 995_000, 0, NO_DATA, NOT_APPLICABLE]), min_size=12, max_size=12
)
WINDOW = samples.measurement(1_800_000_000, window_intervals=12)


@given(AGREEMENTS, ANSWERS)
def test_a_credit_never_falls_while_a_window_is_judged(terms, codes):
    """Why what is certain can be paid at once: rules 4 and 7. Also when what is missing at the end counts as unknown."""
    last = 0
    for judged in range(len(codes) + 1):
        tally = count(codes[:judged], WINDOW, RANGE)
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
        credit = window_credit(terms, [count(codes[:judged], WINDOW, RANGE)] * len(terms.levels))
        paid += owed_down(fee, credit, paid)
    assert paid == fee * credit // 10_000 <= fee


@given(AGREEMENTS, ANSWERS, ANSWERS, st.integers(0, 12))
def test_the_truth_lies_between_the_bounds(terms, codes, truth, judged):
    """Rule 16: whatever the unknown intervals really were, the credit lies between what they are worth as good and as bad."""
    known = [
        t if code == NO_DATA and t <= MAX_VALUE else code
        for code, t in zip(codes, truth, strict=True)
    ]
    tally, true = (count(answers[:judged], WINDOW, RANGE) for answers in (codes, known))
    if true.unknown:
        return
    least, credit, most = (
        window_credit(terms, [result] * len(terms.levels))
        for result in (
            resolved(terms.levels[0], tally, bad=False),
            true,
            resolved(terms.levels[0], tally, bad=True),
        )
    )
    assert least <= credit <= most


@given(LEVELS, ANSWERS)
def test_policies_are_ordered(level, codes):
    """Rule 4: unknown as bad is never less for the consumer than unknown as anything else."""
    tally = count(codes, WINDOW, RANGE)
    excluded, good, bad = (level_credit(level, tally, policy) for policy in UnknownPolicy)
    assert excluded == good <= bad


def test_an_average_that_never_was_better():
    """Rule 19: what is not judged yet, unknown or not applicable counts as best; unknown as worst under policy "bad"."""
    level = Level(RANGED, (Tier(Measure.AVERAGE_BEYOND, 600_000, 100),))
    codes = [0, 0, 0, 0, 1_000_000, NO_DATA, NOT_APPLICABLE]
    tally = count(codes, replace(WINDOW, window_intervals=10), RANGE)
    assert tally.deviation == 4 * 1_000_000
    assert level_credit(level, tally, UnknownPolicy.EXCLUDED) == 0  # just 60 %
    assert level_credit(level, replace(tally, deviation=tally.deviation + 1), UnknownPolicy.GOOD)
    assert level_credit(level, tally, UnknownPolicy.BAD) == 100
    assert level_credit(replace(level, remove_not_applicable=True), tally, UnknownPolicy.GOOD)


def test_under_policy_good_unknown_is_no_share():
    """Rule 4."""
    terms = replace(TERMS, unknown_limit=0, unknown_credit=700)
    tally = Tally(60, 60, unknown=60)
    for policy, credit in zip(UnknownPolicy, (700, 0, 10_000), strict=True):
        assert window_credit(replace(terms, unknown_policy=policy), [tally]) == min(
            credit, 2_500 if policy is UnknownPolicy.BAD else credit
        )


def test_a_bond_pays_beyond_the_fee():
    """Rules 7 and 23."""
    level = Level(FEED, (Tier(Measure.BAD_RUN_AT_LEAST, 1, 25_000),), 5_000)
    terms = replace(TERMS, levels=(level,), bond=1, prepaid_windows=0, credit_cap=30_001)
    assert terms.problem() is None
    tally = Tally(60, 1, bad=1, longest_run=1)
    assert window_credit(terms, [tally]) == 30_000
    assert owed_down(7, 30_000, 20) == 1


def test_what_was_never_planned_earns_no_credit():
    """Rule 24: D = 0."""
    level = Level(FEED, samples.TIERS, 10_000, remove_not_applicable=True)
    tally = Tally(60, 60, not_applicable=60)
    assert denominator(level, tally) == 0
    assert level_credit(level, tally, UnknownPolicy.BAD) == 0
    terms = replace(TERMS, levels=(level,), unknown_limit=0, unknown_credit=10_000)
    assert window_credit(terms, [tally]) == 0
