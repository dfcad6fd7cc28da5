"""Many points, one number: the statistics that a specification may ask for. All of them exact."""

from __future__ import annotations

import itertools
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES: Final = ("mean", "min", "max", "sum", "count", "last", "increase")
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,6})?|100)")


def _known(name: str) -> str:
    if name not in _NAMES and not _PERCENTILE.fullmatch(name):
        raise ValueError(f"allowed: {', '.join(_NAMES)}, and percentiles such as p50 or p99.9")
    return name


Statistic = Annotated[str, AfterValidator(_known)]
"""mean, min, max, sum, count, last, increase, or a percentile from p0 to p100."""


def combine(statistic: str, points: Sequence[Fraction]) -> Fraction:  # noqa: PLR0911 - a table
    """The statistic of at least one point, in the order of time.

    A percentile is the smallest point that p % of all points do not exceed (nearest rank): a value
    that was really measured. `increase` is by how much a counter grew from the first point to the
    last; where it falls it was reset, and has since grown from 0.
    """
    match statistic:
        case "mean":
            return sum(points, Fraction(0)) / len(points)
        case "min":
            return min(points)
        case "max":
            return max(points)
        case "sum":
            return sum(points, Fraction(0))
        case "count":
            return Fraction(len(points))
        case "last":
            return points[-1]
        case "increase":
            steps = itertools.pairwise(points)
            return sum((new - old if new >= old else new for old, new in steps), Fraction(0))
        case _:
            rank = math.ceil(Fraction(Decimal(statistic[1:])) * len(points) / 100)
            return sorted(points)[max(rank, 1) - 1]
