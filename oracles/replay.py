"""A CSV file instead of a monitoring service: for simulations, tests and disputes.

The file's SHA-256 stands in the signed specification, so that both parties mean the same data.
`load` reads such a file for whoever needs the points themselves.
"""

from __future__ import annotations

import csv
import enum
import hashlib
import io
import math
import re
import threading
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, FilePath, StrictInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from oracles.base import (
    NOT_APPLICABLE,
    Absence,
    Answer,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
)
from oracles.errors import BadRequest, GarbageAnswer, MonitoringError, Unavailable
from oracles.series import SeriesSpec, check_series, conclude_series
from oracles.time_zones import time_zone as iana_zone
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

LARGEST_FILE: Final = 256 * 1_048_576
"""Bytes; a year of one point a second."""
_LATEST: Final = 253_402_300_800
"""UNIX second of the year 10000: what comes later was not meant in seconds."""
_SECONDS: Final = re.compile(r"\d{1,18}(\.\d{1,9})?")
_NUMBER: Final = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?")
_ABSENT: Final = {str(absence.value): absence for absence in Absence}
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = datetime.resolution * 1000


class _Mark(enum.IntEnum):
    VALUE = 0
    NO_DATA = 1
    NOT_APPLICABLE = 2


_MARKS: Final = {Absence.NO_DATA: _Mark.NO_DATA, Absence.NOT_APPLICABLE: _Mark.NOT_APPLICABLE}
_ABSENCES: Final = {mark: absence for absence, mark in _MARKS.items()}


@dataclass(frozen=True)
class Samples:
    """The points of one file, by time. Made by `load`.

    `times` are UNIX milliseconds, ascending, none twice; `values` stand beside them. Where `marks`
    is not 0, there is no value but an absence.
    """

    sha256: str
    times: array[int]
    values: array[float]
    marks: bytearray

    def __len__(self) -> int:
        return len(self.times)

    def between(self, start: int, end: int) -> Iterator[tuple[int, float | Absence]]:
        """(UNIX ms, value or absence) of all points with start <= time < end, in UNIX seconds."""
        first = bisect_left(self.times, start * 1000)
        for place in range(first, bisect_left(self.times, end * 1000, first)):
            mark = self.marks[place]
            said = self.values[place] if not mark else _ABSENCES[_Mark(mark)]
            yield self.times[place], said


def load(path: Path, time_zone: str | None = None) -> Samples:
    """Read a CSV file of (time, value). See docs/oracles/replay.md for what it may hold.

    Times without a zone of their own are those of `time_zone` (Europe/Berlin). Raises BadRequest,
    naming the line, for what cannot be understood; Unavailable if the file cannot be read.
    """
    content = _content(path)
    rows = csv.reader(io.StringIO(_text(content, path), newline=""), strict=True)
    times, values, marks = array("q"), array("d"), bytearray()
    try:
        for at, value, mark in _points(rows, _moments(time_zone)):
            times.append(at)
            values.append(value)
            marks.append(mark)
    except (csv.Error, ValueError) as error:
        raise BadRequest(f"{path}, line {rows.line_num}: {error}") from None
    return Samples(hashlib.sha256(content).hexdigest(), times, values, marks)


def _points(
    rows: Iterable[list[str]], moment: Callable[[str], int]
) -> Iterator[tuple[int, float, int]]:
    """(UNIX ms, value, mark) of each line. Raises ValueError."""
    latest = -1
    for place, row in enumerate(rows):
        if not row or (place == 0 and _is_header(row)):
            continue
        if len(row) != 2:
            raise ValueError(f"{len(row)} columns; allowed: time,value")
        at = moment(row[0].strip())
        if at <= latest:
            raise ValueError(f"{row[0].strip()} does not come after the line before")
        latest = at
        yield at, *_value(row[1].strip())


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Unavailable(f"cannot read {path} ({error.strerror})") from None
    if len(content) > LARGEST_FILE:
        raise BadRequest(f"{path} is larger than {LARGEST_FILE} bytes")
    return content


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRequest(f"{path}, line {line}: not UTF-8") from None


def _is_header(row: Sequence[str]) -> bool:
    """Whether a first line names its columns: a time has digits."""
    return len(row) == 2 and not any(sign.isdigit() for cell in row for sign in cell)


def _value(text: str) -> tuple[float, int]:
    if (absence := _ABSENT.get(text)) is not None:
        return 0.0, _MARKS[absence]
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        words = " or ".join(repr(word) for word in _ABSENT)
        raise ValueError(f"{text[:40]!r} is no number; without one write {words}")
    return number, _Mark.VALUE


