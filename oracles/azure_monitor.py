"""Azure Monitor: metrics of resources (metrics:getBatch) and queries of logs, for closed intervals.

One call reads up to 50 resources of a subscription and region. Azure's client for metrics forgets
which resource an answer is of and whether it is an error, so its answers are read as they come.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
)

from azure.core.exceptions import AzureError
from azure.monitor.query import LogsQueryPartialResult
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from oracles.base import (
    NO_DATA,
    NOT_APPLICABLE,
    Answer,
    Interval,
    MonitoringService,
    Query,
    Reading,
    Value,
)
from oracles.clients.azure_answers import UNREADABLE, Series, points_of, series_of
from oracles.clients.azure_client import AzureClients, AzureOptions
from oracles.clients.halving import Hanging, halved
from oracles.clients.http_api import answers
from oracles.errors import (
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Unavailable,
)
from oracles.series import SeriesSpec, check_series, conclude_series
from oracles.units import COUNT, METRICS, PPM, Metric, reported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESOURCES_PER_CALL: Final = 50
"""Azure's limit of metrics:getBatch."""
_GRAINS: Final = (60, 300, 900, 1_800, 3_600, 21_600, 43_200, 86_400)
"""Seconds of a point, as Azure has them: PT1M to P1D."""
_DAY: Final = 86_400
_KEPT: Final = 93 * _DAY
"""Seconds for which Azure keeps the metrics of its platform."""
_MOVING: Final = re.compile(r"\b(ago|now)\s*\(")

