"""What the points of Google's time series make."""

from __future__ import annotations

from fractions import Fraction

import pytest
from cryptography.hazmat.primitives import serialization

from oracles import NO_DATA, BadRequest, GarbageAnswer, Interval, Value
from oracles.gcp_monitoring import GcpMonitoring
from tests.oracles.contract import Bench, Contract
from tests.oracles.gcp import FIRST, INTERVAL, OnGoogle, ask, minutes, spec, written
from tests.oracles.tls_server import HANG, Answer


class TestContract(OnGoogle, Contract):
    @pytest.fixture
    def bench(self, server, fake, make, clock, key):
        fake.points = {
            "up": minutes(100, 100, 99.5, 100, 100),
            "down": minutes(0, 0, 0, 0, 0),
            "negative": minutes(-1, -1, -1, -1, -1),
            "border": {INTERVAL.end: 100},
        }

        def trouble(handler, **more):
            def ask_now():
                server.answer(lambda r: fake(r) if r.path == "/token" else handler(r))
                return make(clock, **more).read([ask("up", "availability")], INTERVAL)[0]

            return ask_now

        secret = "".join(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            .decode()
            .splitlines()[3]
        )
        return Bench(
            make=lambda: make(clock),
            clock=clock,
            interval=INTERVAL,
            value=ask("up", "availability"),
            value_amount=Fraction(999_000),
            other=ask("down", "availability"),
            other_amount=Fraction(0),
            empty=ask("nothing", "availability"),
            garbage=ask("negative", "availability"),
            failing=ask("failing", "availability"),
            spec=spec(),
            secrets=[secret, "ya29"],
            refused=trouble(lambda r: Answer({"you": r.headers["authorization"]}, 403)),
            throttled=trouble(lambda _: Answer({"error": {"code": 429}}, 429)),
            hanging=trouble(lambda _: HANG, timeout=0.5),
            too_large=trouble(lambda _: Answer(b" " * 17_000_000 + b"{}")),
            border=ask("border", "availability", min_points=1),
        )


