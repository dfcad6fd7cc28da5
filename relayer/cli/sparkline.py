"""Numbers as a line of small bars, for terminals."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-~=+*#"


def sparkline(values: Sequence[float | str], *, lowest: float | None = None) -> str:
    """A bar for each number, from the smallest to the largest; a text, of one character, stands for itself.

    :param lowest: What the lowest bar means; by default the smallest number.
    """
    bars = _BARS if (sys.stdout.encoding or "ascii").lower().startswith("utf") else _PLAIN
    numbers = [value for value in values if not isinstance(value, str)]
    low = min(numbers, default=0) if lowest is None else lowest
    spread = max(numbers, default=0) - low

    def bar(value: float) -> str:
        # One flat line of equal numbers lies in the middle: it is neither low nor high.
        share = (value - low) / spread if spread > 0 else 0.5
        return bars[min(len(bars) - 1, max(0, int(share * len(bars))))]

    return "".join(value if isinstance(value, str) else bar(value) for value in values)
