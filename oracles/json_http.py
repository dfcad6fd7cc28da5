"""Any JSON over HTTP: a URL with the interval in it, and a JSONPath to the numbers."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import operator
import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal
from urllib.parse import SplitResult, urlsplit

import jsonpath
from jsonpath.filter import FilterQuery, RootFilterQuery
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter
from pydantic import AfterValidator, AnyHttpUrl, Field, TypeAdapter

from oracles.base import Answer, Interval, MonitoringService, Query, Reading
from oracles.clients.http_access import HttpOptions, Servers
from oracles.clients.http_api import answers
from oracles.described import described
from oracles.errors import BadRequest, GarbageAnswer, MonitoringError
from oracles.series import SeriesSpec, check_series, check_single, conclude_series
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jsonpath.filter import BaseExpression
    from jsonpath.segments import JSONPathSegment

_PLACEHOLDER: Final = re.compile(r"\{(start|end|last)_(s|ms|rfc3339)\}")
_NUMBER: Final = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?")
_NODES: Final = 100_000
"""Points of one answer; also what a path may find."""
_SEGMENTS: Final = 20
"""Of a path, filters included: more than any answer is deep."""
_VISITED: Final = 1_000_000
"""Values in one answer; also what the segments of a path may find together on their way."""
_SERVER: Final = re.compile(r"https?://[^/{}\\?#@\s]+(?=[/?#]|$)")
_SAMPLES: Final = (Interval(0, 1), Interval(1_767_225_600, 1_767_229_200))
_ODDEST: Final = 2**53
"""Whole numbers beyond this are doubles in canonical JSON."""


class _Paths(jsonpath.JSONPathEnvironment):
    """RFC 9535 without regular expressions: a pattern can take for ever."""

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        for name in ("match", "search"):
            self.function_extensions.pop(name, None)


_PATHS: Final = _Paths(strict=True)


@functools.lru_cache(maxsize=1_000)
def _compiled(path: str) -> tuple[JSONPathSegment, ...]:
    compiled = _PATHS.compile(path)
    assert isinstance(compiled, jsonpath.JSONPath)  # noqa: S101 - RFC 9535 knows no others
    return compiled.segments


def _path(text: str) -> str:
    """What both parties sign must not keep a reporter busy for longer than an answer is large."""
    try:
        segments = list(_segments(_compiled(text)))
    except (jsonpath.JSONPathError, RecursionError) as error:
        said = error.args[0] if error.args else "too deep"
        raise ValueError(f"no JSONPath of RFC 9535: {said}") from None
    if any(len(segment.selectors) > 1 for segment in segments):
        raise ValueError("one selector in each pair of brackets: several can take for ever")
    if len(segments) > _SEGMENTS:
        raise ValueError(f"{len(segments)} segments, {_SEGMENTS} at most")
    filters = sum(isinstance(one, Filter) for segment in segments for one in segment.selectors)
    if _descents(segments) > 1 or filters > 1:
        raise ValueError("one '..' and one filter a path at most: more can take for ever")
    return text


def _descents(segments: Iterable[JSONPathSegment]) -> int:
    return sum(isinstance(one, JSONPathRecursiveDescentSegment) for one in segments)


def _segments(segments: Iterable[JSONPathSegment]) -> Iterator[JSONPathSegment]:
    """All segments of a compiled path, those of queries within its filters too."""
    for segment in segments:
        yield segment
        for selector in segment.selectors:
            if isinstance(selector, Filter):
                yield from _queried(selector.expression)


def _queried(expression: BaseExpression) -> Iterator[JSONPathSegment]:
    if isinstance(expression, RootFilterQuery):
        raise ValueError(  # noqa: TRY004 - what pydantic reports
            "a filter looks at its own values: write '@' in it, not '$'"
        )
    if isinstance(expression, FilterQuery):
        yield from _segments(expression.path.segments)
    else:
        for child in expression.children():
            yield from _queried(child)


def _address(template: str, interval: Interval) -> SplitResult:
    """Where a request goes. Raises ValidationError if that is no http or https URL."""
    return urlsplit(str(_URL.validate_python(_filled(template, interval))))


def _template(text: str) -> str:
    try:
        one, other = (_address(text, interval) for interval in _SAMPLES)
    except ValueError:
        raise ValueError("no http or https URL") from None
    if one.username is not None or one.password is not None:
        raise ValueError("credentials do not belong in a URL that both parties sign")
    if one.fragment:
        raise ValueError("a fragment is never sent to a server")
    if not _SERVER.match(text) or (one.scheme, one.netloc) != (other.scheme, other.netloc):
        raise ValueError(
            "the interval cannot choose the server: begin with https:// and the server's name,"
            " and write placeholders behind the '/' or '?' that follows"
        )
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

    def _prepare(self) -> None:
        self._servers = Servers(self.name, self._options, self._clock)

    def close(self) -> None:
        """Close the connections."""
        self._servers.close()

    @classmethod
    def lane(cls, query: Query[JsonHttpSpec]) -> str:
        """See MonitoringService: each server may be slow by itself."""
        return _address(query.spec.url, query.interval(0)).netloc

    @classmethod
    def _check(cls, query: Query[JsonHttpSpec]) -> None:
        spec = query.spec
        if spec.time is None:
            check_single(query)
            if spec.points is not None:
                raise BadRequest("points need a time, each its own")
        else:
            check_series(query)
            if spec.points is not None:
                _check_descents(spec.points, spec.time, spec.value)
        if (spec.body is None) != (spec.method == "GET"):
            raise BadRequest("a body belongs to POST, and POST needs one")
        if spec.time is None and not _PLACEHOLDER.search(spec.url + (spec.body or "")):
            raise BadRequest(
                "what is read must belong to the interval, not to the moment of asking: write"
                " the interval into the url or the body ({start_s} and {end_s}, say), or give"
                " the path to each number's time"
            )

    def _read(
        self, queries: Sequence[Query[JsonHttpSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        return answers(lambda query: self._one(query, interval), queries, self._options.workers)

    def _one(self, query: Query[JsonHttpSpec], interval: Interval) -> Reading:
        spec = query.spec
        url = _address(spec.url, interval)
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


def _check_descents(points: str, *within: str) -> None:
    """Raise BadRequest where all of a point is searched that may itself be within another one."""
    if any(_descents((*_compiled(points), *_compiled(path))) > 1 for path in within):
        raise BadRequest("one '..' in points and the paths within them: more can take for ever")


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
    _check_size(said)
    search = _Search()
    if spec.require is not None and not search.found(spec.require, said):
        raise GarbageAnswer(f"json_http: the answer lacks {spec.require}")
    if spec.time is None:
        values = search.found(spec.value, said)
        if len(values) > 1:
            raise GarbageAnswer(f"json_http: {spec.value} finds {len(values)} values, not one")
        return [[interval.end * 1000 - 1, _number(value)] for value in values]
    found = [
        (_ms(at, spec.time_unit), value) for at, value in _pairs(spec, spec.time, said, search)
    ]
    start, end = interval.start * 1000, interval.end * 1000
    inside = [[at, _number(value)] for at, value in found if start <= at < end]
    return sorted(inside, key=operator.itemgetter(0))


def _pairs(
    spec: JsonHttpSpec, time_path: str, said: Any, search: _Search
) -> Iterable[tuple[Any, Any]]:
    if spec.points is None:
        times, values = search.found(time_path, said), search.found(spec.value, said)
        if len(times) != len(values):
            raise GarbageAnswer(f"json_http: {len(times)} times for {len(values)} values")
        return zip(times, values, strict=True)
    return [
        (search.one(time_path, point), search.one(spec.value, point))
        for point in search.found(spec.points, said)
    ]


class _Search:
    """The looking up of paths in one answer: of so many values together at most."""

    def __init__(self) -> None:
        self._visited = 0

    def one(self, path: str, point: Any) -> Any:
        """What a path finds in a point. Raises GarbageAnswer unless that is one thing."""
        found = self.found(path, point)
        if len(found) != 1:
            raise GarbageAnswer(f"json_http: {path} finds {len(found)} values in a point, not one")
        return found[0]

    def found(self, path: str, document: Any) -> list[Any]:
        """All that a path finds. Raises GarbageAnswer if that is too much."""
        if isinstance(document, str):  # which the library would take for JSON and parse
            return [document] if path == "$" else []
        try:
            nodes = _PATHS.finditer("$", document)
            for segment in _compiled(path):
                nodes = self._counted(segment.resolve(nodes))
            found = [node.value for node in itertools.islice(nodes, _NODES + 1)]
        except (jsonpath.JSONPathError, RecursionError) as error:
            raise GarbageAnswer(f"json_http: {path}: {type(error).__name__}") from None
        if len(found) > _NODES:
            raise GarbageAnswer(f"json_http: {path} finds more than {_NODES} values")
        return found

    def _counted(self, nodes: Iterable[jsonpath.JSONPathMatch]) -> Iterator[jsonpath.JSONPathMatch]:
        for node in nodes:
            self._visited += 1
            if self._visited > _VISITED:
                raise GarbageAnswer(f"json_http: the paths visit more than {_VISITED} values")
            yield node


def _check_size(said: Any) -> None:
    """Raise GarbageAnswer if there are so many values that a path would search for too long."""
    levels, seen = [[said]], 1
    while levels:
        for value in levels.pop():
            if isinstance(value, list | dict) and value:
                levels.append(list(value.values()) if isinstance(value, dict) else value)
                seen += len(value)
                if seen > _VISITED:
                    raise GarbageAnswer(f"json_http: more than {_VISITED} values in the answer")


def _number(value: Any) -> float | None:
    """A number, also one that is written as a text; null says that there is none."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return value if abs(value) < _ODDEST else float(value)
    raise GarbageAnswer(f"json_http: {described(value)} is no number")


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
    raise GarbageAnswer(f"json_http: {described(value)} is no time in {unit}")


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = datetime.resolution * 1000
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
