from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from relayer.errors import ConfigurationError
from relayer.store import Due, schema, tables
from relayer.store.transactions import Item

A, B = b"a" * 32, b"b" * 32
ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

# What `.schema` said of a database of the first version.
FIRST_VERSION = """
CREATE TABLE schema (version INTEGER NOT NULL, chain_id INTEGER, PRIMARY KEY (version));
CREATE TABLE readings (
    feed BLOB NOT NULL, interval INTEGER NOT NULL, code INTEGER, source VARCHAR, evidence BLOB, read_at FLOAT,
    failures INTEGER NOT NULL, problem VARCHAR, retry_at FLOAT NOT NULL, PRIMARY KEY (feed, interval));
CREATE TABLE batches (
    feed BLOB NOT NULL, reporter INTEGER NOT NULL, first INTEGER NOT NULL, "end" INTEGER NOT NULL, readings BLOB NOT NULL,
    evidence BLOB NOT NULL, signature BLOB NOT NULL, signed_at FLOAT NOT NULL, PRIMARY KEY (feed, reporter, first, "end"));
CREATE INDEX batches_by_end ON batches (feed, "end");
CREATE TABLE transactions (
    id INTEGER NOT NULL, account VARCHAR NOT NULL, nonce INTEGER NOT NULL, purpose VARCHAR NOT NULL, subject BLOB NOT NULL,
    description VARCHAR NOT NULL, hash BLOB NOT NULL, raw BLOB NOT NULL, max_fee VARCHAR NOT NULL,
    priority_fee VARCHAR NOT NULL, state VARCHAR NOT NULL, created_at FLOAT NOT NULL, block INTEGER, gas_used INTEGER,
    PRIMARY KEY (id), UNIQUE (hash));
CREATE INDEX ix_transactions_account ON transactions (account);
CREATE TABLE samples ("key" VARCHAR NOT NULL, at INTEGER NOT NULL, sample BLOB NOT NULL, PRIMARY KEY ("key", at));
"""


@pytest.fixture
def old_database(tmp_path):
    path = tmp_path / "old.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(FIRST_VERSION)
    db.execute("INSERT INTO schema VALUES (1, 5)")
    db.execute(
        "INSERT INTO readings VALUES (?, 0, 990000, 'probe', ?, 100.5, 2, NULL, 0)", (A, b"raw")
    )
    db.execute("INSERT INTO readings VALUES (?, 1, NULL, NULL, NULL, NULL, 3, 'timeout', 50)", (A,))
    db.execute(
        "INSERT INTO batches VALUES (?, 0, 0, 1, ?, ?, ?, 101)", (A, b"r" * 4, b"e" * 32, b"s" * 65)
    )
    rows = [
        # nonce, purpose, subject, mark, state, block
        (0, "report", A, 1, "superseded", None),
        (0, "report", A, 2, "mined", 12),
        (1, "settle", B, 3, "superseded", None),  # its nonce was lost, and given to another call
        (1, "close", B, 4, "reverted", 14),
        (2, "skip", A, 5, "pending", None),
        (2, "skip", A, 6, "pending", None),
    ]
    for nonce, purpose, subject, mark, state, block in rows:
        db.execute(
            "INSERT INTO transactions (account, nonce, purpose, subject, description, hash, raw, max_fee, priority_fee,"
            " state, created_at, block, gas_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '1', ?, ?, ?, ?)",
            (
                ACCOUNT,
                nonce,
                purpose,
                subject,
                f"{purpose} it",
                bytes([mark]) * 32,
                bytes([mark]) * 100,
                str(10**20),
                state,
                200.0 + mark,
                block,
                block and 21_000,
            ),
        )
    db.execute("INSERT INTO samples VALUES ('scope:key', 60, ?)", (b"sample",))
    db.commit()
    db.close()
    return path


def test_a_new_database_has_the_tables_that_the_code_says(store):
    with store.reading() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_the_code_names_the_newest_revision():
    heads = ScriptDirectory.from_config(schema.configuration()).get_heads()
    assert heads == [schema.REVISION]


def test_a_database_of_the_first_version_keeps_what_it_knows(old_database, open_store):
    store = open_store(old_database)
    store.bind(5)
    with pytest.raises(ConfigurationError, match="chain 5"):
        store.bind(1)
    (reading,) = store.readings.answered(A, 0)
    assert (reading.code, reading.read_at, reading.digest) == (990_000, 100.5, None)
    assert store.readings.due(50) == [Due(A, 1, 3)]
    assert store.readings.summary(A, 0)["problem"] == "timeout"
    assert store.samples("scope").get("key", 0, 61) == [(60, b"sample")]
    assert store.bundles.after(0, limit=9, reader=None) == []


