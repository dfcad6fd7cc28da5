"""Forgetting what nobody needs any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select, tuple_

from relayer.store import tables
from relayer.store.transactions import FINAL, REVERTED, SUPERSEDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

    from relayer.store import Store

DAY: Final = 86_400
_ROWS: Final = 2_000  # a few hundredths of a second, in which nobody else can write
_BREATH: Final = 0.01  # in which others get their turn [s]

_READINGS = tables.readings.c
_FEEDS = tables.bundle_feeds.c
_OVER: Final = (FINAL, REVERTED, SUPERSEDED)


def prune(
    store: Store, now: float, keep_days: float, keep_from: Mapping[bytes, int]
) -> dict[str, int]:
    """See :meth:`.Store.prune`."""
    before = now - keep_days * DAY
    unread = store.readings.forget_unread(keep_from)
    return {
        "readings": unread + _readings(store, before, keep_from),
        "bundles": _bundles(store, before, keep_from),
        "transactions": _transactions(store, before),
        "samples": _samples(store, before),
    }


def _readings(store: Store, before: float, keep_from: Mapping[bytes, int]) -> int:
    place = tuple_(_READINGS.read_at, _READINGS.feed, _READINGS.interval)
    old = _READINGS.read_at < before
    statement = delete(tables.readings).where(
        _READINGS.feed == bindparam("of"), _READINGS.interval == bindparam("number")
    )
    after: ColumnElement[bool] = _READINGS.read_at.is_not(None)
    gone = 0
    while True:
        query = (
            select(_READINGS.read_at, _READINGS.feed, _READINGS.interval)
            .where(old, after)
            .order_by(_READINGS.read_at, _READINGS.feed, _READINGS.interval)
            .limit(_ROWS)
        )
        with store.reading() as db:
            rows = db.execute(query).all()
        if not rows:
            return gone
        after = place > tuple(rows[-1])
        needless = [
            {"of": row.feed, "number": row.interval}
            for row in rows
            if row.feed not in keep_from or row.interval < keep_from[row.feed]
        ]
        if needless:
            with store.writing() as db:
                db.execute(statement, needless)
            gone += len(needless)
            time.sleep(_BREATH)


def _bundles(store: Store, before: float, keep_from: Mapping[bytes, int]) -> int:
    bundles = tables.bundles.c
    last, gone = 0, 0
    while True:
        query = (
            select(bundles.id)
            .where(bundles.signed_at < before, bundles.id > last)
            .order_by(bundles.id)
            .limit(_ROWS // 10)
        )
        with store.reading() as db:
            ids = set(db.scalars(query))
            needed = {
                row.bundle
                for row in db.execute(select(tables.bundle_feeds).where(_FEEDS.bundle.in_(ids)))
                if row.feed in keep_from and row.end > keep_from[row.feed]
            }
        if not ids:
            return gone
        last = max(ids)
        if needless := ids - needed:
            with store.writing() as db:
                db.execute(delete(tables.bundle_feeds).where(_FEEDS.bundle.in_(needless)))
                db.execute(delete(tables.bundles).where(bundles.id.in_(needless)))
            gone += len(needless)
            time.sleep(_BREATH)


def _transactions(store: Store, before: float) -> int:
    transactions = tables.transactions.c
    query = (
        select(transactions.id)
        .where(transactions.created_at < before, transactions.state.in_(_OVER))
        .limit(_ROWS)
    )
    gone = 0
    while True:
        with store.writing() as db:
            ids = list(db.scalars(query))
            attempts = tables.attempts.c.transaction_id.in_(ids)
            db.execute(delete(tables.attempts).where(attempts))
            db.execute(delete(tables.transactions).where(transactions.id.in_(ids)))
        if not ids:
            return gone
        gone += len(ids)
        time.sleep(_BREATH)


def _samples(store: Store, before: float) -> int:
    samples = tables.samples.c
    key = tuple_(samples.key, samples.at)
    some = select(samples.key, samples.at).where(samples.at < before).limit(_ROWS)
    gone = 0
    while True:
        with store.writing() as db:
            count = db.execute(delete(tables.samples).where(key.in_(some))).rowcount
        if not count:
            return gone
        gone += count
        time.sleep(_BREATH)
