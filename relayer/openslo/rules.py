"""What the fields of an OpenSLO object mean together: the rules of the reference implementation (github.com/OpenSLO/go-sdk).

Stricter than it in one thing: secrets do not stand in a file that two parties sign.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from relayer.names import nearest
from relayer.openslo.model import SLI, SLO, DataSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.openslo.model import (
        DataSourceSpec,
        Ignored,
        Metadata,
        Objective,
        RatioMetric,
        Service,
        SLISpec,
        SLOSpec,
        TimeWindow,
    )
    from relayer.yaml_lines import Location

PREFIX = "makegood/"
METRIC, UNIT, WHEN_EMPTY = (f"{PREFIX}{name}" for name in ("metric", "unit", "when-empty"))
"""Annotations of an indicator: what it measures, in what its numbers are, what an interval without events is."""

_SECRET_NAME = re.compile(
    r"secret|passw|token|api[-_ ]?key|app[-_ ]?key|access[-_ ]?key|private[-_ ]?key|credential|authori[sz]ation|bearer",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\$\{(?:file:)?[^${}]+\}")
_USER_IN_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*@")


def broken(found: DataSource | Service | SLI | SLO | Ignored) -> Iterator[tuple[Location, str]]:
    """The rules that an object of the right shape breaks, each with the field where it is mended."""
    if isinstance(found, SLO):
        yield from _slo(found.spec)
    elif isinstance(found, SLI):
        yield from _annotations(found.metadata, ("metadata",))
        yield from _sli(found.spec, ("spec",))
    elif isinstance(found, DataSource):
        yield from _data_source(found.spec)


def _slo(spec: SLOSpec) -> Iterator[tuple[Location, str]]:
    composite = any(one.indicator or one.indicator_ref for one in spec.objectives)
    given = [name for name, one in _indicators(spec) if one]
    if len(given) == 2:
        yield ("spec", "indicatorRef"), "write indicator or indicatorRef, not both"
    elif given and composite:
        yield (
            ("spec", given[0]),
            "the objectives have indicators of their own: write one here, or one in each of them",
        )
    elif not given and not composite:
        yield ("spec",), "write indicator (an SLI in place) or indicatorRef (the name of one)"
    if spec.indicator:
        yield from _annotations(spec.indicator.metadata, ("spec", "indicator", "metadata"))
        yield from _sli(spec.indicator.spec, ("spec", "indicator", "spec"))
    for number, window in enumerate(spec.time_window):
        yield from _time_window(window, ("spec", "timeWindow", number))
    for number, objective in enumerate(spec.objectives):
        at: Location = ("spec", "objectives", number)
        yield from _objective(objective, at, spec)
        if composite:
            yield from _composite(objective, at)


def _indicators(found: SLOSpec | Objective) -> list[tuple[str, object]]:
    return [("indicator", found.indicator), ("indicatorRef", found.indicator_ref)]


def _time_window(window: TimeWindow, at: Location) -> Iterator[tuple[Location, str]]:
    if window.is_rolling and window.calendar:
        yield (*at, "calendar"), "a rolling window has no calendar: remove it, or isRolling"
    if not window.is_rolling and not window.calendar:
        yield (
            at,
            "a window that is not rolling needs a calendar: {startTime: 2027-01-01 00:00:00, timeZone: UTC}",
        )


def _objective(one: Objective, at: Location, spec: SLOSpec) -> Iterator[tuple[Location, str]]:
    if one.target is not None and one.target_percent is not None:
        yield (*at, "targetPercent"), "write target or targetPercent, not both"
    if one.target is None and one.target_percent is None:
        yield at, "write target, such as 0.999, or targetPercent, such as 99.9"
    if spec.indicator:
        threshold = spec.indicator.spec.threshold_metric is not None
        for name, value in (("op", one.op), ("value", one.value)):
            if threshold and value is None:
                yield (*at, name), "is missing; a thresholdMetric is compared by op with value"
            if not threshold and value is not None:
                yield (*at, name), "only a thresholdMetric is compared with a value: remove it"
    method = spec.budgeting_method
    if method == "Timeslices" and one.time_slice_target is None:
        yield (*at, "timeSliceTarget"), f"is missing; {method} needs it, such as 0.95"
    if method != "Occurrences" and one.time_slice_window is None:
        yield (*at, "timeSliceWindow"), f"is missing; {method} needs it, such as 5m"


def _composite(one: Objective, at: Location) -> Iterator[tuple[Location, str]]:
    given = [name for name, indicator in _indicators(one) if indicator]
    if len(given) == 2:
        yield (*at, "indicatorRef"), "write indicator or indicatorRef, not both"
    if not given:
        yield at, "other objectives have an indicator of their own, so each needs one"
    if one.indicator:
        yield from _annotations(one.indicator.metadata, (*at, "indicator", "metadata"))
        yield from _sli(one.indicator.spec, (*at, "indicator", "spec"))


def _sli(spec: SLISpec, at: Location) -> Iterator[tuple[Location, str]]:
    if spec.threshold_metric and spec.ratio_metric:
        yield (*at, "ratioMetric"), "write thresholdMetric or ratioMetric, not both"
    if not spec.threshold_metric and not spec.ratio_metric:
        yield at, "write thresholdMetric (a value) or ratioMetric (good or bad events of all)"
    if spec.ratio_metric:
        yield from _ratio(spec.ratio_metric, (*at, "ratioMetric"))


def _ratio(metric: RatioMetric, at: Location) -> Iterator[tuple[Location, str]]:
    if not metric.raw and not metric.total:
        yield at, "write total with good or bad, or raw (a ratio that is measured as such)"
    for name in ("good", "bad", "total"):
        if metric.raw and getattr(metric, name):
            yield (*at, name), "raw is the whole ratio: remove it, or raw"
    if not metric.raw:
        if metric.good and metric.bad:
            yield (*at, "bad"), "write good or bad, not both"
        if metric.total and not metric.good and not metric.bad:
            yield at, "write good or bad beside total"
        if metric.raw_type:
            yield (*at, "rawType"), "only raw has a rawType: remove it"
    elif metric.raw_type is None:
        yield (*at, "rawType"), "is missing; allowed: failure, success"


def _annotations(metadata: Metadata, at: Location) -> Iterator[tuple[Location, str]]:
    known = [METRIC, UNIT, WHEN_EMPTY]
    for key in metadata.annotations:
        if key.startswith(PREFIX) and key not in known:
            yield (*at, "annotations", key), f"unknown annotation; {nearest(key, known)}"


def _data_source(spec: DataSourceSpec) -> Iterator[tuple[Location, str]]:
    if spec.connection_details is None:
        yield ("spec", "connectionDetails"), "is missing; {} where there is nothing to tell"
    else:
        yield from _secrets(spec.connection_details, ("spec", "connectionDetails"), named="")


def _secrets(value: Any, at: Location, *, named: str) -> Iterator[tuple[Location, str]]:
    """Places of secrets. The message does not repeat them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(inner, (*at, key), named=key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _secrets(inner, (*at, number), named=named)
    elif _SECRET_NAME.search(named) and value is not None:
        if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
            yield (
                at,
                "secrets do not stand in a file that is handed on: write ${NAME} (of the environment) or ${file:/path}",
            )
    elif isinstance(value, str) and _USER_IN_URL.match(value):
        yield at, "credentials do not belong in a URL: each relayer is given its own"
