"""How the readings of one interval become one answer (rule 3), by trying every set of readings that might agree."""

import operator
from itertools import combinations, combinations_with_replacement
from random import Random
from typing import Any

NO_DATA, NOT_APPLICABLE, MAX_VALUE = 2**32 - 1, 2**32 - 2, 2**32 - 3
COMPARISONS = (
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
)
AT_LEAST = 3


def answer(case: dict[str, Any]) -> int | None:
    """The rule's sentences, one after the other."""
    codes, quorum = case["codes"], case["quorum"]
    for kind in (NO_DATA, NOT_APPLICABLE):
        if sum(code == kind for code in codes) >= quorum:
            return kind

    def close(values: tuple[int, ...]) -> bool:
        return max(values) - min(values) <= case["tolerance"]

    def one_side(values: tuple[int, ...]) -> bool:
        compare = COMPARISONS[case["comparison"]]
        return len({compare(value, case["threshold"]) for value in values}) == 1

    values = sorted(code for code in codes if code not in {NO_DATA, NOT_APPLICABLE})
    near = [candidates for candidates in combinations(values, quorum) if close(candidates)]
    if agreeing := [candidates for candidates in near if one_side(candidates)]:
        return lower_median(min(agreeing))
    if len(codes) < case["reporters"]:
        return None
    return lower_median(values) if near else NO_DATA


def lower_median(values: list[int] | tuple[int, ...]) -> int:
    below = list(values)
    while len(below) > 2:
        below.remove(max(below))
        below.remove(min(below))
    return min(below)


def build() -> dict[str, list[Any]]:
    cases = [*every_answer_of_three(), *edges(), *random_cases(Random(3))]
    return {
        "cases": [case | {"expected": answer(case)} for case in cases],
        "large": large(),
        "scoped": [case | {"expected": answer(within(case))} for case in scoped(Random(12))],
    }


def within(case: dict[str, Any]) -> dict[str, Any]:
    """Rule 19: values are taken for the nearest in the range before anything else."""
    low, high = sorted((case["best"], case["worst"]))
    nearest = [
        code if code in {NO_DATA, NOT_APPLICABLE} else sorted((low, code, high))[1]
        for code in case["codes"]
    ]
    return case | {"codes": nearest}


def case(codes, reporters, quorum, tolerance=0, comparison=AT_LEAST, threshold=100):
    return {
        "reporters": reporters,
        "quorum": quorum,
        "tolerance": tolerance,
        "comparison": comparison,
        "threshold": threshold,
        "codes": list(codes),
    }


def every_answer_of_three():
    """All that two of three can say around the threshold, each up to its order; None is silence."""
    random = Random(1)
    answers = (None, 98, 99, 100, 101, NO_DATA, NOT_APPLICABLE)
    for said in combinations_with_replacement(answers, 3):
        codes = [code for code in said if code is not None]
        if codes:
            random.shuffle(codes)
            yield case(codes, 3, 2, tolerance=1)


def edges():
    most = 2**32 - 1
    for code in (0, 99, 100, MAX_VALUE, NO_DATA, NOT_APPLICABLE):
        yield case([code], 1, 1)
    for comparison in range(len(COMPARISONS)):
        for codes in ([99, 100, 101], [100, 100, 99], [101, 101, 100], [99, 101, 500]):
            yield case(codes, 3, 2, tolerance=2, comparison=comparison)
    # As far apart as values can be, with a tolerance that just bridges it or just does not.
    for tolerance in (MAX_VALUE - 1, MAX_VALUE, most):
        for threshold in (0, MAX_VALUE, most):
            yield case([0, MAX_VALUE], 3, 2, tolerance, threshold=threshold)
            yield case([0, MAX_VALUE, NO_DATA], 3, 2, tolerance, threshold=threshold)
    # Kinds never mix, however large the tolerance.
    yield case([MAX_VALUE, NOT_APPLICABLE, NO_DATA], 3, 2, most)
    yield case([MAX_VALUE, NOT_APPLICABLE, NO_DATA], 3, 2, most, threshold=0)
    yield case([NO_DATA, NO_DATA, NOT_APPLICABLE, NOT_APPLICABLE], 4, 3)
    yield case([NO_DATA, NO_DATA, NOT_APPLICABLE, NOT_APPLICABLE, 100], 5, 3)
    # The lowest of overlapping sets, not the largest or the closest.
    yield case([100, 104, 105, 106, 107], 5, 3, 5)
    yield case([100, 106, 107, 108, 109], 5, 3, 5)
    yield case([95, 98, 102, 103, 104], 5, 3, 10)


def random_cases(random: Random, count: int = 240):
    for _ in range(count):
        reporters = random.choice((1, 3, 3, 4, 5, 5, 6, 7))
        quorum = 1 if reporters == 1 else random.randint(reporters // 2 + 1, reporters - 1)
        threshold = random.choice((0, 1, 100, 100, 100, MAX_VALUE))
        spread = random.choice((0, 2, 6, 20))
        codes = [
            random.choice((NO_DATA, NOT_APPLICABLE))
            if random.random() < random.choice((0, 0.2, 0.7))
            else min(MAX_VALUE, max(0, threshold + random.randint(-spread, spread)))
            for _ in range(random.choice((reporters, reporters, random.randint(1, reporters))))
        ]
        tolerance = random.choice((0, 1, 2, 5, 40))
        yield case(codes, reporters, quorum, tolerance, random.randrange(6), threshold)


def scoped(random: Random):
    """Feeds whose values have a range."""
    for made in random_cases(random, 60):
        threshold = made["threshold"]
        low = min(MAX_VALUE - 1, max(0, threshold - random.randint(0, 9)))
        ends = [low, min(MAX_VALUE, low + random.randint(1, 12))]
        random.shuffle(ends)
        yield made | {"best": ends[0], "worst": ends[1]}


def large() -> list[Any]:
    """Panels too large for trying every set: the answers are written down."""
    low, high = [99] * 15, [100] * 16
    rising = list(range(100, 131))
    return [
        case(low + high, 31, 16) | {"expected": 100},
        case([99] * 16 + [100] * 15, 31, 16) | {"expected": 99},
        case(low + high[1:], 31, 16) | {"expected": None},
        case(low + high[1:] + [NO_DATA], 31, 16) | {"expected": NO_DATA},
        case(low + high[1:] + [NO_DATA], 31, 16, 1) | {"expected": 99},
        case(low + high, 31, 17, 1) | {"expected": 100},
        case(rising, 31, 16, 14) | {"expected": NO_DATA},
        case(rising, 31, 16, 15) | {"expected": 107},
        case(rising[::-1], 31, 30, 29) | {"expected": 114},
        case(rising[1:], 31, 30, 29) | {"expected": 115},
        case(rising[1:], 31, 30, 28) | {"expected": None},
        case([NO_DATA] * 16 + low, 31, 16) | {"expected": NO_DATA},
        case([NOT_APPLICABLE] * 30, 31, 30) | {"expected": NOT_APPLICABLE},
    ]
