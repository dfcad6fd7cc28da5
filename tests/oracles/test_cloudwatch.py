from __future__ import annotations

import contextlib
import datetime as dt
import functools
import http.client
import json
from fractions import Fraction

import boto3
import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from oracles import (
    NO_DATA,
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    Interval,
    Throttled,
    Unavailable,
    Value,
)
from oracles.cloudwatch import CloudWatch
from tests.oracles.aws import Refusal, between
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.web import closed_port, serving

FIRST = 1_767_225_600
LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
REGION = "eu-central-1"


@pytest.fixture(scope="module")
def moto_port():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(scope="module", autouse=True)
def quick_clients():
    """Parse AWS's service descriptions once, not for every client: half of this file's time."""
    with pytest.MonkeyPatch.context() as patch:
        loader = functools.cache(botocore.session.create_loader)
        patch.setattr(botocore.session, "create_loader", loader)
        yield


@pytest.fixture(autouse=True)
def credentials(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def middleman(moto_port):
    with between(moto_port) as middleman:
        yield middleman


@pytest.fixture
def clock():
    return Clock(FIRST + 3600)


@pytest.fixture
def service(middleman, clock):
    with make(middleman.url, clock) as service:
        yield service


@pytest.fixture(scope="module")
def client(moto_port):
    session = boto3.Session("a", "b", region_name=REGION)
    client = session.client("cloudwatch", endpoint_url=f"http://127.0.0.1:{moto_port}")
    yield client
    client.close()


@pytest.fixture
def put(client, moto_port):
    """Writes points {second after FIRST: value or list of values} into an empty moto."""

    def put(metric_name, points):
        data = [
            {
                "MetricName": metric_name,
                "Timestamp": dt.datetime.fromtimestamp(FIRST + at, dt.UTC),
                "Value": value,
            }
            for at, values in points.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        client.put_metric_data(Namespace="Shop", MetricData=data)

    yield put
    connection = http.client.HTTPConnection("127.0.0.1", moto_port)
    with contextlib.closing(connection):
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == 200


def make(url, clock, **options):
    fast = {"connect_timeout": 1, "read_timeout": 1, "attempts": 1}
    return CloudWatch({"endpoint_url": url, **fast, **options}, clock=clock)


def spec(metric_name, statistic="Sum", **more):
    return {
        "region": REGION,
        "namespace": "Shop",
        "metric_name": metric_name,
        "statistic": statistic,
        **more,
    }


def ask(metric_name, statistic="Sum", metric="throughput", *, length=LENGTH, **more):
    return CloudWatch.query(
        spec(metric_name, statistic, **more), metric, first=FIRST, length=length
    )


def every_minute(*values):
    return {60 * minute: value for minute, value in enumerate(values)}


def names(request):
    return {
        query["Id"]: query["MetricStat"]["Metric"]["MetricName"]
        for query in request["MetricDataQueries"]
    }


class TestContract(Contract):
    @pytest.fixture
    def bench(self, middleman, clock, put):
        put("Up", every_minute(100, 100, 99.5, 100, 100))
        put("Down", every_minute(0, 0, 0, 0, 0))
        put("Negative", every_minute(-1, -1, -1, -1, -1))
        put("Failing", every_minute(1, 1, 1, 1, 1))

        def fail(request, answer):
            for result in answer["MetricDataResults"]:
                if names(request)[result["Id"]] == "Failing":
                    result["StatusCode"] = "InternalError"

        middleman.tamper = fail

        def query(name):
            return ask(name, "Average", "availability", scale="10000")

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
            spec=spec("Up", "Average"),
            secrets=["s3cr3t-key", "AKIATESTKEY"],
        )
        for service in services:
            service.close()


class TestStatistics:
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

    def test_scale_turns_a_vendors_unit_into_ours(self, service, put):
        put("Latency", every_minute(0.25, 0.25, 0.25, 0.25, 0.3))
        query = ask("Latency", "Average", "latency", scale=1000)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(260))

    def test_the_noise_of_a_double_does_not_count(self, service, put):
        put("Latency", {0: 0.1 + 0.2})
        query = ask("Latency", "Maximum", "latency", scale=1000, length=60)
        answer = service.read_one(query, Interval(FIRST, FIRST + 60)).answer
        assert answer == Value(Fraction(300))

    def test_a_status_check_is_left_as_it_is(self, service, put):
        put("StatusCheckFailed", every_minute(0, 0, 1, 0, 0))
        query = ask("StatusCheckFailed", "Maximum", "failed_checks")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(1))

    def test_a_percentile_is_asked_for_by_its_name(self, service, middleman):
        def pretend(request, answer):  # moto knows no percentiles and answers 500
            [query] = request["MetricDataQueries"]
            assert query["MetricStat"]["Stat"] == "p99.9"
            point = {"Timestamps": [FIRST], "Values": [12.0], "StatusCode": "Complete"}
            return json.dumps({"MetricDataResults": [{"Id": query["Id"], **point}]}).encode()

        middleman.tamper = pretend
        query = ask("Latency", "p99.9", "latency", period=300)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(12))


