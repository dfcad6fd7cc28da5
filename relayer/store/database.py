"""The connection to SQLite or PostgreSQL."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection as SQLiteConnection

    from sqlalchemy import Connection, Engine

BUSY_SECONDS: Final = 10
"""How long a step waits for another process or thread that writes."""
_ANSWER_SECONDS: Final = 60

READS: Final = "makegood_reads"
"""Execution option of connections that only read: on SQLite they wait for nobody."""


def connect(database: Path | str) -> tuple[Engine, str]:
    """An engine, and the database's name for messages, which has no user and no password.

    :param database: A file of SQLite, or a URL of PostgreSQL (``postgresql://user:password@host:5432/name``).
    :raises ConfigurationError: It is neither, or the file cannot be made.
    """
    if isinstance(database, str) and "://" in database:
        return _postgresql(database)
    return _sqlite(Path(database))


def insert_new(db: Connection, table: Table) -> Any:
    """An INSERT that leaves rows alone whose key is there already."""
    return insert_into(db, table).on_conflict_do_nothing()


def insert_into(db: Connection, table: Table) -> Any:
    """An INSERT that knows ``ON CONFLICT``, which both dialects spell alike but SQLAlchemy keeps apart."""
    return (postgresql if is_postgresql(db) else sqlite).insert(table)


def joined(db: Connection, rows: Iterable[tuple[bytes, int]]) -> Table:
    """A table of feeds and a number for each, ``feed`` and ``number``, to be joined with others; gone with the transaction."""
    wanted = Table(
        "wanted",
        MetaData(),
        Column("feed", LargeBinary, primary_key=True),
        Column("number", BigInteger, nullable=False),
        prefixes=["TEMPORARY"],
    )
    wanted.create(db)
    if new := [{"feed": feed, "number": number} for feed, number in sorted(rows)]:
        db.execute(wanted.insert(), new)
    return wanted


def is_postgresql(db: Connection | Engine) -> bool:
    return db.dialect.name == "postgresql"


def _sqlite(path: Path) -> tuple[Engine, str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"database {path}: the folder cannot be made: {error.strerror}",
            hint="set database in the configuration to a file in a writable folder",
        ) from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS},
        hide_parameters=True,  # errors are shown and logged
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine, str(path)


def _configure_sqlite(connection: SQLiteConnection, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by guessing
    # WAL lets `relayer status` read while the daemon writes. FULL: what is stored before a transaction is sent must
    # survive a power cut.
    connection.execute("PRAGMA synchronous=FULL")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _turn_on_wal(connection)


def _turn_on_wal(connection: SQLiteConnection) -> None:
    # Two processes that open a new file at the same time: SQLite does not wait for this one.
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except connection.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > last:
                raise
            time.sleep(0.05)
        else:
            return


def _begin_sqlite(db: Connection) -> None:
    # Whoever is going to write takes its place in the queue at once: who has read first could only be turned away.
    reads = db.get_execution_options().get(READS, False)
    db.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


def _postgresql(address: str) -> tuple[Engine, str]:
    allowed = "give a file, or a URL such as postgresql://user:password@host:5432/name"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigurationError("database: this URL cannot be read", hint=allowed) from None
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ConfigurationError(
            f"database: a relayer knows SQLite and PostgreSQL, not {url.drivername}", hint=allowed
        )
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,  # errors are shown and logged
            pool_pre_ping=True,  # a server that was restarted has forgotten our connections
            connect_args={
                "connect_timeout": BUSY_SECONDS,
                "tcp_user_timeout": _ANSWER_SECONDS * 1_000,
                "keepalives_idle": _ANSWER_SECONDS,
            },
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "database: PostgreSQL needs a package that is not installed",
            hint="pip install 'makegood[postgres]'",
        ) from error
    event.listen(engine, "connect", _configure_postgresql)
    where = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    return engine, f"postgresql://{where}/{url.database or ''}"


def _configure_postgresql(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        cursor.execute(f"SET statement_timeout = '{_ANSWER_SECONDS}s'")
    connection.commit()
