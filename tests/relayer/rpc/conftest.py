from __future__ import annotations

import pytest
from web3 import Web3

from relayer import rpc, rpc_endpoint
from relayer.chain import Chain
from relayer.operations.alerts import Alerts
from relayer.rpc import FailoverProvider
from tests.faults.rpc_proxy import RpcProxy
from tests.relayer import world


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def anvil_url(tmp_path_factory):
    """Of our own: blocks are mined and taken back here."""
    with world.running_chain(tmp_path_factory.mktemp("rpc")) as url:
        yield url


@pytest.fixture
def proxies(anvil_url):
    made = [RpcProxy(anvil_url) for _ in range(4)]
    yield made
    for proxy in made:
        proxy.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def alerts():
    return Alerts()


@pytest.fixture
def connect(clock, alerts):
    """A chain over some proxies, with a clock that the test turns."""

    def make(*proxies, agreement=1):
        provider = FailoverProvider([proxy.url for proxy in proxies], alerts=alerts, clock=clock)
        w3 = Web3(provider)
        return Chain(w3, w3.eth.chain_id, agreement=agreement, alerts=alerts)

    return make


@pytest.fixture
def hurry(monkeypatch):
    """Give up on an endpoint that hangs soon enough for a test."""
    monkeypatch.setattr(rpc_endpoint, "REQUEST_SECONDS", 1)
    monkeypatch.setattr(rpc, "PROBE_SECONDS", 1)
