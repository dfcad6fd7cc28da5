"""Any JSON over HTTP: a URL with the interval in it, and a JSONPath to the numbers."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import operator
import re
import time
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

import jsonpath
from pydantic import AfterValidator, AnyHttpUrl, Field, TypeAdapter, ValidationError

from oracles.base import Answer, Clock, Interval, MonitoringService, Query, Reading, SampleStore
from oracles.clients.http_access import HttpOptions, Servers
from oracles.clients.http_api import answers
from oracles.errors import BadRequest, GarbageAnswer, MonitoringError
from oracles.series import SeriesSpec, check_series, check_single, conclude_series
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PLACEHOLDER: Final = re.compile(r"\{(start|end|last)_(s|ms|rfc3339)\}")
_NUMBER: Final = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?")
_NODES: Final = 100_000
"""Points of one answer; also what a path may find."""
_ODDEST: Final = 2**53
"""Whole numbers beyond this are doubles in canonical JSON."""


class _Paths(jsonpath.JSONPathEnvironment):
    """RFC 9535 without regular expressions: a pattern can take for ever."""

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        for name in ("match", "search"):
            self.function_extensions.pop(name, None)


_PATHS: Final = _Paths(strict=True)


def _path(text: str) -> str:
    try:
        _PATHS.compile(text)
    except jsonpath.JSONPathError as error:
        raise ValueError(f"no JSONPath of RFC 9535: {error.args[0]}") from None
    if text.count("..") > 1 or text.count("?") > 1:
        raise ValueError("one '..' and one filter a path at most: more can take for ever")
    return text


def _template(text: str) -> str:
    try:
        url = _URL.validate_python(_filled(text, Interval(0, 1)))
    except ValidationError:
        raise ValueError("no http or https URL") from None
    if url.username or url.password:
        raise ValueError("credentials do not belong in a URL that both parties sign")
    if url.fragment:
        raise ValueError("a fragment is never sent to a server")
    if _PLACEHOLDER.search(urlsplit(text).netloc):
        raise ValueError("the interval cannot choose the server")
    return text


def _body(text: str) -> str:
    try:
        json.loads(_filled(text, Interval(0, 1)))
    except (ValueError, RecursionError):
        raise ValueError("no JSON once the interval is filled in") from None
    return text


_URL: Final = TypeAdapter(AnyHttpUrl)
_Path = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_path)]


class JsonHttpSpec(SeriesSpec):
    """What is requested, and where the numbers stand. See docs/oracles/json_http.md."""

    url: Annotated[str, Field(max_length=4_000), AfterValidator(_template)]
    """With {start_s}, {end_ms}, {last_rfc3339} and so on in its path or query string."""
    method: Literal["GET", "POST"] = "GET"
    body: Annotated[str, Field(max_length=20_000), AfterValidator(_body)] | None = None
    """JSON with the same placeholders; only with POST."""
    value: _Path
    """To the numbers: from each of `points`, or from the whole answer."""
    time: _Path | None = None
    """To their time stamps, likewise; without it one number is the interval's."""
    points: _Path | None = None
    """To the points, if each holds its own time and value."""
    time_unit: Literal["s", "ms", "us", "ns", "rfc3339"] = "s"
    require: _Path | None = None
    """What must be found in an answer; one without it is garbage, not "no data"."""

    def public(self) -> Mapping[str, object]:
        """The specification, with the URL's query string left out: a token may hide in it."""
        address, _, query = self.url.partition("?")
        return {**super().public(), "url": f"{address}?..." if query else address}

    def needed(self, length: int) -> int:
        return 1 if self.time is None else super().needed(length)


