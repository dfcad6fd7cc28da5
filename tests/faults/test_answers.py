"""What is read while the chain cannot say which feeds are open: neither the answers nor the feeds are forgotten."""

from __future__ import annotations

import pytest

from tests.faults.rpc_proxy import RpcProxy
from tests.relayer.world import BAD, ScriptedService, make_world, running_chain


@pytest.fixture(scope="module")
def rpc_url(tmp_path_factory):
    """A chain of its own: its time is moved, which the others share with the machine."""
    with running_chain(tmp_path_factory.mktemp("chain")) as url:
        yield url


@pytest.fixture
def at_work(rpc_url, tmp_path):
    """A relayer that knows its feed, its service, whose first interval is bad, and the endpoint between it and the chain."""
    with RpcProxy(rpc_url) as proxy:
        world = make_world(proxy.url, tmp_path)
        service = ScriptedService(clock=world.now)
        service.answers = {0: BAD}
        store = world.store()
        relayer = world.relayer(store, service)
        relayer._guarded_round()
        yield world, relayer, service, proxy
        store.close()


def rounds(world, relayer, count):
    for _ in range(count):
        relayer._guarded_round()
        for source in relayer._lookout.sources:
            source.step()
        world.rpc("evm_mine")


def test_what_was_read_while_the_oracle_could_not_be_asked_is_reported(at_work):
    world, relayer, _, proxy = at_work
    world.warp(91)
    relayer._guarded_round()
    [source] = relayer._lookout.sources
    source.step()
    proxy.cut("eth_call")
    relayer._guarded_round()
    proxy.clear()
    rounds(world, relayer, 20)
    assert world.oracle.tally(world.feed.ref, 0).bad == 1


@pytest.mark.parametrize("later", [1, 100], ids=["positions", "agreement"])
def test_services_are_read_while_the_oracle_cannot_be_asked(at_work, later):
    world, relayer, service, proxy = at_work
    proxy.cut("eth_call")
    world.warp(91 + later)  # agreements are looked at once a minute
    relayer._guarded_round()
    relayer._guarded_round()
    [source] = relayer._lookout.sources
    source.step()
    assert service.asked[:1] == [0]
