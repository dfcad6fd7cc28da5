"""What CloudWatch's points make: `cloudwatch` against a real moto server."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from oracles import METRICS, NO_DATA, NOT_APPLICABLE, BadRequest, GarbageAnswer, Interval, Value
from oracles.clients.whole_answer import LARGEST
from oracles.cloudwatch import CloudWatch
from tests.oracles.aws import (
    FIRST,
    INTERVAL,
    LENGTH,
    OnMoto,
    Refusal,
    ask,
    every_minute,
    make,
    names,
    spec,
)
from tests.oracles.contract import Bench, Contract
from tests.oracles.web import serving

INSTANCE = {"InstanceId": "i-0123456789abcdef0"}


class TestContract(OnMoto, Contract):
    @pytest.fixture
    def bench(self, middleman, clock, put):
        put("Up", every_minute(100, 100, 99.5, 100, 100))
        put("Down", every_minute(0, 0, 0, 0, 0))
        put("Negative", every_minute(-1, -1, -1, -1, -1))
        put("Failing", every_minute(1, 1, 1, 1, 1))
        put("Border", {LENGTH: 50})

        def fail(request, answer):
            for result in answer["MetricDataResults"]:
                if names(request)[result["Id"]] == "Failing":
                    result["StatusCode"] = "InternalError"

        middleman.tamper = fail

        def query(name, **more):
            return ask(name, "Average", "availability", unit="Percent", **more)

        def lying(lie):
            def ask_once():
                middleman.tamper = lie if callable(lie) else lambda *_: lie
                return start().read([query("Up")], INTERVAL)[0]

            return ask_once

        def hang():
            with serving() as web, make(web.url("/slow?"), clock, read_timeout=0.2) as service:
                return service.read([query("Up")], INTERVAL)[0]

        services = []

        def start():
            services.append(make(middleman.url, clock))
            return services[-1]

        yield Bench(
            make=start,
            clock=clock,
            interval=INTERVAL,
            value=query("Up"),
            value_amount=Fraction(999_000),
            other=query("Down"),
            other_amount=Fraction(0),
            empty=query("Nothing"),
            garbage=query("Negative"),
            failing=query("Failing"),
            spec=spec("Up", "Average", "Percent"),
            secrets=["s3cr3t-key", "AKIATESTKEY"],
            refused=lying(Refusal(403, "AccessDenied")),
            throttled=lying(Refusal(400, "Throttling", {"Retry-After": "7"})),
            hanging=hang,
            too_large=lying(lambda _, answer: json.dumps(answer).encode() + b" " * LARGEST),
            border=query("Border", min_points=1),
        )
        for service in services:
            service.close()


class TestStatistics(OnMoto):
    @pytest.mark.parametrize(
        ("statistic", "expected"),
        [
            ("Sum", Fraction(27)),
            ("SampleCount", Fraction(7)),
            ("Minimum", Fraction(1)),
            ("Maximum", Fraction(12)),
            # the mean of all samples, not the mean of the minutes' means (which is 4.4)
            ("Average", Fraction(27, 7)),
        ],
    )
    def test_several_points_make_one_number(self, service, put, statistic, expected):
        put("Requests", every_minute([1, 2, 3], 2, 3, 12, 4))
        assert service.read_one(ask("Requests", statistic), INTERVAL).answer == Value(expected)

    def test_values_of_neighbouring_intervals_stay_out(self, service, put):
        put("Requests", {-60: 1000, **every_minute(1, 1, 1, 1, 1), 300: 1000})
        assert service.read_one(ask("Requests"), INTERVAL).answer == Value(Fraction(5))

    def test_the_vendors_unit_becomes_ours(self, service, put):
        put("Latency", every_minute(0.25, 0.25, 0.25, 0.25, 0.3))
        query = ask("Latency", "Average", "latency", unit="Seconds")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(260))

    def test_the_noise_of_a_double_does_not_count(self, service, put):
        put("Latency", {0: 0.1 + 0.2})
        query = ask("Latency", "Maximum", "latency", unit="Seconds", length=60)
        answer = service.read_one(query, Interval(FIRST, FIRST + 60)).answer
        assert answer == Value(Fraction(300))

    def test_the_average_of_one_period_is_what_aws_says_it_is(self, service, middleman, put):
        put("Requests", {0: [1, 2, 3], 240: 5})
        query = ask("Requests", "Average", period=300)
        reading = service.read_one(query, INTERVAL)
        assert reading.answer == Value(Fraction(11, 4))
        [request] = middleman.asked
        assert [one["MetricStat"]["Stat"] for one in request["MetricDataQueries"]] == ["Average"]

    def test_an_hour_of_minutes_is_one_number(self, service, clock, put):
        put("Requests", every_minute(*range(60)))
        clock.now = FIRST + 7200
        query = ask("Requests", "Sum", length=3600)
        answer = service.read_one(query, Interval(FIRST, FIRST + 3600)).answer
        assert answer == Value(Fraction(sum(range(60))))

    def test_a_percentile_is_asked_for_by_its_name(self, service, middleman):
        def pretend(request, answer):  # moto knows no percentiles and answers 500
            [query] = request["MetricDataQueries"]
            assert query["MetricStat"]["Stat"] == "p99.9"
            point = {"Timestamps": [FIRST], "Values": [12.0], "StatusCode": "Complete"}
            return json.dumps({"MetricDataResults": [{"Id": query["Id"], **point}]}).encode()

        middleman.tamper = pretend
        query = ask("Latency", "p99.9", "latency", unit="Milliseconds", period=300)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(12))


class TestMissingPoints(OnMoto):
    def test_an_incomplete_interval_is_no_data(self, service, put):
        put("Requests", every_minute(1, 1, 1, 1))
        assert service.read_one(ask("Requests"), INTERVAL).answer is NO_DATA

    def test_unless_both_parties_allow_it(self, service, put):
        put("Requests", every_minute(1, 1, 1, 1))
        query = ask("Requests", min_points=4)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(4))

    def test_within_the_limit_that_they_agreed_on(self, service, put):
        put("Requests", every_minute(1, 1, 1))
        query = ask("Requests", min_points=4)
        assert service.read_one(query, INTERVAL).answer is NO_DATA

    def test_nothing_at_all_is_no_data_in_any_case(self, service):
        query = ask("Requests", "Average", min_points=1)
        assert service.read_one(query, INTERVAL).answer is NO_DATA

    def test_an_average_of_no_samples_is_no_data(self, service, middleman, put):
        put("Requests", every_minute(0, 0, 0, 0, 0))

        def no_samples(request, answer):
            for result in answer["MetricDataResults"]:
                result["Values"] = [0.0] * 5

        middleman.tamper = no_samples
        assert service.read_one(ask("Requests", "Average"), INTERVAL).answer is NO_DATA


class TestStatusChecks(OnMoto):
    """EC2's own metrics: 0 = passed, 1 = failed, one point a minute, none while it is stopped."""

    def check(self, name="StatusCheckFailed", **more):
        ec2 = {"namespace": "AWS/EC2", "dimensions": INSTANCE, "period": 60}
        return ask(name, "Maximum", "failed_checks", **ec2, **more)

    @pytest.mark.parametrize(
        "name", ["StatusCheckFailed", "StatusCheckFailed_System", "StatusCheckFailed_Instance"]
    )
    def test_a_failed_minute_is_a_failed_interval(self, service, put, name):
        put(name, every_minute(0, 0, 1, 0, 0), "AWS/EC2", **INSTANCE)
        reading = service.read_one(self.check(name), INTERVAL)
        assert reading.answer == Value(Fraction(1))
        assert METRICS["failed_checks"].better == "lower"

    def test_passed_checks_are_a_number_too(self, service, put):
        put("StatusCheckFailed", every_minute(0, 0, 0, 0, 0), "AWS/EC2", **INSTANCE)
        assert service.read_one(self.check(), INTERVAL).answer == Value(Fraction(0))

    def test_a_stopped_instance_is_no_data(self, service):
        assert service.read_one(self.check(), INTERVAL).answer is NO_DATA

    def test_unless_both_parties_agreed_that_it_does_not_count(self, service):
        reading = service.read_one(self.check(missing="not_applicable"), INTERVAL)
        assert reading.answer is NOT_APPLICABLE

    def test_an_instance_that_stops_within_the_interval_is_no_data_all_the_same(self, service, put):
        put("StatusCheckFailed", every_minute(0, 0, 1), "AWS/EC2", **INSTANCE)
        reading = service.read_one(self.check(missing="not_applicable"), INTERVAL)
        assert reading.answer is NO_DATA


