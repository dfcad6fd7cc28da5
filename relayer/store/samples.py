"""Samples of the relayer's own probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from relayer.evidence.cipher import Unreadable, sample_place
from relayer.store import tables
from relayer.store.database import insert_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.store import Store

log = structlog.get_logger(__name__)

_T = tables.samples.c


class StoredSamples:
    """Samples of a probe, kept until their interval is read: the ``SampleStore`` of :mod:`oracles`."""

    def __init__(self, store: Store, scope: str) -> None:
        self._store = store
        self._scope = scope

    def put(self, key: str, at: int, sample: bytes) -> None:
        """Keep a sample. A second one of the same second is dropped."""
        scoped = self._scoped(key)
        sealed = self._store.cipher.seal(sample, sample_place(scoped, at))
        with self._store.writing() as db:
            row = {"key": scoped, "at": at, "sample": sealed}
            db.execute(insert_new(db, tables.samples), row)

    def get(self, key: str, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Samples with ``start <= at < end``, ascending.

        Those whose key is lost are left out: what cannot be read was not measured.
        """
        scoped = self._scoped(key)
        query = (
            select(_T.at, _T.sample)
            .where(_T.key == scoped, _T.at >= start, _T.at < end)
            .order_by(_T.at)
        )
        with self._store.reading() as db:
            rows = db.execute(query).all()
        samples: list[tuple[int, bytes]] = []
        lost: list[Unreadable] = []
        for row in rows:
            try:
                sample = self._store.cipher.open(bytes(row.sample), sample_place(scoped, row.at))
            except Unreadable as error:
                lost.append(error)
            else:
                samples.append((row.at, sample))
        if lost:
            log.warning(
                "samples left out",
                action="evidence_unreadable",
                source=self._scope,
                samples=len(lost),
                problem=lost[0].message,
                hint=lost[0].hint or "",
            )
        return samples

    def _scoped(self, key: str) -> str:
        return f"{self._scope}:{key}"
