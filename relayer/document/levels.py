"""From a service level as it is written to one for the contracts, or to the lines that prevent it.

The rules themselves are those of :mod:`relayer.protocol`. To tell which field breaks one, each field is put alone into
a panel, a measurement, a scope or terms that are otherwise sound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from oracles import METRICS
from relayer.document import model, quantities
from relayer.document.own_network import asked_inside
from relayer.document.sources import DataSource, descriptor, metric_of, problems_of, sources_of
from relayer.protocol.feed import Feed, FeedRef, Panel, parties_hash
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.scope import ALL, Scope
from relayer.protocol.terms import Combination, Level, Measure, Terms, Tier, UnknownPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eth_typing import ChecksumAddress

    from oracles import Metric
    from relayer.document.findings import Findings
    from relayer.yaml_lines import Location

_SOUND_MEASUREMENT = Measurement(
    start=0,
    interval=1,
    window_intervals=1,
    settle_delay=0,
    deadline=30 * 86_400,
    cadence=0,
    comparison=Comparison.AT_LEAST,
    threshold=0,
)
SOUND_TERMS = Terms(
    provider=to_checksum_address("0x" + "01" * 20),
    consumer=to_checksum_address("0x" + "02" * 20),
    token=to_checksum_address("0x" + "03" * 20),
    oracle=to_checksum_address("0x" + "04" * 20),
    start=0,
    open_by=0,
    fee_per_window=1 << 64,  # so that a share of it is something, too
    windows=1,
    prepaid_windows=1,
    levels=(Level(FeedRef(b"", _SOUND_MEASUREMENT, b""), (), credit_per_bad_interval=1),),
    combination=Combination.WORST,
    credit_cap=1,
    unknown_policy=UnknownPolicy.GOOD,
    unknown_limit=0,
    unknown_credit=0,
    document=b"",
    salt=b"",
)


_SOUND_REPORTER = (SOUND_TERMS.provider,)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a level needs of the rest of the document.

    :param term: None if what is written of it is wrong: then only what stands alone is checked.
    :param parties: Provider and consumer, who sign exclusions.
    :param bonded: Whether a bond pays credits that are larger than the fee.
    """

    term: model.Term | None
    salt: bytes = b""
    parties: tuple[ChecksumAddress, ...] = ()
    bonded: bool = False

    def start_of(self, level: model.LevelModel) -> int:
        """Begin of the level's feed [s, UNIX time]."""
        if level.start is not None:
            return level.start
        return self.term.start if self.term else 0


@dataclass(frozen=True, slots=True)
class BuiltLevel:
    """A level ready for the contracts, with what only the relayer needs."""

    name: str
    feed: Feed
    metric: Metric
    sources: Mapping[ChecksumAddress, DataSource]
    salt: bytes
    level: Level


def build_level(
    level: model.LevelModel, at: Location, frame: Frame, findings: Findings, *, adapters: bool
) -> BuiltLevel | None:
    """A level for the contracts; None if problems were found."""
    before = len(findings.problems)
    if level.occurrences:
        findings.add((*at, "occurrences"), "only an OpenSLO SLO counts occurrences: remove it")
    metric, faults = metric_of(level.indicator, adapters=adapters)
    for below, message in faults:
        findings.add((*at, "indicator", *below), message)
    if metric:  # otherwise no source can be asked for it, and no value be read
        _check_sources(level, at, frame, metric, findings, adapters=adapters)
    panel = _panel(level, at, metric, frame, findings)
    threshold = _value(level.objective.value, (*at, "objective", "value"), metric, findings)
    measurement = _measurement(level, at, frame, threshold, findings)
    tiers = tuple(_tiers(level, at, metric, findings))
    scope = _scope(level, at, metric, measurement, findings)
    if len(findings.problems) > before or metric is None or measurement is None:
        return None
    sources = sources_of(level.indicator, level.reporters)
    own_salt = level.salt or keccak(frame.salt + level.name.encode())
    feed = Feed(panel, measurement, descriptor(own_salt, metric, sources), scope)
    agreed = Level(
        feed.ref,
        tiers,
        level.credit_per_bad_interval,
        level.not_applicable == "removed",
    )
    _check_schedule(level, at, agreed, frame, findings)
    if len(findings.problems) > before:
        return None
    return BuiltLevel(level.name, feed, metric, sources, own_salt, agreed)


