"""An OpenSLO SLO as a service level in our own words, or the reason why the contracts cannot judge it.

The level is made of the very values of the SLO, each with its place, so that whatever is wrong with it later is told where
it was written.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from oracles import METRICS, BadRequest, MissingExtra, load
from oracles.units import PPM
from relayer.document import quantities
from relayer.names import nearest
from relayer.openslo import refusals
from relayer.openslo.adapters import adapter_of, fields_for
from relayer.openslo.places import INDICATOR, OBJECTIVE, Places, target_at, target_of
from relayer.openslo.rules import METRIC, UNIT, WHEN_EMPTY
from relayer.yaml_lines import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oracles import Metric
    from relayer.openslo.model import SLO, Indicator, Objective, RatioMetric
    from relayer.openslo.refusals import Term
    from relayer.yaml_lines import Location, Problem

_WHOLE = 1_000_000


class Translated(NamedTuple):
    """A level in our own words; None if there are problems."""

    level: Node | None
    problems: list[Problem]
    notices: list[str]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What an indicator measures.

    :param named: Where its metric is named.
    """

    metric: str
    type: Node
    spec: Node
    named: Location

    @property
    def is_good(self) -> bool:
        """Whether the value of a ratio is the share of what was good, not of what was bad."""
        return self.metric == "availability"


def in_own_words(tree: Node, number: int, slo: SLO, term: Term | None) -> Translated:
    """The level ``number`` of a document, whose SLO is in place and right in itself.

    :param term: None if it is wrong: then it is not compared with the SLO's window.
    """
    places = Places(tree, number)
    level = _level(places, slo, term)
    return Translated(None if places.problems else level, places.problems, places.notices)


def _level(places: Places, slo: SLO, term: Term | None) -> Node | None:
    if slo.spec.alert_policies:
        places.notices.append(
            f"{slo.metadata.name}: alertPolicies are ignored: an agreement pays, it calls nobody"
        )
    given = places.tree.get(*places.at)
    own = dict(given.value) if given and isinstance(given.value, dict) else {}
    refusals.check_window(places, slo.spec.time_window[0], term)
    refusals.check_fields(places, slo, own)
    indicator, objective = slo.spec.indicator, slo.spec.objectives[0]
    if not refusals.check_single(places, slo) or indicator is None or given is None:
        return None
    averaged = slo.spec.budgeting_method != "Timeslices"
    threshold = indicator.spec.threshold_metric is not None
    if averaged and threshold:
        refusals.refuse_average(places, slo)
    measured = _measured(places, indicator)
    target = places.target(objective)
    if measured is None or places.problems:
        return None
    added = {
        "name": places.node(slo.metadata.name, "metadata", "name"),
        "indicator": _indicator(places, measured),
        "objective": _compared(places, objective, measured)
        if threshold
        else _shared(places, objective, measured, averaged=averaged),
    }
    if "interval" not in own:
        added["interval"] = _interval(places, objective)
    if averaged:
        added["range"] = _range(places, measured)
    field = "averageBeyond" if averaged else "availabilityBelow"
    is_good = measured.is_good or not averaged
    refusals.check_tiers(places, slo, target, field, is_good=is_good)
    own = {key: node for key, node in own.items() if key not in ("slo", "occurrences")}
    return Node(given.line, given.column, {**added, **own}, given.keys, given.origin)


# What is measured


def _measured(places: Places, indicator: Indicator) -> _Measured | None:
    ratio, annotations = indicator.spec.ratio_metric, indicator.metadata.annotations
    if ratio is None:
        return _value(places, annotations)
    at: Location = (*INDICATOR, "spec", "ratioMetric")
    if ratio.raw is None:
        return _events(places, ratio, annotations, at)
    source = _source(places, (*at, "raw"), annotations.get(UNIT) or "ratio")
    metric = "availability" if ratio.raw_type == "success" else "error_rate"
    return _Measured(metric, *source, (*at, "raw")) if source else None


def _value(places: Places, annotations: Mapping[str, str]) -> _Measured | None:
    """A metric that is compared with a value."""
    at: Location = (*INDICATOR, "spec", "thresholdMetric")
    metric = annotations.get(METRIC)
    if metric is None:
        known = ", ".join(sorted(METRICS))
        places.refuse(
            f"which metric is this? The indicator's metadata.annotations must say {METRIC}; allowed: {known}",
            *at,
        )
        return None
    source = _source(places, at, annotations.get(UNIT) or _unit_name(metric))
    named: Location = (*INDICATOR, "metadata", "annotations", METRIC)
    return _Measured(metric, *source, named) if source else None


def _events(
    places: Places, ratio: RatioMetric, annotations: Mapping[str, str], at: Location
) -> _Measured | None:
    """Good or bad events of all."""
    parts: dict[str, Node] = {}
    for name in ("good", "bad", "total"):
        if getattr(ratio, name):
            source = _source(places, (*at, name), "count", counter=ratio.counter)
            if source is None:
                return None
            parts[name] = places.node({"type": source[0], "spec": source[1]}, *at, name)
    if WHEN_EMPTY in annotations:
        empty: Location = (*INDICATOR, "metadata", "annotations", WHEN_EMPTY)
        parts["when_empty"] = places.node(annotations[WHEN_EMPTY], *empty)
    return _Measured("availability", places.node("ratio", *at), places.node(parts, *at), at)


