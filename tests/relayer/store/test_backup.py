from __future__ import annotations

import gzip
import json
import stat
import threading
import time

import pytest

from relayer.errors import ConfigurationError, MakegoodError
from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.store import Answered, Failed, StoredBundle, tables
from relayer.store.backup import backup, restore
from relayer.store.transactions import Attempt, Inclusion, Item

A, B = b"a" * 32, bytes(range(32))
ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def bundle(first, audience=None):
    signed = SignedBundle(1, (FeedReadings(A, first, bytes(8)),), bytes(32), bytes(65))
    return StoredBundle(None, "0x" + "11" * 20, B, signed, ACCOUNT, audience, 7.25)


@pytest.fixture
def full_store(store, clock):
    store.bind(31_337)
    store.readings.schedule([(A, 1), (B, 2**32 - 1)])
    store.readings.fail([Failed(A, 1, 'said "né"\n\0'.replace("\0", ""), clock() + 0.125)])
    store.readings.save(
        [Answered(B, k, 2**32 - 1, "probe", bytes(range(256)), A) for k in range(9)]
    )
    store.bundles.save(bundle(0))
    store.bundles.save(bundle(1, frozenset({ACCOUNT})))
    for nonce in range(2):
        mark = bytes([nonce]) * 32
        made = store.transactions.begin(
            ACCOUNT,
            nonce,
            [[Item("settle", A, 0, 0, "it")]],
            Attempt(mark, mark, 10**30, 1),
            clock(),
        )
        if nonce == 0:
            inclusion = Inclusion(mark, 2**40, mark, 21_000, 10**30)
            store.transactions.mark_mined(made, "mined", inclusion)
    store.samples("scope").put("key", 5, b"\0\1")
    store.leases.acquire("key", "holder", 30, clock())
    return store


def content(store, without=("leases",)):
    with store.reading() as db:
        return {
            name: sorted(map(tuple, db.execute(table.select())), key=str)
            for name, table in tables.metadata.tables.items()
            if name not in without
        }


def rewrite(file, change):
    """Alter the lines of a copy, and write them as a sound gzip file."""
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(change(lines))))


def test_all_comes_back_in_a_database_of_either_kind(full_store, open_store, tmp_path, postgres):
    file = tmp_path / "copy"
    copied = backup(full_store, file)
    assert copied.chain_id == 31_337
    assert copied.rows["readings"] == 11
    before = content(full_store, without=("leases", "meta"))
    for where in (tmp_path / "other.sqlite", postgres.new_database()):
        restored = open_store(where)
        assert restore(restored, file) == copied
        assert content(restored, without=("leases", "meta")) == before
        restored.bind(31_337)
        with pytest.raises(ConfigurationError):
            restored.bind(1)


def test_a_restored_database_says_from_when_on_it_may_sign(full_store, open_store, tmp_path, clock):
    backup(full_store, tmp_path / "copy")
    clock.now += 1_000
    restored = open_store(tmp_path / "other.sqlite", clock=clock)
    restore(restored, tmp_path / "copy")
    assert float(restored.meta("sign_from")) > clock()
    # A copy of the restored one, restored later: the later time counts.
    backup(restored, tmp_path / "second")
    clock.now += 1_000
    again = open_store(tmp_path / "third.sqlite", clock=clock)
    restore(again, tmp_path / "second")
    assert float(again.meta("sign_from")) > clock()


def test_numbers_go_on_after_a_restore(full_store, open_store, tmp_path, postgres):
    backup(full_store, tmp_path / "copy")
    lost = full_store.bundles.save(bundle(2))
    time.sleep(0.01)
    for where in (tmp_path / "other.sqlite", postgres.new_database()):
        restored = open_store(where)
        restore(restored, tmp_path / "copy")
        assert (
            restored.bundles.save(bundle(3)) > lost
        )  # peers that have seen the lost one see this one too
        mark = b"m" * 32
        items = [[Item("close", A, 0, 0, "it")]]
        made = restored.transactions.begin(ACCOUNT, 2, items, Attempt(mark, mark, 1, 1), 0)
        assert made > max(t.id for t in full_store.transactions.recent(9))


def test_an_empty_database_can_be_copied_too(store, open_store, new_database, tmp_path):
    assert backup(store, tmp_path / "copy").chain_id is None
    restored = open_store(new_database())
    restore(restored, tmp_path / "copy")
    assert restored.bundles.save(bundle(0)) is not None


