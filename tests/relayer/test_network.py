"""Several reporters of one panel: they exchange what they signed, agree, take turns, and outvote who lies."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from oracles import NO_DATA, Unavailable
from relayer.errors import ChainUnavailable
from relayer.exchange.server import ExchangeServer
from relayer.protocol.tally import Tally
from relayer.protocol.typed_data import Domain
from relayer.store import StoredBundle
from tests import samples
from tests.relayer.world import BAD, GOOD, ScriptedService
from tests.samples import FEE

TEN_PERCENT = FEE // 10
KEYS = samples.reporter_wallets(3)


class Network:
    """Three relayers, each with a database and an exchange of its own. Time passes only when a test says so."""

    def __init__(self, world, stack, *, answers, stagger=0):
        self.world = world
        self.stores = [world.store(f"reporter{i}.sqlite") for i in range(3)]
        self.servers = []
        for key, store in zip(KEYS, self.stores, strict=True):
            server = ExchangeServer(
                store,
                address=key.address,
                chain_id=world.chain.chain_id,
                host="127.0.0.1",
                port=0,
            )
            server.start()
            stack.callback(server.stop, 5)
            self.servers.append(server)
        self.urls = urls = {
            key.address: f"http://127.0.0.1:{server.port}"
            for key, server in zip(KEYS, self.servers, strict=True)
        }
        self.services = []
        self.relayers = []
        for i, store in enumerate(self.stores):
            service = ScriptedService(clock=world.now)
            service.answers = answers[i]
            self.services.append(service)
            self.relayers.append(
                world.relayer(store, service, index=i, peers=urls, stagger=stagger)
            )

    def round(self, *running):
        """What each of the relayers does in a second or so."""
        for i in running or range(3):
            relayer = self.relayers[i]
            relayer._lookout.observe(self.world.chain.now())
            for source in relayer._lookout.sources:
                source.step()
            for peer in relayer._peers.each:
                peer.visit()
            relayer._guarded_round()

    def rounds(self, count, *running):
        for _ in range(count):
            self.round(*running)

    def sent(self):
        """What each relayer sent."""
        return [self.world.transactions(store) for store in self.stores]


@pytest.fixture
def make_network(make_world):
    with ExitStack() as stack:

        def make(answers=({}, {}, {}), **options):
            return Network(make_world(reporters=3), stack, answers=answers, **options)

        yield make


def tally(network):
    return tally_of(network.world)


def tally_of(world):
    return world.oracle.tally(world.feed.ref, 0)


def test_a_quorum_reports_and_pays(make_network):
    network = make_network([{3: BAD}] * 3)
    network.world.warp(4 * 60 + 31)
    network.rounds(4)
    assert tally(network) == Tally(60, judged=4, bad=1, longest_run=1)
    assert network.world.balances()[0] == TEN_PERCENT


def test_one_transaction_is_the_normal_case(make_network):
    network = make_network([{3: BAD}] * 3, stagger=1_000)
    network.world.warp(4 * 60 + 31)
    network.rounds(6)
    [*sent] = [transaction for each in network.sent() for transaction in each]
    assert sorted(sent) == [("report", "mined"), ("settle", "mined")]


def test_the_turn_changes_with_the_interval(make_network):
    network = make_network(stagger=1_000)
    for minute in range(11, 60, 10):
        network.world.warp(minute * 60 + 31)
        network.rounds(4)
    assert all(("report", "mined") in each for each in network.sent())
    assert tally(network).judged >= 50


@pytest.mark.parametrize("alive", [(0, 1), (1, 2), (0, 2)])
def test_any_quorum_that_is_alive_suffices(make_network, alive):
    network = make_network([{3: BAD}] * 3)
    for i in {0, 1, 2} - set(alive):
        network.servers[i].stop(5)
    network.world.warp(4 * 60 + 31)
    network.rounds(4, *alive)
    assert network.world.balances()[0] == TEN_PERCENT


@pytest.mark.parametrize("liar", range(3))
def test_a_liar_is_outvoted_and_seen(make_network, liar):
    answers = [{3: BAD}] * 3
    answers[liar] = {3: GOOD, 1: BAD}
    network = make_network(answers)
    network.world.warp(4 * 60 + 31)
    network.rounds(6)
    assert tally(network) == Tally(60, judged=4, bad=1, longest_run=1)
    assert network.world.balances()[0] == TEN_PERCENT
    oracle = network.world.oracle.contract
    events = oracle.events.Judged.get_logs(from_block=0)
    events += oracle.events.JudgedMany.get_logs(from_block=0)
    seen = 0
    for event in events:
        seen |= event["args"]["dissenters"]
    if len(network.stores[0].bundles.newest(network.world.feed.id, 3)) == 3:
        assert seen in {0, 1 << liar}


def test_a_breach_that_only_one_sees_is_looked_at_by_all(make_network):
    """The others sign at their cadence; that one has signed early makes them sign, too."""
    network = make_network([{3: BAD}, {}, {}])
    network.world.warp(4 * 60 + 31)
    network.rounds(6)
    assert tally(network) == Tally(60, judged=4)
    assert network.world.balances()[0] == 0


def test_who_has_no_answer_yet_does_not_hold_up_the_others(make_network):
    network = make_network([{3: BAD}, {3: BAD}, {0: Unavailable("timeout")}])
    network.world.warp(4 * 60 + 31)
    network.rounds(5)
    assert network.world.balances()[0] == TEN_PERCENT


def test_a_hole_in_ones_answers_is_no_hole_in_the_agreement(make_network):
    """0 and 2 have answers to the first interval, 1 and 2 to the last: together there is a quorum for each."""
    network = make_network([{4: Unavailable("gone")}, {0: Unavailable("gone")}, {4: BAD}])
    network.services[1].answers[4] = BAD
    network.world.warp(5 * 60 + 31)
    network.rounds(8)
    assert tally(network) == Tally(60, judged=5, bad=1, longest_run=1)


def test_without_agreement_the_interval_becomes_unknown(make_network):
    network = make_network([{0: BAD}, {0: NO_DATA}, {}])
    network.world.warp(61 + 30)
    network.rounds(6)
    assert tally(network) == Tally(60, judged=1, unknown=1), "all were heard and none agree"


def test_without_a_quorum_the_deadline_decides(make_network):
    network = make_network([{0: BAD}] * 3)
    network.world.warp(61 + 30)
    network.rounds(6, 0)
    assert tally(network).judged == 0, "one alone is no quorum"
    network.world.warp(10 * 60 + 7_200)
    network.rounds(6, 0)
    assert tally(network) == Tally(60, judged=10, unknown=10)
    assert network.world.balances()[0] == 0


def signatures(network, reporter):
    """How often a reporter has signed."""
    return len(network.stores[reporter].bundles.after(0, limit=1_000, reader=None))


def test_what_cannot_be_reported_is_signed_anew_at_the_cadence_and_not_at_each_interval(
    make_network,
):
    network = make_network()
    for minute in range(1, 31):
        network.world.warp(minute * 60 + 31)
        network.round(0)
    assert tally(network).judged == 0, "one alone is no quorum"
    assert signatures(network, 0) == 3
    [_, _, newest] = network.stores[0].bundles.after(0, limit=9, reader=None)
    assert len(newest.signed.feeds[0].readings) == 30 * 4, "all that is not judged yet"


def test_a_bad_interval_is_signed_at_once_although_the_ones_before_it_are_stuck(make_network):
    network = make_network([{3: BAD, 14: BAD}, {}, {}])
    for minute, signed in ((4, 1), (5, 1), (14, 2), (15, 3), (16, 3)):
        network.world.warp(minute * 60 + 31)
        network.rounds(2, 0)
        assert signatures(network, 0) == signed


def test_who_comes_back_has_all_signed_that_is_not_judged(make_network):
    """One is stuck alone; as soon as another signs, both sign up to the newest interval."""
    network = make_network()
    for minute in (11, 14):
        network.world.warp(minute * 60 + 31)
        network.rounds(2, 0)
    assert signatures(network, 0) == 1
    network.rounds(5, 0, 1)
    newest = network.stores[0].bundles.newest(network.world.feed.id, 13)
    assert {bundle.signed.reporter for bundle in newest} == {0, 1}
    assert tally(network).judged >= 11


def test_what_is_agreed_on_behind_intervals_that_nobody_has_waits_for_its_turns_alone(make_world):
    """A report is refused until they are skipped, which waits for no cadence. Both have turns, each by itself."""
    world, feed = (made := make_world(reporters=3)), made.feed
    domain, store = Domain(world.chain.chain_id, world.oracle.address), made.store()
    for i in (0, 2):
        signed = samples.signed_bundle(domain, [feed], i, 5, [[1_000_000] * 20])
        store.bundles.save(
            StoredBundle(
                id=None,
                oracle=world.oracle.address,
                panel=feed.panel.hash,
                signed=signed,
                address=KEYS[i].address,
                audience=None,
                signed_at=0,
            )
        )
    service = ScriptedService(clock=world.now)
    service.answers = dict.fromkeys(range(200), Unavailable("gone"))
    relayer = world.relayer(store, service, index=1, stagger=1_000)
    clock = 0.0
    [seat] = relayer._lookout.seats
    seat._clock = lambda: clock
    world.warp(5 * 60 + 7_200)
    relayer.once(60)
    assert tally_of(world).judged == 0, "it is the turn of another one"
    clock = 3_000.0
    relayer.once(60)
    clock = 6_000.0  # of interval 5 it is the turn of another one, too
    relayer.once(60)
    assert tally_of(world) == Tally(60, judged=25, unknown=5)


def test_a_report_of_many_feeds_that_would_judge_nothing_is_not_sent(make_world):
    """The oracle does not refuse it: it would be sent at every round, and what is to be skipped before it never would be."""
    world = make_world(reporters=3, feeds=2, batcher=True)
    domain, store = Domain(world.chain.chain_id, world.oracle.address), world.store()
    feeds = sorted(world.feeds, key=lambda feed: feed.id)
    for i in (0, 2):
        signed = samples.signed_bundle(domain, feeds, i, 5, [[1_000_000] * 20] * 2)
        store.bundles.save(
            StoredBundle(
                id=None,
                oracle=world.oracle.address,
                panel=world.feed.panel.hash,
                signed=signed,
                address=KEYS[i].address,
                audience=None,
                signed_at=0,
            )
        )
    service = ScriptedService(clock=world.now)
    service.answers = dict.fromkeys(range(200), Unavailable("gone"))
    relayer = world.relayer(store, service)
    world.warp(5 * 60 + 7_200)
    for _ in range(12):
        relayer._guarded_round()
    assert tally_of(world) == Tally(60, judged=25, unknown=5)
    assert world.transactions(store) == [("skip", "mined"), ("report", "mined")]


def test_a_restart_goes_on_with_what_was_collected(make_network):
    network = make_network([{3: BAD}] * 3, stagger=1_000)
    network.world.warp(4 * 60 + 31)
    turn = 0  # of interval 0
    others = [i for i in range(3) if i != turn]
    network.rounds(3, *others)
    assert tally(network).judged == 0, "it is not their turn"
    network.relayers[turn] = network.world.relayer(
        network.stores[turn], network.services[turn], index=turn, peers={}
    )
    for i in others:
        for bundle in network.stores[i].bundles.newest(network.world.feed.id, 0):
            network.stores[turn].bundles.save(bundle)
    network.rounds(3, turn)
    assert tally(network).judged == 4


def contradict(network, *, more=0):
    """The third reporter signs two answers for interval 3.

    :param more: It signs so much more, in which it does not contradict itself.
    """
    world, feed = network.world, network.world.feed
    world.warp(4 * 60 + 31)
    domain = Domain(world.chain.chain_id, world.oracle.address)
    bundles = [
        samples.signed_bundle(domain, [feed], 2, 0, [[1_000_000] * 3 + [code]])
        for code in (1_000_000, 0)
    ]
    for number in range(more):
        evidence = number.to_bytes(32, "big")
        bundles.append(
            samples.signed_bundle(domain, [feed], 2, 0, [[1_000_000]], evidence=evidence)
        )
    for signed in bundles:
        network.stores[2].bundles.save(
            StoredBundle(
                id=None,
                oracle=world.oracle.address,
                panel=feed.panel.hash,
                signed=signed,
                address=KEYS[2].address,
                audience=None,
                signed_at=world.now(),
            )
        )


def test_who_signs_two_answers_is_convicted_once_and_not_heard_any_more(make_network):
    network = make_network([{3: BAD}] * 3)
    world, feed = network.world, network.world.feed
    contradict(network)
    network.rounds(8, 0, 1)
    assert world.oracle.ignored(feed.panel) == 0b100
    sent = [purpose for each in network.sent() for purpose, _ in each]
    assert sent.count("prove") == 1
    assert tally(network) == Tally(60, judged=4, bad=1, longest_run=1)
    assert world.balances()[0] == TEN_PERCENT
    world.warp(60 * 60 + 31)
    network.rounds(6, 0, 1)
    assert world.balances() == (TEN_PERCENT, FEE - TEN_PERCENT, 0)


def test_what_was_found_before_a_kill_is_proven_after_the_start(make_network):
    """Both answers are stored, and what the peer shows again after a start is newer than they are."""
    network = make_network()
    world, feed = network.world, network.world.feed
    contradict(network, more=100)
    for relayer in network.relayers[:2]:
        relayer._lookout.observe(world.chain.now())
        for peer in relayer._peers.each:
            peer.visit()
        assert not relayer._peers.contradictions.empty()
    for i, store in enumerate(network.stores[:2]):
        service = ScriptedService(clock=world.now)
        network.relayers[i] = world.relayer(store, service, index=i, peers=network.urls)
    network.rounds(6, 0, 1)
    assert world.oracle.ignored(feed.panel) == 0b100
    assert [purpose for each in network.sent() for purpose, _ in each].count("prove") == 1


def test_a_relayer_that_was_convicted_leaves_the_feed_to_the_others(make_network):
    """Its readings do not count: what it would report, the oracle refuses."""
    network = make_network([{3: BAD}] * 3)
    test_who_signs_two_answers_is_convicted_once_and_not_heard_any_more(lambda _: network)
    network.rounds(4, 2)
    assert network.sent()[2] == []


def test_who_was_convicted_does_not_decide(make_network):
    network = make_network([{3: BAD, 5: BAD}, {3: BAD}, {3: BAD}])
    world, feed = network.world, network.world.feed
    contradict(network)
    network.rounds(8, 0, 1)
    assert world.oracle.ignored(feed.panel) == 0b100
    world.warp(6 * 60 + 31)
    network.rounds(8)
    assert tally(network).judged < 6, "of the three only two count, and they disagree"
    for deadlines in (1, 2):
        world.warp(6 * 60 + deadlines * 7_210)
        network.rounds(8)
    assert tally(network) == Tally(60, judged=60, bad=1, unknown=1, longest_run=1)


def test_no_peer_is_blamed_while_our_own_chain_does_not_answer(make_network):
    network = make_network([{3: BAD}] * 3)
    network.world.warp(4 * 60 + 31)
    network.rounds(1)

    def away():
        raise ChainUnavailable("the chain has not answered yet")

    relayer = network.relayers[0]
    for peer in relayer._peers.each:
        peer._chain_now = away
        assert peer.visit() > 0
    assert relayer._alerts.firing() == []


def test_a_reporter_whose_database_was_lost_stands_by_what_it_had_signed(make_network):
    """The service says something else when it is asked again: a second answer would be proof against an honest reporter."""
    network = make_network([{3: BAD}, {3: BAD}, {3: BAD}], stagger=100_000)
    world, feed = network.world, network.world.feed
    world.warp(4 * 60 + 31)
    network.rounds(3, 1, 2)
    assert tally(network).judged == 0

    forgetful = ScriptedService(clock=world.now)
    forgetful.answers = {2: BAD}
    lost = world.store("lost.sqlite")
    urls = {KEYS[2].address: f"http://127.0.0.1:{network.servers[2].port}"}
    network.stores[1], network.services[1] = lost, forgetful
    network.relayers[1] = world.relayer(lost, forgetful, index=1, peers=urls, stagger=100_000)
    network.rounds(3, 1, 2)
    world.warp(15 * 60 + 31)
    network.rounds(3, 1, 2)
    signed = [b for b in lost.bundles.newest(feed.id, 2) if b.signed.reporter == 1]
    assert len({b.signed.feeds[0].readings for b in signed}) == 2, "the old one, and a longer one"
    assert {b.signed.feeds[0].readings[8:16].hex() for b in signed} == {"000f4240" + "00000000"}

    network.rounds(6)
    assert world.oracle.ignored(feed.panel) == 0
    assert tally(network).bad == 1
