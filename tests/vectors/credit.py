"""What the consumer gets back for a window (rules 4, 7, 19 and 24), in fractions, as the rules say it."""

from fractions import Fraction
from math import floor
from random import Random
from typing import Any

AVAILABILITY, BAD_INTERVALS, BAD_RUN, AVERAGE = range(4)
SUM, WORST = range(2)
EXCLUDED, GOOD, BAD = range(3)
MILLION, WHOLE = 1_000_000, 10_000
WITH_BOND = 65_535  # [bps]
MOST = 2**128 - 1


def denominator(level: dict[str, Any]) -> int:
    planned, _, _, _, not_applicable, _, _ = level["tally"]
    return planned - not_applicable if level["removed"] else planned


def level_credit(level: dict[str, Any], policy: int) -> int:
    """The largest of the tiers met, and the credit per bad interval."""
    _, _, bad, unknown, _, run, deviation = level["tally"]
    best, worst = level["range"]
    planned = denominator(level)
    if planned == 0:
        return 0
    counted = bad + unknown if policy == BAD else bad
    if policy == BAD:
        deviation += unknown * abs(worst - best)
    met = [0]
    for measure, limit, credit in level["tiers"]:
        if measure == AVAILABILITY:
            availability = Fraction(planned - counted, planned)
            holds = availability < Fraction(limit, MILLION)
        elif measure == AVERAGE:
            # What is not judged yet counts as best.
            away = Fraction(deviation, planned)
            average = best + away if worst > best else best - away
            holds = average > limit if worst > best else average < limit
        else:
            holds = (counted if measure == BAD_INTERVALS else run) >= limit
        if holds:
            met.append(credit)
    return max(met) + counted * level["per_bad"]


def window_credit(case: dict[str, Any]) -> int:
    """min(cap, max(default if due, sum or worst of the levels))."""
    levels = case["levels"]
    credits_ = [level_credit(level, case["policy"]) for level in levels]
    credit = sum(credits_) if case["combination"] == SUM else max(credits_)
    shares = [
        Fraction(level["tally"][3], denominator(level)) for level in levels if denominator(level)
    ]
    if case["policy"] != GOOD and any(
        share > Fraction(case["unknown_limit"], MILLION) for share in shares
    ):
        credit = max(credit, case["unknown_credit"])
    return min(credit, case["cap"])


