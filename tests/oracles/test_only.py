"""An operator says which questions of documents his credentials are for."""

from __future__ import annotations

import pytest

from oracles import AccessRefused, BadRequest, Reading, connect
from oracles.azure_monitor import AzureMonitor
from oracles.http_probe import HttpProbe
from oracles.only import permits
from oracles.prometheus import Prometheus
from oracles.testing import MemorySampleStore
from tests.oracles.aws import INTERVAL, OnMoto, ask, make
from tests.oracles.contract import Clock
from tests.oracles.probing import FIRST, Rig
from tests.oracles.prometheus_server import until
from tests.oracles.web import serving

SPEC = {
    "namespace": "Shop",
    "period": 60,
    "verify": True,
    "dimensions": {"Host": "web-1"},
    "query": "sum(up[5m])?",
}


@pytest.mark.parametrize(
    ("pattern", "permitted"),
    [
        ({}, True),
        ({"namespace": "Shop"}, True),
        ({"namespace": "shop"}, False),
        ({"namespace": "Sh"}, False),
        ({"namespace": "Sh*"}, True),
        ({"namespace": "*o*"}, True),
        ({"namespace": "Sho?"}, False),
        ({"namespace": "[S]hop"}, False),
        ({"query": "sum(up[5m])?"}, True),
        ({"query": "sum(*[5m])?"}, True),
        ({"period": 60}, True),
        ({"period": "60"}, False),
        ({"period": 300}, False),
        ({"verify": 1}, False),
        ({"namespace": "Shop", "period": 300}, False),
        ({"dimensions": {"Host": "web-*"}}, True),
        ({"dimensions": {"Host": "db-*"}}, False),
        ({"dimensions": {"Name": "*"}}, False),
        ({"dimensions": "*"}, False),
        ({"region": "*"}, False),
    ],
)
def test_a_pattern_is_like_a_specification_that_has_its_fields(pattern, permitted):
    assert permits([pattern], SPEC) is permitted
    assert permits([{"namespace": "Other"}, pattern], SPEC) is permitted


class TestCloudWatch(OnMoto):
    def test_what_no_pattern_allows_is_refused_and_not_asked(self, middleman, clock):
        only = [{"namespace": "Shop", "metric_name": "Req*"}, {"metric_name": "Errors"}]
        with make(middleman.url, clock, only=only) as service:
            answers = service.read([ask("Requests"), ask("Cost"), ask("Errors")], INTERVAL)
            spans = service.read_span([ask("Cost")], [INTERVAL])
        assert [type(answer) for answer in answers] == [Reading, AccessRefused, Reading]
        assert type(spans[0][0]) is AccessRefused
        assert "`only`" in str(answers[1])
        asked = [one["MetricStat"]["Metric"] for one in middleman.asked[0]["MetricDataQueries"]]
        assert [one["MetricName"] for one in asked] == ["Requests", "Errors"]
        assert len(middleman.asked) == 1

    def test_it_holds_for_what_stands_in_a_ratio_too(self, middleman, clock):
        part = {"type": "cloudwatch", "spec": ask("Cost").spec.model_dump(mode="json")}
        own = {"endpoint_url": middleman.url, "attempts": 1, "only": [{"metric_name": "Requests"}]}
        with connect("ratio", {"cloudwatch": own}, clock=clock) as service:
            query = service.query(
                {"good": part, "total": part},
                "availability",
                first=INTERVAL.start,
                length=INTERVAL.seconds,
            )
            [answer] = service.read([query], INTERVAL)
        assert type(answer) is AccessRefused
        assert not middleman.asked


def test_a_probe_takes_no_samples_of_anything_else():
    with serving() as web:
        rig = Rig(HttpProbe, {"only": [{"url": web.url("/shop*")}]})
        assert rig.outcome(url=web.url("/shop/health")) == ("up", "ok")
        assert type(rig.read(rig.ask(url=web.url("/admin")))) is AccessRefused
        assert len(web.requests) == 1


@pytest.mark.parametrize(("path", "asked"), [("/shop", True), ("/admin", False)])
def test_nor_of_a_window_over_anything_else(path, asked):
    with serving() as web:
        source = {"type": "http_probe", "spec": {"url": web.url(path), "samples": 1}}
        options = {
            "sliding": {"only": [{"source": {"spec": {"url": web.url("/shop*")}}}]},
            "http_probe": {"allowed_networks": ["127.0.0.1"]},
        }
        clock = Clock(FIRST - 1)
        stores = {}
        with connect(
            "sliding",
            options,
            store=lambda name: stores.setdefault(name, MemorySampleStore()),
            clock=clock,
        ) as service:
            query = service.query(
                {"source": source, "over": 60}, "availability", first=FIRST, length=60
            )
            while (due := service.sample([query], clock.now)) and due < FIRST + 60:
                clock.now = due
            if asked:
                until(lambda: web.requests, "the sample")
        assert bool(web.requests) is asked


def test_a_pattern_in_a_place_where_nobody_heeds_it_is_refused():
    with pytest.raises(BadRequest, match="only"):
        Prometheus({"access": {"https://a.example": {"only": [{"query": "up"}]}}})


@pytest.mark.parametrize("only", [[{"metrik": {}}], [], "metrics", None])
def test_a_pattern_of_a_field_that_there_is_not_is_refused_at_once(only):
    with pytest.raises(BadRequest, match="only"):
        AzureMonitor({"only": only})
