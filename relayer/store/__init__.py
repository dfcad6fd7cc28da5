"""What the relayer remembers: each step is written here before the next one begins.

A crash at any point is followed by a normal start: what is stored is resumed, what is not was never done. Times are UNIX
seconds. Feeds and agreements are named by their 32-byte ids.

============================  ================================================================
:attr:`Store.readings`        what has to be read, and the answers of monitoring services
:attr:`Store.bundles`         what was signed, by this reporter and by others
:attr:`Store.transactions`    what was sent
:attr:`Store.leases`          which process uses a key
:meth:`Store.samples`         what the relayer's own probes measured
============================  ================================================================
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from relayer.errors import ConfigurationError
from relayer.evidence.cipher import Cipher
from relayer.store import database, retention, schema, tables
from relayer.store.bundles import Bundles, StoredBundle
from relayer.store.errors import StoreUnavailable, translated
from relayer.store.leases import Lease, Leases
from relayer.store.readings import Answered, Due, Failed, Readings, StoredReading
from relayer.store.samples import StoredSamples
from relayer.store.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

__all__ = [
    "Answered",
    "Due",
    "Failed",
    "Lease",
    "Store",
    "StoreUnavailable",
    "StoredBundle",
    "StoredReading",
]


class Store:
    """The relayer's database. Safe to use from several threads, and from several processes.

    :param path_or_url: A file of SQLite, or a URL of PostgreSQL (``postgresql://user:password@host:5432/name``).
    :ivar name: The database as messages call it, without user and password.
    :ivar secrets: Texts that must not be stored with the words of a monitoring service that refuses.
    :ivar cipher: What raw answers and samples are encrypted with from now on; at first without keys, so that they are not.
    :raises ConfigurationError: It cannot be used, or a newer version made it.
    :raises StoreUnavailable: It cannot be reached now, or is damaged.
    """

    def __init__(self, path_or_url: Path | str, *, clock: Callable[[], float] = time.time) -> None:
        self.engine, self.name = database.connect(path_or_url)
        self.clock = clock
        self.secrets: Sequence[str] = ()
        self.cipher = Cipher()
        self._reader = self.engine.execution_options(**{database.READS: True})
        try:
            with self.errors():
                schema.bring_up_to_date(self.engine, self.name)
        except BaseException:
            self.engine.dispose()
            raise
        self._file = None if database.is_postgresql(self.engine) else str(self.engine.url.database)
        self._identity = self._file_now()
        self.readings = Readings(self)
        self.bundles = Bundles(self)
        self.transactions = Transactions(self)
        self.leases = Leases(self)

    def close(self) -> None:
        self.engine.dispose()

    def errors(self) -> AbstractContextManager[None]:
        """Turns errors of the database into StoreUnavailable."""
        return translated(self.name)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database and changes nothing."""
        with self.errors(), self._reader.connect() as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all that is done with the connection is stored, or, if something is raised, none of it."""
        self.check()
        with self.errors(), self.engine.begin() as db:
            yield db

    def check(self) -> None:
        """Whether the database is the one that was opened.

        :raises StoreUnavailable: Its file was deleted or replaced. The lease in it protects nobody any more.
        """
        if self._file_now() != self._identity:
            raise StoreUnavailable(
                f"database {self.name}: its file was deleted or replaced while this process used it",
                kind="replaced",
            )

    def _file_now(self) -> tuple[int, int] | None:
        """Which file stands under the database's name. SQLite would go on writing into one that has none any more."""
        if self._file is None:
            return None
        try:
            found = Path(self._file).stat()
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def bind(self, chain_id: int) -> None:
        """Make this the database of one chain.

        :raises ConfigurationError: It is another chain's already.
        """
        bound = self.meta("chain_id")
        if bound is None:
            with self.writing() as db:
                row = {"key": "chain_id", "value": str(chain_id)}
                db.execute(database.insert_new(db, tables.meta), row)
            bound = self.meta("chain_id")
        if bound != str(chain_id):
            raise ConfigurationError(
                f"database {self.name} belongs to chain {bound}, not to chain {chain_id}",
                hint="one relayer and one database for each chain: set database to another one",
            )

    def meta(self, key: str) -> str | None:
        """A fact about the database itself, see :data:`.tables.meta`."""
        with self.reading() as db:
            query = select(tables.meta.c.value).where(tables.meta.c.key == key)
            return db.execute(query).scalar_one_or_none()

    def set_meta(self, key: str, value: str) -> None:
        with self.writing() as db:
            statement = database.insert_into(db, tables.meta).values(key=key, value=value)
            db.execute(
                statement.on_conflict_do_update(index_elements=["key"], set_={"value": value})
            )

    def samples(self, scope: str) -> StoredSamples:
        """Where a probe keeps its samples; each ``scope`` is a name space of its own."""
        return StoredSamples(self, scope)

    def prune(
        self, now: float, keep_days: float, keep_from: Mapping[bytes, int] | None = None
    ) -> dict[str, int]:
        """Forget what nobody needs any more, in short steps between which others can write.

        :param keep_days: Age from which readings, bundles, transactions that are final, and samples are forgotten [days].
        :param keep_from: For each feed the chain's next interval. Whatever reaches that far stays, however old it is;
            what was to be read below it is forgotten at once.
        :returns: How many rows of each table went.
        """
        return retention.prune(self, now, keep_days, keep_from or {})
