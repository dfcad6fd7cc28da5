"""A window that slides over an indicator: the mean, extreme or percentile of its last hour, say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from oracles.base import (
    NO_DATA,
    Answer,
    Interval,
    Query,
    Value,
    answer_in,
    canonical,
    read_canonical,
)
from oracles.composite import (
    Composite,
    CompositeSpec,
    InnerSource,
    Part,
    leaves,
    settle_delay,
)
from oracles.errors import BadRequest, GarbageAnswer, MonitoringError
from oracles.statistic import Statistic, combine
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE: Final = 600
"""Seconds for which garbage may still heal, at most."""
_UNREADABLE: Final = "unreadable"
"""Stands for garbage of which there is nothing to keep."""
_KEPT: Final = 65_536
"""Bytes of evidence of garbage that are kept."""


class SlidingSpec(CompositeSpec):
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

    Before the first interval nothing is known: windows there are as if they lacked data. A raw
    value that stays garbage is missing, too: it must not make all windows around it unknown.
    """

    name = "sliding"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    REMEMBERED = 100_000  # the windows of many questions
    Spec = SlidingSpec

    @classmethod
    def _questions(cls, query: Query[SlidingSpec]) -> list[Query[Any]]:
        step = query.spec.step or query.length
        count, rest = divmod(query.spec.over, step)
        if rest or query.length % step:
            raise BadRequest(f"over and the interval must be multiples of step, {step} s")
        if count < 1:
            raise BadRequest(f"over, {query.spec.over} s, is shorter than step, {step} s")
        if cls._needed(query) > count:
            raise BadRequest(
                f"min_values {query.spec.min_values} is more than the {count} there are"
            )
        if query.spec.statistic == "count":
            raise BadRequest("the count of raw values is no value of the metric")
        return [cls._question(query.spec.source, query.metric.name, first=query.first, length=step)]

    @classmethod
    def leaves(cls, query: Query[SlidingSpec]) -> int:
        [question] = cls._questions(query)
        return query.spec.over // question.length * leaves(question)

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
    def _instead(cls, part: Part, error: MonitoringError, now: float) -> Any:
        question = part.query
        patience = settle_delay(question) + min(question.length, _PATIENCE)
        if not isinstance(error, GarbageAnswer) or now < part.interval.end + patience:
            return None
        evidence = error.evidence
        if evidence is None or len(evidence) > _KEPT:
            return {"garbage": _UNREADABLE}
        try:
            answer_in(question, part.interval, evidence)
        except GarbageAnswer:  # that of a part of the part
            return {"garbage": _UNREADABLE}
        return {"garbage": read_canonical(evidence)}

    @classmethod
    def _answer(cls, part: Part, kept: Any) -> Answer:
        """See Composite. What is called garbage must be garbage for whoever looks at it."""
        if not isinstance(kept, dict) or kept.keys() != {"garbage"}:
            return super()._answer(part, kept)
        garbage = kept["garbage"]
        if garbage == _UNREADABLE:
            return NO_DATA
        answer_in(part.query, part.interval, canonical(garbage))
        try:
            super()._answer(part, garbage)
        except GarbageAnswer:
            return NO_DATA
        raise GarbageAnswer("sliding: a raw value that means something is called garbage")

    @classmethod
    def _needed(cls, query: Query[SlidingSpec]) -> int:
        count = query.spec.over // (query.spec.step or query.length)
        return (count + 1) // 2 if query.spec.min_values is None else query.spec.min_values
