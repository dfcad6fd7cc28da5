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
    Throttled,
    Unavailable,
    Value,
)
from oracles.dynatrace import Dynatrace
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.tls_server import HANG, RESET, Answer, Request, serving_tls
from tests.oracles.web import closed_port

FIRST = 1_767_225_600
LENGTH = 300
INTERVAL = Interval(FIRST, FIRST + LENGTH)
TOKEN = "dt0c01.ST2EY72KQINMH574WMNVI7YN.G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BND"
VERY_LONG = b" " * 17_000_000 + b'{"resolution": "1m", "result": []}'
ONE = {"abc12345": "${DT_API_TOKEN}"}
PATH = "/e/abc12345/api/v2/metrics/query"


@dataclass
class Fake:
    """Dynatrace, as far as `GET /api/v2/metrics/query` goes: metrics by selector, each
    {second at which a minute's slot begins: value}. Slots that touch the time frame count in.
    """

    points: dict[str, dict[int, Any]] = field(default_factory=dict)
    resolution: str = "1m"
    copies: dict[str, int] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    """How it writes a selector in its answer, if in another way."""

    def __call__(self, request: Request) -> Any:
        if request.query.get("entitySelector") == ["type(FAILING)"]:
            return Answer({"error": {"code": 503, "message": "shutting down"}}, 503)
        start, end = int(request.one("from")) // 1000, int(request.one("to")) // 1000
        result = []
        for selector in re.split(r",(?![^(]*\))", request.one("metricSelector")):
            if selector.startswith("wrong"):
                return Answer({"error": {"code": 400, "message": "Unknown metric wrong"}}, 400)
            slots = {
                at + 60: value
                for at, value in self.points.get(selector, {}).items()
                if at <= end and at + 60 >= start
            }
            series = {
                "dimensions": [],
                "dimensionMap": {},
                "timestamps": [at * 1000 for at in slots],
                "values": list(slots.values()),
            }
            result.append(
                {
                    "metricId": self.renamed.get(selector, selector),
                    "dataPointCountRatio": 1.2e-4,
                    "dimensionCountRatio": 2.5e-4,
                    "data": [series] * self.copies.get(selector, 1 if slots else 0),
                }
            )
        return {
            "totalCount": len(result),
            "nextPageKey": None,
            "resolution": self.resolution,
            "warnings": [],
            "result": result,
        }


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("DT_API_TOKEN", TOKEN)


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
    options = {
        "url": f"{server.url}/e/{{environment}}",
        "ca_file": server.ca_file,
        "timeout": 30,
        "tokens": dict.fromkeys(("abc12345", "other", "down"), "${DT_API_TOKEN}"),
        **more,
    }
    return Dynatrace(options, clock=clock or Clock(FIRST + 7200))


def spec(selector="up:splitBy():avg", **more):
    return {"environment": "abc12345", "metric_selector": selector, "unit": "percent", **more}


def ask(selector="up", metric="utilisation", *, length=LENGTH, first=FIRST, **more):
    return Dynatrace.query(spec(selector, **more), metric, first=first, length=length)


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


