"""The tables of the relayer's database, on SQLite and PostgreSQL alike. :mod:`.migrations` makes them.

Times are UNIX seconds. Feeds and agreements are named by their 32-byte ids; accounts by their checksum addresses.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

metadata = MetaData(naming_convention={"pk": "%(table_name)s_pk"})

Number = BigInteger().with_variant(Integer(), "sqlite")
"""Whole numbers, numbers of intervals too (32 bits without sign). Only an ``INTEGER`` counts by itself in SQLite."""


def _id() -> Column[int]:
    return Column("id", Number, primary_key=True, autoincrement=True)


meta = Table(
    "meta",
    metadata,
    # chain_id: feeds, nonces and transactions mean nothing on another chain.
    # created_at: when this database was made.
    # sign_from: set by a restore. An interval that ended before may have been signed by the database that was lost.
    # peer <address> <signer>: the last bundle of the signer that was read from a peer.
    # equivocation <oracle> <panel> <address>: a feed and an interval of it for which the reporter signed two answers.
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

readings = Table(
    "readings",
    metadata,
    Column("feed", LargeBinary, primary_key=True),
    Column("interval", Number, primary_key=True),
    # Null until it was read; never changed afterwards: a reporter has one answer for an interval.
    Column("code", Number),
    Column("source", String),
    Column("evidence", LargeBinary),
    # What stands for the evidence in what is signed; null in answers of version 1, which kept none.
    Column("digest", LargeBinary),
    Column("read_at", Double),
    Column("failures", Number, nullable=False),
    Column("problem", String),
    Column("retry_at", Double, nullable=False),
    Index("readings_by_time", "read_at"),
    Index(
        "readings_unread",
        "feed",
        "interval",
        sqlite_where=text("code IS NULL"),
        postgresql_where=text("code IS NULL"),
    ),
)

bundles = Table(
    "bundles",
    metadata,
    # Peers remember the highest that they have seen: never used twice, and begun at the time [ms] at which the database was
    # made or restored, so that its successor's are higher.
    _id(),
    Column("oracle", String, nullable=False),
    Column("panel", LargeBinary, nullable=False),
    Column("reporter", Number, nullable=False),
    Column("address", String, nullable=False),
    # Checksum addresses with commas between them. Null: anyone may read it.
    Column("audience", String),
    # Feed id (32), first interval (4), number of intervals (2), readings (4 each): of each feed in the order of the tree.
    Column("leaves", LargeBinary, nullable=False),
    Column("evidence", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("signed_at", Double, nullable=False),
    UniqueConstraint("digest", name="bundles_digest"),
    Index("bundles_by_time", "signed_at"),
    Index("bundles_by_reporter", "address", "id"),
    sqlite_autoincrement=True,
)

bundle_feeds = Table(
    "bundle_feeds",
    metadata,
    Column("bundle", Number, primary_key=True, autoincrement=False),
    Column("feed", LargeBinary, primary_key=True),
    Column("first", Number, nullable=False),
    Column("end", Number, nullable=False),
    Index("bundle_feeds_by_end", "feed", "end"),
)

transactions = Table(
    "transactions",
    metadata,
    _id(),
    Column("account", String, nullable=False),
    Column("nonce", Number, nullable=False),
    Column("state", String, nullable=False),
    # A JSON list of what the transaction moves on.
    Column("items", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("block", Number),
    Column("block_hash", LargeBinary),
    Column("gas_used", Number),
    # Decimal digits: amounts of wei do not fit into 64 bits.
    Column("fee_paid", String),
    Column("mined_hash", LargeBinary),
    Index("transactions_by_state", "account", "state"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    _id(),
    Column("transaction_id", Number, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee", String, nullable=False),
    Column("priority_fee", String, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("hash", name="attempts_hash"),
    Index("attempts_by_transaction", "transaction_id"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("fence", Number, nullable=False),
    Column("expires_at", Double, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("key", String, primary_key=True),
    Column("at", Number, primary_key=True),
    Column("sample", LargeBinary, nullable=False),
    Index("samples_by_time", "at"),
)