class TestPoints(OnGoogle):
    def test_a_time_stamp_is_the_end_of_a_period(self, service, fake):
        fake.points["up"] = {FIRST - 60: 1000, **minutes(1, 2, 3, 4, 5), INTERVAL.end: 1000}
        reading = service.read_one(ask(statistic="sum"), INTERVAL)
        assert reading.answer == Value(Fraction(150_000))
        assert f'"points":[[{FIRST}000,1]'.encode() in reading.evidence

    def test_a_period_that_only_touches_the_interval_is_left_out(self, service, server, fake):
        fake.points["up"] = {FIRST - 60: 1000, **minutes(1, 1, 1, 1, 1)}

        def inclusive(request):
            if "interval.startTime" in request.query:
                request.query["interval.startTime"] = [written(FIRST - 1)]
            return fake(request)

        server.answer(inclusive)
        assert service.read_one(ask(), INTERVAL).answer == Value(Fraction(10_000))

    def test_a_partial_last_point_waits_for_the_settle_delay(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1)
        assert service.read_one(ask(), INTERVAL).answer is NO_DATA
        assert service.read_one(ask(min_points=4), INTERVAL).answer == Value(Fraction(10_000))

    def test_a_late_correction_is_seen_by_whoever_reads_later(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        before = service.read_one(ask(), INTERVAL)
        fake.points["up"] = minutes(1, 1, 1, 1, 6)
        after = service.read_one(ask(), INTERVAL)
        assert (before.answer, after.answer) == (Value(Fraction(10_000)), Value(Fraction(20_000)))

    @pytest.mark.parametrize(
        ("kind", "values", "amount"),
        [
            ("int64Value", ["1", "2", "3", "4", "5"], 3),
            ("doubleValue", [0.5, 0.5, 0.5, 0.5, 0.5], Fraction(1, 2)),
            ("boolValue", [True, True, False, True, True], Fraction(4, 5)),
        ],
    )
    def test_whole_numbers_doubles_and_truths(self, service, fake, kind, values, amount):
        fake.points["up"] = minutes(*values)
        fake.kinds["up"] = kind
        query = ask("up", "utilisation", unit="ratio")
        assert service.read_one(query, INTERVAL).answer == Value(amount * Fraction(1_000_000))

    def test_the_mean_and_the_count_of_a_distribution(self, service, fake):
        fake.points["t"] = {INTERVAL.end - 60: {"count": "40", "mean": 12.5, "bucketCounts": []}}
        fake.kinds["t"] = "distributionValue"
        first, length = INTERVAL.end - 60, 60
        one = Interval(first, first + length)
        mean = ask("t", "latency", unit="ms", distribution="mean", first=first, length=length)
        count = ask("t", "throughput", unit="1", distribution="count", first=first, length=length)
        assert service.read_one(mean, one).answer == Value(Fraction(25, 2))
        assert service.read_one(count, one).answer == Value(Fraction(40))

    def test_a_mean_of_nothing_is_no_data(self, service, fake):
        fake.points["t"] = {FIRST: {}}
        fake.kinds["t"] = "distributionValue"
        query = ask("t", "latency", unit="ms", distribution="mean", length=60)
        assert service.read_one(query, Interval(FIRST, FIRST + 60)).answer is NO_DATA

    def test_a_distribution_that_nobody_expected_is_garbage_that_says_what_to_do(
        self, service, fake
    ):
        fake.points["t"] = minutes(*[{"count": "1", "mean": 1}] * 5)
        fake.kinds["t"] = "distributionValue"
        with pytest.raises(GarbageAnswer, match="say distribution: mean or count"):
            service.read_one(ask("t", "latency", unit="ms"), INTERVAL)

    @pytest.mark.parametrize(
        ("span", "value"),
        [
            ({"endTime": written(FIRST + 61)}, {"doubleValue": 1}),
            ({"endTime": "2026-01-01T00:01:00.5Z"}, {"doubleValue": 1}),
            ({"endTime": "2026-01-01T00:01:00"}, {"doubleValue": 1}),
            ({"endTime": "soon"}, {"doubleValue": 1}),
            ({"endTime": written(FIRST - 60)}, {"doubleValue": 1}),
            ({"endTime": written(INTERVAL.end + 60)}, {"doubleValue": 1}),
            ({"endTime": written(FIRST + 60), "startTime": written(FIRST + 30)}, {"int64Value": 1}),
            (
                {"endTime": written(FIRST + 300), "startTime": written(FIRST)},
                {"doubleValue": 1},
            ),
            ({"endTime": written(FIRST + 60)}, {"doubleValue": "NaN"}),
            ({"endTime": written(FIRST + 60)}, {"int64Value": "1e3"}),
            ({"endTime": written(FIRST + 60)}, {"int64Value": "9" * 19}),
            ({"endTime": written(FIRST + 60)}, {"stringValue": "1"}),
            ({"endTime": written(FIRST + 60)}, {}),
        ],
    )
    def test_garbage(self, service, server, fake, span, value):
        series = {"points": [{"interval": span, "value": value}]}
        server.answer(lambda r: fake(r) if r.path == "/token" else {"timeSeries": [series]})
        with pytest.raises(GarbageAnswer):
            service.read_one(ask(min_points=1), INTERVAL)

    def test_periods_of_a_delta_may_begin_a_millisecond_late(self, service, server, fake):
        def point(at):
            begin = written(at).replace("Z", ".001Z")
            return {
                "interval": {"startTime": begin, "endTime": written(at + 60)},
                "value": {"int64Value": "3"},
            }

        series = {"points": [point(at) for at in minutes(*range(5))]}
        server.answer(lambda r: fake(r) if r.path == "/token" else {"timeSeries": [series]})
        query = ask("n", "throughput", unit="1", aligner="ALIGN_DELTA", statistic="sum")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(15))

    def test_several_series_are_garbage_that_says_what_to_do(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        fake.copies["up"] = 3
        with pytest.raises(GarbageAnswer, match="3 series where one is meant; add a reducer"):
            service.read_one(ask(), INTERVAL)


class TestUnits(OnGoogle):
    @pytest.mark.parametrize(
        ("reported", "metric", "agreed", "scale"),
        [
            ("10^2.%", "utilisation", "ratio", 1_000_000),
            ("%", "utilisation", "percent", 10_000),
            ("1", "utilisation", "ratio", 1_000_000),
            ("s", "latency", "s", 1_000),
            ("ms", "latency", "milliseconds", 1),
            ("ms{round trip}", "latency", "ms", 1),
            ("1", "throughput", "count", 1),
            ("{requests}", "throughput", "count", 1),
            ("", "latency", "ms", 1),
        ],
    )
    def test_the_unit_that_google_reports_is_the_agreed_one(
        self, service, fake, reported, metric, agreed, scale
    ):
        fake.points["m"] = minutes(2, 2, 2, 2, 2)
        fake.units["m"] = reported
        query = ask("m", metric, unit=agreed)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(2 * scale))

    @pytest.mark.parametrize(
        ("reported", "metric", "agreed"),
        [
            ("10^2.%", "utilisation", "percent"),
            ("s", "latency", "ms"),
            ("By", "throughput", "count"),
            ("{requests}/s", "throughput", "count"),
            ("s", "utilisation", "ratio"),
        ],
    )
    def test_or_else_the_answer_is_garbage(self, service, fake, reported, metric, agreed):
        fake.points["m"] = minutes(2, 2, 2, 2, 2)
        fake.units["m"] = reported
        with pytest.raises(GarbageAnswer, match="the document's in"):
            service.read_one(ask("m", metric, unit=agreed), INTERVAL)


class TestSpecification(OnGoogle):
    @pytest.mark.parametrize(
        ("changes", "length", "complaint"),
        [
            ({"project": "../evil"}, 300, "project"),
            ({"filter": 'resource.type = "x"'}, 300, "filter"),
            ({"aligner": "ALIGN_NONE"}, 300, "aligner"),
            ({"aligner": "ALIGN_INTERPOLATE"}, 300, "aligner"),
            ({"reducer": "REDUCE_NONE"}, 300, "reducer"),
            ({"group_by": ["a"]}, 300, "needs a reducer"),
            ({"unit": "ms"}, 300, "unit"),
            ({"step": 30}, 300, "whole minutes"),
            ({"step": 120}, 300, "no multiple"),
            ({"distribution": "mean"}, 300, "make step the interval"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes, length, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(length=length, **changes)

    def test_periods_need_not_begin_at_whole_minutes(self, service, fake):
        # Google counts its periods back from the end that it is asked for
        fake.points["up"] = minutes(1, 2, 3, 4, 5, start=FIRST + 7)
        query = ask(first=FIRST + 7)
        answer = service.read_one(query, Interval(FIRST + 7, FIRST + 307)).answer
        assert answer == Value(Fraction(30_000))

    def test_projects_are_read_side_by_side(self):
        assert GcpMonitoring.lane(ask()) == "shop-prod"
