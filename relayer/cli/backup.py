"""`makegood relayer backup` and `restore`: copies of the relayer's database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.output import output_options
from relayer.cli.session import session_options

if TYPE_CHECKING:
    from relayer.cli.session import Session
    from relayer.store.backup import Copied


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@session_options
@output_options
def backup(session: Session, file: Path) -> None:
    """Copy the database into FILE, also while the relayer runs.

    FILE fits SQLite and PostgreSQL alike, and is replaced if it exists. Only its owner may read it. It holds no key.
    """
    from relayer.store import Store
    from relayer.store import backup as copies

    store = Store(session.config.database_target())
    try:
        with session.output.working("copying the database"):
            copied = copies.backup(store, file)
    finally:
        store.close()
    _show(session, file, copied)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@session_options
@output_options
def restore(session: Session, file: Path) -> None:
    """Fill a new, empty database from FILE, which `makegood relayer backup` made.

    The relayer that used the old database must have ended for good. Intervals that ended before the restore are not signed
    any more, unless FILE says what was signed: to sign something else for them would be provable equivocation.
    """
    from relayer.store import Store
    from relayer.store import backup as copies

    store = Store(session.config.database_target())
    try:
        with session.output.working("restoring the database"):
            copied = copies.restore(store, file)
        sign_from = int(store.meta("sign_from") or 0)
    finally:
        store.close()
    _show(session, file, copied, signFrom=_time(sign_from))
    session.output.warn(
        f"Intervals that ended before {_time(sign_from)} will not be signed any more, unless this copy holds what was signed:"
        " the lost database may have signed other readings, and signing twice is provable equivocation."
        " Never start a relayer on the old database again."
    )


def _show(session: Session, file: Path, copied: Copied, **more: Any) -> None:
    data = {
        "file": str(file),
        "chainId": copied.chain_id,
        "madeAt": _time(copied.made_at),
        "rows": copied.rows,
        **more,
    }
    rows = ", ".join(f"{count:,} {name}" for name, count in copied.rows.items() if count)
    session.output.data(
        data,
        lambda: session.output.fields(
            [
                ("file", file),
                ("chain", copied.chain_id),
                ("made", data["madeAt"]),
                ("rows", rows or "none"),
            ]
        ),
    )


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
