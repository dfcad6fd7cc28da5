import pytest

from relayer.document.hours import hours, show_hours
from relayer.protocol.scope import HOUR, Scope

MONDAY = 4 * 86_400  # January 5, 1970


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("mon", {(0, hour) for hour in range(24)}),
        ("sat-sun", {(day, hour) for day in (5, 6) for hour in range(24)}),
        ("mon-fri 22:00-24:00", {(day, hour) for day in range(5) for hour in (22, 23)}),
        ("sun 03:00-05:00", {(6, 3), (6, 4)}),
        ("fri-mon 00:00-01:00", {(day, 0) for day in (4, 5, 6, 0)}),
        ("mon-sun 00:00-24:00", {(day, hour) for day in range(7) for hour in range(24)}),
    ],
)
def test_a_span_holds_these_hours_of_the_contracts_week(text, on):
    scope = Scope(hours_off=hours(text))
    for day in range(7):
        for hour in range(24):
            assert scope.is_off(MONDAY + (24 * day + hour) * HOUR) == ((day, hour) in on)


@pytest.mark.parametrize(
    "text",
    ["", "sunday", "Mon", "mon 22:00-06:00", "mon 06:00-06:00", "mon 06:30-07:00", "mon 6:00-7:00", "mon 00:00-25:00",
     "mon 24:00-24:00", "mon-", "mon,tue", "mon  00:00-01:00", None, 5, ["mon"]],
)  # fmt: skip
def test_what_is_no_span(text):
    with pytest.raises(ValueError, match='"mon-fri 22:00-24:00"'):
        hours(text)


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["sat-sun 00:00-24:00", "mon-fri 22:00-24:00"], ["mon-fri 22:00-24:00", "sat-sun"]),
        (["mon 00:00-06:00", "mon 22:00-24:00", "tue 00:00-06:00"], ["mon-tue 00:00-06:00", "mon 22:00-24:00"]),
        (["sun-mon"], ["mon", "sun"]),
        ([], []),
    ],
)  # fmt: skip
def test_hours_are_shown_as_they_are_written(texts, shown):
    bits = 0
    for text in texts:
        bits |= hours(text)
    assert show_hours(bits) == shown
    again = 0
    for text in shown:
        again |= hours(text)
    assert again == bits