_Name = Annotated[str, StringConstraints(pattern=r"^[^,'*()]{1,256}$")]
Aggregation = Literal["Average", "Minimum", "Maximum", "Total", "Count"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FallbackMetric(_Part):
    """Another metric of the resource, whose presence says what the first one does not."""

    metric_name: _Name
    aggregation: Aggregation = "Average"
    value: Decimal = Field(ge=0)
    """What an interval counts as that has this metric: a number in `unit`."""


class MetricsSource(_Part):
    """A metric of one resource."""

    resource_id: str = Field(
        pattern=r"(?i)^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/\s]+/providers/[^\s]+$",
        max_length=1_024,
    )
    region: str = Field(pattern=r"^[a-z][a-z0-9]{1,39}$")
    """Where the resource is: "westeurope"; "global" for resources without a place."""
    metric_namespace: str = Field(pattern=r"^[A-Za-z0-9./]{1,256}$")
    metric_name: _Name
    aggregation: Aggregation
    """How Azure makes one point of its samples; `statistic` makes one number of the points."""
    dimensions: dict[_Name, _Name] = Field(default={}, max_length=10)
    fallback: FallbackMetric | None = None
    missing: Literal["no_data", "not_applicable"] = "no_data"
    """What an interval without a single point is."""


class LogsSource(_Part):
    """A query (KQL) of a Log Analytics workspace: a row for each point."""

    workspace_id: str = Field(pattern=r"(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    query: str = Field(min_length=1, max_length=16_384)
    time_column: str = Field(default="TimeGenerated", min_length=1)
    value_column: str = Field(default="value", min_length=1)


class AzureMonitorSpec(SeriesSpec):
    """Either a metric or a query of logs, and how points make one number.

    See docs/oracles/azure_monitor.md.
    """

    metrics: MetricsSource | None = None
    logs: LogsSource | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.metrics is None) == (self.logs is None):
            raise ValueError("give either metrics or logs")
        return self

    @property
    def fallback(self) -> FallbackMetric | None:
        """The metric to ask for where the first one has no point."""
        return None if self.metrics is None else self.metrics.fallback


class _Batch(NamedTuple):
    """What the resources of one call have in common."""

    region: str
    subscription: str
    namespace: str
    metric: str
    aggregation: Aggregation
    dimensions: tuple[tuple[str, str], ...]
    step: int

    @property
    def filter(self) -> str | None:
        """Dimensions as Azure wants them; all are given, so that one series comes back."""
        return " and ".join(f"{name} eq '{value}'" for name, value in self.dimensions) or None


_Question: TypeAlias = tuple[_Batch, str]
"""Of which batch, and of which resource."""


class _Evidence(Series):
    fallback: Series | None = None


class AzureMonitor(MonitoringService[AzureMonitorSpec, AzureOptions]):
    """Any platform metric of Azure, and any number that a query finds in logs."""

    name = "azure_monitor"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 900
    Spec = AzureMonitorSpec
    Options = AzureOptions

    def _prepare(self) -> None:
        self._clients = AzureClients(self._options)
        self._hanging = Hanging()

    def close(self) -> None:
        """Close the connections to all regions."""
        self._clients.close()

    @classmethod
    def lane(cls, query: Query[AzureMonitorSpec]) -> str:
        """See MonitoringService: each region has an endpoint of its own, each workspace its data."""
        if query.spec.metrics is not None:
            return query.spec.metrics.region
        return "" if query.spec.logs is None else query.spec.logs.workspace_id.lower()

    @classmethod
    def _check(cls, query: Query[AzureMonitorSpec]) -> None:
        check_series(query)
        spec = query.spec
        if spec.logs is not None and (found := _MOVING.search(spec.logs.query)):
            raise BadRequest(
                f"a query with {found[1]}() has another answer each time: leave the time out,"
                " the interval is asked for"
            )
        if spec.metrics is not None and spec.step not in _GRAINS:
            raise BadRequest(f"Azure has no points of {spec.step} s (allowed: {_GRAINS})")
        if spec.metrics is not None and query.first % spec.step:
            raise BadRequest(f"intervals must begin at a multiple of {spec.step} s, as points do")

    # --- What is concluded -------------------------------------------------------------------

    @classmethod
    def conclude(cls, query: Query[AzureMonitorSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService."""
        answer = conclude_series(query, interval, raw)
        source = query.spec.metrics
        if source is None:
            return answer
        try:
            said = _EVIDENCE.validate_python(raw)
        except ValidationError:
            raise GarbageAnswer("Azure: this is not the answer for a metric") from None
        _check_grains(query, interval, said)
        if not said.empty:
            _check_unit(query, said.unit)
            return answer
        if source.fallback is not None:
            if said.fallback is None:
                raise GarbageAnswer("Azure: the answer for the fallback metric is not there")
            _check_grains(query, interval, said.fallback)
            if isinstance(conclude_series(query, interval, said.fallback.model_dump()), Value):
                scale = query.metric.unit.scale(query.spec.unit)
                return Value(Fraction(source.fallback.value) * scale)
            if not said.fallback.empty:
                return NO_DATA
        return NOT_APPLICABLE if source.missing == "not_applicable" else NO_DATA

    # --- What is asked -----------------------------------------------------------------------

    def _read(
        self, queries: Sequence[Query[AzureMonitorSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        metrics = [at for at, query in enumerate(queries) if query.spec.metrics is not None]
        logs = {at: one for at, query in enumerate(queries) if (one := query.spec.logs) is not None}
        said: dict[int, object] = {}
        if self._clock() - interval.start > _KEPT:
            text = f"Azure keeps metrics for {_KEPT // _DAY} days only"
            said.update((at, BadRequest(text)) for at in metrics)
        else:
            found = self._series([queries[at].spec for at in metrics], interval)
            said.update(zip(metrics, found, strict=True))
        rows = answers(
            lambda one: self._rows(one, interval), list(logs.values()), self._options.workers
        )
        said.update(zip(logs, rows, strict=True))
        return [self._answer(query, interval, said[at]) for at, query in enumerate(queries)]

    def _answer(
        self, query: Query[AzureMonitorSpec], interval: Interval, said: object
    ) -> Reading | MonitoringError:
        if isinstance(said, MonitoringError):
            return said
        try:
            return self._reading(query, interval, said)
        except MonitoringError as error:
            return error

    def _series(
        self, specs: Sequence[AzureMonitorSpec], interval: Interval
    ) -> list[dict[str, Any] | MonitoringError]:
        """The answer for each metric, with that for its fallback where the metric has no point."""
        first = self._fetch([_question(spec) for spec in specs], interval)
        silent = [
            at
            for at, (spec, series) in enumerate(zip(specs, first, strict=True))
            if isinstance(series, Series) and series.empty and spec.fallback is not None
        ]
        second = dict(
            zip(
                silent,
                self._fetch([_question(specs[at], specs[at].fallback) for at in silent], interval),
                strict=True,
            )
        )
        return [_together(series, second.get(at)) for at, series in enumerate(first)]

    def _fetch(
        self, asked: Sequence[_Question], interval: Interval
    ) -> list[Series | MonitoringError]:
        """Each metric of each resource, in as few calls as Azure allows."""
        batches: dict[_Batch, dict[str, str]] = {}
        for batch, resource in asked:
            batches.setdefault(batch, {})[resource.lower()] = resource
        calls = [
            (batch, some)
            for batch, resources in batches.items()
            for some in _cut(list(resources.values()), RESOURCES_PER_CALL)
        ]
        given = answers(lambda call: self._ask(*call, interval), calls, self._options.workers)
        found = {
            (batch, resource.lower()): said
            if isinstance(said, MonitoringError)
            else said[resource.lower()]
            for (batch, resources), said in zip(calls, given, strict=True)
            for resource in resources
        }
        return [found[batch, resource.lower()] for batch, resource in asked]

    def _ask(
        self, batch: _Batch, resources: list[str], interval: Interval
    ) -> dict[str, Series | MonitoringError]:
        """One call, by ids in lower case."""

        def ask(some: Sequence[str]) -> list[Series | MonitoringError]:
            said = self._call(batch, list(some), interval)
            return [
                _series_or_error(said.get(resource.lower()), batch, interval) for resource in some
            ]

        found = halved(
            ask,
            resources,
            hanging=self._hanging,
            name=lambda resource: (batch, resource.lower()),
        )
        return dict(zip(map(str.lower, resources), found, strict=True))

    def _call(self, batch: _Batch, resources: list[str], interval: Interval) -> dict[str, Any]:
        """What Azure says about each resource, by its id in lower case. Raises MonitoringError."""
        said: list[Any] = []

        def keep(response: Any, *_: Any) -> dict[str, Any]:
            said.append(response.http_response.json())
            return {"values": []}

        try:
            self._clients.metrics(batch.region).query_resources(
                resource_ids=resources,
                metric_namespace=batch.namespace,
                metric_names=[batch.metric],
                timespan=_timespan(interval),
                granularity=timedelta(seconds=batch.step),
                aggregations=[batch.aggregation],
                filter=batch.filter,
                cls=keep,
            )
            return {value["resourceid"].lower(): value for value in said[0]["values"]}
        except (AzureError, *UNREADABLE) as error:
            raise self._clients.error(error) from error

    def _rows(self, source: LogsSource, interval: Interval) -> dict[str, Any]:
        """The points that a query finds, in the order of time. Raises MonitoringError."""
        try:
            result = self._clients.logs().query_workspace(
                source.workspace_id,
                source.query,
                timespan=_timespan(interval),
                server_timeout=max(1, int(self._options.read_timeout)),
            )
            if isinstance(result, LogsQueryPartialResult):
                reason = "" if result.partial_error is None else result.partial_error.message
                said = self._clients.quoted(reason)
                raise Unavailable(f"Azure: only a part of the logs was read ({said})")
            points = points_of(result.tables, source.time_column, source.value_column, interval)
        except (AzureError, *UNREADABLE) as error:
            raise self._clients.error(error) from error
        return {"points": points}


_EVIDENCE: Final = TypeAdapter(_Evidence)


def _check_grains(query: Query[AzureMonitorSpec], interval: Interval, series: Series) -> None:
    """Raise GarbageAnswer for a point that is not at the begin of a grain."""
    for at, _ in series.points:
        if (at - interval.start * 1000) % (query.spec.step * 1000):
            raise GarbageAnswer(f"Azure: a point at {at} ms, which was not asked for")


def _check_unit(query: Query[AzureMonitorSpec], said: str) -> None:
    """Raise GarbageAnswer if Azure's unit is another than the one that was agreed on.

    "Unspecified" is any unit. A "Count" may also be a share in whole: 1 = available.
    """
    unit = query.metric.unit
    agreed = unit.scale(query.spec.unit)
    if said.lower() == "unspecified":
        return
    whole = Fraction(1_000_000) if unit == PPM else Fraction(1)
    if said.lower() == "count" and unit in (COUNT, PPM) and agreed == whole:
        return
    try:
        if unit.scale(said) == agreed:
            return
    except BadRequest:
        pass
    raise GarbageAnswer(f"Azure counts in {reported(said)}, but {query.spec.unit} was agreed on")


def _series_or_error(said: Any, batch: _Batch, interval: Interval) -> Series | MonitoringError:
    try:
        return series_of(said, batch.metric, batch.aggregation, batch.step, interval)
    except MonitoringError as error:
        return error


def _question(spec: AzureMonitorSpec, fallback: FallbackMetric | None = None) -> _Question:
    """What to ask for a metric, or for its fallback."""
    source = spec.metrics
    assert source is not None  # noqa: S101 - logs are asked otherwise
    what = source if fallback is None else fallback
    dimensions = tuple(sorted(source.dimensions.items())) if fallback is None else ()
    subscription = source.resource_id.split("/")[2].lower()
    batch = _Batch(
        source.region,
        subscription,
        source.metric_namespace,
        what.metric_name,
        what.aggregation,
        dimensions,
        spec.step,
    )
    return batch, source.resource_id


def _together(
    series: Series | MonitoringError, other: Series | MonitoringError | None
) -> dict[str, Any] | MonitoringError:
    """The raw answer: a metric's, beside that of its fallback if it was asked."""
    if isinstance(series, MonitoringError):
        return series
    if isinstance(other, MonitoringError):
        return other
    fallback = {} if other is None else {"fallback": other.model_dump()}
    return {**series.model_dump(), **fallback}


def _cut(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[at : at + size]) for at in range(0, len(items), size)]


def _timespan(interval: Interval) -> tuple[datetime, datetime]:
    return datetime.fromtimestamp(interval.start, UTC), datetime.fromtimestamp(interval.end, UTC)
