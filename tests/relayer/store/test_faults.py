"""What disks, other processes and servers do to a database: said clearly, and nothing that was stored is lost."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from relayer.operations import metrics
from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.store import Answered, StoredBundle, StoreUnavailable
from relayer.store import database as connections

A = b"a" * 32


def answer(interval, code=1, evidence=b"raw"):
    return Answered(A, interval, code, "probe", evidence, b"d" * 32)


def intervals(store):
    return [reading.interval for reading in store.readings.answered(A, 0)]


def counted(kind):
    return metrics.REGISTRY.get_sample_value("makegood_store_errors_total", {"kind": kind}) or 0


def run_child(code, *words, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True, **options
    )


# The disk

FILL = """
import os, resource, sys
from relayer.store import Answered, Store, StoreUnavailable

store = Store(sys.argv[1])
feed = b"a" * 32

def save(interval):
    store.readings.save([Answered(feed, interval, 1, "probe", os.urandom(50_000), b"d" * 32)])

save(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
saved = 0
try:
    while True:
        save(saved + 1)
        saved += 1
except StoreUnavailable as error:
    assert error.retryable, error
    print(error.kind, saved)
    print(error.message, error.hint)
found = [reading.interval for reading in store.readings.answered(feed, 0)]
assert found == list(range(saved + 1)), found
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
save(saved + 1)
"""


def test_no_file_can_grow_any_more_and_later_it_can(open_store, tmp_path):
    where = tmp_path / "db.sqlite"
    child = run_child(FILL, where)
    first, said = child.communicate(timeout=100)[0].split("\n", 1)
    assert child.returncode == 0
    kind, saved = first.split()
    assert kind in ("full", "disk")
    assert int(saved) > 3
    assert str(where) in said
    assert "nothing that was stored is lost" in said
    assert intervals(open_store(where)) == list(range(int(saved) + 2))


def test_a_full_disk_is_said_and_later_the_relayer_goes_on(open_store, tmp_path):
    store = open_store(tmp_path / "db.sqlite")
    store.readings.save([answer(0)])
    before = counted("full")
    with store.engine.connect() as db:  # keeps the one connection that the pool has
        pages = db.exec_driver_sql("PRAGMA page_count").scalar()
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(StoreUnavailable, match=r"db\.sqlite: database or disk is full") as error:
        store.readings.save([answer(k, evidence=bytes(3_000)) for k in range(1, 50)])
    assert error.value.kind == "full"
    assert error.value.retryable
    assert "free some space" in error.value.hint
    assert counted("full") == before + 1
    assert intervals(store) == [0]
    with store.engine.connect() as db:
        db.exec_driver_sql("PRAGMA max_page_count = 1000000")
    store.readings.save([answer(1)])
    assert intervals(store) == [0, 1]


@pytest.mark.parametrize("start", [8_192, 300_000], ids=["found when opened", "found when read"])
def test_a_file_that_is_damaged_is_said(open_store, tmp_path, start):
    where = tmp_path / "db.sqlite"
    store = open_store(where)
    store.readings.save([answer(k, evidence=bytes(2_000)) for k in range(200)])
    store.close()
    size = where.stat().st_size
    assert size > 400_000
    with where.open("r+b") as file:
        file.seek(start)
        file.write(random.Random(4).randbytes(size - start - 8_192))
    with pytest.raises(StoreUnavailable, match="malformed") as error:
        list(open_store(where).readings.answered(A, 0))
    assert error.value.kind == "damaged"
    assert not error.value.retryable
    assert "makegood relayer restore" in error.value.hint


def test_a_file_that_is_no_database_is_left_alone(open_store, tmp_path):
    where = tmp_path / "notes.txt"
    where.write_text("buy milk\n" * 1_000)
    with pytest.raises(StoreUnavailable, match="not a database") as error:
        open_store(where)
    assert error.value.kind == "no_database"
    assert where.read_text() == "buy milk\n" * 1_000


# What is loaded only when it is needed has to be loaded by then: the interpreter's own files may be closed to others.
AS_NOBODY = """
import os, pwd, sys, tempfile
from relayer.store import Answered, Store, StoreUnavailable

def use(where):
    try:
        store = Store(where)
        store.readings.save([Answered(b"a" * 32, 1, 1, "probe", b"", b"d" * 32)])
        store.close()
    except StoreUnavailable as error:
        return f"{error.kind} {error.message} {error.hint}"

with tempfile.TemporaryDirectory() as folder:
    assert use(f"{folder}/db.sqlite") is None
    assert use(folder)  # an error: no file can have this name
if os.geteuid() == 0:
    os.setuid(pwd.getpwnam("nobody").pw_uid)
print(use(sys.argv[1]))
"""


@pytest.fixture
def public_folder():
    """One that others may look into, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="makegood-store-"))
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_that_cannot_be_written_is_said(public_folder, open_store, exists):
    where = public_folder / "db.sqlite"
    if exists:
        open_store(where).close()
        where.chmod(0o444)
    public_folder.chmod(0o555)
    child = run_child(AS_NOBODY, where)
    said = child.communicate(timeout=100)[0]
    assert said.startswith("read_only database"), said
    assert str(where) in said
    assert "can be written by this user" in said


