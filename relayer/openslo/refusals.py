"""What OpenSLO can say and the contracts cannot judge: each with the reason, and what to write instead."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from relayer.document import quantities
from relayer.openslo.fields import UTC_ZONES
from relayer.openslo.places import OBJECTIVE, WINDOW
from relayer.protocol.terms import PPM
from relayer.yaml_model import found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from relayer.openslo.model import SLO, TimeWindow
    from relayer.openslo.places import Places
    from relayer.yaml_lines import Location, Node

ANY_PERIOD = "averageOfIntervals"
METHOD: Location = ("spec", "budgetingMethod")


class Term(NamedTuple):
    """When the agreement runs: begin [s, UNIX time], length of a window [s; 0: calendar months]."""

    start: int
    window: int


def check_window(places: Places, window: TimeWindow, term: Term | None) -> None:
    """Whether the SLO's window is the agreement's."""
    if window.calendar is None:  # as rolling windows, and only they, are
        places.refuse(
            "a rolling window is another one at every moment, and a bill is paid once: the contracts judge windows that "
            "follow each other. Write isRolling: false, calendar: {startTime: 2027-01-01 00:00:00, timeZone: UTC}, and a "
            "duration of 1M (calendar months) or as long as spec.term.window",
            *WINDOW,
            "isRolling",
        )
    elif window.calendar.time_zone not in UTC_ZONES:
        places.refuse(
            f'found "{window.calendar.time_zone}"; the contracts know the time in UTC only, in which all days are '
            "equally long. Write timeZone: UTC, and the startTime in it",
            *(*WINDOW, "calendar", "timeZone"),
        )
    elif (window.duration.count, window.duration.unit) == (1, "M"):
        if term and term.window:
            _refuse_other_window(places, "month")
        if not quantities.show_time(window.calendar.start_time).endswith("-01T00:00:00Z"):
            places.refuse(
                "calendar months begin on their first day at 00:00:00",
                *(*WINDOW, "calendar", "startTime"),
            )
    elif window.duration.seconds is None:
        places.refuse(
            f'found "{window.duration}"; a window is one calendar month (1M), or has a fixed length: 90d',
            *(*WINDOW, "duration"),
        )
    elif term and term.window != window.duration.seconds:
        _refuse_other_window(places, quantities.show_duration(window.duration.seconds))
    elif term and (term.start - window.calendar.start_time) % window.duration.seconds:
        places.refuse(
            f"no window of {window.duration} counted from here begins at spec.term.start, "
            f"{quantities.show_time(term.start)}: write that time",
            *(*WINDOW, "calendar", "startTime"),
        )


def _refuse_other_window(places: Places, wanted: str) -> None:
    written = places.tree.text("spec", "term", "window")
    at: Location = (*WINDOW, "duration")
    places.refuse(
        f"{places.found(*at)}, but spec.term.window is {written}: write {wanted} there, or the same here",
        *at,
    )


def check_fields(places: Places, slo: SLO, own: Mapping[str, Node]) -> None:
    """Whether the level repeats what the SLO says, and says what it leaves open."""
    method = slo.spec.budgeting_method
    for field in ("indicator", "objective"):
        if field in own:
            places.refuse_own("this stands in the SLO: remove it here", field)
    if method != "Timeslices" and "range" in own:
        places.refuse_own("this follows from the SLO, 100 % to 0 %: remove it here", "range")
    if method == "Occurrences":
        _check_occurrences(places, own)
        return
    if "interval" in own:
        places.refuse_own("this is the SLO's timeSliceWindow: remove it here", "interval")
    if "occurrences" in own:
        places.refuse_own(f"the SLO's budgetingMethod is {method}: remove it", "occurrences")


def _check_occurrences(places: Places, own: Mapping[str, Node]) -> None:
    chosen = own.get("occurrences")
    if chosen is None:
        places.refuse(
            "Occurrences divides the good events of a window by all of them. The contracts learn one ratio for each "
            "interval, and the average of ratios is another number: a quiet interval weighs as much as a busy one. "
            "Write Timeslices or RatioTimeslices here, or agree on that average by "
            f"occurrences: {ANY_PERIOD} and interval: 5m in the level of the SLA document",
            *METHOD,
        )
    elif chosen.value != ANY_PERIOD:
        places.refuse_own(f"{found(chosen.plain())}; allowed: {ANY_PERIOD}", "occurrences")
    elif "interval" not in own:
        places.refuse_own("say which intervals have a ratio each: interval: 5m", "occurrences")


def refuse_average(places: Places, slo: SLO) -> None:
    """An average of what has no ratio."""
    places.refuse(
        "of a thresholdMetric an interval has one value, which keeps the objective or not: "
        f"{slo.spec.budgeting_method} finds no ratio to average. Write Timeslices, with timeSliceTarget and timeSliceWindow",
        *METHOD,
    )


def check_single(places: Places, slo: SLO) -> bool:
    """Whether the SLO is one level, and not several."""
    if slo.spec.indicator is None:
        places.refuse(
            "objectives with indicators of their own are combined by weights, for which the contracts have no place. "
            "Write an SLO, and a level, for each of them; spec.credits.combine says what several cost together",
            *OBJECTIVE,
        )
        return False
    if len(slo.spec.objectives) > 1:
        message = "a level has one objective: write an SLO, and a level, for each of them"
        places.refuse(message, "spec", "objectives", 1)
        return False
    return True


def check_tiers(places: Places, slo: SLO, target: int, field: str, *, is_good: bool) -> None:
    """Whether a breach begins to cost something just below the SLO's target.

    :param target: [ppm].
    :param field: Which tiers judge the same.
    :param is_good: Whether they look at the share of what was good, not of what was bad.
    """
    wanted = target if is_good else PPM - target
    limits: dict[int, Location] = {}
    for place, written in _limits(places, field):
        with suppress(ValueError):  # told when the level is read
            limits.setdefault(quantities.ppm(written), place)
    shown = quantities.show_share(wanted, PPM)
    file = places.tree.origin_of((*places.slo, *OBJECTIVE)).file
    line = places.node(0, *OBJECTIVE).line
    where = f"{file}:{line}" if file else f"line {line}"
    promised = f'the target of the SLO "{slo.metadata.name}" ({where}) is {shown}'
    if not limits:
        advice = f"{{{field}: {shown}, credit: 10%}}"
        places.refuse_own(f"{promised}, and no tier says what missing it costs: {advice}", "tiers")
        return
    first = max(limits) if is_good else min(limits)
    if first != wanted:
        message = f'found "{quantities.show_share(first, PPM)}"; {promised}: the first tier has the same limit'
        places.refuse_own(message, *limits[first])


def _limits(places: Places, field: str) -> Iterator[tuple[Location, str]]:
    """The limits of the level's tiers of one kind, with their places below the level."""
    tiers = places.tree.get(*places.at, "tiers")
    for number in range(len(tiers.items()) if tiers else 0):
        place: Location = ("tiers", number, field)
        if (written := places.tree.text(*places.at, *place)) is not None:
            yield place, written
