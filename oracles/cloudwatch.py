"""Amazon CloudWatch, read by GetMetricData for closed intervals.

The time stamps that count are AWS's. One call reads up to 500 series; pages are followed to the
end before anything is answered.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError
from pydantic import AfterValidator, AnyHttpUrl, Field

from oracles.base import (
    NO_DATA,
    Answer,
    Clock,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
    SampleStore,
    Spec,
    Value,
)
from oracles.errors import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Throttled,
    Unavailable,
)
from oracles.units import METRICS, Metric, from_double

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

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {"Average": ("Sum", "SampleCount")}
"""What to ask for a statistic that cannot be combined over several periods by itself."""

_REFUSED: Final = (
    CredentialRetrievalError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
_REFUSED_CODES: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_THROTTLED_CODES: Final = frozenset(
    {
        "LimitExceeded",
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def _plain_url(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password:
        raise ValueError("credentials do not belong in a URL")
    return url


_Url = Annotated[AnyHttpUrl, AfterValidator(_plain_url)]


class CloudWatchSpec(Spec):
    """Which series is read, and how its points make one number. See docs/oracles/cloudwatch.md."""

    region: str = Field(pattern=r"^[a-z]{2,}(-[a-z]+)+-\d+$")
    namespace: str = Field(min_length=1, max_length=255)
    metric_name: str = Field(min_length=1, max_length=255)
    dimensions: dict[str, str] = Field(default={}, max_length=30)
    statistic: str = Field(
        pattern=r"^(Average|Sum|Minimum|Maximum|SampleCount|p(\d{1,2}(\.\d{1,10})?|100))$"
    )
    period: int = Field(default=60, ge=60, le=_DAY, multiple_of=60)
    """Seconds of one point; the interval must be a multiple of it."""
    scale: Decimal = Field(default=Decimal(1), gt=0)
    """The metric's units in one of CloudWatch's: 10000 turns percent into ppm."""
    allow_partial: bool = False
    """Whether an interval of which some points are missing is judged by the others."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The statistics to ask AWS for."""
        return _PARTS.get(self.statistic, (self.statistic,))


class CloudWatchOptions(Options):
    """How one reporter reaches AWS. Credentials come from boto3's standard chain, never from here.

    Durations are in seconds.
    """

    profile: str | None = None
    role_arn: str | None = Field(default=None, pattern=r"^arn:")
    """A role to assume with the credentials of the chain."""
    external_id: str | None = None
    endpoint_url: _Url | None = None
    """Instead of AWS's public endpoint of the region, for instance a VPC endpoint."""
    sts_endpoint_url: _Url | None = None
    connect_timeout: float = Field(default=5, gt=0, le=60)
    read_timeout: float = Field(default=20, gt=0, le=120)
    attempts: int = Field(default=2, ge=1, le=5)
    """Attempts per call, the first included."""


@dataclass
class _Series:
    """What AWS said about one series, page by page."""

    status: str = ""
    points: dict[int, Any] = field(default_factory=dict)
    """By the UNIX second at which the point's period begins."""


