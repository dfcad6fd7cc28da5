"""Amazon CloudWatch, read by GetMetricData for closed intervals.

The time stamps that count are AWS's. One call reads up to 500 series; pages are followed to the
end before anything is answered.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from pydantic import Field, TypeAdapter, ValidationError

from oracles.base import (
    NO_DATA,
    NOT_APPLICABLE,
    Answer,
    Interval,
    MonitoringService,
    Query,
    Reading,
    Spec,
    Value,
)
from oracles.clients.aws_client import AwsOptions, connect, translated
from oracles.clients.halving import Hanging, halved
from oracles.described import described
from oracles.errors import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Unavailable,
)
from oracles.spans import runs
from oracles.units import COUNT, METRICS, Metric, from_double

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_cloudwatch.client import CloudWatchClient

SERIES_PER_CALL: Final = 500
"""AWS's limit of GetMetricData."""
_PAGES: Final = 1_000
"""Pages after which an answer is no answer; 500 series of 1,440 points make eight."""

_DAY: Final = 86_400
_KEPT: Final = ((3600, 455 * _DAY), (300, 63 * _DAY), (60, 15 * _DAY))
"""AWS keeps points of a period that is a multiple of the first number for the second; seconds."""

_POINTS: Final = TypeAdapter(dict[str, list[tuple[int, Any]]])


class CloudWatchSpec(Spec):
    """Which series is read, and how its points make one number. See docs/oracles/cloudwatch.md."""

    region: str = Field(pattern=r"^[a-z]{2,}(-[a-z]+)+-\d+$")
    namespace: str = Field(min_length=1, max_length=255)
    metric_name: str = Field(min_length=1, max_length=255)
    dimensions: dict[str, str] = Field(default={}, max_length=30)
    statistic: str = Field(
        pattern=r"^(Average|Sum|Minimum|Maximum|SampleCount|p(\d{1,2}(\.\d{1,10})?|100))$"
    )
    unit: str = Field(min_length=1, max_length=40)
    """What AWS's numbers are in ("Percent", "Seconds", "Count"): see `oracles.units`."""
    period: int = Field(default=60, ge=60, le=_DAY, multiple_of=60)
    """Seconds of one point; the interval must be a multiple of it."""
    min_points: int | None = Field(default=None, ge=1)
    """Points below which there is no data; by default all that fit: interval / period."""
    missing: Literal["no_data", "not_applicable"] = "no_data"
    """What an interval without a single point is."""

    def needed(self, length: int) -> int:
        """Points that make a reading of an interval of `length` seconds."""
        return length // self.period if self.min_points is None else self.min_points


@dataclass
class _Series:
    """What AWS said about one series, page by page."""

    status: str = ""
    points: dict[int, Any] = field(default_factory=dict)
    """By the UNIX second at which the point's period begins."""


