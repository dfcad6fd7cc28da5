"""What the relayer remembers: each step of a reading is written here before the next one begins.

A crash at any point is followed by a normal start: what is stored is resumed, what is not was never done. Times are UNIX
seconds. Feeds and agreements are named by their 32-byte ids.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DatabaseError, OperationalError

from relayer import schema as tables
from relayer.errors import ConfigurationError, MakegoodError
from relayer.protocol.report import SignedBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from sqlite3 import Connection as SQLiteConnection

    from sqlalchemy import Connection, Row

    from oracles import Reading

BUSY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class StoredReading:
    """One answer of this reporter, as it will be signed."""

    interval: int
    code: int
    evidence: bytes


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A signed transaction. Several of the same nonce are attempts of which one can be mined.

    :param state: ``pending``, ``mined``, ``reverted`` or ``superseded``.
    """

    id: int
    account: str
    nonce: int
    purpose: str
    subject: bytes
    description: str
    hash: bytes
    raw: bytes
    max_fee: int
    priority_fee: int
    state: str
    created_at: float
    block: int | None
    gas_used: int | None


class Store:
    """The relayer's database. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Open or create the database.

        :raises ConfigurationError: The file cannot be used, or a newer version made it.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"database {path}: the folder cannot be made: {error.strerror}",
                hint="set database in the configuration to a file in a writable folder",
            ) from error
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(self._engine, "connect", _configure)
        with self._errors():
            tables.metadata.create_all(self._engine)
            with self._engine.begin() as db:
                version = db.scalar(select(tables.schema.c.version))
                if version is None:
                    db.execute(insert(tables.schema).values(version=tables.SCHEMA_VERSION))
        if version is not None and version != tables.SCHEMA_VERSION:
            raise ConfigurationError(
                f"database {path} has version {version}; this makegood knows version {tables.SCHEMA_VERSION}",
                hint="install the makegood that made it, or name another file",
            )

    def bind(self, chain_id: int) -> None:
        """Make this the database of one chain.

        :raises ConfigurationError: It is another chain's already.
        """
        with self._errors(), self._engine.begin() as db:
            db.execute(
                update(tables.schema)
                .where(tables.schema.c.chain_id.is_(None))
                .values(chain_id=chain_id)
            )
            bound = db.scalar(select(tables.schema.c.chain_id))
        if bound != chain_id:
            raise ConfigurationError(
                f"database {self.path} belongs to chain {bound}, not to chain {chain_id}",
                hint="one relayer and one database for each chain: set database to another file",
            )

    def close(self) -> None:
        self._engine.dispose()

    # Steps 1 and 2: schedule, read

    def schedule(self, feed: bytes, intervals: Iterable[int]) -> None:
        """Note that these intervals have to be read. Those known already stay as they are."""
        rows = [{"feed": feed, "interval": number} for number in intervals]
        if rows:
            with self._errors(), self._engine.begin() as db:
                db.execute(sqlite_insert(tables.readings).on_conflict_do_nothing(), rows)

    def unread(self, feed: bytes, first: int, now: float) -> list[int]:
        """Scheduled intervals from ``first`` on that have no answer and are due for an attempt, ascending."""
        query = (
            select(tables.readings.c.interval)
            .where(tables.readings.c.feed == feed, tables.readings.c.interval >= first)
            .where(tables.readings.c.code.is_(None), tables.readings.c.retry_at <= now)
            .order_by(tables.readings.c.interval)
        )
        with self._errors(), self._engine.connect() as db:
            return list(db.scalars(query))

    def save_reading(self, feed: bytes, interval: int, code: int, reading: Reading) -> None:
        """Keep an answer. A second one for the same interval is dropped: the first one stands."""
        with self._errors(), self._engine.begin() as db:
            db.execute(
                update(tables.readings)
                .where(tables.readings.c.feed == feed, tables.readings.c.interval == interval)
                .where(tables.readings.c.code.is_(None))
                .values(
                    code=code,
                    source=reading.source,
                    evidence=reading.evidence,
                    read_at=time.time(),
                    problem=None,
                )
            )

    def save_failure(self, feed: bytes, interval: int, problem: str, retry_at: float) -> None:
        """Note that reading failed, and when to try again."""
        with self._errors(), self._engine.begin() as db:
            db.execute(
                update(tables.readings)
                .where(tables.readings.c.feed == feed, tables.readings.c.interval == interval)
                .where(tables.readings.c.code.is_(None))
                .values(failures=tables.readings.c.failures + 1, problem=problem, retry_at=retry_at)
            )

    def failures(self, feed: bytes, interval: int) -> int:
        """How many attempts to read the interval have failed."""
        query = select(tables.readings.c.failures).where(
            tables.readings.c.feed == feed, tables.readings.c.interval == interval
        )
        with self._errors(), self._engine.connect() as db:
            return db.scalar(query) or 0

    def readings(self, feed: bytes, first: int, limit: int) -> list[StoredReading]:
        """The answers from ``first`` on, without a gap, at most ``limit``."""
        query = (
            select(tables.readings.c.interval, tables.readings.c.code, tables.readings.c.evidence)
            .where(tables.readings.c.feed == feed, tables.readings.c.interval >= first)
            .where(tables.readings.c.interval < first + limit)
            .order_by(tables.readings.c.interval)
        )
        with self._errors(), self._engine.connect() as db:
            rows = db.execute(query).all()
        found: list[StoredReading] = []
        for row in rows:
            if row.interval != first + len(found) or row.code is None:
                break
            found.append(StoredReading(row.interval, row.code, row.evidence))
        return found

    def first_answered(self, feed: bytes, first: int) -> int | None:
        """The first interval from ``first`` on that has an answer."""
        query = select(func.min(tables.readings.c.interval)).where(
            tables.readings.c.feed == feed,
            tables.readings.c.interval >= first,
            tables.readings.c.code.is_not(None),
        )
        with self._errors(), self._engine.connect() as db:
            return db.execute(query).scalar_one_or_none()

    # Steps 3 and 4: sign, collect

    def save_batch(self, feed: bytes, batch: SignedBatch) -> None:
        """Keep a signed batch, our own or another reporter's."""
        with self._errors(), self._engine.begin() as db:
            db.execute(
                sqlite_insert(tables.batches).on_conflict_do_nothing(),
                {
                    "feed": feed,
                    "reporter": batch.reporter,
                    "first": batch.first,
                    "end": batch.end,
                    "readings": batch.readings,
                    "evidence": batch.evidence,
                    "signature": batch.signature,
                    "signed_at": time.time(),
                },
            )

    def longest_batches(self, feed: bytes, following: int) -> list[SignedBatch]:
        """Of each reporter, the signed batch that covers interval ``following`` and reaches farthest."""
        query = (
            select(tables.batches)
            .where(tables.batches.c.feed == feed, tables.batches.c.first <= following)
            .where(tables.batches.c.end > following)
            .order_by(
                tables.batches.c.reporter,
                tables.batches.c.end.desc(),
                tables.batches.c.first.desc(),
            )
        )
        with self._errors(), self._engine.connect() as db:
            rows = db.execute(query).all()
        longest: dict[int, SignedBatch] = {}
        for row in rows:
            batch = SignedBatch(row.reporter, row.first, row.readings, row.evidence, row.signature)
            longest.setdefault(row.reporter, batch)
        return list(longest.values())

    # Step 5: submit

    def save_transaction(
        self,
        *,
        account: str,
        nonce: int,
        purpose: str,
        subject: bytes,
        description: str,
        tx_hash: bytes,
        raw: bytes,
        max_fee: int,
        priority_fee: int,
        created_at: float,
    ) -> None:
        """Keep a signed transaction, before it is sent."""
        with self._errors(), self._engine.begin() as db:
            # After a reorganisation the very same bytes may be due again.
            db.execute(
                sqlite_insert(tables.transactions)
                .on_conflict_do_update(
                    index_elements=["hash"],
                    set_={
                        "state": "pending",
                        "created_at": created_at,
                        "block": None,
                        "gas_used": None,
                    },
                )
                .values(
                    account=account,
                    nonce=nonce,
                    purpose=purpose,
                    subject=subject,
                    description=description,
                    hash=tx_hash,
                    raw=raw,
                    max_fee=str(max_fee),
                    priority_fee=str(priority_fee),
                    state="pending",
                    created_at=created_at,
                )
            )

    def pending_transactions(self, account: str) -> list[StoredTransaction]:
        """All attempts of the one transaction that is in flight, oldest first."""
        query = (
            select(tables.transactions)
            .where(
                tables.transactions.c.account == account, tables.transactions.c.state == "pending"
            )
            .order_by(tables.transactions.c.id)
        )
        with self._errors(), self._engine.connect() as db:
            return [_transaction(row) for row in db.execute(query)]

    def resolve_transaction(
        self, mined: StoredTransaction, state: str, *, block: int, gas_used: int
    ) -> None:
        """One attempt is in a block; the others of its nonce never will be."""
        with self._errors(), self._engine.begin() as db:
            db.execute(
                update(tables.transactions)
                .where(tables.transactions.c.id == mined.id)
                .values(state=state, block=block, gas_used=gas_used)
            )
            _supersede(db, mined.account, mined.nonce)

    def supersede_transactions(self, account: str, nonce: int) -> None:
        """The nonce was used by something else: none of our attempts will ever be mined."""
        with self._errors(), self._engine.begin() as db:
            _supersede(db, account, nonce)

    def recent_transactions(self, limit: int) -> list[StoredTransaction]:
        """Newest first."""
        query = select(tables.transactions).order_by(tables.transactions.c.id.desc()).limit(limit)
        with self._errors(), self._engine.connect() as db:
            return [_transaction(row) for row in db.execute(query)]

    def prune_samples(self, before: int) -> None:
        """Forget samples from before ``before``; what was read from them is kept as evidence."""
        with self._errors(), self._engine.begin() as db:
            db.execute(delete(tables.samples).where(tables.samples.c.at < before))

    # What people ask

    def reading_summary(self, feed: bytes, first: int) -> dict[str, Any]:
        """Of the intervals from ``first`` on: how many wait for an answer, how many have one, the last problem."""
        counts = (
            select(
                func.count().filter(tables.readings.c.code.is_(None)).label("unread"),
                func.count().filter(tables.readings.c.code.is_not(None)).label("read"),
            )
            .select_from(tables.readings)
            .where(tables.readings.c.feed == feed, tables.readings.c.interval >= first)
        )
        newest = (
            select(tables.readings.c.problem)
            .where(tables.readings.c.feed == feed, tables.readings.c.problem.is_not(None))
            .order_by(tables.readings.c.interval.desc())
            .limit(1)
        )
        last = select(func.max(tables.readings.c.read_at)).where(tables.readings.c.feed == feed)
        with self._errors(), self._engine.connect() as db:
            row = db.execute(counts).one()
            return {
                "unread": row.unread,
                "read": row.read,
                "problem": db.scalar(newest),
                "lastReadAt": db.scalar(last),
            }

    # Samples of our own probes

    def samples(self, scope: str) -> StoredSamples:
        """Where a probe keeps its samples; each ``scope`` is a name space of its own."""
        return StoredSamples(self, scope)

    def _errors(self) -> _StoreErrors:
        return _StoreErrors(self.path)