class CloudWatch(MonitoringService[CloudWatchSpec, CloudWatchOptions]):
    """Any CloudWatch metric: the document's metric says what the number is, `scale` its unit."""

    name = "cloudwatch"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 900
    Spec = CloudWatchSpec
    Options = CloudWatchOptions

    def __init__(
        self,
        options: CloudWatchOptions | Mapping[str, object] | None = None,
        *,
        store: SampleStore | None = None,
        clock: Clock = time.time,
    ) -> None:
        """See MonitoringService; `store` is not used."""
        super().__init__(options, store=store, clock=clock)
        self._lock = threading.Lock()
        self._clients: dict[str, CloudWatchClient] = {}

    def close(self) -> None:
        """Close the connections to all regions."""
        with self._lock:
            while self._clients:
                self._clients.popitem()[1].close()

    @classmethod
    def _check(cls, query: Query[CloudWatchSpec]) -> None:
        spec = query.spec
        if query.length % spec.period:
            raise BadRequest(f"the interval {query.length} s is no multiple of {spec.period} s")
        if query.first % spec.period:
            raise BadRequest(
                f"intervals must begin at a multiple of {spec.period} s, as periods do"
            )
        if spec.statistic.startswith("p") and query.length != spec.period:
            raise BadRequest("percentiles of several periods cannot be combined: use one period")

    def _read(
        self, queries: Sequence[Query[CloudWatchSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        answers: dict[int, Reading | MonitoringError] = {}
        regions: dict[str, list[int]] = {}
        for place, query in enumerate(queries):
            kept = next(kept for period, kept in _KEPT if query.spec.period % period == 0)
            if self._clock() - interval.start > kept:
                text = f"AWS keeps points of {query.spec.period} s for {kept // _DAY} days only"
                answers[place] = BadRequest(text)
            else:
                regions.setdefault(query.spec.region, []).append(place)
        for region, places in regions.items():
            for batch in _batches(queries, places):
                given = self._ask(region, [queries[place] for place in batch], interval)
                answers.update(zip(batch, given, strict=True))
        return [answers[place] for place in range(len(queries))]

    def _ask(
        self, region: str, queries: Sequence[Query[CloudWatchSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        """Read one batch. AWS refuses all of it for one bad query: halving finds the culprit."""
        try:
            series = self._fetch(region, queries, interval)
        except BadRequest as error:
            if len(queries) == 1:
                return [error]
            half = len(queries) // 2
            return [
                *self._ask(region, queries[:half], interval),
                *self._ask(region, queries[half:], interval),
            ]
        except MonitoringError as error:
            return [error] * len(queries)
        return [
            self._answer(query, interval, parts)
            for query, parts in zip(queries, series, strict=True)
        ]

    def _fetch(
        self, region: str, queries: Sequence[Query[CloudWatchSpec]], interval: Interval
    ) -> list[dict[str, _Series]]:
        """The series of each query by statistic. Raises MonitoringError for the call as a whole."""
        series = [{statistic: _Series() for statistic in query.spec.parts} for query in queries]
        by_id = {
            f"q{place}_{statistic.replace('.', '_')}": one
            for place, parts in enumerate(series)
            for statistic, one in parts.items()
        }
        request: dict[str, Any] = {
            "MetricDataQueries": [
                _metric_query(f"q{place}_{statistic.replace('.', '_')}", query.spec, statistic)
                for place, query in enumerate(queries)
                for statistic in query.spec.parts
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
            raise _translated(error) from error
        except (ResponseParserError, AttributeError, LookupError, TypeError, ValueError) as error:
            # botocore's parsers trust what they parse; their messages quote it, ours must not
            raise GarbageAnswer(f"CloudWatch: unreadable ({type(error).__name__})") from error

    def _client(self, region: str) -> CloudWatchClient:
        options = self._options
        with self._lock:
            if region not in self._clients:
                config = Config(
                    connect_timeout=options.connect_timeout,
                    read_timeout=options.read_timeout,
                    retries={"total_max_attempts": options.attempts, "mode": "standard"},
                )
                session = _session(options, region, config)
                self._clients[region] = boto3.Session(botocore_session=session).client(
                    "cloudwatch",
                    region_name=region,
                    endpoint_url=_text(options.endpoint_url),
                    config=config,
                )
            return self._clients[region]

    def _answer(
        self, query: Query[CloudWatchSpec], interval: Interval, parts: Mapping[str, _Series]
    ) -> Reading | MonitoringError:
        try:
            for one in parts.values():
                _accept(one, query.spec.period, interval)
            answer = _combined(query.spec, interval, parts)
            raw = {name: sorted(one.points.items()) for name, one in parts.items()}
            return self._reading(query, interval, answer, raw)
        except MonitoringError as error:
            return error


def _batches(
    queries: Sequence[Query[CloudWatchSpec]], places: Sequence[int]
) -> Iterator[list[int]]:
    """Cut `places` so that each batch fits into one call and no query is split."""
    batch: list[int] = []
    size = 0
    for place in places:
        parts = len(queries[place].spec.parts)
        if size + parts > SERIES_PER_CALL:
            yield batch
            batch, size = [], 0
        batch.append(place)
        size += parts
    if batch:
        yield batch


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
            raise GarbageAnswer(f"CloudWatch: {stamp!r} is not a time stamp")
        at = int(stamp.timestamp())
        if at in series.points:
            raise GarbageAnswer(f"CloudWatch: two points for {at}")
        series.points[at] = value
    series.status = result.get("StatusCode", "")


def _accept(series: _Series, period: int, interval: Interval) -> None:
    """Raise the MonitoringError that AWS reports for this series, or that its points deserve."""
    match series.status:
        case "Complete":
            pass
        case "Forbidden":
            raise AccessRefused("CloudWatch: access to this metric is forbidden")
        case "InternalError" | "PartialData":
            raise Unavailable(f"CloudWatch: {series.status}")
        case _:
            raise GarbageAnswer(f"CloudWatch: no such status as {series.status!r}")
    for at in series.points:
        if not interval.start <= at < interval.end or (at - interval.start) % period:
            raise GarbageAnswer(f"CloudWatch: a point at {at}, which was not asked for")


def _combined(spec: CloudWatchSpec, interval: Interval, parts: Mapping[str, _Series]) -> Answer:
    """One number for the interval, or NO_DATA. Exact."""
    stamps = {frozenset(one.points) for one in parts.values()}
    if len(stamps) != 1:
        raise GarbageAnswer("CloudWatch: Sum and SampleCount cover different periods")
    numbers = [[from_double(value) for value in one.points.values()] for one in parts.values()]
    missing = interval.seconds // spec.period - len(numbers[0])
    if not numbers[0] or (missing and not spec.allow_partial):
        return NO_DATA
    match spec.statistic:
        case "Sum" | "SampleCount":
            amount = sum(numbers[0], Fraction(0))
        case "Average":
            count = sum(numbers[1], Fraction(0))
            if not count:
                return NO_DATA
            amount = sum(numbers[0], Fraction(0)) / count
        case "Minimum":
            amount = min(numbers[0])
        case _:  # a Maximum, or the only percentile
            amount = max(numbers[0])
    return Value(amount * Fraction(spec.scale))


def _session(options: CloudWatchOptions, region: str, config: Config) -> botocore.session.Session:
    """A session with the credentials of the standard chain, or acting as the role."""
    session = botocore.session.Session(profile=options.profile)
    if options.role_arn is None:
        return session
    source = session.get_credentials()
    if source is None:
        raise NoCredentialsError
    settings = {
        "region_name": region,
        "endpoint_url": _text(options.sts_endpoint_url),
        "config": config,
    }

    def sts(service: str, **credentials: Any) -> Any:
        return session.create_client(service, **{**credentials, **settings})

    extra = {"RoleSessionName": "makegood"}
    if options.external_id:
        extra["ExternalId"] = options.external_id
    fetcher = AssumeRoleCredentialFetcher(sts, source, options.role_arn, extra_args=extra)
    acting = botocore.session.Session(profile=options.profile)
    acting.register_component("credential_provider", CredentialResolver([_Role(fetcher)]))
    return acting


class _Role(CredentialProvider):
    """Credentials of an assumed role, renewed before they expire."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def _text(url: AnyHttpUrl | None) -> str | None:
    return None if url is None else str(url)


def _translated(error: BotoCoreError | ClientError) -> MonitoringError:
    """The same failure in our words."""
    if isinstance(error, ClientError):
        return _refused_call(error)
    text = f"CloudWatch: {error}"
    if isinstance(error, _REFUSED):
        return AccessRefused(text)
    if isinstance(error, HTTPClientError | BotoConnectionError):
        return Unavailable(text)
    if isinstance(error, ParamValidationError):
        return BadRequest(text)
    return Unavailable(text)


def _refused_call(error: ClientError) -> MonitoringError:
    meta: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code = error.response.get("Error", {}).get("Code", "")
    status = meta.get("HTTPStatusCode", 0)
    text = f"CloudWatch: {error}"
    if code in _THROTTLED_CODES or status == 429:
        pause = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
        return Throttled(text, retry_after=float(pause) if pause.isdecimal() else None)
    # whatever STS has against us concerns every query, and none of them in particular
    elsewhere = error.operation_name != "GetMetricData" and 400 <= status < 500
    if code in _REFUSED_CODES or status in (401, 403) or elsewhere:
        return AccessRefused(text)
    if status >= 500:
        return Unavailable(text)
    if status == 400:
        return BadRequest(text)
    return GarbageAnswer(text)