def notices_of(level: model.LevelModel, built: BuiltLevel) -> Iterator[str]:
    """What is allowed, and probably not meant."""
    metric, measurement, scope = built.metric, built.feed.measurement, built.feed.scope
    higher = measurement.comparison in (Comparison.MORE_THAN, Comparison.AT_LEAST)
    lower = measurement.comparison in (Comparison.LESS_THAN, Comparison.AT_MOST)
    if (metric.better == "higher" and lower) or (metric.better == "lower" and higher):
        yield (
            f"{level.name}: {metric.name} is good when it is {metric.better}, "
            f'but the objective is "{level.objective.op} {level.objective.value}"'
        )
    for source, host in _asked_inside(built):
        yield (
            f"{level.name}: {source} asks {host}, which is inside the reporter's own network: "
            "only reporters whose allowed_networks name it do so"
        )
    if metric.name not in METRICS:
        yield f"{level.name}: the metric {metric.name} is an adapter's own, not a common one"
    if not scope.has_range:
        return
    if (scope.best > scope.worst) != (metric.better == "higher"):
        yield f"{level.name}: {metric.name} is good when it is {metric.better}, but the range says the opposite"
    if measurement.is_good(scope.best) == measurement.is_good(scope.worst):
        verdict = "good" if measurement.is_good(scope.best) else "bad"
        yield f"{level.name}: values are clamped to the range before they are judged, so every interval is {verdict}"


def _asked_inside(built: BuiltLevel) -> list[tuple[str, str]]:
    """Services, and hosts inside the reporters' networks that they ask; each once."""
    asked = [
        (source.type, host)
        for source in built.sources.values()
        for host in asked_inside(source.spec)
    ]
    return list(dict.fromkeys(asked))


def _check_sources(
    level: model.LevelModel,
    at: Location,
    frame: Frame,
    metric: Metric,
    findings: Findings,
    *,
    adapters: bool,
) -> None:
    first = frame.start_of(level)
    own = [
        (("reporters", "keys", number, "dataSource"), reporter.data_source)
        for number, reporter in enumerate(level.reporters.keys)
        if reporter.data_source
    ]
    places: list[tuple[Location, model.DataSource]] = [
        (("indicator", "dataSource"), level.indicator.data_source),
        *own,
    ]
    for place, source in places:
        faults = problems_of(source, metric, first, max(1, level.interval), adapters=adapters)
        for below, message in faults:
            findings.add((*at, *place, *below), message)


def _value(written: str | int, place: Location, metric: Metric | None, findings: Findings) -> int:
    """Steps of the metric's unit in what is written; 0, and a problem, if it is no value of the metric."""
    if metric is None:
        return 0
    steps = findings.read(place, quantities.in_unit, written, metric.unit) or 0
    if steps > metric.largest:
        findings.add(place, f"{metric.name} is at most {metric.largest} {metric.unit.name}")
    return steps


def _panel(
    level: model.LevelModel,
    at: Location,
    metric: Metric | None,
    frame: Frame,
    findings: Findings,
) -> Panel:
    keys = [reporter.key for reporter in level.reporters.keys]
    quorum, place = level.reporters.quorum, (*at, "reporters")
    twice = [number for number, key in enumerate(keys) if key in keys[:number]]
    for number in twice:
        findings.add((*place, "keys", number), "this reporter is listed already")
    parties = frame.parties if level.exclusions else ()
    panel = Panel(
        tuple(sorted(keys, key=lambda key: int(key, 16))), quorum, parties=parties_hash(parties)
    )
    usual = 1 if len(keys) == 1 else len(keys) // 2 + 1
    if twice:
        pass
    elif problem := replace(panel, quorum=usual).problem():
        findings.add((*place, "keys"), problem)
    else:
        findings.add((*place, "quorum"), panel.problem())
    if metric is None:
        return panel
    tolerance_at: Location = (*place, "tolerance")
    tolerance = findings.read(
        tolerance_at, quantities.in_unit, level.reporters.tolerance, metric.unit
    )
    panel = replace(panel, tolerance=tolerance or 0)
    alone = Panel(_SOUND_REPORTER, 1, panel.tolerance)
    findings.add(tolerance_at, alone.problem(), level.reporters.tolerance)
    return panel


