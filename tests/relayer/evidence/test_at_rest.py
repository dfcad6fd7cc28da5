"""The database holds raw answers and samples encrypted, old ones too once they were; signing never waits for a key."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from relayer.evidence.cipher import Cipher, Unreadable, name_of
from relayer.protocol.report import FeedReadings
from relayer.store import Answered, backup, encryption, tables
from relayer.store.encryption import encrypt, unopened

A, B = b"a" * 32, b"b" * 32
OLD, NEW = b"\1" * 32, b"\2" * 32
SAID = b'{"answer":"seen by the owner alone %d"}'


def fill(store, first=0, end=10):
    store.readings.save(
        [
            Answered(feed, n, n, "probe", SAID % n, bytes([n % 256]) * 32)
            for feed in (A, B)
            for n in range(first, end)
        ]
    )
    for n in range(first, end):
        store.samples("probe").put("key", n, SAID % n)


def evidence(store, feed=A):
    return [row.evidence for row in store.readings.evidence(feed, 0, 100)]


def stored(store):
    """All that stands in the two columns, as it stands there."""
    with store.reading() as db:
        readings = db.execute(tables.readings.select()).all()
        samples = db.execute(tables.samples.select()).all()
    return [bytes(row.evidence) for row in readings] + [bytes(row.sample) for row in samples]


def shows(content):
    return [value for value in content if b"seen by" in value]


def test_evidence_and_samples_are_encrypted_when_a_key_is_set(store):
    store.cipher = Cipher([NEW])
    fill(store)
    assert len(stored(store)) == 30
    assert shows(stored(store)) == []
    assert evidence(store) == [SAID % n for n in range(10)]
    assert store.samples("probe").get("key", 2, 5) == [(n, SAID % n) for n in (2, 3, 4)]


def test_without_a_key_all_is_plain_and_stays_readable_later(store):
    fill(store)
    assert len(shows(stored(store))) == 30
    store.cipher = Cipher([NEW])
    assert evidence(store) == [SAID % n for n in range(10)]
    assert len(store.samples("probe").get("key", 0, 10)) == 10


def test_rows_cannot_change_places(store):
    store.cipher = Cipher([NEW])
    fill(store)
    with store.writing() as db:
        db.execute(
            text(
                "UPDATE readings SET evidence ="
                " (SELECT evidence FROM readings WHERE feed = :feed AND interval = 1)"
                " WHERE feed = :feed AND interval = 2"
            ),
            {"feed": A},
        )
        db.execute(
            text(
                "UPDATE samples SET sample = (SELECT sample FROM samples WHERE at = 1) WHERE at = 2"
            )
        )
    found = evidence(store)
    assert isinstance(found[2], Unreadable)
    assert [n for n in range(10) if found[n] == SAID % n] == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert [at for at, _ in store.samples("probe").get("key", 0, 4)] == [0, 1, 3]


def test_a_lost_key_stops_nothing_but_the_showing(store, capsys):
    store.cipher = Cipher([OLD])
    fill(store)
    store.cipher = Cipher([NEW])
    assert unopened(store) == name_of(OLD)
    # Codes and digests, which are all that is signed, are there.
    assert [(r.code, r.digest) for r in store.readings.answered(A, 0)] == [
        (n, bytes([n]) * 32) for n in range(10)
    ]
    known = store.readings.digests([FeedReadings(A, 2, bytes(8))])
    assert known == {(A, n): (n, bytes([n]) * 32) for n in (2, 3)}
    # Whoever answers again is told what stands.
    [stands] = store.readings.save([Answered(A, 4, 99, "probe", b"other", b"x" * 32)])
    assert (stands.code, stands.digest, stands.evidence) == (4, bytes([4]) * 32, b"")
    assert all(isinstance(each, Unreadable) for each in evidence(store))
    assert store.samples("probe").get("key", 0, 10) == []
    said = capsys.readouterr()
    assert "evidence_unreadable" in said.out + said.err
    fill(store, 10, 12)
    assert evidence(store)[10:] == [SAID % 10, SAID % 11]
    assert unopened(store) is None
    store.cipher = Cipher([NEW, OLD])
    assert evidence(store) == [SAID % n for n in range(12)]


def test_what_is_there_already_is_encrypted_in_steps(store, monkeypatch):
    monkeypatch.setattr(encryption, "_ROWS", 7)
    fill(store)
    store.readings.schedule([(A, 50)])  # no answer yet: nothing to encrypt
    store.cipher = Cipher([NEW])
    seen = []
    found = encrypt(store, seen.append)
    assert seen[:3] == [7, 14, 20]
    assert {name: (e.changed, e.current, e.unreadable) for name, e in found.items()} == {
        "readings": (20, 0, 0),
        "samples": (10, 0, 0),
    }
    assert shows(stored_with_answers(store)) == []
    assert evidence(store)[:10] == [SAID % n for n in range(10)]
    again = encrypt(store)
    assert (again["readings"].changed, again["readings"].current) == (0, 20)


def stored_with_answers(store):
    with store.reading() as db:
        rows = db.execute(tables.readings.select()).all()
        samples = db.execute(tables.samples.select()).all()
    return [bytes(r.evidence) for r in rows if r.evidence] + [bytes(r.sample) for r in samples]


def test_keys_are_changed_and_the_old_one_forgotten(store):
    store.cipher = Cipher([OLD])
    fill(store)
    store.cipher = Cipher([NEW, OLD])
    fill(store, 10, 12)
    assert encrypt(store)["readings"].changed == 20
    store.cipher = Cipher([NEW])
    assert evidence(store) == [SAID % n for n in range(12)]
    assert len(store.samples("probe").get("key", 0, 20)) == 12


def test_what_cannot_be_opened_stays_as_it_is(store):
    store.cipher = Cipher([OLD])
    fill(store, 0, 3)
    before = stored(store)
    store.cipher = Cipher([NEW])
    found = encrypt(store)
    assert (found["readings"].unreadable, found["samples"].unreadable) == (6, 3)
    assert stored(store) == before


def test_others_write_while_everything_is_encrypted(store, monkeypatch):
    monkeypatch.setattr(encryption, "_ROWS", 5)
    fill(store)
    store.cipher = Cipher([NEW])
    stop = threading.Event()
    written = []

    def write():
        number = 10
        while not stop.is_set():
            fill(store, number, number + 1)
            written.append(number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            encrypt(store)
    finally:
        stop.set()
        writer.join()
    assert shows(stored(store)) == []
    last = written[-1] + 1 if written else 10
    assert [row.evidence for row in store.readings.evidence(A, 0, last)] == [
        SAID % n for n in range(last)
    ]


def test_a_file_of_sqlite_keeps_no_trace_of_what_was_plain(open_store, tmp_path):
    path = tmp_path / "relayer.sqlite"
    store = open_store(path)
    fill(store, 0, 200)
    assert b"seen by the owner" in whole(path)
    store.cipher = Cipher([NEW])
    encrypt(store)
    assert b"seen by the owner" not in whole(path)


def whole(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_a_backup_carries_what_is_encrypted(store, new_database, open_store, tmp_path):
    store.cipher = Cipher([NEW])
    fill(store)
    file = tmp_path / "copy.gz"
    backup.backup(store, file)
    lines = gzip.decompress(file.read_bytes())
    assert b"seen by" not in lines
    assert b"seen by".hex().encode() not in lines
    other = open_store(new_database())
    backup.restore(other, file)
    assert all(isinstance(each, Unreadable) for each in evidence(other))
    other.cipher = Cipher([NEW])
    assert evidence(other) == [SAID % n for n in range(10)]


@pytest.mark.parametrize("keys", [(), (NEW,)])
def test_a_second_answer_is_told_the_first_ones_evidence(store, keys):
    store.cipher = Cipher(keys)
    fill(store, 0, 1)
    [stands] = store.readings.save([Answered(A, 0, 5, "probe", b"other", b"x" * 32)])
    assert stands == Answered(A, 0, 0, "probe", SAID % 0, bytes(32))
