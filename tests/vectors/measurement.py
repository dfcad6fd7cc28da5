"""The packed word of a measurement, written down bit by bit, with the times and the verdicts that follow from it."""

from random import Random
from typing import Any

from tests.vectors import calendar_months
from tests.vectors.agreement import COMPARISONS, MAX_VALUE

# From the highest bit to the lowest: width and field.
LAYOUT = (
    (8, "reserved"),
    (24, "notice"),
    (24, "offset"),
    (32, "threshold"),
    (8, "comparison"),
    (24, "cadence"),
    (24, "deadline"),
    (24, "settle_delay"),
    (24, "window_intervals"),
    (24, "interval"),
    (40, "start"),
)
DAY = 86_400
MONTHS = 0  # as length of a window
PLAIN = {
    "start": 4_102_444_800,
    "interval": 60,
    "window_intervals": 60,
    "settle_delay": 30,
    "deadline": 7_200,
    "cadence": 600,
    "comparison": 3,
    "threshold": 990_000,
    "offset": 0,
    "notice": 0,
}


def word(fields: dict[str, int]) -> str:
    bits = "".join(f"{fields.get(name, 0):0{width}b}" for width, name in LAYOUT)
    assert len(bits) == 256
    return f"0x{int(bits, 2):064x}"


def build() -> dict[str, list[Any]]:
    return {
        "valid": [valid(fields, number) for number, fields in enumerate(measurements())],
        "invalid": [
            {"word": word(PLAIN | changes), "error": error, "values": values}
            for changes, error, values in broken()
        ],
        "good": [
            [comparison, threshold, value, COMPARISONS[comparison](value, threshold)]
            for comparison in range(len(COMPARISONS))
            for threshold in (0, 100, MAX_VALUE, 2**32 - 1)
            for value in sorted({0, 99, 100, 101, MAX_VALUE - 1, MAX_VALUE})
        ],
    }


