from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import event

from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.store import StoredBundle

A, B = b"a" * 32, b"b" * 32
ORACLE = "0x" + "11" * 20
# Checksum addresses.
ALICE = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CAROL = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def bundle(feeds, *, reporter=0, audience=None, address=ALICE, evidence=bytes(32)):
    parts = tuple(FeedReadings(feed, first, readings) for feed, first, readings in feeds)
    signed = SignedBundle(reporter, parts, evidence, b"s" * 65)
    return StoredBundle(None, ORACLE, b"p" * 32, signed, address, audience, 7.5)


def test_a_bundle_comes_back_as_it_was(store):
    stored = bundle(
        [(B, 2**32 - 3, bytes(8)), (A, 0, b""), (b"c" * 32, 5, b"\xff" * 1_200)],
        audience=frozenset({ALICE, BOB}),
    )
    number = store.bundles.save(stored)
    assert store.bundles.after(0, limit=9, reader=BOB) == [replace(stored, id=number)]


def test_a_bundle_is_stored_once_whatever_its_signature_looks_like(store):
    first = bundle([(A, 0, bytes(4))])
    number = store.bundles.save(first)
    resigned = replace(first, signed=replace(first.signed, signature=b"t" * 65))
    assert store.bundles.save(resigned) is None
    assert [one.id for one in store.bundles.after(0, limit=9, reader=None)] == [number]
    assert store.bundles.save(bundle([(A, 0, bytes(4))], evidence=b"e" * 32)) is not None
    assert store.bundles.save(bundle([(A, 0, bytes(4))], reporter=1)) is not None
    assert store.bundles.save(replace(first, panel=b"q" * 32)) is not None
    assert store.bundles.save(replace(first, oracle="0x" + "22" * 20)) is not None


def test_a_feed_stands_once_in_a_bundle(store):
    with pytest.raises(ValueError, match="each feed once"):
        store.bundles.save(bundle([(A, 0, bytes(4)), (A, 1, bytes(4))]))


def test_only_its_audience_reads_a_private_bundle(store):
    public = store.bundles.save(bundle([(A, 0, bytes(4))]))
    private = store.bundles.save(bundle([(A, 1, bytes(4))], audience=frozenset({BOB})))
    secret = store.bundles.save(bundle([(A, 2, bytes(4))], audience=frozenset()))

    def seen_by(reader):
        return [one.id for one in store.bundles.after(0, limit=9, reader=reader)]

    assert seen_by(None) == [public]
    assert seen_by(CAROL) == [public]
    assert seen_by(BOB.lower()) == [public, private]
    assert seen_by(ALICE) == [public, private, secret]  # she signed them


def test_bundles_are_followed_by_their_numbers(store):
    saved = [
        store.bundles.save(bundle([(A, k, bytes(4))], address=ALICE if k % 2 else BOB))
        for k in range(6)
    ]
    assert saved == sorted(saved)

    def numbers(after, **options):
        found = store.bundles.after(after, **{"limit": 9, "reader": None} | options)
        return [one.id for one in found]

    assert numbers(0, limit=2) == saved[:2]
    assert numbers(saved[1]) == saved[2:]
    assert numbers(saved[0], address=ALICE) == saved[1::2]
    assert numbers(saved[-1]) == []


def test_numbers_go_on_where_an_earlier_database_of_the_reporter_ended(open_store, new_database):
    # A peer asks for what comes after the highest number that it has seen. A database that was lost, and begun anew, must
    # not give numbers that are lower.
    lost = open_store(new_database()).bundles.save(bundle([(A, 0, bytes(4))]))
    time.sleep(0.01)
    assert open_store(new_database()).bundles.save(bundle([(A, 1, bytes(4))])) > lost


def test_a_number_is_never_used_twice(store):
    first = store.bundles.save(bundle([(A, 0, bytes(4))]))
    assert store.prune(10 * 86_400, 1)["bundles"] == 1
    assert store.bundles.save(bundle([(A, 1, bytes(4))])) > first


def test_bundles_are_found_by_what_they_hold(store):
    early = store.bundles.save(bundle([(A, 0, bytes(12)), (B, 9, bytes(4))]))
    late = store.bundles.save(bundle([(A, 2, bytes(12))], reporter=1))
    twice = store.bundles.save(bundle([(A, 2, b"\1" * 4)], reporter=1))

    def newest(feed, following):
        return [one.id for one in store.bundles.newest(feed, following)]

    assert newest(A, 0) == [early]
    assert newest(A, 2) == [twice, late, early]
    assert newest(A, 3) == [late]
    assert newest(A, 5) == []
    assert newest(B, 0) == newest(B, 10) == []
    assert [one.id for one in store.bundles.containing(A, 2, 1)] == [late, twice]
    assert store.bundles.containing(A, 2, 2) == []
    assert [one.id for one in store.bundles.newest_of({A: 3, B: 9, b"c" * 32: 0})] == [late, early]
    assert [one.id for one in store.bundles.newest_of({A: 2})] == [twice, late, early]
    assert store.bundles.newest_of({}) == []


def test_no_follower_misses_a_bundle_that_two_threads_store_at_once(store):
    missed = []
    done = threading.Event()

    def follow():
        last, seen = 0, 0
        while seen < 120:
            ended = done.is_set()
            found = store.bundles.after(last, limit=50, reader=None)
            last, seen = (found[-1].id if found else last), seen + len(found)
            if ended and not found:
                missed.append(120 - seen)
                return

    def save(first):
        for k in range(first, first + 30):
            store.bundles.save(bundle([(A, k, bytes(4))]))

    follower = threading.Thread(target=follow)
    writers = [threading.Thread(target=save, args=(30 * k,)) for k in range(4)]
    for thread in (follower, *writers):
        thread.start()
    for writer in writers:
        writer.join()
    done.set()
    follower.join()
    assert missed == []


def test_a_number_appears_only_when_all_before_it_have(new_database, open_store):
    # The same without luck: the first has its number, and is held up before it is done.
    where = new_database()
    store, saved, has_number, go_on = open_store(where), {}, threading.Event(), threading.Event()

    @event.listens_for(store.engine, "before_cursor_execute")
    def hold_up(connection, cursor, statement, *more):
        if "INTO bundle_feeds" in statement and not has_number.is_set():
            has_number.set()
            assert go_on.wait(60)

    def save(first):
        saved[first] = store.bundles.save(bundle([(A, first, bytes(4))]))

    threads = [threading.Thread(target=save, args=(k,)) for k in range(2)]
    threads[0].start()
    assert has_number.wait(60)
    threads[1].start()
    threads[1].join(0.5)
    seen = [one.id for one in store.bundles.after(0, limit=9, reader=None)]
    go_on.set()
    for thread in threads:
        thread.join()
    assert seen == []
    assert saved[0] < saved[1]
