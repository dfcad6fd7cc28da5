"""Endpoints that hang, fail, limit and serve another chain: with two the relayer goes on, with one it says so and recovers."""

from __future__ import annotations

import threading

import pytest

from relayer import rpc
from relayer.chain import Sent
from relayer.errors import ChainUnavailable, Reverted
from relayer.operations import metrics
from tests.faults.rpc_proxy import GARBAGE, SECRET
from tests.relayer.rpc.kit import RICH, count, errors, firing, label, pay, signed_payment

FAULTS = {
    "hang": (lambda proxy: proxy.hang(), "timeout", "no answer"),
    "late": (lambda proxy: proxy.delay(3), "timeout", "no answer"),
    "cut": (lambda proxy: proxy.cut(), "connection", "no answer"),
    "limited": (lambda proxy: proxy.http_status(429), "rate_limited", "HTTP 429"),
    "broken": (lambda proxy: proxy.http_status(500), "http_error", "HTTP 500"),
    "away": (lambda proxy: proxy.http_status(503), "http_error", "HTTP 503"),
    "redirected": (lambda proxy: proxy.http_status(302), "http_error", "HTTP 302"),
    "limited_inside": (
        lambda proxy: proxy.error(-32005, f"request rate exceeded for {SECRET}"),
        "rate_limited",
        "request rate exceeded",
    ),
    **{
        f"garbage_{kind}": (
            lambda proxy, kind=kind: proxy.garbage(kind),
            "garbage",
            "no sensible answer",
        )
        for kind in GARBAGE
    },
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.usefixtures("hurry")
def test_with_two_endpoints_it_goes_on_through_the_other(name, proxies, connect, clock):
    break_it, kind, _ = FAULTS[name]
    bad, good, *_ = proxies
    chain = connect(bad, good)
    before = chain.head()
    used = bad.seen("eth_getBalance")
    break_it(bad)
    for _ in range(3):
        assert chain.balance(RICH.address) > 0
        assert chain.head().number >= before.number
    assert errors(bad, kind) == 1, "it rests after the first failure"
    assert count(metrics.RPC_UP, label(bad)) == 0
    assert count(metrics.RPC_UP, label(good)) == 1
    bad.clear()
    clock.now += 1.1
    checked = bad.seen("eth_chainId")
    chain.balance(RICH.address)
    assert bad.seen("eth_getBalance") == used + 1 + 1, "it is preferred again"
    assert bad.seen("eth_chainId") == checked + 1, "its chain was asked for first"
    assert count(metrics.RPC_UP, label(bad)) == 1


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.usefixtures("hurry")
def test_with_one_endpoint_the_error_is_clear_and_it_recovers(name, proxies, connect, alerts):
    break_it, kind, words = FAULTS[name]
    [bad, *_] = proxies
    chain = connect(bad)
    break_it(bad)
    with pytest.raises(ChainUnavailable, match=words) as raised:
        chain.balance(RICH.address)
    assert SECRET not in raised.value.message
    assert bad.host in raised.value.message
    assert errors(bad, kind) == 1
    assert firing(alerts) == {("rpc_all_down", "rpc")}
    bad.clear()
    assert chain.balance(RICH.address) > 0, "at once: there is nothing better to ask"
    assert firing(alerts) == set()


def test_an_endpoint_that_fails_rests_longer_each_time(proxies, connect, clock, alerts):
    bad, good, *_ = proxies
    chain = connect(bad, good)
    bad.cut()
    rests = []
    for _ in range(9):
        failed = errors(bad, "connection")
        waited = 0
        while errors(bad, "connection") == failed:
            chain.balance(RICH.address)
            clock.now += 0.5
            waited += 0.5
        rests.append(waited)
    assert rests[1:5] == [1, 2, 4, 8]
    assert rests[-1] == rpc.LONGEST_REST_SECONDS
    assert firing(alerts) == {("rpc_down", label(bad))}
    bad.clear()
    clock.now += 61
    chain.balance(RICH.address)
    assert firing(alerts) == set()


def test_one_failure_is_no_alert(proxies, connect, alerts):
    bad, good, *_ = proxies
    chain = connect(bad, good)
    bad.cut()
    chain.balance(RICH.address)
    assert firing(alerts) == set()


def test_when_all_rest_one_is_tried_rather_than_none(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    first.cut()
    second.cut()
    with pytest.raises(ChainUnavailable) as raised:
        chain.balance(RICH.address)
    assert first.host in raised.value.message
    assert second.host in raised.value.message
    first.clear()
    assert chain.balance(RICH.address) > 0


def test_a_single_failure_of_the_last_one_that_is_well_is_made_up_by_one_that_rests(
    proxies, connect
):
    first, second, *_ = proxies
    chain = connect(first, second)
    first.cut()
    chain.balance(RICH.address)
    first.clear()
    second.cut()
    assert chain.balance(RICH.address) > 0


def test_many_threads_with_trouble_get_answers(proxies, connect):
    chain = connect(*proxies[:3])
    proxies[0].cut(every=3)
    proxies[1].http_status(500, every=4)
    truth = chain.balance(RICH.address)
    problems = []

    def ask():
        try:
            for _ in range(30):
                assert chain.balance(RICH.address) == truth
                chain.head()
        except Exception as error:  # noqa: BLE001 - told by the main thread
            problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


# Answers about the call


def test_an_answer_about_the_call_is_nobodys_fault(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    with pytest.raises(Reverted), chain.errors():
        chain.w3.eth.call({"data": "0x60006000fd"})
    assert second.seen("eth_call") == 0
    assert count(metrics.RPC_UP, label(first)) == 1
    used = signed_payment(chain, nonce=0, value=7)
    pay(chain)
    assert chain.broadcast(bytes(used.raw_transaction)) is Sent.NONCE_USED
    assert count(metrics.RPC_UP, label(first)) == 1


def test_what_one_endpoint_cannot_say_another_is_asked_and_neither_rests(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    for code, message in [
        (-32601, "the method eth_getBalance does not exist/is not available"),
        (-32000, "header not found"),
        (-32603, "Internal error"),
    ]:
        first.error(code, message, "eth_getBalance")
        assert chain.balance(RICH.address) > 0
        assert count(metrics.RPC_UP, label(first)) == 1
        second.error(code, message, "eth_getBalance")
        with pytest.raises(ChainUnavailable, match=message):
            chain.balance(RICH.address)
        first.clear()
        second.clear()


# Another chain


def test_an_endpoint_of_another_chain_is_never_used(proxies, connect, clock, alerts):
    wrong, good, *_ = proxies
    chain = connect(good, wrong)
    chain_id = chain.chain_id
    wrong.wrong_chain()
    chain = connect(good, wrong)
    good.cut()
    with pytest.raises(ChainUnavailable, match=f"serves chain 5, but chain {chain_id}"):
        chain.balance(RICH.address)
    for _ in range(3):
        clock.now += 61
        with pytest.raises(ChainUnavailable):
            chain.balance(RICH.address)
    assert wrong.seen("eth_getBalance") == 0
    assert ("rpc_wrong_chain", label(wrong)) in firing(alerts)
    wrong.clear()
    clock.now += 61
    assert chain.balance(RICH.address) > 0
    assert ("rpc_wrong_chain", label(wrong)) not in firing(alerts)


def test_an_endpoint_that_comes_back_as_another_chain_is_not_used(proxies, connect, clock):
    first, second, *_ = proxies
    chain = connect(first, second)
    first.cut()
    chain.balance(RICH.address)
    first.clear()
    first.wrong_chain()
    clock.now += 61
    seen = first.seen("eth_getBalance")
    chain.balance(RICH.address)
    assert first.seen("eth_getBalance") == seen


def test_the_first_that_answers_decides_which_chain_it_is(proxies, connect, alerts):
    first, second, *_ = proxies
    second.wrong_chain()
    chain = connect(first, second)
    assert chain.chain_id == 31_337
    chain.head()
    assert firing(alerts) == {("rpc_wrong_chain", label(second))}