class TestMissingPoints:
    def test_an_incomplete_interval_is_no_data(self, service, put):
        put("Requests", every_minute(1, 1, 1, 1))
        assert service.read_one(ask("Requests"), INTERVAL).answer is NO_DATA

    def test_unless_both_parties_allow_it(self, service, put):
        put("Requests", every_minute(1, 1, 1, 1))
        query = ask("Requests", allow_partial=True)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(4))

    def test_nothing_at_all_is_no_data_in_any_case(self, service):
        query = ask("Requests", "Average", allow_partial=True)
        assert service.read_one(query, INTERVAL).answer is NO_DATA

    def test_an_average_of_no_samples_is_no_data(self, service, middleman, put):
        put("Requests", every_minute(0, 0, 0, 0, 0))

        def no_samples(request, answer):
            for result in answer["MetricDataResults"]:
                result["Values"] = [0.0] * 5

        middleman.tamper = no_samples
        assert service.read_one(ask("Requests", "Average"), INTERVAL).answer is NO_DATA


class TestBatches:
    @pytest.mark.parametrize(
        ("count", "statistic", "calls"),
        [(500, "Sum", [500]), (501, "Sum", [500, 1]), (251, "Average", [500, 2])],
    )
    def test_a_call_carries_500_series(self, service, middleman, put, count, statistic, calls):
        put("Requests", every_minute(1, 1, 1, 1, 1))
        queries = [ask("Requests" if n % 2 else f"None{n}", statistic) for n in range(count)]
        readings = service.read(queries, INTERVAL)
        assert [len(request["MetricDataQueries"]) for request in middleman.asked] == calls
        assert [reading.answer is NO_DATA for reading in readings] == [
            n % 2 == 0 for n in range(count)
        ]

    def test_no_query_is_split_over_two_calls(self, service, middleman):
        queries = [ask("A"), *(ask("B", "Average") for _ in range(250))]
        service.read(queries, INTERVAL)
        assert [len(request["MetricDataQueries"]) for request in middleman.asked] == [499, 2]

    def test_pages_are_followed_to_the_end(self, service, middleman, put):
        put("Requests", every_minute(1, 2, 3, 4, 5))

        def one_point_a_page(request, answer):
            page = int(request.get("NextToken", "0"))
            [result] = answer["MetricDataResults"]
            result["Timestamps"] = result["Timestamps"][page : page + 1]
            result["Values"] = result["Values"][page : page + 1]
            if page < 4:
                result["StatusCode"] = "PartialData"
                answer["NextToken"] = str(page + 1)

        middleman.tamper = one_point_a_page
        assert service.read_one(ask("Requests"), INTERVAL).answer == Value(Fraction(15))
        assert len(middleman.asked) == 5

    def test_pages_in_a_circle_are_garbage(self, service, middleman):
        def circle(request, answer):
            answer["NextToken"] = "again"

        middleman.tamper = circle
        with pytest.raises(GarbageAnswer, match="no end"):
            service.read_one(ask("Requests"), INTERVAL)
        assert len(middleman.asked) == 2

    def test_the_interval_is_what_is_asked_for(self, service, middleman):
        service.read([ask("Requests")], INTERVAL)
        [request] = middleman.asked
        assert request["StartTime"] == INTERVAL.start
        assert request["EndTime"] == INTERVAL.end

    def test_one_query_that_aws_refuses_costs_no_other_its_answer(self, service, middleman, put):
        put("Requests", every_minute(1, 1, 1, 1, 1))

        def refuse(request, answer):
            if "Wrong" in names(request).values():
                return Refusal(400, "InvalidParameterValue")
            return None

        middleman.tamper = refuse
        queries = [ask("Wrong" if n == 11 else "Requests") for n in range(20)]
        answers = service.read(queries, INTERVAL)
        assert isinstance(answers.pop(11), BadRequest)
        assert {reading.answer for reading in answers} == {Value(Fraction(5))}
        assert len(middleman.asked) <= 11