def test_transactions_of_the_first_version_are_kept_with_their_attempts(old_database, open_store):
    store = open_store(old_database)
    told = [
        (t.nonce, t.state, [i.purpose for i in t.items], [a.hash[0] for a in t.attempts])
        for t in sorted(store.transactions.recent(9), key=lambda t: t.id)
    ]
    assert told == [
        (0, "final", ["report"], [2]),
        (1, "superseded", ["settle"], [3]),
        (1, "reverted", ["close"], [4]),
        (2, "signed", ["skip"], [5, 6]),
    ]
    (pending,) = store.transactions.in_flight(ACCOUNT)
    assert pending.items == (Item("skip", A, 0, 0, "skip it"),)
    assert pending.attempts[1].raw == bytes([6]) * 100
    assert (pending.attempts[1].max_fee, pending.attempts[1].priority_fee) == (10**20, 1)
    assert pending.created_at == 205.0


def test_the_migrated_database_has_the_tables_of_a_new_one(old_database, open_store):
    store = open_store(old_database)
    with store.reading() as db:
        assert compare_metadata(MigrationContext.configure(db), tables.metadata) == []
        assert {"schema", "batches"} & set(inspect(db).get_table_names()) == set()


def test_a_migration_that_fails_leaves_the_old_database(old_database, open_store, monkeypatch):
    before = sqlite3.connect(old_database)
    dump = list(before.iterdump())
    before.close()

    def interrupted(db, *args):
        schema_migrate(db, *args)
        raise KeyboardInterrupt

    schema_migrate = schema.migrate
    monkeypatch.setattr(schema, "migrate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_store(old_database)
    after = sqlite3.connect(old_database)
    assert list(after.iterdump()) == dump
    after.close()
    monkeypatch.undo()
    assert open_store(old_database).meta("chain_id") == "5"


def test_a_database_of_a_newer_version_is_refused_and_left_alone(store, open_store, database):
    with store.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '0777'"))
    with pytest.raises(
        ConfigurationError, match="version 0777; this makegood knows versions up to"
    ):
        open_store(database)
    with store.reading() as db:
        assert db.scalar(text("SELECT version_num FROM alembic_version")) == "0777"


def test_an_unknown_version_of_the_old_count_is_refused(old_database, open_store):
    db = sqlite3.connect(old_database)
    db.execute("UPDATE schema SET version = 2")
    db.commit()
    db.close()
    with pytest.raises(ConfigurationError, match="has version 2"):
        open_store(old_database)


def test_tables_of_another_program_are_left_alone(tmp_path, open_store):
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE transactions (amount INTEGER)")
    db.commit()
    db.close()
    with pytest.raises(ConfigurationError, match="tables of another program: transactions"):
        open_store(path)


def test_tables_of_other_programs_with_other_names_do_not_matter(postgres, open_store):
    url = postgres.new_database()
    postgres.execute("CREATE TABLE procrastinate_jobs (id int)", url.rpartition("/")[2])
    open_store(url).bind(1)


OPEN_EACH = """
import sys
from relayer.store import Store
print("ready", flush=True)
for line in sys.stdin:
    store = Store(line.strip())
    store.bind(7)
    print(store.meta("created_at"), flush=True)
"""


def test_processes_that_start_at_once_migrate_once(new_database):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_EACH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        assert [process.stdout.readline() for process in started] == ["ready\n"] * 3
        for _ in range(5):
            where = new_database()
            for process in started:
                print(where, file=process.stdin, flush=True)
            said = [process.stdout.readline() for process in started]
            assert int(said[0]) > 0
            assert set(said) == {said[0]}
    finally:
        errors = [process.communicate(timeout=100)[1] for process in started]
    assert errors == [""] * 3


def test_an_up_to_date_database_opens_without_alembic(database):
    # It costs a third of a second, and `relayer status` is asked often.
    code = (
        "import sys; from relayer.store import Store; Store(sys.argv[1]);"
        "assert ('alembic' in sys.modules) == (sys.argv[2] == 'new')"
    )
    for age in ("new", "known"):
        subprocess.run([sys.executable, "-c", code, str(database), age], check=True, timeout=100)