def _moments(time_zone: str | None) -> Callable[[str], int]:
    """A function that makes UNIX milliseconds of a time as it is written. It raises ValueError."""
    zone = None if time_zone is None else iana_zone(time_zone)

    def moment(text: str) -> int:
        if _SECONDS.fullmatch(text):
            at = int(text) * 1000 if text.isdigit() else math.floor(Fraction(text) * 1000)
            if at >= _LATEST * 1000:
                raise ValueError(f"{text} is after the year 9999: not in seconds?")
            return at
        try:
            written = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text[:40]!r} is no time: UNIX seconds or RFC 3339") from None
        if written.tzinfo is None:
            written = _placed(written, zone)
        at = (written - _EPOCH) // _MILLISECOND
        if at < 0:
            raise ValueError(f"{text} is before 1970")
        return at

    return moment


def _placed(local: datetime, zone: ZoneInfo | None) -> datetime:
    """A time on the clocks of `zone`. Raises ValueError where these show it twice, or never."""
    if zone is None:
        raise ValueError(f"{local} has no zone: add Z or an offset, or agree on a time_zone")
    once, again = local.replace(tzinfo=zone), local.replace(tzinfo=zone, fold=1)
    if once.utcoffset() != again.utcoffset():
        exists = once.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
        how = "comes twice" if exists else "does not exist"
        raise ValueError(f"{local} {how} in {zone.key}, where clocks change: write the offset")
    return once


def _known_zone(name: str) -> str:
    iana_zone(name)
    return name


# --- The service ---------------------------------------------------------------------------------


class ReplaySpec(SeriesSpec):
    """Which file is read, and how. See docs/oracles/replay.md."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the whole file: `sha256sum FILE`."""
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    """Of times that are written without one."""


class ReplayOptions(Options):
    """Where the operator keeps the files."""

    files: tuple[FilePath, ...] = ()


@checked
class _Raw:
    points: list[tuple[StrictInt, Any]]


_RAW: Final = TypeAdapter(_Raw)


class Replay(MonitoringService[ReplaySpec, ReplayOptions]):
    """The numbers of a file: the document's metric says what they are."""

    name = "replay"
    METRICS: ClassVar[Mapping[str, Metric]] = METRICS
    SETTLE_DELAY = 0
    Spec = ReplaySpec
    Options = ReplayOptions

    def _prepare(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[tuple[str, str | None], Samples] = {}

    @classmethod
    def _check(cls, query: Query[ReplaySpec]) -> None:
        check_series(query)

    def _read(
        self, queries: Sequence[Query[ReplaySpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        return [self._one(query, interval) for query in queries]

    def _one(self, query: Query[ReplaySpec], interval: Interval) -> Reading | MonitoringError:
        try:
            samples = self._samples(query.spec)
            points = [
                [at, said.value if isinstance(said, Absence) else said]
                for at, said in samples.between(interval.start, interval.end)
            ]
            return self._reading(query, interval, {"points": points})
        except MonitoringError as error:
            return error

    @classmethod
    def conclude(cls, query: Query[ReplaySpec], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService and `conclude_series`. What was not applicable is not missing."""
        try:
            points = _RAW.validate_python(raw).points
        except ValidationError:
            raise GarbageAnswer("these are not the points of a file") from None
        absent = [_ABSENT.get(said) if isinstance(said, str) else None for _, said in points]
        excused = absent.count(NOT_APPLICABLE)
        needed = query.spec.needed(query.length)
        judged = [
            (at, None if absence else said)
            for (at, said), absence in zip(points, absent, strict=True)
        ]
        answer = conclude_series(
            query, interval, {"points": judged}, needed=max(1, needed - excused)
        )
        nothing_else = excused and excused == len(points) and excused >= needed
        return NOT_APPLICABLE if nothing_else else answer

    def _samples(self, spec: ReplaySpec) -> Samples:
        """The file of that hash, parsed once."""
        wanted = (spec.sha256, spec.time_zone)
        with self._lock:
            if wanted not in self._loaded:
                path = self._find(spec.sha256)
                samples = load(path, spec.time_zone)
                if samples.sha256 != spec.sha256:
                    raise Unavailable(f"{path} changes while it is read")
                self._loaded[wanted] = samples
            return self._loaded[wanted]

    def _find(self, sha256: str) -> Path:
        there = []
        for path in self._options.files:
            try:
                found = hashlib.sha256(_content(path)).hexdigest()
            except MonitoringError as error:
                there.append(str(error))
                continue
            if found == sha256:
                return path
            there.append(f"{path} has {found[:16]}...")
        raise BadRequest(
            f"replay: no file has the SHA-256 {sha256} that was agreed"
            f" ({'; '.join(there) or 'no files'}); name it in the options"
        )