class StoredSamples:
    """Samples of a probe, kept until their interval is read: the ``SampleStore`` of :mod:`oracles`."""

    def __init__(self, store: Store, scope: str) -> None:
        self._store = store
        self._scope = scope

    def put(self, key: str, at: int, sample: bytes) -> None:
        with self._store._errors(), self._store._engine.begin() as db:  # noqa: SLF001 - one class in two
            db.execute(
                sqlite_insert(tables.samples).on_conflict_do_nothing(),
                {"key": self._scoped(key), "at": at, "sample": sample},
            )

    def get(self, key: str, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        query = (
            select(tables.samples.c.at, tables.samples.c.sample)
            .where(tables.samples.c.key == self._scoped(key))
            .where(tables.samples.c.at >= start, tables.samples.c.at < end)
            .order_by(tables.samples.c.at)
        )
        with self._store._errors(), self._store._engine.connect() as db:  # noqa: SLF001 - one class in two
            return [(row.at, row.sample) for row in db.execute(query)]

    def _scoped(self, key: str) -> str:
        return f"{self._scope}:{key}"


class _StoreErrors:
    """Turns what SQLite says into an error that an operator can act on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, DatabaseError):
            return
        said = str(error.orig)
        if "locked" in said:
            hint = "another process holds it: stop that one, or name another file"
        elif "full" in said:
            hint = "free some space on that disk; nothing that was stored is lost"
        elif isinstance(error, OperationalError):
            hint = "check that the file and its folder can be written"
        else:
            hint = "it is damaged or no database: restore a copy, or name another file; the chain has the verdicts"
        raise MakegoodError(f"database {self._path}: {said}", hint=hint) from error


def _configure(connection: SQLiteConnection, _: object) -> None:
    # WAL lets `relayer status` read while the daemon writes. FULL: what is stored before a transaction is sent must
    # survive a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _supersede(db: Connection, account: str, nonce: int) -> None:
    db.execute(
        update(tables.transactions)
        .where(tables.transactions.c.account == account, tables.transactions.c.nonce == nonce)
        .where(tables.transactions.c.state == "pending")
        .values(state="superseded")
    )


def _transaction(row: Row[Any]) -> StoredTransaction:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return StoredTransaction(
        **fields | {"max_fee": int(fields["max_fee"]), "priority_fee": int(fields["priority_fee"])}
    )
