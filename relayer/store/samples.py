"""Samples of the relayer's own probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from relayer.store import tables
from relayer.store.database import insert_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.store import Store

_T = tables.samples.c


class StoredSamples:
    """Samples of a probe, kept until their interval is read: the ``SampleStore`` of :mod:`oracles`."""

    def __init__(self, store: Store, scope: str) -> None:
        self._store = store
        self._scope = scope

    def put(self, key: str, at: int, sample: bytes) -> None:
        """Keep a sample. A second one of the same second is dropped."""
        with self._store.writing() as db:
            row = {"key": self._scoped(key), "at": at, "sample": sample}
            db.execute(insert_new(db, tables.samples), row)

    def get(self, key: str, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Samples with ``start <= at < end``, ascending."""
        query = (
            select(_T.at, _T.sample)
            .where(_T.key == self._scoped(key), _T.at >= start, _T.at < end)
            .order_by(_T.at)
        )
        with self._store.reading() as db:
            return [(row.at, row.sample) for row in db.execute(query)]

    def _scoped(self, key: str) -> str:
        return f"{self._scope}:{key}"
