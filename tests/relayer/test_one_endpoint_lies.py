"""One RPC endpoint of three lies about what decides money. It is outvoted, and named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web3 import Web3

from relayer.bindings import Oracle
from relayer.errors import ChainUnavailable
from relayer.operations.alerts import Alerts
from relayer.protocol.typed_data import Domain
from relayer.rpc import FailoverProvider
from tests import samples
from tests.faults.rpc_proxy import RpcProxy
from tests.relayer.world import BAD, HOUR, PromptChain, ScriptedService


def words(*numbers):
    """What a contract returns."""
    return "0x" + "".join(number.to_bytes(32, "big").hex() for number in numbers)


@pytest.fixture
def proxies(rpc_url):
    """The first, which is asked first, is the liar."""
    made = [RpcProxy(rpc_url) for _ in range(3)]
    yield made
    for proxy in made:
        proxy.close()


@pytest.fixture
def alerts():
    return Alerts()


@pytest.fixture
def world(small_world, proxies, alerts):
    """Its chain is seen through three endpoints, of which two have to agree."""
    provider = FailoverProvider([proxy.url for proxy in proxies], alerts=alerts)
    chain = PromptChain(Web3(provider), small_world.chain.chain_id, agreement=2, alerts=alerts)
    return replace(small_world, chain=chain)


@pytest.fixture
def relayer(world, small_world):
    service = ScriptedService(clock=world.now)
    service.answers = {1: BAD}
    made = world.relayer(small_world.store(), service)
    world.warp(2 * 60 + 31)
    made._guarded_round()
    for source in made._lookout.sources:
        source.step()
    made._take_in()
    return made


def test_where_a_feed_stands(world, relayer, proxies, alerts):
    """Behind it nothing would be signed: intervals up to there would become unknown."""
    liar, _, last = proxies
    [task] = relayer._lookout.open.values()
    liar.result(words(50), "eth_call")
    relayer._lookout.observe(world.chain.now())
    assert task.reporter.first == 0
    assert [alert.name for alert in alerts.firing()] == ["rpc_dissent"]
    assert task.reporter.to_sign(world.chain.now(), 0) is not None
    asked = last.seen("eth_call")
    liar.clear()
    relayer._lookout.observe(world.chain.now())
    assert last.seen("eth_call") == asked, "asked only in place of the liar"


def test_an_answer_that_makes_no_sense_is_outvoted_too(world, relayer, proxies):
    liar, *_ = proxies
    [task] = relayer._lookout.open.values()
    liar.result(words(99 << 32), "eth_call")  # there is no such verdict
    relayer._lookout.observe(world.chain.now())
    assert relayer._lookout.problems == {}
    assert task.reporter.first == 0


def test_while_all_but_one_are_away_feeds_are_reported_by_its_word(world, relayer, proxies):
    """Payments wait until two agree; intervals have a deadline."""
    _, second, third = proxies
    second.cut()
    third.cut()
    for _ in range(20):
        relayer._guarded_round()
        world.rpc("evm_mine")
    assert world.oracle.tally(world.feed.ref, 0).bad == 1
    assert world.balances()[0] == 0
    second.clear()
    third.clear()


def test_who_has_equivocated(relayer, proxies):
    liar, *_ = proxies
    [seat] = relayer._lookout.seats
    liar.result(words(1), "eth_call")
    assert relayer._lookout.ignored(seat) == 0


def test_that_a_feed_does_not_heed_what_was_proven(small_world, world, relayer, proxies):
    """It would be told to at every round: that never fails, and costs coins."""
    liar, *_ = proxies
    domain = Domain(world.chain.chain_id, world.oracle.address)
    one, other = (samples.signed_bundle(domain, [world.feed], 0, 0, [[code]]) for code in (1, 2))
    proof = world.oracle.prove_equivocation(world.feed, 0, 0, one, other)
    small_world.chain.send(proof, samples.wallet(2))
    liar.result(words(0), "eth_getStorageAt")
    relayer._lookout.doubt_reporters()
    relayer._lookout.observe(world.chain.now())
    assert [seat.ignored for seat in relayer._lookout.seats] == [1]
    assert relayer._due_heeds() == []
    assert relayer._lookout.problems == {}


def test_that_an_agreement_is_open(world, proxies):
    liar, *_ = proxies
    settler = world.settler("nowhere", agreement_id=b"\x01" * 32)
    liar.result(words(1), "eth_call")
    assert not settler.is_open()


def test_that_an_agreement_ended_early(world, proxies):
    liar, *_ = proxies
    settler = world.settler("agreement")
    end = settler.end
    liar.result(words(0), "eth_call")
    settler._note_end()
    assert settler.end == end


def test_that_an_expired_window_was_judged(world, proxies):
    """It would be closed with what was read and not yet reported as unknown, before that is reported."""
    liar, *_ = proxies
    settler = world.settler("agreement")
    expiry = world.terms.expiry(0)
    liar.result(words(60, 60, 0, 0, 0, 0, 0), "eth_call")
    assert settler._lapses(0, expiry)


def test_that_nothing_waits_in_the_court(world, proxies):
    """A window that is believed to be empty is not looked at again."""
    liar, second, _ = proxies
    terms = replace(world.terms, arbiter=samples.wallet(7).address, challenge_period=HOUR)
    settler = world.settler("agreement", terms=terms)
    court = world.escrow.court()
    liar.result(words(7, 0, 0, 0, 0), "eth_call")
    assert settler._waiting(court, world.terms.start) == {0: ((0, 0), (0, 0))}
    second.result(words(8, 0, 0, 0, 0), "eth_call")
    with pytest.raises(ChainUnavailable):
        settler._waiting(court, world.terms.start)


def test_while_one_is_behind_a_report_of_many_feeds_is_sent_once(make_world, proxies, alerts):
    """What two agree on is where feeds stood when the one that is behind saw them last: before the report."""
    direct = make_world(feeds=2, batcher=True)
    provider = FailoverProvider([proxy.url for proxy in proxies[:2]], alerts=alerts)
    chain = PromptChain(Web3(provider), direct.chain.chain_id, agreement=2, alerts=alerts)
    world = replace(direct, chain=chain, oracle=Oracle(chain.w3, direct.oracle.address))
    store = direct.store()
    relayer = world.relayer(store)
    direct.warp(11 * 60 + 31)
    relayer._guarded_round()
    for source in relayer._lookout.sources:
        source.step()
    proxies[1].result(direct.rpc("eth_getBlockByNumber", "latest", False), "eth_getBlockByNumber")
    for _ in range(6):
        relayer._guarded_round()
    assert [place.next for place in direct.oracle.positions([f.id for f in world.feeds])] == [
        11,
        11,
    ]
    assert world.transactions(store) == [("report", "mined")]