class JsonHttp(MonitoringService[JsonHttpSpec, HttpOptions]):
    """Numbers that some JSON holds: the document's metric says what they are."""

    name = "json_http"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 300
    Spec = JsonHttpSpec
    Options = HttpOptions

    def __init__(
        self,
        options: HttpOptions | Mapping[str, object] | None = None,
        *,
        store: SampleStore | None = None,
        clock: Clock = time.time,
    ) -> None:
        """See MonitoringService; `store` is not used."""
        super().__init__(options, store=store, clock=clock)
        self._servers = Servers(self.name, self._options, clock)

    def close(self) -> None:
        """Close the connections."""
        self._servers.close()

    @classmethod
    def lane(cls, query: Query[JsonHttpSpec]) -> str:
        """See MonitoringService: each server may be slow by itself."""
        return urlsplit(query.spec.url).netloc

    @classmethod
    def _check(cls, query: Query[JsonHttpSpec]) -> None:
        spec = query.spec
        if spec.time is None:
            check_single(query)
            if spec.points is not None:
                raise BadRequest("points need a time, each its own")
        else:
            check_series(query)
        if (spec.body is None) != (spec.method == "GET"):
            raise BadRequest("a body belongs to POST, and POST needs one")

    def _read(
        self, queries: Sequence[Query[JsonHttpSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        return answers(lambda query: self._one(query, interval), queries, self._options.workers)

    def _one(self, query: Query[JsonHttpSpec], interval: Interval) -> Reading:
        spec = query.spec
        url = urlsplit(str(_URL.validate_python(_filled(spec.url, interval))))
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        server = self._servers.at(url.geturl())
        if spec.body is None:
            said = server.get_json(path)
        else:
            said = server.post_json(path, json.loads(_filled(spec.body, interval)))
        return self._reading(query, interval, {"points": _points(spec, said, interval)})

    @classmethod
    def conclude(cls, query: Query[JsonHttpSpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService and `conclude_series`."""
        return conclude_series(query, interval, raw)


def _filled(template: str, interval: Interval) -> str:
    """The template with the interval in it. `last` is the last instant before the end."""

    def written(match: re.Match[str]) -> str:
        edge, unit = match[1], match[2]
        if unit == "ms":
            ms = (interval.start if edge == "start" else interval.end) * 1000
            return str(ms - 1 if edge == "last" else ms)
        second = interval.start if edge == "start" else interval.end - (edge == "last")
        if unit == "s":
            return str(second)
        rest = ".999" if edge == "last" else ""
        return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}{rest}Z"

    return _PLACEHOLDER.sub(written, template)


def _points(spec: JsonHttpSpec, said: Any, interval: Interval) -> list[list[Any]]:
    """[UNIX ms, number or None] of each point within the interval, by time."""
    if spec.require is not None and not _found(spec.require, said):
        raise GarbageAnswer(f"json_http: the answer lacks {spec.require}")
    if spec.time is None:
        values = _found(spec.value, said)
        if len(values) > 1:
            raise GarbageAnswer(f"json_http: {spec.value} finds {len(values)} values, not one")
        return [[interval.end * 1000 - 1, _number(value)] for value in values]
    found = [(_ms(at, spec.time_unit), value) for at, value in _pairs(spec, spec.time, said)]
    start, end = interval.start * 1000, interval.end * 1000
    inside = [[at, _number(value)] for at, value in found if start <= at < end]
    return sorted(inside, key=operator.itemgetter(0))


def _pairs(spec: JsonHttpSpec, time_path: str, said: Any) -> Iterable[tuple[Any, Any]]:
    if spec.points is None:
        times, values = _found(time_path, said), _found(spec.value, said)
        if len(times) != len(values):
            raise GarbageAnswer(f"json_http: {len(times)} times for {len(values)} values")
        return zip(times, values, strict=True)
    return [
        (_one_of(time_path, point), _one_of(spec.value, point))
        for point in _found(spec.points, said)
    ]


def _one_of(path: str, point: Any) -> Any:
    found = _found(path, point)
    if len(found) != 1:
        raise GarbageAnswer(f"json_http: {path} finds {len(found)} values in a point, not one")
    return found[0]


def _found(path: str, document: Any) -> list[Any]:
    if isinstance(document, str):  # which the library would take for JSON and parse
        return [document] if path == "$" else []
    try:
        nodes = _PATHS.finditer(path, document)
        found = [node.value for node in itertools.islice(nodes, _NODES + 1)]
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise GarbageAnswer(f"json_http: {path}: {type(error).__name__}") from None
    if len(found) > _NODES:
        raise GarbageAnswer(f"json_http: {path} finds more than {_NODES} values")
    return found


def _number(value: Any) -> float | None:
    """A number, also one that is written as a text; null says that there is none."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return value if abs(value) < _ODDEST else float(value)
    raise GarbageAnswer(f"json_http: {str(value)[:40]!r} is no number")


def _ms(value: Any, unit: str) -> int:
    """UNIX milliseconds, rounded down: a point never moves into the next interval."""
    try:
        if unit == "rfc3339":
            # Raises TypeError without a zone: the time of which place?
            return (datetime.fromisoformat(value) - _EPOCH) // _MILLISECOND
    except (OverflowError, TypeError, ValueError):
        pass
    else:
        if _NUMBER.fullmatch(str(value)):
            return math.floor(Fraction(str(value)) * 1000 / _PER_SECOND[unit])
    raise GarbageAnswer(f"json_http: {str(value)[:40]!r} is no time in {unit}")


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = datetime.resolution * 1000
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
