"""The relayer reports nothing for a document that does not match the chain: not even for feeds that are the same."""

from dataclasses import replace

from tests.relayer.world import BAD, ScriptedService


def test_nothing_is_read_or_sent_for_a_document_that_was_changed_after_signing(small_world):
    world, store = small_world, small_world.store()
    # Other words, and a later end: the feeds, their ids and the reporters are what they were.
    terms = replace(world.terms, document=b"\xd1" * 32, windows=world.terms.windows + 2)
    assert terms.levels == world.terms.levels
    changed = replace(world, terms=terms, agreement_id=world.escrow.agreement_id(terms))

    def service():
        scripted = ScriptedService(clock=world.now)
        scripted.answers = {0: BAD}
        return scripted

    world.warp(10 * 60)
    changed.relayer(store, service()).once(100)
    assert world.transactions(store) == []
    assert store.readings.summary(world.feed.id, 0)["read"] == 0
    assert world.oracle.next_interval(world.feed.id) == 0
    # With the document that was signed the same relayer reports at once.
    world.relayer(store, service()).once(100)
    assert world.oracle.next_interval(world.feed.id) > 0
