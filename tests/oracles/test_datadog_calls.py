"""How Datadog is called: many queries at once, keys, and what its failures are."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from oracles import (
    NO_DATA,
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    Reading,
    Throttled,
    Unavailable,
    Value,
)
from oracles.datadog import Datadog
from tests.oracles.datadog import API_KEY, APP_KEY, INTERVAL, OnDatadog, ask, make, minutes
from tests.oracles.tls_server import DRIP, HANG, RESET, Answer, dripping_head
from tests.oracles.web import closed_port


class TestTheCall(OnDatadog):
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


class TestErrors(OnDatadog):
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
