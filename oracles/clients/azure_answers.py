"""What Azure Monitor's answers say: points of metrics, rows of logs, and errors among them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from oracles.described import described
from oracles.errors import (
    AccessRefused,
    GarbageAnswer,
    Throttled,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oracles.base import Interval

UNREADABLE: Final = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What parsers stumble with over what is no answer."""


_CODE: Final = re.compile(r"[A-Z][A-Za-z]{2,39}")


class Series(BaseModel):
    """One metric of one resource, as it stands in evidence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    points: list[tuple[int, Any]]
    """UNIX milliseconds at which a grain begins, and its number or None."""
    unit: str
    """What Azure says that the numbers are in."""

    @property
    def empty(self) -> bool:
        """Whether there is not a single number."""
        return all(number is None for _, number in self.points)


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class _MetricName(_Said):
    value: str


class _TimeSeries(_Said):
    data: list[dict[str, Any]] = []


class _Metric(_Said):
    name: _MetricName
    unit: str
    error_code: str | None = Field(default=None, alias="errorCode")
    timeseries: list[_TimeSeries] = []


class _Resource(_Said):
    interval: timedelta
    value: tuple[_Metric]


def series_of(said: Any, metric: str, aggregation: str, step: int, interval: Interval) -> Series:
    """The points of one resource in an answer of metrics:getBatch. `step` is in seconds.

    Raises the MonitoringError that Azure reports for this resource; GarbageAnswer where the answer
    is about something else than was asked.
    """
    if said is None:
        raise GarbageAnswer("Azure: the answer lacks a resource that was asked for")
    try:
        answer = _Resource.model_validate(said)
        [found] = answer.value
        stamped = [
            (_milliseconds(datetime.fromisoformat(point["timeStamp"])), point)
            for series in found.timeseries
            for point in series.data
        ]
    except UNREADABLE as error:
        # the messages of parsers quote what they parse; ours must not
        raise GarbageAnswer(
            f"Azure: not the answer for a metric ({type(error).__name__})"
        ) from None
    _raise_refusal(found.error_code)
    if found.name.value.lower() != metric.lower():
        raise GarbageAnswer("Azure: the answer is about another metric")
    if answer.interval != timedelta(seconds=step):
        raise GarbageAnswer(f"Azure: the points are of {answer.interval}, not of {step} s")
    if len(found.timeseries) > 1:
        raise GarbageAnswer("Azure: several series came back; name all dimensions")
    points = [(at, point.get(aggregation.lower())) for at, point in stamped]
    return Series(points=_within(points, interval), unit=found.unit)


def points_of(
    tables: Sequence[Any], time_column: str, value_column: str, interval: Interval
) -> list[tuple[int, Any]]:
    """The rows of a query's only table as points. Raises GarbageAnswer."""
    if len(tables) != 1:
        raise GarbageAnswer(f"Azure: a query gives one table, not {len(tables)}")
    [table] = tables
    columns = list(table.columns)
    for name in (time_column, value_column):
        if columns.count(name) != 1:
            raise GarbageAnswer(
                f"Azure: the query gives {columns.count(name) or 'no'} column {name!r}"
                f" among {len(columns)}, where one is needed;"
                " end it with summarize ... by bin(TimeGenerated, 1m), or with project"
            )
    at, value = columns.index(time_column), columns.index(value_column)
    return _within([(_milliseconds(row[at]), row[value]) for row in table.rows], interval)


def _raise_refusal(code: str | None) -> None:
    """Raise the error that Azure reports for one resource among others."""
    if code is None or code == "Success":
        return
    text = f"Azure: {code if _CODE.fullmatch(code) else described(code)}"
    if "throttl" in code.lower() or code == "TooManyRequests":
        raise Throttled(text)
    if code in ("AuthorizationFailed", "Forbidden", "Unauthorized"):
        raise AccessRefused(f"{text}; the role Monitoring Reader is needed")
    raise Unavailable(text)


def _milliseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a time stamp without a time zone")
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _within(points: Iterable[tuple[int, Any]], interval: Interval) -> list[tuple[int, Any]]:
    """In the order of time; what begins with the interval's end belongs to the next one."""
    inside = (point for point in points if point[0] != interval.end * 1000)
    return sorted(inside, key=lambda point: point[0])
