"""Calls that fail on the chain although their simulation passed: they rest, and longer every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relayer.errors import Reverted
from relayer.packing import Outgoing, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from relayer.operations.alerts import Alerts
    from relayer.store.transactions import Item

ALERT_AFTER: Final = 3
LONGEST: Final = 3_600


class Setbacks:
    """How often work failed in a row, by purpose and subject, and when it may be tried again.

    Kept in memory: after a restart everything may be tried once more.
    """

    def __init__(self, alerts: Alerts, clock: Callable[[], float]) -> None:
        self._alerts = alerts
        self._clock = clock
        self._failed: dict[tuple[str, bytes], tuple[int, float]] = {}

    def sort(self, calls: Iterable[Outgoing]) -> tuple[list[Refused], list[Outgoing]]:
        """Calls of which something rests, and those that may be sent."""
        now = self._clock()
        self._forget_idle(now)
        resting, ready = [], []
        for outgoing in calls:
            failed = [self._failed.get(_key(item), (0, 0.0)) for item in outgoing.items]
            count, again_at = max(failed, key=lambda one: one[1])
            if now < again_at:
                said = f"failed {count} times in a row although its simulation passed"
                resting.append(Refused(outgoing, Reverted(said)))
            else:
                ready.append(outgoing)
        return resting, ready

    def add(self, items: Sequence[Item], reason: str) -> None:
        """It was paid for and did nothing. Once may be bad luck; from the second time on it rests."""
        for key, item in {_key(item): item for item in items}.items():
            count = self._failed.get(key, (0, 0.0))[0] + 1
            pause = min(LONGEST, 60 * 2**count) if count > 1 else 0
            self._failed[key] = (count, self._clock() + pause)
            if count >= ALERT_AFTER:
                said = f"{item.description}: failed {count} times in a row: {reason}"
                self._alerts.fire("call_fails", _name(key), said)

    def clear(self, items: Sequence[Item]) -> None:
        """It worked."""
        for item in items:
            self._forget(_key(item))

    def _forget_idle(self, now: float) -> None:
        """What nobody has tried for long was done by others, or has another first feed by now: no success will ever clear it."""
        for key in [key for key, (_, at) in self._failed.items() if now >= at + LONGEST]:
            self._forget(key)

    def _forget(self, key: tuple[str, bytes]) -> None:
        if self._failed.pop(key, None):
            self._alerts.clear("call_fails", _name(key))


def _key(item: Item) -> tuple[str, bytes]:
    return item.purpose, item.subject


def _name(key: tuple[str, bytes]) -> str:
    purpose, subject = key
    return f"{purpose} {subject.hex()[:16]}"
