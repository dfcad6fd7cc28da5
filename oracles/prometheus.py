"""Prometheus and what speaks its API: Thanos, Mimir, VictoriaMetrics.

The time stamps that count are those of the samples. An interval is asked for as the milliseconds
from its start to the last one before its end.
"""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal, InvalidOperation
from math import isinf, isnan
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from oracles.base import Answer, Interval, MonitoringService, Query, Reading
from oracles.clients.http_access import HttpOptions, Servers
from oracles.clients.http_api import BaseUrl, answers
from oracles.described import described
from oracles.errors import AccessRefused, BadRequest, GarbageAnswer, MonitoringError, Unavailable
from oracles.series import SeriesSpec, check_series, check_single, conclude_series
from oracles.spans import runs
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_POINTS: Final = 11_000
"""Prometheus' limit of one answer to query_range."""
_LOOKBACK: Final = 300
"""Seconds for which Prometheus by default takes a sample for the present."""
_LONGEST: Final = 86_400
"""Seconds of a backlog that one call asks for at most."""
_SELECTOR: Final = re.compile(r"\s*(?:[a-zA-Z_:][\w:]*\s*(?:\{[^{}]*\})?|\{[^{}]*\})\s*")
_CALLED: Final = re.compile(r"([a-zA-Z_]\w*)\s*\(")
"""What stands before a parenthesis: a function, an aggregation, or a keyword."""
_ONE_BY_ONE: Final = re.compile(
    r"abs|absent|(absent|avg|count|last|max|min|present|quantile|stddev|stdvar|sum)_over_time|and|bool"
    r"|ceil|changes|clamp|clamp_max|clamp_min|count|delta|deriv|exp|floor|group_left|group_right"
    r"|idelta|ignoring|increase|irate|ln|log10|log2|max|min|on|or|quantile|rate|resets|round|scalar"
    r"|sgn|sqrt|time|timestamp|unless|vector"
)
"""Those whose result depends on neither the order of the series nor the range of the query."""


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
_Points: TypeAlias = list[tuple[int, str]]
"""Of one series: UNIX ms, and what the server calls a number."""


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
        return self._judged(query, interval, _series(query.spec, self._ask(query, interval)))

    def _judged(
        self, query: Query[PrometheusSpec], interval: Interval, series: Collection[_Points]
    ) -> Reading:
        if len(series) > 1:
            raise GarbageAnswer(
                f"prometheus: {len(series)} series where one number is needed: choose one by its"
                " labels, or aggregate, for instance with sum() or avg()"
            )
        start, end, step = (n * 1000 for n in (interval.start, interval.end, query.spec.step))
        stamps = [at for one in series for at, _ in one]
        # A server may lose a millisecond in a floating point number.
        if query.spec.mode == "range" and any(
            (at + 1 - start) % step not in (0, step - 1) for at in stamps
        ):
            raise GarbageAnswer(
                "prometheus: points at other times than those that were asked for, as of a front end"
                " that aligns a range to its step: turn that off, or name the server behind it"
            )
        # Up to version 2 a range is closed at both ends, since version 3 open at the left.
        points = [[at, _number(text)] for one in series for at, text in one if start <= at < end]
        return self._reading(query, interval, {"points": points})

    def _read_span(
        self, queries: Sequence[Query[PrometheusSpec]], intervals: Sequence[Interval]
    ) -> list[list[Reading | MonitoringError | None]]:
        asked = [
            (place, run)
            for place, query in enumerate(queries)
            if _is_alike(query.spec)
            for run in runs(intervals, _longest(query))
            if len(run) > 1
        ]
        places = {str(queries[place].spec.url): place for place, _ in asked}
        specs = [queries[place].spec for place in places.values()]
        own = dict(zip(places, answers(self._is_own, specs, self._options.workers), strict=True))

        def together(one: tuple[int, list[Interval]]) -> Mapping[Interval, Reading]:
            query, run = queries[one[0]], one[1]
            if isinstance(known := own[str(query.spec.url)], MonitoringError):
                raise known
            return self._together(query, run) if known else {}

        found: dict[tuple[int, Interval], Reading | MonitoringError] = {}
        given = answers(together, asked, self._options.workers)
        for (place, run), said in zip(asked, given, strict=True):
            each = dict.fromkeys(run, said) if isinstance(said, MonitoringError) else said
            found.update(((place, interval), answer) for interval, answer in each.items())
        return [[found.get((place, one)) for place in range(len(queries))] for one in intervals]

    def _is_own(self, spec: PrometheusSpec) -> bool:
        """Whether Prometheus itself answers: others make something else of a longer range."""
        try:
            said = self._servers.at(str(spec.url)).get_json(f"{_path(spec)}/api/v1/status/flags")
        except (AccessRefused, BadRequest, GarbageAnswer):
            return False
        flags = said.get("data") if isinstance(said, dict) else None
        return isinstance(flags, dict) and "storage.tsdb.path" in flags

    def _together(
        self, query: Query[PrometheusSpec], run: Sequence[Interval]
    ) -> Mapping[Interval, Reading]:
        """What one call tells of adjoining intervals; those that are not sure are left out."""
        found: dict[Interval, Reading] = {}
        try:
            said = self._ask(query, Interval(run[0].start, run[-1].end))
        except (BadRequest, GarbageAnswer):
            return found  # it is too much at once, say
        with contextlib.suppress(MonitoringError):  # one interval spoils it for all
            parts = _cut(query, run, _series(query.spec, said, span=True))
            for interval, part in zip(run, parts, strict=True):
                with contextlib.suppress(MonitoringError):
                    found[interval] = self._judged(query, interval, part)
        return found

    def _ask(self, query: Query[PrometheusSpec], span: Interval) -> _Said:
        """What the server says of one interval, or of several adjoining ones."""
        spec = query.spec
        fields = {
            "timeout": f"{self._options.timeout:g}s",
            "partial_response": "false",  # Thanos
            **({} if spec.dedup is None else {"dedup": str(spec.dedup).lower()}),
        }
        step = spec.step if spec.mode == "range" else query.length
        # Where the server knows it: an older sample than this belongs to an earlier step.
        fields["lookback_delta"] = f"{min(step, _LOOKBACK)}s"
        if spec.mode == "range" or (spec.mode == "instant" and span.seconds > query.length):
            kind = "query_range"
            # Each step is asked for at its own end, for what happened within it.
            fields |= {"query": spec.query, "step": f"{step}s"}
            fields |= {"start": _last(span.start + step), "end": _last(span.end)}
            fields["nocache"] = "1"  # or VictoriaMetrics moves the times of 50 points and more
        else:
            kind = "query"
            suffix = f"\n[{span.seconds}s]" if spec.mode == "samples" else ""
            fields |= {"query": spec.query + suffix, "time": _last(span.end)}
        tenant = {} if spec.tenant is None else {"X-Scope-OrgID": spec.tenant}
        said = self._servers.at(str(spec.url)).post_form(
            f"{_path(spec)}/api/v1/{kind}", fields, headers=tenant
        )
        try:
            return _SAID.validate_python(said)
        except ValidationError:
            raise GarbageAnswer(f"{self.name}: not an answer of Prometheus' API") from None

    @classmethod
    def conclude(cls, query: Query[PrometheusSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService and `conclude_series`."""
        return conclude_series(query, interval, raw)


def _path(spec: PrometheusSpec) -> str:
    """Of the server's URL, without a slash at its end."""
    return urlsplit(str(spec.url)).path.rstrip("/")


def _last(second: int) -> str:
    """The last millisecond before a UNIX second."""
    return f"{second - 1}.999"


def _is_alike(spec: PrometheusSpec) -> bool:
    """Whether a longer range cannot change what Prometheus answers for an interval.

    `@ end()` is the end of the range; and Prometheus adds up series in an order that depends on
    where they are stored, which shows in the last digit.
    """
    if spec.mode == "samples":
        return True
    strange = "@" in spec.query or "#" in spec.query  # a comment may stand before a parenthesis
    return not strange and all(map(_ONE_BY_ONE.fullmatch, _CALLED.findall(spec.query)))


def _longest(query: Query[PrometheusSpec]) -> int:
    """Seconds that one call may ask for."""
    step = query.spec.step if query.spec.mode == "range" else query.length
    return _LONGEST if query.spec.mode == "samples" else min(_LONGEST, _POINTS * step)


def _series(spec: PrometheusSpec, said: _Said, *, span: bool = False) -> list[_Points]:
    """The points of each series that the server has found."""
    if said.warnings or said.partial or said.isPartial:
        # Their text is the server's own, which may repeat what it was sent.
        reason = "the server gave warnings" if said.warnings else "some of the data is missing"
        raise Unavailable(f"prometheus: a partial answer ({reason})")
    if isinstance(said.data, _Scalar):
        found = [[said.data.result]]
    else:
        expected = "vector" if spec.mode == "instant" and not span else "matrix"
        if said.data.resultType != expected:
            raise GarbageAnswer(
                f"prometheus: a {said.data.resultType} instead of a {expected}: in mode"
                f" {spec.mode} the query is {_ALLOWED[spec.mode]}"
            )
        if any(one.histogram is not None or one.histograms for one in said.data.result):
            raise GarbageAnswer("prometheus: histograms are no numbers: use histogram_quantile()")
        found = [one.values if one.value is None else [one.value] for one in said.data.result]
    return [[(_ms(at), text) for at, text in one] for one in found]


def _cut(
    query: Query[PrometheusSpec], run: Sequence[Interval], series: Sequence[_Points]
) -> list[Collection[_Points]]:
    """Of each interval of a run the series that it would have alone, with their points.

    Raises GarbageAnswer for other times than those that were asked for.
    """
    spec, begin, length = query.spec, run[0].start * 1000, query.length * 1000
    step = (spec.step if spec.mode == "range" else query.length) * 1000
    parts: list[dict[int, _Points]] = [{} for _ in run]
    for number, points in enumerate(series):
        for at, text in points:
            if spec.mode != "samples" and (at + 1 - begin) % step:
                raise GarbageAnswer(f"prometheus: a point at {at} ms, which was not asked for")
            # An old server counts a sample one millisecond before an interval in, as one more series.
            early = spec.mode == "samples" and (at + 1 - begin) % length == 0
            for place in ((at - begin) // length, (at + 1 - begin) // length)[: 1 + early]:
                if 0 <= place < len(run):
                    parts[place].setdefault(number, []).append((at, text))
    return [part.values() for part in parts]


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