class TestTheCall:
    def test_the_interval_is_asked_for_and_the_token_is_in_a_header_only(self, service, server):
        query = ask(
            "builtin:host.cpu.usage:splitBy():avg",
            entity_selector='type("HOST"),entityName("web")',
            management_zone='mzName("prod")',
        )
        service.read([query], INTERVAL)
        [request] = server.requests
        assert (request.method, request.path) == ("GET", PATH)
        assert request.query == {
            "metricSelector": ["builtin:host.cpu.usage:splitBy():avg"],
            "resolution": ["1m"],
            "from": [str(INTERVAL.start * 1000)],
            "to": [str(INTERVAL.end * 1000)],
            "entitySelector": ['type("HOST"),entityName("web")'],
            "mzSelector": ['mzName("prod")'],
        }
        assert request.headers["authorization"] == f"Api-Token {TOKEN}"

    @pytest.mark.parametrize(("count", "calls"), [(1, [1]), (10, [10]), (25, [5, 10, 10])])
    def test_ten_selectors_are_one_call(self, service, server, fake, count, calls):
        fake.points = {f"m{n}": minutes(n, n, n, n, n) for n in range(0, count, 2)}
        readings = service.read([ask(f"m{n}") for n in range(count)], INTERVAL)
        asked = [len(r.one("metricSelector").split(",")) for r in server.requests]
        assert sorted(asked) == calls
        assert [reading.answer for reading in readings] == [
            NO_DATA if n % 2 else Value(Fraction(n * 10_000)) for n in range(count)
        ]

    def test_what_differs_in_scope_is_not_asked_in_one_call(self, service, server, fake):
        fake.points = {"up": minutes(1, 1, 1, 1, 1)}
        queries = [
            ask("up"),
            ask("up", entity_selector='type("HOST")'),
            ask("up", management_zone='mzName("a")'),
            ask("up", environment="other"),
            ask("up", step=300),
        ]
        service.read(queries, INTERVAL)
        assert len(server.requests) == 5

    def test_one_wrong_selector_costs_no_other_its_answer(self, service, server, fake):
        fake.points = {f"m{n}": minutes(1, 1, 1, 1, 1) for n in range(10)}
        queries = [ask("wrong" if n == 7 else f"m{n}") for n in range(10)]
        answers = service.read(queries, INTERVAL)
        assert isinstance(answers.pop(7), BadRequest)
        assert {reading.answer for reading in answers} == {Value(Fraction(10_000))}
        assert len(server.requests) <= 9

    def test_selectors_that_it_writes_in_another_way_are_told_apart_all_the_same(
        self, service, server, fake
    ):
        fake.points = {f"m{n}": minutes(n, n, n, n, n) for n in range(4)}
        fake.renamed = {"m2": "m2:avg"}
        readings = service.read([ask(f"m{n}") for n in range(4)], INTERVAL)
        assert [r.answer for r in readings] == [Value(Fraction(n * 10_000)) for n in range(4)]

    def test_metrics_may_come_in_any_order(self, service, server, fake):
        fake.points = {"a": minutes(1, 1, 1, 1, 1), "b": minutes(2, 2, 2, 2, 2)}

        def backwards(request):
            answer = fake(request)
            answer["result"].reverse()
            return answer

        server.answer(backwards)
        one, two = service.read([ask("a"), ask("b")], INTERVAL)
        assert (one.answer, two.answer) == (Value(Fraction(10_000)), Value(Fraction(20_000)))

    def test_a_metric_that_an_answer_lacks_is_asked_for_alone(self, service, server, fake):
        fake.points = {"a": minutes(1, 1, 1, 1, 1), "b": minutes(2, 2, 2, 2, 2)}

        def lacking(request):
            answer = fake(request)
            del answer["result"][1:]
            return answer

        server.answer(lacking)
        one, two = service.read([ask("a"), ask("b")], INTERVAL)
        assert (one.answer, two.answer) == (Value(Fraction(10_000)), Value(Fraction(20_000)))


class TestTokens:
    def test_an_environment_that_a_document_names_gets_no_token_of_another(self, server, fake):
        with make(server, tokens=ONE) as service:
            mine, foreign = service.read([ask(), ask(environment="evil")], INTERVAL)
        assert mine.answer is NO_DATA
        assert type(foreign) is AccessRefused
        assert str(foreign) == (
            "Dynatrace: no token for the environment evil; add one to the options:"
            ' tokens: {evil: "${NAME}"}'
        )
        assert [request.path for request in server.requests] == [PATH]

    def test_each_environment_has_its_own(self, server, fake, monkeypatch):
        monkeypatch.setenv("DT_OTHER", "dt0c01.other")
        with make(server, tokens={**ONE, "other": "${DT_OTHER}"}) as service:
            service.read([ask(), ask(environment="other")], INTERVAL)
        shown = {r.path.split("/")[2]: r.headers["authorization"] for r in server.requests}
        assert shown == {"abc12345": f"Api-Token {TOKEN}", "other": "Api-Token dt0c01.other"}

    def test_without_any_nothing_is_asked(self, server, fake):
        with make(server, tokens={}) as service:
            [error] = service.read([ask()], INTERVAL)
        assert type(error) is AccessRefused
        assert server.requests == []


