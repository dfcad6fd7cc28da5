"""A liar that is convicted on one feed stops counting on all feeds of its panel, because relayers see to it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from relayer.bindings import Oracle
from relayer.errors import Reverted
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.relayer.test_network import Network, contradict
from tests.relayer.world import ScriptedService

LIAR = 2
FALSE = 0


@pytest.fixture
def network(make_world):
    with ExitStack() as stack:
        yield Network(make_world(reporters=3, feeds=2, batcher=True), stack, answers=({}, {}, {}))


def heeds(network):
    return [network.world.oracle.heeds(feed.id) for feed in network.world.feeds]


def heard_with_the_liar(network, feed):
    """What the oracle would make of a lie that only one other reporter shares; its error if it refuses."""
    world = network.world
    domain = Domain(world.chain.chain_id, world.oracle.address)
    first = world.oracle.next_interval(feed.id)
    signed = [samples.signed_batch(domain, feed, i, first, [FALSE]) for i in (0, LIAR)]
    try:
        return world.chain.simulate(world.oracle.report(feed, signed), world.terms.consumer)
    except Reverted as error:
        return error.error


def sent(network):
    return [purposes for each in network.sent() for purposes, _ in each]


def test_a_liar_proven_on_one_feed_stops_counting_on_the_others(network):
    world = network.world
    _, other = world.feeds
    assert heeds(network) == [False, False]
    contradict(network)
    assert heard_with_the_liar(network, other) == 1, "it counts still"
    network.rounds(8, 0, 1)
    assert heeds(network) == [True, True]
    for feed in world.feeds:
        assert heard_with_the_liar(network, feed) == "MonitoringOracle_NoAgreement"
    assert sum("heed" in purposes for purposes in sent(network)) == 1, "by one of them, and once"


def test_it_is_done_once_whatever_is_started_anew(network):
    world = network.world
    test_a_liar_proven_on_one_feed_stops_counting_on_the_others(network)
    before = sent(network)
    for i in (0, 1):
        network.relayers[i] = world.relayer(
            network.stores[i], ScriptedService(clock=world.now), index=i, peers={}
        )
    network.rounds(4, 0, 1)
    assert sent(network) == before


def test_a_relayer_that_was_away_when_it_was_proven_does_it_after_its_start(make_world):
    world = make_world(reporters=3, feeds=3, batcher=True)
    domain = Domain(world.chain.chain_id, world.oracle.address)
    one, other = (
        samples.signed_bundle(domain, [world.feed], LIAR, 0, [[code]]) for code in (1_000_000, 0)
    )
    world.warp(91)
    world.chain.send(
        world.oracle.prove_equivocation(world.feed, LIAR, 0, one, other), samples.wallet(2)
    )
    store = world.store()
    world.relayer(store, index=0).once(60)
    assert [world.oracle.heeds(feed.id) for feed in world.feeds] == [True] * 3
    [_] = [row for row in world.transactions(store) if "heed" in row[0]]
    done = [item for t in store.transactions.recent(10) for item in t.items]
    assert {item.subject for item in done if item.purpose == "heed"} == {
        feed.id for feed in world.feeds[1:]
    }, "together, and the feed on which it was proven needs none"


def test_while_nobody_has_equivocated_the_chain_is_not_asked(small_world, monkeypatch):
    def asked(*_):
        raise AssertionError("asked")

    monkeypatch.setattr(Oracle, "heeds", asked)
    small_world.warp(91)
    small_world.relayer(small_world.store()).once(60)