def _measurement(
    level: model.LevelModel,
    at: Location,
    frame: Frame,
    threshold: int,
    findings: Findings,
) -> Measurement | None:
    """The level's times; the window is only known with the term."""
    before = len(findings.problems)
    term, start = frame.term, frame.start_of(level)
    notice = level.exclusions.notice if level.exclusions else 0
    timed = replace(
        _SOUND_MEASUREMENT,
        settle_delay=level.settle_delay,
        deadline=level.report_deadline,
        cadence=level.report_every,
        notice=notice,
    )
    alone: tuple[tuple[str, dict[str, Any]], ...] = (
        ("interval", {"interval": level.interval}),
        ("settleDelay", {"settle_delay": level.settle_delay}),
        ("reportEvery", {"cadence": level.report_every}),
        ("reportDeadline", {"deadline": level.report_deadline}),
        ("exclusions.notice", {"notice": notice}),
    )
    for name, changes in alone:
        findings.add((*at, *name.split(".")), replace(_SOUND_MEASUREMENT, **changes).problem())
    if len(findings.problems) == before:
        findings.add((*at, "reportDeadline"), timed.problem())
    if term is None or len(findings.problems) > before:
        return None
    count, rest = divmod(term.window, level.interval)
    window = replace(timed, interval=level.interval, window_intervals=count)
    window_at: Location = ("spec", "term", "window")
    if not term.window:
        _check_months(level, at, replace(window, start=start), findings)
    elif rest:
        interval = quantities.show_duration(level.interval)
        findings.add(
            window_at,
            f"the window is not a whole number of intervals of {interval} ({level.name})",
            quantities.show_duration(term.window),
        )
    else:
        findings.add(window_at, window.problem())
    if len(findings.problems) > before:
        return None
    return replace(
        window,
        start=start,
        comparison=model.OPERATORS[level.objective.op],
        threshold=threshold,
    )


def _check_months(
    level: model.LevelModel, at: Location, window: Measurement, findings: Findings
) -> None:
    """Whether intervals fit the days of months, from the feed's start on."""
    if problem := replace(window, start=0).problem():
        findings.add((*at, "interval"), problem, quantities.show_duration(level.interval))
    else:
        own: Location = (*at, "start")
        place = ("spec", "term", "start") if level.start is None else own
        findings.add(place, window.problem(), quantities.show_time(window.start))


def _scope(
    level: model.LevelModel,
    at: Location,
    metric: Metric | None,
    measurement: Measurement | None,
    findings: Findings,
) -> Scope:
    """What of the level is judged. Without its times only what stands alone is checked."""
    scope = ALL
    if level.range and metric:
        place: Location = (*at, "range")
        before = len(findings.problems)
        scope = Scope(
            best=_value(level.range.best, (*place, "best"), metric, findings),
            worst=_value(level.range.worst, (*place, "worst"), metric, findings),
        )
        if len(findings.problems) == before:
            # Both 0 would mean "no range", which is said by leaving the field out.
            same = "best and worst value must differ" if not scope.has_range else None
            findings.add(place, same or scope.problem(_SOUND_MEASUREMENT))
    for bits in level.hours_off:
        scope = replace(scope, hours_off=scope.hours_off | bits)
    if scope.hours_off:
        alone = Scope(hours_off=scope.hours_off)
        timed = replace(_SOUND_MEASUREMENT, interval=3_600)
        problem = alone.problem(timed)
        if measurement and not problem:
            problem = alone.problem(measurement)
        findings.add((*at, "hoursOff"), problem)
    if level.exclusions and level.interval:
        scope = replace(scope, allowance=_allowance(level, at, measurement, findings))
    return scope


