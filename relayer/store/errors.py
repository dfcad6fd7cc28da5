"""What a database can say, in classes that an operator can act on. In each of them nothing that was stored is lost."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from relayer.errors import MakegoodError
from relayer.operations import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

HINTS: Final = {
    "locked": "another process holds it: wait for that one or end it, or name another database",
    "full": "free some space on that disk, then the relayer goes on by itself; nothing that was stored is lost",
    "read_only": "check that the database and its folder can be written by this user",
    "damaged": "it is damaged: end the relayer, move the file away with its -wal and -shm, and restore a copy with"
    " `makegood relayer restore`; the chain has the verdicts",
    "no_database": "this file is no database: name another one, or move it away",
    "unreachable": "check that the server runs and can be reached; the relayer goes on by itself when it answers",
    "refused": "check user, password, name and rights in the address that `database` gives",
    "disk": "check that disk: its space, its quota, its health; nothing that was stored is lost",
    "replaced": "end the relayer and restore a copy into a new database; an empty one would sign again what was signed",
    "other": "nothing was stored by this step; if it stays, please report it",
}
"""Kinds of trouble, and what to do."""

RETRYABLE: Final = frozenset({"locked", "full", "unreachable", "disk"})


class StoreUnavailable(MakegoodError):
    """The database cannot be used now. What was stored before stands; of the failed step nothing does.

    A commit whose answer was lost (a server that went away) may have been done: every step can be done again.

    :param kind: One of :data:`HINTS`.
    """

    exit_code = 8

    def __init__(self, message: str, *, kind: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or HINTS[kind])
        self.kind = kind

    @property
    def retryable(self) -> bool:
        """Whether it may pass by itself."""
        return self.kind in RETRYABLE


_SQLITE = (
    ("SQLITE_BUSY", "locked"),
    ("SQLITE_LOCKED", "locked"),
    ("SQLITE_FULL", "full"),
    ("SQLITE_READONLY", "read_only"),
    ("SQLITE_CANTOPEN", "read_only"),
    ("SQLITE_PERM", "read_only"),
    ("SQLITE_CORRUPT", "damaged"),
    ("SQLITE_NOTADB", "no_database"),
    ("SQLITE_IOERR", "disk"),
)
_POSTGRESQL = (
    ("53100", "full"),
    ("53", "unreachable"),  # out of connections or memory
    ("25006", "read_only"),
    ("55P03", "locked"),
    ("57014", "locked"),  # ran into our statement_timeout
    ("40", "locked"),  # deadlock, serialization
    ("57P", "unreachable"),  # shutting down, starting
    ("08", "unreachable"),
    ("28", "refused"),
    ("3D", "refused"),
    ("42501", "refused"),
    ("58", "disk"),
    ("XX001", "damaged"),
    ("XX002", "damaged"),
)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turns errors of the database called ``name`` into :class:`StoreUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        kind = _kind(error)
        metrics.STORE_ERRORS.labels(kind).inc()
        said = " ".join(str(error.orig).split())
        raise StoreUnavailable(f"database {name}: {said}", kind=kind) from error
    except PoolTimeoutError as error:
        metrics.STORE_ERRORS.labels("locked").inc()
        message = f"database {name}: all connections of this process are in use"
        raise StoreUnavailable(message, kind="locked") from error


def _kind(error: DBAPIError) -> str:
    if sqlite := getattr(error.orig, "sqlite_errorname", None):
        return next((kind for start, kind in _SQLITE if sqlite.startswith(start)), "other")
    if state := getattr(error.orig, "sqlstate", None):
        return next((kind for start, kind in _POSTGRESQL if state.startswith(start)), "other")
    # psycopg gives no code when there was nobody to give one.
    if error.connection_invalidated or type(error.orig).__name__ in _NO_SERVER:
        said = str(error.orig)
        refused = any(word in said for word in ("authentication failed", "does not exist"))
        return "refused" if refused else "unreachable"
    return "other"


_NO_SERVER = ("OperationalError", "ConnectionTimeout")
