"""Services that answer with time-stamped points: what they have in common, and how points are judged."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, StrictInt, TypeAdapter, ValidationError

from oracles.base import NO_DATA, Answer, Interval, Query, Spec, Value
from oracles.errors import BadRequest, GarbageAnswer
from oracles.statistic import Statistic, combine
from oracles.units import COUNT, from_double

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction


class SeriesSpec(Spec):
    """What the specifications of such services share. See docs/oracles/series.md."""

    unit: str = Field(min_length=1, max_length=40)
    """What the service's numbers are in: any notation that the table in `oracles.units` knows."""
    statistic: Statistic = "mean"
    """How the points of an interval make one number."""
    step: int = Field(default=60, ge=1, le=86_400)
    """Seconds between two points."""
    min_points: int | None = Field(default=None, ge=1)
    """Points below which there is no data; by default all that fit: interval / step."""

    def needed(self, length: int) -> int:
        """Points that make a reading of an interval of `length` seconds."""
        return length // self.step if self.min_points is None else self.min_points


@dataclass(frozen=True)
class _Raw:
    points: list[tuple[StrictInt, Any]]


_RAW: Final = TypeAdapter(_Raw)


def check_series(query: Query[Any]) -> None:
    """Raise BadRequest if the unit is not the metric's, or the points do not fill the intervals."""
    spec: SeriesSpec = query.spec
    check_unit(query)
    if query.length % spec.step:
        raise BadRequest(f"the interval {query.length} s is no multiple of step, {spec.step} s")
    if spec.needed(query.length) > query.length // spec.step:
        raise BadRequest(
            f"min_points {spec.needed(query.length)} is more than the"
            f" {query.length // spec.step} points of {spec.step} s in {query.length} s"
        )
    if spec.statistic == "increase" and query.length < 2 * spec.step:
        raise BadRequest("an increase needs two points an interval at least: a smaller step")


def check_unit(query: Query[Any]) -> None:
    """Raise BadRequest if the numbers are in another unit than the metric."""
    query.metric.unit.scale(query.spec.unit)
    if query.spec.statistic == "count" and query.metric.unit != COUNT:
        raise BadRequest(
            f"statistic count is a number of points, and {query.metric.name} is in"
            f" {query.metric.unit.name}"
        )


def check_single(query: Query[Any]) -> None:
    """Raise BadRequest if a specification of one number an interval says how to combine several."""
    spec: SeriesSpec = query.spec
    check_unit(query)
    if spec.statistic != "mean" or spec.min_points is not None:
        raise BadRequest("one number an interval: leave statistic and min_points out")


def conclude_series(
    query: Query[Any], interval: Interval, raw: Any, *, needed: int | None = None
) -> Answer:
    """One number of the points in `raw`, scaled to the metric's unit, or NO_DATA.

    `raw` is {"points": [[at, number], ...], ...} with `at` in UNIX milliseconds by the service's own
    clock, within [start, end), ascending, none twice; a number of null says that there is none.
    With fewer than `needed` points, by default what the specification says, there is no data.
    Raises GarbageAnswer for anything else, and for NaN.
    """
    points = _points(interval, raw)
    spec: SeriesSpec = query.spec
    numbers = [number for _, number in points if number is not None]
    # One point alone has not increased: it says nothing.
    least = 2 if spec.statistic == "increase" else 1
    if len(numbers) < max(least, spec.needed(query.length) if needed is None else needed):
        return NO_DATA
    amount = combine(spec.statistic, numbers)
    # A number of points has no unit of its own.
    scale = 1 if spec.statistic == "count" else query.metric.unit.scale(spec.unit)
    return Value(amount * scale)


def _points(interval: Interval, raw: Mapping[str, Any]) -> list[tuple[int, Fraction | None]]:
    try:
        found = _RAW.validate_python(raw).points
    except ValidationError:
        raise GarbageAnswer("these are not time-stamped points") from None
    stamps = [at for at, _ in found]
    if any(not interval.start * 1000 <= at < interval.end * 1000 for at in stamps):
        raise GarbageAnswer("a point lies outside the interval that was asked for")
    if any(new <= old for old, new in itertools.pairwise(stamps)):
        raise GarbageAnswer("the points are not in the order of time, or one is there twice")
    return [(at, None if number is None else from_double(number)) for at, number in found]
