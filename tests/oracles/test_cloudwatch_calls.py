"""How CloudWatch is called: batches, pages, credentials, and what its failures are."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest

from oracles import (
    NO_DATA,
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    Interval,
    Reading,
    Throttled,
    Unavailable,
    Value,
)
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
)
from tests.oracles.web import closed_port, serving


class TestBatches(OnMoto):
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

    def test_5000_metrics_of_one_interval_take_ten_calls(self, service, middleman, client, put):
        at = dt.datetime.fromtimestamp(FIRST, dt.UTC)
        data = [{"MetricName": f"m{n}", "Timestamp": at, "Value": n % 7} for n in range(5_000)]
        for first in range(0, 5_000, 1_000):
            client.put_metric_data(Namespace="Shop", MetricData=data[first : first + 1_000])
        queries = [ask(one["MetricName"], "Average", length=60) for one in data]
        readings = service.read(queries, Interval(FIRST, FIRST + 60))
        assert [reading.answer for reading in readings] == [
            Value(Fraction(one["Value"])) for one in data
        ]
        assert len(middleman.asked) == 10

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

    @pytest.mark.parametrize("status", [400, 500])
    def test_one_query_that_aws_fails_for_costs_no_other_its_answer(
        self, status, service, middleman, put
    ):
        put("Requests", every_minute(1, 1, 1, 1, 1))

        def refuse(request, answer):
            if "Wrong" in names(request).values():
                return Refusal(
                    status, "InvalidParameterValue" if status == 400 else "InternalFailure"
                )
            return None

        middleman.tamper = refuse
        queries = [ask("Wrong" if n == 11 else "Requests") for n in range(20)]
        answers = service.read(queries, INTERVAL)
        assert type(answers.pop(11)) is (BadRequest if status == 400 else Unavailable)
        assert {reading.answer for reading in answers} == {Value(Fraction(5))}
        assert len(middleman.asked) <= 11


class TestSpans(OnMoto):
    """Several intervals of a backlog are one call, and their readings those of each alone."""

    INTERVALS = tuple(Interval(at, at + LENGTH) for at in range(FIRST, FIRST + 6000, LENGTH))

    @pytest.fixture(autouse=True)
    def points(self, put, clock):
        clock.now = FIRST + 7200
        put("Requests", {60 * n: [n, n + 1, 2 * n] for n in range(100) if n not in (7, 8, 9, 50)})

    @pytest.mark.parametrize("statistic", ["Average", "Sum", "SampleCount", "Minimum"])
    def test_the_readings_are_the_same_to_the_byte(self, service, middleman, statistic):
        query = ask("Requests", statistic)
        alone = [service.read_one(query, interval) for interval in self.INTERVALS]
        assert len(middleman.asked) == len(self.INTERVALS) == 20
        middleman.asked.clear()
        together = service.read_span([query, ask("Nothing")], self.INTERVALS)
        assert [reading for reading, _ in together] == alone
        assert {nothing.answer for _, nothing in together} == {NO_DATA}
        assert NO_DATA in {reading.answer for reading in alone}
        assert len(middleman.asked) == 1

    def test_a_gap_is_not_asked_for(self, service, middleman):
        some = [*self.INTERVALS[:3], *self.INTERVALS[12:]]
        service.read_span([ask("Requests")], some)
        asked = [(one["StartTime"], one["EndTime"]) for one in middleman.asked]
        assert asked == [(FIRST, some[2].end), (some[3].start, some[-1].end)]

    def test_no_call_is_for_more_than_a_day(self, service, middleman, clock):
        clock.now = FIRST + 3 * 86_400
        hours = [Interval(FIRST + 3600 * n, FIRST + 3600 * (n + 1)) for n in range(30)]
        answers = service.read_span([ask("Requests", length=3600)], hours)
        assert len(answers) == 30
        assert [one["EndTime"] - one["StartTime"] for one in middleman.asked] == [86_400, 21_600]

    def test_what_is_not_over_is_not_read_ahead(self, service, clock):
        clock.now = self.INTERVALS[1].end
        answers = [said for [said] in service.read_span([ask("Requests")], self.INTERVALS[:3])]
        assert [type(said) for said in answers] == [Reading, Reading, Unavailable]

    def test_what_aws_has_forgotten_is_refused_for_its_intervals_only(
        self, service, middleman, clock
    ):
        clock.now = self.INTERVALS[1].start + 15 * 86_400
        answers = [said for [said] in service.read_span([ask("Requests")], self.INTERVALS[:3])]
        assert [type(said) for said in answers] == [BadRequest, Reading, Reading]
        [asked] = middleman.asked  # what begins too early is refused as a whole
        assert (asked["StartTime"], asked["EndTime"]) == (
            self.INTERVALS[1].start,
            self.INTERVALS[2].end,
        )

    def test_periods_that_are_kept_for_longer_are_asked_for_from_their_own_beginning(
        self, service, middleman, clock
    ):
        clock.now = self.INTERVALS[1].start + 15 * 86_400
        queries = [ask("Requests"), ask("Requests", period=300)]
        answers = service.read_span(queries, self.INTERVALS[:3])
        assert [[type(said) for said in both] for both in answers] == [
            [BadRequest, Reading],
            [Reading, Reading],
            [Reading, Reading],
        ]
        assert sorted(one["StartTime"] for one in middleman.asked) == [
            self.INTERVALS[0].start,
            self.INTERVALS[1].start,
        ]

    def test_a_point_that_was_not_asked_for_is_garbage(self, service, middleman):
        def lie(request, answer):
            answer["MetricDataResults"][0]["Timestamps"][-1] = FIRST + 9000

        middleman.tamper = lie
        *good, last = [said for [said] in service.read_span([ask("Requests")], self.INTERVALS)]
        assert type(last) is GarbageAnswer
        assert {type(said) for said in good} == {Reading}

    def test_a_call_that_fails_fails_for_all(self, service, middleman):
        middleman.tamper = lambda *_: Refusal(400, "Throttling")
        answers = service.read_span([ask("Requests")], self.INTERVALS)
        assert {type(said) for [said] in answers} == {Throttled}
        assert len(middleman.asked) == 1


class TestErrors(OnMoto):
    @pytest.mark.parametrize(
        ("refusal", "expected"),
        [
            (Refusal(403, "AccessDenied"), AccessRefused),
            (Refusal(400, "AccessDeniedException"), AccessRefused),
            (Refusal(403, "InvalidClientTokenId"), AccessRefused),
            (Refusal(403, "SignatureDoesNotMatch"), AccessRefused),
            (Refusal(400, "ExpiredTokenException"), AccessRefused),
            (Refusal(400, "RequestExpired"), AccessRefused),
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
            service.read_one(ask("Requests", "Average", min_points=1), INTERVAL)

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

    @pytest.mark.parametrize(("said", "pause"), [("9" * 400, 86_400), ("\u0663", None)])
    def test_but_not_whatever_aws_says(self, service, middleman, said, pause):
        headers = {"Retry-After": said.encode().decode("latin-1")}
        middleman.tamper = lambda *_: Refusal(400, "ThrottlingException", headers)
        with pytest.raises(Throttled) as caught:
            service.read_one(ask("Requests"), INTERVAL)
        assert caught.value.retry_after == pause

    @pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidSignatureException"])
    def test_a_text_that_repeats_the_request_is_not_quoted(self, service, middleman, code):
        middleman.tamper = lambda *_: Refusal(403, code, text="x-amz-security-token:sk-live-1")
        with pytest.raises(AccessRefused, match=code) as caught:
            service.read_one(ask("Requests"), INTERVAL)
        assert "sk-" not in str(caught.value)

    def test_a_status_that_nobody_knows_is_not_quoted(self, service, middleman, put):
        put("Requests", every_minute(1, 1, 1, 1, 1))

        def tamper(_, answer):
            answer["MetricDataResults"][0]["StatusCode"] = "sk-live-1"

        middleman.tamper = tamper
        with pytest.raises(GarbageAnswer, match="a text of 9 characters") as caught:
            service.read_one(ask("Requests"), INTERVAL)
        assert "sk-" not in str(caught.value)

    @pytest.mark.parametrize("path", ["/slow", "/drip-header", "/drip-body", "/drip-until-close"])
    def test_one_deadline_covers_the_whole_attempt(self, clock, path):
        with (
            serving() as web,
            make(web.url(path + "?"), clock, read_timeout=0.4) as service,
            pytest.raises(Unavailable, match="AWS took more than"),
        ):
            service.read_one(ask("Requests"), INTERVAL)

    @pytest.mark.parametrize("path", ["/reset", "/slow", "/drip-body", "/truncated"])
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


class TestRole(OnMoto):
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

    def test_trouble_of_who_gives_roles_concerns_all_and_is_asked_about_once(
        self, middleman, clock
    ):
        with serving() as sts:
            sts.statuses["/"] = "500 Internal Server Error"
            sts.body = b"<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"
            with make(
                middleman.url, clock, role_arn=self.ROLE, sts_endpoint_url=sts.url("/")
            ) as service:
                answers = service.read([ask("Requests")] * 20, INTERVAL)
        assert {type(answer) for answer in answers} == {Unavailable}
        assert len(sts.requests) <= 5  # the attempts of botocore, once
