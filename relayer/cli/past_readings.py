"""From the options of `makegood sla simulate` to the course of an agreement: whose readings, of which time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oracles import METRICS, Metric, MonitoringError, load
from oracles.composite import keeps_history
from relayer.document import quantities
from relayer.errors import ConfigurationError
from relayer.names import nearest
from relayer.protocol import calendar_months
from relayer.protocol.measurement import Comparison
from relayer.protocol.tally import Exclusion
from relayer.simulation import Past, csv_file, dates, run
from relayer.simulation.past import Reader, agreed_past
from relayer.simulation.service import historian, read_history

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oracles import Query
    from relayer.cli.session import Session
    from relayer.document import AgreedLevel, DataSource, Document
    from relayer.protocol.feed import Feed
    from relayer.protocol.measurement import Measurement
    from relayer.protocol.terms import Terms
    from relayer.simulation import Course

_DAY = 86_400
_PERFECT = "good"


@dataclass(frozen=True)
class Wanted:
    """The options, as they were given."""

    data: Sequence[str] = ()
    units: Sequence[str] = ()
    months: int | None = None
    days: int | None = None
    reporter: str | None = None
    as_of: str | None = None
    excluded: Sequence[str] = ()


def course_of(session: Session, document: Document, wanted: Wanted) -> Course:
    """The simulation that the options describe."""
    ways = [bool(wanted.data), wanted.months is not None, wanted.days is not None]
    if sum(ways) != 1:
        raise ConfigurationError(
            "name the readings in one way: --data, --months or --days",
            hint=f"--data {document.levels[0].name}=readings.csv, or --months 1",
        )
    if wanted.data and wanted.reporter:
        raise ConfigurationError(
            "--reporter is for readings from the services, not for --data",
            hint="bring only the file of this reporter",
        )
    if wanted.data:
        terms, pasts = _from_files(session, document, wanted)
    else:
        terms, pasts = _from_services(session, document, wanted)
    exclusions = [
        _exclusions(terms, number, level.name, wanted.excluded)
        for number, level in enumerate(document.levels)
    ]
    course = run(terms, pasts, exclusions)
    if not course.windows:
        raise ConfigurationError(
            f"there is no reading of any interval from {quantities.show_time(terms.start)} on",
            hint="intervals count once they are over and the service has settled",
        )
    return course


# --- Files -----------------------------------------------------------------------------------------


def _from_files(session: Session, document: Document, wanted: Wanted) -> tuple[Terms, list[Past]]:
    files = _files(document, wanted.data)
    readers = {
        level.name: [
            csv_file.load(path, _metric(level), unit=_unit(document, level, wanted.units))
            for path in files[level.name]
        ]
        for level in document.levels
    }
    every = [reader for of_level in readers.values() for reader in of_level]
    first = min(min(reader.times) for reader in every)
    latest = max(every, key=lambda reader: max(reader.times))
    last = max(latest.times)
    terms = _dated(session, document, wanted.as_of, first, last, name=latest.name)
    pasts = []
    for number, (level, agreed) in enumerate(zip(document.levels, terms.levels, strict=True)):
        measurement, scope = agreed.feed.measurement, agreed.feed.scope
        begin = measurement.window_begin(terms.feed_window(number, 0))
        if readers[level.name]:
            past = agreed_past(
                readers[level.name], level.feed.panel, measurement, scope, first=begin
            )
        else:
            end = (last - measurement.start) // measurement.interval + 1
            past = Past(begin, [_perfect(level.feed)] * max(0, end - begin))
        pasts.append(past)
    _tell_gaps(session, document, pasts)
    return terms, pasts


def _files(document: Document, data: Sequence[str]) -> Mapping[str, list[Path]]:
    """The files of each level; none for one of which it was said that nothing happened."""
    names = [level.name for level in document.levels]
    found: dict[str, list[Path]] = {}
    for text in data:
        name, sign, value = text.partition("=")
        if not sign:
            if len(names) > 1:
                raise ConfigurationError(
                    f"--data {text}: of which level?", hint=f"--data {names[0]}={text}"
                )
            name, value = names[0], text
        if name not in names:
            raise ConfigurationError(
                f'--data {text}: there is no level "{name}"; {nearest(name, names)}'
            )
        files = found.setdefault(name, [])
        if value != _PERFECT:
            files.append(Path(value))
    missing = [name for name in names if name not in found]
    if missing:
        raise ConfigurationError(
            f"no readings of {' and '.join(missing)} were given",
            hint=f"--data {missing[0]}={_PERFECT} takes it as perfect",
        )
    if not any(found.values()):
        raise ConfigurationError("without any readings there is no time to simulate")
    return found


def _unit(document: Document, level: AgreedLevel, units: Sequence[str]) -> str | None:
    names = {one.name for one in document.levels}
    chosen = None
    for text in units:
        name, sign, unit = text.partition("=")
        if not sign:
            chosen = chosen or text
        elif name not in names:
            raise ConfigurationError(
                f'--unit {text}: there is no level "{name}"; {nearest(name, names)}'
            )
        elif name == level.name:
            return unit
    return chosen


def _metric(level: AgreedLevel) -> Metric:
    common = METRICS.get(level.metric)
    if common is not None and common.unit == level.unit:
        return common
    return load(next(iter(level.sources.values())).type).METRICS[level.metric]


def _perfect(feed: Feed) -> int:
    """A value that keeps the promise, and is the best of its range."""
    measurement, scope = feed.measurement, feed.scope
    if scope.has_range:
        return scope.best
    threshold = measurement.threshold
    match measurement.comparison:
        case Comparison.MORE_THAN | Comparison.NOT_EQUAL_TO:
            return threshold + 1
        case Comparison.LESS_THAN:
            return max(0, threshold - 1)
        case _:
            return threshold


def _tell_gaps(session: Session, document: Document, pasts: Sequence[Past]) -> None:
    for level, past in zip(document.levels, pasts, strict=True):
        silent = sum(code is None for code in past.codes)
        if silent:
            session.output.note(
                f"note: {level.name}: {silent:,} of {len(past.codes):,} intervals have no agreed reading: unknown"
            )


# --- Monitoring services ---------------------------------------------------------------------------


def _from_services(
    session: Session, document: Document, wanted: Wanted
) -> tuple[Terms, list[Past]]:
    now = int(time.time())
    start = _since(now, wanted)
    as_of = wanted.as_of or quantities.show_time(start)
    terms = _dated(session, document, as_of, start, now, name="what services know")
    return terms, [
        _read_level(session, level, terms, number, now=now, reporter=wanted.reporter)
        for number, level in enumerate(document.levels)
    ]


def _since(now: int, wanted: Wanted) -> int:
    if wanted.months is not None:
        return calendar_months.start_of(calendar_months.month_of(now) - wanted.months)
    return (now // _DAY - (wanted.days or 0)) * _DAY


def _read_level(
    session: Session,
    level: AgreedLevel,
    terms: Terms,
    number: int,
    *,
    now: int,
    reporter: str | None,
) -> Past:
    agreed = terms.levels[number]
    measurement = agreed.feed.measurement
    begin = measurement.window_begin(terms.feed_window(number, 0))
    chosen = [level.source_for(reporter)] if reporter else list(level.sources.values())
    read: list[tuple[DataSource, Reader]] = []
    for source in chosen:
        known = next((reader for other, reader in read if other == source), None)
        if known is not None:
            read.append((source, known))
            continue
        query = _query(level, source, measurement)
        if keeps_history(query):
            found = _read_source(session, level, query, measurement, begin=begin, now=now)
            read.append((source, found))
        else:
            session.output.note(
                f"note: {level.name}: {source.type} keeps no history, and is left out"
            )
    if not read:
        raise ConfigurationError(
            f"no monitoring service of {level.name} keeps a history", hint="bring a file: --data"
        )
    readers = [reader for _, reader in read]
    if len(readers) < level.feed.panel.quorum:
        readers = readers[:1]  # stands for all
        session.output.note(f"note: {level.name}: the readings of {readers[0].name} stand for all")
    return agreed_past(readers, level.feed.panel, measurement, agreed.feed.scope, first=begin)


def _query(level: AgreedLevel, source: DataSource, measurement: Measurement) -> Query[Any]:
    try:
        return load(source.type).query(
            source.spec, level.metric, first=measurement.start, length=measurement.interval
        )
    except MonitoringError as error:
        raise ConfigurationError(f"{level.name}: {error}") from error


def _read_source(
    session: Session,
    level: AgreedLevel,
    query: Query[Any],
    measurement: Measurement,
    *,
    begin: int,
    now: int,
) -> Reader:
    """The readings of one data source, from interval ``begin`` to the last one that is settled."""
    try:
        service = historian(query.source, session.config.sources)
        delay = max(measurement.settle_delay, service.delay(query))
    except MonitoringError as error:
        raise ConfigurationError(f"sources.{query.source}: {error}") from error
    numbers = range(begin, max(begin, (now - delay - measurement.start) // measurement.interval))
    try:
        with session.output.working(f"reading {len(numbers):,} intervals from {query.source}"):
            history = read_history(service, query, numbers)
    except ConfigurationError as error:
        raise ConfigurationError(f"{level.name}: {error.message}", hint=error.hint) from error
    finally:
        service.close()
    for reason, count in history.problems.items():
        session.output.warn(
            f"warning: {level.name}: {count:,} intervals are unknown, {query.source} could not be read: {reason}"
        )
    times = [measurement.start_of(one) for one in history.codes]
    return Reader(query.source, times, list(history.codes.values()))


# --- Times -----------------------------------------------------------------------------------------


def _dated(
    session: Session, document: Document, as_of: str | None, first: int, last: int, *, name: str
) -> Terms:
    """The document's terms if the readings are of its time, else the same from another time on.

    :param name: What has readings from ``first`` to ``last`` [s, UNIX time].
    """
    terms = document.terms
    if as_of is None and dates.holds(terms, first, last):
        return terms
    start = _time(as_of, "--as-of") if as_of else dates.natural_start(terms, first)
    if start > last:
        raise ConfigurationError(
            f"{name} ends {quantities.show_time(last)}, before --as-of {quantities.show_time(start)}"
        )
    moved = dates.begun_at(terms, start, last)
    if problem := moved.problem():
        raise ConfigurationError(
            f"the agreement cannot begin at {quantities.show_time(start)}: {problem}",
            hint="choose another moment with --as-of",
        )
    if start != terms.start:
        session.output.note(
            f"note: as if the agreement had begun on {quantities.show_time(start)} instead of {quantities.show_time(terms.start)}"
        )
    return moved


def _time(text: str, option: str) -> int:
    """A date, or a time in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f'{option} "{text}" is no date', hint="2026-06-01, or 2026-06-01T12:00:00Z"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _exclusions(terms: Terms, number: int, name: str, spans: Sequence[str]) -> list[Exclusion]:
    """Spans that both parties have excluded in time, in whole intervals of the level."""
    level = terms.levels[number]
    measurement, scope = level.feed.measurement, level.feed.scope
    found = []
    for text in spans:
        begin, sign, end = text.partition("/")
        if not sign:
            raise ConfigurationError(
                f"--exclude {text} is no span", hint="2026-06-10T02:00:00Z/2026-06-10T04:00:00Z"
            )
        first, last = (_time(part, "--exclude") - measurement.start for part in (begin, end))
        if first % measurement.interval or last % measurement.interval or first >= last:
            raise ConfigurationError(
                f"--exclude {text} is not a span of whole intervals of {quantities.show_duration(measurement.interval)}"
            )
        found.append(Exclusion(first // measurement.interval, last // measurement.interval))
        if not scope.allowance:
            raise ConfigurationError(
                f"nothing can be excluded from {name}: the level has no exclusions",
                hint="write exclusions: {allowance: 4h, notice: 24h} into the level",
            )
    return found
