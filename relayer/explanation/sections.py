"""What is said about an agreement, section by section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relayer.document.hours import show_hours
from relayer.document.quantities import show_in_unit, show_share
from relayer.explanation import thresholds, words
from relayer.protocol.feed import NO_PARTIES
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.terms import (
    BPS,
    GRACE_SECONDS,
    NO_TERMS,
    NOBODY,
    PPM,
    Combination,
    Level,
    Measure,
    Tier,
    UnknownPolicy,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from relayer.document import AgreedLevel, DataSource, Document

_MINUTE = 60
_IS = {
    Comparison.LESS_THAN: "below",
    Comparison.AT_MOST: "at most",
    Comparison.MORE_THAN: "above",
    Comparison.AT_LEAST: "at least",
    Comparison.EQUAL_TO: "exactly",
    Comparison.NOT_EQUAL_TO: "anything but",
}


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A title and what is said under it: sentences, and tables between them."""

    title: str
    content: tuple[str | Table, ...]

    @classmethod
    def of(cls, title: str, content: Iterable[str | Table]) -> Section:
        parts = (words.sentence(part) if isinstance(part, str) else part for part in content)
        return cls(title, tuple(parts))

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "content": [
                part
                if isinstance(part, str)
                else {"columns": list(part.columns), "rows": [list(row) for row in part.rows]}
                for part in self.content
            ],
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """:param figures: The numbers behind the words: where each credit begins, and what examples cost."""

    title: str
    sections: tuple[Section, ...]
    figures: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "sections": [section.as_json() for section in self.sections],
            "figures": list(self.figures),
        }


def explain(document: Document, *, currency: str = "tokens") -> Explanation:
    """The document in plain English.

    :param currency: What people call the token.
    """
    speaker = _Speaker(document, currency)
    sections = (
        Section.of("Who", speaker.who()),
        Section.of("What is measured", speaker.measured()),
        Section.of("What is promised", speaker.promised()),
        Section.of("What a breach costs", speaker.costs()),
        Section.of("What happens when nobody knows", speaker.unknown()),
        Section.of("When money moves", speaker.money()),
        Section.of("How it ends", speaker.ends()),
        Section.of("What it does not cover", speaker.uncovered()),
    )
    return Explanation(document.name, sections, tuple(speaker.figures()))


