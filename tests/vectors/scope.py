"""The packed word of a scope, written down bit by bit, with the hours counted one by one."""

from datetime import UTC, datetime
from random import Random
from typing import Any

from tests.vectors import measurement
from tests.vectors.agreement import MAX_VALUE

# From the highest bit to the lowest: width and field.
LAYOUT = ((168, "hours_off"), (24, "allowance"), (32, "worst"), (32, "best"))
DAY, WEEK_HOURS = 86_400, 168
NIGHTS = sum(1 << 24 * day + hour for day in range(7) for hour in (0, 1, 2, 3, 22, 23))
WEEKEND = sum(1 << hour for hour in range(5 * 24, 7 * 24))
SUNDAY_23 = 1 << 167
ALL_BUT_ONE = (1 << WEEK_HOURS) - 2
EVERY_OTHER = sum(1 << hour for hour in range(0, WEEK_HOURS, 2))


def word(fields: dict[str, int]) -> str:
    bits = "".join(f"{fields.get(name, 0):0{width}b}" for width, name in LAYOUT)
    assert len(bits) == 256
    return f"0x{int(bits, 2):064x}"


def is_off(hours_off: int, time: int) -> bool:
    """By the calendar: Monday is weekday 0."""
    moment = datetime.fromtimestamp(time, UTC)
    return bool(hours_off & 1 << 24 * moment.weekday() + moment.hour)


def build() -> dict[str, list[Any]]:
    return {
        "valid": [
            {
                "fields": {name: fields.get(name, 0) for _, name in LAYOUT[:0:-1]},
                "hours_off": f"0x{fields.get('hours_off', 0):042x}",
                "word": word(fields),
                "measurement": measurement.word(measurement.PLAIN | times),
            }
            for fields, times in sound()
        ],
        "invalid": [
            {
                "word": word(fields),
                "measurement": measurement.word(measurement.PLAIN | times),
                "error": error,
                "values": values,
            }
            for fields, times, error, values in broken()
        ],
        # scope, value, nearest value in its range, distance of that from the best one (0 without a range)
        "clamp": [[word(fields), value, *clamped(fields, value)] for fields, value in values()],
        # scope, time, whether an interval that starts then is not judged
        "off": [
            [word({"hours_off": hours}), time, is_off(hours, time)]
            for hours, time in moments(Random(3))
        ],
        # scope, measurement, first interval, interval after the last, how many are in service
        "in_service": [
            [
                word({"hours_off": hours}),
                measurement.word(measurement.PLAIN | times),
                first,
                end,
                sum(
                    not is_off(hours, times["start"] + number * times["interval"])
                    for number in range(first, end)
                ),
            ]
            for hours, times, first, end in spans(Random(4))
        ],
    }


def sound():
    aligned = {"start": measurement.PLAIN["start"], "interval": 60}
    yield {}, {"start": measurement.PLAIN["start"] + 1, "interval": 7}
    yield {"best": 1}, {"interval": DAY}
    yield {"worst": 1}, {"interval": DAY}
    yield {"best": MAX_VALUE}, aligned
    yield {"worst": MAX_VALUE}, aligned
    yield {"best": MAX_VALUE - 1, "worst": MAX_VALUE}, aligned
    yield {"allowance": 2**24 - 1}, aligned
    for hours in (1, SUNDAY_23, NIGHTS, WEEKEND, ALL_BUT_ONE, EVERY_OTHER):
        for interval in (1, 60, 900, 3_600):
            yield {"hours_off": hours}, aligned | {"interval": interval}
    start = measurement.PLAIN["start"] + 60
    yield {"best": 5, "worst": 2, "allowance": 3, "hours_off": 1}, {"start": start}
    yield {"hours_off": 1}, {"window_intervals": measurement.MONTHS}


def broken():
    for best, worst in ((1, 1), (MAX_VALUE, MAX_VALUE)):
        yield {"best": best, "worst": worst}, {}, "Scope_Range", [best, worst]
    for code in (MAX_VALUE + 1, MAX_VALUE + 2):
        yield {"best": code}, {}, "Scope_Range", [code, 0]
        yield {"worst": code}, {}, "Scope_Range", [0, code]
        yield {"best": code, "worst": code}, {}, "Scope_Range", [code, code]
    yield {"hours_off": (1 << WEEK_HOURS) - 1}, {}, "Scope_Hours", []
    for interval in (7, 3_601, 7_200, DAY):
        yield {"hours_off": 1}, {"interval": interval}, "Scope_Hours", []
    for later in (1, 59):
        start = {"start": measurement.PLAIN["start"] + later}
        yield {"hours_off": SUNDAY_23}, start, "Scope_Hours", []
    start = {"start": measurement.PLAIN["start"] + 60, "interval": 3_600}
    yield {"hours_off": SUNDAY_23}, start, "Scope_Hours", []


def clamped(fields: dict[str, int], value: int) -> tuple[int, int]:
    if not any(fields.values()):
        return value, 0
    low, high = sorted(fields.values())
    nearest = sorted((low, value, high))[1]
    return nearest, max(nearest, fields["best"]) - min(nearest, fields["best"])


def values():
    for best, worst in (
        (0, 0),
        (0, 100),
        (100, 0),
        (100, 250),
        (250, 100),
        (0, MAX_VALUE),
        (MAX_VALUE, 0),
    ):
        for value in sorted({0, 1, 99, 100, 101, 175, 249, 250, 251, MAX_VALUE - 1, MAX_VALUE}):
            yield {"best": best, "worst": worst}, value


def moments(random: Random):
    """Every hour of a week with its own bit, and the seconds around it."""
    monday = int(datetime(2100, 1, 4, tzinfo=UTC).timestamp())
    for hour in range(WEEK_HOURS):
        yield 1 << hour, monday + 3_600 * hour
        yield 1 << hour, monday + 3_600 * hour + 3_599
        yield 1 << hour, monday + 3_600 * hour - 1
        yield 1 << hour, monday + 3_600 * (hour + 1)
    for _ in range(40):
        yield random.choice((NIGHTS, WEEKEND, EVERY_OTHER)), random.randrange(2**33)


def spans(random: Random):
    for hours in (0, 1, SUNDAY_23, NIGHTS, WEEKEND, ALL_BUT_ONE, EVERY_OTHER):
        for interval in (60, 900, 3_600):
            week = WEEK_HOURS * 3_600 // interval
            times = {"start": measurement.PLAIN["start"], "interval": interval}
            yield hours, times, 0, 0
            yield hours, times, 0, 2 * week
            yield hours, times, week // 3, week // 3 + 1
    for _ in range(60):
        interval = random.choice((20, 60, 300, 1_200, 1_800, 3_600))
        start = random.randrange(2**32 // interval) * interval
        first = random.choice((0, random.randrange(10_000)))
        end = first + random.choice((1, 59, 61, random.randrange(3_000)))
        hours = random.choice((NIGHTS, WEEKEND, random.randrange(1, (1 << WEEK_HOURS) - 1)))
        yield hours, {"start": start, "interval": interval}, first, end
