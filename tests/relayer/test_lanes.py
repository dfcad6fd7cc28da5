"""Places that may hang are asked side by side: one that does holds up neither the others nor the daemon's loop."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from web3 import HTTPProvider, Web3

from oracles import load
from oracles.probing.probe import _slot
from relayer import assembly, yaml_lines
from relayer.assembly import assemble
from relayer.bindings import Token
from relayer.clock import SteadyClock
from relayer.config import Configuration
from relayer.operations.alerts import Alerts
from relayer.sources import LONGEST_PAUSE
from relayer.store import Store
from tests import samples
from tests.e2e.conftest import serving
from tests.oracles.prometheus_server import prometheus, until
from tests.oracles.sockets import listening
from tests.relayer.cli.conftest import ROOT
from tests.relayer.evidence.kit import MINUTE, open_agreement
from tests.relayer.world import ScriptedService

LENGTH = 300
SETTLE = 30


def question(adapter, changes=None):
    """What the sample of an adapter asks, with other fields in its specification."""
    sample = yaml_lines.load(ROOT / "samples" / f"{adapter}.yaml").plain()["indicator"]
    spec = {**sample["dataSource"]["spec"], **(changes or {})}
    return load(adapter).query(spec, sample["metric"], first=0, length=LENGTH)


# What is asked side by side

PROMETHEUS = {"type": "prometheus", "spec": {"query": "up", "unit": "count", "statistic": "count"}}


def events(host):
    return {**PROMETHEUS, "spec": {**PROMETHEUS["spec"], "url": f"https://{host}/prometheus"}}


@pytest.mark.parametrize(
    ("adapter", "changes", "lane"),
    [
        ("prometheus", {}, "prometheus.example.com"),
        ("prometheus", {"url": "https://thanos.example:9090/a"}, "thanos.example:9090"),
        ("json_http", {}, "status.example.com"),
        ("json_http", {"url": "http://127.0.0.1:81/{start_s}?key=1"}, "127.0.0.1:81"),
        ("cloudwatch", {}, "eu-central-1"),
        ("cloudwatch", {"region": "us-east-1"}, "us-east-1"),
        ("azure_monitor", {}, "westeurope"),
        ("gcp_monitoring", {}, "shop-prod"),
        ("dynatrace", {}, "abc12345"),
        # One service, or one that answers from what is stored here.
        ("datadog", {}, ""),
        ("replay", {}, ""),
        ("http_probe", {}, ""),
        ("tcp_probe", {}, ""),
    ],
)
def test_a_lane_is_the_place_that_may_hang(adapter, changes, lane):
    query = question(adapter, changes)
    assert load(adapter).lane(query) == lane


def test_a_workspace_of_azure_is_a_lane():
    workspace = "00000000-0000-0000-0000-00000000ABCD"
    spec = {"logs": {"workspace_id": workspace, "query": "Heartbeat"}, "unit": "ratio"}
    service = load("azure_monitor")
    query = service.query(spec, "availability", first=0, length=LENGTH)
    assert service.lane(query) == workspace.lower()


def test_a_composite_hangs_where_its_parts_do():
    ratio = load("ratio")
    spec = {"good": events("b.example"), "total": events("a.example")}
    query = ratio.query(spec, "availability", first=0, length=LENGTH)
    assert ratio.lane(query) == "prometheus a.example, prometheus b.example"
    swapped = {"good": events("a.example"), "total": events("b.example")}
    query = ratio.query(swapped, "availability", first=0, length=LENGTH)
    assert ratio.lane(query) == "prometheus a.example, prometheus b.example"


def test_a_composite_of_composites_hangs_where_the_innermost_do():
    sliding = load("sliding")
    inner = {"good": events("b.example"), "total": events("a.example")}
    spec = {"source": {"type": "ratio", "spec": inner}, "over": 3 * LENGTH}
    query = sliding.query(spec, "availability", first=0, length=LENGTH)
    assert sliding.lane(query) == "ratio prometheus a.example, prometheus b.example"
    probe = question("sliding")
    assert sliding.lane(probe) == "http_probe"


# How many threads


@pytest.fixture
def make_parts(tmp_path):
    with ExitStack() as stack:
        store = Store(tmp_path / "relayer.sqlite")
        stack.callback(store.close)

        def make(**config):
            return assembly._Parts(
                chain=None,
                store=store,
                account=None,
                config=Configuration(**config),
                alerts=Alerts(),
                clock=SteadyClock(),
            )

        yield make


def at(*numbers):
    return [
        question("prometheus", {"url": f"https://prometheus{number}.example"}) for number in numbers
    ]


def test_each_place_has_a_thread_and_an_adapter_of_its_own(make_parts):
    parts = make_parts()
    one, same, other = (parts._source(query) for query in at(1, 1, 2))
    assert one is same
    assert one is not other
    assert one._service is not other._service
    assert [one.name, other.name] == [
        "prometheus prometheus1.example",
        "prometheus prometheus2.example",
    ]
    assert parts._source(question("cloudwatch")) not in (one, other)


def test_of_very_many_places_some_share_a_thread_and_always_the_same_ones(make_parts, monkeypatch):
    monkeypatch.setattr(assembly, "MOST_LANES", 3)

    def shared(parts):
        return [parts._source(query).name.removeprefix("prometheus ") for query in at(*range(9))]

    first = shared(make_parts())
    # The names stand here, because threads that depend on a hash's seed differ from one start to the next.
    assert first == [f"prometheus{number}.example" for number in (0, 1, 2, 2, 0, 0, 2, 2, 2)]
    assert shared(make_parts()) == first
    of_another_kind = make_parts()
    shared(of_another_kind)
    assert of_another_kind._source(question("cloudwatch")).name == "cloudwatch eu-central-1"


def test_what_workers_read_needs_no_lanes(make_parts):
    parts = make_parts(workers=True)
    for query in at(1, 2):
        assert parts._lane(query) == ""
    parts = make_parts()
    assert parts._lane(at(1)[0]) == "prometheus1.example"


# When a source comes back


class Now:
    """The time, which stands still until somebody sets it."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def test_a_source_comes_back_at_the_moment_an_interval_can_be_read(small_world):
    readable = small_world.start + MINUTE + SETTLE
    clock = Now(readable - 0.25)
    service = ScriptedService(clock=clock)
    relayer = small_world.relayer(small_world.store(), service, clock=clock)
    relayer._lookout.observe(small_world.chain.now())
    [source] = relayer._lookout.sources
    source.chain_time = clock
    assert source.step() == readable
    assert service.asked == []
    clock.now = readable
    assert source.step() == readable + LONGEST_PAUSE
    assert service.asked == [0]


