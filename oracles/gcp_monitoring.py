"""Google Cloud Monitoring, read by `projects.timeSeries.list` for closed intervals.

Google aligns points to periods and stamps each with the *end* of its period; what leaves this
module begins where the period does.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlencode

import google.auth
import google.auth.exceptions
import google.auth.transport.requests
import requests
from google.auth import impersonated_credentials
from google.oauth2 import service_account
from pydantic import AfterValidator, Field, FilePath, SecretStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from oracles.base import Answer, Interval, MonitoringService, Options, Query, Reading
from oracles.clients.bounded_requests import BoundedAdapter
from oracles.clients.http_api import BaseUrl, HttpApi, answers
from oracles.described import described
from oracles.errors import AccessRefused, BadRequest, GarbageAnswer, MonitoringError, Unavailable
from oracles.series import SeriesSpec, check_series, conclude_series
from oracles.units import METRICS, Metric, reported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import AnyHttpUrl


_SCOPES: Final = ("https://www.googleapis.com/auth/monitoring.read",)
_PAGES: Final = 100
_PAGE_SIZE: Final = 10_000
_ACCOUNT: Final = r"^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$"

# ALIGN_NONE gives raw points at their own pace, ALIGN_INTERPOLATE and ALIGN_NEXT_OLDER values that
# nobody has measured in the period, ALIGN_PERCENT_CHANGE changes of them.
_Aligner = Literal[
    "ALIGN_DELTA",
    "ALIGN_RATE",
    "ALIGN_MIN",
    "ALIGN_MAX",
    "ALIGN_MEAN",
    "ALIGN_COUNT",
    "ALIGN_SUM",
    "ALIGN_STDDEV",
    "ALIGN_COUNT_TRUE",
    "ALIGN_COUNT_FALSE",
    "ALIGN_FRACTION_TRUE",
    "ALIGN_PERCENTILE_99",
    "ALIGN_PERCENTILE_95",
    "ALIGN_PERCENTILE_50",
    "ALIGN_PERCENTILE_05",
]
_Reducer = Literal[
    "REDUCE_MEAN",
    "REDUCE_MIN",
    "REDUCE_MAX",
    "REDUCE_SUM",
    "REDUCE_STDDEV",
    "REDUCE_COUNT",
    "REDUCE_COUNT_TRUE",
    "REDUCE_COUNT_FALSE",
    "REDUCE_FRACTION_TRUE",
    "REDUCE_PERCENTILE_99",
    "REDUCE_PERCENTILE_95",
    "REDUCE_PERCENTILE_50",
    "REDUCE_PERCENTILE_05",
]


def _https(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.scheme != "https":
        raise ValueError("tokens travel over https only")
    return url


_Endpoint = Annotated[BaseUrl, AfterValidator(_https)]


class GcpMonitoringSpec(SeriesSpec):
    """Which series is read, and how its points make one number.

    See docs/oracles/gcp_monitoring.md.
    """

    project: str = Field(pattern=r"^([a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{0,62}$")
    """Its id or number."""
    filter: str = Field(min_length=1, max_length=2_048, pattern=r"metric\.type")
    """In Google's language: one metric type, and whatever narrows its series."""
    aligner: _Aligner
    """How the samples of a period of `step` seconds make one point."""
    reducer: _Reducer | None = None
    """How several series make one."""
    group_by: tuple[str, ...] = Field(default=(), max_length=10)
    """Labels by which the reducer keeps series apart; one series has to be left."""
    distribution: Literal["mean", "count"] | None = None
    """Which number of a distribution is meant, where points are distributions."""


class GcpMonitoringOptions(Options):
    """How one reporter reaches Google. Without `credentials_file` by the standard chain (ADC).

    Durations are in seconds.
    """

    credentials_file: FilePath | None = None
    """The key of a service account, as Google hands it out."""
    impersonate: str | None = Field(default=None, pattern=_ACCOUNT)
    """A service account to act as; the credentials need the role Token Creator on it."""
    endpoint_url: _Endpoint = Field(
        default="https://monitoring.googleapis.com", validate_default=True
    )
    iam_endpoint_url: _Endpoint = Field(
        default="https://iamcredentials.googleapis.com", validate_default=True
    )
    """Where tokens of the account to act as come from."""
    ca_file: FilePath | None = None
    """The authorities to trust, as PEM, instead of the public ones."""
    connect_timeout: float = Field(default=5, gt=0, le=60)
    timeout: float = Field(default=20, gt=0, le=120)
    """Of a whole call."""
    connections: int = Field(default=8, ge=1, le=32)
    """Calls at the same time: each reads one series."""


