"""What of a feed is judged: rules 13, 19 and 25."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol.measurement import Measurement
from relayer.protocol.readings import MAX_VALUE
from relayer.protocol.scope import ALL, ALL_HOURS, Scope
from tests import samples
from tests.vectors import load

VECTORS = load("scope")
START = 1_800_000_000
VALUES = st.integers(0, MAX_VALUE)
SCOPES = st.builds(
    Scope, VALUES, VALUES, st.integers(0, 2**24 - 1), st.integers(0, ALL_HOURS - 1)
).filter(lambda scope: scope.best != scope.worst)


def scope_of(word):
    return Scope.unpack(int(word, 16))


def measurement_of(word):
    return Measurement.unpack(int(word, 16))


def test_valid_scopes():
    for vector in VECTORS["valid"]:
        scope = Scope(**vector["fields"], hours_off=int(vector["hours_off"], 16))
        assert f"0x{scope.pack():064x}" == vector["word"]
        assert scope_of(vector["word"]) == scope
        assert scope.problem(measurement_of(vector["measurement"])) is None


def test_invalid_scopes():
    for vector in VECTORS["invalid"]:
        assert scope_of(vector["word"]).problem(measurement_of(vector["measurement"]))


def test_clamping():
    """Rule 19."""
    for word, value, nearest, deviation in VECTORS["clamp"]:
        scope = scope_of(word)
        assert scope.clamp(value) == nearest
        assert scope.deviation(value) == deviation


def test_hours():
    for word, time, off in VECTORS["off"]:
        assert scope_of(word).is_off(time) == off


def test_intervals_in_service():
    for word, measurement, first, end, count in VECTORS["in_service"]:
        assert scope_of(word).in_service(measurement_of(measurement), first, end) == count


@given(
    SCOPES,
    st.sampled_from([1, 40, 60, 1_200, 1_800, 3_600]),
    st.integers(0, 2**34),
    st.integers(0, 10_000),
    st.integers(0, 400),
)
def test_the_closed_form_counts_what_is_not_off(scope, interval, start, first, length):
    measurement = samples.measurement(
        start // interval * interval, interval=interval, window_intervals=1
    )
    assert scope.problem(measurement) is None
    counted = sum(not scope.is_off(measurement.start_of(first + i)) for i in range(length))
    assert scope.in_service(measurement, first, first + length) == counted


@given(SCOPES)
def test_packing_and_unpacking(scope):
    assert Scope.unpack(scope.pack()) == scope


@given(SCOPES, VALUES)
def test_a_clamped_value_is_in_the_range(scope, value):
    nearest = scope.clamp(value)
    assert min(scope.best, scope.worst) <= nearest <= max(scope.best, scope.worst)
    assert scope.clamp(nearest) == nearest
    assert scope.deviation(value) <= abs(scope.worst - scope.best)


@pytest.mark.parametrize(
    ("changes", "times", "problem"),
    [
        ({"best": -1}, {}, "best must lie between 0 and 4294967295"),
        ({"worst": 2**32}, {}, "worst must lie"),
        ({"allowance": 2**24}, {}, "allowance must lie between 0 and 16777215"),
        ({"hours_off": 1 << 168}, {}, "hours_off must lie"),
        ({"best": MAX_VALUE + 1}, {}, "best and worst value must lie between 0 and 4294967293"),
        ({"worst": MAX_VALUE + 2}, {}, "best and worst value must lie"),
        ({"best": 7, "worst": 7}, {}, "must differ"),
        ({"hours_off": ALL_HOURS}, {}, "at least one hour"),
        ({"hours_off": 1}, {"interval": 7}, "must divide an hour"),
        ({"hours_off": 1}, {"interval": 7_200}, "must divide an hour"),
        ({"hours_off": 1}, {"interval": 0}, "must divide an hour"),
        ({"hours_off": 1}, {"start": START + 1}, "start on a whole one"),
    ],
)
def test_what_the_contracts_would_refuse_is_named(changes, times, problem):
    measurement = replace(samples.measurement(START), **times)
    assert problem in replace(ALL, **changes).problem(measurement)


def test_what_does_not_fit_has_no_word():
    with pytest.raises(ValueError, match="best must lie"):
        Scope(best=1 << 32).pack()


def test_the_default_leaves_everything_as_it_is():
    assert ALL.pack() == 0
    assert not ALL.has_range
    assert ALL.clamp(MAX_VALUE) == MAX_VALUE
    assert ALL.deviation(MAX_VALUE) == 0
    assert not any(ALL.is_off(START + 3_600 * hour) for hour in range(168))
    assert ALL.in_service(samples.measurement(START, interval=7), 5, 12) == 7
