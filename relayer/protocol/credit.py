"""What the consumer gets back for a window: the twin of ``CreditLib.sol`` (rules 4, 7 and 19). Credits are in bps of the fee."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relayer.protocol.terms import BPS, PPM, Combination, Level, Measure, Terms, Tier, UnknownPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.protocol.scope import Scope
    from relayer.protocol.tally import Tally


def window_credit(terms: Terms, tallies: Sequence[Tally]) -> int:
    """min(cap, max(default if due, sum or worst of the levels)), given one tally for each level."""
    pairs = list(zip(terms.levels, tallies, strict=True))
    dues = [level_credit(level, tally, terms.unknown_policy) for level, tally in pairs]
    credit = sum(dues) if terms.combination is Combination.SUM else max(dues)
    counts = terms.unknown_policy is not UnknownPolicy.GOOD
    if counts and any(
        tally.unknown * PPM > terms.unknown_limit * denominator(level, tally)
        for level, tally in pairs
    ):
        credit = max(credit, terms.unknown_credit)
    return min(credit, terms.credit_cap)


def level_credit(level: Level, tally: Tally, policy: UnknownPolicy) -> int:
    """Credit of the largest tier met, plus the credit per bad interval."""
    planned = denominator(level, tally)
    if planned == 0:
        return 0
    scope = level.feed.scope
    counted = replace(tally, planned=planned)
    if policy is UnknownPolicy.BAD:
        worst = tally.unknown * abs(scope.worst - scope.best)
        counted = replace(counted, bad=tally.bad + tally.unknown, deviation=tally.deviation + worst)
    met = [tier.credit for tier in level.tiers if _is_met(tier, scope, counted)]
    return max(met, default=0) + counted.bad * level.credit_per_bad_interval


def denominator(level: Level, tally: Tally) -> int:
    """Intervals planned for the window, less those not applicable if the level removes them."""
    return tally.planned - (tally.not_applicable if level.remove_not_applicable else 0)


def owed_down(fee: int, credit: int, paid: int) -> int:
    """What is newly due: floor(fee * credit / 10,000) less what was paid, never negative."""
    return max(0, fee * credit // BPS - paid)


def resolved(level: Level, tally: Tally, *, bad: bool) -> Tally:
    """The tally as if every unknown interval had been good, or had been bad: what an arbiter may think of them (rule 16).

    A run of bad intervals may then be as long as all unknown ones and the longest known run together.
    """
    if not bad:
        return replace(tally, unknown=0)
    scope = level.feed.scope
    return replace(
        tally,
        bad=tally.bad + tally.unknown,
        unknown=0,
        longest_run=tally.longest_run + tally.unknown,
        deviation=tally.deviation + tally.unknown * abs(scope.worst - scope.best),
    )


def _is_met(tier: Tier, scope: Scope, counted: Tally) -> bool:
    """Whether a tally meets a tier, with the level's denominator as ``planned`` and unknown counted by its policy."""
    planned, bad = counted.planned, counted.bad
    match tier.measure:
        case Measure.AVAILABILITY_BELOW:
            return (planned - bad) * PPM < tier.limit * planned
        case Measure.BAD_INTERVALS_AT_LEAST:
            return bad >= tier.limit
        case Measure.BAD_RUN_AT_LEAST:
            return counted.longest_run >= tier.limit
        case Measure.AVERAGE_BEYOND:
            return counted.deviation > abs(tier.limit - scope.best) * planned
