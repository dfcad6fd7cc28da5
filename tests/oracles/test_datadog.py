from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

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
from oracles.datadog import Datadog, _raw
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.tls_server import (
    DRIP,
    HANG,
    RESET,
    Answer,
    Request,
    dripping_head,
    serving_tls,
)
from tests.oracles.web import closed_port

FIRST = 1_767_225_600
LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
API_KEY = "0123456789abcdef0123456789abcdef"
APP_KEY = "fedcba9876543210fedcba9876543210fedcba98"
VERY_LONG = b" " * 17_000_000 + b'{"status": "ok", "series": []}'
PERCENT = {"family": "percentage", "name": "percent", "plural": "percent", "short_name": "%"}


@dataclass
class Fake:
    """Datadog, as far as `GET /api/v1/query` goes: metrics by name, each {second: value}.

    A bucket counts in if it begins within [from, to], both ends included.
    """

    points: dict[str, dict[int, Any]] = field(default_factory=dict)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of the series of a metric: its unit or interval, say."""
    status: int = 400
    """Of the answer to a query that is wrong."""
    copies: dict[str, int] = field(default_factory=dict)
    """How many series there are of a metric."""

    def __call__(self, request: Request) -> Any:
        start, end = int(request.one("from")), int(request.one("to"))
        texts = re.split(r",(?![^{(]*[})])", request.one("query"))
        series = []
        for index, text in enumerate(texts):
            name = re.search(r":([\w.]+)\{", text)[1]
            if name == "wrong":
                return Answer({"status": "error", "error": "Error parsing query"}, self.status)
            if name == "failing":
                return {"status": "error", "error": "something went wrong"}
            pointlist = [
                [at * 1000.0, value]
                for at, value in self.points.get(name, {}).items()
                if start <= at <= end
            ]
            one = {
                "metric": name,
                "attributes": {},
                "display_name": name,
                "unit": None,
                "pointlist": pointlist,
                "start": start * 1000,
                "end": end * 1000 - 1,
                "interval": 60,
                "length": len(pointlist),
                "aggr": None,
                "scope": "service:shop",
                "tag_set": [],
                "expression": text,
                "query_index": index,
                **self.changes.get(name, {}),
            }
            series += [one] * self.copies.get(name, 1 if pointlist else 0)
        return {
            "status": "ok",
            "res_type": "time_series",
            "resp_version": 1,
            "query": request.one("query"),
            "from_date": start * 1000,
            "to_date": end * 1000,
            "series": series,
            "values": [],
            "times": [],
            "message": "",
            "group_by": [],
        }


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("DD_API_KEY", API_KEY)
    monkeypatch.setenv("DD_APP_KEY", APP_KEY)


@pytest.fixture
def server():
    with serving_tls() as server:
        yield server


@pytest.fixture
def fake(server):
    fake = Fake()
    server.answer(fake)
    return fake


@pytest.fixture
def clock():
    return Clock(FIRST + 7200)


@pytest.fixture
def service(server, clock):
    with make(server, clock) as service:
        yield service


def make(server, clock=None, **more):
    options = {"endpoint_url": server.url, "ca_file": server.ca_file, "timeout": 30, **more}
    return Datadog(options, clock=clock or Clock(FIRST + 7200))


def spec(name="up", **more):
    return {
        "query": f"avg:{name}{{service:shop,env:prod}}.rollup(avg, 60)",
        "unit": "percent",
        **more,
    }


def ask(name="up", metric="utilisation", *, length=LENGTH, first=FIRST, **more):
    return Datadog.query(spec(name, **more), metric, first=first, length=length)


def minutes(*values, start=FIRST):
    return {start + 60 * minute: value for minute, value in enumerate(values)}


class TestContract(Contract):
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


class TestTheCall:
    def test_the_interval_is_asked_for_and_keys_are_in_headers_only(self, service, server, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        assert isinstance(service.read_one(ask(), INTERVAL), Reading)
        [request] = server.requests
        assert (request.method, request.path) == ("GET", "/api/v1/query")
        assert request.query == {
            "from": [str(INTERVAL.start)],
            "to": [str(INTERVAL.end)],
            "query": ["avg:up{service:shop,env:prod}.rollup(avg, 60)"],
        }
        assert request.headers["dd-api-key"] == API_KEY
        assert request.headers["dd-application-key"] == APP_KEY

    @pytest.mark.parametrize(("count", "calls"), [(1, [1]), (20, [20]), (45, [20, 20, 5])])
    def test_many_queries_are_one_call(self, service, server, fake, count, calls):
        fake.points = {f"m{n}": minutes(n, n, n, n, n) for n in range(0, count, 2)}
        readings = service.read([ask(f"m{n}") for n in range(count)], INTERVAL)
        assert [len(re.findall("rollup", r.one("query"))) for r in server.requests] == calls
        assert [reading.answer for reading in readings] == [
            NO_DATA if n % 2 else Value(Fraction(n * 10_000)) for n in range(count)
        ]

    def test_long_queries_do_not_make_long_addresses(self, service, server):
        long = ",".join(f"tag{n}:{'x' * 50}" for n in range(20))
        queries = [ask(query=f"avg:m{n}{{{long}}}.rollup(avg, 60)") for n in range(6)]
        service.read(queries, INTERVAL)
        assert len(server.requests) > 1
        assert all(len(request.one("query")) < 4_000 for request in server.requests)

    def test_equal_queries_are_asked_once(self, service, server, fake):
        fake.points["up"] = minutes(1, 2, 3, 4, 5)
        service.read([ask(), ask(statistic="max"), ask("up", "error_rate")], INTERVAL)
        assert [r.one("query").count("rollup") for r in server.requests] == [1]

    @pytest.mark.parametrize("status", [400, 500])
    def test_one_wrong_query_costs_no_other_its_answer(self, status, service, server, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)
        fake.status = status
        queries = [ask("wrong" if n == 11 else f"m{n}") for n in range(20)]
        answers = service.read(queries, INTERVAL)
        assert type(answers.pop(11)) is (BadRequest if status == 400 else Unavailable)
        assert {reading.answer for reading in answers} == {NO_DATA}
        assert len(server.requests) <= 11

    def test_series_that_name_no_query_are_asked_for_one_by_one(self, service, server, fake):
        fake.points = {"a": minutes(1, 1, 1, 1, 1), "b": minutes(2, 2, 2, 2, 2)}
        fake.changes = {name: {"query_index": None} for name in fake.points}

        def nameless(request):
            answer = fake(request)
            for one in answer["series"]:
                del one["query_index"]
            return answer

        server.answer(nameless)
        one, two = service.read([ask("a"), ask("b")], INTERVAL)
        assert (one.answer, two.answer) == (Value(Fraction(10_000)), Value(Fraction(20_000)))

    def test_connections_are_kept(self, service, server, fake):
        for _ in range(3):
            service.read([ask()], INTERVAL)
        assert len(server.requests) == 3

    def test_the_site_is_a_host(self):
        with pytest.raises(BadRequest, match="site"):
            Datadog({"site": "https://datadoghq.eu/"})


class TestPoints:
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


class TestShape:
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


class TestUnits:
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


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Answer({"errors": ["Unauthorized"]}, 401), AccessRefused),
            (Answer({"errors": ["Forbidden"]}, 403), AccessRefused),
            (Answer(b"\xff\xfe", 403), AccessRefused),
            (Answer({"errors": ["Rate limit"]}, 429), Throttled),
            (Answer(b"<html>bad gateway</html>", 502), Unavailable),
            (Answer({}, 408), Unavailable),
            (Answer({"status": "error", "error": "no such function"}, 400), BadRequest),
            (Answer({"errors": ["Not found"]}, 404), BadRequest),
            (Answer(b"<html>captive portal</html>"), GarbageAnswer),
            (Answer(b'{"status": "ok", "ser'), GarbageAnswer),
            (Answer([1, 2]), GarbageAnswer),
            (Answer({"status": "ok", "series": 1}), GarbageAnswer),
            (Answer({"series": []}), GarbageAnswer),
            (Answer(b"{}", length=50), Unavailable),
            (RESET, Unavailable),
        ],
    )
    def test_each_failure_has_its_error(self, service, server, answer, expected):
        server.answer(lambda _: answer)
        [error] = service.read([ask()], INTERVAL)
        assert type(error) is expected

    def test_a_pause_that_datadog_asks_for_is_passed_on(self, service, server):
        server.answer(lambda _: Answer({}, 429, {"X-RateLimit-Reset": "17"}))
        with pytest.raises(Throttled) as caught:
            service.read_one(ask(), INTERVAL)
        assert caught.value.retry_after == 17

    def test_keys_that_datadog_repeats_are_not_quoted(self, service, server):
        text = f"key {API_KEY} and {APP_KEY} do not match"
        server.answer(lambda _: Answer({"errors": [text]}, 403))
        with pytest.raises(AccessRefused, match=r"key \*\*\* and \*\*\* do not match"):
            service.read_one(ask(), INTERVAL)

    def test_nothing_is_retried_behind_the_callers_back(self, service, server):
        for status in (429, 503):
            server.requests.clear()
            server.answer(lambda _, status=status: Answer({}, status, {"X-RateLimit-Reset": "0"}))
            service.read([ask()], INTERVAL)
            assert len(server.requests) == 1

    def test_keys_do_not_follow_a_redirect(self, service, server, fake):
        def away(request):
            moved = Answer(b"", 302, {"Location": f"{server.url}/elsewhere?from=0&to=0&query="})
            return moved if request.path == "/api/v1/query" else fake(request)

        server.answer(away)
        [error] = service.read([ask()], INTERVAL)
        assert isinstance(error, GarbageAnswer)
        assert server.asked("/elsewhere") == []

    @pytest.mark.parametrize("said", [DRIP, HANG])
    def test_an_answer_that_does_not_end_is_given_up(self, server, said):
        server.answer(lambda _: said)
        with make(server, timeout=0.5) as service, pytest.raises(Unavailable, match="more than"):
            service.read_one(ask(), INTERVAL)

    def test_a_head_of_an_answer_that_does_not_end_is_given_up(self, server):
        with (
            dripping_head() as url,
            make(server, endpoint_url=url, timeout=0.5) as service,
            pytest.raises(Unavailable, match="took more than"),
        ):
            service.read_one(ask(), INTERVAL)

    def test_a_certificate_of_nobody_known_is_not_trusted(self, server):
        with make(server, ca_file=None) as service, pytest.raises(Unavailable, match="certificate"):
            service.read_one(ask(), INTERVAL)
        assert server.requests == []

    def test_nobody_listening_is_unavailable(self, server):
        url = f"https://127.0.0.1:{closed_port()}"
        with make(server, endpoint_url=url) as service, pytest.raises(Unavailable):
            service.read_one(ask(), INTERVAL)

    def test_plain_http_is_refused(self):
        with pytest.raises(BadRequest, match="https only"):
            Datadog({"endpoint_url": "http://127.0.0.1:1"})

    def test_a_missing_key_is_named(self, monkeypatch):
        monkeypatch.delenv("DD_APP_KEY")
        with pytest.raises(BadRequest, match="DD_APP_KEY"):
            Datadog()

    def test_a_key_in_clear_is_refused(self):
        with pytest.raises(BadRequest, match="not in clear") as caught:
            Datadog({"api_key": "hunter2"})
        assert "hunter2" not in str(caught.value)

    def test_a_key_that_cannot_be_sent_is_refused_without_being_quoted(self, monkeypatch):
        monkeypatch.setenv("DD_API_KEY", "hunter2\nx: y")
        with pytest.raises(BadRequest) as caught:
            Datadog()
        assert "hunter2" not in str(caught.value)


class TestSpecification:
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
