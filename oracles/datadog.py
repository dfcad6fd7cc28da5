"""Datadog, read by `GET /api/v1/query` for closed intervals.

Version 1 of the query API is used on purpose: unlike version 2 it says with each series how far
apart its points are, in which unit they are, and which of several queries it answers.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self, cast

import certifi
import urllib3
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException, OpenApiException
from datadog_api_client.v1.api.metrics_api import MetricsApi
from pydantic import AfterValidator, Field, FilePath, TypeAdapter, ValidationError

from oracles.base import Answer, Interval, MonitoringService, Options, Query, Reading
from oracles.clients.deadline import Deadline, watched
from oracles.clients.halving import Hanging, halved
from oracles.clients.http_api import MIB, BaseUrl, secret_headers
from oracles.errors import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Throttled,
    Unavailable,
)
from oracles.series import SeriesSpec, check_series, conclude_series
from oracles.units import COUNT, METRICS, Metric, reported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from pydantic import AnyHttpUrl


QUERIES_PER_CALL: Final = 20
_CHARACTERS_PER_CALL: Final = 3_000
"""Of all queries of a call, so that the address stays within what proxies let pass."""
_POINTS_PER_SERIES: Final = 1_500
"""Datadog's limit; it answers with coarser points rather than with more."""
_LARGEST_ANSWER: Final = 16 * MIB
_LONGEST_PAUSE: Final = 86_400.0

_SCOPE: Final = re.compile(r"(?<!\{)\{")
_GROUPS: Final = re.compile(r"\bby\s*\{")
_ROLLUP: Final = re.compile(r"\.rollup\(\s*(?:(?:avg|sum|min|max|count)\s*,\s*)?(\d+)\s*\)")