# One hangs


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
LATE = 1.0
"""No reading is later than this because another service hangs [s]."""
ATTEMPTS = 5
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
        begin = Web3(HTTPProvider(rpc_url)).eth.get_block("latest")["timestamp"] // MINUTE * MINUTE
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
                sources={"prometheus": {"timeout": TIMEOUT}}, poll_seconds=0.05, stagger_seconds=0
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

    def lateness(self, interval):
        """How long it takes until all but one have read an interval that can be read from now on [s]."""
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


@pytest.fixture
def scene(rpc_url, tmp_path, monkeypatch):
    monkeypatch.setattr("relayer.sources.LONGEST_PAUSE", 0.05)  # time jumps: look often
    with ExitStack() as stack:
        yield Scene(rpc_url, tmp_path, stack)


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


def test_a_server_that_hangs_delays_neither_others_nor_payments(scene):
    late = []

    def story():
        scene.probe(0)
        late.append(scene.lateness(0))
        until(lambda: scene.hanging.waiting, "the question to which there is no answer")
        # What the others read is reported and paid for, while that question is still open.
        until(lambda: scene.paid() == samples.FEE // 10, "the payment")
        # Every other one: what was read last was readable when the next one had begun.
        for interval in range(2, 2 + 2 * ATTEMPTS, 2):
            scene.probe(interval)
            late.append(scene.lateness(interval))
            if late[-1] < LATE:
                break
        assert scene.hanging.waiting == scene.hanging.asked == 1, "it is the first question still"
        assert not scene.has_read(0, HANGS)

    watched_by(scene, story)
    # A machine that is busy with something else may be late once, but not every time.
    assert min(late[1:]) < LATE, late
