"""What a question that is made of others asks, and whether all of it can be asked afterwards."""

from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from oracles import METRICS, load, registry
from oracles.base import Spec
from oracles.composite import Composite, keeps_history, services

KEEPS = {
    "type": "prometheus",
    "spec": {"url": "http://prometheus.example", "query": "up", "unit": "ms", "step": 60},
}
SAMPLES = {"type": "tcp_probe", "spec": {"host": "shop.example", "port": 443}}


class Doorman(Composite[Spec]):
    """Of another package. Its specification does not name whom it asks."""

    name = "doorman"
    METRICS: ClassVar = METRICS
    Spec = Spec

    @classmethod
    def _questions(cls, query):
        probe = load(SAMPLES["type"])
        return [probe.query(SAMPLES["spec"], "latency", first=query.first, length=query.length)]

    @classmethod
    def _parts(cls, query, interval):
        raise NotImplementedError

    @classmethod
    def _combine(cls, query, answers):
        raise NotImplementedError


def ratio(good, total):
    spec = {"good": good, "total": total, "metric": "latency"}
    return {"type": "ratio", "spec": spec}


def sliding(source):
    return {"type": "sliding", "spec": {"source": source, "over": 600}}


@pytest.fixture(autouse=True)
def _doorman_is_installed(monkeypatch):
    point = EntryPoint("doorman", f"{__name__}:Doorman", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])


@pytest.mark.parametrize(
    ("source", "metric", "asked", "keeps"),
    [
        (KEEPS, "latency", {"prometheus"}, True),
        (SAMPLES, "latency", {"tcp_probe"}, False),
        (ratio(KEEPS, KEEPS), "availability", {"ratio", "prometheus"}, True),
        (ratio(KEEPS, SAMPLES), "availability", {"ratio", "prometheus", "tcp_probe"}, False),
        (sliding(ratio(KEEPS, KEEPS)), "availability", {"sliding", "ratio", "prometheus"}, True),
        (
            sliding(ratio(SAMPLES, KEEPS)),
            "availability",
            {"sliding", "ratio", "prometheus", "tcp_probe"},
            False,
        ),
        (
            sliding({"type": "doorman", "spec": {}}),
            "latency",
            {"sliding", "doorman", "tcp_probe"},
            False,
        ),
    ],
)
def test_it_asks_all_that_it_is_made_of_and_keeps_a_history_if_all_of_that_does(
    source, metric, asked, keeps
):
    query = load(source["type"]).query(source["spec"], metric, first=0, length=60)
    assert services(query) == asked
    assert keeps_history(query) is keeps


def test_installed_packages_are_looked_through_once(monkeypatch):
    """Thousands of feeds are asked about, and each look takes ten milliseconds."""
    query = load("doorman").query({}, "latency", first=0, length=60)
    keeps_history(query)
    monkeypatch.setattr(registry, "entry_points", lambda group: pytest.fail("looked again"))
    assert services(query) == {"doorman", "tcp_probe"}
    assert not keeps_history(query)
