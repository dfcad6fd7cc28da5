"""What the end-to-end tests share: a chain whose time a test chooses, the contracts on it, and a service that can fail."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from eth_account import Account
from web3 import HTTPProvider, Web3

from relayer.bindings import Escrow, Oracle, Token
from relayer.chain import Chain
from relayer.demo.processes import Process, answers_rpc, local_chain, stopped_at_the_end
from relayer.document import fresh_salt
from tests.oracles.prometheus_server import prometheus, until
from tests.relayer.world import deploy

DOLLAR = 10**6
FEE = 100 * DOLLAR
COIN = 10**18


class Stage:
    """The contracts on a chain, two parties, and the consumer's money."""

    def __init__(self, rpc_url, folder):
        self.rpc_url = rpc_url
        self.folder = folder
        self.w3 = Web3(HTTPProvider(rpc_url))
        self.chain = Chain(self.w3, self.w3.eth.chain_id)
        # Each block is a second younger than the one before, however slow this machine is.
        self._ask("anvil_setBlockTimestampInterval", 1)
        self._rich = self.w3.eth.accounts[0]
        oracle, escrow, token = (
            deploy(self.w3, name, self._rich)
            for name in ("MonitoringOracle", "SLAEscrow", "TestDollar")
        )
        self.oracle, self.escrow = Oracle(self.w3, oracle), Escrow(self.w3, escrow)
        self.token = Token(self.w3, token)
        self.provider, self.consumer = Account.create(), Account.create()
        self.give_coins(self.consumer)
        self.token.mint(self.consumer.address, FEE).transact({"from": self._rich})

    def give_coins(self, account):
        """For gas."""
        gift = {"from": self._rich, "to": account.address, "value": COIN}
        self.w3.eth.wait_for_transaction_receipt(self.w3.eth.send_transaction(gift))

    def warp(self, to):
        """Mine a block whose time is so many UNIX seconds."""
        self._ask("evm_setNextBlockTimestamp", int(to))
        self._ask("evm_mine")

    def _ask(self, method, *given):
        answer = self.w3.provider.make_request(method, list(given))
        assert "error" not in answer, answer

    def document(self, *, start, window, levels, windows=1, **more):
        """An SLA document of these parties, as they would write it.

        :param start: [s, UNIX time].
        :param more: Further fields of its ``spec``.
        """
        return {
            "apiVersion": "makegood/v1",
            "kind": "SLA",
            "metadata": {"name": "shop"},
            "spec": {
                "parties": {
                    "provider": self.provider.address,
                    "consumer": self.consumer.address,
                },
                "settlement": {
                    "chainId": self.chain.chain_id,
                    "oracle": self.oracle.address,
                    "escrow": self.escrow.address,
                    "token": self.token.address,
                    "decimals": 6,
                },
                "money": {"feePerWindow": "100.00"},
                "term": {"start": as_text(start), "window": window, "windows": windows},
                "levels": levels,
                "salt": fresh_salt(),
                **more,
            },
        }

    def balances(self):
        """What the consumer, the provider and the escrow have of the consumer's money."""
        accounts = (self.consumer.address, self.provider.address, self.escrow.address)
        return tuple(self.token.balance(account) for account in accounts)


class Shop:
    """A real service: it answers 200 while it is ``up``, and 503 while it is not."""

    def __init__(self):
        self.up = True
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def answer(self, _path):
        return (200, b"ok") if self.up else (503, b"sorry")

    def works(self):
        """Whether it answers as it should: a request like anybody's."""
        return requests.get(self.url, timeout=10).status_code == 200


@contextmanager
def serving(answer):
    """A web server of our own; ``answer(path)`` gives status and body. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class Exporter:
    """Looks at the shop when it is told to, and tells Prometheus what it saw and when."""

    def __init__(self, shop):
        self._shop = shop
        self._seen = None
        self._looks = 0
        self.port = 0
        self.silent = False
        """Whether Prometheus cannot reach it."""

    def look(self, at, prometheus):
        """Look at the service now, and wait until Prometheus knows what it was at ``at`` [s, UNIX time]."""
        self._seen = (int(self._shop.works()), at)
        self._looks += 1
        asked = {"query": "count_over_time(shop_up[1h])", "time": at}

        def scraped():
            said = requests.get(f"{prometheus}/api/v1/query", asked, timeout=10).json()
            found = said["data"]["result"]
            return [each["value"][1] for each in found] == [str(self._looks)]

        until(scraped, "Prometheus to scrape the exporter")

    def metrics(self, _path):
        if self.silent or self._seen is None:
            return 503, b""
        seen, at = self._seen
        return 200, f"# TYPE shop_up gauge\nshop_up {seen} {at * 1000}\n".encode()


@pytest.fixture
def exporter(shop):
    made = Exporter(shop)
    with serving(made.metrics) as made.port:
        yield made


@pytest.fixture
def prometheus_url(exporter, tmp_path):
    """A real Prometheus that scrapes the exporter."""
    job = {
        "job_name": "shop",
        "static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}],
        "scrape_interval": "300ms",
        "scrape_timeout": "300ms",
    }
    with prometheus(tmp_path, scrape_configs=[job]) as url:
        yield url


@pytest.fixture
def begin_chain(tmp_path):
    """Starts an anvil whose time begins at ``began`` [s, UNIX time], and sets the stage there."""
    with ExitStack() as stack:

        def begin(began):
            anvil, rpc_url = local_chain("anvil", tmp_path)
            command = [*anvil._command, "--timestamp", str(int(began))]
            process = stack.enter_context(
                stopped_at_the_end(Process("anvil", command, tmp_path / "anvil.log"))
            )
            process.start()
            process.wait_until(lambda: answers_rpc(rpc_url))
            return Stage(rpc_url, tmp_path)

        yield begin


@pytest.fixture
def shop():
    made = Shop()
    with serving(made.answer) as made.port:
        yield made


def as_text(at):
    """A time as documents say it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
