"""What all services that answer with time-stamped points have in common."""

from __future__ import annotations

from fractions import Fraction

import pytest

from oracles import METRICS, NO_DATA, BadRequest, GarbageAnswer, Interval, Query, Value
from oracles.series import SeriesSpec, check_series, check_single, conclude_series

FIRST = 1_767_225_600
LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)


def ask(metric="throughput", *, length=LENGTH, **spec):
    spec = SeriesSpec.model_validate({"unit": "count", **spec})
    return Query("series", spec, METRICS[metric], FIRST, length)


def minutes(*values, start=0):
    return {"points": [[(FIRST + start + 60 * n) * 1000, v] for n, v in enumerate(values)]}


def conclude(raw, metric="throughput", **spec):
    return conclude_series(ask(metric, **spec), INTERVAL, raw)


@pytest.mark.parametrize(
    ("statistic", "amount"),
    [("mean", 4), ("min", 1), ("max", 10), ("sum", 20), ("last", 2), ("count", 5), ("p50", 3)],
)
def test_points_make_one_number(statistic, amount):
    assert conclude(minutes(4, 1, 3, 10, 2), statistic=statistic) == Value(Fraction(amount))


@pytest.mark.parametrize(
    ("metric", "unit", "value", "amount"),
    [
        ("availability", "ratio", 0.9995, 999_500),
        ("availability", "Percent", 99.95, 999_500),
        ("availability", "%", 99.89999999999999, 999_000),
        ("latency", "s", 0.1 + 0.2, 300),
        ("latency", "us", 1500, Fraction(3, 2)),
        ("error_rate", "ppm", 7, 7),
        ("validity", "d", 3, 3 * 86_400),
        ("failed_checks", "none", 2, 2),
    ],
)
def test_a_number_is_brought_into_the_metrics_unit(metric, unit, value, amount):
    raw = minutes(*[value] * 5)
    assert conclude(raw, metric, unit=unit) == Value(Fraction(amount))


def test_missing_points_are_no_data_unless_fewer_were_agreed():
    for raw in (minutes(1, 1, 1, 1), minutes(1, 1, None, 1, 1), minutes()):
        assert conclude(raw) is NO_DATA
    assert conclude(minutes(1, None, 3, None, 5), min_points=3) == Value(Fraction(3))
    assert conclude(minutes(1, None, 3, None, None), min_points=3) is NO_DATA
    assert conclude(minutes(None, None), min_points=1) is NO_DATA


def test_more_points_than_planned_are_points_too():
    raw = {"points": [[FIRST * 1000 + 10_000 * n, 1] for n in range(30)]}
    assert conclude(raw, statistic="count") == Value(Fraction(30))


def test_an_increase_needs_two_points():
    assert conclude(minutes(5, 5), statistic="increase", min_points=1) == Value(Fraction(0))
    assert conclude(minutes(5), statistic="increase", min_points=1) is NO_DATA


def test_an_interval_is_half_open_to_the_millisecond():
    def at(ms):
        return {"points": [[ms, 1]]}

    one = {"min_points": 1}
    for ms in (FIRST * 1000, INTERVAL.end * 1000 - 1):
        assert conclude(at(ms), **one) == Value(Fraction(1))
    for ms in (FIRST * 1000 - 1, INTERVAL.end * 1000):
        with pytest.raises(GarbageAnswer, match="outside the interval"):
            conclude(at(ms), **one)


@pytest.mark.parametrize(
    "points",
    [
        None,
        5,
        {},
        [5],
        [[FIRST * 1000]],
        [[FIRST * 1000, 1, 2]],
        [[str(FIRST * 1000), 1]],
        [[FIRST * 1000.0, 1]],
        [[True, 1]],
        [[FIRST * 1000, 1], [FIRST * 1000, 1]],
        [[FIRST * 1000 + 1, 1], [FIRST * 1000, 1]],
        [[FIRST * 1000, "1"]],
        [[FIRST * 1000, True]],
        [[FIRST * 1000, [1]]],
        [[FIRST * 1000, float("nan")]],
        [[FIRST * 1000, float("inf")]],
        [[FIRST * 1000, 10**400]],
    ],
)
def test_what_is_no_series_of_points_is_garbage(points):
    with pytest.raises(GarbageAnswer):
        conclude({"points": points}, min_points=1)


@pytest.mark.parametrize("raw", [None, [], "points", {"data": []}])
def test_nor_is_anything_else(raw):
    with pytest.raises(GarbageAnswer):
        conclude(raw)


@pytest.mark.parametrize(
    ("metric", "spec", "length", "complaint"),
    [
        ("throughput", {"unit": "ms"}, 300, "'ms' is not a unit of count"),
        ("throughput", {"step": 45}, 300, "no multiple of step, 45 s"),
        ("throughput", {"step": 60}, 30, "no multiple"),
        ("throughput", {"min_points": 6}, 300, "more than the 5 points of 60 s in 300 s"),
        ("throughput", {"statistic": "increase", "step": 300}, 300, "two points"),
        ("latency", {"unit": "ms", "statistic": "count"}, 300, "number of points, and latency"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(metric, spec, length, complaint):
    with pytest.raises(BadRequest, match=complaint):
        check_series(ask(metric, length=length, **spec))


@pytest.mark.parametrize("spec", [{"statistic": "max"}, {"min_points": 1}, {"unit": "%"}])
def test_one_number_an_interval_is_not_combined(spec):
    check_single(ask(length=7))
    with pytest.raises(BadRequest):
        check_single(ask(**spec))
