"""Reads that decide money: endpoints that lie are outvoted."""

from __future__ import annotations

import pytest

from relayer import rpc_agreement
from relayer.chain import Chain
from relayer.errors import ChainUnavailable, ConfigurationError, Reverted
from relayer.operations import metrics
from relayer.rpc_endpoint import Endpoint
from tests.relayer.rpc.kit import RICH, count, direct, firing, label, mine


def test_reads_that_decide_money_are_made_twice_about_one_block(proxies, connect, anvil_url):
    ahead, behind, *_ = proxies
    mine(anvil_url, 5, 1)
    chain = connect(ahead, behind, agreement=2)
    behind.lag(2)
    block = int(direct(anvil_url, "eth_blockNumber"), 16) - 2

    def read(w3):
        return w3.eth.get_block(w3.eth.default_block)["number"], w3.eth.get_balance(RICH.address)

    assert chain.agreed(read)[0] == block
    assert ahead.seen("eth_getBalance") == behind.seen("eth_getBalance") == 1


def balance(w3):
    return w3.eth.get_balance(RICH.address)


def test_a_liar_is_outvoted_counted_and_named(proxies, connect, alerts):
    liar, second, third, _ = proxies
    chain = connect(liar, second, third, agreement=2)
    truth = chain.balance(RICH.address)
    liar.result("0x1", "eth_getBalance")
    assert chain.agreed(balance) == truth
    assert count(metrics.RPC_DISSENT, label(liar)) == 1
    assert count(metrics.RPC_DISSENT, label(second)) == 0
    assert firing(alerts) == {("rpc_dissent", label(liar))}
    liar.clear()
    assert chain.agreed(balance) == truth
    assert firing(alerts) == set()
    assert third.seen("eth_getBalance") == 1, "asked only in place of the liar"


def test_if_nobody_agrees_nothing_is_believed(proxies, connect, alerts):
    liar, second, *_ = proxies
    chain = connect(liar, second, agreement=2)
    liar.result("0x1", "eth_getBalance")
    with pytest.raises(ChainUnavailable, match="no 2 say the same"):
        chain.agreed(balance)
    assert firing(alerts) == {("rpc_dissent", label(liar)), ("rpc_dissent", label(second))}
    liar.clear()
    assert chain.agreed(balance) > 1


def test_in_place_of_one_that_fails_another_is_asked(proxies, connect):
    failing, second, third, _ = proxies
    chain = connect(failing, second, third, agreement=2)
    failing.cut("eth_getBalance")
    assert chain.agreed(balance) > 1
    assert third.seen("eth_getBalance") == 1


def test_too_few_endpoints_cannot_agree(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second, agreement=2)
    second.cut()
    with pytest.raises(ChainUnavailable, match="only 1 of"):
        chain.agreed(balance)


@pytest.mark.parametrize("method", [None, "eth_getBalance"], ids=["away", "fails"])
@pytest.mark.parametrize("number", [0, 1])
def test_what_must_not_wait_is_believed_of_the_only_one_that_answers(
    number, method, proxies, connect, clock
):
    chain = connect(*proxies[:2], agreement=2)
    proxies[number].cut(*filter(None, [method]))
    assert chain.agreed(balance, least=1) > 1
    clock.now += 100
    with pytest.raises(ChainUnavailable):
        chain.agreed(balance)
    clock.now += 100
    proxies[1 - number].cut("eth_getBalance")
    with pytest.raises(ChainUnavailable):
        chain.agreed(balance, least=1)


def test_what_must_not_wait_is_believed_of_none_that_is_contradicted(proxies, connect):
    liar, second, *_ = proxies
    chain = connect(liar, second, agreement=2)
    liar.result("0x1", "eth_getBalance")
    with pytest.raises(ChainUnavailable, match="no 2 say the same"):
        chain.agreed(balance, least=1)


def test_a_revert_can_be_agreed_on(proxies, connect):
    chain = connect(*proxies[:2], agreement=2)
    with pytest.raises(Reverted):
        chain.agreed(lambda w3: w3.eth.call({"data": "0x60006000fd"}))
    proxies[0].result("0x", "eth_call")
    with pytest.raises(ChainUnavailable, match="no 2 say"):
        chain.agreed(lambda w3: w3.eth.call({"data": "0x60006000fd"}))


def test_with_one_nothing_is_asked_twice(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    assert chain.agreed(balance) == chain.balance(RICH.address)
    assert second.seen("eth_getBalance") == 0


def test_more_cannot_agree_than_there_are(proxies):
    with pytest.raises(ConfigurationError, match="2 RPC endpoints have to agree, but there are 1"):
        Chain.connect(proxies[0].url, agreement=2)
    with pytest.raises(ConfigurationError, match="no RPC endpoint"):
        Chain.connect([])


def test_a_tie_blames_everybody_and_a_majority_only_the_others():
    first, second, third = (Endpoint(f"http://{name}") for name in "abc")
    votes = [rpc_agreement._Vote(first, 1, None), rpc_agreement._Vote(second, 2, None)]
    assert rpc_agreement._plurality(votes) is None
    assert rpc_agreement._plurality([*votes, rpc_agreement._Vote(third, 2, None)]).value == 2
