"""Months in UTC (rule 25), by walking from January 1970 from month to month."""

from bisect import bisect
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

DAY = 86_400
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LAST_YEAR = 36_820  # the time 2^40 is in 36,812


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@cache
def starts() -> list[int]:
    """Starts of months [s, UNIX time], January 1970 first."""
    days, found = 0, []
    for year in range(1970, LAST_YEAR):
        for month, length in enumerate(LENGTHS):
            found.append(days * DAY)
            days += length + (month == 1 and is_leap(year))
    return found


def index_of(time: int) -> int:
    """How many months after January 1970 a time is."""
    return bisect(starts(), time) - 1


def number(index: int) -> int:
    """Months are numbered from March of the year 0: January 1970 ends its 1969th year."""
    return 1969 * 12 + 10 + index


def build() -> dict[str, list[Any]]:
    years = [*range(1970, 2201), 2300, 2400, 9999, 10_000, 12_000, LAST_YEAR - 2]
    return {
        # year, number of its January, starts of its months and of the next January
        "years": [
            [year, number(i), starts()[i : i + 13]] for year in years for i in [12 * (year - 1970)]
        ],
        # time, number of its month, start of it and of the next
        "times": [
            [time, number(i), *starts()[i : i + 2]]
            for time in times(Random(2))
            for i in [index_of(time)]
        ],
    }


def times(random: Random):
    yield from (0, 1, DAY - 1, DAY, 2**32 - 1, 2**32, 2**40 - 1, 2**40)
    for year in (1972, 2000, 2023, 2024, 2096, 2100, 2104, 2200, 2400):
        for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)):
            noon = int(datetime(year, month, day, 12, tzinfo=UTC).timestamp())
            yield from (noon - DAY // 2, noon, noon + DAY // 2 - 1, noon + DAY // 2)
    for limit in (2_000_000_000, 7_258_118_400, 2**40):
        for _ in range(40):
            yield random.randrange(limit)
