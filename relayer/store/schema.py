"""Making the tables, and bringing those of older versions up to date.

Happens whenever a database is opened, in one transaction: a crash in the middle leaves the old tables. Of several processes
that start at once one does it and the others wait.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, select, text

from relayer.errors import ConfigurationError
from relayer.store import tables
from relayer.store.database import READS, is_postgresql

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

REVISION: Final = "0002"
"""The newest of the revisions in ``migrations/versions``."""

_FIRST: Final = "0001"
_LOCK: Final = 0x6D616B65676F6F64  # "makegood"


def bring_up_to_date(engine: Engine, name: str) -> None:
    """Make or migrate the tables.

    :param name: The database's name for messages.
    :raises ConfigurationError: A newer version made them, or another program.
    """
    with engine.execution_options(**{READS: True}).connect() as db:
        if _revision(db) == REVISION:
            return
    with engine.begin() as db:
        if is_postgresql(db):
            # However long another process migrates, and however long we do.
            db.execute(text("SET LOCAL lock_timeout = 0"))
            db.execute(text("SET LOCAL statement_timeout = 0"))
            db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _revision(db)
        if found != REVISION:
            _migrate(db, found, name)


def migrate(db: Connection, revision: str = REVISION) -> None:
    """Go on from the revision that the database has to a later one, inside of the connection's transaction."""
    from alembic import command  # noqa: PLC0415 - half a second that only a new or an old database needs

    command.upgrade(configuration(db), revision)


def configuration(db: Connection | None = None) -> Config:
    """Alembic's settings, as others keep them in an ``alembic.ini``."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": db})
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _migrate(db: Connection, found: str | None, name: str) -> None:
    if found is None:
        existing = set(inspect(db).get_table_names())
        if "schema" in existing:
            found = _stamp_first(db, name)
        elif taken := sorted(existing & set(tables.metadata.tables)):
            raise ConfigurationError(
                f"database {name} has tables of another program: {', '.join(taken)}",
                hint="give the relayer a database of its own",
            )
    if found is not None and not _FIRST <= found < REVISION:
        raise ConfigurationError(
            f"database {name} has version {found}; this makegood knows versions up to {REVISION}",
            hint="install the makegood that made it, or name another database",
        )
    migrate(db)


def _stamp_first(db: Connection, name: str) -> str:
    """Databases of the first version counted their versions themselves."""
    version = db.scalar(text("SELECT version FROM schema"))
    if version != 1:
        raise ConfigurationError(
            f"database {name} has version {version}; this makegood knows version 1 and those after {_FIRST}",
            hint="install the makegood that made it, or name another database",
        )
    from alembic import command  # noqa: PLC0415

    command.stamp(configuration(db), _FIRST)
    return _FIRST


def _revision(db: Connection) -> str | None:
    if not inspect(db).has_table("alembic_version"):
        return None
    revision: str | None = db.execute(
        select(text("version_num")).select_from(text("alembic_version"))
    ).scalar_one_or_none()
    return revision
