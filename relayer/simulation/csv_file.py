"""Readings in a CSV file, one line for each interval: ``2026-06-01T00:00:00Z,100``; also ``no data`` and ``not applicable``.

The file is read by the adapter ``replay`` (docs/oracles/replay.md). A time belongs to the interval that holds it; an interval without a
line is one in which the reporter was silent.
"""

from __future__ import annotations

import csv
from fractions import Fraction
from typing import TYPE_CHECKING

from oracles import BadRequest, GarbageAnswer, Metric, MonitoringError, encode
from oracles.replay import load as load_samples
from oracles.units import from_double
from relayer.errors import ConfigurationError
from relayer.names import nearest
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.simulation.past import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from oracles.replay import Samples

_MILLISECONDS = 1_000
_PERCENT = 100
_BARE = ("1", "ratio", "fraction", "count")
# By the marks of the loader.
_ABSENT = {1: NO_DATA, 2: NOT_APPLICABLE}


def load(path: Path, metric: Metric, *, unit: str | None = None) -> Reader:
    """The readings of one reporter.

    :param unit: What the numbers are in, a notation of the metric's unit: "%", "ratio", "s". By default the metric's own unit.
    :raises ConfigurationError: The file cannot be read, or says nothing that a reading can be.
    """
    try:
        scale = Fraction(1) if unit is None else metric.unit.scale(unit)
    except BadRequest as error:
        known = {*metric.unit.written, *metric.unit.reported}
        raise ConfigurationError(
            f"--unit {unit} is not a unit of {metric.name}; {nearest(str(unit), known)}"
        ) from error
    try:
        samples = load_samples(path)
    except MonitoringError as error:
        raise ConfigurationError(
            str(error), hint="one line for each interval: time,value (docs/oracles/replay.md)"
        ) from error
    if not samples:
        raise ConfigurationError(f"{path} holds no reading", hint="one line each: time,value")
    if metric.unit.name == "ppm" and unit is None:
        _check_scale(path, samples)
    codes = _codes(path, samples, metric, scale, unit or metric.unit.name)
    return Reader(str(path), [at // _MILLISECONDS for at in samples.times], codes)


def _codes(path: Path, samples: Samples, metric: Metric, scale: Fraction, unit: str) -> list[int]:
    """Few numbers differ, so each is made a code once."""
    known: dict[float, int] = {}
    codes = []
    for place, (number, mark) in enumerate(zip(samples.values, samples.marks, strict=True)):
        if mark:
            codes.append(_ABSENT[mark])
            continue
        code = known.get(number)
        if code is None:
            try:
                code = known[number] = encode(metric, from_double(number) * scale)
            except GarbageAnswer:
                most = float(metric.largest / scale)
                raise ConfigurationError(
                    f"{path}, line {_line(path, place, len(samples))}: {_in(number, unit)} is outside {_in(0, unit)} to {_in(most, unit)}",
                    hint="--unit says what numbers are in",
                ) from None
        codes.append(code)
    return codes


def _in(number: float, unit: str) -> str:
    """A number as the file has it, with its unit unless that is 1."""
    return f"{number:.15g}" if unit in _BARE else f"{number:.15g} {unit}"


def _line(path: Path, place: int, count: int) -> int:
    """The line of one of the file's ``count`` readings."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        lines = [rows.line_num for row in rows if row]
    return lines[place + len(lines) - count]  # there may be a header


def _check_scale(path: Path, samples: Samples) -> None:
    """Percentages that are taken for parts per million would make every interval bad, or none."""
    largest = max(samples.values, default=0)
    if 0 < largest <= _PERCENT:
        raise ConfigurationError(
            f"{path}: no number is larger than {_PERCENT}: are they percent, or parts per million?",
            hint='say what they are in: --unit "%", --unit ratio or --unit ppm',
        )
