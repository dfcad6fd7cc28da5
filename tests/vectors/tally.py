"""How verdicts are counted: judged answers are written down as letters, windows cut out of them, and letters counted."""

import re
from random import Random
from typing import Any

from tests.vectors.agreement import AT_LEAST, COMPARISONS, MAX_VALUE, NO_DATA, NOT_APPLICABLE

THRESHOLD = 100
GOOD, BAD = THRESHOLD, THRESHOLD - 1
EXAMPLES = {"g": GOOD, "b": BAD, "?": NO_DATA, "-": NOT_APPLICABLE}
VERDICTS = {"g": 1, "b": 2, "?": 3, "-": 4}


def letter(code: int, comparison: int) -> str:
    if code == NO_DATA:
        return "?"
    if code == NOT_APPLICABLE:
        return "-"
    return "g" if COMPARISONS[comparison](code, THRESHOLD) else "b"


def expected(case: dict[str, Any]) -> dict[str, Any]:
    judged, codes, reported = "", [], ""
    for kind, argument in case["steps"]:
        new = argument if kind == "report" else [NO_DATA] * argument
        codes += new
        judged += "".join(letter(code, case["comparison"]) for code in new)
        reported += ("r" if kind == "report" else "s") * len(new)
    size = case["window_intervals"]
    windows = [judged[i : i + size] for i in range(0, len(judged), size)]
    windows += [""] * 2  # one that may be about to begin, and one that is not reached
    return {
        "tallies": [
            [
                size,
                len(window),
                window.count("b"),
                window.count("?"),
                window.count("-"),
                max(map(len, re.findall("b+", window)), default=0),
            ]
            for window in windows
        ],
        # A closed window leaves a slot unless nothing is known of it (rule 18).
        "kept": [len(window) == size and set(window) != {"?"} for window in windows],
        "latest": [len(judged), VERDICTS[judged[-1]], codes[-1]],
    }


def build() -> dict[str, list[Any]]:
    cases = [*examples(), *random_cases(Random(4))]
    return {"cases": [case | expected(case) for case in cases]}


def case(window_intervals: int, steps: list[Any], comparison: int = AT_LEAST) -> dict[str, Any]:
    return {
        "window_intervals": window_intervals,
        "comparison": comparison,
        "threshold": THRESHOLD,
        "steps": steps,
    }


def examples():
    """Letters are reports, numbers are skipped intervals."""
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
        yield case(
            size,
            [
                ["skip", step] if isinstance(step, int) else ["report", [EXAMPLES[s] for s in step]]
                for step in steps
            ],
        )


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
