"""The one table of metrics and units. What a reading's code is, tests/oracles/test_base.py tells."""

from __future__ import annotations

from fractions import Fraction

import pytest

from oracles import METRICS, BadRequest, GarbageAnswer, encode
from oracles.units import UNITS, from_double


@pytest.mark.parametrize(
    ("unit", "notation", "steps"),
    [
        # documents
        ("ppm", "%", 10_000),
        ("ms", "s", 1_000),
        ("s", "d", 86_400),
        # Amazon CloudWatch
        ("ppm", "Percent", 10_000),
        ("ms", "Seconds", 1_000),
        ("ms", "Milliseconds", 1),
        ("ms", "Microseconds", Fraction(1, 1_000)),
        ("count", "Count", 1),
        ("count", "None", 1),
        # Azure Monitor
        ("ms", "MilliSeconds", 1),
        ("count", "Unspecified", 1),
        # Google Cloud, OpenTelemetry (UCUM)
        ("ppm", "1", 1_000_000),
        ("ppm", "10^2.%", 1_000_000),
        ("count", "1", 1),
        ("ms", "us", Fraction(1, 1_000)),
        ("ms", "ns", Fraction(1, 1_000_000)),
        ("ms", "min", 60_000),
        ("s", "min", 60),
        # Datadog, Dynatrace
        ("ppm", "fraction", 1_000_000),
        ("ppm", "Ratio", 1_000_000),
        ("ppm", "Promille", 1_000),
        ("ms", "NanoSecond", Fraction(1, 1_000_000)),
        ("ms", "MicroSecond", Fraction(1, 1_000)),
        ("s", "hour", 3_600),
    ],
)
def test_services_call_units_by_many_names(unit, notation, steps):
    assert UNITS[unit].scale(notation) == steps
    assert UNITS[unit].scale(f" {notation} ") == steps


@pytest.mark.parametrize(
    ("unit", "notation"), [("ppm", "s"), ("ms", "%"), ("count", "Bytes"), ("s", ""), ("ms", "m")]
)
def test_a_unit_of_something_else_is_refused_with_those_that_fit(unit, notation):
    with pytest.raises(BadRequest, match=f"is not a unit of {unit} \\({unit}"):
        UNITS[unit].scale(notation)


def test_a_notation_never_means_two_things_in_capitals_and_small_letters():
    for unit in UNITS.values():
        known = {**unit.written, **unit.reported}
        assert all(name == name.lower() for name in unit.reported)
        for name, steps in known.items():
            assert known.get(name.lower(), steps) == steps
            assert unit.scale(name) == steps


def test_each_metric_has_a_unit_of_the_table():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert UNITS[metric.unit.name] is metric.unit


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**5000], ids=["+", "-", "++"])
def test_a_whole_number_beyond_all_doubles_is_garbage(value):
    with pytest.raises(GarbageAnswer, match="beyond all doubles"):
        from_double(value)


def test_an_amount_beyond_all_doubles_is_garbage_too():
    with pytest.raises(GarbageAnswer, match="beyond all doubles"):
        encode(METRICS["throughput"], Fraction(10**400))


@pytest.mark.parametrize(("double", "exact"), [(2.0**53, 2**53 // 10 * 10), (-0.0, 0), (5e-324, 0)])
def test_doubles_at_the_edges(double, exact):
    assert abs(from_double(double) - exact) < 10


def test_a_service_may_say_nothing_but_numbers():
    for value in ("1", b"1", [1], {"v": 1}, None, True, float("nan"), float("-inf"), 1j):
        with pytest.raises(GarbageAnswer, match="not a finite number"):
            from_double(value)
