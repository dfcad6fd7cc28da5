"""One endpoint: its connection, what of its answers is believed, and its address, which may be a secret."""

from __future__ import annotations

import random
import socket
import threading
import traceback
from contextlib import suppress

import pytest
from web3 import Web3

from relayer import rpc_endpoint
from relayer.chain import Chain
from relayer.errors import ChainUnavailable
from relayer.rpc import FailoverProvider
from relayer.rpc_endpoint import Endpoint
from relayer.rpc_errors import EndpointFault, Kind
from tests.faults.rpc_proxy import SECRET, RpcProxy, random_fault
from tests.relayer.rpc.kit import RICH, direct, label, pay, signed_payment


def test_secrets_of_an_address_appear_nowhere(proxies, connect, alerts):
    [proxy, *_] = proxies
    secret = f"{proxy.url}?token=another-secret-word"
    provider = FailoverProvider([secret, secret], alerts=alerts)
    chain = Chain(Web3(provider), 31_337, alerts=alerts)
    proxy.error(-32000, f"no {SECRET} nor another-secret-word", "eth_getBalance")
    with pytest.raises(ChainUnavailable) as raised:
        chain.balance(RICH.address)
    proxy.clear()
    proxy.cut()
    with pytest.raises(ChainUnavailable) as cut:
        chain.balance(RICH.address)
    texts = [repr(provider), repr(provider.endpoints), chain.host]
    texts += [alert.message for alert in alerts.firing()]
    for error in (raised.value, cut.value):  # with all their causes, as a trace shows them
        texts += traceback.format_exception(error)
    assert not [text for text in texts if SECRET in text or "another-secret" in text]
    assert [endpoint.label for endpoint in provider.endpoints] == [
        f"{label(proxy)} #1",
        f"{label(proxy)} #2",
    ]


def test_connections_are_used_again(proxies, connect):
    [proxy, *_] = proxies
    chain = connect(proxy)
    for _ in range(20):
        chain.balance(RICH.address)
    assert proxy.connections == 1


def test_an_endpoint_that_sends_a_byte_now_and_then_is_late_too(monkeypatch):
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def trickle():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not done.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        endpoint = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(EndpointFault) as raised:
            endpoint.make_request("eth_chainId", [], seconds=0.5)
        assert raised.value.kind is Kind.TIMEOUT
    finally:
        done.set()
        thread.join()
        listener.close()


def test_an_answer_without_end_is_refused(proxies, monkeypatch):
    monkeypatch.setattr(rpc_endpoint, "MAX_ANSWER_BYTES", 10_000)
    [proxy, *_] = proxies
    proxy.result("x" * 20_000, "web3_clientVersion")
    with pytest.raises(EndpointFault, match="more than 10000 bytes"):
        Endpoint(proxy.url).make_request("web3_clientVersion", [])


def test_an_http_error_with_an_answer_inside_is_an_answer(anvil_url, proxies):
    class Odd(RpcProxy):
        def _answer(self, body):
            answer = super()._answer(body)
            answer.status = 400
            return answer

    odd = Odd(anvil_url)
    try:
        answer = Endpoint(odd.url).make_request("eth_call", [{"data": "0x60006000fd"}, "latest"])
        assert answer["error"]["message"] == "execution reverted"
        with pytest.raises(EndpointFault, match="HTTP 400"):
            Endpoint(odd.url).make_request("eth_chainId", [])
    finally:
        odd.close()


def test_an_answer_about_another_transaction_is_garbage(proxies, connect, anvil_url):
    [proxy, *_] = proxies
    chain = connect(proxy)
    first = pay(chain)
    second = signed_payment(chain, 2)
    receipt = direct(anvil_url, "eth_getTransactionReceipt", Web3.to_hex(first.hash))
    proxy.result(receipt, "eth_getTransactionReceipt")
    assert chain.receipt(bytes(first.hash))["status"] == 1
    with pytest.raises(ChainUnavailable, match="another receipt"):
        chain.receipt(bytes(second.hash))
    proxy.result(Web3.to_hex(first.hash), "eth_sendRawTransaction")
    with pytest.raises(ChainUnavailable, match="another transaction"):
        chain.broadcast(bytes(second.raw_transaction))


def test_random_faults_come_again_from_the_same_seed_and_can_all_be_applied(proxies):
    [proxy, *_] = proxies
    faults = [random_fault(random.Random(seed)) for seed in range(100)]
    assert faults == [random_fault(random.Random(seed)) for seed in range(100)]
    assert len({fault.name for fault in faults}) >= 9
    endpoint = Endpoint(proxy.url)
    for fault in faults:
        if fault.name in ("hang", "delay"):
            continue
        proxy.clear()
        proxy.apply(fault)
        for method, params in [("eth_chainId", []), ("eth_blockNumber", [])]:
            with suppress(EndpointFault):
                endpoint.make_request(method, params)
    proxy.clear()
    assert endpoint.chain_id() == 31_337
