"""Encrypting what is stored: from now on, and what is in the database already.

The latter after a key was set for the first time, or another one took its place. It runs while a relayer works, too: a row is replaced only if it still is what was read, answers and samples never change, and
others write between the short steps. What cannot be opened stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import bindparam, select, text, tuple_, update

from relayer.evidence.cipher import Cipher, Unreadable, evidence_place, sample_place, sealed_with
from relayer.store import tables
from relayer.store.database import is_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Column, Select, Table

    from relayer.config import Configuration
    from relayer.store import Store

log = structlog.get_logger(__name__)

_ROWS: Final = 500


@dataclass(slots=True)
class Encrypted:
    """What became of the rows of a table.

    :param changed: Rows that are encrypted with the first key now.
    :param current: Rows that were so before.
    :param unreadable: Rows whose key is not configured, or that were altered.
    """

    changed: int = 0
    current: int = 0
    unreadable: int = 0


def protect(store: Store, config: Configuration) -> None:
    """Encrypt what is stored from now on, if a key is configured, and keep secrets out of it. Says if an old key is missing."""
    store.cipher = Cipher(config.evidence_keys())
    store.secrets = config.secrets()
    if (lost := unopened(store)) is not None:
        log.warning(
            f"stored evidence is encrypted with key {lost}, which is not configured: it cannot be handed over",
            action="evidence_unreadable",
            hint="add the old key to evidenceKey, after the new one; readings are signed and reported all the same",
        )


def encrypt(store: Store, done: Callable[[int], None] = lambda _: None) -> dict[str, Encrypted]:
    """Seal all evidence and samples as the store's cipher would seal them today.

    :param done: Told after each step how many rows were looked at.
    :returns: By table.
    """
    readings, samples = tables.readings.c, tables.samples.c
    found = {
        "readings": _encrypt(
            store,
            (readings.feed, readings.interval),
            readings.evidence,
            lambda feed, interval: evidence_place(bytes(feed), interval),
            done,
        ),
        "samples": _encrypt(
            store,
            (samples.key, samples.at),
            samples.sample,
            sample_place,
            done,
        ),
    }
    if any(each.changed for each in found.values()):
        _forget_old_pages(store)
    return found


def unopened(store: Store) -> str | None:
    """The name of the key that the newest answer was encrypted with, if the store's cipher does not have it."""
    columns = tables.readings.c
    newest = select(columns.evidence).where(columns.read_at.is_not(None))
    with store.reading() as db:
        stored = db.scalar(newest.order_by(columns.read_at.desc()).limit(1))
    name = sealed_with(bytes(stored)) if stored else None
    return None if name in store.cipher.names else name


def _encrypt(
    store: Store,
    key: tuple[Column[Any], Column[Any]],
    value: Column[Any],
    place: Callable[[Any, Any], bytes],
    done: Callable[[int], None],
) -> Encrypted:
    table: Table = value.table
    query: Select[Any] = select(*key, value).where(value.is_not(None)).order_by(*key).limit(_ROWS)
    statement = (
        update(table)
        .where(key[0] == bindparam("one"), key[1] == bindparam("other"))
        .where(value == bindparam("before"))
        .values({value: bindparam("after")})
    )
    result = Encrypted()
    looked_at = 0
    page = query
    while True:
        with store.reading() as db:
            rows = [(one, other, bytes(stored)) for one, other, stored in db.execute(page)]
        if not rows:
            return result
        page = query.where(tuple_(*key) > rows[-1][:2])
        changes = []
        for one, other, stored in rows:
            if store.cipher.is_current(stored):
                result.current += 1
                continue
            try:
                plain = store.cipher.open(stored, place(one, other))
            except Unreadable:
                result.unreadable += 1
                continue
            sealed = store.cipher.seal(plain, place(one, other))
            changes.append({"one": one, "other": other, "before": stored, "after": sealed})
        if changes:
            with store.writing() as db:
                if not is_postgresql(db):
                    db.execute(text("PRAGMA secure_delete = ON"))
                db.execute(statement, changes)
            result.changed += len(changes)
        looked_at += len(rows)
        done(looked_at)


def _forget_old_pages(store: Store) -> None:
    """SQLite's journal has the old rows until it begins anew. If somebody reads just now, it will do so by itself later."""
    with store.errors(), store.engine.connect() as db:
        if not is_postgresql(db):
            db.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