class CloudWatch(MonitoringService[CloudWatchSpec, AwsOptions]):
    """Any CloudWatch metric: the document says what the number is, and which unit AWS gives it in."""

    name = "cloudwatch"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 900
    Spec = CloudWatchSpec
    Options = AwsOptions

    def _prepare(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[str, CloudWatchClient] = {}
        self._hanging = Hanging()

    def close(self) -> None:
        """Close the connections to all regions."""
        with self._lock:
            while self._clients:
                self._clients.popitem()[1].close()

    @classmethod
    def lane(cls, query: Query[CloudWatchSpec]) -> str:
        """See MonitoringService: each region has an endpoint of its own."""
        return query.spec.region

    @classmethod
    def _check(cls, query: Query[CloudWatchSpec]) -> None:
        spec, most = query.spec, query.length // query.spec.period
        query.metric.unit.scale(spec.unit)
        if spec.statistic == "SampleCount" and query.metric.unit != COUNT:
            raise BadRequest(f"SampleCount is a number of samples, no {query.metric.name}")
        if query.length % spec.period:
            raise BadRequest(f"the interval {query.length} s is no multiple of {spec.period} s")
        if query.first % spec.period:
            raise BadRequest(
                f"intervals must begin at a multiple of {spec.period} s, as periods do"
            )
        if spec.statistic.startswith("p") and most != 1:
            raise BadRequest(
                "percentiles of several periods cannot be combined:"
                f" make the period as long as the interval, {query.length} s"
            )
        if spec.needed(query.length) > most:
            raise BadRequest(
                f"min_points {spec.needed(query.length)} is more than the {most} points"
                f" of {spec.period} s in {query.length} s"
            )

    def _read(
        self, queries: Sequence[Query[CloudWatchSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        [answers] = self._read_span(queries, [interval])
        return answers

    def _read_span(
        self, queries: Sequence[Query[CloudWatchSpec]], intervals: Sequence[Interval]
    ) -> list[list[Reading | MonitoringError]]:
        now = self._clock()
        found: dict[tuple[int, Interval], Reading | MonitoringError] = {}
        # How many of the newest intervals AWS still knows: a call that begins earlier is refused.
        known = {kept: sum(now - one.start <= kept for one in intervals) for _, kept in _KEPT}
        alike: dict[tuple[str, int], list[int]] = {}
        for place, query in enumerate(queries):
            alike.setdefault((query.spec.region, known[_kept(query)]), []).append(place)
        for (region, count), places in alike.items():
            for run in runs(sorted(intervals)[len(intervals) - count :], _DAY):
                for batch in _batches(queries, places):
                    given = self._ask(region, [queries[place] for place in batch], run)
                    for place, answers in zip(batch, given, strict=True):
                        found.update(((place, one), said) for one, said in answers.items())
        return [
            [found.get((place, one)) or _forgotten(query) for place, query in enumerate(queries)]
            for one in intervals
        ]

    def _ask(
        self, region: str, queries: Sequence[Query[CloudWatchSpec]], run: Sequence[Interval]
    ) -> list[Mapping[Interval, Reading | MonitoringError]]:
        """Read one batch for a run of intervals."""
        whole = Interval(run[0].start, run[-1].end)
        series = halved(
            lambda some: self._fetch(region, some, whole),
            queries,
            hanging=self._hanging,
            name=lambda query: query.key,
        )
        return [
            dict.fromkeys(run, parts)
            if isinstance(parts, MonitoringError)
            else {
                interval: self._answer(query, interval, own)
                for interval, own in zip(run, _cut(parts, run), strict=True)
            }
            for query, parts in zip(queries, series, strict=True)
        ]

    def _fetch(
        self, region: str, queries: Sequence[Query[CloudWatchSpec]], interval: Interval
    ) -> list[dict[str, _Series]]:
        """The series of each query by statistic. Raises MonitoringError for the call as a whole."""
        series = [{statistic: _Series() for statistic in _parts(query)} for query in queries]
        by_id = {
            f"q{place}_{statistic.replace('.', '_')}": one
            for place, parts in enumerate(series)
            for statistic, one in parts.items()
        }
        request: dict[str, Any] = {
            "MetricDataQueries": [
                _metric_query(f"q{place}_{statistic.replace('.', '_')}", query.spec, statistic)
                for place, query in enumerate(queries)
                for statistic in _parts(query)
            ],
            "StartTime": datetime.fromtimestamp(interval.start, UTC),
            "EndTime": datetime.fromtimestamp(interval.end, UTC),
            "ScanBy": "TimestampAscending",
        }
        for _ in range(_PAGES):
            page = self._call(region, request)
            for result in page.get("MetricDataResults", []):
                if (one := by_id.get(result.get("Id"))) is not None:
                    _collect(one, result)
            token = page.get("NextToken")
            if not token:
                return series
            if token == request.get("NextToken"):
                break
            request["NextToken"] = token
        raise GarbageAnswer("CloudWatch: the pages of an answer have no end")

    def _call(self, region: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._client(region).get_metric_data(**request)
        except (BotoCoreError, ClientError) as error:
            raise translated(error) from error
        except (ResponseParserError, AttributeError, LookupError, TypeError, ValueError) as error:
            # botocore's parsers trust what they parse; their messages quote it, ours must not
            raise GarbageAnswer(f"CloudWatch: unreadable ({type(error).__name__})") from error

    def _client(self, region: str) -> CloudWatchClient:
        with self._lock:
            if region not in self._clients:
                self._clients[region] = connect(self._options, region)
            return self._clients[region]

    def _answer(
        self, query: Query[CloudWatchSpec], interval: Interval, parts: Mapping[str, _Series]
    ) -> Reading | MonitoringError:
        try:
            for one in parts.values():
                _accept(one)
            raw = {name: sorted(one.points.items()) for name, one in parts.items()}
            return self._reading(query, interval, raw)
        except MonitoringError as error:
            return error

    @classmethod
    def conclude(cls, query: Query[CloudWatchSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService."""
        spec = query.spec
        try:
            series = _POINTS.validate_python(raw)
        except ValidationError:
            raise GarbageAnswer("CloudWatch: these are not series of points") from None
        numbers = _numbers(query, interval, series)
        found = len(next(iter(numbers.values())))
        if not found and spec.missing == "not_applicable":
            return NOT_APPLICABLE
        if found < spec.needed(query.length):
            return NO_DATA
        amount = _combined(spec, numbers)
        return NO_DATA if amount is None else Value(amount * query.metric.unit.scale(spec.unit))


def _parts(query: Query[CloudWatchSpec]) -> tuple[str, ...]:
    """What to ask AWS for: the mean of several periods is not the mean of their means."""
    if query.spec.statistic == "Average" and query.length > query.spec.period:
        return "Sum", "SampleCount"
    return (query.spec.statistic,)


def _batches(
    queries: Sequence[Query[CloudWatchSpec]], places: Sequence[int]
) -> Iterator[list[int]]:
    """Cut `places` so that each batch fits into one call and no query is split."""
    batch: list[int] = []
    size = 0
    for place in places:
        parts = len(_parts(queries[place]))
        if size + parts > SERIES_PER_CALL:
            yield batch
            batch, size = [], 0
        batch.append(place)
        size += parts
    if batch:
        yield batch


def _cut(parts: Mapping[str, _Series], run: Sequence[Interval]) -> list[dict[str, _Series]]:
    """What concerns each interval of a run; what lies outside of all is garbage for one at its end."""
    cut = [{name: _Series(one.status) for name, one in parts.items()} for _ in run]
    for name, one in parts.items():
        for at, value in one.points.items():
            place = (at - run[0].start) // run[0].seconds
            cut[min(max(place, 0), len(run) - 1)][name].points[at] = value
    return cut


def _kept(query: Query[CloudWatchSpec]) -> int:
    """Seconds for which AWS keeps the points of a query's period."""
    return next(kept for period, kept in _KEPT if query.spec.period % period == 0)


def _forgotten(query: Query[CloudWatchSpec]) -> BadRequest:
    days = _kept(query) // _DAY
    return BadRequest(f"AWS keeps points of {query.spec.period} s for {days} days only")


def _metric_query(name: str, spec: CloudWatchSpec, statistic: str) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in sorted(spec.dimensions.items())]
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": spec.namespace,
                "MetricName": spec.metric_name,
                "Dimensions": dimensions,
            },
            "Period": spec.period,
            "Stat": statistic,
        },
    }


def _collect(series: _Series, result: Mapping[str, Any]) -> None:
    """Add one page. Raises GarbageAnswer where time stamps and values do not pair up."""
    stamps, values = result.get("Timestamps", []), result.get("Values", [])
    if len(stamps) != len(values):
        raise GarbageAnswer(f"CloudWatch: {len(stamps)} time stamps for {len(values)} values")
    for stamp, value in zip(stamps, values, strict=True):
        if not isinstance(stamp, datetime) or stamp.tzinfo is None:
            raise GarbageAnswer(f"CloudWatch: {described(stamp)} is not a time stamp")
        at = int(stamp.timestamp())
        if at in series.points:
            raise GarbageAnswer(f"CloudWatch: two points for {at}")
        series.points[at] = value
    series.status = result.get("StatusCode", "")


def _accept(series: _Series) -> None:
    """Raise the MonitoringError that AWS reports for this series."""
    match series.status:
        case "Complete":
            pass
        case "Forbidden":
            raise AccessRefused(
                "CloudWatch: access to this metric is forbidden; cloudwatch:GetMetricData is needed"
            )
        case "InternalError" | "PartialData":
            raise Unavailable(f"CloudWatch: {series.status}")
        case _:
            raise GarbageAnswer(f"CloudWatch: no such status ({described(series.status)})")


def _numbers(
    query: Query[CloudWatchSpec], interval: Interval, raw: Mapping[str, Sequence[tuple[int, Any]]]
) -> Mapping[str, list[Fraction]]:
    """The numbers of each statistic, period by period. Raises GarbageAnswer."""
    if set(raw) != set(_parts(query)):
        raise GarbageAnswer("CloudWatch: other statistics than were asked for")
    if len({tuple(at for at, _ in points) for points in raw.values()}) != 1:
        raise GarbageAnswer("CloudWatch: Sum and SampleCount cover different periods")
    last = -1
    for at, _ in next(iter(raw.values())):
        if not interval.start <= at < interval.end or (at - interval.start) % query.spec.period:
            raise GarbageAnswer(f"CloudWatch: a point at {at}, which was not asked for")
        if at <= last:
            raise GarbageAnswer(f"CloudWatch: the point at {at} is there twice, or too late")
        last = at
    return {name: [from_double(value) for _, value in points] for name, points in raw.items()}


def _combined(spec: CloudWatchSpec, numbers: Mapping[str, Sequence[Fraction]]) -> Fraction | None:
    """One number of at least one period. Exact. None for the average of no samples."""
    match spec.statistic:
        case "Average" if "SampleCount" in numbers:
            count = sum(numbers["SampleCount"], Fraction(0))
            return sum(numbers["Sum"], Fraction(0)) / count if count else None
        case "Sum" | "SampleCount":
            return sum(numbers[spec.statistic], Fraction(0))
        case "Minimum":
            return min(numbers["Minimum"])
        case name:  # a Maximum, or the only point there is
            return max(numbers[name])
