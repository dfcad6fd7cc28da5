"""Copies of a database: one file, the same for SQLite and PostgreSQL.

gzip'd lines of JSON::

    {"makegood": "backup", "revision": "0002", "chainId": 1, "madeAt": 1767225600, "tables": {"readings": ["feed", …], …}}
    ["readings", "0c…", 7, …]            a row: the table, then its columns; bytes are written as hexadecimal digits
    {"rows": {"readings": 1, …}, "sha256": "…"}     of all that stands before this line

Leases are left out: the processes that held them do not use the copy.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import LargeBinary, delete, func, insert, select, text

from relayer.errors import ConfigurationError, MakegoodError
from relayer.store import tables
from relayer.store.database import is_postgresql
from relayer.store.schema import REVISION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from gzip import GzipFile

    from sqlalchemy import Connection, Table

    from relayer.store import Store

_TABLES: Final = {
    name: table for name, table in tables.metadata.tables.items() if name != tables.leases.name
}
_NUMBERED: Final = (tables.bundles, tables.transactions, tables.attempts)
_ROWS: Final = 1_000
# What reading a file that was altered can come to.
_GARBAGE: Final = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds.

    :param chain_id: None: of a database that was never used.
    :param made_at: When it was made [s, UNIX time].
    :param rows: Number of rows of each table.
    """

    chain_id: int | None
    made_at: int
    rows: dict[str, int]


def backup(store: Store, file: Path) -> Copied:
    """Copy all that the database holds at this moment; others may go on writing to it.

    :param file: Replaced if it exists, and only by a whole copy.
    :raises MakegoodError: The file cannot be written; an older one is still there.
    """
    made_at = int(store.clock())
    chain_id = store.meta("chain_id")
    number = int(chain_id) if chain_id else None
    header = {
        "makegood": "backup",
        "revision": REVISION,
        "chainId": number,
        "madeAt": made_at,
        "tables": {name: list(table.columns.keys()) for name, table in _TABLES.items()},
    }
    with _written(file) as lines, store.reading() as db:
        if is_postgresql(db):
            db.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        rows = dict.fromkeys(_TABLES, 0)
        checksum = hashlib.sha256(_put(lines, header))
        for name, table in _TABLES.items():
            binary = _binary(table)
            found = db.execution_options(yield_per=_ROWS).execute(select(table))
            for row in found:
                checksum.update(_put(lines, [name, *_encoded(row, binary)]))
                rows[name] += 1
        _put(lines, {"rows": rows, "sha256": checksum.hexdigest()})
    return Copied(number, made_at, rows)


def restore(store: Store, file: Path) -> Copied:
    """Fill an empty database from a copy, wholly or not at all.

    The database that was lost may have signed other things since the copy was made, and to sign two different things for the
    same interval ends a reporter. So the time of the restore is noted as ``sign_from``: intervals that ended before it are not
    signed any more, unless what was signed is in the copy.

    :raises ConfigurationError: The database is not empty, or of another version than the copy.
    :raises MakegoodError: The copy cannot be read, or is damaged; nothing was written.
    """
    for _ in _Reader(file).rows():  # all of it is read and compared before anything is written
        pass
    now = store.clock()
    with store.writing() as db:
        _refuse_unless_empty(db, store.name)
        db.execute(delete(tables.meta))
        reader = _Reader(file)
        _insert(db, reader.rows())
        db.execute(delete(tables.meta).where(tables.meta.c.key == "sign_from"))
        db.execute(insert(tables.meta).values(key="sign_from", value=str(int(now) + 1)))
        for table in _NUMBERED:
            # Peers remember numbers of bundles that the lost database gave after the copy.
            least = int(now * 1_000) if table is tables.bundles else 0
            _number_from(db, table, least)
    return reader.copied


