"""What Dynatrace's points make."""

from __future__ import annotations

from fractions import Fraction

import pytest

from oracles import NO_DATA, BadRequest, GarbageAnswer, Interval, Value
from oracles.dynatrace import Dynatrace
from tests.oracles.contract import Bench, Contract
from tests.oracles.dynatrace import FIRST, INTERVAL, TOKEN, OnDynatrace, ask, make, minutes, spec
from tests.oracles.tls_server import HANG, Answer

VERY_LONG = b" " * 17_000_000 + b'{"resolution": "1m", "result": []}'


class TestContract(OnDynatrace, Contract):
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
            failing=ask("up", "availability", entity_selector="type(FAILING)"),
            spec=spec(),
            secrets=[TOKEN, TOKEN.split(".")[2]],
            refused=trouble(lambda _: Answer({"error": {"message": f"Token {TOKEN} bad"}}, 401)),
            throttled=trouble(lambda _: Answer({"error": {"message": "busy"}}, 429)),
            hanging=trouble(lambda _: HANG, timeout=0.3),
            too_large=trouble(lambda _: Answer(VERY_LONG)),
            border=ask("border", "availability", min_points=1),
        )
        for service in services:
            service.close()


class TestPoints(OnDynatrace):
    def test_a_time_stamp_is_the_end_of_a_slot(self, service, fake):
        # Dynatrace says 1000 at 00:00 (of 23:59) and at 00:06 (of 00:05): both are neighbours'
        fake.points["up"] = {FIRST - 60: 1000, **minutes(1, 2, 3, 4, 5), INTERVAL.end: 1000}
        reading = service.read_one(ask(statistic="sum"), INTERVAL)
        assert reading.answer == Value(Fraction(150_000))
        assert f'"points":[[{FIRST}000,1]'.encode() in reading.evidence

    def test_a_null_is_a_missing_point(self, service, fake):
        fake.points["up"] = minutes(1, None, 3, 4, 5)
        assert service.read_one(ask(), INTERVAL).answer is NO_DATA
        assert service.read_one(ask(min_points=4), INTERVAL).answer == Value(Fraction(32_500))

    def test_a_partial_last_point_waits_for_the_settle_delay(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1)
        assert service.read_one(ask(), INTERVAL).answer is NO_DATA

    def test_a_late_correction_is_seen_by_whoever_reads_later(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        before = service.read_one(ask(), INTERVAL)
        fake.points["up"] = minutes(1, 1, 1, 1, 6)
        after = service.read_one(ask(), INTERVAL)
        assert (before.answer, after.answer) == (Value(Fraction(10_000)), Value(Fraction(20_000)))

    @pytest.mark.parametrize("resolution", ["5m", "1h", "1M", "10", "", "0m"])
    def test_a_coarser_resolution_than_asked_for_is_garbage(self, service, fake, resolution):
        fake.points["up"] = {FIRST: 100}
        fake.resolution = resolution
        with pytest.raises(GarbageAnswer, match="instead of 1m"):
            service.read_one(ask(min_points=1), INTERVAL)

    def test_what_is_no_resolution_is_not_quoted(self, service, fake):
        fake.resolution = "sk-live-0123456789"
        with pytest.raises(GarbageAnswer, match="a text of 18 characters instead of") as caught:
            service.read_one(ask(), INTERVAL)
        assert "sk-" not in str(caught.value)

    @pytest.mark.parametrize(("step", "resolution"), [(3600, "1h"), (3600, "60m"), (86_400, "1d")])
    def test_the_same_resolution_by_another_name_is_none(self, service, fake, step, resolution):
        fake.resolution = resolution
        query = ask(step=step, length=86_400)
        service._clock.now = FIRST + 100_000
        assert service.read_one(query, Interval(FIRST, FIRST + 86_400)).answer is NO_DATA

    @pytest.mark.parametrize(
        ("timestamps", "values"),
        [
            ([(FIRST + 61) * 1000], [1]),
            ([(FIRST - 60) * 1000], [1]),
            ([(INTERVAL.end + 120) * 1000], [1]),
            ([(FIRST + 60) * 1000] * 2, [1, 1]),
            ([(FIRST + 60) * 1000], [1, 2]),
            ([(FIRST + 60) * 1000], ["1"]),
            ([(FIRST + 60) * 1000], [True]),
            (["now"], [1]),
        ],
    )
    def test_garbage(self, service, server, timestamps, values):
        series = {"timestamps": timestamps, "values": values}
        result = [{"metricId": "up", "data": [series]}]
        server.answer(lambda _: {"resolution": "1m", "result": result})
        with pytest.raises(GarbageAnswer):
            service.read_one(ask(min_points=1), INTERVAL)

    def test_several_series_are_garbage_that_says_what_to_do(self, service, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        fake.copies["up"] = 2
        with pytest.raises(GarbageAnswer, match="2 series where one is meant; add :splitBy"):
            service.read_one(ask(), INTERVAL)


class TestSpecification(OnDynatrace):
    @pytest.mark.parametrize(
        "selector",
        [
            "builtin:host.cpu.usage:splitBy():avg",
            'builtin:host.cpu.usage:filter(and(eq("a","b"),eq("c","d,e"))):splitBy():avg',
            '"ext:jmx.Agents, Type ~"APACHE~"":splitBy():sum',
            "(builtin:a:avg / builtin:b:avg) * 100",
        ],
    )
    def test_one_metric_is_taken(self, selector):
        assert ask(selector).spec.metric_selector == selector

    @pytest.mark.parametrize(
        ("selector", "complaint"),
        [
            ("a,b", "one metric only"),
            ("builtin:host.cpu.(idle,user)", "several metrics"),
            ("a:splitBy(", "brackets"),
            ('a:filter(eq("b,c))', "brackets or quotes"),
        ],
    )
    def test_several_are_refused(self, selector, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(selector)

    @pytest.mark.parametrize(
        ("changes", "first", "length", "complaint"),
        [
            ({"environment": "evil.test/x"}, FIRST, 300, "environment"),
            ({"unit": "ms"}, FIRST, 300, "unit"),
            ({"step": 30}, FIRST, 300, "whole minutes"),
            ({"step": 60}, FIRST + 1, 300, "must begin"),
            ({"step": 60}, FIRST, 90, "no multiple"),
            ({"step": 60}, FIRST, 60 * 10_081, "more than Dynatrace gives"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes, first, length, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(first=first, length=length, **changes)

    def test_environments_are_read_side_by_side(self):
        assert Dynatrace.lane(ask()) == "abc12345"
