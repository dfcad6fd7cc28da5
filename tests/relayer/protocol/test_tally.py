"""Verdicts and how they are counted: rules 4, 19, 20, 24 and 25."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.scope import Scope
from relayer.protocol.tally import (
    Exclusion,
    Tally,
    Verdict,
    count,
    planned_intervals,
    verdict_at,
    verdict_of,
)
from tests import samples

MEASUREMENT = samples.measurement(1_800_000_000)
GOOD, BAD = 990_000, 989_999
HISTORIES = st.lists(st.sampled_from([GOOD, BAD, NO_DATA, NOT_APPLICABLE]), max_size=60)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (GOOD, Verdict.GOOD),
        (BAD, Verdict.BAD),
        (NO_DATA, Verdict.UNKNOWN),
        (NOT_APPLICABLE, Verdict.NOT_APPLICABLE),
    ],
)
def test_verdicts(code, verdict):
    assert verdict_of(code, MEASUREMENT) is verdict


@given(HISTORIES)
def test_every_interval_is_counted_once(codes):
    tally = count(codes, MEASUREMENT)
    assert tally.planned == 60
    assert tally.judged == len(codes)
    assert tally.good == codes.count(GOOD)
    assert tally.good + tally.bad + tally.unknown + tally.not_applicable == tally.judged
    assert tally.complete == (len(codes) == 60)


@given(HISTORIES)
def test_a_run_is_bounded_by_what_is_bad(codes):
    tally = count(codes, MEASUREMENT)
    assert (tally.longest_run == 0) == (tally.bad == 0)
    assert tally.longest_run <= tally.bad


@given(HISTORIES, HISTORIES)
def test_tallies_only_grow(before, after):
    """What has become certain stays certain: no count falls when more is judged."""
    earlier = count(before, MEASUREMENT).as_abi()
    later = count(before + after, MEASUREMENT).as_abi()
    assert all(a <= b for a, b in zip(earlier, later, strict=True))


@pytest.mark.parametrize(
    ("letters", "run"),
    [("", 0), ("g", 0), ("bb", 2), ("bgb", 1), ("b?b", 1), ("b-bb", 2), ("bbgb", 2), ("bb?bbb", 3)],
)
def test_what_is_not_bad_ends_a_run(letters, run):
    """Rule 24."""
    codes = {"g": GOOD, "b": BAD, "?": NO_DATA, "-": NOT_APPLICABLE}
    assert count([codes[letter] for letter in letters], MEASUREMENT).longest_run == run


def test_the_order_of_fields_is_the_contract_s():
    assert Tally(60, 50, 4, 3, 2, 1, 7).as_abi() == (60, 50, 4, 3, 2, 1, 7)
    assert Tally(60, 50, 4, 3, 2, 1).good == 41


LETTERS = {"g": GOOD, "b": BAD, "?": NO_DATA, "-": NOT_APPLICABLE}


def judged(letters, *exclusions, scope=Scope(), **more):  # noqa: B008 - a value
    measurement = samples.measurement(1_800_000_000, window_intervals=len(letters), **more)
    return count([LETTERS[c] for c in letters], measurement, scope, exclusions=exclusions)


def test_what_is_excluded_counts_for_nothing():
    """Rules 4, 20 and 24: it neither ends nor lengthens a run."""
    assert judged("bbgbb") == Tally(5, 5, 4, 0, 0, 2, 0)
    assert judged("bbgbb", Exclusion(2, 3)) == Tally(4, 4, 4, 0, 0, 4, 0)
    assert judged("bbgbb", Exclusion(1, 3)) == Tally(3, 3, 3, 0, 0, 3, 0)
    assert judged("b?-bb", Exclusion(1, 2), Exclusion(2, 4)) == Tally(2, 2, 2, 0, 0, 2, 0)


def test_what_is_excluded_in_a_running_window_stays_in_the_denominator():
    """Rule 4: as good ones."""
    tally = judged("bbgbb", Exclusion(1, 4, planned=True))
    assert tally == Tally(5, 5, 2, 0, 0, 2, 0)
    assert tally.good == 3
    assert tally.complete


def test_hours_off_are_not_planned():
    """Rule 4. 1,800,000,000 is a Friday, 08:00 UTC."""
    nine = Scope(hours_off=1 << 4 * 24 + 9)
    assert judged("bbbb", interval=1_800, scope=nine) == Tally(2, 2, 2, 0, 0, 2, 0)
    assert judged("bbbbbb", interval=1_800, scope=nine) == Tally(4, 4, 4, 0, 0, 4, 0)
    excluded = judged("bbbbbb", Exclusion(1, 3), interval=1_800, scope=nine)
    assert excluded == Tally(3, 3, 3, 0, 0, 3, 0)


def test_values_deviate_within_their_range():
    """Rule 19."""
    scope = Scope(best=995_000, worst=980_000)
    measurement = samples.measurement(1_800_000_000)
    codes = [1_000_000, 995_000, 990_000, 989_000, 0, NO_DATA, NOT_APPLICABLE]
    assert count(codes, measurement, scope) == Tally(60, 7, 2, 1, 1, 2, 5_000 + 6_000 + 15_000)
    excluded = count(codes, measurement, scope, exclusions=[Exclusion(4, 5)])
    assert excluded.deviation == 11_000
    assert count(codes, measurement).deviation == 0


def test_a_verdict_is_that_of_the_clamped_value():
    """Rule 19: here the range ends before the threshold."""
    assert verdict_of(0, MEASUREMENT, Scope(best=1_000_000, worst=990_000)) is Verdict.GOOD
    assert verdict_of(GOOD, MEASUREMENT, Scope(worst=GOOD - 1)) is Verdict.BAD


def test_verdicts_of_what_is_not_judged():
    span = Exclusion(2, 4)
    verdicts = [verdict_at(n, BAD, MEASUREMENT, exclusions=[span]) for n in range(1, 5)]
    assert verdicts == [Verdict.BAD, Verdict.EXCLUDED, Verdict.EXCLUDED, Verdict.BAD]
    assert verdict_at(2, NO_DATA, MEASUREMENT, Scope(hours_off=1 << 4 * 24 + 8)) is Verdict.EXCLUDED


def test_windows_of_other_lengths():
    """Rules 8 and 25."""
    short = samples.measurement(1_800_000_000, offset=45)
    assert count([BAD], short).planned == 15
    assert count([BAD], short, window=1).planned == 60
    june = samples.measurement(1_811_808_000, window_intervals=0)
    assert [count([], june, window=w).planned for w in (0, 1)] == [30 * 1_440, 31 * 1_440]
    later = [Exclusion(30 * 1_440, 30 * 1_440 + 10)]
    assert [count([], june, window=w, exclusions=later).planned for w in (0, 1)] == [
        30 * 1_440,
        31 * 1_440 - 10,
    ]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 20))
def test_planned_intervals_add_up(one, two, first, length):
    """Wherever a window is cut in two, its parts have what it has."""
    low, high = sorted((one, two))
    spans = [Exclusion(first, first + length)]
    parts = ((0, low), (low, high), (high, 60))
    scope = Scope()
    assert sum(planned_intervals(MEASUREMENT, scope, *part, spans) for part in parts) == (
        planned_intervals(MEASUREMENT, scope, 0, 60, spans)
    )
