"""What the daemon hands to workers: jobs of procrastinate, in a PostgreSQL schema of their own."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from procrastinate import SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job as QueuedJob
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from psycopg.conninfo import make_conninfo
from sqlalchemy import text

from oracles.base import Interval
from relayer.errors import ConfigurationError
from relayer.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from relayer.store import Store

SCHEMA: Final = "makegood_jobs"
"""procrastinate's tables lie here and not among the relayer's: nothing is lost with them, so no backup needs them."""
QUEUE: Final = "readings"
TASK: Final = "read"
MOST_FEEDS: Final = 200
"""Feeds of one job."""
DEAD_SECONDS: float = 30.0
"""A worker that was not heard for so long is dead: others do its jobs."""

_TABLES: Final = SchemaManager.get_schema()
_MARK: Final = f"makegood: tables {hashlib.sha256(_TABLES.encode()).hexdigest()[:16]}"
_LOCK: Final = 0x6D616B656A6F6273  # "makejobs"


class Wanted(NamedTuple):
    """A reading that is wanted.

    :param interval: Its number, counted by the feed.
    :param reporter: Whose reading: a place in the feed's panel. Reporters may have agreed on different services.
    """

    feed: bytes
    interval: int
    reporter: int


@dataclass(frozen=True)
class Job:
    """Readings of one monitoring service for one interval.

    :param place: Which one, if the interval has more feeds than fit into one job.
    :param wanted: At most :data:`MOST_FEEDS`.
    """

    source: str
    interval: Interval
    place: int
    wanted: tuple[Wanted, ...]

    @property
    def lock(self) -> str:
        """The same for the same work: it waits in the queue only once."""
        return f"{self.source}/{self.interval.start}-{self.interval.end}/{self.place}"

    def arguments(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "source": self.source,
            "interval": [self.interval.start, self.interval.end],
            "place": self.place,
            "wanted": [[feed.hex(), number, reporter] for feed, number, reporter in self.wanted],
        }

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Job:
        return cls(
            source=arguments["source"],
            interval=Interval(*arguments["interval"]),
            place=arguments["place"],
            wanted=tuple(
                Wanted(bytes.fromhex(feed), number, reporter)
                for feed, number, reporter in arguments["wanted"]
            ),
        )


class Jobs:
    """The queue, as the daemon sees it.

    :param store: Must be in PostgreSQL.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # It is never opened: every call is made on a connection of the store's.
        self._manager = JobManager(SyncPsycopgConnector())

    def install(self, *, replace: bool) -> None:
        """Make procrastinate's tables, if they are not there. Of several processes that do it at once, one does it.

        :param replace: Whether tables of another version of procrastinate are dropped, with what waits in them. Only the
            daemon may, since it hands over again what is unread.
        :raises ConfigurationError: Another version made them and ``replace`` is not set, or another program.
        """
        with self._transaction() as (db, raw):
            # However long another process makes them, and however long a worker holds them.
            raw.execute("SET LOCAL lock_timeout = 0")
            db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            exists = db.scalar(text("SELECT to_regnamespace(:name)"), {"name": SCHEMA}) is not None
            mark = _mark(db)
            if mark == _MARK:
                return
            if exists and not (mark or "").startswith("makegood: "):
                raise ConfigurationError(
                    f"database {self._store.name} has a schema {SCHEMA} of another program",
                    hint="give the relayer a database of its own",
                )
            if exists and not replace:
                raise ConfigurationError(
                    f"the jobs in database {self._store.name} are those of another version of procrastinate",
                    hint="install the same makegood and the same procrastinate for the daemon and its workers, and start "
                    "the daemon first",
                )
            raw.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            raw.execute(f"CREATE SCHEMA {SCHEMA}")
            raw.execute(f"SET LOCAL search_path TO {SCHEMA}")
            raw.execute(_TABLES)
            raw.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{_MARK}'")

    def defer(self, jobs: Sequence[Job]) -> None:
        """Hand over all of these jobs or none; what waits or is worked at already is not handed over twice."""
        if not jobs:
            return
        with self._transaction() as (db, raw):
            raw.execute(f"SET LOCAL search_path TO {SCHEMA}")
            waiting = _live(db)
            new = [_queued(job) for job in jobs if job.lock not in waiting]
            if new:
                try:
                    self._manager.batch_defer_jobs(new, connection=raw)
                except AlreadyEnqueued as error:
                    raise StoreUnavailable(
                        f"database {self._store.name}: another daemon hands over the same work",
                        kind="locked",
                    ) from error

    def live(self) -> set[str]:
        """The locks of all jobs that are not finished."""
        with self._store.reading() as db:
            return _live(db)

    def workers(self, dead_seconds: float = DEAD_SECONDS) -> int:
        """How many workers said lately that they live."""
        query = text(
            f"SELECT count(*) FROM {SCHEMA}.procrastinate_workers"  # noqa: S608 - no input
            " WHERE last_heartbeat >= now() - make_interval(secs => :seconds)"
        )
        with self._store.reading() as db:
            return db.scalar(query, {"seconds": dead_seconds}) or 0

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, psycopg.Connection[Any]]]:
        with self._store.writing() as db:
            raw: Any = db.connection.driver_connection
            try:
                yield db, raw
            except (ConnectorException, psycopg.Error) as error:
                raise StoreUnavailable(
                    f"database {self._store.name}: {_reason(error)}", kind="unreachable"
                ) from error


def address(store: Store) -> str:
    """How procrastinate's own connections reach the queue. Holds the database's password."""
    engine = store.engine
    _, given = engine.dialect.create_connect_args(engine.url)
    options = f"{given.pop('options', '')} -c search_path={SCHEMA}".strip()
    return make_conninfo(
        "",
        **{name: value for name, value in given.items() if isinstance(value, str | int)},
        options=options,
        connect_timeout=10,
        tcp_user_timeout=60_000,
    )


def _queued(job: Job) -> QueuedJob:
    return QueuedJob(
        queue=QUEUE,
        task_name=TASK,
        lock=None,
        queueing_lock=job.lock,
        task_kwargs=job.arguments(),
    )


def _live(db: Connection) -> set[str]:
    query = text(
        f"SELECT queueing_lock FROM {SCHEMA}.procrastinate_jobs"  # noqa: S608 - no input
        " WHERE queue_name = :queue AND status IN ('todo', 'doing')"
    )
    return set(db.scalars(query, {"queue": QUEUE}))


def _mark(db: Connection) -> str | None:
    query = text("SELECT obj_description(to_regnamespace(:name)::oid, 'pg_namespace')")
    mark: str | None = db.scalar(query, {"name": SCHEMA})
    return mark


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return type(cause).__name__