def _allowance(
    level: model.LevelModel, at: Location, measurement: Measurement | None, findings: Findings
) -> int:
    """How many intervals of a window may be excluded."""
    written = level.exclusions.allowance if level.exclusions else 0
    count, rest = divmod(written, level.interval)
    place: Location = (*at, "exclusions", "allowance")
    shown = quantities.show_duration(written)
    if rest or not count:
        interval = quantities.show_duration(level.interval)
        message = f"write a whole number of intervals of {interval}, at least one"
        findings.add(place, message, shown)
        return 0
    if measurement and count > measurement.most_window_intervals:
        findings.add(place, "a window is not that long", shown)
    return count


def _tiers(
    level: model.LevelModel, at: Location, metric: Metric | None, findings: Findings
) -> Iterator[Tier]:
    for number, tier in enumerate(level.tiers):
        limit = tier.limit
        if tier.measure is Measure.AVERAGE_BEYOND:
            place: Location = (*at, "tiers", number, tier.field)
            if level.range is None:
                missing = "an average needs a best and a worst value: add range: {best: …, worst: …} to the level"
                findings.add(place, missing)
            limit = _value(limit, place, metric, findings)
        yield Tier(tier.measure, int(limit), tier.credit)


def _check_schedule(
    level: model.LevelModel, at: Location, agreed: Level, frame: Frame, findings: Findings
) -> None:
    """Whether the level fits the agreement's start, and each tier is possible."""
    start = frame.term.start if frame.term else agreed.feed.measurement.start

    def alone(tiers: tuple[Tier, ...], per_bad: int) -> str | None:
        changed = replace(agreed, tiers=tiers, credit_per_bad_interval=per_bad)
        terms = replace(
            sound_terms(bonded=frame.bonded), start=start, open_by=start, levels=(changed,)
        )
        problem = terms.problem()
        return with_advice(problem.split(": ", 1)[1]) if problem else None

    if problem := alone((), 1):
        findings.add((*at, "start"), problem)
        return
    for number, (tier, written) in enumerate(zip(agreed.tiers, level.tiers, strict=True)):
        place: Location = (*at, "tiers", number)
        average = tier.measure is Measure.AVERAGE_BEYOND
        possible = agreed.feed.scope.best if average else 1
        for field, changed in (
            (written.field, replace(tier, credit=1)),
            ("credit", replace(tier, limit=possible)),
        ):
            if problem := alone((changed,), 0):
                shown = problem.split(": ", 1)[1]
                if average and shown.startswith("the limit must"):
                    shown = f"the limit must lie between {_shown(level.range)}"
                value = written.limit if average and field == written.field else None
                findings.add((*place, field), shown, value)
    if not agreed.tiers:
        place = (*at, "creditPerBadInterval") if agreed.credit_per_bad_interval else at
        findings.add(place, alone((), agreed.credit_per_bad_interval))
    elif agreed.credit_per_bad_interval:
        findings.add((*at, "creditPerBadInterval"), alone((), agreed.credit_per_bad_interval))


def _shown(values: model.ValueRange | None) -> str:
    return f"{values.best} (best) and {values.worst} (worst)" if values else ""


def sound_terms(*, bonded: bool) -> Terms:
    """Terms without a fault, in which a field is tried alone."""
    return replace(SOUND_TERMS, bond=1, prepaid_windows=0) if bonded else SOUND_TERMS


def with_advice(problem: str) -> str:
    """A rule about credits, with the way to larger ones where there is one."""
    if "credit" in problem and problem.endswith("at most 100 %"):
        return f"{problem}; what is beyond the fee needs a bond (spec.money.bond)"
    return problem
