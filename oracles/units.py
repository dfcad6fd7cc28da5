"""The one table of metrics and units, shared by all monitoring services.

A reading leaves this package as an exact amount in the unit of its metric; `encode` turns it into
the whole number, the *code*, that is compared, signed and summed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from oracles.described import described
from oracles.errors import BadRequest, GarbageAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_CODE: Final = 2**32 - 3
"""The largest code: four bytes, less the two codes for the answers that are not numbers."""

_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(\S*)\s*")


@dataclass(frozen=True)
class Unit:
    """What one step of a code means, how people write it, and what services call it.

    `written` maps each notation of documents to the steps in it: "%" is 10,000 ppm. `reported` does
    the same for the names, in lower case, that monitoring services give to their units.
    """

    name: str
    written: Mapping[str, int] = field(compare=False, repr=False)
    reported: Mapping[str, Fraction] = field(compare=False, repr=False)

    def scale(self, notation: str) -> Fraction:
        """How many of this unit are one `notation`: "Percent" is 10,000 ppm, "us" 1/1000 ms.

        Raises BadRequest for a notation of something else.
        """
        known: Mapping[str, Fraction | int] = {**self.written, **self.reported}
        found = known.get(notation, known.get(notation.strip().lower()))
        if found is None:
            raise BadRequest(f"{notation!r} is not a unit of {self.name} ({', '.join(known)})")
        return Fraction(found)

    def amount(self, text: str) -> Fraction:
        """Read a quantity as people write it: "99.95 %", "1.5 s", "250" (already in the unit).

        Exact, never negative. Raises BadRequest for anything else.
        """
        match = _QUANTITY.fullmatch(text)
        if match is None or (match[2] and match[2] not in self.written):
            known = ", ".join(repr(notation) for notation in self.written)
            raise BadRequest(f"{text!r} is not a quantity in {self.name} (written with {known})")
        return Fraction(match[1]) * self.written.get(match[2], 1)


def _by_name(**names: Fraction | int) -> Mapping[str, Fraction]:
    return MappingProxyType({name: Fraction(steps) for name, steps in names.items()})


_MICRO: Final = Fraction(1, 1_000)
_NANO: Final = Fraction(1, 1_000_000)

# "1", "%" and the like are UCUM's (Google, OpenTelemetry); the words are those of CloudWatch, Azure,
# Datadog and Dynatrace, whose plurals and capitals differ.
PPM: Final = Unit(
    "ppm",
    MappingProxyType({"ppm": 1, "%": 10_000}),
    MappingProxyType(
        {
            **_by_name(percent=10_000, ratio=1_000_000, fraction=1_000_000, promille=1_000),
            **_by_name(**{"1": 1_000_000, "10^2.%": 1_000_000}),
        }
    ),
)
MS: Final = Unit(
    "ms",
    MappingProxyType({"ms": 1, "s": 1_000}),
    MappingProxyType(
        {
            **_by_name(millisecond=1, milliseconds=1, second=1_000, seconds=1_000),
            **_by_name(us=_MICRO, microsecond=_MICRO, microseconds=_MICRO),
            **_by_name(ns=_NANO, nanosecond=_NANO, nanoseconds=_NANO),
            **_by_name(min=60_000, minute=60_000, minutes=60_000),
        }
    ),
)
SECONDS: Final = Unit(
    "s",
    MappingProxyType({"s": 1, "m": 60, "h": 3_600, "d": 86_400}),
    MappingProxyType(
        {
            **_by_name(second=1, seconds=1, min=60, minute=60, minutes=60, hour=3_600, hours=3_600),
            **_by_name(day=86_400, days=86_400, ms=_MICRO, milliseconds=_MICRO),
        }
    ),
)
COUNT: Final = Unit(
    "count", MappingProxyType({"count": 1}), _by_name(**{"1": 1}, counts=1, none=1, unspecified=1)
)
UNITS: Final[Mapping[str, Unit]] = MappingProxyType({u.name: u for u in (PPM, MS, SECONDS, COUNT)})


@dataclass(frozen=True)
class Metric:
    """A name that means the same whichever monitoring service measures it.

    `better` is the direction of quality. `largest` bounds the code: an availability above
    1,000,000 ppm is not a good reading but a wrong one.
    """

    name: str
    unit: Unit
    better: Literal["higher", "lower"]
    largest: int = LARGEST_CODE


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("availability", PPM, "higher", largest=1_000_000),
            Metric("error_rate", PPM, "lower", largest=1_000_000),
            Metric("packet_loss", PPM, "lower", largest=1_000_000),
            Metric("utilisation", PPM, "lower"),
            Metric("latency", MS, "lower"),
            Metric("validity", SECONDS, "higher"),
            Metric("failed_checks", COUNT, "lower"),
            Metric("backlog", COUNT, "lower"),
            Metric("throughput", COUNT, "higher"),
        )
    }
)


def encode(metric: Metric, amount: Fraction) -> int:
    """The code of `amount`, which is in the metric's unit: a whole number in 0..metric.largest.

    Rounded towards the worse side: down where higher is better, up where lower is better. This
    favours nobody where it matters: against a whole threshold, `code >= t` then holds exactly when
    `amount >= t` (and `code <= t` exactly when `amount <= t`), so rounding never changes a verdict.
    Raises GarbageAnswer outside the range: nothing is clamped into it.
    """
    code = math.floor(amount) if metric.better == "higher" else math.ceil(amount)
    if amount < 0 or code > metric.largest:
        raise GarbageAnswer(
            f"{metric.name}: {_short(amount)} {metric.unit.name} is outside 0..{metric.largest}"
        )
    return code


def _short(amount: Fraction) -> str:
    try:
        return f"{float(amount):g}"
    except OverflowError:  # a sum of the largest doubles is none
        return "a number beyond all doubles"


def reported(notation: object) -> str:
    """How a message names the unit that a service reports: by its name where our table knows it."""
    known = {name for unit in UNITS.values() for name in (*unit.written, *unit.reported)}
    if isinstance(notation, str) and notation.strip().lower() in known:
        return repr(notation)
    return f"a unit that we do not know ({described(notation)})"


def from_double(value: object) -> Fraction:
    """The number that a monitoring service meant by a 64-bit float.

    Read to 15 significant decimal digits, all that a double holds for certain: 99.89999999999999
    is 99.9 with the noise of somebody's addition, and noise must not cost a provider an interval.
    Raises GarbageAnswer for what is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise GarbageAnswer(f"{described(value)} is not a finite number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        raise GarbageAnswer("a whole number beyond all doubles") from None
    if not finite:
        raise GarbageAnswer(f"{value!r} is not a finite number")
    return Fraction(Decimal(f"{value:.15g}"))
