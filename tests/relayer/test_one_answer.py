"""An interval has one answer for ever, whatever happens to the database between asking and signing."""

import pytest

from relayer.bindings import Oracle
from relayer.protocol.readings import unpack_readings
from relayer.store import StoreUnavailable
from relayer.store.readings import Answered, Readings
from tests.relayer.test_daemon import service_with
from tests.relayer.world import BAD

FEED = b"\x01" * 32


def signed_for(store, feed, interval):
    """All codes that were signed for an interval."""
    return {
        unpack_readings(part.readings)[interval - part.first]
        for bundle in store.bundles.containing(feed, interval, 0)
        for part in bundle.signed.feeds
        if part.feed_id == feed
    }


def fresh_round(relayer):
    relayer._looked_at = float("-inf")
    relayer.round()


def test_what_stands_in_the_database_is_the_answer_not_what_came_second(small_world):
    store = small_world.store()
    first = Answered(FEED, 0, 1_000_000, "scripted", b"first", b"\x01" * 32)
    second = Answered(FEED, 0, 0, "scripted", b"second", b"\x02" * 32)
    other = Answered(FEED, 1, 7, "scripted", b"other", b"\x03" * 32)
    assert store.readings.save([first]) == [first]
    assert store.readings.save([second, other]) == [first, other]


def test_an_answer_whose_commit_was_lost_is_the_one_that_is_signed(small_world, monkeypatch):
    world, store = small_world, small_world.store()
    service = service_with({}, world)
    relayer = world.relayer(store, service)
    world.warp(90)
    relayer.round()
    save = Readings.save

    def committed_but_unheard(self, answers):
        save(self, answers)
        monkeypatch.setattr(Readings, "save", save)
        raise StoreUnavailable("the connection is gone", kind="unreachable")

    monkeypatch.setattr(Readings, "save", committed_but_unheard)
    [source] = relayer._lookout.sources
    with pytest.raises(StoreUnavailable):
        source.step()
    service.answers[0] = BAD  # what it says when it is asked again
    source.step()
    world.warp(11 * 60 + 31)
    relayer.once(100)
    assert signed_for(store, world.feed.id, 0) == {1_000_000}


def test_answers_that_could_not_be_loaded_after_a_reorganisation_are_not_made_up_again(
    small_world, monkeypatch
):
    world, store = small_world, small_world.store()
    service = service_with({}, world)
    relayer = world.relayer(store, service)
    world.warp(11 * 60 + 31)
    relayer.once(100)
    assert signed_for(store, world.feed.id, 0) == {1_000_000}

    loads = []
    answered_from, positions = Readings.answered_from, Oracle.positions

    def locked_once(self, firsts):
        loads.append(firsts)
        if len(loads) == 1:
            raise StoreUnavailable("database is locked", kind="locked")
        return answered_from(self, firsts)

    monkeypatch.setattr(Readings, "answered_from", locked_once)
    monkeypatch.setattr(
        Oracle, "positions", lambda self, ids: [p._replace(next=0) for p in positions(self, ids)]
    )
    service.answers = dict.fromkeys(range(60), BAD)
    [source] = relayer._lookout.sources
    with pytest.raises(StoreUnavailable):
        fresh_round(relayer)
    world.warp(30 * 60)
    for _ in range(4):
        fresh_round(relayer)
        source.step()
    assert len(loads) >= 2
    assert signed_for(store, world.feed.id, 0) == {1_000_000}


def test_a_database_that_was_deleted_under_us_is_not_written_to(small_world):
    world = small_world
    store = world.store("deleted.sqlite")
    relayer = world.relayer(store, service_with({}, world))
    world.warp(90)
    relayer.round()
    (world.folder / "deleted.sqlite").unlink()
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        store.set_meta("key", "value")
    relayer._looked_at = float("-inf")
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        relayer.round()


def test_a_loop_that_fails_does_not_hurry_because_peers_go_on_talking(small_world, monkeypatch):
    world = small_world
    relayer = world.relayer(world.store(), service_with({}, world), peers={})
    relayer._peers.inbox.put(object())
    relayer._failed_rounds = 1
    waited = []
    monkeypatch.setattr(
        relayer._stop, "wait", lambda seconds: waited.append(seconds) or len(waited) > 3
    )
    relayer._pause(60)
    assert len(waited) > 1
