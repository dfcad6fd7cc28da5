"""Prometheus and what speaks its API: Thanos, Mimir, VictoriaMetrics.

The time stamps that count are those of the samples. An interval is asked for as the milliseconds
from its start to the last one before its end.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from math import isinf, isnan
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from oracles.base import Answer, Interval, MonitoringService, Query, Reading
from oracles.clients.http_access import HttpOptions, Servers
from oracles.clients.http_api import BaseUrl, answers
from oracles.described import described
from oracles.errors import BadRequest, GarbageAnswer, MonitoringError, Unavailable
from oracles.series import SeriesSpec, check_series, check_single, conclude_series
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_POINTS: Final = 11_000
"""Prometheus' limit of one answer to query_range."""
_LOOKBACK: Final = 300
"""Seconds for which Prometheus by default takes a sample for the present."""
_SELECTOR: Final = re.compile(r"\s*(?:[a-zA-Z_:][\w:]*\s*(?:\{[^{}]*\})?|\{[^{}]*\})\s*")


class PrometheusSpec(SeriesSpec):
    """What is asked of which server. See docs/oracles/prometheus.md."""

    url: BaseUrl
    """Of the server, with its path prefix: https://thanos.example.com/prometheus."""
    query: str = Field(min_length=1, max_length=4_000)
    """PromQL that makes one series; in mode `samples` a selector."""
    mode: Literal["samples", "range", "instant"] = "samples"
    """The samples as they were scraped; the expression at each step; or once, at the end."""
    tenant: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!._*'()|-]{1,150}$")
    """For Mimir and its like: sent as X-Scope-OrgID."""
    dedup: bool | None = None
    """For Thanos: whether replicas are one series. Not sent by default."""

    def needed(self, length: int) -> int:
        return 1 if self.mode == "instant" else super().needed(length)


@dataclass
class _Series:
    values: list[tuple[float, str]] = Field(default=[])
    value: tuple[float, str] | None = None
    histogram: Any = None
    histograms: Any = None


@dataclass
class _Vector:
    resultType: Literal["vector", "matrix"]  # noqa: N815 - as Prometheus writes it
    result: list[_Series]


@dataclass
class _Scalar:
    resultType: Literal["scalar"]  # noqa: N815
    result: tuple[float, str]


@dataclass
class _Said:
    status: Literal["success"]
    data: Annotated[_Vector | _Scalar, Field(discriminator="resultType")]
    warnings: list[str] = Field(default=[])
    partial: bool = False
    isPartial: bool = False  # noqa: N815 - VictoriaMetrics


_SAID: Final = TypeAdapter(_Said)


