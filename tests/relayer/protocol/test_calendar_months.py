"""Months in UTC: rule 25."""

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from relayer.protocol.calendar_months import month_of, start_of
from tests.vectors import load

VECTORS = load("calendar_months")


def test_years():
    for _, january, starts in VECTORS["years"]:
        for number, (start, end) in enumerate(pairwise(starts), january):
            assert start_of(number) == start
            assert month_of(start) == month_of(end - 1) == number
            assert month_of(end) == number + 1


def test_times():
    for time, month, start, end in VECTORS["times"]:
        assert month_of(time) == month
        assert (start_of(month), start_of(month + 1)) == (start, end)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_month_begins_on_its_first(moment):
    month = month_of(int(moment.timestamp()))
    assert start_of(month) == datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()


@given(st.integers(0, 2**45))
def test_every_time_is_in_one_month(time):
    month = month_of(time)
    assert start_of(month) <= time < start_of(month + 1)
    assert 28 <= (start_of(month + 1) - start_of(month)) // 86_400 <= 31
