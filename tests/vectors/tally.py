"""How verdicts are counted: judged answers are written down as letters, windows cut out of them, and letters counted."""

import re
from random import Random
from typing import Any

from tests.vectors import scope
from tests.vectors.agreement import AT_LEAST, COMPARISONS, MAX_VALUE, NO_DATA, NOT_APPLICABLE

THRESHOLD = 100
GOOD, BAD = THRESHOLD, THRESHOLD - 1
EXAMPLES = {"g": GOOD, "b": BAD, "?": NO_DATA, "-": NOT_APPLICABLE}
# Neither is judged; p stays in the denominator, because its window had begun when it was excluded.
OFF, PLANNED = "x", "p"
VERDICTS = {"g": 1, "b": 2, "?": 3, "-": 4, OFF: 5, PLANNED: 5}
SETTLE_DELAY = 30
WEEK_HOURS = 168


def code_of(case: dict[str, Any], code: int) -> int:
    """Rule 19: a value is taken for the nearest in the range."""
    if code in {NO_DATA, NOT_APPLICABLE}:
        return code
    return scope.clamped({"best": case["best"], "worst": case["worst"]}, code)[0]


def letter(case: dict[str, Any], code: int) -> str:
    if code == NO_DATA:
        return "?"
    if code == NOT_APPLICABLE:
        return "-"
    return "g" if COMPARISONS[case["comparison"]](code, THRESHOLD) else "b"


def windows_of(case: dict[str, Any], length: int) -> list[range]:
    """The windows that the first `length` intervals reach, one that may be about to begin, and one that is not reached."""
    size = case["window_intervals"]
    windows = [range(size - case["offset"])]
    while windows[-1].stop <= length or len(windows) < 2 or windows[-2].stop <= length:
        windows.append(range(windows[-1].stop, windows[-1].stop + size))
    return windows


def left_out(case: dict[str, Any], spans: list[tuple[int, int, bool]], number: int) -> str:
    """Why an interval is not judged, as a letter; empty if it is."""
    hour = case["hour"] + number * case["interval"] // 3_600
    if int(case["hours_off"], 16) >> hour % WEEK_HOURS & 1:
        return OFF
    for first, end, planned in spans:
        if first <= number < end:
            return PLANNED if planned else OFF
    return ""


def expected(case: dict[str, Any]) -> dict[str, Any]:
    codes: list[int] = []
    spans: list[tuple[int, int, bool]] = []
    for kind, argument in case["steps"]:
        if kind == "exclude":
            spans.append((*argument, begun(case, argument, len(codes))))
        else:
            new = argument if kind == "report" else [NO_DATA] * argument
            codes += [code_of(case, code) for code in new]
    judged = "".join(
        left_out(case, spans, number) or letter(case, code) for number, code in enumerate(codes)
    )
    windows = windows_of(case, max([len(codes), *(end for _, end, _ in spans)]))
    return {
        # first interval, end, whether it stays in the denominator
        "exclusions": spans,
        "tallies": [
            [
                sum(left_out(case, spans, number) != OFF for number in window),
                len(letters) - letters.count(OFF),
                letters.count("b"),
                letters.count("?"),
                letters.count("-"),
                # What is not judged neither ends nor lengthens a run.
                max(map(len, re.findall("b+", re.sub("[xp]", "", letters))), default=0),
                sum(distance(case, codes[n]) for n in window if judged[n : n + 1] in {"g", "b"}),
            ]
            for window in windows
            for letters in [judged[window.start : window.stop]]
        ],
        # A closed window leaves a slot unless nothing is known of it (rule 18).
        "kept": [
            len(judged) >= window.stop
            and bool(set(judged[window.start : window.stop]) & set("gb-"))
            for window in windows
        ],
        # next interval, verdict of the one before
        "latest": [len(judged), VERDICTS[judged[-1]]],
    }


def distance(case: dict[str, Any], code: int) -> int:
    return scope.clamped({"best": case["best"], "worst": case["worst"]}, code)[1]


