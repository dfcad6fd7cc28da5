"""Good (or bad) events per all events of an interval: error rates and request-based availability."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from oracles.base import NO_DATA, NOT_APPLICABLE, Absence, Answer, Interval, Query, Value
from oracles.composite import Composite, CompositeSpec, InnerSource, Part
from oracles.errors import GarbageAnswer
from oracles.units import METRICS, PPM, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping


class RatioSpec(CompositeSpec):
    """What is counted. See docs/oracles/ratio.md."""

    good: InnerSource | None = None
    """The events that were as they should be; or `bad`, those that were not."""
    bad: InnerSource | None = None
    total: InnerSource
    metric: str = "throughput"
    """What both services are asked for: a metric that counts."""
    when_empty: Literal["no_data", "not_applicable", "good"] = "no_data"
    """What an interval without any event is."""

    missing_is_zero: bool = False
    """Whether "no data" means that nothing was counted, as with services that publish no zeros."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.good is None) == (self.bad is None):
            raise ValueError("write good or bad, and total")
        if self.missing_is_zero and self.good:
            # Otherwise a monitoring service that fails would be a service that fails.
            raise ValueError("missing_is_zero needs bad: missing good events are not failures")
        return self


class Ratio(Composite[RatioSpec]):
    """availability = good / total, error_rate = bad / total; each from whichever was counted."""

    name = "ratio"
    METRICS: ClassVar[Mapping[str, Metric]] = {
        "availability": METRICS["availability"],
        "error_rate": METRICS["error_rate"],
    }
    Spec = RatioSpec

    @classmethod
    def _questions(cls, query: Query[RatioSpec]) -> list[Query[Any]]:
        spec = query.spec
        counted = spec.good or spec.bad
        assert counted is not None  # noqa: S101 - the specification's validator
        return [
            cls._question(source, spec.metric, first=query.first, length=query.length)
            for source in (counted, spec.total)
        ]

    @classmethod
    def _parts(cls, query: Query[RatioSpec], interval: Interval) -> dict[str, Part]:
        counted, total = cls._questions(query)
        name = "good" if query.spec.good else "bad"
        return {name: Part(counted, interval), "total": Part(total, interval)}

    @classmethod
    def _combine(cls, query: Query[RatioSpec], answers: Mapping[str, Answer]) -> Answer:
        if query.spec.missing_is_zero:
            nothing = Value(Fraction(0))
            answers = {name: nothing if one is NO_DATA else one for name, one in answers.items()}
        for absence in Absence:
            if absence in answers.values():
                return absence
        amounts = {name: one.amount for name, one in answers.items() if isinstance(one, Value)}
        total = amounts.pop("total")
        [(name, counted)] = amounts.items()
        if counted > total:
            raise GarbageAnswer(f"ratio: {float(counted):g} {name} of {float(total):g} in all")
        if total == 0 and query.spec.when_empty != "good":
            return NO_DATA if query.spec.when_empty == "no_data" else NOT_APPLICABLE
        share = counted / total if total else Fraction(name == "good")
        wanted = "good" if query.metric.better == "higher" else "bad"
        return Value((share if name == wanted else 1 - share) * PPM.scale("ratio"))
