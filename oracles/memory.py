"""Samples kept in memory: for whoever looks at a probe, and needs nothing to outlive the look."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemorySampleStore:
    """A SampleStore that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: dict[str, dict[int, bytes]] = {}

    def put(self, key: str, at: int, sample: bytes) -> None:
        with self._lock:
            self._samples.setdefault(key, {}).setdefault(at, sample)

    def get(self, key: str, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        with self._lock:
            samples = sorted(self._samples.get(key, {}).items())
        return samples[bisect_left(samples, (start,)) : bisect_left(samples, (end,))]

    def taken(self) -> list[bytes]:
        """All samples there are, of any question."""
        with self._lock:
            return [sample for samples in self._samples.values() for sample in samples.values()]