def begun(case: dict[str, Any], span: list[int], judged: int) -> bool:
    """Whether the window of a span had begun when the last interval judged had just settled; before the start if there is none.

    The chain is not that exact, so half a settle delay has to make no difference.
    """
    (window,) = (w for w in windows_of(case, span[1]) if span[0] in w)
    assert span[1] <= window.stop
    now = judged * case["interval"] + SETTLE_DELAY if judged else -SETTLE_DELAY
    assert now + SETTLE_DELAY // 2 < span[0] * case["interval"]
    ahead = window.start * case["interval"] - now
    assert abs(ahead) > SETTLE_DELAY // 2
    return ahead <= 0


def build() -> dict[str, list[Any]]:
    cases = [
        *examples(),
        *random_cases(Random(4)),
        *averages(Random(5)),
        *service_hours(Random(6)),
        *exclusions(),
        *random_exclusions(Random(7)),
    ]
    return {"cases": [case | expected(case) for case in cases]}


def case(
    window_intervals: int, steps: list[Any], comparison: int = AT_LEAST, **more
) -> dict[str, Any]:
    plain = {
        "window_intervals": window_intervals,
        "offset": 0,
        "interval": 60,
        "comparison": comparison,
        "threshold": THRESHOLD,
        "best": 0,
        "worst": 0,
        "hours_off": 0,
        "hour": 0,  # of the week, when the feed starts; of no matter without hours off
    }
    made = plain | more
    return made | {"hours_off": f"0x{made['hours_off']:x}", "steps": steps}


def steps_of(*steps: str | int | tuple[int, int]) -> list[Any]:
    """Letters are reports, numbers are skipped intervals, pairs are exclusions of the intervals [first, end)."""
    kinds = {str: "report", int: "skip", tuple: "exclude"}
    return [
        [kinds[type(step)], [EXAMPLES[s] for s in step] if isinstance(step, str) else step]
        for step in steps
    ]


def examples():
    for size, steps in (
        (1, ["g"]),
        (1, ["bgb", 3, "-?b"]),
        (4, ["b"]),
        (4, ["gggg"]),
        (4, ["bbbb"]),
        (4, ["????"]),
        (4, ["----"]),
        (4, ["bb", "bb", "bb"]),
        (4, ["bbbbbbbbb"]),
        (4, ["b?b-", "bgbb"]),
        (4, [1, "bb", 1, "bb"]),
        (4, ["gb", 2, "b"]),
        (4, ["bb", 9, "bbb"]),
        (4, [4, 4, "g"]),
        (4, [3, 5, 1, "bbb"]),
        (4, ["???", 1, "b"]),
        (5, ["g", 30, "b", 30, "-"]),
        (60, ["g" * 59 + "b" * 2 + "g" * 70]),
        (1_440, ["bg" * 30, 1_380, "b" * 61]),
    ):
        yield case(size, steps_of(*steps))
    # Window 0 is short.
    for offset in (1, 3):
        for steps in (["bbbbbb"], ["b", 1, "bb"], [1, "bbb"], [9, "b"], ["???b"]):
            yield case(4, steps_of(*steps), offset=offset)


def random_cases(random: Random):
    values = (0, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, MAX_VALUE, NO_DATA, NOT_APPLICABLE)
    for number in range(36):
        steps: list[Any] = []
        for _ in range(random.randint(2, 5)):
            if random.random() < 0.3:
                steps.append(["skip", random.randint(1, 12)])
            else:
                weights = [1, random.choice((1, 9)), 3, 3, 1, random.choice((0, 2, 9)), 1]
                steps.append(["report", random.choices(values, weights, k=random.randint(1, 12))])
        yield case(random.choice((1, 2, 3, 5, 8)), steps, number % 6)


def averages(random: Random):
    """Values within their range, at its ends and beyond them, with the threshold within the range and beyond it."""
    for best, worst in (
        (0, 200),
        (200, 0),
        (90, 110),
        (110, 90),
        (100, 0),
        (0, 99),
        (MAX_VALUE, 0),
        (0, MAX_VALUE),
    ):
        values = (
            0,
            89,
            90,
            91,
            99,
            100,
            101,
            109,
            110,
            111,
            201,
            MAX_VALUE,
            NO_DATA,
            NOT_APPLICABLE,
        )
        steps: list[Any] = [["report", list(values)], ["skip", 3]]
        steps += [["report", random.choices(values, k=9)] for _ in range(2)]
        yield case(random.choice((5, 8, 60)), steps, random.randrange(6), best=best, worst=worst)


