from __future__ import annotations

import pytest

from oracles.clients.retry_after import LONGEST, retry_after

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("said", "pause"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("9" * 5_000, LONGEST),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
        ("Thu, 01 Jan 2015 00:02:00 GMT", 0),
        ("Thu, 01 Jan 2099 00:02:00 GMT", LONGEST),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("٣", None),
        ("²", None),
        ("Thu, 99 Foo 2026", None),
    ],
)
def test_a_pause_is_a_number_of_seconds_of_a_day_at_most_or_none(said, pause):
    assert retry_after({"retry-AFTER": said, "date": DATE}) == pause


def test_a_date_needs_a_clock():
    said = {"Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT"}
    assert retry_after(said) is None
    assert retry_after(said, 1_767_225_600 + 60) == 60
