"""What agreements will ask for, before a key has spent anything."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from relayer.runway import expected_gas
from tests import samples

START = 1_800_000_000
DAY = 86_400


@dataclass
class Level:
    feed: object


@dataclass
class Agreement:
    levels: list


def agreement(*measurements):
    return Agreement([Level(samples.feed(START, **changes)) for changes in measurements])


def test_without_agreements_nothing_is_expected():
    assert expected_gas([]) == 0


def test_each_feed_is_reported_at_its_cadence_and_each_window_paid():
    hourly = {"window_intervals": 1_440, "cadence": 3_600, "deadline": 10_000}
    assert expected_gas([agreement(hourly)]) == 24 * 60_000 + 175_000


def test_no_feed_is_reported_more_often_than_it_has_intervals():
    quick = {"window_intervals": 1_440, "cadence": 0}
    assert expected_gas([agreement(quick)]) == 1_440 * 60_000 + 175_000


def test_a_feed_that_two_agreements_share_is_reported_once():
    daily = {"window_intervals": 1_440, "cadence": 3_600, "deadline": 10_000}
    one = agreement(daily)
    assert expected_gas([one, one]) == expected_gas([one]) + 175_000


def test_months_are_windows_too():
    monthly = agreement(
        {"window_intervals": 0, "interval": 3_600, "cadence": DAY, "deadline": 3 * DAY}
    )
    assert expected_gas([monthly]) == pytest.approx(60_000 + 175_000 / 28)
