"""Times, windows, comparison and threshold of a feed: rules 2, 13 and 25."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol.measurement import Comparison, Measurement
from tests import samples

DAY = 86_400
START = 1_800_000_000


@st.composite
def measurements(draw):
    interval = draw(st.integers(1, 366 * DAY).filter(lambda seconds: seconds < 1 << 24))
    settle_delay = draw(st.integers(0, DAY))
    cadence = draw(st.integers(0, DAY))
    return Measurement(
        start=draw(st.integers(0, 2**40 - 1)),
        interval=interval,
        window_intervals=draw(st.integers(1, min(2**22, 366 * DAY // interval))),
        settle_delay=settle_delay,
        deadline=draw(st.integers(settle_delay + 2 * cadence + 1, 30 * DAY)),
        cadence=cadence,
        comparison=draw(st.sampled_from(Comparison)),
        threshold=draw(st.integers(0, 2**32 - 1)),
    )


@given(measurements())
def test_packing_and_unpacking(measurement):
    assert measurement.problem() is None
    assert Measurement.unpack(measurement.pack()) == measurement


@given(measurements(), st.integers(0, 2**41))
def test_what_is_closed_can_be_read_and_the_next_cannot(measurement, now):
    closed = measurement.closed_until(now)
    assert closed == 0 or measurement.readable_at(closed - 1) <= now
    assert measurement.readable_at(closed) > now


@given(measurements(), st.integers(0, 2**32))
def test_an_interval_belongs_to_the_window_that_holds_its_start(measurement, number):
    """Rule 25."""
    window = measurement.window_of(number)
    begin = measurement.start + window * measurement.window_seconds
    assert begin <= measurement.start_of(number) < begin + measurement.window_seconds


def test_the_settle_delay_ends_on_the_second():
    measurement = samples.measurement(START)
    assert measurement.closed_until(START) == 0
    assert measurement.closed_until(START + 89) == 0
    assert measurement.closed_until(START + 90) == 1
    assert measurement.closed_until(START + 149) == 1
    assert measurement.closed_until(START + 150) == 2
    assert measurement.closed_until(0) == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start": -1}, "start must lie between 0 and 1099511627775"),
        ({"start": 2**40}, "start must lie"),
        ({"threshold": 2**32}, "threshold must lie"),
        ({"interval": 2**24}, "interval must lie"),
        ({"settle_delay": -1}, "settle_delay must lie"),
        ({"interval": 0}, "longer than 0 s"),
        ({"window_intervals": 0}, "1 to 4194304 intervals"),
        ({"window_intervals": 2**22 + 1, "interval": 1}, "1 to 4194304 intervals"),
        ({"window_intervals": 367, "interval": DAY}, "366 days"),
        ({"deadline": 30 * DAY + 1}, "30 days"),
        ({"settle_delay": 600, "deadline": 600, "cadence": 0}, "longer than the settle delay"),
        ({"deadline": 1_229}, "twice the reporting cadence"),
    ],
)
def test_what_the_contracts_would_refuse_is_named(changes, problem):
    measurement = replace(samples.measurement(START), **changes)
    assert problem in measurement.problem()
    with pytest.raises(ValueError, match=problem):
        measurement.pack()


@pytest.mark.parametrize(
    "changes",
    [
        {"window_intervals": 2**22, "interval": 7},
        {"window_intervals": 366, "interval": DAY},
        {"deadline": 30 * DAY},
        {"settle_delay": 600, "deadline": 601, "cadence": 0},
        {"deadline": 1_230},
    ],
)
def test_bounds_belong_to_what_is_allowed(changes):
    assert samples.measurement(START, **changes).problem() is None


@pytest.mark.parametrize(
    "word",
    [0, 1 << 200, 1 << 255, samples.measurement(START).pack() | 1 << 200, 2**200 - 1],
)
def test_words_of_no_measurement_are_refused(word):
    with pytest.raises(ValueError, match=r"."):
        Measurement.unpack(word)


def test_comparisons_beside_the_threshold():
    sides = {
        Comparison.LESS_THAN: (True, False, False),
        Comparison.AT_MOST: (True, True, False),
        Comparison.MORE_THAN: (False, False, True),
        Comparison.AT_LEAST: (False, True, True),
        Comparison.EQUAL_TO: (False, True, False),
        Comparison.NOT_EQUAL_TO: (True, False, True),
    }
    assert set(sides) == set(Comparison)
    for comparison, expected in sides.items():
        measurement = replace(samples.measurement(START), comparison=comparison, threshold=100)
        assert tuple(map(measurement.is_good, (99, 100, 101))) == expected
