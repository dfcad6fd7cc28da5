from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from pydantic import TypeAdapter, ValidationError

from oracles.statistic import Statistic, combine

POINTS = [Fraction(n) for n in (4, 1, 3, 2, 10)]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("mean", 4),
        ("min", 1),
        ("max", 10),
        ("sum", 20),
        ("count", 5),
        ("last", 10),
        ("p0", 1),
        ("p20", 1),
        ("p20.000001", 2),
        ("p50", 3),
        ("p80", 4),
        ("p99.9", 10),
        ("p100", 10),
    ],
)
def test_many_points_make_one_number(statistic, expected):
    assert combine(statistic, POINTS) == expected


def test_a_mean_is_exact():
    assert combine("mean", [Fraction(1), Fraction(1), Fraction(0)]) == Fraction(2, 3)
    tenths = [Fraction(1, 10)] * 3
    assert combine("sum", tenths) == Fraction(3, 10)


@pytest.mark.parametrize("name", ["mean", "min", "max", "sum", "last", "p0", "p50", "p100"])
def test_one_point_is_its_own_statistic(name):
    assert combine(name, [Fraction(7, 3)]) == Fraction(7, 3)


@pytest.mark.parametrize(
    ("counter", "grown"),
    [
        ((5, 5, 5), 0),
        ((5, 6, 9), 4),
        ((90, 100, 5, 12), 10 + 5 + 7),
        ((90, 0, 0), 0),
        ((3, 2, 1), 3),
        ((7,), 0),
    ],
)
def test_a_counter_that_falls_was_reset_and_has_grown_from_zero(counter, grown):
    assert combine("increase", [Fraction(n) for n in counter]) == grown


def test_a_percentile_is_the_smallest_point_that_so_many_do_not_exceed():
    rng = random.Random(1)
    for _ in range(200):
        points = [Fraction(rng.randrange(9)) for _ in range(rng.randrange(1, 12))]
        share = rng.choice(["0.5", "1", "25", "50", "66.6", "75", "90", "99", "99.99"])
        found = combine(f"p{share}", points)
        enough = Fraction(share) / 100 * len(points)
        assert found in points
        assert sum(point <= found for point in points) >= enough
        assert all(
            sum(point <= smaller for point in points) < enough
            for smaller in points
            if smaller < found
        )


def test_only_last_and_increase_depend_on_the_order():
    for name in ("mean", "min", "max", "sum", "count", "p50", "p90"):
        orders = itertools.islice(itertools.permutations(POINTS), 20)
        assert len({combine(name, order) for order in orders}) == 1


@pytest.mark.parametrize("name", ["mean", "increase", "p0", "p00", "p99.999999", "p100"])
def test_known_names(name):
    assert TypeAdapter(Statistic).validate_python(name) == name


@pytest.mark.parametrize(
    "name", ["", "median", "Mean", "p", "p101", "p100.1", "p-1", "p99.9999999", "p5 ", "p5\n"]
)
def test_another_name_is_refused_with_those_that_exist(name):
    with pytest.raises(ValidationError, match="allowed: mean, min, max, sum, count, last"):
        TypeAdapter(Statistic).validate_python(name)
