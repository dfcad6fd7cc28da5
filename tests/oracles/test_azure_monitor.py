"""What Azure's points make: `azure_monitor` against a TLS server shaped by Azure's own clients."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from oracles import NO_DATA, NOT_APPLICABLE, BadRequest, GarbageAnswer, Interval, Value
from oracles.azure_monitor import AzureMonitor
from oracles.clients.whole_answer import LARGEST
from tests.oracles.azure import (
    AVAILABLE,
    CPU,
    FIRST,
    INTERVAL,
    LENGTH,
    SECRET,
    TOKEN,
    ask,
    azure_here,
    every_minute,
    logs_spec,
    make,
    metric_spec,
    odd_one,
    refusal,
    vm,
)
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.tls_server import HANG, Answer


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("AZURE_TEST_SECRET", SECRET)


@pytest.fixture
def azure():
    with azure_here() as azure:
        yield azure


@pytest.fixture
def clock():
    return Clock(FIRST + 3600)


@pytest.fixture
def service(azure, clock):
    with make(azure, clock) as service:
        yield service


class OfOneKind(Contract):
    """The contract, for queries of one kind."""

    def bench_of(self, azure, clock, query, spec, **more):
        services = []

        def start(**options):
            services.append(make(azure, clock, **options))
            return services[-1]

        def lying(lie, **options):
            def ask_once():
                azure.lie = lie if callable(lie) else lambda *_: lie
                return start(**options).read([query("up")], INTERVAL)[0]

            return ask_once

        yield Bench(
            make=start,
            clock=clock,
            interval=INTERVAL,
            value=query("up"),
            other=query("down"),
            empty=query("nothing"),
            garbage=query("negative"),
            failing=query("failing"),
            spec=spec,
            secrets=[SECRET, TOKEN],
            refused=lying(refusal(403, "AuthorizationFailed")),
            throttled=lying(refusal(429, "TooManyRequests", Retry_After="7")),
            hanging=lying(HANG, read_timeout=0.3),
            too_large=lying(lambda _, said: Answer(json.dumps(said).encode() + b" " * LARGEST)),
            border=query("border", min_points=1),
            **more,
        )
        for service in services:
            service.close()


class TestContractForMetrics(OfOneKind):
    @pytest.fixture
    def bench(self, azure, clock):
        azure.put("up", AVAILABLE, every_minute(1, 1, 0.5, 1, 1))
        azure.put("down", AVAILABLE, every_minute(0, 0, 0, 0, 0))
        azure.put("negative", AVAILABLE, every_minute(-1, -1, -1, -1, -1))
        azure.put("failing", AVAILABLE, every_minute(1, 1, 1, 1, 1))
        azure.put("border", AVAILABLE, {LENGTH: 1})

        def fail(request, answer):
            if (one := odd_one(answer, "failing")) is not None:
                one["value"][0]["errorCode"] = "InternalServerError"

        azure.lie = fail
        yield from self.bench_of(
            azure,
            clock,
            lambda name, **more: ask(metric_spec(name, **more)),
            metric_spec("up"),
            value_amount=Fraction(900_000),
            other_amount=Fraction(0),
        )


class TestContractForLogs(OfOneKind):
    @pytest.fixture
    def bench(self, azure, clock):
        minutes = range(0, LENGTH, 60)
        azure.rows["up"] = [[at, 90.0] for at in minutes]
        azure.rows["down"] = [[at, 0.0] for at in minutes]
        azure.rows["negative"] = [[at, -1.0] for at in minutes]
        azure.rows["border"] = [[LENGTH, 1.0]]

        def fail(request, answer):
            if request.json()["query"] == "failing":
                answer["error"] = {"code": "PartialError", "message": "too slow"}

        azure.lie = fail
        yield from self.bench_of(
            azure,
            clock,
            lambda name, **more: ask(logs_spec(name, unit="Percent", **more)),
            logs_spec("up", unit="Percent"),
            value_amount=Fraction(900_000),
            other_amount=Fraction(0),
        )


class TestMetrics:
    @pytest.mark.parametrize(
        ("statistic", "expected"),
        [("mean", 30), ("min", 10), ("max", 50), ("last", 20), ("p50", 30)],
    )
    def test_the_points_of_an_interval_make_one_number(self, azure, service, statistic, expected):
        azure.put("up", CPU, every_minute(10, 30, 50, 40, 20))
        spec = metric_spec("up", CPU, unit="Percent", statistic=statistic)
        reading = service.read_one(ask(spec, "utilisation"), INTERVAL)
        assert reading.answer == Value(Fraction(expected * 10_000))

    def test_a_total_is_a_number_of_things(self, azure, service):
        azure.put("up", "Requests", every_minute(1, 2, 3, 4, 5))
        spec = metric_spec("up", "Requests", "Count", "Total", statistic="sum")
        reading = service.read_one(ask(spec, "throughput"), INTERVAL)
        assert reading.answer == Value(Fraction(15))
        [call] = azure.calls()
        assert call.one("aggregation") == "Total"

    def test_a_point_without_a_number_is_no_data_not_zero(self, azure, service):
        azure.put("up", AVAILABLE, every_minute(1, 1, None, 1, 1))
        assert service.read_one(ask(metric_spec("up")), INTERVAL).answer is NO_DATA
        query = ask(metric_spec("up", min_points=4))
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(1_000_000))

    def test_no_series_at_all_is_no_data(self, azure, service):
        def nothing(request, answer):
            odd_one(answer, "up")["value"][0]["timeseries"] = []

        azure.lie = nothing
        assert service.read_one(ask(metric_spec("up")), INTERVAL).answer is NO_DATA

    def test_nothing_but_the_interval_is_asked_for(self, azure, service):
        service.read([ask(metric_spec("up"))], INTERVAL)
        [call] = azure.calls()
        assert call.one("starttime") == "2026-01-01T00:00:00.000Z"
        assert call.one("endtime") == "2026-01-01T00:05:00.000Z"
        assert call.one("interval") == "PT1M"
        assert call.json() == {"resourceids": [vm("up")]}

    def test_an_hour_may_be_one_point(self, azure, service, clock):
        clock.now = FIRST + 7200
        azure.put("up", AVAILABLE, {0: 0.75})
        reading = service.read_one(
            ask(metric_spec("up", step=3600), length=3600), Interval(FIRST, FIRST + 3600)
        )
        assert reading.answer == Value(Fraction(750_000))

    def test_dimensions_are_a_filter(self, azure, service):
        spec = metric_spec("up", dimensions={"LUN": "0", "Api": "Get blob"})
        service.read([ask(spec)], INTERVAL)
        [call] = azure.calls()
        assert call.one("filter") == "Api eq 'Get blob' and LUN eq '0'"

    @pytest.mark.parametrize("days", [93])
    def test_points_that_azure_has_thrown_away_are_not_no_data(self, azure, service, clock, days):
        clock.now = FIRST + days * 86_400
        assert service.read_one(ask(metric_spec("up")), INTERVAL).answer is NO_DATA
        clock.now += 1
        with pytest.raises(BadRequest, match="for 93 days only"):
            service.read_one(ask(metric_spec("up")), INTERVAL)


class TestUnits:
    @pytest.mark.parametrize(
        ("name", "unit", "metric", "expected"),
        [
            (CPU, "Percent", "utilisation", 10_000),
            (AVAILABLE, "ratio", "availability", 1_000_000),
            ("Requests", "Count", "throughput", 1),
            ("Latency", "ms", "latency", 1),
            ("Latency", "MilliSeconds", "latency", 1),
        ],
    )
    def test_what_was_agreed_on_is_what_azure_says(
        self, azure, service, name, unit, metric, expected
    ):
        azure.put("up", name, every_minute(1, 1, 1, 1, 1))
        reading = service.read_one(ask(metric_spec("up", name, unit), metric), INTERVAL)
        assert reading.answer == Value(Fraction(expected))

    @pytest.mark.parametrize(
        ("name", "unit", "metric"),
        [
            (CPU, "ratio", "utilisation"),
            (AVAILABLE, "Percent", "availability"),
            ("Latency", "s", "latency"),
            ("Requests", "ms", "latency"),
            ("Memory", "Count", "backlog"),
        ],
    )
    def test_another_unit_is_garbage(self, azure, service, name, unit, metric):
        azure.put("up", name, every_minute(1, 1, 1, 1, 1))
        with pytest.raises(GarbageAnswer, match=f"but {unit} was agreed on"):
            service.read_one(ask(metric_spec("up", name, unit), metric), INTERVAL)

    def test_a_unit_that_azure_does_not_tell_is_the_parties_matter(self, azure, service):
        azure.put("up", "Latency", every_minute(1, 1, 1, 1, 1))

        def silent(request, answer):
            odd_one(answer, "up")["value"][0]["unit"] = "Unspecified"

        azure.lie = silent
        query = ask(metric_spec("up", "Latency", "s"), "latency")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(1000))


class TestFallback:
    def query(self, **more):
        fallback = {"metric_name": CPU, "aggregation": "Average", "value": 1}
        return ask(metric_spec("up", fallback=fallback, **more))

    def test_it_is_asked_only_where_the_metric_has_no_point(self, azure, service):
        azure.put("up", AVAILABLE, every_minute(0, 0, 0, 0, 0))
        azure.put("up", CPU, every_minute(5, 5, 5, 5, 5))
        assert service.read_one(self.query(), INTERVAL).answer == Value(Fraction(0))
        assert [call.one("metricnames") for call in azure.calls()] == [AVAILABLE]

    def test_its_presence_says_what_was_agreed_on_and_evidence_shows_both(self, azure, service):
        azure.put("up", CPU, every_minute(5, 7, 5, 5, 5))
        reading = service.read_one(self.query(), INTERVAL)
        assert reading.answer == Value(Fraction(1_000_000))
        assert [call.one("metricnames") for call in azure.calls()] == [AVAILABLE, CPU]
        assert b'"fallback":{"points":[[1767225600000,5],[1767225660000,7]' in reading.evidence
        assert b'"unit":"Percent"' in reading.evidence

    def test_a_measured_outage_is_never_covered_up(self, azure, service):
        azure.put("up", AVAILABLE, every_minute(0, 0, None, None, None))
        azure.put("up", CPU, every_minute(5, 5, 5, 5, 5))
        assert service.read_one(self.query(), INTERVAL).answer is NO_DATA

    def test_too_few_points_of_it_are_no_data(self, azure, service):
        azure.put("up", CPU, every_minute(5, 5, 5))
        for missing in ("no_data", "not_applicable"):
            reading = service.read_one(self.query(missing=missing), INTERVAL)
            assert reading.answer is NO_DATA

    def test_a_machine_without_either_was_stopped_if_both_parties_say_so(self, service):
        assert service.read_one(self.query(), INTERVAL).answer is NO_DATA
        stopped = self.query(missing="not_applicable")
        assert service.read_one(stopped, INTERVAL).answer is NOT_APPLICABLE

    def test_without_its_answer_nothing_is_concluded(self, azure, service):
        azure.lie = lambda request, _: refusal(500) if request.one("metricnames") == CPU else None
        [error] = service.read([self.query()], INTERVAL)
        assert error.retryable
        empty = {"points": [], "unit": "Count"}
        with pytest.raises(GarbageAnswer, match="fallback metric is not there"):
            AzureMonitor.conclude(self.query(), INTERVAL, empty)


class TestLogs:
    QUERY = "AppRequests | summarize value=avg(DurationMs) by bin(TimeGenerated, 1m)"

    def test_rows_are_points(self, azure, service):
        azure.rows[self.QUERY] = [[60 * at, 100.0 + at] for at in (3, 1, 0, 4, 2)]
        reading = service.read_one(ask(logs_spec(self.QUERY), "latency"), INTERVAL)
        assert reading.answer == Value(Fraction(102))
        [call] = azure.calls("/query")
        assert call.json()["timespan"] == "2026-01-01T00:00:00.000Z/2026-01-01T00:05:00.000Z"
        assert call.headers["prefer"] == "wait=60"

    def test_columns_may_have_other_names(self, azure, service):
        azure.columns = ("at", "seconds")
        azure.rows["q"] = [[60 * at, 2.0] for at in range(5)]
        spec = logs_spec("q", unit="s", time_column="at", value_column="seconds")
        assert service.read_one(ask(spec, "latency"), INTERVAL).answer == Value(Fraction(2000))
        with pytest.raises(GarbageAnswer, match="no column 'TimeGenerated' among 2"):
            service.read_one(ask(logs_spec("q"), "latency"), INTERVAL)

    def test_rows_of_two_series_are_garbage(self, azure, service):
        azure.rows["q"] = [[60 * at, 1.0] for at in (0, 0, 1, 2, 3, 4)]
        with pytest.raises(GarbageAnswer, match="there twice"):
            service.read_one(ask(logs_spec("q"), "latency"), INTERVAL)

    @pytest.mark.parametrize("value", ["NaN", "12", True])
    def test_what_is_no_number_is_garbage(self, azure, service, value):
        azure.rows["q"] = [[60 * at, value] for at in range(5)]
        with pytest.raises(GarbageAnswer):
            service.read_one(ask(logs_spec("q"), "latency"), INTERVAL)

    def test_a_part_of_an_answer_is_never_a_value(self, azure, service):
        azure.rows["q"] = [[60 * at, 1.0] for at in range(5)]

        def partial(request, answer):
            answer["error"] = {
                "code": "PartialError",
                "message": "There were some errors",
                "innererror": {"code": "X", "message": "The result was too large"},
            }

        azure.lie = partial
        [error] = service.read([ask(logs_spec("q"), "latency")], INTERVAL)
        assert "only a part" in str(error)
        assert "too large" in str(error)


class TestSpecification:
    @pytest.mark.parametrize(
        ("spec", "complaint"),
        [
            ({"unit": "ratio"}, "either metrics or logs"),
            ({**metric_spec(), **logs_spec()}, "either metrics or logs"),
            (metric_spec(unit="Bushels"), "not a unit of ppm"),
            (metric_spec(step=120), "no points of 120 s|no multiple"),
            (metric_spec(step=150), "no points of 150 s"),
            (metric_spec(min_points=6), "min_points 6"),
            (metric_spec(region="west europe"), "region"),
            (metric_spec(region="evil.example.com/"), "region"),
            (metric_spec(aggregation="Median"), "aggregation"),
            (metric_spec(metric="a,b"), "metric_name"),
            (metric_spec(dimensions={"A": "*"}), "dimensions"),
            (metric_spec(dimensions={"A": "x' or B eq 'y"}), "dimensions"),
            (metric_spec(resource_id="/subscriptions/x"), "resource_id"),
            (metric_spec(missing="good"), "missing"),
            (logs_spec("T | where TimeGenerated > ago(5m)", unit="%"), r"ago\(\)"),
            (logs_spec("T | extend x = now ()", unit="%"), r"now\(\)"),
            (logs_spec(workspace_id="shop"), "workspace_id"),
        ],
    )
    def test_what_cannot_work_is_refused(self, spec, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(spec)

    def test_intervals_begin_where_points_do(self):
        with pytest.raises(BadRequest, match="must begin"):
            ask(metric_spec(), first=FIRST + 1)
