"""Several reporters: bundles of many feeds, transactions of many calls with their attempts, leases; the chain id moves to meta.

What was read, sent and measured is kept. Answers from before have no digest: their evidence was not committed to with a salt.
Signed batches are dropped: they said what the answers say, and an answer never changes, so the reporter cannot contradict them.
"""

from __future__ import annotations

import json
import time
from itertools import groupby
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterator

revision = "0002"
down_revision = "0001"

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OLD = ("readings", "transactions", "samples")
_STATES = {"pending": "signed", "mined": "final", "reverted": "reverted"}


def upgrade() -> None:
    now = time.time()
    for name in _OLD:
        op.rename_table(name, f"old_{name}")
    _create_tables()
    _copy_rows()
    chain_id = op.get_bind().scalar(sa.text("SELECT max(chain_id) FROM schema"))
    facts = {"created_at": str(int(now))}
    if chain_id is not None:
        facts["chain_id"] = str(chain_id)
    meta = sa.table("meta", sa.column("key"), sa.column("value"))
    op.bulk_insert(meta, [{"key": key, "value": value} for key, value in facts.items()])
    for name in ("schema", "batches", *(f"old_{name}" for name in _OLD)):
        op.drop_table(name)
    _number_bundles_from(int(now * 1_000))


def _create_tables() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("key", name="meta_pk"),
    )
    op.create_table(
        "readings",
        sa.Column("feed", sa.LargeBinary),
        sa.Column("interval", Number),
        sa.Column("code", Number),
        sa.Column("source", sa.String),
        sa.Column("evidence", sa.LargeBinary),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("read_at", sa.Double),
        sa.Column("failures", Number, nullable=False),
        sa.Column("problem", sa.String),
        sa.Column("retry_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("feed", "interval", name="readings_pk"),
    )
    op.create_index("readings_by_time", "readings", ["read_at"])
    unread = sa.text("code IS NULL")
    op.create_index(
        "readings_unread",
        "readings",
        ["feed", "interval"],
        sqlite_where=unread,
        postgresql_where=unread,
    )
    op.create_table(
        "bundles",
        sa.Column("id", Number, autoincrement=True),
        sa.Column("oracle", sa.String, nullable=False),
        sa.Column("panel", sa.LargeBinary, nullable=False),
        sa.Column("reporter", Number, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("audience", sa.String),
        sa.Column("leaves", sa.LargeBinary, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("signed_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="bundles_pk"),
        sa.UniqueConstraint("digest", name="bundles_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("bundles_by_time", "bundles", ["signed_at"])
    op.create_index("bundles_by_reporter", "bundles", ["address", "id"])
    op.create_table(
        "bundle_feeds",
        sa.Column("bundle", Number, autoincrement=False),
        sa.Column("feed", sa.LargeBinary),
        sa.Column("first", Number, nullable=False),
        sa.Column("end", Number, nullable=False),
        sa.PrimaryKeyConstraint("bundle", "feed", name="bundle_feeds_pk"),
    )
    op.create_index("bundle_feeds_by_end", "bundle_feeds", ["feed", "end"])
    op.create_table(
        "transactions",
        sa.Column("id", Number, autoincrement=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("nonce", Number, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("items", sa.String, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("block", Number),
        sa.Column("block_hash", sa.LargeBinary),
        sa.Column("gas_used", Number),
        sa.Column("fee_paid", sa.String),
        sa.Column("mined_hash", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="transactions_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("transactions_by_state", "transactions", ["account", "state"])
    op.create_table(
        "attempts",
        sa.Column("id", Number, autoincrement=True),
        sa.Column("transaction_id", Number, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("max_fee", sa.String, nullable=False),
        sa.Column("priority_fee", sa.String, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="attempts_pk"),
        sa.UniqueConstraint("hash", name="attempts_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("attempts_by_transaction", "attempts", ["transaction_id"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("fence", Number, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="leases_pk"),
    )
    op.create_table(
        "samples",
        sa.Column("key", sa.String),
        sa.Column("at", Number),
        sa.Column("sample", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", "at", name="samples_pk"),
    )
    op.create_index("samples_by_time", "samples", ["at"])


def _copy_rows() -> None:
    kept = "feed, interval, code, source, evidence, read_at, failures, problem, retry_at"
    op.execute(f"INSERT INTO readings ({kept}) SELECT {kept} FROM old_readings")  # noqa: S608 - constants
    op.execute("INSERT INTO samples SELECT key, at, sample FROM old_samples")
    db = op.get_bind()
    old = db.execute(
        sa.text("SELECT * FROM old_transactions ORDER BY account, nonce, purpose, subject, id")
    )
    made = [_transaction(list(rows)) for _, rows in groupby(old, key=_call)]
    made.sort(key=lambda pair: pair[0]["id"])
    transactions, attempts = sa.table("transactions"), sa.table("attempts")
    for table, rows in (
        (transactions, [transaction for transaction, _ in made]),
        (attempts, [attempt for _, tried in made for attempt in tried]),
    ):
        if rows:
            for name in rows[0]:
                table.append_column(sa.column(name))
            op.bulk_insert(table, rows)


def _call(row: sa.Row[Any]) -> tuple[Any, ...]:
    """What all attempts of one transaction have in common."""
    return (row.account, row.nonce, row.purpose, row.subject)


def _transaction(rows: list[sa.Row[Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A transaction of today, from its attempts of yesterday. Of one that is in a block only that attempt is kept."""
    mined = next((row for row in rows if row.state in ("mined", "reverted")), None)
    pending = next((row for row in rows if row.state == "pending"), None)
    deciding = mined or pending
    first = rows[0]
    item = {
        "purpose": first.purpose,
        "subject": first.subject.hex(),
        "first": 0,
        "end": 0,
        "description": first.description,
    }
    transaction = {
        "id": first.id,
        "account": first.account,
        "nonce": first.nonce,
        "state": _STATES[deciding.state] if deciding else "superseded",
        "items": json.dumps([[item]]),
        "created_at": first.created_at,
        "block": mined.block if mined else None,
        "gas_used": mined.gas_used if mined else None,
    }
    return transaction, list(_attempts([mined] if mined else rows, first.id))


def _attempts(rows: list[sa.Row[Any]], transaction_id: int) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {
            "transaction_id": transaction_id,
            "hash": row.hash,
            "raw": row.raw,
            "max_fee": row.max_fee,
            "priority_fee": row.priority_fee,
            "created_at": row.created_at,
        }


def _number_bundles_from(number: int) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('bundles', {number})")  # noqa: S608 - a number
    else:
        op.execute(f"SELECT setval(pg_get_serial_sequence('bundles', 'id'), {number})")