class Prometheus(MonitoringService[PrometheusSpec, HttpOptions]):
    """Any expression that makes one series: the document's metric says what the number is."""

    name = "prometheus"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 120
    Spec = PrometheusSpec
    Options = HttpOptions

    def _prepare(self) -> None:
        # 422: what Thanos answers when a store is missing, Prometheus when it read too much.
        self._servers = Servers(self.name, self._options, self._clock, troubles={422})

    def close(self) -> None:
        """Close the connections."""
        self._servers.close()

    @classmethod
    def lane(cls, query: Query[PrometheusSpec]) -> str:
        """See MonitoringService: each server may be slow by itself."""
        return urlsplit(str(query.spec.url)).netloc

    @classmethod
    def _check(cls, query: Query[PrometheusSpec]) -> None:
        spec = query.spec
        if spec.mode == "instant":
            check_single(query)
        else:
            check_series(query)
        if spec.mode != "samples" and _SELECTOR.fullmatch(spec.query):
            raise BadRequest(
                f"mode {spec.mode} of a bare selector takes samples from up to {_LOOKBACK} s before"
                f" the interval; use mode samples, or last_over_time({spec.query.strip()}[...])"
            )
        if spec.mode == "range" and query.length // spec.step > _POINTS:
            raise BadRequest(f"more than {_POINTS} points an interval: a larger step")

    def _read(
        self, queries: Sequence[Query[PrometheusSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        # The API takes one expression a call. Joining several would change what errors mean.
        return answers(lambda query: self._one(query, interval), queries, self._options.workers)

    def _one(self, query: Query[PrometheusSpec], interval: Interval) -> Reading:
        points = _series(query.spec, self._ask(query.spec, interval))
        start, end = interval.start * 1000, interval.end * 1000
        # Up to version 2 a range is closed at both ends, since version 3 open at the left.
        kept = [[at, number] for at, number in points if start <= at < end]
        return self._reading(query, interval, {"points": kept})

    def _ask(self, spec: PrometheusSpec, interval: Interval) -> _Said:
        fields = {
            "timeout": f"{self._options.timeout:g}s",
            "partial_response": "false",  # Thanos
            **({} if spec.dedup is None else {"dedup": str(spec.dedup).lower()}),
        }
        step = spec.step if spec.mode == "range" else interval.seconds
        # Where the server knows it: an older sample than this belongs to an earlier step.
        fields["lookback_delta"] = f"{min(step, _LOOKBACK)}s"
        if spec.mode == "range":
            kind = "query_range"
            # Each step is asked for at its own end, for what happened within it.
            fields |= {"query": spec.query, "step": f"{step}s"}
            fields |= {"start": _last(interval.start + step), "end": _last(interval.end)}
        else:
            kind = "query"
            suffix = f"\n[{interval.seconds}s]" if spec.mode == "samples" else ""
            fields |= {"query": spec.query + suffix, "time": _last(interval.end)}
        tenant = {} if spec.tenant is None else {"X-Scope-OrgID": spec.tenant}
        prefix = urlsplit(str(spec.url)).path.rstrip("/")
        said = self._servers.at(str(spec.url)).post_form(
            f"{prefix}/api/v1/{kind}", fields, headers=tenant
        )
        try:
            return _SAID.validate_python(said)
        except ValidationError:
            raise GarbageAnswer(f"{self.name}: not an answer of Prometheus' API") from None

    @classmethod
    def conclude(cls, query: Query[PrometheusSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService and `conclude_series`."""
        return conclude_series(query, interval, raw)


def _last(second: int) -> str:
    """The last millisecond before a UNIX second."""
    return f"{second - 1}.999"


def _series(spec: PrometheusSpec, said: _Said) -> list[tuple[int, float | None]]:
    """The points (UNIX ms, number) of the one series that was asked for; none if there is none."""
    if said.warnings or said.partial or said.isPartial:
        # Their text is the server's own, which may repeat what it was sent.
        reason = "the server gave warnings" if said.warnings else "some of the data is missing"
        raise Unavailable(f"prometheus: a partial answer ({reason})")
    if isinstance(said.data, _Scalar):
        found = [said.data.result]
    else:
        if len(said.data.result) > 1:
            raise GarbageAnswer(
                f"prometheus: {len(said.data.result)} series where one number is needed: choose"
                " one by its labels, or aggregate, for instance with sum() or avg()"
            )
        expected = "vector" if spec.mode == "instant" else "matrix"
        if said.data.resultType != expected:
            raise GarbageAnswer(
                f"prometheus: a {said.data.resultType} instead of a {expected}: in mode"
                f" {spec.mode} the query is {_ALLOWED[spec.mode]}"
            )
        if any(one.histogram is not None or one.histograms for one in said.data.result):
            raise GarbageAnswer("prometheus: histograms are no numbers: use histogram_quantile()")
        found = [
            point
            for one in said.data.result
            for point in (one.values if one.value is None else [one.value])
        ]
    return [(_ms(at), _number(text)) for at, text in found]


_ALLOWED: Final = {
    "samples": "a selector, without a range",
    "range": "an expression that makes a number",
    "instant": "an expression that makes a number; a range of samples is mode samples",
}


def _ms(at: float) -> int:
    try:
        return round(at * 1000)
    except (OverflowError, ValueError):
        raise GarbageAnswer(f"prometheus: {at} is no time") from None


def _number(text: str) -> float | None:
    """None for NaN, which is what PromQL makes of 0 / 0: there is nothing to divide."""
    try:
        number = float(Decimal(text))
    except (InvalidOperation, OverflowError):
        raise GarbageAnswer(f"prometheus: {described(text)} is no number") from None
    if isinf(number):
        raise GarbageAnswer("prometheus: the value is infinite: something is divided by 0")
    return None if isnan(number) else number
