"""Endpoints that lag: they rest, and nothing older than what was seen is believed, unless all agree on it."""

from __future__ import annotations

import pytest

from relayer import rpc
from relayer.errors import ChainUnavailable
from tests.relayer.rpc.kit import RICH, direct, errors, mine, pay


def test_an_endpoint_that_lags_rests_until_it_has_caught_up(proxies, connect, clock, anvil_url):
    lagging, good, *_ = proxies
    mine(anvil_url, 12, 20)
    chain = connect(lagging, good)
    lagging.lag(10)
    clock.now += rpc.HEAD_SECONDS + 1
    seen = lagging.seen("eth_getBalance")
    assert chain.balance(RICH.address) > 0
    assert errors(lagging, "lagging") == 1
    assert lagging.seen("eth_getBalance") == seen
    clock.now += 1.1
    chain.balance(RICH.address)
    assert lagging.seen("eth_getBalance") == seen, "it still lags"
    lagging.clear()
    clock.now += 61
    chain.balance(RICH.address)
    assert lagging.seen("eth_getBalance") == seen + 1


@pytest.mark.parametrize(("blocks", "seconds"), [(12, 1), (3, 100)])
def test_a_small_lag_is_none(blocks, seconds, proxies, connect, clock, anvil_url):
    """Neither many fast blocks nor few slow ones."""
    late, good, *_ = proxies
    mine(anvil_url, blocks, seconds)
    chain = connect(late, good)
    late.lag(blocks)
    clock.now += rpc.HEAD_SECONDS + 1
    chain.balance(RICH.address)
    assert errors(late, "lagging") == 0


def test_one_of_three_that_claims_to_be_far_ahead_makes_the_others_not_late(
    proxies, connect, clock, anvil_url
):
    liar, second, third, _ = proxies
    chain = connect(second, third, liar)
    block = direct(anvil_url, "eth_getBlockByNumber", "latest", False)
    far = {"number": "0xffffff", "timestamp": "0xffffffff"}
    liar.result(block | far, "eth_getBlockByNumber")
    clock.now += rpc.HEAD_SECONDS + 1
    chain.balance(RICH.address)
    clock.now += rpc.HEAD_SECONDS + 1
    chain.balance(RICH.address)
    assert errors(second, "lagging") == errors(third, "lagging") == 0


def test_the_newest_block_never_goes_back_to_an_older_one(proxies, connect, clock, anvil_url):
    lagging, good, *_ = proxies
    chain = connect(lagging, good)
    mine(anvil_url, 3, 1)
    newest = chain.head()
    assert newest.number == int(direct(anvil_url, "eth_blockNumber"), 16)
    lagging.lag(2)
    assert chain.head() == newest
    assert chain.now() == newest.timestamp
    assert chain.w3.eth.block_number == newest.number


def test_the_nonce_never_goes_back_to_an_older_one(proxies, connect, anvil_url):
    lagging, good, *_ = proxies
    chain = connect(lagging, good)
    pay(chain)
    pay(chain)
    nonce = chain.nonce(RICH.address)
    lagging.lag(1)
    assert chain.w3.provider.endpoints[0].make_request(
        "eth_getTransactionCount", [RICH.address, "latest"]
    )["result"] == hex(nonce - 1)
    assert chain.nonce(RICH.address) == nonce


def test_while_those_who_knew_the_newest_block_are_away_nothing_older_is_believed(
    proxies, connect, clock, anvil_url
):
    lagging, good, *_ = proxies
    chain = connect(good, lagging)
    mine(anvil_url, 3, 1)
    newest = chain.head()
    lagging.lag(2)
    good.cut()
    with pytest.raises(ChainUnavailable, match="behind what was seen"):
        chain.head()
    lagging.clear()
    assert chain.head() == newest
    lagging.lag(2)
    clock.now += rpc.MEMORY_SECONDS + 1
    assert chain.head().number == newest.number - 2, "not for ever"


@pytest.mark.parametrize("number", [1, 2])
def test_a_reorganisation_on_which_all_agree_is_believed(number, proxies, connect, anvil_url):
    chain = connect(*proxies[:number])
    nonce = chain.nonce(RICH.address)
    before = chain.head().number
    snapshot = direct(anvil_url, "evm_snapshot")
    pay(chain)
    assert chain.nonce(RICH.address) == nonce + 1
    assert chain.head().number == before + 1
    direct(anvil_url, "evm_revert", snapshot)
    assert chain.nonce(RICH.address) == nonce
    assert chain.head().number == before
