"""Readings in a CSV file, one line for each interval: ``2026-06-01T00:00:00Z,100``; also ``no data`` and ``not applicable``.

The file is read by the adapter ``replay`` (docs/oracles/replay.md). A time belongs to the interval that holds it; an interval without a
line is one in which the reporter was silent.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from oracles import BadRequest, GarbageAnswer, Metric, MonitoringError, encode
from oracles.replay import load as load_samples
from oracles.units import from_double
from relayer.errors import ConfigurationError
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.simulation.past import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from oracles.replay import Samples

_MILLISECONDS = 1_000
_PERCENT = 100
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
        raise ConfigurationError(f"--unit {unit}: {error}") from error
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
    try:
        codes = _codes(samples, metric, scale)
    except GarbageAnswer as error:
        raise ConfigurationError(
            f"{path}: {error}", hint="--unit says what numbers are in"
        ) from error
    return Reader(str(path), [at // _MILLISECONDS for at in samples.times], codes)


def _codes(samples: Samples, metric: Metric, scale: Fraction) -> list[int]:
    """Few numbers differ, so each is made a code once."""
    known: dict[float, int] = {}
    codes = []
    for number, mark in zip(samples.values, samples.marks, strict=True):
        if mark:
            codes.append(_ABSENT[mark])
            continue
        code = known.get(number)
        if code is None:
            code = known[number] = encode(metric, from_double(number) * scale)
        codes.append(code)
    return codes


def _check_scale(path: Path, samples: Samples) -> None:
    """Percentages that are taken for parts per million would make every interval bad, or none."""
    largest = max(samples.values, default=0)
    if 0 < largest <= _PERCENT:
        raise ConfigurationError(
            f"{path}: no number is larger than {_PERCENT}: are they percent, or parts per million?",
            hint='say what they are in: --unit "%", --unit ratio or --unit ppm',
        )
