"""Two answers of one reporter for one interval are found, however they come, and only those."""

import pytest

from relayer.exchange import contradictions
from relayer.operations import metrics
from tests.relayer.exchange.kit import (
    ADDRESSES,
    FEEDS,
    Clock,
    emptied,
    known,
    panels,
    said,
    scripted,
    showing,
    shown,
    signed,
    stored,
)


@pytest.fixture
def store(member):
    return member(1).store


def found(store, bundle, some=None):
    return [
        (FEEDS.index(one.feed), one.interval, one.one, one.other)
        for one in contradictions.find(store, stored(bundle), some or panels())
    ]


def keep(store, *bundles):
    for bundle in bundles:
        store.bundles.save(stored(bundle))


def test_two_answers_for_one_interval(store):
    one, other = signed(0, said(3, [1, 2, 3])), signed(0, said(4, [2, 9]))
    keep(store, one)
    assert found(store, other) == [(i, 5, one, other) for i in range(3)]


def test_continuations_are_the_normal_case(store):
    keep(store, *(signed(0, said(0, list(range(n)))) for n in (1, 2, 3)))
    assert found(store, signed(0, said(0, [0, 1, 2, 3]))) == []
    assert found(store, signed(0, said(2, [2, 3]))) == []
    assert found(store, signed(0, said(0, [0, 1]))) == []


def test_other_evidence_is_no_contradiction(store):
    """The oracle compares answers; how they came about is another question."""
    keep(store, signed(0, said(0, [1])))
    assert found(store, signed(0, said(0, [1]), evidence=b"\x01" * 32)) == []


def test_neighbours_do_not_overlap(store):
    keep(store, signed(0, said(0, [1])), signed(0, said(2, [1])))
    assert found(store, signed(0, said(1, [5]))) == []


def test_reporters_may_disagree(store):
    keep(store, signed(1, said(0, [1])), signed(2, said(0, [2])))
    assert found(store, signed(0, said(0, [3]))) == []


def test_what_others_signed_later_hides_nothing(store):
    one, other = signed(0, said(0, [1])), signed(0, said(0, [2]))
    keep(store, one, signed(1, said(0, [2])))
    assert found(store, other) == [(i, 0, one, other) for i in range(3)]


def test_other_feeds_may_differ(store):
    keep(store, signed(0, said(0, [1], FEEDS[:1])))
    assert found(store, signed(0, said(0, [2], FEEDS[1:]))) == []


def test_one_feed_among_many(store):
    one = signed(0, [(FEEDS[0], 0, [1]), (FEEDS[1], 0, [1]), (FEEDS[2], 0, [1])])
    other = signed(0, [(FEEDS[0], 0, [1]), (FEEDS[1], 0, [2]), (FEEDS[2], 0, [1])])
    keep(store, one)
    assert found(store, other) == [(1, 0, one, other)]


def test_feeds_that_are_not_known_cannot_be_proven(store):
    keep(store, signed(0, said(0, [1])))
    some = panels(known(FEEDS[:1]))
    assert [feed for feed, *_ in found(store, signed(0, said(0, [2])), some)] == [0]


def test_the_contradicted_bundle_may_be_hidden_behind_many_newer_ones(store):
    """The newest one holds only a part of the intervals, and each of the others another part."""
    hidden = signed(0, said(0, [7], FEEDS[2:]))
    keep(store, hidden)
    for first in range(1, 30):
        keep(store, signed(0, said(first, [1])))
    keep(store, signed(0, said(0, [1], FEEDS[:2])))
    other = signed(0, said(0, [1] * 30))
    assert found(store, other) == [(2, 0, hidden, other)]


def test_of_an_empty_span_nothing_is_compared(store):
    keep(store, signed(0, said(0, [1])))
    assert found(store, signed(0, [(FEEDS[0], 0, []), (FEEDS[1], 0, [1])])) == []


# What becomes of them


def equivocations(index):
    return metrics.EQUIVOCATIONS.labels(ADDRESSES[index])._value.get()


def test_proof_is_handed_over_once_and_an_alert_fires(member):
    one, other = signed(0, said(0, [1])), signed(0, said(0, [2]))
    third = signed(0, said(0, [3]))
    before = equivocations(0)
    bundles = [shown(bundle) for bundle in (one, other, third)]
    with scripted(showing(0, *bundles)) as url:
        listener = member(1).listen({0: url})
        listener.visit(0)
    [proof] = emptied(listener.peers.contradictions)
    assert (proof.one, proof.other, proof.reporter, proof.address) == (one, other, 0, ADDRESSES[0])
    assert listener.firing() == {("equivocation", ADDRESSES[0])}
    assert equivocations(0) == before + 1
    assert listener.inbox() == [one, other, third]


def test_a_restart_before_the_proof_finds_it_again(member):
    zero = member(0).serve()
    zero.say(0, [1])
    zero.say(0, [2])
    listener = member(1).listen({0: zero.url})
    listener.visit(0)
    assert len(emptied(listener.peers.contradictions)) == 1
    listener.listen({0: zero.url}).visit(0)
    assert len(emptied(listener.peers.contradictions)) == 1


def test_two_peers_with_a_half_each_prove_it_against_us_and_nobody_shows_it(member):
    """Two processes with our key: we are the last who should take it to the oracle."""
    zero, two = member(0).serve(), member(2).serve()
    zero.store.bundles.save(stored(signed(1, said(0, [1]))))
    two.store.bundles.save(stored(signed(1, said(0, [2]))))
    listener = member(1).listen({0: zero.url, 2: two.url})
    listener.visit(0)
    listener.visit(2)
    assert listener.firing() == {
        ("own_signature_unknown", ADDRESSES[1]),
        ("own_equivocation", ADDRESSES[1]),
    }
    assert listener.peers.contradictions.empty()


def test_another_process_with_our_key_is_found_out(member):
    zero = member(0).serve()
    listener = member(1, clock=Clock()).listen({0: zero.url})
    listener.say(0, [1])
    zero.store.bundles.save(stored(signed(1, said(0, [2]))))
    listener.visit(0)
    assert ("own_equivocation", ADDRESSES[1]) in listener.firing()
    assert listener.peers.contradictions.empty()
