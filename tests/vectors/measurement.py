"""The packed word of a measurement, written down bit by bit, with the times and the verdicts that follow from it."""

from random import Random
from typing import Any

from tests.vectors.agreement import COMPARISONS, MAX_VALUE

# From the highest bit to the lowest: width and field.
LAYOUT = (
    (56, "reserved"),
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
PLAIN = {
    "start": 4_102_444_800,
    "interval": 60,
    "window_intervals": 60,
    "settle_delay": 30,
    "deadline": 7_200,
    "cadence": 600,
    "comparison": 3,
    "threshold": 990_000,
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
    return {
        "fields": fields,
        "word": word(fields),
        "number": number,
        "readable_at": end_of_interval + fields["settle_delay"],
        "skippable_at": end_of_interval + fields["deadline"],
        "window_seconds": fields["window_intervals"] * fields["interval"],
        "window_of_number": number // fields["window_intervals"],
    }


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
    random = Random(5)
    for _ in range(20):
        settle_delay, cadence = random.randint(0, DAY), random.randint(0, DAY)
        yield {
            "start": random.randint(PLAIN["start"], 2**40 - 1),
            "interval": (interval := random.choice((1, 10, 60, 300, 3_600, DAY))),
            "window_intervals": random.randint(1, min(2**22, 366 * DAY // interval)),
            "settle_delay": settle_delay,
            "deadline": settle_delay + 2 * cadence + random.randint(1, DAY),
            "cadence": cadence,
            "comparison": random.randrange(6),
            "threshold": random.randrange(2**32),
        }


def broken():
    for changes in (
        {"settle_delay": 600, "deadline": 600, "cadence": 0},
        {"settle_delay": 600, "deadline": 599, "cadence": 0},
        {"settle_delay": 0, "deadline": 0, "cadence": 0},
        {"settle_delay": 30, "deadline": 1_229, "cadence": 600},
        {"deadline": 30 * DAY + 1},
        {"deadline": 2**24 - 1},
        {"cadence": 2**24 - 1},
    ):
        fields = PLAIN | changes
        values = [fields["settle_delay"], fields["cadence"], fields["deadline"]]
        yield changes, "Measurement_Deadline", values
    for changes in (
        {"window_intervals": 0},
        {"interval": 1, "window_intervals": 2**22 + 1},
        {"interval": 1, "window_intervals": 2**24 - 1},
        {"interval": DAY, "window_intervals": 367},
        {"interval": 2**24 - 1, "window_intervals": 2},
    ):
        fields = PLAIN | changes
        values = [fields["window_intervals"], fields["interval"]]
        yield changes, "Measurement_Window", values
    yield {"interval": 0}, "Measurement_Interval", []
    yield {"comparison": 6}, "Measurement_Comparison", [6]
    yield {"comparison": 255}, "Measurement_Comparison", [255]
    yield {"reserved": 1}, "Measurement_ReservedBits", []
    yield {"reserved": 2**55}, "Measurement_ReservedBits", []