def resolved(level: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The bounds of what an arbiter may decide (rule 16). As bad as can be: all unknown ones beside the longest run."""
    planned, judged, bad, unknown, not_applicable, run, deviation = level["tally"]
    best, worst = level["range"]
    distance = max(best, worst) - min(best, worst)
    return (
        [planned, judged, bad, 0, not_applicable, run, deviation],
        [
            planned,
            judged,
            bad + unknown,
            0,
            not_applicable,
            run + unknown,
            deviation + unknown * distance,
        ],
    )


def build() -> dict[str, list[Any]]:
    windows = [*edges(), *random_windows(Random(7))]
    return {
        "windows": [case | {"expected": window_credit(case)} for case in windows],
        # best and worst value, tally, the same as if unknown were good, and as if it were bad
        "resolved": [
            [case["range"], case["tally"], *resolved(case)]
            for window in windows[::7]
            for case in window["levels"]
        ],
        "owed": [
            [str(fee), credit, str(paid), str(max(0, floor(Fraction(fee * credit, WHOLE)) - paid))]
            for fee, credit, paid in amounts(Random(8))
        ],
    }


def level(
    tally: tuple[int, ...],
    *tiers: tuple[int, int, int],
    per_bad: int = 0,
    removed=False,
    range_=(0, 0),
    deviation=0,
):
    """A level without a range of values, unless one is given: best and worst."""
    return {
        "range": list(range_),
        "tiers": list(tiers),
        "per_bad": per_bad,
        "removed": removed,
        "tally": [*tally, deviation],
    }


def window(*levels: dict[str, Any], **changes: int):
    plain = {
        "combination": WORST,
        "cap": WHOLE,
        "policy": EXCLUDED,
        "unknown_limit": MILLION,
        "unknown_credit": 0,
    }
    return plain | changes | {"levels": list(levels)}


def edges():
    """Every limit from both sides, every way to count, every way to combine."""
    for bad in (0, 9, 10, 11, 1_000):  # 99 % of 1,000: ten bad ones are exactly it
        yield window(level((1_000, 1_000, bad, 0, 0, 0), (AVAILABILITY, 990_000, 100)))
    # Limits that no decimal fraction hits: 2/3 lies between 666,666 and 666,667 ppm.
    for limit in (666_666, 666_667):
        yield window(level((3, 3, 1, 0, 0, 1), (AVAILABILITY, limit, 100)))
    for limit in (1, MILLION):
        for bad in (0, 1, 2**22 - 1, 2**22):
            yield window(level((2**22, 2**22, bad, 0, 0, bad), (AVAILABILITY, limit, 100)))
    for measure, tally in ((BAD_INTERVALS, (9, 9, 5, 0, 0, 1)), (BAD_RUN, (9, 9, 9, 0, 0, 5))):
        for limit in (4, 5, 6):
            yield window(level(tally, (measure, limit, 100)))
    tiers = ((BAD_INTERVALS, 1, 300), (BAD_INTERVALS, 2, 200), (BAD_RUN, 3, 400))
    for bad in range(5):
        yield window(level((9, 9, bad, 0, 0, bad), *tiers))
        yield window(level((9, 9, bad, 0, 0, bad), *tiers, per_bad=7))
        yield window(level((9, 9, bad, 0, 0, bad), per_bad=7))
        yield window(level((9, 9, bad, 0, 0, bad), *tiers, per_bad=7), cap=310)
    for cap in (1, 9_999, WHOLE):
        yield window(level((2**22, 2**22, 2**22, 0, 0, 2**22), per_bad=WHOLE), cap=cap)
    for policy in (EXCLUDED, GOOD, BAD):
        for tally in ((10, 10, 1, 1, 0, 1), (10, 10, 0, 10, 0, 0), (10, 2, 0, 2, 0, 0)):
            yield window(
                level(tally, (AVAILABILITY, 900_000, 100), (BAD_RUN, 2, 900), per_bad=3),
                policy=policy,
            )
    for removed in (False, True):
        for tally in (
            (10, 10, 1, 0, 1, 1),  # 9/10, or 8/9
            (10, 10, 1, 0, 9, 1),
            (10, 10, 0, 0, 10, 0),  # nothing was planned at all
            (10, 10, 0, 1, 9, 0),
            (10, 10, 0, 2, 1, 0),  # 2/10 unknown, or 2/9
        ):
            yield window(
                level(tally, (AVAILABILITY, 900_000, 100), per_bad=3, removed=removed),
                unknown_limit=200_000,
                unknown_credit=500,
            )
    for unknown in (0, 1, 2, 3, 10):
        for unknown_credit in (0, 99, 100, 101, WHOLE):
            for limit in (0, 200_000, MILLION):
                yield window(
                    level((10, 10, 0, unknown, 0, 0), (AVAILABILITY, MILLION, 1)),
                    level((9, 9, 1, 0, 0, 1), (BAD_INTERVALS, 1, 100)),
                    unknown_limit=limit,
                    unknown_credit=unknown_credit,
                    cap=5_000,
                )
    for combination in (SUM, WORST):
        for cap in (250, 300, 301, WHOLE):
            yield window(
                level((9, 9, 1, 0, 0, 1), (BAD_INTERVALS, 1, 100)),
                level((7, 7, 0, 0, 0, 0), (BAD_INTERVALS, 1, 9_000)),
                level((5, 5, 1, 0, 0, 1), (BAD_INTERVALS, 1, 200)),
                combination=combination,
                cap=cap,
            )
    for most in (WHOLE, WITH_BOND):
        full = level((60, 60, 60, 0, 0, 60), *[(BAD_RUN, 60, most)] * 8, per_bad=most)
        yield window(*[full] * 8, combination=SUM, cap=most)
    # A bond pays what the fee does not.
    late = level((10, 10, 3, 0, 0, 3), (BAD_RUN, 3, 25_000), per_bad=5_000)
    for cap in (WHOLE, 39_999, 40_000, 40_001, WITH_BOND):
        yield window(late, cap=cap)
        yield window(late, late, combination=SUM, cap=cap)
        yield window(late, cap=cap, unknown_credit=50_000)
        unsure = level((10, 10, 0, 1, 0, 0), (BAD_RUN, 3, 1))
        yield window(unsure, cap=cap, unknown_credit=50_000, unknown_limit=0)
    yield from averages()


def averages():
    """Averages just at their limit and just beyond it, from either side of the best value."""
    for range_, limit in (
        ((0, 100), 10),
        ((100, 0), 90),
        ((20, 120), 30),
        ((0, 100), 0),
        ((100, 0), 100),
    ):
        away = abs(limit - range_[0])
        tier = (AVERAGE, limit, 100)
        for planned in (1, 10, 2**22):
            exact = away * planned
            for deviation in sorted({max(0, exact - 1), exact, exact + 1}):
                judged = (planned, planned, 0, 0, 0, 0)
                yield window(level(judged, tier, range_=range_, deviation=deviation))
    tiers = ((AVERAGE, 10, 100), (AVERAGE, 50, 900), (BAD_RUN, 2, 400))
    for policy in (EXCLUDED, GOOD, BAD):
        for deviation in (60, 61, 100, 101, 500, 501):
            for unknown in (0, 1, 4, 5):
                tally = (10, 8, 2, unknown, 0, 1)
                made = level(tally, *tiers, range_=(0, 100), deviation=deviation)
                yield window(made, policy=policy, unknown_limit=400_000, unknown_credit=200)
    for removed in (False, True):
        for deviation in (0, 60, 61, 100, 101):
            tally = (10, 10, 1, 0, 4, 1)
            made = level(tally, *tiers, range_=(0, 100), deviation=deviation, removed=removed)
            yield window(made)
    # As much as there can be.
    best, worst = 0, 2**32 - 3
    for unknown, policy in ((0, BAD), (2**22, BAD), (2**22, EXCLUDED)):
        judged = (2**22, 2**22, 2**22 - unknown, unknown, 0, 2**22 - unknown)
        sums = worst * (2**22 - unknown)
        for limit in (1, worst - 1):
            tier = (AVERAGE, limit, 100)
            yield window(level(judged, tier, range_=(best, worst), deviation=sums), policy=policy)


def random_windows(random: Random):
    for _ in range(300):
        most = random.choice((WHOLE, WHOLE, WITH_BOND))
        yield window(
            *(random_level(random) for _ in range(random.choice((1, 1, 2, 3, 8)))),
            combination=random.choice((SUM, WORST)),
            cap=random.choice((most, random.randint(1, most))),
            policy=random.choice((EXCLUDED, GOOD, BAD)),
            unknown_limit=random.choice((0, 100_000, 333_333, MILLION, random.randint(0, MILLION))),
            unknown_credit=random.choice((0, random.randint(0, WHOLE))),
        )


def random_level(random: Random):
    planned = random.choice((1, 2, 3, 10, 60, 1_440, 44_640, 2**22))
    judged = random.choice((planned, random.randint(0, planned)))
    bad = random.choice((0, 1, judged, random.randint(0, judged)))
    bad = min(bad, judged)
    unknown = random.choice((0, random.randint(0, judged - bad)))
    not_applicable = random.choice((0, judged - bad - unknown))
    run = random.choice((min(bad, 1), bad, random.randint(min(bad, 1), bad)))
    # Availability limits around the one that is just reached, so that < and <= differ.
    reached = MILLION * (planned - bad) // planned
    near = [reached, reached + 1, MILLION, random.randint(1, MILLION)]
    best, worst = random.choice(((0, 0), (0, 10), (10, 0), (7, 1_000), (1_000_000, 0)))
    spread = abs(worst - best)
    deviation = random.randint(0, spread * (judged - unknown - not_applicable))
    average = deviation // planned
    tiers = []
    for _ in range(random.choice((0, 1, 3, 8))):
        measure = random.randrange(4 if spread else 3)
        if measure == AVERAGE:
            away = min(spread - 1, random.choice((average, average + 1, random.randrange(spread))))
            limit = best + away if worst > best else best - away
        else:
            limits = near if measure == AVAILABILITY else [1, bad, bad + 1, run, run + 1]
            most = MILLION if measure == AVAILABILITY else planned
            limit = min(most, max(1, random.choice(limits)))
        tiers.append((measure, limit, random.randint(1, WHOLE)))
    return level(
        (planned, judged, bad, unknown, not_applicable, run),
        *tiers,
        per_bad=random.choice((0, 0, 1, 33, WHOLE)),
        removed=random.random() < 0.5,
        range_=(best, worst),
        deviation=deviation,
    )


def amounts(random: Random):
    for fee in (1, 3, 9_999, WHOLE, 10_001, 10**6, 10**18 + 1, MOST):
        for credit in (0, 1, 3_333, 5_000, 9_999, WHOLE, WITH_BOND):
            due = floor(Fraction(fee * credit, WHOLE))
            for paid in sorted({0, due - 1, due, due + 1, fee}):
                if paid >= 0:
                    yield fee, credit, paid
    for _ in range(60):
        fee = random.randint(1, 10 ** random.randint(1, 38))
        yield (
            fee,
            random.choice((random.randint(0, WHOLE), WITH_BOND)),
            random.choice((0, random.randint(0, fee))),
        )
