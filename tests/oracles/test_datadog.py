"""What Datadog's points make."""

from __future__ import annotations

from fractions import Fraction

import pytest

from oracles import NO_DATA, BadRequest, GarbageAnswer, Value
from oracles.datadog import _raw
from tests.oracles.contract import Bench, Contract
from tests.oracles.datadog import (
    API_KEY,
    APP_KEY,
    FIRST,
    INTERVAL,
    OnDatadog,
    ask,
    make,
    minutes,
    spec,
)
from tests.oracles.tls_server import HANG, Answer

VERY_LONG = b" " * 17_000_000 + b'{"status": "ok", "series": []}'
PERCENT = {"family": "percentage", "name": "percent", "plural": "percent", "short_name": "%"}


class TestContract(OnDatadog, Contract):
    @pytest.fixture
    def bench(self, server, fake, clock):
        fake.points = {
            "up": minutes(100, 100, 99.5, 100, 100),
            "down": minutes(0, 0, 0, 0, 0),
            "negative": minutes(-1, -1, -1, -1, -1),
            "border": {INTERVAL.end: 100},
        }
        services = []

        def start():
            services.append(make(server, clock))
            return services[-1]

        def trouble(handler, **more):
            def ask_now():
                server.answer(handler)
                with make(server, clock, **more) as service:
                    return service.read([ask("up", "availability")], INTERVAL)[0]

            return ask_now

        yield Bench(
            make=start,
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
            secrets=[API_KEY, APP_KEY],
            refused=trouble(lambda _: Answer({"errors": [f"Forbidden: {API_KEY}"]}, 403)),
            throttled=trouble(lambda _: Answer({"errors": ["slow"]}, 429)),
            hanging=trouble(lambda _: HANG, timeout=0.3),
            too_large=trouble(lambda _: Answer(VERY_LONG)),
            border=ask("border", "availability", min_points=1),
        )
        for service in services:
            service.close()


class TestPoints(OnDatadog):
    def test_a_bucket_that_begins_at_the_end_is_the_next_intervals(self, service, fake):
        fake.points["up"] = {
            **minutes(1, 1, 1, 1, 1),
            FIRST - 60: 1000,
            INTERVAL.end: 1000,
        }
        assert service.read_one(ask(), INTERVAL).answer == Value(Fraction(10_000))

    def test_a_null_is_a_missing_point(self, service, fake):
        fake.points["up"] = minutes(1, None, 3, 4, 5)
        assert service.read_one(ask(), INTERVAL).answer is NO_DATA
        assert service.read_one(ask(min_points=4), INTERVAL).answer == Value(Fraction(32_500))

    def test_a_partial_last_point_waits_for_the_settle_delay(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1)
        assert service.read_one(ask(), INTERVAL).answer is NO_DATA
        assert service.SETTLE_DELAY >= 600

    def test_a_late_correction_is_seen_by_whoever_reads_later(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        before = service.read_one(ask(), INTERVAL)
        fake.points["up"] = minutes(1, 1, 1, 1, 6)
        after = service.read_one(ask(), INTERVAL)
        assert (before.answer, after.answer) == (Value(Fraction(10_000)), Value(Fraction(20_000)))
        assert before.evidence != after.evidence

    def test_points_may_come_in_any_order(self, service, fake):
        fake.points["up"] = dict(reversed(minutes(1, 2, 3, 4, 5).items()))
        reading = service.read_one(ask(statistic="last"), INTERVAL)
        assert reading.answer == Value(Fraction(50_000))

    @pytest.mark.parametrize(
        ("points", "complaint"),
        [
            ({FIRST + 1: 1}, "multiple of 60"),
            ({FIRST + 0.0005: 1}, "time stamp"),
            ({FIRST: float("nan")}, "representable"),
            ({FIRST: float("inf")}, "representable"),
            ({FIRST: "1"}, "finite"),
        ],
    )
    def test_garbage(self, service, fake, points, complaint):
        fake.points["up"] = points
        with pytest.raises(GarbageAnswer, match=complaint):
            service.read_one(ask(min_points=1), INTERVAL)

    @pytest.mark.parametrize(
        "points",
        [[[(FIRST - 600) * 1000.0, 1]], [[FIRST * 1000.0, 1], [FIRST * 1000.0, 2]]],
    )
    def test_points_that_were_not_asked_for_or_twice_are_garbage(self, service, fake, points):
        fake.copies["up"] = 1
        fake.changes["up"] = {"pointlist": points}
        with pytest.raises(GarbageAnswer):
            service.read_one(ask(min_points=1), INTERVAL)

    def test_coarser_points_than_asked_for_are_garbage(self, service, fake):
        fake.points["up"] = {FIRST: 100}
        fake.changes["up"] = {"interval": 300}
        with pytest.raises(GarbageAnswer, match="points of 300 s instead of 60 s"):
            service.read_one(ask(min_points=1), INTERVAL)

    def test_several_series_are_garbage_that_says_what_to_do(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        fake.copies["up"] = 2
        with pytest.raises(GarbageAnswer, match="2 series where one is meant; leave 'by"):
            service.read_one(ask(), INTERVAL)


class TestShape(OnDatadog):
    @pytest.mark.parametrize(
        "one",
        [
            {"pointlist": [[float("inf"), 1]]},
            {"pointlist": [[float("nan"), 1]]},
            {"pointlist": [[1]]},
            {"pointlist": [[1, 2, 3]]},
            {"pointlist": [None]},
            {"pointlist": [["sk-live-", 1]]},
            {"pointlist": [[True, 1]]},
            {"pointlist": [[None, 1]]},
            {"pointlist": [[FIRST * 1000 + 0.5, 1]]},
            {"pointlist": {"sk-live-": 1}},
            {"pointlist": None},
            {"pointlist": [], "unit": ["sk-live-"]},
            {"pointlist": [], "unit": "sk-live-"},
            {"pointlist": [], "interval": "sk-live-"},
            {},
            None,
            [1],
        ],
    )
    def test_what_is_no_series_is_garbage_and_not_quoted(self, one):
        with pytest.raises(GarbageAnswer) as caught:
            _raw([one], INTERVAL)
        assert "sk-" not in str(caught.value)

    def test_a_unit_that_nobody_knows_is_not_quoted(self, service, fake):
        fake.points["up"] = minutes(2, 2, 2, 2, 2)
        fake.changes["up"] = {"unit": [{"family": "time", "name": "sk-live-"}, None]}
        with pytest.raises(GarbageAnswer, match="we do not know") as caught:
            service.read_one(ask(), INTERVAL)
        assert "sk-" not in str(caught.value)


class TestUnits(OnDatadog):
    @pytest.mark.parametrize(
        ("unit", "metric", "agreed", "amount"),
        [
            (PERCENT, "utilisation", "percent", 20_000),
            ({"family": "percentage", "name": "fraction"}, "utilisation", "ratio", 2_000_000),
            ({"family": "time", "name": "second"}, "latency", "s", 2_000),
            ({"family": "time", "name": "microsecond"}, "latency", "us", Fraction(2, 1000)),
            ({"family": "network", "name": "request"}, "throughput", "count", 2),
            (None, "latency", "ms", 2),
        ],
    )
    def test_the_unit_that_datadog_reports_is_the_agreed_one(
        self, service, fake, unit, metric, agreed, amount
    ):
        fake.points["up"] = minutes(2, 2, 2, 2, 2)
        fake.changes["up"] = {"unit": [unit, None]}
        query = ask("up", metric, unit=agreed)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(amount))

    @pytest.mark.parametrize(
        ("unit", "metric", "agreed"),
        [
            ([{"family": "time", "name": "second"}, None], "latency", "ms"),
            ([{"family": "percentage", "name": "fraction"}, None], "utilisation", "percent"),
            ([{"family": "bytes", "name": "byte"}, None], "latency", "ms"),
            ([{"family": "time", "name": "second"}, None], "throughput", "count"),
            (
                [{"family": "network", "name": "request"}, {"family": "time", "name": "second"}],
                "throughput",
                "count",
            ),
        ],
    )
    def test_or_else_the_answer_is_garbage(self, service, fake, unit, metric, agreed):
        fake.points["up"] = minutes(2, 2, 2, 2, 2)
        fake.changes["up"] = {"unit": unit}
        with pytest.raises(GarbageAnswer, match="the document's in"):
            service.read_one(ask("up", metric, unit=agreed), INTERVAL)

    def test_a_number_of_points_has_no_unit(self, service, fake):
        fake.points["up"] = minutes(2, 2, None, 2, 2)
        fake.changes["up"] = {"unit": [PERCENT, None]}
        query = ask("up", "backlog", unit="count", statistic="count", min_points=1)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(4))


