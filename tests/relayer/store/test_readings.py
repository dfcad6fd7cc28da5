from __future__ import annotations

import threading

import pytest

from relayer.errors import ConfigurationError
from relayer.protocol.readings import NO_DATA
from relayer.store import Answered, Due, Failed, StoredReading

A, B = b"a" * 32, b"b" * 32
LAST = 2**32 - 1


def answer(feed, interval, code=1):
    return Answered(feed, interval, code, "probe", b"raw", b"d" * 32)


def codes(store, feed, first=0):
    return [reading.code for reading in store.readings.answered(feed, first)]


def test_what_is_scheduled_is_due_until_it_is_answered(store, clock):
    store.readings.schedule([(B, 3), (A, 1), (A, LAST)])
    assert store.readings.due(clock()) == [Due(A, 1, 0), Due(B, 3, 0), Due(A, LAST, 0)]
    assert store.readings.due(clock(), limit=1) == [Due(A, 1, 0)]
    store.readings.save([answer(A, 1), answer(A, LAST, NO_DATA)])
    assert store.readings.due(clock()) == [Due(B, 3, 0)]
    assert codes(store, A) == [1, NO_DATA]


def test_scheduling_again_forgets_neither_failures_nor_answers(store, clock):
    store.readings.schedule([(A, 1), (A, 2)])
    store.readings.fail([Failed(A, 1, "no", clock() - 1)])
    store.readings.save([answer(A, 2)])
    store.readings.schedule([(A, 1), (A, 2)])
    assert store.readings.due(clock()) == [Due(A, 1, 1)]


def test_a_failed_attempt_waits_for_its_time(store, clock):
    store.readings.schedule([(A, 1)])
    store.readings.fail([Failed(A, 1, "timeout", clock() + 60)])
    assert store.readings.due(clock() + 59) == []
    assert store.readings.due(clock() + 60) == [Due(A, 1, 1)]
    assert store.readings.summary(A, 0)["problem"] == "timeout"


def test_the_first_answer_stands(store, clock):
    store.readings.schedule([(A, 1)])
    store.readings.save([answer(A, 1, 5), answer(B, 1, 6)])  # B was never scheduled
    store.readings.save([answer(A, 1, 7), answer(B, 1, 8), answer(B, 2, 9)])
    store.readings.fail([Failed(A, 1, "too late", clock() + 1)])
    assert codes(store, A) == [5]
    assert codes(store, B) == [6, 9]
    assert store.readings.summary(A, 0)["problem"] is None


def test_an_interval_that_is_answered_twice_at_once_has_its_first_answer(store):
    """A feed that a reorganisation took back is asked once more for what it still waits for, in one go."""
    store.readings.schedule([(A, 1), (A, 2)])
    answers = [answer(A, 1, 7), answer(A, 2, 8), answer(A, 1, 5)]
    assert [one.code for one in store.readings.save(answers)] == [7, 8, 7]
    assert codes(store, A) == [7, 8]


def test_answers_are_found_by_the_time_of_storing(store, clock):
    store.readings.save([answer(A, 1)])
    clock.now += 10
    store.readings.save([answer(A, 2, 4), answer(B, 1)])
    found = store.readings.answered_since(clock())
    assert {(reading.feed, reading.interval) for reading in found} == {(A, 2), (B, 1)}
    assert StoredReading(A, 2, 4, b"d" * 32, clock()) in found
    assert len(store.readings.answered_since(clock() - 10)) == 3


def test_answers_of_many_feeds_are_found_at_once(store):
    store.readings.schedule([(A, 9)])
    store.readings.save([answer(feed, number) for feed in (A, B) for number in range(4)])
    found = store.readings.answered_from({A: 2, B: 3, b"c" * 32: 0})
    assert [(reading.feed, reading.interval) for reading in found] == [(A, 2), (A, 3), (B, 3)]
    assert store.readings.answered_from({}) == []
    assert found == store.readings.answered_from({A: 2, B: 3})  # leaves nothing behind


