"""Which hosts were outside of the reporter's network before: it is kept beyond the end of a process.

A service that leads its name inside is down, and must not become unknown when a relayer restarts.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oracles.base import Clock, SampleStore

_DAY: Final = 86_400


class Outside:
    """A set of hosts in a store of samples, noted once a day: as long as samples are kept.

    May be used from several threads.
    """

    def __init__(self, store: SampleStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._noted: dict[str, int] = {}
        self._new: dict[str, int] = {}

    def add(self, host: str) -> None:
        """Takes effect at once, and is stored by `save`."""
        today = int(self._clock()) // _DAY
        if self._noted.get(host) != today:
            self._new[host] = today

    def __contains__(self, host: str) -> bool:
        if host in self._noted or host in self._new:
            return True
        return bool(self._store.get(_key(host), 0, int(self._clock()) + _DAY))

    def save(self) -> None:
        """Store what is new. Raises what the store raises."""
        for host, day in list(self._new.items()):
            self._store.put(_key(host), day * _DAY, b"outside")
            self._noted[host] = day
            self._new.pop(host, None)


def _key(host: str) -> str:
    return hashlib.sha256(b"outside " + host.encode()).hexdigest()
