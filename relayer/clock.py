"""A clock that no correction can make jump: probes date what they see by it, and a reading with a wrong date is invented."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SLEW_SECONDS: Final = 1.0
"""The machine's clock is followed while it differs by no more: that is what NTP's small corrections amount to [s]."""
BEHIND_SECONDS: Final = 60.0
"""No chain is ahead of its time: a clock so far behind the newest block is wrong [s]."""
AHEAD_SECONDS: Final = 300.0
"""A block that has just arrived is not so old, unless the clock is ahead [s]."""
TRUST_SECONDS: Final = 600.0
"""If blocks do not tell which of the two is right, the machine's clock is believed after this [s]."""


def _since_boot() -> float:
    """Goes on while the machine sleeps, where the system has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class SteadyClock:
    """UNIX time [s] that runs evenly: a jump of the machine's clock is noticed, not followed.

    :param wall: The machine's clock.
    :param steady: A clock that never jumps.
    """

    def __init__(
        self, *, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _since_boot
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._offset = wall() - steady()
        self._apart_since: float | None = None

    def __call__(self) -> float:
        with self._lock:
            steady = self._steady()
            apart = self._wall() - steady - self._offset
            if abs(apart) <= SLEW_SECONDS:
                self._offset += apart
                self._apart_since = None
            elif self._apart_since is None:
                self._apart_since = steady
            return steady + self._offset

    def check(self, block_time: float) -> str | None:
        """Compare with a block that has just arrived, and if the machine's clock was set, follow the one that is right.

        :param block_time: The block's time [s, UNIX time].
        :returns: What is wrong with the clock, if it cannot be right.
        """
        now = self()
        with self._lock:
            wall = self._wall()
            if self._apart_since is not None:
                long = self._steady() - self._apart_since > TRUST_SECONDS
                nearer = abs(wall - block_time) < abs(now - block_time) - AHEAD_SECONDS / 2
                if (long or nearer or _wrong(now, block_time)) and not _wrong(wall, block_time):
                    self._offset = wall - self._steady()
                    self._apart_since = None
                    now = wall
        return _wrong(now, block_time)


def _wrong(now: float, block_time: float) -> str | None:
    if now < block_time - BEHIND_SECONDS:
        return f"this machine's clock is {block_time - now:.0f} s behind the chain's newest block"
    if now > block_time + AHEAD_SECONDS:
        return f"this machine's clock is {now - block_time:.0f} s ahead of a block that has just arrived"
    return None
