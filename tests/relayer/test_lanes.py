"""Places that may hang are asked side by side: one that does holds up neither the others nor the daemon's loop."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from oracles import load
from relayer import assembly, yaml_lines
from relayer.clock import SteadyClock
from relayer.config import Configuration
from relayer.operations.alerts import Alerts
from relayer.sources import LONGEST_PAUSE
from relayer.store import Store
from tests import samples
from tests.oracles.prometheus_server import until
from tests.relayer.cli.conftest import ROOT
from tests.relayer.evidence.kit import MINUTE
from tests.relayer.hanging import HANGS, SETTLE, Now, Scene, watched_by
from tests.relayer.world import ScriptedService

LENGTH = 300


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


# When a source comes back


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


@pytest.fixture
def scene(rpc_url, tmp_path, monkeypatch):
    monkeypatch.setattr("relayer.sources.LONGEST_PAUSE", 0.05)  # time jumps: look often
    with ExitStack() as stack:
        yield Scene(rpc_url, tmp_path, stack)


def test_a_server_that_hangs_delays_neither_others_nor_payments(scene):
    def story():
        scene.probe(0)
        scene.read_by_the_others(0)
        until(lambda: scene.hanging.waiting, "the question to which there is no answer")
        # What the others read is reported and paid for, while that question is still open.
        until(lambda: scene.paid() == samples.FEE // 10, "the payment")
        # What was read last was readable when the next one had begun.
        scene.probe(2)
        scene.read_by_the_others(2)
        assert scene.hanging.waiting == scene.hanging.asked == 1, "it is the first question still"
        assert not scene.has_read(0, HANGS)

    watched_by(scene, story)