@dataclass(frozen=True)
class _Span:
    endTime: str  # noqa: N815 - Google's name
    startTime: str | None = None  # noqa: N815 - Google's name


@dataclass(frozen=True)
class _Point:
    interval: _Span
    value: dict[str, Any]


@dataclass(frozen=True)
class _TimeSeries:
    points: list[_Point]
    metric: dict[str, Any] | None = None
    resource: dict[str, Any] | None = None
    unit: str = ""


@dataclass(frozen=True)
class _Page:
    timeSeries: list[_TimeSeries] = Field(default_factory=list)  # noqa: N815 - Google's name
    nextPageToken: str = ""  # noqa: N815 - Google's name
    executionErrors: list[Any] = Field(default_factory=list)  # noqa: N815 - Google's name


_PAGE: Final = TypeAdapter(_Page)


class GcpMonitoring(MonitoringService[GcpMonitoringSpec, GcpMonitoringOptions]):
    """Any metric of Cloud Monitoring: the document's metric says what the number is."""

    name = "gcp_monitoring"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 900
    Spec = GcpMonitoringSpec
    Options = GcpMonitoringOptions

    def _prepare(self) -> None:
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._api: tuple[Mapping[str, str], HttpApi] | None = None

    def close(self) -> None:
        """Close the connections, and forget the token."""
        with self._lock:
            if self._api is not None:
                self._api[1].close()
            self._api = self._credentials = None

    @classmethod
    def lane(cls, query: Query[GcpMonitoringSpec]) -> str:
        """The project: quotas are per project."""
        return query.spec.project

    @classmethod
    def _check(cls, query: Query[GcpMonitoringSpec]) -> None:
        spec = query.spec
        check_series(query)
        if spec.step % 60:
            raise BadRequest(f"step {spec.step}: Google's alignment periods are whole minutes")
        if spec.group_by and spec.reducer is None:
            raise BadRequest("group_by needs a reducer: by itself it joins no series")
        if spec.distribution == "mean" and query.length != spec.step:
            raise BadRequest(
                "means of several periods cannot be combined without their counts:"
                f" make step the interval, {query.length} s"
            )

    def _read(
        self, queries: Sequence[Query[GcpMonitoringSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        try:
            api = self._connected()
        except MonitoringError as error:
            return [error] * len(queries)

        def one(query: Query[GcpMonitoringSpec]) -> Reading:
            return self._reading(
                query, interval, _raw(query, interval, _fetch(api, query, interval))
            )

        return answers(one, queries, workers=self._options.connections)

    def _connected(self) -> HttpApi:
        """The API with a token that is valid for some minutes more. Raises MonitoringError."""
        options = self._options
        with self._lock:
            headers: dict[str, str] = {}
            try:
                with requests.Session() as session:
                    session.headers["Accept-Encoding"] = "identity"
                    adapter = BoundedAdapter("Google", options.timeout)
                    session.mount("https://", adapter)
                    session.mount("http://", adapter)  # the metadata server of a machine of theirs
                    # With each request: the session's own is overruled by REQUESTS_CA_BUNDLE.
                    verify = {"verify": str(options.ca_file)} if options.ca_file else {}
                    ask = functools.partial(
                        google.auth.transport.requests.Request(session),
                        timeout=options.timeout,
                        **verify,
                    )
                    if self._credentials is None:
                        self._credentials = _credentials(options, ask)
                    if not self._credentials.valid:
                        self._credentials.refresh(ask)
                self._credentials.apply(headers)
            except google.auth.exceptions.GoogleAuthError as error:
                raise _translated(error) from None
            except (AttributeError, LookupError, TypeError, ValueError, OSError) as error:
                # google-auth trusts what it parses; its messages quote it, ours must not.
                kind = type(error).__name__
                raise AccessRefused(f"Google: the credentials cannot be used ({kind})") from None
            if self._api is None or self._api[0] != headers:
                api = HttpApi(
                    "Google",
                    options.endpoint_url,
                    secrets={name: SecretStr(value) for name, value in headers.items()},
                    ca_file=options.ca_file,
                    connect_timeout=options.connect_timeout,
                    timeout=options.timeout,
                    connections=options.connections,
                    clock=self._clock,
                )
                self._api = headers, api
            return self._api[1]

    @classmethod
    def conclude(cls, query: Query[GcpMonitoringSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService."""
        answer = conclude_series(query, interval, raw)
        step = query.spec.step
        starts = [at for at, _ in raw["points"]]
        if any(type(at) is not int or (at / 1000 - interval.start) % step for at in starts):
            raise GarbageAnswer(f"Google: a point is not aligned to periods of {step} s")
        _check_unit(query, raw.get("unit"))
        return answer


def _credentials(options: GcpMonitoringOptions, ask: Any) -> Any:
    """The operator's credentials, scoped to reading metrics, or those to act as."""
    credentials: Any
    if options.credentials_file is not None:
        # google-auth has no annotations
        account: Any = service_account.Credentials
        credentials = account.from_service_account_file(
            str(options.credentials_file), scopes=_SCOPES
        )
    else:
        credentials, _ = google.auth.default(scopes=_SCOPES, request=ask)
    if options.impersonate is None:
        return credentials
    acting: Any = impersonated_credentials.Credentials
    iam = str(options.iam_endpoint_url).rstrip("/")
    account_path = f"v1/projects/-/serviceAccounts/{options.impersonate}:generateAccessToken"
    return acting(
        source_credentials=credentials,
        target_principal=options.impersonate,
        target_scopes=_SCOPES,
        iam_endpoint_override=f"{iam}/{account_path}",
    )


def _fetch(api: HttpApi, query: Query[GcpMonitoringSpec], interval: Interval) -> list[_TimeSeries]:
    """All time series of all pages. Raises MonitoringError."""
    spec = query.spec
    asked = [
        ("filter", spec.filter),
        ("interval.startTime", _written(interval.start)),
        ("interval.endTime", _written(interval.end)),
        ("aggregation.alignmentPeriod", f"{spec.step}s"),
        ("aggregation.perSeriesAligner", spec.aligner),
        *([("aggregation.crossSeriesReducer", spec.reducer)] if spec.reducer else []),
        *(("aggregation.groupByFields", field) for field in spec.group_by),
        ("view", "FULL"),
        ("pageSize", str(_PAGE_SIZE)),
    ]
    path = f"/v3/projects/{spec.project}/timeSeries"
    return [series for page in _pages(api, path, asked) for series in page.timeSeries]


def _pages(api: HttpApi, path: str, asked: Sequence[tuple[str, str]]) -> Iterator[_Page]:
    seen: set[str] = set()
    token = ""
    while True:
        more = [("pageToken", token)] if token else []
        said = api.get_json(f"{path}?{urlencode([*asked, *more])}")
        try:
            page = _PAGE.validate_python(said)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise GarbageAnswer(f"Google: {where or 'the answer'} is not as documented") from None
        if page.executionErrors:
            raise Unavailable("Google: the answer is incomplete, by its own account")
        yield page
        token = page.nextPageToken
        if not token:
            return
        if token in seen or len(seen) == _PAGES:
            raise GarbageAnswer("Google: the pages of an answer have no end")
        seen.add(token)


def _raw(
    query: Query[GcpMonitoringSpec], interval: Interval, series: Sequence[_TimeSeries]
) -> dict[str, object]:
    """What is kept of an answer. Raises GarbageAnswer if it has several series."""
    step = query.spec.step
    # One series may go on from page to page.
    names = {repr((one.metric, one.resource)) for one in series}
    if len(names) > 1:
        raise GarbageAnswer(
            f"Google: {len(names)} series where one is meant;"
            " add a reducer (REDUCE_MEAN, say), or narrow the filter"
        )
    units = {one.unit for one in series}
    if len(units) > 1:
        raise GarbageAnswer("Google: one series in several units")
    points = []
    for point in (point for one in series for point in one.points):
        end = _read_time(point.interval.endTime)
        start = end if point.interval.startTime is None else _read_time(point.interval.startTime)
        # A gauge's point has no length; other kinds begin up to a second late, to keep apart.
        if start != end and not step - 1 <= end - start <= step:
            raise GarbageAnswer(f"Google: a point of {end - start:g} s instead of {step} s")
        if end != interval.start:  # the period that only touches the interval
            points.append([round((end - step) * 1000), _number(query.spec, point.value)])
    return {"points": sorted(points, key=lambda p: p[0]), "unit": next(iter(units), "") or None}


def _number(spec: GcpMonitoringSpec, value: Mapping[str, Any]) -> Any:
    match value:
        case {"doubleValue": number}:
            return number
        case {"int64Value": str(text)} if re.fullmatch(r"-?\d{1,19}", text):
            return int(text)
        case {"boolValue": bool(truth)}:
            return int(truth)
        case {"distributionValue": dict(distribution)}:
            count = str(distribution.get("count", "0"))
            if spec.distribution is None:
                raise GarbageAnswer(
                    "Google: the points are distributions; say distribution: mean or count, or"
                    " choose an aligner that makes numbers of them, such as ALIGN_PERCENTILE_99"
                )
            if not re.fullmatch(r"\d{1,19}", count):
                raise GarbageAnswer("Google: a distribution without a count")
            if spec.distribution == "count":
                return int(count)
            # Google leaves out what is zero; a mean of nothing is not zero.
            return distribution.get("mean", 0) if int(count) else None
        case _:
            raise GarbageAnswer("Google: a point is neither a number, nor a truth, nor a"
                                " distribution")  # fmt: skip


def _check_unit(query: Query[GcpMonitoringSpec], said: object) -> None:
    """Raise GarbageAnswer if Google's unit is not the agreed one. Often it knows none."""
    spec = query.spec
    if not said or spec.statistic == "count" or spec.distribution == "count":
        return
    unit = query.metric.unit
    bare = re.sub(r"\{[^}]*\}", "", str(said)) or "1"  # "{requests}" is a remark in UCUM, no unit
    try:
        agrees = unit.scale(bare) == unit.scale(spec.unit)
    except BadRequest:
        agrees = False
    if not agrees:
        raise GarbageAnswer(
            f"Google: its numbers are in {reported(said)}, the document's in {spec.unit!r}"
        )


def _written(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_time(text: str) -> float:
    """UNIX seconds, to the microsecond."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise GarbageAnswer(f"Google: {described(text)} is not a time") from None
    if found.tzinfo is None:
        raise GarbageAnswer(f"Google: {described(text)} is a time without a zone")
    return found.timestamp()


def _translated(error: google.auth.exceptions.GoogleAuthError) -> MonitoringError:
    """The same failure in our words. Google's may quote an answer with a token in it."""
    said = error.args[1] if len(error.args) > 1 else None
    with contextlib.suppress(ValueError):
        said = json.loads(said) if isinstance(said, str) else said
    found = said.get("error") if isinstance(said, dict) else None
    code = found.get("status") if isinstance(found, dict) else found
    status = found.get("code") if isinstance(found, dict) else None
    kind = type(error).__name__
    why = code if isinstance(code, str) and re.fullmatch(r"[A-Za-z_]{1,40}", code) else kind
    transport = (google.auth.exceptions.TransportError, google.auth.exceptions.TimeoutError)
    if (
        isinstance(error, transport)
        or isinstance(error.__cause__, transport)
        or error.retryable
        or (isinstance(status, int) and (status == 429 or status >= 500))
    ):
        return Unavailable(f"Google: no token, the service that gives them fails ({why})")
    if isinstance(error, google.auth.exceptions.DefaultCredentialsError):
        return AccessRefused(
            f"Google: no credentials ({why}); set credentials_file, or"
            " GOOGLE_APPLICATION_CREDENTIALS, or attach a service account to this machine"
        )
    return AccessRefused(f"Google: the credentials are refused ({why})")