def service_hours(random: Random):
    """Intervals of 20 to 60 minutes, so that a few of them reach into hours off and past them."""
    monday_8, sunday_22 = 8, WEEK_HOURS - 2
    nine, all_but_nine = 1 << 9, (1 << WEEK_HOURS) - 1 ^ 1 << 9
    for interval in (1_200, 1_800, 3_600):
        an_hour = 3_600 // interval
        for steps in (
            ["b" * 3 * an_hour],
            ["b" * an_hour, an_hour, "b"],
            [2 * an_hour, "g"],
            ["b", 5 * an_hour],
        ):
            made = steps_of(*steps)
            yield case(4 * an_hour, made, interval=interval, hours_off=nine, hour=monday_8)
        # A window in which nothing is judged.
        yield case(
            an_hour, steps_of("b" * 4 * an_hour), interval=interval, hours_off=nine, hour=monday_8
        )
        yield case(
            2, steps_of("b" * 4 * an_hour), interval=interval, hours_off=all_but_nine, hour=monday_8
        )
    for _ in range(12):
        interval = random.choice((1_200, 1_800, 3_600))
        steps: list[Any] = []
        for _ in range(3):
            if random.random() < 0.3:
                steps.append(["skip", random.randint(1, 9)])
            else:
                steps.append(
                    [
                        "report",
                        random.choices((0, 99, 100, NO_DATA, NOT_APPLICABLE), (4, 4, 3, 1, 1), k=9),
                    ]
                )
        yield case(
            random.choice((2, 5, 12)),
            steps,
            interval=interval,
            offset=random.choice((0, 1)),
            hours_off=random.choice((scope.EVERY_OTHER, scope.WEEKEND, scope.WEEKEND | 3)),
            hour=random.choice((sunday_22 - 1, sunday_22, 117, 118)),
            best=1_000,
        )


def exclusions():
    for size, steps in (
        (4, [(1, 3), "bbbbb"]),  # before window 0 begins: its denominator is 2
        (4, [(0, 4), "bbbbb"]),
        (4, ["b", (2, 3), "bbb"]),  # while it runs: the denominator stays
        (4, ["b", (5, 7), "b" * 8]),  # of a later window
        (4, ["b", (2, 3), (3, 4), (4, 6), (7, 8), "b" * 8]),
        (4, ["b", (2, 4), 5]),
        (4, [(0, 4), 5, "b"]),
        (4, [(0, 4), 4]),
        (4, [(1, 2), "bb", "b", (4, 5), "bg"]),
        (60, [(10, 20), "b" * 5, (30, 40), (59, 60), "b" * 50, 10, "g"]),
        (16, [*((2 * i, 2 * i + 1) for i in range(8)), "b" * 17]),
    ):
        yield case(size, steps_of(*steps))
        yield case(size, steps_of(*steps), best=1_000, worst=90)
    # Also of hours that are off: they cannot be left out twice.
    for steps in ([(0, 4), "b" * 6], ["b", (2, 6), "b" * 7], [(1, 3), 6, "bb"]):
        yield case(6, steps_of(*steps), interval=1_800, hours_off=1 << 9, hour=8)


def random_exclusions(random: Random):
    for _ in range(16):
        size, offset = random.choice((4, 7, 12)), random.choice((0, 0, 1, 3))
        steps: list[Any] = []
        judged, from_, counts = 0, 0, dict.fromkeys(range(99), 0)
        for _ in range(random.randint(3, 6)):
            for _ in range(random.randint(0, 2)):
                first = max(from_, judged + 1 if judged else 0) + random.randint(0, 4)
                window = (first + offset) // size
                # Not at the second in which a window begins.
                if counts[window] == 8:
                    continue
                end = random.randint(first + 1, (window + 1) * size - offset)
                counts[window] += 1
                steps.append(["exclude", [first, end]])
                from_ = end
            new = random.choices(
                (0, 99, 100, 150, NO_DATA, NOT_APPLICABLE),
                (4, 4, 3, 3, 1, 1),
                k=random.randint(1, 9),
            )
            steps.append(["report", new])
            judged += len(new)
        steps.append(["skip", random.randint(1, 2 * size)])
        yield case(size, steps, offset=offset, best=random.choice((0, 200)), worst=90)