class TestSpecification(OnDatadog):
    @pytest.mark.parametrize(
        "query",
        [
            "avg:up{*}.rollup(avg, 60)",
            "avg:up{*}.rollup(avg,60)",
            "p99:latency{service:a,env:b}.rollup(60)",
            "sum:errors{*}.as_count().rollup(sum, 60) / sum:all{*}.as_count().rollup(sum, 60)",
            "100 * avg:up{a:b}.rollup(min, 60)",
            "abs(avg:up{a:b}.rollup(min, 60))",
        ],
    )
    def test_a_query_that_states_its_points_is_taken(self, query):
        assert ask(query=query).spec.query == query

    @pytest.mark.parametrize(
        ("query", "complaint"),
        [
            ("avg:up{*}", "say of which seconds"),
            ("avg:up{*}.rollup(avg)", "say of which seconds"),
            ("avg:up{*}.rollup(avg, 300)", "say of which seconds"),
            ("avg:up{*}.rollup(avg, 60, 'UTC')", "say of which seconds"),
            ("avg:a{*}.rollup(avg, 60) / avg:b{*}", "say of which seconds"),
            ("avg:a{*}.rollup(avg, 60),avg:b{*}.rollup(avg, 60)", "one query only"),
            ("avg:a{*}.rollup(avg, 60", "brackets"),
            ("avg:a{*}}.rollup(avg, 60){", "brackets"),
            ("1", "say of which seconds"),
        ],
    )
    def test_one_that_does_not_is_refused(self, query, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(query=query)

    @pytest.mark.parametrize(
        ("changes", "first", "length", "complaint"),
        [
            ({"unit": "ms"}, FIRST, 300, "unit"),
            ({"step": 60}, FIRST + 1, 300, "must begin"),
            ({"step": 60}, FIRST, 90, "no multiple"),
            ({"step": 60}, FIRST, 60 * 1501, "more than Datadog gives"),
            ({"min_points": 6}, FIRST, 300, "min_points"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes, first, length, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(first=first, length=length, **changes)