def _source(
    places: Places, metric: Location, unit: str | None, *, counter: bool | None = None
) -> tuple[Node, Node] | None:
    """Adapter and specification of a metric source. What OpenSLO says elsewhere is put into it where it is missing."""
    at: Location = (*metric, "metricSource")
    written = places.text(*at, "type")
    if written is None:
        places.refuse(
            "write type, such as Prometheus, or metricSourceRef, the name of a DataSource", *at
        )
        return None
    adapter = adapter_of(written)
    spec = places.tree.transplant(*places.slo, *at, "spec")
    if isinstance(spec.value, dict):
        more = {
            name: places.node(value, *at, "spec")
            for name, value in fields_for(adapter, unit, counter=counter).items()
            if name not in spec.value
        }
        spec = Node(spec.line, spec.column, {**spec.value, **more}, spec.keys, spec.origin)
    return places.node(adapter, *at, "type"), spec


def _indicator(places: Places, measured: _Measured) -> Node:
    source = places.node({"type": measured.type, "spec": measured.spec}, *INDICATOR)
    metric = places.node(measured.metric, *measured.named)
    return places.node({"dataSource": source, "metric": metric}, *INDICATOR)


def _range(places: Places, measured: _Measured) -> Node:
    """The ends of a ratio."""
    best, worst = ("100%", "0%") if measured.is_good else ("0%", "100%")
    values = {"best": best, "worst": worst}
    parts = {name: places.node(value, *refusals.METHOD) for name, value in values.items()}
    return places.node(parts, *refusals.METHOD)


# What is promised


def _shared(places: Places, one: Objective, measured: _Measured, *, averaged: bool) -> Node:
    """Which ratio makes an interval a good one."""
    share, at = target_of(one), target_at(one)
    if not averaged and one.time_slice_target is not None:
        share, at = one.time_slice_target, (*OBJECTIVE, "timeSliceTarget")
    good = places.ppm(share, *at)
    op, steps = ("gte", good) if measured.is_good else ("lte", _WHOLE - good)
    value = places.node(quantities.show_share(steps, _WHOLE), *at)
    return places.node({"op": places.node(op, *at), "value": value}, *OBJECTIVE)


def _compared(places: Places, one: Objective, measured: _Measured) -> Node:
    """Which value makes an interval a good one."""
    if one.time_slice_target is not None and one.time_slice_target != 1:
        name = places.text("metadata", "name")
        places.notices.append(
            f"{name}: an interval has one value here, which keeps the objective or not: its timeSliceTarget means 1"
        )
    value = places.node(_steps(places, one, measured), *OBJECTIVE, "value")
    op = places.node(one.op or "", *OBJECTIVE, "op")
    return places.node({"op": op, "value": value}, *OBJECTIVE)


def _steps(places: Places, one: Objective, measured: _Measured) -> str | int:
    """The objective's value in whole steps of the metric's unit; 0, and a problem, if there are none."""
    at: Location = (*OBJECTIVE, "value")
    named: Location = (*INDICATOR, "metadata", "annotations", UNIT)
    notation = places.text(*named)
    metric = _metric(str(measured.type.value), measured.metric)
    if metric is None:
        return 0  # told when the level is read
    unit = metric.unit
    if notation is None and unit is PPM:
        advice = f"the indicator's metadata.annotations must say {UNIT}: percent or ratio (of 1)"
        places.refuse(f"{places.found(*at)} of what? {advice}", *at)
        return 0
    try:
        scale = unit.scale(notation) if notation else Fraction(1)
    except BadRequest:
        known = nearest(str(notation), [*unit.written, *unit.reported])
        places.refuse(f"{places.found(*named)}; no unit of {metric.name}; {known}", *named)
        return 0
    steps = (one.value or Fraction(0)) * scale
    if steps.denominator != 1 or steps < 0:
        places.refuse(f"{places.found(*at)}; readings are whole numbers of {unit.name}", *at)
        return 0
    return steps.numerator if unit.name == "count" else f"{steps.numerator}{unit.name}"


def _interval(places: Places, one: Objective) -> Node:
    at: Location = (*OBJECTIVE, "timeSliceWindow")
    seconds = one.time_slice_window.seconds if one.time_slice_window else None
    if seconds is None:
        places.refuse(f"{places.found(*at)}; an interval has a fixed length: 5m, 1h, 1d", *at)
    return places.node(quantities.show_duration(seconds or 1), *at)


def _unit_name(metric: str) -> str | None:
    return METRICS[metric].unit.name if metric in METRICS else None


def _metric(adapter: str, name: str) -> Metric | None:
    """A common metric, or an adapter's own."""
    known: Any = METRICS
    with suppress(BadRequest, MissingExtra):
        known = load(adapter).METRICS
    found: Metric | None = known.get(name)
    return found