class _Reader:
    """The rows of a copy, and at their end the certainty that they are all there and as they were."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.copied = Copied(None, 0, {})

    def rows(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        try:
            with gzip.open(self._file, "rb") as lines:
                yield from self._rows(lines)
        except FileNotFoundError as error:
            raise ConfigurationError(f"{self._file}: there is no such file") from error
        except _GARBAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise MakegoodError(f"{self._file} cannot be read: {error.strerror}") from error
            raise self._damaged() from error

    def _rows(self, lines: Iterable[bytes]) -> Iterator[tuple[Table, dict[str, Any]]]:
        remaining = iter(lines)
        line = next(remaining, b"")
        header = json.loads(line)
        if header["makegood"] != "backup":
            raise self._damaged()
        if header["revision"] != REVISION:
            raise ConfigurationError(
                f"{self._file} was made of a database of version {header['revision']};"
                f" this makegood restores version {REVISION}",
                hint="restore it with the makegood that made it, then go on with this one",
            )
        binary = {name: _binary(_TABLES[name]) for name in header["tables"]}
        counts = dict.fromkeys(header["tables"], 0)
        checksum = hashlib.sha256(line)
        for line in remaining:
            row = json.loads(line)
            if isinstance(row, dict):
                break
            checksum.update(line)
            name, *cells = row
            counts[name] += 1
            yield _TABLES[name], _decoded(header["tables"][name], cells, binary[name])
        else:
            raise self._damaged()
        if row != {"rows": counts, "sha256": checksum.hexdigest()} or any(remaining):
            raise self._damaged()
        self.copied = Copied(header["chainId"], header["madeAt"], counts)

    def _damaged(self) -> MakegoodError:
        return MakegoodError(
            f"{self._file} is no whole copy: it was cut off or altered; nothing was restored",
            hint="take another copy; `makegood relayer backup` makes them",
        )


def _refuse_unless_empty(db: Connection, name: str) -> None:
    filled = [
        table.name
        for table in tables.metadata.sorted_tables
        if table not in (tables.meta, tables.leases) and db.execute(select(table).limit(1)).first()
    ]
    if filled:
        raise ConfigurationError(
            f"database {name} is not empty: it has {', '.join(filled)}",
            hint="restore into a new database: name another one, or move this one away",
        )


def _insert(db: Connection, rows: Iterable[tuple[Table, dict[str, Any]]]) -> None:
    waiting: list[dict[str, Any]] = []
    into: Table | None = None
    for table, row in rows:
        if waiting and into is not None and (table is not into or len(waiting) == _ROWS):
            db.execute(insert(into), waiting)
            waiting = []
        into = table
        waiting.append(row)
    if waiting and into is not None:
        db.execute(insert(into), waiting)


def _number_from(db: Connection, table: Table, least: int) -> None:
    last = max(least, db.scalar(select(func.max(table.c.id))) or 0)
    if not is_postgresql(db):
        db.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        statement = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"
    elif last:
        statement = "SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"
    else:
        return
    db.execute(text(statement), {"name": table.name, "last": last})


def _binary(table: Table) -> list[bool]:
    return [isinstance(column.type, LargeBinary) for column in table.columns]


def _encoded(row: Iterable[Any], binary: list[bool]) -> list[Any]:
    return [
        cell.hex() if is_binary and cell is not None else cell
        for cell, is_binary in zip(row, binary, strict=True)
    ]


def _decoded(columns: list[str], cells: list[Any], binary: list[bool]) -> dict[str, Any]:
    return {
        column: bytes.fromhex(cell) if is_binary and cell is not None else cell
        for column, cell, is_binary in zip(columns, cells, binary, strict=True)
    }


def _put(lines: GzipFile, value: Any) -> bytes:
    line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    lines.write(line)
    return line


@contextmanager
def _written(file: Path) -> Iterator[GzipFile]:
    """A file that takes its name when it is whole and on the disk. Nobody else may read it: it tells what private feeds hold."""
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
        temporary = Path(name)
        with os.fdopen(handle, "wb") as raw:
            with gzip.open(raw, "wb") as lines:
                yield lines
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(file)
        temporary = None
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise MakegoodError(
            f"{file} cannot be written: {error.strerror}",
            hint="name a file in a folder with space that this user can write to",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
