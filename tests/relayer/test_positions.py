"""Where many feeds stand, asked in one request: ``FeedLens`` says what ``latest`` says."""

import pytest
from web3.exceptions import Web3Exception

from relayer.bindings import FEEDS_PER_REQUEST, Oracle
from relayer.demo.processes import answers_rpc, local_chain, stopped_at_the_end
from tests import samples
from tests.relayer.test_daemon import service_with
from tests.relayer.world import BAD, make_world


@pytest.fixture(params=["anvil", "ganache"])
def world(request, rpc_url, tmp_path):
    if request.param == "anvil":
        made = make_world(rpc_url, tmp_path)
        yield made
    else:
        process, url = local_chain("ganache", tmp_path)
        process.start()
        with stopped_at_the_end(process):
            process.wait_until(lambda: answers_rpc(url))
            made = make_world(url, tmp_path)
            yield made
    for store in made.stores:
        store.close()


def test_they_are_those_of_latest_in_the_order_asked(world):
    world.rpc("evm_increaseTime", 600)
    world.rpc("evm_mine")
    world.relayer(world.store(), service_with({3: BAD}, world)).once(60)
    nobody, somebody = b"\x01" * 32, world.feed.id
    asked = [nobody, somebody, nobody, somebody]
    found = world.oracle.positions(asked)
    assert found == [tuple(world.oracle.latest(feed)) for feed in asked]
    assert found[1].next > 3
    assert found[1].advanced_at > 0
    assert found[0] == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 1, FEEDS_PER_REQUEST, FEEDS_PER_REQUEST + 1])
def test_as_many_as_were_asked_for(rpc_url, tmp_path, count):
    world = make_world(rpc_url, tmp_path)
    assert len(world.oracle.positions([bytes([i % 256]) * 32 for i in range(count)])) == count


def test_an_address_without_an_oracle_is_an_error_and_no_position(rpc_url, tmp_path):
    world = make_world(rpc_url, tmp_path)
    nowhere = Oracle(world.chain.w3, samples.wallet(3).address)
    with pytest.raises(Web3Exception):
        nowhere.positions([b"\x01" * 32])