class _Speaker:
    """Says what a document means. "You" is the consumer."""

    def __init__(self, document: Document, currency: str) -> None:
        self._document = document
        self._terms = document.terms
        self._currency = currency
        self._pairs = list(zip(document.levels, document.terms.levels, strict=True))
        self._shortest, self._longest = thresholds.windows_by_length(document.terms)

    # The sections.

    def who(self) -> Iterator[str]:
        terms, name = self._terms, self._document.name
        yield f'"{name}" is an agreement between the provider, {terms.provider}, and the consumer, {terms.consumer}, called you below.'
        yield (
            f"You pay {self._amount(terms.fee_per_window)} for each {self._window_noun}, for {words.plural(terms.windows, self._window_noun)}: "
            f"from {words.moment(terms.start)} to {words.moment(terms.window_start(terms.windows))}."
        )
        if terms.fee_of(0) != terms.fee_per_window:
            yield (
                f"The first {self._window_noun} is short, until {words.moment(terms.window_start(1))}, and costs its share of the fee: "
                f"{self._amount(terms.fee_of(0))}."
            )
        if terms.bond:
            yield f"The provider puts up a bond of {self._amount(terms.bond)}, from which credits beyond the fee are paid. No {self._window_noun} can be paid for while it is not there in full."
        yield (
            f"The money is held by the contract {self._document.domains.escrow.contract} on chain {self._document.chain_id}, in the token "
            f"{terms.token}. Nobody can take it out except as said here."
        )
        if terms.previous != NO_TERMS:
            yield f"These terms take over from the agreement 0x{terms.previous.hex()}; what was paid for in advance moves with them."

    def measured(self) -> Iterator[str]:
        for level, _ in self._pairs:
            panel, measurement = level.feed.panel, level.feed.measurement
            yield f"{self._called(level)}the {level.metric.replace('_', ' ')} in every {words.every(measurement.interval)}."
            for source in {_asked(source): None for source in level.sources.values()}:
                yield f"{self._called(level)}read {source}."
            if len(panel.reporters) == 1:
                yield f"One reporter measures, {panel.reporters[0]}: what it signs is what counts."
                reads = "it reads"
            else:
                reads = "they read"
                tolerance = show_in_unit(panel.tolerance, level.unit)
                near = "exactly" if not panel.tolerance else f"within {tolerance}"
                yield (
                    f"{words.sentence(words.small(len(panel.reporters)))} reporters measure, and {words.small(panel.quorum)} of them must agree "
                    f"{near}, on the same side of the objective. None of them alone decides anything."
                )
            yield (
                f"What {reads} counts {words.duration(measurement.settle_delay)} after the {words.noun(measurement.interval)} is over, "
                f"since such numbers may still change until then. That all is well is reported every {words.every(measurement.cadence)}."
            )
            if level.private:
                yield "Before they are on the chain only the reporters and both parties may read these readings."

    def promised(self) -> Iterator[str]:
        for level, agreed in self._pairs:
            measurement = level.feed.measurement
            limit = show_in_unit(measurement.threshold, level.unit)
            one = words.noun(measurement.interval)
            yield (
                f"{self._called(level)}{_article(one)} {one} is good if the {level.metric.replace('_', ' ')} in it is "
                f"{_IS[measurement.comparison]} {limit}, else it is bad. Nothing in between."
            )
            kinds = {tier.measure for tier in agreed.tiers}
            if Measure.AVAILABILITY_BELOW in kinds:
                yield f"Availability is the share of good ones among all the {self._counted(measurement)} of a {self._window_noun}, unrounded."
            if Measure.AVERAGE_BEYOND in kinds:
                scope = level.feed.scope
                best, worst = (
                    show_in_unit(value, level.unit) for value in (scope.best, scope.worst)
                )
                yield (
                    f"The average is that of the values of all {self._counted(measurement)} of a {self._window_noun}, each counting the same "
                    f"however busy it was: one at night as much as one at noon. Values are taken between {best} and {worst}."
                )
            if hours := show_hours(level.feed.scope.hours_off):
                yield f"Not judged at all, in UTC: {words.listed(hours)}."

    def costs(self) -> Iterator[str | Table]:
        terms = self._terms
        for number, (level, agreed) in enumerate(self._pairs):
            if agreed.tiers:
                average = any(tier.measure is Measure.AVERAGE_BEYOND for tier in agreed.tiers)
                time = "time of total failure" if average else "bad time"
                yield f"{self._called(level)}the largest credit whose condition is met counts. Each begins with so much {time}:"
                yield self._tiers(number, level, agreed)
            if agreed.credit_per_bad_interval:
                one = words.noun(level.feed.measurement.interval)
                beside = " beside that" if agreed.tiers else ""
                each = self._share(agreed.credit_per_bad_interval)
                yield f"{self._called(level)}every bad {one} costs {each}{beside}."
        if len(self._pairs) > 1:
            combined = (
                "the largest one counts"
                if terms.combination is Combination.WORST
                else "they add up"
            )
            yield f"If several levels have a credit in the same {self._window_noun}, {combined}."
        if terms.credit_cap < BPS or len(self._pairs) > 1 or terms.bond:
            yield f"A {self._window_noun} costs the provider {self._share(terms.credit_cap)} at most."
        yield from self._examples()

    def unknown(self) -> Iterator[str]:
        terms = self._terms
        meaning = {
            UnknownPolicy.EXCLUDED: "counts like a good one",
            UnknownPolicy.GOOD: "counts as good",
            UnknownPolicy.BAD: "counts as bad",
        }[terms.unknown_policy]
        yield f"An interval is unknown if the reporters say that they have no data, if they do not agree, or if they are silent until the deadline. It {meaning}."
        waits = {level.feed.measurement.deadline for level, _ in self._pairs}
        yield f"The deadline is {words.listed([words.duration(wait) for wait in sorted(waits)], 'or')} after the interval; then anyone may record it as unknown, so that nobody can hold the money back by silence."
        if terms.unknown_credit and terms.unknown_policy is not UnknownPolicy.GOOD:
            yield (
                f"If more than {show_share(terms.unknown_limit, PPM)} of a {self._window_noun} is unknown, its credit is at least "
                f"{self._share(terms.unknown_credit)}: measuring nothing is no way out."
            )
        elif terms.unknown_policy is not UnknownPolicy.BAD:
            yield f"However many are unknown, that alone costs nothing: if nobody measures for a whole {self._window_noun}, the provider is paid in full."
        for level, agreed in self._pairs:
            what = (
                "leaves the reckoning: the rest of the time counts for more"
                if agreed.remove_not_applicable
                else "counts as good"
            )
            yield f"{self._called(level)}where there was nothing to measure, for instance because you had stopped the service, the interval {what}."

    def money(self) -> Iterator[str]:
        terms = self._terms
        if terms.prepaid_windows:
            first = words.plural(terms.prepaid_windows, self._window_noun)
            yield f"{first} must be paid for when the agreement is opened, at the latest on {words.moment(terms.open_by)}."
        else:
            yield f"Nothing is paid for when the agreement is opened, at the latest on {words.moment(terms.open_by)}."
        if terms.windows > terms.prepaid_windows:
            yield "Later ones are paid for before they begin; one that is not lapses: no fee, no credit."
        delay = max(level.feed.measurement.settle_delay for level, _ in self._pairs)
        soon = f"{words.duration(delay)} after the interval that decided it, at the earliest"
        yield f"A credit is yours as soon as it is certain, which is when not even perfect service until the end of the {self._window_noun} could undo it: {soon}. It is paid then, not at the end, and no claim is needed."
        yield f"When all of the {self._window_noun} is judged, the provider gets the rest of the fee."
        if terms.arbiter != NOBODY:
            yield (
                f"Every payment waits {words.duration(terms.challenge_period)}. In that time a party may dispute it"
                + (
                    f", with a deposit of {self._amount(terms.dispute_deposit)} that it forfeits if it loses"
                    if terms.dispute_deposit
                    else ""
                )
                + f". {terms.arbiter} decides, and only on what unknown intervals decide: what reporters agreed on stands."
            )
        else:
            yield "There is no arbiter: payments are immediate and final."

    def ends(self) -> Iterator[str]:
        terms = self._terms
        yield f"By itself on {words.moment(terms.window_start(terms.windows))}."
        if terms.breaches_to_end:
            yield f"By you alone, once {words.plural(terms.breaches_to_end, self._window_noun)} had a credit; from the next {self._window_noun} on."
        if terms.notice_period:
            yield f"By either party with a notice of {words.duration(terms.notice_period)}, with the begin of a {self._window_noun}."
        if not terms.breaches_to_end and not terms.notice_period:
            yield "Neither party can end it alone before that."
        yield "By both together at any time; then both sign what becomes of the fee that is still held. What was paid for later is paid back."
        yield (
            f"If the oracle never judges a {self._window_noun}, anyone may close it {words.duration(self._expiry)} after its end, with all that is "
            "not judged as unknown."
        )

    def uncovered(self) -> Iterator[str]:
        yield "Only what the reporters measure is judged. What a credit does not cover, lost business for instance, is not part of this agreement."
        for level in self._document.levels:
            scope = level.feed.scope
            if scope.hours_off:
                yield f"{self._called(level)}what happens {words.listed(show_hours(scope.hours_off))}, in UTC."
            if scope.allowance and level.feed.panel.parties != NO_PARTIES:
                measurement = level.feed.measurement
                yield (
                    f"{self._called(level)}up to {words.duration(scope.allowance * measurement.interval)} of a {self._window_noun} that both parties have "
                    f"excluded by signature, {words.duration(measurement.notice)} before at the latest. Nothing can be excluded afterwards."
                )
        if not any(level.feed.scope.allowance for level, _ in self._pairs):
            yield "Maintenance is not excluded: it counts like any other time."
        legal = self._document.content.get("spec", {}).get("legal", {})
        if "text" in legal or "uri" in legal:
            parts = [legal[name] for name in ("text", "uri") if name in legal]
            yield f"The contract in words: {', '.join(parts)}"

    def figures(self) -> Iterator[dict[str, Any]]:
        for number, (level, agreed) in enumerate(self._pairs):
            yield {
                "level": level.name,
                "tiers": [
                    {
                        "measure": tier.measure.name,
                        "limit": tier.limit,
                        "creditBps": tier.credit,
                        "begins": [
                            self._begin(number, tier, window)
                            for window in sorted({self._shortest, self._longest})
                        ],
                    }
                    for tier in agreed.tiers
                ],
                "examples": [
                    {
                        "window": one.window,
                        "from": words.moment(self._terms.window_start(one.window)),
                        "planned": one.planned,
                        "bad": one.bad,
                        "badSeconds": one.bad * level.feed.measurement.interval,
                        "creditBps": one.credit,
                        "toConsumer": self._document.amount(one.to_consumer),
                        "toProvider": self._document.amount(one.to_provider),
                    }
                    for one in thresholds.examples(self._terms, number, self._example_window)
                ],
            }

    # Their parts.

    def _tiers(self, number: int, level: AgreedLevel, agreed: Level) -> Table:
        columns = ["if", "credit", self._currency, self._begins_in(self._shortest)]
        windows = [self._shortest]
        if self._longest != self._shortest:
            windows.append(self._longest)
            columns.append(self._begins_in(self._longest))
        rows = []
        for tier in sorted(agreed.tiers, key=lambda one: one.credit):
            begins = [self._begins(number, tier, window) for window in windows]
            credit = min(tier.credit, self._terms.credit_cap)
            amount = self._document.amount(self._terms.fee_per_window * credit // BPS)
            rows.append((_condition(tier, level), show_share(tier.credit, BPS), amount, *begins))
        return Table(tuple(columns), tuple(rows))

    def _begins_in(self, window: int) -> str:
        if self._terms.window_seconds:
            return "begins with"
        days = (self._terms.window_start(window + 1) - self._terms.window_start(window)) // 86_400
        return f"{words.month(self._terms.window_start(window), short=True)} ({days} d)"

    def _begins(self, number: int, tier: Tier, window: int) -> str:
        bad = thresholds.first_bad(self._terms, number, tier, window)
        if bad is None:
            return "never"
        seconds = self._terms.levels[number].feed.measurement.interval
        return words.intervals(bad, seconds) if seconds == _MINUTE else words.compact(bad * seconds)

    def _begin(self, number: int, tier: Tier, window: int) -> dict[str, Any]:
        seconds = self._terms.levels[number].feed.measurement.interval
        bad = thresholds.first_bad(self._terms, number, tier, window)
        return {
            "window": window,
            "from": words.moment(self._terms.window_start(window)),
            "planned": thresholds.planned(self._terms, number, window),
            "bad": bad,
            "badSeconds": None if bad is None else bad * seconds,
        }

    def _examples(self) -> Iterator[str]:
        terms, window = self._terms, self._example_window
        when = (
            f"in the {self._window_noun} from {words.moment(terms.window_start(window))}"
            if terms.window_seconds
            else f"in {words.month(terms.window_start(window))}"
        )
        for number, (level, agreed) in enumerate(self._pairs):
            seconds = level.feed.measurement.interval
            average = any(tier.measure is Measure.AVERAGE_BEYOND for tier in agreed.tiers)
            for one in thresholds.examples(terms, number, window):
                long = words.downtime(one.bad, seconds)
                what = "fails wholly" if average else _bad(level)
                get = (
                    f"you get {self._amount(one.to_consumer)} and the provider {self._document.amount(one.to_provider)}"
                    if one.to_consumer
                    else "you get nothing"
                )
                yield (
                    f"{self._called(level)}if the service {what} for {long} {when}, of {words.downtime(one.planned, seconds)}, {get}."
                )

    @property
    def _example_window(self) -> int:
        """June, if it is one of the windows; else the shortest."""
        terms = self._terms
        if terms.window_seconds:
            return self._shortest
        return next(
            (
                window
                for window in range(terms.windows)
                if words.month(terms.window_start(window)).startswith("June")
                and terms.fee_of(window) == terms.fee_per_window
            ),
            self._shortest,
        )

    def _called(self, level: AgreedLevel) -> str:
        """Which level a sentence is about, where there are several."""
        return f'"{level.name}": ' if len(self._pairs) > 1 else ""

    @property
    def _window_noun(self) -> str:
        seconds = self._terms.window_seconds
        return f"window of {words.duration(seconds)}" if seconds else "month"

    @property
    def _expiry(self) -> int:
        return 2 * max(level.feed.measurement.deadline for level, _ in self._pairs) + GRACE_SECONDS

    @staticmethod
    def _counted(measurement: Measurement) -> str:
        return f"{words.noun(measurement.interval)}s"

    def _amount(self, units: int) -> str:
        return f"{self._document.amount(units)} {self._currency}"

    def _share(self, credit: int) -> str:
        amount = self._document.amount(self._terms.fee_per_window * credit // BPS)
        return f"{show_share(credit, BPS)} of the fee ({amount} {self._currency})"


def _asked(source: DataSource) -> str:
    """A monitoring service and what it is asked."""
    how = "as" if _is_ratio(source.type, source.spec) else "from"
    return f"{how} {_service(source.type, source.spec)}"


def _is_ratio(name: str, spec: Mapping[str, Any]) -> bool:
    return name == "ratio" and "total" in spec


def _service(name: str, spec: Mapping[str, Any]) -> str:
    counted = next((part for part in ("good", "bad") if part in spec), None)
    if counted and _is_ratio(name, spec):
        rest = {key: value for key, value in spec.items() if key not in (counted, "total")}
        parts = [_part(counted, spec[counted]), f"divided by {_part('total', spec['total'])}"]
        return ", ".join([*parts, *_leaves(rest, "")])
    return f"{name} ({', '.join(_leaves(spec, ''))})"


def _part(name: str, value: Any) -> str:
    """One of the services that a calculation combines."""
    said = _service(value["type"], value["spec"])
    return f"{name} ({said})" if _is_ratio(value["type"], value["spec"]) else f"{name} from {said}"


def _is_service(value: dict[str, Any]) -> bool:
    return isinstance(value.get("type"), str) and isinstance(value.get("spec"), dict)


def _leaves(value: Any, name: str) -> Iterator[str]:
    """The single values of a specification, each with its name and those above it; services within it as services."""
    if isinstance(value, dict) and _is_service(value):
        yield _part(name, value)
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _leaves(child, name)
    else:
        yield f"{name} {value}"


def _condition(tier: Tier, level: AgreedLevel) -> str:
    measurement = level.feed.measurement
    some = words.intervals(tier.limit, measurement.interval)
    match tier.measure:
        case Measure.AVAILABILITY_BELOW:
            return f"availability below {show_share(tier.limit, PPM)}"
        case Measure.BAD_INTERVALS_AT_LEAST:
            return f"{some} or more are bad"
        case Measure.BAD_RUN_AT_LEAST:
            return f"{some} or more in a row are bad"
        case Measure.AVERAGE_BEYOND:
            side = "above" if level.feed.scope.worst > level.feed.scope.best else "below"
            return f"average {side} {show_in_unit(tier.limit, level.unit)}"


def _bad(level: AgreedLevel) -> str:
    """What people say of a service while intervals are bad."""
    return "is down" if level.metric in ("availability", "failed_checks") else "is bad"


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeioh" else "a"  # hour
