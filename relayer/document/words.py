"""What a document promises, in words for people: one sentence for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayer.document import model
from relayer.document.hours import show_hours
from relayer.document.quantities import show_duration, show_in_unit, show_share
from relayer.protocol.terms import BPS, NO_TERMS, NOBODY, PPM, Measure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.document.document import AgreedLevel, Document
    from relayer.protocol.terms import Level, Terms, Tier

_OPERATORS = {
    "lt": "below",
    "lte": "at most",
    "gt": "above",
    "gte": "at least",
    "eq": "exactly",
    "neq": "anything but",
}
_WORDS = {comparison: _OPERATORS[word] for word, comparison in model.OPERATORS.items()}


def promise(level: AgreedLevel) -> str:
    """What is promised for each interval: "availability at least 99% in every 1m"."""
    measurement = level.feed.measurement
    threshold = show_in_unit(measurement.threshold, level.unit)
    interval = show_duration(measurement.interval)
    return f"{level.metric} {_WORDS[measurement.comparison]} {threshold} in every {interval}"


def credits_of(level: AgreedLevel, agreed: Level) -> list[str]:
    """What a breach costs: "10% if fewer than 99.95% of the intervals are good"."""
    lines = [f"{show_share(tier.credit, BPS)} if {condition(level, tier)}" for tier in agreed.tiers]
    if agreed.credit_per_bad_interval:
        lines.append(f"{show_share(agreed.credit_per_bad_interval, BPS)} for each bad interval")
    return lines


def condition(level: AgreedLevel, tier: Tier) -> str:
    """When a tier is met: "at least 3 intervals are bad"."""
    match tier.measure:
        case Measure.AVAILABILITY_BELOW:
            return f"fewer than {show_share(tier.limit, PPM)} of the intervals are good"
        case Measure.BAD_INTERVALS_AT_LEAST:
            return f"at least {tier.limit} intervals are bad"
        case Measure.BAD_RUN_AT_LEAST:
            return f"at least {tier.limit} intervals in a row are bad"
        case Measure.AVERAGE_BEYOND:
            scope = level.feed.scope
            side = "below" if scope.best > scope.worst else "above"
            return f"the average of {level.metric} is {side} {show_in_unit(tier.limit, level.unit)}"


def value_range(level: AgreedLevel) -> str | None:
    """To which values readings are clamped; None if to none."""
    scope = level.feed.scope
    if not scope.has_range:
        return None
    best, worst = (show_in_unit(value, level.unit) for value in (scope.best, scope.worst))
    return f"values count as {best} at best, {worst} at worst"


def hours_off(level: AgreedLevel) -> str | None:
    """The hours of the week that are not judged; None if all are."""
    spans = show_hours(level.feed.scope.hours_off)
    return f"{', '.join(spans)} (UTC)" if spans else None


def exclusions(level: AgreedLevel) -> str | None:
    """What both parties may exclude by signature; None if nothing."""
    measurement, allowance = level.feed.measurement, level.feed.scope.allowance
    if not allowance:
        return None
    much = show_duration(allowance * measurement.interval)
    before = (
        f"{show_duration(measurement.notice)} before it begins"
        if measurement.notice
        else "before it begins"
    )
    return f"up to {much} of a window, if both parties sign it {before}"


def bond(document: Document) -> str | None:
    """What the provider deposits; None if nothing."""
    terms = document.terms
    return (
        f"{document.amount(terms.bond)} of the provider, before any window is funded"
        if terms.bond
        else None
    )


def dispute(document: Document) -> str:
    """Whether payments wait for disputes, and who decides them."""
    terms = document.terms
    if terms.arbiter == NOBODY:
        return "none: payments are immediate and final"
    wait = show_duration(terms.challenge_period)
    cost = f", deposit {document.amount(terms.dispute_deposit)}" if terms.dispute_deposit else ""
    return f"payments wait {wait} for one; {terms.arbiter} decides{cost}"


def termination(terms: Terms) -> str:
    """How the agreement can end early."""
    return "; ".join((*_endings(terms), "at any time if both sign it"))


def _endings(terms: Terms) -> Iterator[str]:
    if terms.breaches_to_end:
        windows = "window" if terms.breaches_to_end == 1 else "windows"
        yield f"by the consumer after {terms.breaches_to_end} breached {windows}"
    if terms.notice_period:
        yield f"by either party with {show_duration(terms.notice_period)} notice"


def amends(terms: Terms) -> str | None:
    """The terms that these replace; None if they replace none."""
    return None if terms.previous == NO_TERMS else f"0x{terms.previous.hex()}"
