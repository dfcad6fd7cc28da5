"""Past readings from real monitoring services: by the day, and the same as interval by interval."""

import threading
from typing import ClassVar

import pytest

from oracles import (
    METRICS,
    AccessRefused,
    BadRequest,
    MonitoringService,
    Options,
    Spec,
    Throttled,
    Unavailable,
    Value,
)
from oracles.prometheus import Prometheus
from relayer.errors import ConfigurationError
from relayer.simulation.service import historian, read_history
from tests.oracles.prometheus_server import prometheus
from tests.oracles.sockets import HERE

DAY = 86_400
START = 1_780_272_000  # June 1, 2026
INTERVALS = 1_440


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Prometheus that scraped every 30 s for a day: down for 20 minutes, silent for 10."""
    lines = ["# TYPE up gauge"]
    for number in range(2 * INTERVALS):
        minute = number // 2
        if 700 <= minute < 710:
            continue
        lines.append(f"up {0 if 300 <= minute < 320 else 1} {START + 30 * number}")
    lines.append("# TYPE requests gauge")
    lines += [f"requests 100 {START + 30 * number}" for number in range(2 * INTERVALS)]
    with prometheus(tmp_path_factory.mktemp("prometheus"), "\n".join(lines) + "\n") as url:
        yield url


def spec(url, **changes):
    return {"url": url, "query": "up", "unit": "ratio", "statistic": "min", "step": 30} | changes


def clock():
    return START + DAY + 3_600.0


def history_of(name, spec_, metric, numbers=range(INTERVALS)):
    service = historian(name, {"prometheus": HERE}, clock=clock)
    query = service.query(spec_, metric, first=START, length=60)
    found = read_history(service, query, numbers, pause=lambda _: None)
    service.close()
    return found


ADDED = {"mode": "range", "query": "sum(last_over_time(up[30s]))"}
"""What an adapter does not read for several intervals at once, and a day of it is judged by samples."""


@pytest.mark.parametrize("changes", [{}, ADDED])
def test_a_day_of_prometheus_is_read_at_once_and_judged_interval_by_interval(
    server, monkeypatch, changes
):
    asked = []
    monkeypatch.setattr(
        Prometheus,
        "_ask",
        lambda self, query, span, ask=Prometheus._ask: asked.append(span) or ask(self, query, span),
    )
    history = history_of("prometheus", spec(server, **changes), "availability")
    codes = [history.codes[number] for number in range(INTERVALS)]
    no_data = 0xFFFF_FFFF
    assert codes[299:321] == [1_000_000, *[0] * 20, 1_000_000]
    assert codes[699:711] == [1_000_000, *[no_data] * 10, 1_000_000]
    assert history.problems == {}
    assert len(asked) == (4 if changes else 1)


def test_what_is_read_by_the_day_is_what_is_read_alone(server, monkeypatch):
    together = history_of("prometheus", spec(server), "availability", range(290, 720)).codes
    monkeypatch.setattr(Prometheus, "reads_spans", lambda *_: False)
    by_the_day = history_of("prometheus", spec(server), "availability", range(290, 720)).codes
    monkeypatch.setattr("relayer.simulation.service._split", refuses)
    alone = history_of("prometheus", spec(server), "availability", range(290, 720)).codes
    assert together == by_the_day == alone


def refuses(*_):
    from oracles import GarbageAnswer

    raise GarbageAnswer("no")


def test_a_ratio_of_two_series_is_read_by_the_day_too(server):
    counted = {"unit": "count", "statistic": "sum"}
    parts = {
        "good": {"type": "prometheus", "spec": spec(server, query="up", **counted)},
        "total": {"type": "prometheus", "spec": spec(server, query="requests", **counted)},
    }
    history = history_of("ratio", parts, "availability", range(280, 330))
    # Two scrapes of 1 in 200 requests.
    assert history.codes[299] == 10_000
    assert history.codes[300] == 0


def test_a_service_that_makes_days_coarser_is_asked_interval_by_interval(monkeypatch):
    service = Coarse()
    monkeypatch.setattr("relayer.simulation.service.load", lambda _: Coarse)
    monkeypatch.setattr("relayer.simulation.service.connect", lambda *_, **__: service)
    history = history_of("coarse", {}, "availability", range(100))
    assert [history.codes[n] for n in range(100)] == [n * 1_000 for n in range(100)]


class Coarse(MonitoringService[Spec, Options]):
    """Answers an interval by its number; a longer one by a single value for all of it."""

    name = "coarse"
    METRICS: ClassVar = {"availability": METRICS["availability"]}
    SETTLE_DELAY = 0
    Spec = Spec
    Options = Options

    def _read(self, queries, interval):
        step = 60
        value = (interval.start - START) // 60 * 1_000 if interval.seconds == 60 else 500_000
        points = [[at * 1_000, value] for at in range(interval.start, interval.end, step)]
        return [self._reading(query, interval, {"points": points}) for query in queries]

    @classmethod
    def conclude(cls, query, interval, raw):
        return Value(raw["points"][0][1])


class Failing(Coarse):
    """Fails as it is told to, before it answers."""

    name = "failing"

    def __init__(self, *errors):
        super().__init__()
        self.errors, self.lock = list(errors), threading.Lock()
        self.fails_at = None

    def _read(self, queries, interval):
        with self.lock:
            error = self.errors.pop(0) if self.errors else None
        if interval.start == self.fails_at:
            error = Unavailable("gone")
        return [error] * len(queries) if error else super()._read(queries, interval)


def read(service, numbers=range(3)):
    paused = []
    query = service.query({}, "availability", first=START, length=60)
    return read_history(service, query, numbers, pause=paused.append), paused


def test_a_throttled_service_is_asked_again_after_the_pause_that_it_names():
    history, paused = read(Failing(Throttled("slow down", retry_after=7)), range(1))
    assert history.codes == {0: 0}
    assert paused == [7]


def test_what_cannot_be_read_is_counted_and_the_rest_is_there():
    service = Failing()
    service.fails_at = START + 60
    history, paused = read(service)
    assert history.codes == {0: 0, 2: 2_000}
    assert history.problems == {"gone": 1}
    assert paused == [1, 2, 4]


def test_a_service_that_can_be_read_for_nothing_is_an_error():
    with pytest.raises(ConfigurationError, match="none of the 3 intervals: gone"):
        read(Failing(*[Unavailable("gone")] * 12))


def test_refused_access_ends_it():
    with pytest.raises(ConfigurationError, match="no such key"):
        read(Failing(AccessRefused("no such key")))


class Unreachable(Coarse):
    """Nobody is there; in between questions of a time that is forgotten are refused, if there are some."""

    name = "unreachable"

    def __init__(self, forgotten=0):
        super().__init__()
        self.forgotten, self.asked, self.lock = forgotten, 0, threading.Lock()

    def _read(self, queries, interval):
        number = (interval.start - START) // 60
        if number < self.forgotten:
            return [BadRequest("too long ago")] * len(queries)
        if self.forgotten:
            return super()._read(queries, interval)
        with self.lock:
            self.asked += 1
        return [Unavailable("connection refused")] * len(queries)


def test_a_service_that_is_not_there_is_given_up_after_a_few_intervals():
    service = Unreachable()
    with pytest.raises(ConfigurationError, match=r"^unreachable: connection refused$") as refused:
        read(service, range(20_000))
    assert refused.value.hint == "`makegood monitor test FILE` tries the service alone"


def test_giving_up_ends_the_pauses_of_the_others():
    service = Unreachable()
    query = service.query({}, "availability", first=START, length=60)
    with pytest.raises(ConfigurationError, match="refused"):
        read_history(service, query, range(20_000))
    # Eight decide it with four attempts each; others may have begun meanwhile, and wait no longer.
    assert service.asked <= 32 + 16


def test_a_time_that_is_forgotten_does_not_end_it():
    history, _ = read(Unreachable(forgotten=12), range(14))
    assert history.codes == {12: 12_000, 13: 13_000}
    assert history.problems == {"too long ago": 12}
