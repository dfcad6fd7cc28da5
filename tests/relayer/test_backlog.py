"""What was missed is made up for in few calls, where a service answers with series of points."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from oracles.cloudwatch import CloudWatch
from oracles.prometheus import Prometheus
from relayer.operations.alerts import Alerts
from relayer.simulation.service import DAY, historian, read_history
from relayer.sources import MOST_AHEAD, Source, Watched
from tests.oracles.aws import FIRST, OnMoto, Refusal, spec
from tests.oracles.contract import Clock
from tests.oracles.prometheus_server import Middleman, prometheus
from tests.oracles.sockets import HERE
from tests.oracles.tls_server import serving_tls

MINUTE = 60
MISSED = 150


class Reporter:
    """Of a feed that has fallen behind."""

    def __init__(self, number, answered):
        self.id, self.name, self.salt = bytes([number]) * 32, f"feed {number}", b""
        self.first, self.until = 0, 10_000
        self.feed = SimpleNamespace(
            measurement=SimpleNamespace(readable_at=lambda n: FIRST + MINUTE * (n + 1))
        )
        self._answered = answered

    def closed(self, now):
        return (now - FIRST) // MINUTE

    def knows(self, number):
        return (self.id, number) in self._answered


class Store:
    """Keeps what is answered, and what failed."""

    def __init__(self):
        self.answered, self.failed = {}, []
        self.readings = SimpleNamespace(
            schedule=lambda rows: None, save=self.save, fail=self.failed.extend
        )

    def save(self, answered):
        self.answered.update({(one.feed, one.interval): one.code for one in answered})
        return answered


@pytest.mark.usefixtures("points")
class TestBacklog(OnMoto):
    @pytest.fixture
    def points(self, put, clock):
        clock.now = FIRST + MINUTE * MISSED
        put("Requests", {MINUTE * n: [n, n + 2] for n in range(MISSED)})

    @pytest.fixture
    def store(self):
        return Store()

    @pytest.fixture
    def source(self, service, store, clock):
        queries = [
            CloudWatch.query(spec("Requests", statistic), "throughput", first=FIRST, length=MINUTE)
            for statistic in ("Average", "Maximum", "Average")
        ]
        source = Source(service, store, alerts=Alerts(), clock=clock)
        source.watch(
            tuple(
                Watched(Reporter(number, store.answered), query)
                for number, query in enumerate(queries)
            )
        )
        return source

    def test_an_hour_is_one_call_and_every_feed_has_its_answers(
        self, source, store, middleman, clock
    ):
        source.step()
        assert {feed[0] for feed, _ in store.answered} == {0, 1, 2}
        for number in range(MISSED):
            answers = [store.answered[bytes([feed]) * 32, number] for feed in range(3)]
            assert answers == [number + 1, number + 2, number + 1]
        assert len(store.answered) == 3 * MISSED
        assert not store.failed
        assert len(middleman.asked) == -(-MISSED // MOST_AHEAD)

    def test_a_service_that_fails_is_not_asked_for_every_interval(
        self, source, store, middleman, clock
    ):
        middleman.tamper = lambda *_: Refusal(503, "Busy")
        source.step()
        assert {type(one).__name__ for one in store.failed} == {"Failed"}
        assert not store.answered
        assert len(middleman.asked) <= 4

    def test_one_interval_that_cannot_be_read_holds_up_no_other(
        self, source, store, middleman, clock
    ):
        bad = FIRST + MINUTE * 5

        def spoil(request, answer):
            if request["StartTime"] <= bad < request["EndTime"]:
                for result in answer["MetricDataResults"]:
                    result["StatusCode"] = "InternalError"

        middleman.tamper = spoil
        for _ in range(3):
            source.step()
        missing = {n for n in range(MISSED) if (bytes(32), n) not in store.answered}
        assert missing == {5}
        middleman.tamper = None
        clock.now += 600
        source.step()
        assert (bytes(32), 5) in store.answered


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """A Prometheus with a sample a minute; in minute 5 there are two series."""
    lines = ["# TYPE up gauge"]
    lines += [f'up{{on="a"}} {n} {FIRST + MINUTE * n}' for n in range(MISSED)]
    lines.append(f'up{{on="b"}} 1 {FIRST + MINUTE * 5 + 7}')
    with prometheus(tmp_path_factory.mktemp("prometheus"), "\n".join(lines) + "\n") as url:
        yield url


class TestBacklogOfPrometheus:
    @pytest.fixture
    def middleman(self, scraped):
        with serving_tls() as tls:
            yield Middleman(tls, scraped)

    @pytest.fixture
    def store(self):
        return Store()

    @pytest.fixture
    def read(self, middleman, store):
        """Reads the backlog of two feeds with these options, in one step."""

        def step(**options):
            clock = Clock(FIRST + MINUTE * MISSED)
            with Prometheus({**HERE, **middleman.options, **options}, clock=clock) as service:
                source = Source(service, store, alerts=Alerts(), clock=clock)
                source.watch(
                    tuple(
                        Watched(
                            Reporter(number, store.answered),
                            Prometheus.query(
                                {"url": middleman.url, "query": query, "unit": "count"},
                                "throughput",
                                first=FIRST,
                                length=MINUTE,
                            ),
                        )
                        for number, query in enumerate(['up{on="a"}', "up"])
                    )
                )
                source.step()

        return step

    def assert_nothing_is_lost(self, store):
        for number in range(MISSED):
            assert store.answered[bytes(32), number] == number

    def test_an_hour_is_one_call_for_each_question(self, read, store, middleman):
        read()
        self.assert_nothing_is_lost(store)
        hours = -(-MISSED // MOST_AHEAD)
        assert middleman.kinds.count("status/flags") == hours
        asked = [fields["query"] for kind, fields in middleman.asked if kind == "query"]
        # Minute 5 of the second feed is read alone, fails, and holds up the rest of it in this step.
        assert sorted(asked) == sorted(
            ['up{on="a"}\n[3600s]'] * 2 + ['up{on="a"}\n[1800s]', "up\n[3600s]", "up\n[60s]"]
        )
        assert [one.interval for one in store.failed] == [5]
        assert {n for feed, n in store.answered if feed[0] == 1} == set(range(5))

    def test_what_cannot_be_told_from_an_hour_is_read_minute_by_minute(
        self, read, store, middleman
    ):
        read(max_bytes=1_024)
        self.assert_nothing_is_lost(store)
        asked = [fields["query"] for kind, fields in middleman.asked if kind == "query"]
        assert asked.count('up{on="a"}\n[60s]') == MISSED

    def test_a_server_that_is_not_prometheus_itself_is_read_minute_by_minute(
        self, read, store, middleman
    ):
        middleman.tamper = lambda kind, *_: {"data": {}} if kind == "status/flags" else None
        read()
        self.assert_nothing_is_lost(store)
        asked = [fields["query"] for kind, fields in middleman.asked if kind == "query"]
        assert asked.count('up{on="a"}\n[60s]') == MISSED
        assert middleman.kinds.count("status/flags") <= 2 * -(-MISSED // MOST_AHEAD)


class TestHistory(OnMoto):
    @pytest.mark.parametrize("statistic", ["Average", "Maximum", "Sum"])
    def test_days_are_a_call_each(self, put, middleman, clock, statistic):
        put("Requests", {MINUTE * n: [n % 50, n % 50 + 2] for n in range(0, 2 * 1_440, 7)})
        clock.now = FIRST + 3 * DAY
        options = {"cloudwatch": {"endpoint_url": middleman.url, "attempts": 1}}
        service = historian("cloudwatch", options, clock=clock)
        query = service.query(spec("Requests", statistic), "throughput", first=FIRST, length=MINUTE)
        history = read_history(service, query, range(2 * 1_440), pause=lambda _: None)
        service.close()
        assert not history.problems
        expected = {"Average": 15, "Maximum": 16, "Sum": 30}[statistic]
        assert history.codes[14] == expected
        assert history.codes[15] == 0xFFFF_FFFF
        assert len(middleman.asked) == 2

    def test_a_day_that_is_throttled_is_asked_again(self, put, middleman, clock):
        put("Requests", {MINUTE * n: 1 for n in range(0, 1_440, 7)})
        clock.now = FIRST + 2 * DAY
        refusals = [Refusal(400, "Throttling"), None]
        middleman.tamper = lambda *_: refusals.pop(0) if refusals else None
        pauses = []
        service = historian(
            "cloudwatch",
            {"cloudwatch": {"endpoint_url": middleman.url, "attempts": 1}},
            pause=pauses.append,
            clock=clock,
        )
        query = service.query(spec("Requests"), "throughput", first=FIRST, length=MINUTE)
        history = read_history(service, query, range(1_440), pause=lambda _: None)
        service.close()
        assert history.codes[7] == 1
        assert pauses == [1.0]
        assert len(middleman.asked) == 2