def test_a_copy_shows_one_moment_although_others_go_on_writing(
    store, open_store, new_database, tmp_path
):
    # A reading and its bundle are stored one after the other: no copy may have the second without the first.
    ended = threading.Event()

    def write():
        k = 0
        while not ended.is_set():
            store.readings.save([Answered(A, k, 1, "probe", b"", A)])
            store.bundles.save(bundle(k))
            k += 1

    def counts(file):
        lines = gzip.decompress(file.read_bytes()).splitlines()
        return json.loads(lines[-1])["rows"]

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for k in range(10):
            backup(store, tmp_path / f"copy{k}")
    finally:
        ended.set()
        writer.join()
    for k in range(10):
        rows = counts(tmp_path / f"copy{k}")
        assert rows["bundles"] == rows["bundle_feeds"]
        assert rows["readings"] - rows["bundles"] in (0, 1)
    assert rows["readings"] > 1
    restore(open_store(new_database()), tmp_path / "copy9")


def test_only_an_empty_database_is_filled(full_store, open_store, tmp_path, clock):
    file = tmp_path / "copy"
    backup(full_store, file)
    before = content(full_store)
    with pytest.raises(ConfigurationError, match=r"is not empty: it has .*readings"):
        restore(full_store, file)
    assert content(full_store) == before


def cut_at(share):
    def cut(file):
        whole = file.read_bytes()
        file.write_bytes(whole[: int(len(whole) * share)])

    return cut


def flip(file):
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 4
    file.write_bytes(whole)


DAMAGE = {
    "cut off": cut_at(0.5),
    "cut off at the end": lambda file: file.write_bytes(file.read_bytes()[:-4]),
    "empty": lambda file: file.write_bytes(b""),
    "a bit": flip,
    "text": lambda file: file.write_text("hello"),
    "no last line": lambda file: rewrite(file, lambda lines: lines[:-1]),
    "a line less": lambda file: rewrite(file, lambda lines: lines[:3] + lines[4:]),
    "a line twice": lambda file: rewrite(file, lambda lines: lines[:3] + lines[2:]),
    "a number": lambda file: rewrite(
        file, lambda lines: [line.replace(b"4294967295", b"4294967294") for line in lines]
    ),
    "more after the end": lambda file: rewrite(file, lambda lines: [*lines, b"{}\n"]),
    "no header": lambda file: rewrite(file, lambda lines: lines[1:]),
    "other JSON": lambda file: rewrite(file, lambda lines: [b"[]\n"]),
    "an unknown table": lambda file: rewrite(
        file, lambda lines: [line.replace(b'"samples"', b'"simples"') for line in lines]
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_copy_is_refused_and_nothing_written(
    damage, full_store, open_store, new_database, tmp_path
):
    file = tmp_path / "copy"
    backup(full_store, file)
    damage(file)
    restored = open_store(new_database())
    before = content(restored)
    with pytest.raises(MakegoodError, match="no whole copy") as error:
        restore(restored, file)
    assert "makegood relayer backup" in error.value.hint
    assert content(restored) == before


def test_a_copy_that_changes_while_it_is_restored_is_not(
    full_store, open_store, tmp_path, monkeypatch
):
    from relayer.store import backup as module

    file = tmp_path / "copy"
    backup(full_store, file)
    check = module._refuse_unless_empty

    def check_and_alter(*args):
        check(*args)
        rewrite(file, lambda lines: [line.replace(b"4294967295", b"4294967294") for line in lines])

    monkeypatch.setattr(module, "_refuse_unless_empty", check_and_alter)
    restored = open_store(tmp_path / "other.sqlite")
    before = content(restored)
    with pytest.raises(MakegoodError, match="no whole copy"):
        restore(restored, file)
    assert content(restored) == before


def test_a_copy_of_another_version_is_refused(full_store, open_store, tmp_path):
    file = tmp_path / "copy"
    backup(full_store, file)
    rewrite(file, lambda lines: [line.replace(b'"0002"', b'"0099"') for line in lines])
    with pytest.raises(ConfigurationError, match="version 0099"):
        restore(open_store(tmp_path / "other.sqlite"), file)


def test_a_copy_is_for_its_owner_only_and_replaces_an_older_one(store, tmp_path):
    file = tmp_path / "copy"
    file.write_text("an older one")
    backup(store, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy"]


def test_a_copy_that_fails_leaves_the_older_one(full_store, tmp_path, monkeypatch):
    from relayer.store import backup as module

    file = tmp_path / "copy"
    file.write_text("an older one")

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full_disk)
    with pytest.raises(MakegoodError, match="cannot be written: No space left"):
        backup(full_store, file)
    assert file.read_text() == "an older one"
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy"]


def test_a_folder_that_is_not_there_is_said(store, tmp_path):
    with pytest.raises(MakegoodError, match="nowhere/copy cannot be written: No such file"):
        backup(store, tmp_path / "nowhere" / "copy")
    with pytest.raises(ConfigurationError, match="there is no such file"):
        restore(store, tmp_path / "nowhere")