class TestErrors:
    @pytest.mark.parametrize(
        ("refusal", "expected"),
        [
            (Refusal(403, "AccessDenied"), AccessRefused),
            (Refusal(400, "AccessDeniedException"), AccessRefused),
            (Refusal(403, "InvalidClientTokenId"), AccessRefused),
            (Refusal(403, "SignatureDoesNotMatch"), AccessRefused),
            (Refusal(400, "ExpiredTokenException"), AccessRefused),
            (Refusal(403, "SomethingNew"), AccessRefused),
            (Refusal(400, "Throttling"), Throttled),
            (Refusal(429, "SomethingNew"), Throttled),
            (Refusal(503, "ServiceUnavailable"), Unavailable),
            (Refusal(500, "InternalServiceFault"), Unavailable),
            (Refusal(400, "InvalidParameterValue"), BadRequest),
            (Refusal(404, "SomethingNew"), GarbageAnswer),
        ],
    )
    def test_each_refusal_has_its_error(self, service, middleman, refusal, expected):
        middleman.tamper = lambda *_: refusal
        with pytest.raises(expected) as caught:
            service.read_one(ask("Requests"), INTERVAL)
        assert type(caught.value) is expected

    def test_a_pause_that_aws_asks_for_is_passed_on(self, service, middleman):
        middleman.tamper = lambda *_: Refusal(400, "ThrottlingException", {"Retry-After": "7"})
        with pytest.raises(Throttled) as caught:
            service.read_one(ask("Requests"), INTERVAL)
        assert caught.value.retry_after == 7

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("InternalError", Unavailable),
            ("PartialData", Unavailable),
            ("Forbidden", AccessRefused),
            ("Splendid", GarbageAnswer),
        ],
    )
    def test_each_status_of_a_series_has_its_error(self, service, middleman, put, status, expected):
        put("Requests", every_minute(1, 1, 1, 1, 1))

        def tamper(request, answer):
            answer["MetricDataResults"][0]["StatusCode"] = status

        middleman.tamper = tamper
        with pytest.raises(expected):
            service.read_one(ask("Requests"), INTERVAL)

    def test_garbage(self, service, middleman, put):
        put("Requests", every_minute(1, 1, 1, 1, 1))

        def nan(_, answer):
            answer["MetricDataResults"][0]["Values"][2] = float("nan")

        def infinite(_, answer):
            answer["MetricDataResults"][0]["Values"][2] = float("inf")

        def text(_, answer):
            answer["MetricDataResults"][0]["Values"][2] = "1"

        def unpaired(_, answer):
            answer["MetricDataResults"][0]["Values"].pop()

        def twice(_, answer):
            stamps = answer["MetricDataResults"][0]["Timestamps"]
            stamps[1] = stamps[0]

        def elsewhere(_, answer):
            stamps = answer["MetricDataResults"][0]["Timestamps"]
            stamps[4] += 60

        def between_periods(_, answer):
            stamps = answer["MetricDataResults"][0]["Timestamps"]
            stamps[4] += 1

        def forgotten(_, answer):
            answer["MetricDataResults"].clear()

        def noise(*_):
            return b"<html>captive portal</html>"

        def truncated(*_):
            return b'{"MetricDataRes'

        def another_shape(*_):
            return b"[1, 2, 3]"

        for tamper in (
            nan, infinite, text, unpaired, twice, elsewhere, between_periods, forgotten, noise,
            truncated, another_shape,
        ):  # fmt: skip
            middleman.tamper = tamper
            [answer] = service.read([ask("Requests")], INTERVAL)
            assert isinstance(answer, GarbageAnswer), tamper.__name__

    def test_sum_and_count_of_different_periods_are_garbage(self, service, middleman, put):
        put("Requests", every_minute(1, 1, 1, 1, 1))

        def tamper(_, answer):
            answer["MetricDataResults"][0]["Values"].pop()
            answer["MetricDataResults"][0]["Timestamps"].pop()

        middleman.tamper = tamper
        with pytest.raises(GarbageAnswer, match="different periods"):
            service.read_one(ask("Requests", "Average", allow_partial=True), INTERVAL)

    def test_nobody_listening_is_unavailable(self, clock):
        with (
            make(f"http://127.0.0.1:{closed_port()}", clock) as service,
            pytest.raises(Unavailable),
        ):
            service.read_one(ask("Requests"), INTERVAL)

    def test_an_unreadable_answer_of_sts_is_not_quoted(self, middleman, clock):
        role = {"role_arn": TestRole.ROLE}
        with serving() as sts:
            sts.body = b"<SecretAccessKey>s3cr3t</"
            with make(middleman.url, clock, sts_endpoint_url=sts.url("/"), **role) as service:
                [error] = service.read([ask("Requests")], INTERVAL)
        assert isinstance(error, GarbageAnswer)
        assert "s3cr3t" not in str(error)

    @pytest.mark.parametrize("path", ["/reset", "/slow"])
    def test_a_broken_or_hanging_connection_is_unavailable(self, clock, path):
        with (
            serving() as web,
            make(web.url(path + "?"), clock, read_timeout=0.2) as service,
            pytest.raises(Unavailable),
        ):
            service.read_one(ask("Requests"), INTERVAL)

    def test_missing_credentials_are_the_operators_matter(self, service, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(AccessRefused) as caught:
            service.read_one(ask("Requests"), INTERVAL)
        assert not caught.value.retryable

    def test_an_unknown_profile_too(self, middleman, clock):
        with (
            make(middleman.url, clock, profile="nobody") as service,
            pytest.raises(AccessRefused, match="nobody"),
        ):
            service.read_one(ask("Requests"), INTERVAL)


class TestRole:
    ROLE = "arn:aws:iam::123456789012:role/reader"

    def test_a_role_is_assumed(self, middleman, clock, put):
        put("Requests", every_minute(1, 1, 1, 1, 1))
        with make(
            middleman.url, clock, role_arn=self.ROLE, sts_endpoint_url=middleman.url
        ) as service:
            assert service.read_one(ask("Requests"), INTERVAL).answer == Value(Fraction(5))
        assert middleman.signed_by != ["AKIATESTKEY"]

    def test_a_role_that_may_not_be_assumed_is_refused_once(self, middleman, clock):
        with serving() as sts:
            sts.statuses["/"] = "400 Bad Request"
            sts.body = b"<ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>"
            with make(
                middleman.url, clock, role_arn=self.ROLE, sts_endpoint_url=sts.url("/")
            ) as service:
                answers = service.read([ask("Requests")] * 20, INTERVAL)
        assert {type(answer) for answer in answers} == {AccessRefused}
        assert len(sts.requests) == 1


class TestSpecification:
    @pytest.mark.parametrize(
        ("changes", "length", "complaint"),
        [
            ({"period": 90}, 300, "period"),
            ({"period": 0}, 300, "period"),
            ({"period": 300}, 60, "no multiple"),
            ({"period": 120}, 300, "no multiple"),
            ({"statistic": "p99"}, 300, "percentiles"),
            ({"statistic": "Median"}, 300, "statistic"),
            ({"scale": 0}, 300, "scale"),
            ({"scale": "nan"}, 300, "scale"),
            ({"region": "Frankfurt"}, 300, "region"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes, length, complaint):
        with pytest.raises(BadRequest, match=complaint):
            CloudWatch.query(
                {**spec("Requests"), **changes}, "throughput", first=FIRST, length=length
            )

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
