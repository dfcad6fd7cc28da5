"""Verdicts and how they are counted: rules 4 and 24."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.tally import Tally, Verdict, count, verdict_of
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
    assert Tally(60, 50, 4, 3, 2, 1).as_abi() == (60, 50, 4, 3, 2, 1)
    assert Tally(60, 50, 4, 3, 2, 1).good == 41
