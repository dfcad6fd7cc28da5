"""From the shape of a document to terms that the contracts accept, or to the lines that prevent it.

The rules themselves are those of :mod:`relayer.protocol`. To tell which field breaks one, each field is put alone into
terms (a panel, a measurement) that are otherwise sound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from oracles import METRICS
from relayer.document import model, quantities
from relayer.document.sources import DataSource, descriptor, metric_of, problems_of, sources_of
from relayer.protocol.feed import Feed, FeedRef, Panel
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.terms import Combination, Level, Terms, Tier, UnknownPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from eth_typing import ChecksumAddress

    from oracles import Metric
    from relayer.yaml_lines import Location, Node, Problem

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
_SOUND_TERMS = Terms(
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


@dataclass(frozen=True, slots=True)
class BuiltLevel:
    """A level ready for the contracts, with what only the relayer needs."""

    name: str
    feed: Feed
    metric: Metric
    sources: Mapping[ChecksumAddress, DataSource]
    salt: bytes
    level: Level


class Findings:
    """Problems collected on the way, at their lines."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree
        self.problems: list[Problem] = []

    def add(self, location: Location, message: str | None, value: object = None) -> None:
        """Notes a message, if there is one, about ``value`` as it was written."""
        if message:
            shown = f'found "{value}"; ' if isinstance(value, str | int) else ""
            self.problems.append(self._tree.problem(location, shown + message))

    def read(self, location: Location, reader: Callable[..., int], *arguments: Any) -> int | None:
        """What ``reader`` makes of the arguments; None, and a problem, if it refuses."""
        try:
            return reader(*arguments)
        except ValueError as error:
            self.add(location, str(error), arguments[0])
            return None


def build_level(
    level: model.LevelModel,
    at: Location,
    term: model.Term | None,
    salt: bytes,
    findings: Findings,
    *,
    adapters: bool,
) -> BuiltLevel | None:
    """A level for the contracts; None if problems were found. Without a term only what stands alone is checked."""
    before = len(findings.problems)
    metric, faults = metric_of(level.indicator, adapters=adapters)
    for below, message in faults:
        findings.add((*at, "indicator", *below), message)
    _check_sources(level, at, term, metric, findings, adapters=adapters)
    panel = _panel(level, at, metric, findings)
    threshold = 0
    if metric:
        place: Location = (*at, "objective", "value")
        read = findings.read(place, quantities.in_unit, level.objective.value, metric.unit)
        threshold = read or 0
        if threshold > metric.largest:
            findings.add(place, f"{metric.name} is at most {metric.largest} {metric.unit.name}")
    measurement = _measurement(level, at, term, threshold, findings)
    tiers = tuple(_tier(tier) for tier in level.tiers)
    if len(findings.problems) > before or metric is None or measurement is None:
        return None
    sources = sources_of(level.indicator, level.reporters)
    own_salt = level.salt or keccak(salt + level.name.encode())
    feed = Feed(panel, measurement, descriptor(own_salt, metric, sources))
    agreed = Level(
        feed.ref,
        tiers,
        level.credit_per_bad_interval,
        level.not_applicable == "removed",
    )
    _check_schedule(level, at, agreed, term.start if term else measurement.start, findings)
    if len(findings.problems) > before:
        return None
    return BuiltLevel(level.name, feed, metric, sources, own_salt, agreed)


def build_terms(
    document: model.DocumentModel,
    levels: list[BuiltLevel],
    document_hash: bytes,
    findings: Findings,
) -> Terms | None:
    """Terms for the contracts; None if problems were found."""
    spec = document.spec
    before = len(findings.problems)
    fee_at: Location = ("spec", "money", "feePerWindow")
    fee = findings.read(
        fee_at, quantities.amount, spec.money.fee_per_window, spec.settlement.decimals
    )
    start = spec.term.start
    open_by = start if spec.term.open_by is None else spec.term.open_by
    terms = replace(
        _SOUND_TERMS,
        provider=spec.parties.provider,
        consumer=spec.parties.consumer,
        token=spec.settlement.token,
        oracle=spec.settlement.oracle,
        start=start,
        open_by=open_by,
        fee_per_window=1 if fee is None else fee,
        windows=spec.term.windows,
        prepaid_windows=spec.term.prepaid_windows,
        levels=tuple(built.level for built in levels),
        combination=model.COMBINATIONS[spec.credits.combine],
        credit_cap=spec.credits.cap,
        unknown_policy=model.UNKNOWN_POLICIES[spec.unknown.count_as],
        unknown_limit=spec.unknown.max_share,
        unknown_credit=spec.unknown.credit,
        document=document_hash,
        salt=spec.salt,
    )
    alone: tuple[tuple[Location, tuple[str, ...]], ...] = (
        (("parties", "consumer"), ("provider", "consumer")),
        (("term", "windows"), ("windows", "prepaid_windows")),
        (("money", "feePerWindow"), ("fee_per_window",)),
        (("credits", "cap"), ("credit_cap",)),
        (("unknown", "maxShare"), ("unknown_limit",)),
        (("unknown", "credit"), ("unknown_credit",)),
    )
    for place, fields in alone:
        changed: dict[str, Any] = {name: getattr(terms, name) for name in fields}
        if "prepaid_windows" in changed:
            changed["prepaid_windows"] = 0
        written = changed.get("windows")
        findings.add(("spec", *place), replace(_SOUND_TERMS, **changed).problem(), written)
    if open_by > start:
        when = replace(_SOUND_TERMS, open_by=1).problem()
        findings.add(("spec", "term", "openBy"), when)
    if 1 <= terms.windows < 1 << 16:
        prepaid = replace(
            _SOUND_TERMS, windows=terms.windows, prepaid_windows=terms.prepaid_windows
        )
        findings.add(("spec", "term", "prepaidWindows"), prepaid.problem())
    if len(findings.problems) == before:
        findings.add(("spec",), terms.problem())
    return terms if len(findings.problems) == before else None