class TestEvidence:
    """What a stranger may hand over."""

    @pytest.mark.parametrize(
        "raw",
        [
            None,
            [],
            {},
            {"Maximum": [[FIRST, 1]]},
            {"Sum": [[FIRST, 1]]},
            {"Sum": [[FIRST, 1]], "SampleCount": [[FIRST, 1], [FIRST + 60, 1]]},
            {"Sum": [[FIRST, "1"]], "SampleCount": [[FIRST, 1]]},
            {"Sum": [[FIRST, 1], [FIRST, 2]], "SampleCount": [[FIRST, 1], [FIRST, 1]]},
            {"Sum": [[FIRST + 60, 1], [FIRST, 2]], "SampleCount": [[FIRST + 60, 1], [FIRST, 1]]},
            {"Sum": [[FIRST + 300, 1]], "SampleCount": [[FIRST + 300, 1]]},
            {"Sum": [[FIRST + 30, 1]], "SampleCount": [[FIRST + 30, 1]]},
        ],
    )
    def test_what_cannot_be_an_answer_is_garbage(self, raw):
        query = ask("Requests", "Average", min_points=1)
        with pytest.raises(GarbageAnswer):
            CloudWatch.conclude(query, INTERVAL, raw)


class TestSpecification(OnMoto):
    @pytest.mark.parametrize(
        ("changes", "length", "complaint"),
        [
            ({"period": 90}, 300, "period"),
            ({"period": 0}, 300, "period"),
            ({"period": 300}, 60, "no multiple"),
            ({"period": 120}, 300, "no multiple"),
            ({"statistic": "p99"}, 300, "percentiles"),
            ({"statistic": "Median"}, 300, "statistic"),
            ({"unit": "Percent"}, 300, "not a unit of count"),
            ({"unit": "Bushels"}, 300, "not a unit of count"),
            ({"unit": ""}, 300, "unit"),
            ({"min_points": 6}, 300, "more than the 5 points"),
            ({"min_points": 0}, 300, "min_points"),
            ({"missing": "good"}, 300, "missing"),
            ({"scale": 10_000}, 300, "scale"),
            ({"region": "Frankfurt"}, 300, "region"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes, length, complaint):
        with pytest.raises(BadRequest, match=complaint):
            CloudWatch.query(
                {**spec("Requests"), **changes}, "throughput", first=FIRST, length=length
            )

    def test_a_number_of_samples_is_a_count(self):
        with pytest.raises(BadRequest, match="no availability"):
            ask("Requests", "SampleCount", "availability", unit="Percent")

    def test_intervals_begin_where_periods_do(self):
        with pytest.raises(BadRequest, match="must begin"):
            CloudWatch.query(spec("Requests"), "throughput", first=FIRST + 1, length=300)

    def test_an_endpoint_with_credentials_is_refused(self):
        with pytest.raises(BadRequest, match="do not belong") as caught:
            CloudWatch({"endpoint_url": "https://user:hunter2@aws.test"})
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(("period", "days"), [(60, 15), (300, 63), (3600, 455)])
    def test_points_that_aws_has_thrown_away_are_not_no_data(self, service, clock, period, days):
        query = ask("Requests", length=3600, period=period)
        clock.now = FIRST + days * 86_400
        assert service.read_one(query, Interval(FIRST, FIRST + 3600)).answer is NO_DATA
        clock.now += 1
        with pytest.raises(BadRequest, match=f"for {days} days only"):
            service.read_one(query, Interval(FIRST, FIRST + 3600))