def test_what_nobody_needs_any_more_is_not_read(store, clock):
    store.readings.schedule([(A, 1), (A, 2), (B, 1)])
    store.readings.save([answer(A, 0)])
    assert store.readings.forget_unread({A: 2}) == 1
    assert store.readings.due(clock()) == [Due(B, 1, 0), Due(A, 2, 0)]
    assert codes(store, A) == [1]


def test_forgetting_does_not_walk_through_all_answers(open_store, tmp_path):
    # A feed of a year has half a million of them.
    store = open_store(tmp_path / "db.sqlite")
    with store.reading() as db:
        plan = db.exec_driver_sql(
            "EXPLAIN QUERY PLAN DELETE FROM readings WHERE feed = ? AND interval < ? AND code IS NULL",
            (A, 2),
        ).all()
    assert "readings_unread" in str(plan)


def test_the_summary_counts_from_an_interval_on(store, clock):
    assert store.readings.summary(A, 0) == {
        "unread": 0,
        "read": 0,
        "problem": None,
        "lastReadAt": None,
    }
    store.readings.schedule([(A, 1), (A, 5), (A, 6)])
    store.readings.save([answer(A, 0), answer(A, 6)])
    found = store.readings.summary(A, 5)
    assert found == {"unread": 1, "read": 1, "problem": None, "lastReadAt": clock()}


def test_nothing_is_asked_of_the_database_for_nothing(store):
    store.readings.schedule([])
    store.readings.save([])
    store.readings.fail([])
    assert store.readings.forget_unread({}) == 0


def test_many_threads_write_at_once_and_one_answer_stands(store):
    feeds = [bytes([number]) * 32 for number in range(50)]
    errors = []

    def work(code):
        try:
            ordered = feeds if code % 2 else feeds[::-1]
            for interval in range(5):
                store.readings.schedule((feed, interval) for feed in ordered)
                store.readings.save([answer(feed, interval, code) for feed in ordered])
                store.readings.due(0)
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is the failure
            errors.append(error)

    threads = [threading.Thread(target=work, args=(code,)) for code in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = store.readings.answered_from(dict.fromkeys(feeds, 0))
    assert len(found) == 250
    for interval in range(5):  # each call is one step: all of its answers, or none
        assert len({reading.code for reading in found if reading.interval == interval}) == 1


def test_samples_lie_in_name_spaces_of_their_own(store):
    one, other = store.samples("one"), store.samples("other")
    one.put("key", 10, b"a")
    one.put("key", 10, b"b")
    one.put("key", 20, b"c")
    other.put("key", 10, b"d")
    assert one.get("key", 10, 20) == [(10, b"a")]
    assert one.get("key", 0, 21) == [(10, b"a"), (20, b"c")]


def test_a_database_is_one_chains(store, open_store, database):
    store.bind(1)
    store.bind(1)
    with pytest.raises(ConfigurationError, match="belongs to chain 1, not to chain 5"):
        open_store(database).bind(5)


def test_facts_about_the_database_are_kept(store, open_store, database):
    assert store.meta("nothing") is None
    store.set_meta("sign_from", "1")
    store.set_meta("sign_from", "2")
    assert open_store(database).meta("sign_from") == "2"
    assert int(store.meta("created_at")) > 1_700_000_000


def test_no_password_is_ever_shown(postgres, open_store):
    url = postgres.new_database().replace("makegood@", "makegood:hunter2@") + "?connect_timeout=5"
    store = open_store(url)
    assert store.name.startswith("postgresql://127.0.0.1:")
    assert "hunter2" not in f"{store.name} {store.engine!r} {store.engine.url!r}"


@pytest.mark.parametrize(
    "where", ["mysql://user:hunter2@host/db", "postgresql://user:hunter2@host:port/db"]
)
def test_only_sqlite_and_postgresql_are_known(where, open_store):
    with pytest.raises(ConfigurationError) as error:
        open_store(where)
    assert "postgresql://user:password@host" in error.value.hint
    assert "hunter2" not in str(error.value)
