"""The tables of version 1."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "schema",
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("chain_id", sa.Integer),
    )
    op.create_table(
        "readings",
        sa.Column("feed", sa.LargeBinary, primary_key=True),
        sa.Column("interval", sa.Integer, primary_key=True),
        sa.Column("code", sa.Integer),
        sa.Column("source", sa.String),
        sa.Column("evidence", sa.LargeBinary),
        sa.Column("read_at", sa.Float),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem", sa.String),
        sa.Column("retry_at", sa.Float, nullable=False),
    )
    op.create_table(
        "batches",
        sa.Column("feed", sa.LargeBinary, primary_key=True),
        sa.Column("reporter", sa.Integer, primary_key=True),
        sa.Column("first", sa.Integer, primary_key=True),
        sa.Column("end", sa.Integer, primary_key=True),
        sa.Column("readings", sa.LargeBinary, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("signed_at", sa.Float, nullable=False),
        sa.Index("batches_by_end", "feed", "end"),
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("account", sa.String, nullable=False, index=True),
        sa.Column("nonce", sa.Integer, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("max_fee", sa.String, nullable=False),
        sa.Column("priority_fee", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("block", sa.Integer),
        sa.Column("gas_used", sa.Integer),
    )
    op.create_table(
        "samples",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("at", sa.Integer, primary_key=True),
        sa.Column("sample", sa.LargeBinary, nullable=False),
    )
