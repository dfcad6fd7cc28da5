"""Times, windows, comparison and threshold of a feed: rules 2, 8, 13 and 25."""

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
    monthly = draw(st.booleans())
    interval = draw(
        st.sampled_from([1, 7, 60, 3_600, DAY]) if monthly else st.integers(1, 2**24 - 1)
    )
    if monthly and DAY % interval:
        interval = 60
    window = 0 if monthly else draw(st.integers(1, min(2**22, 366 * DAY // interval)))
    start = draw(st.integers(0, 2**40 - 1))
    settle_delay = draw(st.integers(0, DAY))
    cadence = draw(st.integers(0, DAY))
    return Measurement(
        start=start - start % interval if monthly else start,
        interval=interval,
        window_intervals=window,
        settle_delay=settle_delay,
        deadline=draw(st.integers(settle_delay + 2 * cadence + 1, 30 * DAY)),
        cadence=cadence,
        comparison=draw(st.sampled_from(Comparison)),
        threshold=draw(st.integers(0, 2**32 - 1)),
        offset=draw(st.integers(0, max(0, window - 1))),
        notice=draw(st.integers(0, 2**24 - 1)),
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
    first, end = measurement.window_begin(window), measurement.window_begin(window + 1)
    assert first <= number < end
    assert measurement.window_intervals_of(window) == end - first
    assert measurement.window_of(first) == measurement.window_of(end - 1) == window
    assert measurement.window_start(window) <= measurement.start_of(number)
    assert measurement.start_of(number) < measurement.window_start(window + 1)
    assert measurement.window_at(measurement.start_of(number)) == window
    assert measurement.window_at(measurement.start_of(number + 1) - 1) == window
    assert end - first <= measurement.most_window_intervals


@given(measurements())
def test_window_0_is_the_end_of_the_first_period(measurement):
    """Rule 8."""
    seconds = measurement.window_start(1) - measurement.window_start(0)
    assert measurement.window_start(0) == measurement.start
    assert 0 < seconds <= measurement.first_period
    if not measurement.is_monthly:
        short = measurement.offset * measurement.interval
        assert seconds == measurement.first_period - short == measurement.window_seconds - short


def test_months():
    """Rule 25. From May 31, 2027, 23:59 UTC on, in minutes."""
    measurement = samples.measurement(1_811_807_940, window_intervals=0)
    assert measurement.is_monthly
    assert measurement.window_seconds == 0
    assert measurement.most_window_intervals == 31 * 1_440
    assert measurement.first_period == 31 * DAY
    days = [measurement.window_intervals_of(window) / 1_440 for window in range(1, 10)]
    assert measurement.window_intervals_of(0) == 1
    assert days == [30, 31, 31, 30, 31, 30, 31, 31, 29]  # until February 2028


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
        ({"window_intervals": 0, "interval": 7}, "must divide a day"),
        ({"window_intervals": 0, "interval": 2 * DAY}, "must divide a day"),
        ({"window_intervals": 0, "interval": 0}, "longer than 0 s"),
        ({"window_intervals": 0, "start": START + 1}, "start on a whole one"),
        ({"window_intervals": 0, "offset": 1}, "with months the offset must be 0"),
        ({"offset": 60}, "at least one interval"),
        ({"notice": 2**24}, "notice must lie"),
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
        {"offset": 59},
        {"notice": 2**24 - 1},
        {"window_intervals": 0},
        {"window_intervals": 0, "interval": 1_200},
    ],
)
def test_bounds_belong_to_what_is_allowed(changes):
    assert samples.measurement(START, **changes).problem() is None


@pytest.mark.parametrize(
    "word",
    [0, 1 << 248, 1 << 255, samples.measurement(START).pack() | 1 << 248, 2**248 - 1],
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