def _https(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.scheme != "https":
        raise ValueError("keys travel over https only")
    return url


class DatadogSpec(SeriesSpec):
    """Which query is asked, and how its points make one number. See docs/oracles/datadog.md."""

    query: str = Field(min_length=1, max_length=2_000)
    """In Datadog's language; each metric in it with `.rollup(<method>, <step>)`."""


class DatadogOptions(Options):
    """How one reporter reaches Datadog. The keys are references. Durations are in seconds."""

    site: str = Field(default="datadoghq.com", pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")
    endpoint_url: Annotated[BaseUrl, AfterValidator(_https)] | None = None
    """Instead of https://api.<site>, for instance a gateway."""
    api_key: str = "${DD_API_KEY}"
    app_key: str = "${DD_APP_KEY}"
    ca_file: FilePath | None = None
    """The authorities to trust, as PEM, instead of the public ones."""
    connect_timeout: float = Field(default=5, gt=0, le=60)
    timeout: float = Field(default=20, gt=0, le=120)
    """Of a whole call."""


@dataclass(frozen=True)
class _Unit:
    name: str | None = None
    family: str | None = None


@dataclass(frozen=True)
class _Series:
    """One series of an answer, as far as it is used."""

    pointlist: list[tuple[Annotated[float, Field(strict=True, allow_inf_nan=False)], Any]]
    interval: int | None = None
    unit: tuple[_Unit | None, ...] | None = None


_SERIES: Final = TypeAdapter(_Series)


@dataclass(frozen=True)
class _Said:
    """What an answer holds beside its points. `unit` is [name, family, per], each may be null."""

    interval: int | None
    unit: tuple[str | None, str | None, str | None] | None


_SAID: Final = TypeAdapter(_Said)


class _Untold(GarbageAnswer):
    """An answer to several queries that cannot be shared out among them."""


class Datadog(MonitoringService[DatadogSpec, DatadogOptions]):
    """Any Datadog metrics query: the document's metric says what the number is."""

    name = "datadog"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 900
    Spec = DatadogSpec
    Options = DatadogOptions

    def _prepare(self) -> None:
        given = self._options
        keys = secret_headers({"apiKeyAuth": given.api_key, "appKeyAuth": given.app_key})
        self._keys = {name: key.get_secret_value() for name, key in keys.items()}
        self._hanging = Hanging()

    def close(self) -> None:
        """Close the connections."""
        api = self.__dict__.pop("_api", None)
        if api is not None:
            api.api_client.close()

    @classmethod
    def _check(cls, query: Query[DatadogSpec]) -> None:
        spec = query.spec
        check_series(query)
        if query.first % spec.step:
            raise BadRequest(
                f"intervals must begin at a multiple of step, {spec.step} s, as rollups do"
            )
        if query.length // spec.step > _POINTS_PER_SERIES:
            raise BadRequest(
                f"{query.length // spec.step} points an interval are more than Datadog gives,"
                f" {_POINTS_PER_SERIES}: a larger step, or shorter intervals"
            )
        _check_text(spec)

    def _read(
        self, queries: Sequence[Query[DatadogSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, query in enumerate(queries):
            places[query.spec.query].append(place)
        answers: dict[int, Reading | MonitoringError] = {}
        for batch in _batches(list(places)):
            for text, series in self._ask(batch, interval).items():
                for place in places[text]:
                    answers[place] = self._answer(queries[place], interval, series)
        return [answers[place] for place in range(len(queries))]

    def _ask(
        self, texts: Sequence[str], interval: Interval
    ) -> dict[str, list[Any] | MonitoringError]:
        """The series of each query.

        Datadog refuses a whole call for one bad query, and its client for one bad series.
        """
        found = halved(
            lambda some: self._fetch(some, interval),
            texts,
            refusals=(BadRequest, _Untold),
            hanging=self._hanging,
            name=str,
        )
        return {
            text: GarbageAnswer(str(said)) if isinstance(said, _Untold) else said
            for text, said in zip(texts, found, strict=True)
        }

    def _fetch(self, texts: Sequence[str], interval: Interval) -> list[list[Any]]:
        try:
            said = self._api.query_metrics(
                _from=interval.start, to=interval.end, query=",".join(texts)
            ).to_dict()
        except ApiException as error:
            raise self._translated(error) from None
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"Datadog does not answer ({type(error).__name__})") from None
        except (OpenApiException, AttributeError, LookupError, TypeError, ValueError) as error:
            # The client's parser trusts what it parses; its messages quote it, ours must not.
            raise _Untold(f"Datadog: unreadable ({type(error).__name__})") from None
        if said.get("status") != "ok":
            raise _Untold(f"Datadog: {self._quoted(said.get('error'))}")
        series: list[list[Any]] = [[] for _ in texts]
        found: Any = said.get("series", [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise _Untold("Datadog: its series are not as documented")
        for one in found:
            index = one.get("query_index", 0 if len(texts) == 1 else None)
            if type(index) is not int or not 0 <= index < len(texts):
                raise _Untold("Datadog does not say which query a series answers")
            series[index].append(one)
        return series

    def _answer(
        self,
        query: Query[DatadogSpec],
        interval: Interval,
        series: list[Any] | MonitoringError,
    ) -> Reading | MonitoringError:
        if isinstance(series, MonitoringError):
            return series
        try:
            return self._reading(query, interval, _raw(series, interval))
        except MonitoringError as error:
            return error

    @classmethod
    def conclude(cls, query: Query[DatadogSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService."""
        try:
            said = _SAID.validate_python(raw)
        except ValidationError:
            raise GarbageAnswer("Datadog: these are not the points of a query") from None
        answer = conclude_series(query, interval, raw)
        step = query.spec.step
        if said.interval is not None and said.interval not in (step, step * 1000):
            raise GarbageAnswer(
                f"Datadog: points of {said.interval} s instead of {step} s:"
                " it makes them coarser when there are too many, or when they are old"
            )
        starts = [at for at, _ in raw["points"]]
        if any(type(at) is not int or (at / 1000 - interval.start) % step for at in starts):
            raise GarbageAnswer(f"Datadog: a point does not begin at a multiple of {step} s")
        _check_unit(query, said.unit)
        return answer

    @functools.cached_property
    def _api(self) -> Any:
        # The client's own annotations have gaps, here and in what it returns.
        metrics_api, configuration = cast("Any", MetricsApi), cast("Any", Configuration)
        options = self._options
        client = ApiClient(
            configuration(
                host=str(options.endpoint_url or f"https://api.{options.site}").rstrip("/"),
                api_key=self._keys,
                ssl_ca_cert=str(options.ca_file or certifi.where()),
                compress=False,
                request_timeout=(options.connect_timeout, options.timeout),
            )
        )
        client.rest_client.pool_manager = _Bounded(client.rest_client.pool_manager, options.timeout)
        return metrics_api(client)

    def _translated(self, error: ApiException) -> MonitoringError:
        """The same failure in our words."""
        status = error.status or 0
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if not status:
            return Unavailable("Datadog: no TLS connection; is the certificate to be trusted?")
        said = f"Datadog answered {status}: {self._quoted(error.body)}"
        if status in (401, 403):
            return AccessRefused(f"{said}; check site and keys: the application key needs the"
                                 " permission timeseries_query")  # fmt: skip
        if status == 429:
            return Throttled(said, retry_after=_pause(headers))
        if status == 408 or status >= 500:
            return Unavailable(said, answered=status not in (408, 503))
        return BadRequest(said) if status >= 400 else GarbageAnswer(said)

    def _quoted(self, body: object) -> str:
        """The beginning of what Datadog said, without a key that it may have repeated."""
        text = body.get("errors", body.get("error", "")) if isinstance(body, dict) else body or ""
        line = " ".join(str("; ".join(map(str, text)) if isinstance(text, list) else text).split())
        for key in self._keys.values():
            line = line.replace(key, "***")
        return line[:300] or "no reason given"


class _Bounded:
    """The client's connections, less what it must not do.

    That is: follow a redirect with its keys, retry on its own, or read for ever.
    """

    def __init__(self, pool: urllib3.PoolManager, seconds: float) -> None:
        self._pool = pool
        self._pool.pool_classes_by_scheme = watched(pool.pool_classes_by_scheme)
        self._seconds = seconds

    def request(
        self,
        method: str,
        url: str,
        *,
        preload_content: bool,  # noqa: ARG002 - the client's parameter: here always
        **more: Any,
    ) -> urllib3.HTTPResponse:
        with (
            Deadline("Datadog", self._seconds),
            self._pool.request(
                method, url, preload_content=False, redirect=False, retries=False, **more
            ) as response,
        ):
            body = bytearray()
            while chunk := response.read1(65_536):
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise GarbageAnswer(
                        f"Datadog: the answer is larger than {_LARGEST_ANSWER} bytes"
                    )
            if response.status >= 400:  # the client takes for granted that this is UTF-8
                body = bytearray(body.decode(errors="replace").encode())
            return urllib3.HTTPResponse(
                bytes(body), headers=response.headers, status=response.status
            )

    def clear(self) -> None:
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


def _check_text(spec: DatadogSpec) -> None:
    """Raise BadRequest for a query whose points could be of another length than `step`."""
    text = spec.query
    depth = 0
    for sign in text:
        depth += (sign in "({") - (sign in ")}")
        if depth < 0 or (sign == "," and depth == 0):
            break
    if depth:
        raise BadRequest("query: its brackets do not match")
    if sign == ",":
        raise BadRequest("query: one query only; several are several indicators")
    metrics = len(_SCOPE.findall(text)) - len(_GROUPS.findall(text))
    lengths = [int(seconds) for seconds in _ROLLUP.findall(text)]
    if lengths != [spec.step] * max(metrics, 1) or text.count(".rollup") != len(lengths):
        raise BadRequest(
            f"query: say of which seconds each point is, after every metric of it:"
            f" .rollup(avg, {spec.step}), or sum, min, max, count instead of avg"
        )


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        long = sum(map(len, batch)) + len(text) > _CHARACTERS_PER_CALL
        if batch and (long or len(batch) == QUERIES_PER_CALL):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _raw(series: Sequence[Any], interval: Interval) -> dict[str, object]:
    """What is kept of the series of one query. Raises GarbageAnswer if there are several."""
    if not series:
        return {"interval": None, "points": [], "unit": None}
    if len(series) > 1:
        raise GarbageAnswer(
            f"Datadog: {len(series)} series where one is meant; leave 'by {{...}}' out of the query"
        )
    try:
        one = _SERIES.validate_python(series[0])
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise GarbageAnswer(f"Datadog: {where or 'a series'} is not as documented") from None
    points = [_point(*point) for point in one.pointlist]
    units = (*(one.unit or ()), None, None)
    name, per = units[0], units[1]
    return {
        "interval": one.interval,
        # Datadog may count its last moment in: the rollup that begins there is the next interval's.
        "points": sorted(
            (point for point in points if point[0] != interval.end * 1000), key=lambda p: p[0]
        ),
        "unit": [name.name, name.family, per.name if per else None] if name else None,
    }


def _point(at: float, number: Any) -> list[Any]:
    if at != int(at):
        raise GarbageAnswer(f"Datadog: {at} is not a time stamp in milliseconds")
    return [int(at), number]


def _check_unit(
    query: Query[DatadogSpec], said: tuple[str | None, str | None, str | None] | None
) -> None:
    """Raise GarbageAnswer if Datadog's unit is not the agreed one. Often it knows none."""
    if said is None or query.spec.statistic == "count":
        return
    name, family, per = said
    unit, agreed = query.metric.unit, query.spec.unit
    scale: Fraction | None
    try:
        scale = unit.scale(name or "")
    except BadRequest:
        # Whatever it is that is counted, it is counted by one.
        scale = unit.scale("1") if unit == COUNT and family not in ("time", "percentage") else None
    if per is not None or scale != unit.scale(agreed):
        found = reported(name) + (f" per {reported(per)}" if per else "")
        raise GarbageAnswer(
            f"Datadog: its numbers are in {found}, the document's in {agreed!r};"
            " mend the metric's unit in Datadog, or the document"
        )


def _pause(headers: Mapping[str, str]) -> float | None:
    said = headers.get("x-ratelimit-reset", headers.get("retry-after", "")).strip()
    return min(float(said), _LONGEST_PAUSE) if said.isascii() and said.isdigit() else None
