"""One relayer that watches a service from four places, of which one takes every question and answers none."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from web3 import HTTPProvider, Web3

from oracles.probing.probe import _slot
from relayer.assembly import assemble
from relayer.bindings import Token
from relayer.clock import SteadyClock
from relayer.config import Configuration
from relayer.operations.alerts import Alerts
from relayer.store import Store
from tests import samples
from tests.e2e.conftest import serving
from tests.oracles.prometheus_server import prometheus, until
from tests.oracles.sockets import HERE, listening
from tests.relayer.evidence.kit import MINUTE, open_agreement

SETTLE = 30


class Now:
    """The time, which stands still until somebody sets it."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


class Hanging:
    """A server that takes every question and answers none."""

    def __init__(self):
        self.asked = 0
        self.waiting = 0
        self.released = threading.Event()

    def behave(self, stream, stop):
        stream.recv(65_536)
        self.asked += 1
        self.waiting += 1
        while not (stop.is_set() or self.released.wait(0.1)):
            pass
        self.waiting -= 1


TIMEOUT = 100
"""How long the relayer waits for the server that hangs: longer than the test takes [s]."""
HANGS, OTHER_SERVER, OTHER_ADAPTER, PROBE = "hangs", "other-server", "other-adapter", "probe"


def indicators(hanging, server, site):
    """The levels of one agreement, by their names: all are about one service, seen from four places."""
    up = {"query": "shop_up", "unit": "ratio", "step": 15}
    sources = {
        HANGS: ("prometheus", {**up, "url": hanging}),
        OTHER_SERVER: ("prometheus", {**up, "url": server}),
        OTHER_ADAPTER: (
            "json_http",
            {"url": f"{site}/up.json?at={{end_s}}", "value": "$.up", "unit": "ratio"},
        ),
        PROBE: ("http_probe", {"url": site, "samples": 1, "timeout": "2"}),
    }
    return {
        name: {
            "indicator": {
                "metric": "availability",
                "dataSource": {"type": adapter, "spec": spec},
            },
            "objective": {"op": "gte", "value": "99%"},
        }
        for name, (adapter, spec) in sources.items()
    }


class Site:
    """The service: it fails, and says so itself."""

    def __init__(self):
        self.up = 0

    def answer(self, path):
        if path.startswith("/up.json?"):
            return 200, json.dumps({"up": self.up}).encode()
        return (200, b"ok") if self.up else (503, b"sorry")


class Scene:
    """One relayer that watches all of them, in real threads. Time is the test's."""

    def __init__(self, rpc_url, folder, stack):
        self.hanging = Hanging()
        site = stack.enter_context(serving(Site().answer))
        port = stack.enter_context(listening(self.hanging.behave))
        w3 = Web3(HTTPProvider(rpc_url))
        w3.provider.make_request("evm_mine", [])  # the newest block may be of long ago
        begin = w3.eth.get_block("latest")["timestamp"] // MINUTE * MINUTE
        server = stack.enter_context(prometheus(folder, history(begin)))
        watched = indicators(f"http://127.0.0.1:{port}", server, f"http://127.0.0.1:{site}")
        self.agreement = open_agreement(rpc_url, folder, indicators=watched)
        self.store = Store(folder / "relayer.sqlite")
        stack.callback(self.store.close)
        self.clock = Now(self.agreement.start - 1)
        self.set(self.clock.now)
        self.daemon = assemble(
            chain=self.agreement.chain,
            store=self.store,
            account=samples.reporter_wallets(1)[0],
            documents=[self.agreement.document],
            config=Configuration(
                sources={
                    "prometheus": {**HERE, "timeout": TIMEOUT},
                    "json_http": HERE,
                    "http_probe": HERE,
                },
                poll_seconds=0.05,
                stagger_seconds=0,
            ),
            alerts=Alerts(),
            clock=SteadyClock(wall=self.clock, steady=self.clock),
        )

    def set(self, now):
        """The time [s, UNIX time], of the relayer's clock and of the chain."""
        self.clock.now = now  # first: no chain is ahead of its time
        self.agreement.warp(int(now - self.agreement.start))

    def has_read(self, interval, *names):
        return all(
            self.store.readings.answered(self.agreement.level(name).feed.id, interval)
            for name in names
        )

    def probe(self, interval):
        """Let the moment come at which the probe takes its sample."""
        [query] = [
            task.watched.query
            for watch in self.daemon._lookout.watches
            for task in watch.tasks
            if task.watched.query.source == "http_probe"
        ]
        span = query.interval(interval)
        at = next(at for at in range(span.start, span.end) if _slot(query, at)[0] == at)
        self.set(at)
        until(lambda: self.store.samples("http_probe").get(query.key, at, at + 1), "the sample")

    def read_by_the_others(self, interval):
        """Wait until all but one have read an interval that can be read from now on; how long it took [s]."""
        self.set(self.agreement.start + (interval + 1) * MINUTE + SETTLE)
        begun = time.monotonic()
        others = (OTHER_SERVER, OTHER_ADAPTER, PROBE)
        until(lambda: self.has_read(interval, *others), f"interval {interval} to be read")
        return time.monotonic() - begun

    def paid(self):
        terms = self.agreement.document.terms
        return Token(self.agreement.chain.w3, terms.token).balance(terms.consumer)


def history(begin):
    """What the working Prometheus has scraped: a service that is down."""
    lines = (f"shop_up 0 {begin + second}\n" for second in range(0, 30 * MINUTE, 15))
    return "# TYPE shop_up gauge\n" + "".join(lines)


def watched_by(scene, story):
    """Run the daemon's own loop in this thread while ``story`` happens in another one."""

    def tell():
        try:
            return story()
        finally:
            scene.daemon.stop()
            scene.hanging.released.set()

    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(tell)
        scene.daemon.run()
        return told.result()
