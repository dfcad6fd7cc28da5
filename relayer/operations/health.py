"""Whether the relayer lives (its loop goes round) and whether it is ready (each of its parts works)."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from relayer.logs import scrubbed
from relayer.operations import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

State = Literal["ok", "degraded", "failed"]

PARTS: Final = ("chain", "store", "key", "sources", "peers", "balance")
LEAST_LIMIT: Final = 60.0
"""A loop that finished this lately lives, however short its pauses are [s]."""

_VALUES: Final[Mapping[State, float]] = {"ok": 1, "degraded": 0.5, "failed": 0}


@dataclass(frozen=True, slots=True)
class Liveness:
    """:param age: Since the loop last finished a round, or since the start if it never did [s]."""

    age: float
    limit: float

    @property
    def alive(self) -> bool:
        return self.age < self.limit


@dataclass(frozen=True, slots=True)
class Part:
    """:param age: Since this was reported [s]."""

    state: State
    reason: str
    age: float


class Health:
    """What the parts of a relayer report of themselves. Safe to use from several threads.

    :param poll_seconds: The loop's pause. A loop is dead after five of them, but not within a minute.
    :param parts: Those that have to report; none counts as ready before it has.
    :param secrets: Texts that must not appear in a reason.
    :param clock: Measures ages [s]. Not the time of day: a clock that is set must neither hide nor feign a dead loop.
    """

    def __init__(
        self,
        poll_seconds: float,
        *,
        parts: Sequence[str] = PARTS,
        secrets: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = max(LEAST_LIMIT, 5 * poll_seconds)
        self._secrets = tuple(secrets)
        self._clock = clock
        self._lock = threading.Lock()
        self._looped_at = clock()
        self._parts: dict[str, tuple[State, str, float]] = {}
        for name in parts:
            self.part(name, "failed", "has not reported yet")

    def loop_finished(self, now: float) -> None:
        """The loop has finished a round at ``now`` [s, UNIX time]."""
        metrics.LOOP_TIME.set(now)
        with self._lock:
            self._looped_at = self._clock()

    def part(self, name: str, state: State, reason: str = "") -> None:
        """How a part is: ``degraded`` works with less than it should have, ``failed`` does not work."""
        metrics.PART_READY.labels(name).set(_VALUES[state])
        with self._lock:
            self._parts[name] = (state, scrubbed(reason, self._secrets), self._clock())

    def liveness(self) -> Liveness:
        with self._lock:
            return Liveness(self._clock() - self._looped_at, self._limit)

    def parts(self) -> dict[str, Part]:
        """Each part by its name; the loop is one of them."""
        live = self.liveness()
        loop = Part("ok", "", live.age)
        if not live.alive:
            loop = Part("failed", f"no round finished for {live.age:.0f} s", live.age)
        with self._lock:
            now = self._clock()
            told = {
                name: Part(state, reason, now - at)
                for name, (state, reason, at) in self._parts.items()
            }
        return {"loop": loop, **told}