def valid(fields: dict[str, int], number: int) -> dict[str, Any]:
    end_of_interval = fields["start"] + (number + 1) * fields["interval"]
    windows = [(w, begin_of(fields, w)) for w in (0, 1, 2, 3, 11, 12, 13, 400, 5_000)]
    return {
        "fields": fields,
        "word": word(fields),
        "number": number,
        "readable_at": end_of_interval + fields["settle_delay"],
        "skippable_at": end_of_interval + fields["deadline"],
        "window_seconds": fields["window_intervals"] * fields["interval"],
        "first_period": period_begin(fields, 1) - period_begin(fields, 0),
        # window, its first interval, start of that
        "windows": [
            [w, (begin - fields["start"]) // fields["interval"], begin] for w, begin in windows
        ],
        # interval, its window
        "numbers": [
            [n, window_of(fields, n)]
            for n in sorted(
                {
                    max(0, (begin - fields["start"]) // fields["interval"] + beside)
                    for _, begin in windows
                    for beside in (-1, 0, 1)
                }
            )
        ],
    }


def period_begin(fields: dict[str, int], period: int) -> int:
    """When the period begins, of which period 0 holds the feed's start."""
    if fields["window_intervals"] == MONTHS:
        return calendar_months.starts()[calendar_months.index_of(fields["start"]) + period]
    first = fields["start"] - fields.get("offset", 0) * fields["interval"]
    return first + period * fields["window_intervals"] * fields["interval"]


def begin_of(fields: dict[str, int], window: int) -> int:
    """When a window begins: with its period, but not before the feed."""
    return max(fields["start"], period_begin(fields, window))


def window_of(fields: dict[str, int], number: int) -> int:
    """The window that holds the start of an interval."""
    time = fields["start"] + number * fields["interval"]
    if fields["window_intervals"] == MONTHS:
        return calendar_months.index_of(time) - calendar_months.index_of(fields["start"])
    return (time - period_begin(fields, 0)) // (period_begin(fields, 1) - period_begin(fields, 0))


def measurements():
    """All begin after 2099, so that no chain under test has reached them."""
    yield PLAIN
    yield PLAIN | {"interval": 1, "window_intervals": 1, "settle_delay": 0, "cadence": 0}
    yield PLAIN | {"interval": 7, "window_intervals": 2**22}
    yield PLAIN | {"interval": DAY, "window_intervals": 366}
    yield PLAIN | {"interval": 366 * DAY // 2, "window_intervals": 2}
    yield PLAIN | {"settle_delay": 600, "deadline": 601, "cadence": 0}
    yield PLAIN | {"settle_delay": 30, "deadline": 1_230, "cadence": 600}
    yield PLAIN | {"settle_delay": 0, "deadline": 30 * DAY, "cadence": 15 * DAY}
    yield PLAIN | {"start": 2**40 - 1, "threshold": 2**32 - 1, "comparison": 5}
    yield PLAIN | {"threshold": 0, "comparison": 0}
    yield PLAIN | {"notice": 2**24 - 1}
    yield PLAIN | {"offset": 1}
    yield PLAIN | {"offset": 59}
    yield PLAIN | {"interval": 7, "window_intervals": 2**22, "offset": 2**22 - 1}
    yield from monthly()
    random = Random(5)
    for _ in range(20):
        settle_delay, cadence = random.randint(0, DAY), random.randint(0, DAY)
        yield {
            "start": random.randint(PLAIN["start"], 2**40 - 1),
            "interval": (interval := random.choice((1, 10, 60, 300, 3_600, DAY))),
            "window_intervals": (size := random.randint(1, min(2**22, 366 * DAY // interval))),
            "settle_delay": settle_delay,
            "deadline": settle_delay + 2 * cadence + random.randint(1, DAY),
            "cadence": cadence,
            "comparison": random.randrange(6),
            "threshold": random.randrange(2**32),
            "offset": random.choice((0, random.randrange(size))),
            "notice": random.choice((0, random.randrange(2**24))),
        }


def monthly():
    """From the first to the last interval of a month, in short and long ones, of leap years and others."""
    random = Random(6)
    months = PLAIN | {"window_intervals": MONTHS}
    yield months
    intervals = (1, 60, 3_600, DAY)
    for turn, (year, month) in enumerate(
        ((2100, 2), (2104, 2), (2199, 12), (2400, 2), (10_000, 1))
    ):
        index = 12 * (year - 1970) + month - 1
        begin, end = calendar_months.starts()[index : index + 2]
        interval = intervals[turn % 4]
        yield months | {"start": begin, "interval": interval}
        interval = intervals[(turn + 1) % 4]
        yield months | {"start": end - interval, "interval": interval}
        interval = intervals[(turn + 2) % 4]
        later = random.randrange((end - begin) // interval)
        yield months | {"start": begin + later * interval, "interval": interval}


def broken():
    for changes in (
        {"settle_delay": 600, "deadline": 600, "cadence": 0},
        {"settle_delay": 600, "deadline": 599, "cadence": 0},
        {"settle_delay": 0, "deadline": 0, "cadence": 0},
        {"settle_delay": 30, "deadline": 1_229, "cadence": 600},
        {"deadline": 30 * DAY + 1},
        {"deadline": 2**24 - 1},
        {"cadence": 2**24 - 1},
        {"window_intervals": MONTHS, "deadline": 30 * DAY + 1},
    ):
        fields = PLAIN | changes
        values = [fields["settle_delay"], fields["cadence"], fields["deadline"]]
        yield changes, "Measurement_Deadline", values
    for changes in (
        {"interval": 1, "window_intervals": 2**22 + 1},
        {"interval": 1, "window_intervals": 2**24 - 1},
        {"interval": DAY, "window_intervals": 367},
        {"interval": 2**24 - 1, "window_intervals": 2},
    ):
        fields = PLAIN | changes
        values = [fields["window_intervals"], fields["interval"]]
        yield changes, "Measurement_Window", values
    for changes in (
        {"interval": 7},
        {"interval": 2 * DAY},
        {"interval": DAY + 1},
        {"interval": 2**24 - 1},
        {"start": PLAIN["start"] + 1},
        {"start": PLAIN["start"] + DAY // 2, "interval": DAY},
    ):
        fields = PLAIN | {"window_intervals": MONTHS} | changes
        yield fields, "Measurement_Month", [fields["start"], fields["interval"]]
    for offset, size in ((60, 60), (61, 60), (1, 1), (2**24 - 1, 60), (1, MONTHS)):
        changes = {"offset": offset, "window_intervals": size}
        yield changes, "Measurement_Offset", [offset, size]
    yield {"interval": 0}, "Measurement_Interval", []
    yield {"interval": 0, "window_intervals": MONTHS}, "Measurement_Interval", []
    yield {"comparison": 6}, "Measurement_Comparison", [6]
    yield {"comparison": 255}, "Measurement_Comparison", [255]
    yield {"reserved": 1}, "Measurement_ReservedBits", []
    yield {"reserved": 2**7}, "Measurement_ReservedBits", []
