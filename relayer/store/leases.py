"""Who may use a key: one process at a time, for as long as it goes on saying so."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import structlog
from sqlalchemy import select, text, update

from relayer.errors import KeyUnavailable
from relayer.store import tables
from relayer.store.database import insert_into, is_postgresql
from relayer.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from relayer.store import Store

log = structlog.get_logger(__name__)

LEASE_SECONDS = 30.0
_T = tables.leases.c


class Leases:
    """Rights that one holder has at a time.

    A ``fence`` counts how often a lease changed hands: of two that believe to hold it, the one with the smaller is wrong.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> float:
        """The clock by which leases expire: of a server that several machines use, the server's [s, UNIX time]."""
        if not is_postgresql(self._store.engine):
            return self._store.clock()
        with self._store.reading() as db:
            return float(
                db.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
            )

    def acquire(self, name: str, holder: str, seconds: float, now: float) -> int | None:
        """Take a lease that nobody has, or whose time is over. Who has it already gets it anew.

        :returns: Its fence, greater than any before; None if another one holds it.
        """
        return self._take(name, holder, seconds, now, from_holder=None)

    def take_over(
        self, name: str, gone: str, holder: str, seconds: float, now: float
    ) -> int | None:
        """As :meth:`acquire`, also from the holder ``gone``, of whom the caller knows that it is no more."""
        return self._take(name, holder, seconds, now, from_holder=gone)

    def renew(self, name: str, holder: str, fence: int, seconds: float, now: float) -> bool:
        """Hold on to a lease, even one whose time is over if nobody took it. False: another one has it now."""
        statement = (
            update(tables.leases)
            .where(_T.name == name, _T.holder == holder, _T.fence == fence)
            .values(expires_at=now + seconds)
        )
        with self._store.writing() as db:
            return db.execute(statement).rowcount == 1

    def release(self, name: str, holder: str) -> None:
        """Give a lease back. Nothing happens if another one holds it."""
        statement = (
            update(tables.leases)
            .where(_T.name == name, _T.holder == holder)
            # The row stays: its fence must go on growing.
            .values(expires_at=0.0)
        )
        with self._store.writing() as db:
            db.execute(statement)

    def holder(self, name: str) -> tuple[str, float] | None:
        """Who had a lease last, and until when [s, UNIX time]; 0: it was given back."""
        query = select(_T.holder, _T.expires_at).where(_T.name == name)
        with self._store.reading() as db:
            row = db.execute(query).one_or_none()
        return (row.holder, row.expires_at) if row else None

    def _take(
        self, name: str, holder: str, seconds: float, now: float, *, from_holder: str | None
    ) -> int | None:
        with self._store.writing() as db:
            statement = insert_into(db, tables.leases).values(
                name=name, holder=holder, fence=1, expires_at=now + seconds
            )
            statement = statement.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": holder, "fence": _T.fence + 1, "expires_at": now + seconds},
                where=(_T.expires_at <= now) | _T.holder.in_([holder, from_holder or holder]),
            ).returning(_T.fence)
            fence: int | None = db.execute(statement).scalar_one_or_none()
        return fence


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the holder of a lease: ``host:pid:started:mark``.

    :param started: When it took the lease [s, UNIX time].
    :param mark: Its machine, its name space, its own start, and a random part; empty parts are unknown.
    """

    host: str
    pid: int
    started: int
    mark: str

    @classmethod
    def this(cls, now: float) -> Process:
        pid = os.getpid()
        mark = f"{_machine()}.{_started(pid)}.{secrets.token_hex(4)}"
        return cls(socket.gethostname().replace(":", "_"), pid, int(now), mark)

    @classmethod
    def parse(cls, holder: str) -> Process | None:
        try:
            host, pid, started, mark = holder.split(":")
            return cls(host, int(pid), int(started), mark)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}:{self.mark}"

    def alive(self) -> bool | None:
        """Whether it still runs; None if that cannot be known here."""
        machine, started, _ = [*self.mark.split("."), "", ""][:3]
        if not machine or not started or machine != _machine():
            return None
        return _started(self.pid) == started


class Lease:
    """The exclusive right of this process to use a key: a context manager that renews it in a thread of its own.

    What is wrong with a clock does no harm: the right ends, in the eyes of its holder, by a clock that nobody can set; on
    PostgreSQL the server's clock decides for all; and on one machine the lease of a process that still runs is not taken.

    :param account: Checksum address of the key; the lease is named after it.
    :param on_lost: Called, in that thread, when another process has taken the lease: stop using the key.
    """

    def __init__(
        self,
        store: Store,
        account: str,
        *,
        seconds: float = LEASE_SECONDS,
        on_lost: Callable[[], None] | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._account = account
        self._seconds = seconds
        self._on_lost = on_lost
        self._steady = steady
        self._holder = ""
        self._fence: int | None = None
        self._until = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether this process may use the key now."""
        return self._fence is not None and self._steady() < self._until

    def __enter__(self) -> Self:
        """Take the lease.

        :raises KeyUnavailable: Another process uses the key.
        """
        leases, asked = self._store.leases, self._steady()
        now = leases.now()
        self._holder = str(Process.this(now))
        found = leases.holder(self._account)
        # One that was given back has no holder to ask about.
        previous = Process.parse(found[0]) if found and found[1] else None
        alive = previous.alive() if previous else None
        if found and alive:
            self._refuse(found[0])
        if found and alive is False:
            fence = leases.take_over(self._account, found[0], self._holder, self._seconds, now)
        else:
            fence = leases.acquire(self._account, self._holder, self._seconds, now)
        if fence is None:
            holder = leases.holder(self._account)
            self._refuse(holder[0] if holder else "")
        self._fence, self._until = fence, asked + self._seconds
        self._stop.clear()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._fence = None
        # If the database is away it ends by itself.
        with suppress(StoreUnavailable):
            self._store.leases.release(self._account, self._holder)

    def renew(self) -> bool:
        """Say once more that this process uses the key. False: it must not any more.

        :raises StoreUnavailable: Nobody knows.
        """
        if self._fence is None:
            return False
        leases, asked = self._store.leases, self._steady()
        if leases.renew(self._account, self._holder, self._fence, self._seconds, leases.now()):
            self._until = asked + self._seconds
            return True
        self._fence = None
        log.error("another process took the key", action="lease_lost", account=self._account)
        if self._on_lost is not None:
            self._on_lost()
        return False

    def _keep(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            try:
                if not self.renew():
                    return
            except StoreUnavailable as error:
                log.warning("lease not renewed", action="lease_unconfirmed", problem=error.message)

    def _refuse(self, holder: str) -> None:
        process = Process.parse(holder)
        if process is None:
            who, what = f"another process ({holder})", "end that process"
        else:
            since = datetime.fromtimestamp(process.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            who = f"process {process.pid} on {process.host} since {since}"
            what = f"end process {process.pid} on {process.host}"
        raise KeyUnavailable(
            f"key {self._account} is used by {who}: one process at a time, so that no two sign or send different things",
            hint=f"{what}, or give this relayer another key; if that process died,"
            f" its claim ends within {self._seconds:g} s",
        )


def _machine() -> str:
    """Marks of the running system and of the name space in which process ids mean something here; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return ""
    return f"{boot[:8]}-{space}"


def _started(pid: int) -> str:
    """When a process started, in ticks of the machine; empty if there is none, or it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