# Other processes


def test_a_locked_database_is_said_and_can_still_be_read(open_store, tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.2)
    where = tmp_path / "db.sqlite"
    store = open_store(where)
    store.readings.save([answer(0)])
    other = sqlite3.connect(where, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="database is locked") as error:
        store.readings.save([answer(1)])
    assert error.value.kind == "locked"
    assert error.value.retryable
    assert intervals(store) == [0]
    other.execute("ROLLBACK")
    other.close()
    store.readings.save([answer(1)])
    assert intervals(store) == [0, 1]


def test_a_new_file_that_another_process_is_just_making_is_waited_for(open_store, tmp_path):
    # SQLite itself does not wait here.
    where = tmp_path / "db.sqlite"
    other = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE other (number INTEGER)")
    done = threading.Timer(0.5, other.execute, ["ROLLBACK"])
    done.start()
    open_store(where).bind(1)
    done.join()
    other.close()


def test_what_is_stored_survives_a_power_cut(open_store, tmp_path):
    # Which no test can cause: SQLite's manual says that only this setting does.
    with open_store(tmp_path / "db.sqlite").reading() as db:
        full = 2
        assert db.exec_driver_sql("PRAGMA synchronous").scalar() == full
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_whoever_reads_before_it_writes_is_not_turned_away(open_store, tmp_path):
    # In a transaction that begins by reading, SQLite refuses to write at once if somebody else did in the meantime.
    one, other = (open_store(tmp_path / "db.sqlite") for _ in range(2))
    one.set_meta("count", "0")

    def count(store):
        for _ in range(50):
            with store.writing() as db:
                value = db.exec_driver_sql("SELECT value FROM meta WHERE key = 'count'").scalar()
                db.exec_driver_sql(
                    "UPDATE meta SET value = ? WHERE key = 'count'", (str(int(value) + 1),)
                )

    threads = [threading.Thread(target=count, args=(store,)) for store in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.meta("count") == "100"


def test_a_locked_table_is_said_on_postgresql(postgres, open_store, monkeypatch):
    monkeypatch.setattr(connections, "BUSY_SECONDS", 1)
    url = postgres.new_database()
    store = open_store(url)
    with store.writing() as db:
        db.exec_driver_sql("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable) as error:
            open_store(url).readings.save([answer(1)])
    assert error.value.kind == "locked"


SAVE = """
import os, sys
from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.store import Answered, Store, StoredBundle

store = Store(sys.argv[1])
feeds = [bytes([k]) * 32 for k in range(50)]
interval = int(sys.argv[2])
while True:
    store.readings.save([Answered(feed, interval, 1, "probe", bytes(500), b"d" * 32) for feed in feeds])
    parts = tuple(FeedReadings(feed, interval, bytes(4)) for feed in feeds)
    signed = SignedBundle(0, parts, bytes(32), bytes(65))
    store.bundles.save(StoredBundle(None, "0x" + "11" * 20, b"p" * 32, signed, "0x" + "22" * 20, None, 0))
    interval += 1
    print(interval, flush=True)
"""


def test_a_kill_in_the_middle_of_saving_leaves_whole_steps(open_store, database):
    feeds = [bytes([k]) * 32 for k in range(50)]
    begin = 0
    chance = random.Random(4)
    for _ in range(5):
        child = run_child(SAVE, database, begin)
        reached = int(child.stdout.readline())
        time.sleep(chance.random() * 0.2)
        child.send_signal(signal.SIGKILL)
        for line in child.stdout:
            reached = int(line)
        child.stdout.close()
        child.wait(100)
        store = open_store(database)
        found = store.readings.answered_from(dict.fromkeys(feeds, 0))
        per_interval = [0] * (max(reading.interval for reading in found) + 1)
        for reading in found:
            per_interval[reading.interval] += 1
        assert set(per_interval) == {50}  # never a part of a step
        assert len(per_interval) in (reached, reached + 1)  # what was reported as stored is
        bundles = store.bundles.after(0, limit=10**6, reader=None)
        assert len(bundles) in (len(per_interval), len(per_interval) - 1)
        for bundle in bundles:
            held = store.bundles.newest(feeds[49], bundle.signed.feeds[0].first)
            assert [one.id for one in held] == [bundle.id]
        if isinstance(database, Path):
            with store.reading() as db:
                assert db.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        begin = len(bundles)
        store.close()


# The server


def test_a_server_that_was_restarted_between_two_calls_is_used_again(server, open_store):
    store = open_store(server.new_database())
    store.readings.save([answer(0)])
    server.restart()
    store.readings.save([answer(1)])  # no error in between
    assert intervals(store) == [0, 1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["ended", "crashed"])
def test_a_server_that_goes_away_in_a_transaction_takes_nothing_along(server, open_store, how):
    store = open_store(server.new_database())
    store.readings.save([answer(0)])

    def interrupted():
        with store.writing() as db:
            db.exec_driver_sql("UPDATE readings SET code = 99")
            server.stop(how)
            db.exec_driver_sql("UPDATE readings SET code = 98")

    with pytest.raises(StoreUnavailable) as error:
        interrupted()
    assert error.value.kind == "unreachable"
    assert error.value.retryable
    server.start()
    store.readings.save([answer(1)])
    assert [reading.code for reading in store.readings.answered(A, 0)] == [1, 1]


def test_a_server_that_is_away_is_said_without_the_password(server, open_store):
    url = server.new_database().replace("makegood@", "makegood:hunter2@")
    store = open_store(url)
    store.readings.save([answer(0)])
    before = counted("unreachable")
    server.stop()
    for _ in range(3):
        with pytest.raises(StoreUnavailable) as error:
            store.readings.save([answer(1)])
        assert error.value.kind == "unreachable"
    assert counted("unreachable") == before + 3
    with pytest.raises(StoreUnavailable, match="connection") as opening:
        open_store(url)
    for one in (error.value, opening.value):
        assert "hunter2" not in f"{one.message} {one.hint} {one!r} {one.__cause__}"
    server.start()
    store.readings.save([answer(1)])
    assert intervals(store) == [0, 1]


def test_a_database_that_the_server_does_not_have_is_no_outage(postgres, open_store):
    with pytest.raises(StoreUnavailable, match="does not exist") as error:
        open_store(postgres.url("nowhere"))
    assert error.value.kind == "refused"
    assert not error.value.retryable


def test_no_evidence_is_shown_in_errors(store):
    with store.writing() as db:
        db.exec_driver_sql("DROP TABLE bundle_feeds")
        db.exec_driver_sql("ALTER TABLE readings RENAME COLUMN source TO sauce")
    with pytest.raises(StoreUnavailable) as error:
        store.readings.save([answer(0, evidence=b"confidential")])
    assert "confidential" not in f"{error.value} {error.value.__cause__}"
    signed = SignedBundle(0, (FeedReadings(A, 0, bytes(4)),), bytes(32), bytes(65))
    bundle = StoredBundle(None, "0x" + "11" * 20, A, signed, "0x" + "22" * 20, None, 0)
    with pytest.raises(StoreUnavailable):
        store.bundles.save(bundle)
    assert store.bundles.after(0, limit=9, reader=None) == []  # both of its tables, or none
