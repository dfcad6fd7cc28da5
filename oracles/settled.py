"""Readings that no longer change, kept for whoever needs them again: a window that slides, say."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

    from oracles.base import Reading

_SIZE: Final = 64 * 1_048_576


class SettledReadings:
    """At most `count` readings with `size` bytes of evidence; the longest unused one goes first.

    May be used from several threads.
    """

    def __init__(self, count: int, size: int = _SIZE) -> None:
        self._count, self._size = count, size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Reading] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Reading | None:
        """The reading that was put under this key, if it is still there."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, reading: Reading) -> None:
        """Keep a reading that has settled. The first one of a key stands."""
        with self._lock:
            if key in self._kept or len(reading.evidence) > self._size:
                return
            self._kept[key] = reading
            self._bytes += len(reading.evidence)
            while len(self._kept) > self._count or self._bytes > self._size:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.evidence)
