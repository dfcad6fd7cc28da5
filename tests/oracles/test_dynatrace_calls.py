"""How Dynatrace is called: many selectors at once, tokens, pages, and what its failures are."""

from __future__ import annotations

from fractions import Fraction

import pytest

from oracles import NO_DATA, AccessRefused, BadRequest, GarbageAnswer, Throttled, Unavailable, Value
from oracles.dynatrace import Dynatrace
from tests.oracles.dynatrace import INTERVAL, TOKEN, OnDynatrace, ask, make, minutes
from tests.oracles.tls_server import RESET, Answer
from tests.oracles.web import closed_port

ONE = {"abc12345": "${DT_API_TOKEN}"}
PATH = "/e/abc12345/api/v2/metrics/query"


class TestTheCall(OnDynatrace):
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


class TestTokens(OnDynatrace):
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


class TestPages(OnDynatrace):
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


class TestErrors(OnDynatrace):
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
