"""Dynatrace, read by the Metrics API v2 (`GET /api/v2/metrics/query`) for closed intervals.

Its time stamps are the *ends* of time slots; what leaves this module begins where the slot does.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, FilePath, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from oracles.base import Answer, Interval, MonitoringService, Options, Query, Reading
from oracles.clients.http_api import HttpApi, answers, secret_headers
from oracles.described import described
from oracles.errors import AccessRefused, BadRequest, GarbageAnswer, MonitoringError
from oracles.series import SeriesSpec, check_series, conclude_series
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


SELECTORS_PER_CALL: Final = 10
"""Dynatrace's limit."""
_CHARACTERS_PER_CALL: Final = 2_000
"""Of all selectors of a call, so that the address stays within what proxies let pass."""
_POINTS_PER_SERIES: Final = 10_080
"""Dynatrace's limit."""
_PAGES: Final = 100
_PLACE: Final = "{environment}"
_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _template(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", url):
        raise ValueError("an address up to its path: no '?', no '#', no credentials")
    return url


class DynatraceSpec(SeriesSpec):
    """Which series is read, and how its points make one number. See docs/oracles/dynatrace.md."""

    environment: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")
    """The environment's id: "abc12345" of https://abc12345.live.dynatrace.com."""
    metric_selector: str = Field(min_length=1, max_length=1_500)
    """One metric, with the transformations that make one series of it."""
    entity_selector: str | None = Field(default=None, min_length=1, max_length=2_000)
    management_zone: str | None = Field(default=None, min_length=1, max_length=500)
    """A selector too: mzName("production")."""


class DynatraceOptions(Options):
    """How one reporter reaches Dynatrace. The tokens are references. Durations are in seconds."""

    url: Annotated[str, AfterValidator(_template)] = f"https://{_PLACE}.live.dynatrace.com"
    """Managed: "https://dynatrace.example/e/{environment}"; an ActiveGate likewise."""
    tokens: dict[str, str] = Field(default={})
    """References to access tokens with the scope metrics.read, by environment, because the token of
    one must not reach another that some document names: {"abc12345": "${DT_TOKEN}"}."""
    ca_file: FilePath | None = None
    """The authorities to trust, as PEM, instead of the public ones."""
    connect_timeout: float = Field(default=5, gt=0, le=60)
    timeout: float = Field(default=20, gt=0, le=120)
    """Of a whole call."""
    connections: int = Field(default=4, ge=1, le=32)
    """Calls at the same time. Dynatrace has few threads for everybody's."""


@dataclass(frozen=True)
class _Series:
    timestamps: list[int]
    values: list[Any]


@dataclass(frozen=True)
class _Collection:
    metricId: str  # noqa: N815 - Dynatrace's name
    data: list[_Series]


@dataclass(frozen=True)
class _Page:
    resolution: str
    result: list[_Collection]
    nextPageKey: str | None = None  # noqa: N815 - Dynatrace's name


_PAGE: Final = TypeAdapter(_Page)

_Scope = tuple[str, str | None, str | None, int]
"""What selectors of one call have in common: environment, entities, management zone, step."""


class _Untold(GarbageAnswer):
    """An answer to several selectors that cannot be shared out among them."""


class Dynatrace(MonitoringService[DynatraceSpec, DynatraceOptions]):
    """Any Dynatrace metric selector: the document's metric says what the number is."""

    name = "dynatrace"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 600
    Spec = DynatraceSpec
    Options = DynatraceOptions

    def _prepare(self) -> None:
        self._secrets = {
            environment: secret_headers({"Authorization": f"Api-Token {token}"})
            for environment, token in self._options.tokens.items()
        }
        self._lock = threading.Lock()
        self._apis: dict[str, HttpApi] = {}
        for environment in self._secrets:
            self._connection(environment).close()  # raises BadRequest

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            while self._apis:
                self._apis.popitem()[1].close()

    @classmethod
    def lane(cls, query: Query[DynatraceSpec]) -> str:
        """The environment: each is a server of its own."""
        return query.spec.environment

    @classmethod
    def _check(cls, query: Query[DynatraceSpec]) -> None:
        spec = query.spec
        check_series(query)
        if spec.step % 60:
            raise BadRequest(f"step {spec.step}: Dynatrace's time slots are whole minutes")
        if query.first % spec.step:
            raise BadRequest(
                f"intervals must begin at a multiple of step, {spec.step} s, as time slots do"
            )
        if query.length // spec.step > _POINTS_PER_SERIES:
            raise BadRequest(
                f"{query.length // spec.step} points an interval are more than Dynatrace gives,"
                f" {_POINTS_PER_SERIES}: a larger step, or shorter intervals"
            )
        _check_selector(spec.metric_selector)

    def _read(
        self, queries: Sequence[Query[DynatraceSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        scopes: defaultdict[_Scope, dict[str, list[int]]] = defaultdict(dict)
        for place, query in enumerate(queries):
            spec = query.spec
            scope = spec.environment, spec.entity_selector, spec.management_zone, spec.step
            scopes[scope].setdefault(spec.metric_selector, []).append(place)
        calls = [(scope, batch) for scope in scopes for batch in _batches(list(scopes[scope]))]
        given = answers(
            lambda call: self._ask(*call, interval), calls, workers=self._options.connections
        )
        found: dict[int, Reading | MonitoringError] = {}
        for (scope, batch), said in zip(calls, given, strict=True):
            for selector in batch:
                series = said if isinstance(said, MonitoringError) else said[selector]
                for place in scopes[scope][selector]:
                    found[place] = self._answer(queries[place], interval, series)
        return [found[place] for place in range(len(queries))]

    def _ask(
        self, scope: _Scope, selectors: Sequence[str], interval: Interval
    ) -> dict[str, tuple[str, list[_Series]] | MonitoringError]:
        """The resolution and the series of each selector.

        Dynatrace refuses a whole call for one bad selector, and may write selectors in another way
        than we do: halving finds the culprit, and needs no names in the end.
        """
        try:
            return dict(zip(selectors, self._fetch(scope, selectors, interval), strict=True))
        except (BadRequest, _Untold) as error:
            if len(selectors) == 1:
                untold = isinstance(error, _Untold)
                return {selectors[0]: GarbageAnswer(str(error)) if untold else error}
            half = len(selectors) // 2
            return {
                **self._ask(scope, selectors[:half], interval),
                **self._ask(scope, selectors[half:], interval),
            }
        except MonitoringError as error:
            return dict.fromkeys(selectors, error)

    def _fetch(
        self, scope: _Scope, selectors: Sequence[str], interval: Interval
    ) -> list[tuple[str, list[_Series]]]:
        environment, entities, zone, step = scope
        asked = {
            "metricSelector": ",".join(selectors),
            "resolution": f"{step // 60}m",
            "from": str(interval.start * 1000),
            "to": str(interval.end * 1000),
            **({"entitySelector": entities} if entities else {}),
            **({"mzSelector": zone} if zone else {}),
        }
        series: dict[str, list[_Series]] = {selector: [] for selector in selectors}
        named, resolutions = set(), set()
        for page in self._pages(environment, asked):
            resolutions.add(page.resolution)
            for collection in page.result:
                # One selector alone needs no name to be told apart by.
                name = selectors[0] if len(selectors) == 1 else collection.metricId
                if name not in series:
                    raise _Untold(f"Dynatrace: a metric ({described(name)}) that was not asked for")
                series[name] += collection.data
                named.add(name)
        if len(selectors) > 1 and len(named) < len(selectors):
            raise _Untold("Dynatrace: fewer metrics than were asked for")
        if len(resolutions) != 1:
            raise GarbageAnswer("Dynatrace: pages of different resolutions")
        [resolution] = resolutions
        return [(resolution, series[selector]) for selector in selectors]

    def _pages(self, environment: str, asked: Mapping[str, str]) -> Iterator[_Page]:
        seen: set[str] = set()
        while True:
            said = self._api(environment).get_json("/api/v2/metrics/query", asked)
            try:
                page = _PAGE.validate_python(said)
            except ValidationError as error:
                where = ".".join(str(part) for part in error.errors()[0]["loc"])
                raise _Untold(f"Dynatrace: {where or 'the answer'} is not as documented") from None
            yield page
            if not page.nextPageKey:
                return
            if page.nextPageKey in seen or len(seen) == _PAGES:
                raise GarbageAnswer("Dynatrace: the pages of an answer have no end")
            seen.add(page.nextPageKey)
            asked = {"nextPageKey": page.nextPageKey}  # and nothing else, as Dynatrace wants it

    def _api(self, environment: str) -> HttpApi:
        with self._lock:
            if environment not in self._apis:
                self._apis[environment] = self._connection(environment)
            return self._apis[environment]

    def _connection(self, environment: str) -> HttpApi:
        options = self._options
        if environment not in self._secrets:
            raise AccessRefused(
                f"Dynatrace: no token for the environment {environment}; add one to the options:"
                f' tokens: {{{environment}: "${{NAME}}"}}'
            )
        return HttpApi(
            "Dynatrace",
            options.url.replace(_PLACE, environment),
            secrets=self._secrets[environment],
            ca_file=options.ca_file,
            connect_timeout=options.connect_timeout,
            timeout=options.timeout,
            connections=options.connections,
            clock=self._clock,
        )

    def _answer(
        self,
        query: Query[DynatraceSpec],
        interval: Interval,
        said: tuple[str, list[_Series]] | MonitoringError,
    ) -> Reading | MonitoringError:
        if isinstance(said, MonitoringError):
            return said
        try:
            return self._reading(query, interval, _raw(*said, query.spec.step, interval))
        except MonitoringError as error:
            return error

    @classmethod
    def conclude(cls, query: Query[DynatraceSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService."""
        answer = conclude_series(query, interval, raw)
        step = query.spec.step
        resolution = raw.get("resolution")
        if (seconds := _seconds(resolution)) != step:
            found = described(resolution) if seconds is None else resolution
            raise GarbageAnswer(
                f"Dynatrace: points of {found} instead of {step // 60}m: it keeps fine"
                " points for some time only, and gives coarser ones unasked"
            )
        starts = [at for at, _ in raw["points"]]
        if any(type(at) is not int or (at / 1000 - interval.start) % step for at in starts):
            raise GarbageAnswer(f"Dynatrace: a time slot does not begin at a multiple of {step} s")
        return answer


def _check_selector(text: str) -> None:
    """Raise BadRequest unless `text` selects one metric."""
    bare = re.sub(r'"(?:~.|[^"~])*"', '""', text)
    depth = 0
    for sign in bare:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
        if sign == "," and depth == 0:
            raise BadRequest("metric_selector: one metric only; several are several indicators")
    if depth or bare.count('"') % 2:
        raise BadRequest("metric_selector: its brackets or quotes do not match")
    if re.search(r"\.\(", bare):
        raise BadRequest("metric_selector: '.(a,b)' selects several metrics; write one of them")


def _batches(selectors: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for selector in selectors:
        long = sum(map(len, batch)) + len(selector) > _CHARACTERS_PER_CALL
        if batch and (long or len(batch) == SELECTORS_PER_CALL):
            yield batch
            batch = []
        batch.append(selector)
    if batch:
        yield batch


def _raw(
    resolution: str, series: Sequence[_Series], step: int, interval: Interval
) -> dict[str, object]:
    """What is kept of the series of one selector. Raises GarbageAnswer if there are several."""
    if len(series) > 1:
        raise GarbageAnswer(
            f"Dynatrace: {len(series)} series where one is meant;"
            " add :splitBy():avg (or sum, min, max) to the metric_selector, or narrow the entities"
        )
    points: list[tuple[int, Any]] = []
    for one in series:
        if len(one.timestamps) != len(one.values):
            raise GarbageAnswer(
                f"Dynatrace: {len(one.timestamps)} time stamps for {len(one.values)} values"
            )
        slots = zip(one.timestamps, one.values, strict=True)
        points = [(end - step * 1000, value) for end, value in slots]
    # Slots that only touch the interval are its neighbours', whether they are sent along or not.
    touching = (interval.start - step) * 1000, interval.end * 1000
    return {
        "points": sorted(
            ([at, value] for at, value in points if at not in touching), key=lambda p: p[0]
        ),
        "resolution": resolution,
    }


def _seconds(resolution: object) -> int | None:
    match = re.fullmatch(r"(\d{1,6})([mhdw])", resolution) if isinstance(resolution, str) else None
    return int(match[1]) * _SECONDS[match[2]] if match else None
