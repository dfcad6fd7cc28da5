"""A window that slides over an indicator: the mean, extreme or percentile of its last hour, say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from oracles.base import NO_DATA, Answer, Interval, Query, Spec, Value
from oracles.composite import Composite, InnerSource, Part
from oracles.errors import BadRequest
from oracles.statistic import Statistic, combine
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST: Final = 1_440
"""Raw values in a window: all of them are evidence of each reading."""


class SlidingSpec(Spec):
    """What slides over what. Durations are in seconds. See docs/oracles/sliding.md."""

    source: InnerSource
    over: int = Field(ge=1, le=31 * 86_400)
    """Length of the window, which ends where the interval does."""
    step: int | None = Field(default=None, ge=1)
    """Length of a raw value; by default the interval's."""
    statistic: Statistic = "mean"
    """How the raw values make one."""
    min_values: int | None = Field(default=None, ge=1)
    """Raw values below which there is no data; by default half of those that fit, rounded up."""


class Sliding(Composite[SlidingSpec]):
    """The raw values of the metric itself, combined over [end - over, end) of each interval.

    Before the first interval nothing is known: windows there are as if they lacked data.
    """

    name = "sliding"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    Spec = SlidingSpec

    @classmethod
    def _questions(cls, query: Query[SlidingSpec]) -> list[Query[Any]]:
        step = query.spec.step or query.length
        count, rest = divmod(query.spec.over, step)
        if rest or query.length % step:
            raise BadRequest(f"over and the interval must be multiples of step, {step} s")
        if not 1 <= count <= _MOST:
            raise BadRequest(f"{count} raw values a window; allowed: 1 to {_MOST}")
        if cls._needed(query) > count:
            raise BadRequest(
                f"min_values {query.spec.min_values} is more than the {count} there are"
            )
        if query.spec.statistic == "count":
            raise BadRequest("the count of raw values is no value of the metric")
        return [cls._question(query.spec.source, query.metric.name, first=query.first, length=step)]

    @classmethod
    def _parts(cls, query: Query[SlidingSpec], interval: Interval) -> dict[str, Part]:
        [question] = cls._questions(query)
        begin = max(question.first, interval.end - query.spec.over)
        return {
            str(at): Part(question, Interval(at, at + question.length))
            for at in range(begin, interval.end, question.length)
        }

    @classmethod
    def _combine(cls, query: Query[SlidingSpec], answers: Mapping[str, Answer]) -> Answer:
        # By time: a dictionary from JSON is sorted by its keys as texts.
        values = [
            answer.amount
            for _, answer in sorted(answers.items(), key=lambda item: int(item[0]))
            if isinstance(answer, Value)
        ]
        if len(values) < cls._needed(query):
            return NO_DATA
        return Value(combine(query.spec.statistic, values))

    @classmethod
    def _needed(cls, query: Query[SlidingSpec]) -> int:
        count = query.spec.over // (query.spec.step or query.length)
        return (count + 1) // 2 if query.spec.min_values is None else query.spec.min_values