class TestPages:
    def pages(self, *pages):
        """Each page is a list of collections; the last one has no key of another."""

        def answer(request):
            place = int(request.query.get("nextPageKey", ["0"])[0])
            following = str(place + 1) if place + 1 < len(pages) else None
            if place:
                assert set(request.query) == {"nextPageKey"}  # as Dynatrace demands
            return {"resolution": "1m", "nextPageKey": following, "result": pages[place]}

        return answer

    def collection(self, name, *values):
        slots = [(at + 60) * 1000 for at in minutes(*values)]
        return {"metricId": name, "data": [{"timestamps": slots, "values": list(values)}]}

    def test_they_are_followed_to_the_end(self, service, server):
        one, two = self.collection("a", 1, 1, 1, 1, 1), self.collection("b", 2, 2, 2, 2, 2)
        server.answer(self.pages([one], [], [two]))
        readings = service.read([ask("a"), ask("b")], INTERVAL)
        assert [r.answer for r in readings] == [Value(Fraction(n * 10_000)) for n in (1, 2)]
        assert len(server.requests) == 3

    def test_a_second_series_on_a_later_page_is_noticed(self, service, server):
        one, two = self.collection("a", 1, 1, 1, 1, 1), self.collection("a", 2, 2, 2, 2, 2)
        server.answer(self.pages([one], [two]))
        with pytest.raises(GarbageAnswer, match="2 series where one is meant; add :splitBy"):
            service.read_one(ask("a"), INTERVAL)

    def test_pages_in_a_circle_are_garbage(self, service, server):
        server.answer(lambda _: {"resolution": "1m", "nextPageKey": "again", "result": []})
        with pytest.raises(GarbageAnswer, match="no end"):
            service.read_one(ask("a"), INTERVAL)
        assert len(server.requests) == 2

    def test_pages_without_end_are_garbage(self, service, server):
        def more(request):
            place = int(request.query.get("nextPageKey", ["0"])[0])
            return {"resolution": "1m", "nextPageKey": str(place + 1), "result": []}

        server.answer(more)
        with pytest.raises(GarbageAnswer, match="no end"):
            service.read_one(ask("a"), INTERVAL)
        assert len(server.requests) <= 102


class TestPoints:
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


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Answer({"error": {"code": 401}}, 401), AccessRefused),
            (Answer({"error": {"code": 403}}, 403), AccessRefused),
            (Answer({"error": {"code": 429}}, 429), Throttled),
            (Answer({"error": {"code": 400}}, 400), BadRequest),
            (Answer({"error": {"code": 404}}, 404), BadRequest),
            (Answer({"error": {"code": 500}}, 500), Unavailable),
            (Answer(b"", 302, {"Location": "/e/x"}), GarbageAnswer),
            (Answer(b"<html>captive portal</html>"), GarbageAnswer),
            (Answer([]), GarbageAnswer),
            (Answer({"result": []}), GarbageAnswer),
            (Answer(b'{"resolution": "1m", "result": [{"metricId": NaN}]}'), GarbageAnswer),
            (Answer(b"{}", length=50), Unavailable),
            (RESET, Unavailable),
        ],
    )
    def test_each_failure_has_its_error(self, service, server, answer, expected):
        server.answer(lambda _: answer)
        [error] = service.read([ask()], INTERVAL)
        assert type(error) is expected

    def test_a_pause_that_dynatrace_asks_for_is_passed_on(self, service, server):
        server.answer(lambda _: Answer({}, 429, {"Retry-After": "7"}))
        with pytest.raises(Throttled) as caught:
            service.read_one(ask(), INTERVAL)
        assert caught.value.retry_after == 7

    def test_a_token_that_dynatrace_repeats_is_not_quoted(self, service, server):
        server.answer(lambda r: Answer({"you sent": r.headers["authorization"]}, 403))
        with pytest.raises(AccessRefused, match="you sent") as caught:
            service.read_one(ask(), INTERVAL)
        assert "dt0c01" not in str(caught.value)

    def test_a_failing_environment_costs_no_other_its_answer(self, service, server, fake):
        fake.points["up"] = minutes(1, 1, 1, 1, 1)

        def one_down(request):
            return fake(request) if request.path == PATH else Answer({}, 503)

        server.answer(one_down)
        down, up = service.read([ask(environment="down"), ask()], INTERVAL)
        assert isinstance(down, Unavailable)
        assert up.answer == Value(Fraction(10_000))

    def test_nobody_listening_is_unavailable(self, server):
        url = f"https://127.0.0.1:{closed_port()}"
        with make(server, url=url) as service, pytest.raises(Unavailable):
            service.read_one(ask(), INTERVAL)

    def test_plain_http_to_elsewhere_is_refused(self):
        with pytest.raises(BadRequest, match="plain http"):
            Dynatrace({"url": "http://dynatrace.test/e/{environment}", "tokens": ONE})

    @pytest.mark.parametrize("url", ["https://u:hunter2@dynatrace.test", "ftp://x", "https://x?y"])
    def test_an_address_that_is_none_is_refused(self, url):
        with pytest.raises(BadRequest, match="url") as caught:
            Dynatrace({"url": url})
        assert "hunter2" not in str(caught.value)

    def test_a_missing_token_is_named(self, monkeypatch):
        monkeypatch.delenv("DT_API_TOKEN")
        with pytest.raises(BadRequest, match="DT_API_TOKEN"):
            Dynatrace({"tokens": ONE})

    def test_a_token_in_clear_is_refused(self):
        with pytest.raises(BadRequest, match="not in clear") as caught:
            Dynatrace({"tokens": {"abc12345": "dt0c01.hunter2"}})
        assert "hunter2" not in str(caught.value)


class TestSpecification:
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
