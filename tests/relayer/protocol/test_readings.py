"""Codes of readings and how they agree: rules 2, 3, 9 and 14."""

from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relayer.protocol.measurement import Comparison
from relayer.protocol.readings import (
    MAX_VALUE,
    NO_DATA,
    NOT_APPLICABLE,
    agree,
    pack_readings,
    unpack_readings,
)
from relayer.protocol.tally import verdict_of
from tests import samples
from tests.vectors.agreement import answer as reference

THRESHOLD = 100
CODES = st.one_of(
    st.integers(THRESHOLD - 6, THRESHOLD + 6),
    st.sampled_from([0, MAX_VALUE, NO_DATA, NOT_APPLICABLE]),
)


@st.composite
def panels(draw):
    """Size, quorum, tolerance and comparison of a panel that the oracle takes, and what all of it says."""
    reporters = draw(st.sampled_from([1, 3, 4, 5, 6]))
    quorum = 1 if reporters == 1 else draw(st.integers(reporters // 2 + 1, reporters - 1))
    rule = {
        "reporters": reporters,
        "quorum": quorum,
        "tolerance": draw(st.sampled_from([0, 1, 3, 5, 2**32 - 1])),
        "comparison": draw(st.sampled_from(Comparison)),
    }
    return rule, draw(st.lists(CODES, min_size=reporters, max_size=reporters))


def measurement_of(rule):
    return samples.measurement(0, comparison=rule["comparison"], threshold=THRESHOLD)


def answer_of(rule, codes):
    return agree(
        codes,
        reporters=rule["reporters"],
        quorum=rule["quorum"],
        tolerance=rule["tolerance"],
        measurement=measurement_of(rule),
    )


def selections(codes):
    for size in range(1, len(codes) + 1):
        yield from combinations(codes, size)


@given(panels())
def test_it_is_what_trying_every_set_gives(panel):
    """Rule 3, word for word, on every selection of the readings."""
    rule, codes = panel
    case = rule | {"comparison": int(rule["comparison"]), "threshold": THRESHOLD}
    for presented in selections(codes):
        assert answer_of(rule, presented) == reference(case | {"codes": list(presented)})


@given(panels())
def test_the_transmitter_cannot_choose_the_verdict(panel):
    """Rule 3: whichever signatures are presented, the verdict is that of all of them, or there is none yet."""
    rule, codes = panel
    measurement = measurement_of(rule)
    final = verdict_of(answer_of(rule, codes), measurement)
    for presented in selections(codes):
        answer = answer_of(rule, presented)
        assert answer is None or verdict_of(answer, measurement) is final


@given(panels())
def test_all_together_always_decide(panel):
    """Rule 2: there is an end to waiting when everybody has answered."""
    rule, codes = panel
    assert answer_of(rule, codes) is not None


@given(panels())
def test_unknown_cannot_be_made_by_leaving_readings_out(panel):
    """Rule 2: from some of the readings it comes only if a quorum has no data."""
    rule, codes = panel
    for presented in selections(codes[1:]):
        if answer_of(rule, presented) == NO_DATA:
            assert presented.count(NO_DATA) >= rule["quorum"]


@given(panels(), st.data())
def test_one_reporter_cannot_force_unknown(panel, data):
    """Rule 9: when the others are at one, what the last says does not matter."""
    rule, _ = panel
    assume(rule["reporters"] > 1)
    truth, lie = data.draw(CODES), data.draw(CODES)
    presented = [lie] + [truth] * (rule["reporters"] - 1)
    measurement = measurement_of(rule)
    answer = answer_of(rule, presented)
    assert verdict_of(answer, measurement) is verdict_of(truth, measurement)


@given(panels(), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(panel, random):
    rule, codes = panel
    shuffled = random.sample(codes, len(codes))
    assert answer_of(rule, codes) == answer_of(rule, shuffled)


@given(panels())
def test_the_answer_was_given_by_somebody(panel):
    """No averages: the judged value is a reading, or unknown."""
    rule, codes = panel
    assert answer_of(rule, codes) in {*codes, NO_DATA}


def test_one_of_one_decides_alone():
    for code in (0, 99, 100, MAX_VALUE, NO_DATA, NOT_APPLICABLE):
        measurement = samples.measurement(0)
        assert agree([code], reporters=1, quorum=1, tolerance=0, measurement=measurement) == code


# Packing: rule 14


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_packing_and_unpacking(codes):
    packed = pack_readings(codes)
    assert len(packed) == 4 * len(codes)
    assert unpack_readings(packed) == codes


def test_packed_readings_are_big_endian():
    packed = bytes.fromhex("000f4240 00000001 fffffffd fffffffe ffffffff")
    assert pack_readings([1_000_000, 1, MAX_VALUE, NOT_APPLICABLE, NO_DATA]) == packed


@pytest.mark.parametrize("code", [-1, 2**32])
def test_a_reading_that_does_not_fit_is_refused(code):
    with pytest.raises(OverflowError):
        pack_readings([code])


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_half_a_reading_is_refused(length):
    with pytest.raises(ValueError, match=f"{length} bytes"):
        unpack_readings(bytes(length))
