"""The tables of the relayer's database. Times are UNIX seconds; feeds and agreements are named by their 32-byte ids."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

SCHEMA_VERSION = 1

metadata = MetaData()

schema = Table(
    "schema",
    metadata,
    Column("version", Integer, primary_key=True),
    # Feeds, nonces and transactions mean nothing on another chain.
    Column("chain_id", Integer),
)

readings = Table(
    "readings",
    metadata,
    Column("feed", LargeBinary, primary_key=True),
    Column("interval", Integer, primary_key=True),
    # Null until it was read; never changed afterwards: a reporter has one answer for an interval.
    Column("code", Integer),
    Column("source", String),
    Column("evidence", LargeBinary),
    Column("read_at", Float),
    Column("failures", Integer, nullable=False, default=0),
    Column("problem", String),
    Column("retry_at", Float, nullable=False, default=0),
)

batches = Table(
    "batches",
    metadata,
    Column("feed", LargeBinary, primary_key=True),
    Column("reporter", Integer, primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("end", Integer, primary_key=True),
    Column("readings", LargeBinary, nullable=False),
    Column("evidence", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("signed_at", Float, nullable=False),
    Index("batches_by_end", "feed", "end"),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", String, nullable=False, index=True),
    Column("nonce", Integer, nullable=False),
    Column("purpose", String, nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("description", String, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee", String, nullable=False),
    Column("priority_fee", String, nullable=False),
    # pending, mined, reverted, superseded
    Column("state", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("block", Integer),
    Column("gas_used", Integer),
)

samples = Table(
    "samples",
    metadata,
    Column("key", String, primary_key=True),
    Column("at", Integer, primary_key=True),
    Column("sample", LargeBinary, nullable=False),
)
