"""One agreement, three reporters who look at the same service through CloudWatch, Prometheus and a probe, and disagree."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import boto3
import pytest
from eth_account import Account
from moto.server import ThreadedMotoServer

from oracles.probing.probe import _slot
from relayer.assembly import assemble
from relayer.clock import SteadyClock
from relayer.config import Configuration
from relayer.demo.processes import free_ports
from relayer.document import load_document, signatures
from relayer.exchange.server import ExchangeServer
from relayer.operations.alerts import Alerts
from relayer.protocol.readings import NO_DATA, unpack_readings
from relayer.protocol.report import reporter_index
from relayer.protocol.tally import Tally
from relayer.store import Store
from tests.e2e.conftest import DOLLAR, FEE
from tests.oracles.prometheus_server import until

MINUTE = 60
QUARTER = 15
SETTLE = 10
REGION = "eu-central-1"
PATIENCE = 60
"""For what takes a moment, on whatever machine [s]."""
BEGAN = 20 * MINUTE
"""The story happens so long ago: Prometheus takes no samples that lie in the future [s]."""

pytestmark = pytest.mark.timeout(300)

CLOUD, SERVER, PROBE = "cloudwatch", "prometheus", "http_probe"
UP, DOWN = "++", "--"
FAILS_LATE = "+-"
"""The service is up when CloudWatch's agent and the probe look, and down a moment later, when Prometheus' exporter does."""


@dataclass(frozen=True)
class Minute:
    """One interval: what happens, and what must come of it.

    :param service: Whether the service is up, early and late in each quarter.
    :param agent: CloudWatch's agent reports what it saw, reports that all is well (``lies``), or reports
        so late that the reading is over (``late``).
    :param scraped: Whether Prometheus reaches the exporter.
    :param read: Shares of a million that CloudWatch, Prometheus and the probe read.
    """

    service: tuple[str, str, str, str]
    read: tuple[int, int, int]
    judged: int
    dissent: frozenset[str] = frozenset()
    agent: str = "honest"
    scraped: bool = True


ALL, HALF, QUARTERS_3, QUARTER_1 = 1_000_000, 500_000, 750_000, 250_000
STORY = (
    Minute((UP, UP, UP, UP), read=(ALL, ALL, ALL), judged=ALL),
    Minute((DOWN, DOWN, DOWN, DOWN), read=(0, 0, 0), judged=0),
    # Two are within the tolerance, and below the threshold: the lower one of them counts.
    Minute(
        (UP, FAILS_LATE, DOWN, DOWN),
        agent="lies",
        read=(ALL, QUARTER_1, HALF),
        judged=QUARTER_1,
        dissent=frozenset({CLOUD}),
    ),
    Minute(
        (UP, UP, UP, UP),
        scraped=False,
        read=(ALL, NO_DATA, ALL),
        judged=ALL,
        dissent=frozenset({SERVER}),
    ),
    Minute(
        (DOWN, DOWN, DOWN, DOWN),
        agent="late",
        read=(NO_DATA, 0, 0),
        judged=0,
        dissent=frozenset({CLOUD}),
    ),
    # All were heard, and no two agree.
    Minute(
        (FAILS_LATE, UP, FAILS_LATE, DOWN),
        agent="late",
        read=(NO_DATA, QUARTER_1, QUARTERS_3),
        judged=NO_DATA,
        dissent=frozenset({SERVER, PROBE}),
    ),
)
PAID_AFTER = (0, 0, 10, 10, 40, 40)
"""What the consumer has been paid once each minute is judged: 10 % from the second bad one on, 40 % from the third [DOLLAR]."""


class Agent:
    """What runs at the service and reports to CloudWatch, every quarter of a minute."""

    def __init__(self, client, shop):
        self._client = client
        self._shop = shop
        self._late = []

    def look(self, at, mood):
        point = {
            "MetricName": "Availability",
            "Timestamp": datetime.fromtimestamp(at, UTC),
            "Value": 100.0 if mood == "lies" or self._shop.works() else 0.0,
            "Unit": "Percent",
        }
        if mood == "late":
            self._late.append((at, point))
        else:
            self._report(point)

    def catch_up(self, until):
        """Report at last what was seen until then."""
        for at, point in list(self._late):
            if at < until:
                self._report(point)
                self._late.remove((at, point))

    def _report(self, point):
        self._client.put_metric_data(Namespace="Shop", MetricData=[point])


class Reporter:
    """A relayer with a key, a database, an exchange, and one way to look at the service.

    Its sources read in their own threads. Its rounds are the test's, so that all three are heard before one of them reports.
    """

    def __init__(self, name, stage, clock, sources):
        self.name = name
        self.account = Account.create()
        self.store = Store(stage.folder / f"{name}.sqlite")
        [self.port] = free_ports(1)
        self._stage, self._clock, self._sources = stage, clock, sources

    def start(self, document, others, stack):
        stack.callback(self.store.close)
        peers = {other.account.address: f"http://127.0.0.1:{other.port}" for other in others}
        config = Configuration(
            sources=self._sources,
            exchange={"listen": f"127.0.0.1:{self.port}", "peers": peers, "pull_seconds": 1},
            poll_seconds=1,
            stagger_seconds=0,
        )
        self.daemon = assemble(
            chain=self._stage.chain,
            store=self.store,
            account=self.account,
            documents=[document],
            config=config,
            alerts=Alerts(),
            clock=SteadyClock(wall=self._clock, steady=self._clock),
        )
        [self.source] = self.daemon._lookout.sources
        [exchange] = [part for part in self.daemon._services if isinstance(part, ExchangeServer)]
        for part in (exchange, self.source):
            stack.callback(part.stop, 10)
            part.start()

    @property
    def query(self):
        [watch] = self.daemon._lookout.watches
        [task] = watch.tasks
        return task.watched.query

    def looks(self):
        """Learn from the chain what time it is, and what is to be read."""
        self.daemon._lookout.observe(self.daemon._lookout.see_head())

    def read(self, feed, minute):
        """What it read for a minute; None as long as it has not."""
        found = {each.interval: each.code for each in self.store.readings.answered(feed, minute)}
        return found.get(minute)

    def listens(self):
        for peer in self.daemon._peers.each:
            peer.visit()

    def signs(self):
        self.daemon._take_in()
        self.daemon._sign(self._stage.chain.now())

    def works(self):
        """Until nothing is left to do."""
        end = time.monotonic() + PATIENCE
        while self.daemon.round():
            assert time.monotonic() < end
        assert not self.daemon._lookout.problems


class Story:
    """Time goes on when the test says so, and everybody has the same: it stands still while a thread does its work."""

    def __init__(self, stage, shop, exporter, prometheus_url, stack, *, cloud_url, client):
        self.stage, self.shop = stage, shop
        self.start = (stage.chain.now() // MINUTE + 3) * MINUTE
        self.now = self.start - MINUTE
        self.agent = Agent(client, shop)
        self.exporter, self.prometheus = exporter, prometheus_url
        here = {"allowed_networks": ["127.0.0.1"]}
        sources = {
            CLOUD: {CLOUD: {"endpoint_url": cloud_url, "attempts": 1}},
            SERVER: {SERVER: here},
            PROBE: {PROBE: here},
        }
        self.reporters = [
            Reporter(name, stage, lambda: self.now, sources[name])
            for name in (CLOUD, SERVER, PROBE)
        ]
        for reporter in self.reporters:
            stage.give_coins(reporter.account)
        self.document = self._opened()
        self.feed = self.document.levels[0].feed
        for reporter in self.reporters:
            others = [other for other in self.reporters if other is not reporter]
            reporter.start(self.document, others, stack)
        [self.probe] = [r for r in self.reporters if r.name == PROBE]
        self.stage.warp(self.now)
        for reporter in self.reporters:
            reporter.looks()

    def _opened(self):
        stage = self.stage
        path = stage.folder / "sla.yaml"
        path.write_text(json.dumps(stage.document(**self._terms())))  # JSON is YAML
        document = load_document(path, adapters=True)
        signatures.sign_as(document, "provider", stage.provider)
        signed = signatures.sign_as(document, "consumer", stage.consumer)
        approved = stage.token.approve(stage.escrow.address, FEE)
        opening = stage.escrow.open(document.terms, signed.provider, signed.consumer)
        for call in (approved, opening):
            stage.chain.send(call, stage.consumer)
        return document

    def _terms(self):
        cloud = {
            "region": REGION,
            "namespace": "Shop",
            "metric_name": "Availability",
            "statistic": "Average",
            "unit": "Percent",
        }
        server = {"url": self.prometheus, "query": "shop_up", "unit": "ratio", "step": QUARTER}
        probe = {"url": self.shop.url, "samples": 4, "timeout": "2"}
        specs = {CLOUD: cloud, SERVER: server, PROBE: probe}
        keys = [
            {
                "key": reporter.account.address,
                "dataSource": {"type": reporter.name, "spec": specs[reporter.name]},
            }
            for reporter in self.reporters
        ]
        level = {
            "name": "availability",
            "indicator": {
                "metric": "availability",
                "dataSource": {"type": PROBE, "spec": probe},
            },
            "objective": {"op": "gte", "value": "90%"},
            "interval": f"{MINUTE}s",
            "settleDelay": f"{SETTLE}s",
            "reportEvery": f"{MINUTE}s",
            "reportDeadline": "1h",
            "reporters": {"keys": keys, "quorum": 2, "tolerance": "30%"},
            "tiers": [{"badIntervals": 2, "credit": "10%"}, {"badIntervals": 3, "credit": "40%"}],
        }
        return {"start": self.start, "window": f"{len(STORY)}m", "levels": [level]}

    def tell(self, number, minute, in_between):
        """Let a minute pass; ``in_between`` is called when the one before it can be read."""
        self.exporter.silent = not minute.scraped
        query = self.probe.query
        begin = self.start + MINUTE * number
        planned = [at for at in range(begin, begin + MINUTE) if _slot(query, at)[0] == at]
        for quarter, (at, states) in enumerate(zip(planned, minute.service, strict=True)):
            early, late = (state == "+" for state in states)
            self.shop.up = early
            self.now = begin + QUARTER * quarter
            self.agent.look(self.now, minute.agent)
            self.now = at
            self._until_probed(at)
            self.shop.up = late
            self.now = begin + QUARTER * quarter + QUARTER - 1
            if minute.scraped:
                self.exporter.look(self.now, self.prometheus)
            if quarter == 1:
                in_between()

    def judge(self, number):
        """Have a minute read, signed by all, and reported."""
        self.stage.warp(self.now)
        for reporter in self.reporters:
            reporter.looks()
        for reporter in self.reporters:
            until(
                lambda reporter=reporter: reporter.read(self.feed.id, number) is not None,
                f"{reporter.name} to read minute {number}",
            )
        for act in ("listens", "signs", "listens", "works"):
            for reporter in self.reporters:
                getattr(reporter, act)()
        self.agent.catch_up(
            self.start + MINUTE * (number + 1)
        )  # too late: an answer stands for ever
        assert self.stage.oracle.latest(self.feed.id)[0] == number + 1

    def _until_probed(self, at):
        samples = self.probe.store.samples(PROBE)
        until(lambda: samples.get(self.probe.query.key, at, at + 1), "the probe's sample")

    def judged(self):
        """Of each report: the first minute, the judged values, and the names of those who were heard and who dissented."""
        places = {
            reporter_index(self.feed.panel, each.account.address): each.name
            for each in self.reporters
        }
        for event in self.stage.oracle.contract.events.Judged.get_logs(from_block=0):
            said = event["args"]
            heard, dissent = (
                {name for place, name in places.items() if said[field] >> place & 1}
                for field in ("heard", "dissenters")
            )
            yield said["first"], unpack_readings(said["values"]), heard, dissent


@pytest.fixture
def story(begin_chain, shop, exporter, prometheus_url, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("relayer.sources.LONGEST_PAUSE", 0.05)  # time jumps: look often
    with ExitStack() as stack:
        moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        moto.start()
        stack.callback(moto.stop)
        url = f"http://127.0.0.1:{moto.get_host_and_port()[1]}"
        client = boto3.client("cloudwatch", region_name=REGION, endpoint_url=url)
        stack.callback(client.close)
        stage = begin_chain(time.time() - BEGAN)
        yield Story(stage, shop, exporter, prometheus_url, stack, cloud_url=url, client=client)


def test_three_services_disagree_and_the_chain_decides(story):
    stage = story.stage
    paid = []

    def judge(number):
        story.judge(number)
        consumer, provider, escrow = stage.balances()
        assert consumer + provider + escrow == FEE
        paid.append(consumer // DOLLAR)

    for number, minute in enumerate(STORY):
        story.tell(number, minute, lambda number=number: judge(number - 1) if number else None)
    story.now = story.start + len(STORY) * MINUTE + SETTLE
    judge(len(STORY) - 1)

    for number, minute in enumerate(STORY):
        read = tuple(reporter.read(story.feed.id, number) for reporter in story.reporters)
        assert read == minute.read, f"read of minute {number}"
    everybody = {reporter.name for reporter in story.reporters}
    reports = {first: rest for first, *rest in story.judged()}
    for number, minute in enumerate(STORY):
        values, heard, dissent = reports.pop(number)
        assert values == [minute.judged], f"verdict on minute {number}"
        assert dissent == minute.dissent, f"dissent about minute {number}"
        assert heard == everybody or not minute.dissent
    assert not reports
    assert stage.oracle.tally(story.feed.ref, 0) == Tally(
        len(STORY), judged=len(STORY), bad=3, unknown=1, longest_run=2
    )
    assert tuple(paid) == PAID_AFTER
    for reporter in story.reporters:
        reporter.works()
    assert stage.balances() == (40 * DOLLAR, 60 * DOLLAR, 0), "the window is closed"