def check_names(levels: list[model.LevelModel], findings: Findings) -> None:
    """Levels are told apart by name."""
    seen: dict[str, int] = {}
    for number, level in enumerate(levels):
        if level.name in seen:
            place: Location = ("spec", "levels", number, "name")
            findings.add(place, f'levels[{seen[level.name]}] is called "{level.name}" already')
        seen.setdefault(level.name, number)


def notices_of(level: model.LevelModel, metric: Metric) -> Iterator[str]:
    """What is allowed, and probably not meant."""
    comparison = model.OPERATORS[level.objective.op]
    higher = comparison in (Comparison.MORE_THAN, Comparison.AT_LEAST)
    lower = comparison in (Comparison.LESS_THAN, Comparison.AT_MOST)
    if (metric.better == "higher" and lower) or (metric.better == "lower" and higher):
        yield (
            f"{level.name}: {metric.name} is good when it is {metric.better}, "
            f'but the objective is "{level.objective.op} {level.objective.value}"'
        )
    if metric.name not in METRICS:
        yield f"{level.name}: the metric {metric.name} is an adapter's own, not a common one"


def _check_sources(
    level: model.LevelModel,
    at: Location,
    term: model.Term | None,
    metric: Metric | None,
    findings: Findings,
    *,
    adapters: bool,
) -> None:
    if metric is None:
        return  # said already, and then no source can be asked for it
    first = level.start if level.start is not None else term.start if term else 0
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


def _panel(
    level: model.LevelModel, at: Location, metric: Metric | None, findings: Findings
) -> Panel:
    keys = [reporter.key for reporter in level.reporters.keys]
    quorum, place = level.reporters.quorum, (*at, "reporters")
    twice = [number for number, key in enumerate(keys) if key in keys[:number]]
    for number in twice:
        findings.add((*place, "keys", number), "this reporter is listed already")
    panel = Panel(tuple(sorted(keys, key=lambda key: int(key, 16))), quorum)
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
    term: model.Term | None,
    threshold: int,
    findings: Findings,
) -> Measurement | None:
    """The level's times; the window is only known with the term."""
    before = len(findings.problems)
    start = level.start if level.start is not None else term.start if term else 0
    timed = replace(
        _SOUND_MEASUREMENT,
        settle_delay=level.settle_delay,
        deadline=level.report_deadline,
        cadence=level.report_every,
    )
    alone: tuple[tuple[str, dict[str, Any]], ...] = (
        ("interval", {"interval": level.interval}),
        ("settleDelay", {"settle_delay": level.settle_delay}),
        ("reportEvery", {"cadence": level.report_every}),
        ("reportDeadline", {"deadline": level.report_deadline}),
    )
    for name, changes in alone:
        findings.add((*at, name), replace(_SOUND_MEASUREMENT, **changes).problem())
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


def _check_schedule(
    level: model.LevelModel, at: Location, agreed: Level, start: int, findings: Findings
) -> None:
    """Whether the level fits the agreement's start, and each tier is possible."""

    def alone(tiers: tuple[Tier, ...], per_bad: int) -> str | None:
        changed = replace(agreed, tiers=tiers, credit_per_bad_interval=per_bad)
        terms = replace(_SOUND_TERMS, start=start, open_by=start, levels=(changed,))
        problem = terms.problem()
        return problem.split(": ", 1)[1] if problem else None

    if problem := alone((), 1):
        findings.add((*at, "start"), problem)
        return
    for number, (tier, written) in enumerate(zip(agreed.tiers, level.tiers, strict=True)):
        place: Location = (*at, "tiers", number)
        for field, changed in (
            (written.condition[2], replace(tier, credit=1)),
            ("credit", replace(tier, limit=1)),
        ):
            if problem := alone((changed,), 0):
                findings.add((*place, field), problem.split(": ", 1)[1])
    if not agreed.tiers and not agreed.credit_per_bad_interval:
        findings.add(at, alone((), 0))


def _tier(tier: model.TierModel) -> Tier:
    measure, limit, _ = tier.condition
    return Tier(measure, limit, tier.credit)


_SOUND_REPORTER = (_SOUND_TERMS.provider,)
