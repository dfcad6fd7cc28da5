from __future__ import annotations

import threading

from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.store import Answered, StoredBundle, retention, tables
from relayer.store.transactions import Attempt, Inclusion, Item

DAY = 86_400
A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def answers(*rows):
    return [Answered(feed, interval, 1, "probe", b"raw", b"d" * 32) for feed, interval in rows]


def left(store):
    found = store.readings.answered_from({A: 0, B: 0, C: 0})
    return [(reading.feed, reading.interval) for reading in found]


def test_old_answers_go_unless_the_chain_has_still_to_hear_them(store, clock):
    store.readings.save(answers((A, 1), (A, 2), (B, 1), (C, 1)))
    clock.now += 10 * DAY
    store.readings.save(answers((A, 3), (C, 2)))
    # The chain comes to interval 2 of A and to interval 1 of B next; C is nobody's any more.
    assert store.prune(clock() + 1, 10, {A: 2, B: 1})["readings"] == 2
    assert left(store) == [(A, 2), (A, 3), (B, 1), (C, 2)]
    assert store.prune(clock() + 1, 10, {A: 3, B: 1})["readings"] == 1
    assert store.prune(clock() + 1, 10, {A: 3, B: 1})["readings"] == 0


def test_many_answers_go_in_many_steps(store, clock, monkeypatch):
    monkeypatch.setattr(retention, "_ROWS", 7)
    store.readings.save(answers(*((feed, k) for feed in (A, B) for k in range(50))))
    assert store.prune(clock() + 2 * DAY, 1, {A: 20})["readings"] == 70
    assert left(store) == [(A, k) for k in range(20, 50)]


def test_what_was_to_be_read_and_is_late_goes_at_once(store, clock):
    store.readings.schedule([(A, 1), (A, 2), (B, 1)])
    assert store.prune(clock(), 365, {A: 2})["readings"] == 1
    assert [(due.feed, due.interval) for due in store.readings.due(clock())] == [(B, 1), (A, 2)]


def test_old_bundles_go_unless_one_of_their_feeds_has_still_to_be_reported(store, clock):
    def save(signed_at, *feeds):
        parts = tuple(FeedReadings(feed, first, bytes(8)) for feed, first in feeds)
        signed = SignedBundle(0, parts, bytes(32), bytes(65))
        return store.bundles.save(
            StoredBundle(None, "0x" + "11" * 20, A, signed, ACCOUNT, None, signed_at)
        )

    gone = save(clock(), (A, 0), (C, 5))
    needed = save(clock(), (A, 0), (B, 4))
    younger = save(clock() + 5 * DAY, (A, 1))
    keep_from = {A: 2, B: 5}
    assert store.prune(clock() + 4 * DAY, 2, keep_from)["bundles"] == 1
    kept = [bundle.id for bundle in store.bundles.after(0, limit=9, reader=None)]
    assert kept == [needed, younger]
    assert gone not in kept
    assert store.bundles.newest(C, 5) == []
    assert store.prune(clock() + 4 * DAY, 2, {A: 2, B: 6})["bundles"] == 1


def test_old_transactions_go_when_nothing_can_happen_to_them_any_more(store, clock):
    for nonce, state in enumerate(
        ("signed", "sent", "mined", "final", "reverted", "superseded", "young")
    ):
        mark = bytes([nonce + 1]) * 32
        now = clock() + (5 * DAY if state == "young" else 0)
        items = [[Item("report", A, 0, 1, state)]]
        made = store.transactions.begin(ACCOUNT, nonce, items, Attempt(mark, mark, 1, 1), now)
        if state in ("sent", "mined", "final", "young"):
            store.transactions.mark_sent(made)
        if state in ("mined", "final", "reverted"):
            outcome = "reverted" if state == "reverted" else "mined"
            store.transactions.mark_mined(made, outcome, Inclusion(mark, 1, mark, 1, 1))
        if state in ("final", "young"):
            store.transactions.mark_final(made)
        if state == "superseded":
            store.transactions.supersede(made)
    assert store.prune(clock() + 4 * DAY, 2)["transactions"] == 3
    told = {t.items[0].description: len(t.attempts) for t in store.transactions.recent(9)}
    assert told == {"signed": 1, "sent": 1, "mined": 1, "young": 1}
    with store.reading() as db:
        assert len(db.execute(tables.attempts.select()).all()) == 4


def test_old_samples_go(store, clock, monkeypatch):
    monkeypatch.setattr(retention, "_ROWS", 3)
    samples = store.samples("scope")
    for at in range(10):
        samples.put("key", int(clock()) + at, b"sample")
    assert store.prune(clock() + DAY + 8, 1)["samples"] == 8
    assert len(samples.get("key", 0, 2**40)) == 2


def test_others_can_write_while_much_is_forgotten(store, clock, monkeypatch):
    monkeypatch.setattr(retention, "_ROWS", 10)
    store.readings.save(answers(*((A, k) for k in range(100))))
    pruning = threading.Thread(target=lambda: store.prune(clock() + 2 * DAY, 1))
    between = 0
    pruning.start()
    while pruning.is_alive():
        store.set_meta("turn", str(between))
        between += 1
    pruning.join()
    assert left(store) == []
    assert between > 1
