from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest

from oracles import NO_DATA, BadRequest, GarbageAnswer, Interval, Unavailable, Value
from oracles.json_http import JsonHttp
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.sockets import HERE
from tests.oracles.tls_server import HANG, Answer, serving_tls
from tests.oracles.web import closed_port

FIRST = 1_767_225_600  # 2026-01-01T00:00:00Z
LENGTH = 60
INTERVAL = Interval(FIRST, FIRST + LENGTH)
PAIRS = {"points": "$.points[*]", "time": "$[0]", "value": "$[1]", "step": 15}


def minute(*values, start=0):
    """{"points": [[UNIX s, value], ...]} of every 15 seconds."""
    return {"points": [[FIRST + start + 15 * place, value] for place, value in enumerate(values)]}


@pytest.fixture(scope="module")
def server():
    with serving_tls() as server:
        yield server


@pytest.fixture
def clock():
    return Clock(FIRST + 3600)


@pytest.fixture
def service(server, clock):
    with JsonHttp(
        {**HERE, "access": {server.url: {"ca_file": server.ca_file}}}, clock=clock
    ) as service:
        yield service


@pytest.fixture
def read(service, server):
    """What is read of one answer of the server."""

    def read(said, *, interval=INTERVAL, **spec):
        server.answer(lambda _: said)
        url = server.url + "/?from={start_s}&to={end_s}"
        question = ask(url, **{"unit": "count", **(spec or PAIRS)})
        [answer] = service.read([question], interval)
        return answer

    return read


def ask(url, metric="throughput", *, length=LENGTH, **spec):
    return JsonHttp.query({"url": url, **spec}, metric, first=FIRST, length=length)


def points(reading):
    return json.loads(reading.evidence)["answer"]["points"]


class TestContract(Contract):
    @pytest.fixture
    def bench(self, server, clock, monkeypatch):
        monkeypatch.setenv("API_TOKEN", "s3cr3t-token")

        def said(request):
            assert request.headers["authorization"] == "Bearer s3cr3t-token"
            match request.path:
                case "/up":
                    return minute(0.9, 1, 1, 1)
                case "/down":
                    return minute(0, 0, 0, 0)
                case "/nothing":
                    return {"points": []}
                case "/garbage":
                    return minute(1, 2, 3, 4)
                case "/refused":
                    return Answer("Bearer s3cr3t-token is no good", 401)
                case "/throttled":
                    return Answer({}, 503, {"Retry-After": "30"})
                case "/hanging":
                    return HANG
                case "/large":
                    return {"points": ["x" * 20_000]}
                case "/border":
                    return {"points": [[FIRST + 60, 1]]}
                case _:
                    return Answer({"error": "s3cr3t-token"}, 502)

        server.answer(said)
        access = {
            server.url: {
                "ca_file": server.ca_file,
                "headers": {"Authorization": "Bearer ${API_TOKEN}"},
            }
        }
        options = {**HERE, "access": access, "max_bytes": 10_000}

        def query(path, **changes):
            url = f"{server.url}{path}?from={{start_s}}&to={{end_s}}"
            return ask(url, "availability", unit="ratio", **PAIRS, **changes)

        def hanging():
            with JsonHttp({**options, "timeout": 1}, clock=clock) as service:
                return service.read([query("/hanging")], INTERVAL)[0]

        return Bench(
            make=lambda: JsonHttp(options, clock=clock),
            clock=clock,
            interval=INTERVAL,
            value=query("/up"),
            value_amount=Fraction(975_000),
            other=query("/down"),
            other_amount=Fraction(0),
            empty=query("/nothing"),
            garbage=query("/garbage"),
            failing=query("/failing"),
            spec={"url": server.url + "/{start_s}", "unit": "ratio", "value": "$.v"},
            secrets=["s3cr3t-token"],
            refused=query("/refused"),
            throttled=query("/throttled"),
            hanging=hanging,
            too_large=query("/large"),
            border=query("/border", min_points=1),
        )


class TestShapes:
    def test_one_number(self, read):
        assert read({"uptime": 99.95}, value="$.uptime").answer == Value(Fraction("99.95"))

    def test_one_number_that_is_not_there(self, read):
        for nothing in ({}, {"uptime": None}, [], 5):
            assert read(nothing, value="$.uptime").answer is NO_DATA

    def test_a_bare_number(self, read):
        assert read(7, value="$").answer == Value(Fraction(7))

    def test_one_number_too_many(self, read):
        error = read({"v": [1, 2]}, value="$.v[*]")
        assert type(error) is GarbageAnswer
        assert "finds 2 values, not one" in str(error)

    def test_pairs(self, read):
        assert read(minute(1, 2, 3, 6)).answer == Value(Fraction(3))

    def test_objects(self, read):
        said = {"rows": [{"at": FIRST + n, "n": n} for n in (0, 20, 40)]}
        spec = {"points": "$.rows[*]", "time": "$.at", "value": "$.n", "step": 20}
        assert read(said, **spec, statistic="sum").answer == Value(Fraction(60))

    def test_a_list_of_times_and_a_list_of_values(self, read):
        said = {"times": [FIRST * 1000, FIRST * 1000 + 30_000], "values": [4, 6]}
        spec = {"time": "$.times[*]", "value": "$.values[*]", "time_unit": "ms", "step": 30}
        assert read(said, **spec).answer == Value(Fraction(5))

    def test_what_grafana_answers(self, service, server):
        """POST /api/ds/query: a frame has a list of times and a list of values."""
        values = [[(FIRST + at) * 1000 for at in (0, 30)], [0.25, 0.75]]
        frame = {"schema": {"fields": [{"type": "time"}, {"type": "number"}]}}
        frame["data"] = {"values": values}
        server.answer(lambda _: {"results": {"A": {"status": 200, "frames": [frame]}}})
        body = {
            "queries": [{"refId": "A", "datasource": {"uid": "x"}, "expr": "avg(up)"}],
            "from": "{start_ms}",
            "to": "{last_ms}",
        }
        query = ask(
            server.url + "/api/ds/query",
            unit="ratio",
            metric="availability",
            method="POST",
            body=json.dumps(body),
            require="$.results.A.frames[0]",
            time="$.results.A.frames[0].data.values[0][*]",
            value="$.results.A.frames[0].data.values[1][*]",
            time_unit="ms",
            step=30,
        )
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(500_000))
        asked = server.requests[-1]
        assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
        assert asked.json() == {**body, "from": f"{FIRST}000", "to": f"{FIRST + 59}999"}

    @pytest.mark.parametrize(
        ("unit", "stamp"),
        [
            ("s", FIRST + 59.9996),
            ("s", f"{FIRST + 59}.9999999"),
            ("ms", (FIRST + 60) * 1000 - 1),
            ("us", (FIRST + 60) * 10**6 - 1),
            ("ns", (FIRST + 60) * 10**9 - 1),
            ("rfc3339", "2026-01-01T00:00:59.999999Z"),
            ("rfc3339", "2026-01-01T05:30:59.9+05:30"),
        ],
    )
    def test_a_time_is_never_rounded_into_the_next_interval(self, read, unit, stamp):
        spec = {**PAIRS, "time_unit": unit, "min_points": 1}
        assert read({"points": [[stamp, 1]]}, **spec).answer == Value(Fraction(1))

    def test_the_order_of_an_answer_does_not_matter(self, read):
        said = minute(4, 3, 2, 1)
        said["points"].reverse()
        assert read(said, **PAIRS, statistic="last").answer == Value(Fraction(1))

    def test_points_of_other_intervals_are_left_out(self, read):
        said = minute(99, 1, 1, 1, 1, 99, start=-15)
        assert read(said).answer == Value(Fraction(1))

    def test_a_partial_last_point_may_be_missing_or_null(self, read):
        for said in (minute(1, 1, 1), minute(1, 1, 1, None)):
            assert read(said).answer is NO_DATA
            assert read(said, **PAIRS, min_points=3).answer == Value(Fraction(1))

    def test_a_counter_that_was_reset(self, read):
        answer = read(minute(90, 100, 5, 12), **PAIRS, statistic="increase").answer
        assert answer == Value(Fraction(22))

    def test_numbers_may_be_written_as_texts_and_be_very_large(self, read):
        assert read({"v": "1.5e2"}, value="$.v").answer == Value(Fraction(150))
        counters = minute(*(10**17 + n * 10**6 for n in range(4)))
        grown = read(counters, **PAIRS, statistic="increase").answer
        assert grown == Value(Fraction(3 * 10**6))

    def test_the_hour_that_summer_time_repeats_is_two_hours(self, service, server):
        """Berlin, 2026-10-25: 02:30 comes twice, and only the offset tells which one is meant."""
        first = 1_792_886_400  # 2026-10-25T00:00:00Z, 02:00 in Berlin
        said = {"points": [["2026-10-25T02:30:00+02:00", 1], ["2026-10-25T02:30:00+01:00", 3]]}
        server.answer(lambda _: said)
        spec = {"url": server.url, "unit": "count", **PAIRS, "time_unit": "rfc3339"}
        query = JsonHttp.query({**spec, "step": 3600}, "throughput", first=first, length=3600)
        service._clock.now = first + 10_000
        answers = [service.read_one(query, query.interval(n)).answer for n in (0, 1)]
        assert answers == [Value(Fraction(1)), Value(Fraction(3))]


class TestRequest:
    def test_the_interval_stands_in_the_url_in_many_notations(self, service, server):
        server.answer(lambda _: {"v": 1})
        template = "/v1/{start_s}/x?a={end_s}&b={last_s}&c={start_ms}&d={end_ms}&e={last_ms}"
        template += "&f={start_rfc3339}&g={end_rfc3339}&h={last_rfc3339}&i={other}"
        query = ask(server.url + template, unit="count", value="$.v")
        service.read_one(query, INTERVAL)
        asked = server.requests[-1]
        assert asked.path == f"/v1/{FIRST}/x"
        assert asked.query == {
            "a": [f"{FIRST + 60}"],
            "b": [f"{FIRST + 59}"],
            "c": [f"{FIRST}000"],
            "d": [f"{FIRST + 60}000"],
            "e": [f"{FIRST + 59}999"],
            "f": ["2026-01-01T00:00:00Z"],
            "g": ["2026-01-01T00:01:00Z"],
            "h": ["2026-01-01T00:00:59.999Z"],
            "i": ["{other}"],
        }

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"url": "ftp://api.test/"}, "no http or https URL"),
            ({"url": "https://u:hunter2@api.test/"}, "credentials do not belong"),
            ({"url": "https://api.test/#x"}, "fragment"),
            ({"url": "https://{start_s}.test/"}, "cannot choose the server"),
            ({"url": "https://api.test{start_s}/"}, "cannot choose the server"),
            ({"url": "http:{start_s}.evil.example/x"}, "cannot choose the server"),
            ({"url": "https:///{start_s}.evil/"}, "cannot choose the server"),
            ({"url": "http:/\\{start_s}.evil/"}, "cannot choose the server"),
            ({"url": "https://api.test\\{start_s}/"}, "cannot choose the server"),
            ({"url": "https://api.test\t.evil/{start_s}"}, "cannot choose the server"),
            ({"url": "https://api.test:{start_s}/"}, "no http or https URL"),
            ({"url": "https://api.test/"}, r"write the interval into the url or the body \("),
            ({"url": "https://api.test/", "method": "POST", "body": "{}"}, "into the url or the"),
            ({"value": "v"}, "no JSONPath"),
            ({"value": "$" + "[*,*]" * 30 + ".x"}, "one selector in each pair of brackets"),
            ({"value": "$[0,1]"}, "one selector in each pair of brackets"),
            ({"value": "$[?@.a[0,0]]"}, "one selector in each pair of brackets"),
            ({"value": "$[?count(@[*,*]) > 1]"}, "one selector in each pair of brackets"),
            ({"value": "$" + ".a" * 21}, "21 segments, 20 at most"),
            ({"value": f"$[?@{'.a' * 20}]"}, "21 segments, 20 at most"),
            ({"value": "$[?@.a == $.b]"}, "write '@' in it"),
            ({"value": "$[" * 150}, "no JSONPath"),
            ({"points": "$..a", "time": "$.t", "value": "$..v", "step": 15}, "one '..' in points"),
            ({"value": "$.v[?match(@.x, '(a*)*b')]"}, "no JSONPath"),
            ({"value": "$..a..b"}, "take for ever"),
            ({"value": "$[?@.a[?@.b]]"}, "take for ever"),
            ({"body": "{}"}, "a body belongs to POST"),
            ({"method": "POST"}, "a body belongs to POST"),
            ({"method": "POST", "body": "{start_s"}, "no JSON"),
            ({"method": "DELETE"}, "method"),
            ({"points": "$.x"}, "points need a time"),
            ({"statistic": "max"}, "leave statistic and min_points out"),
            ({"unit": "s"}, "not a unit of count"),
            ({**PAIRS, "step": 45}, "no multiple"),
            ({**PAIRS, "min_points": 5}, "more than the 4 points"),
        ],
    )
    def test_what_cannot_work_is_refused(self, changes, complaint):
        url = "https://api.test/{start_s}"
        spec = {"url": url, "unit": "count", "value": "$.v", **changes}
        with pytest.raises(BadRequest, match=complaint) as caught:
            JsonHttp.query(spec, "throughput", first=FIRST, length=LENGTH)
        assert "hunter2" not in str(caught.value)


def test_each_server_has_a_lane_of_its_own():
    for server in ("a.test", "b.test:8080"):
        query = ask(f"https://{server}/x?from={{start_s}}", unit="count", value="$.v")
        assert JsonHttp.lane(query) == server
    odd = ask("https://A.Test:443?from={start_s}", unit="count", value="$.v")
    assert JsonHttp.lane(odd) == "a.test"


def test_two_intervals_must_lead_to_one_server(monkeypatch):
    monkeypatch.setattr("oracles.json_http._SERVER", re.compile(""))
    with pytest.raises(BadRequest, match="cannot choose the server"):
        ask("https:///{start_s}.evil/", unit="count", value="$.v")


def test_an_interval_in_the_url_in_the_body_or_in_the_points_will_do():
    single = {"unit": "count", "value": "$.v"}
    ask("https://api.test/{last_rfc3339}", **single)
    ask("https://api.test/", **single, method="POST", body='{"to": {end_ms}}')
    ask("https://api.test/", unit="count", **PAIRS)


def test_a_path_may_have_quotes_with_anything_between():
    ask("https://api.test/{end_s}", unit="count", value="$['a?b..c..d?']")


class TestGarbage:
    @pytest.mark.parametrize(
        "said",
        [
            {"points": [[FIRST]]},
            {"points": [5]},
            {"points": ["[1767225600, 1]"]},
            {"points": [["yesterday", 1]]},
            {"points": [[None, 1]]},
            {"points": [[True, 1]]},
            {"points": [[FIRST, "many"]]},
            {"points": [[FIRST, True]]},
            {"points": [[FIRST, [1]]]},
            {"points": [[FIRST, 10**400]]},
            {"points": [[FIRST, 1], [FIRST, 1]]},
            minute(-1, -1, -1, -1),
            b'{"points": [[1767225600, NaN]]}',
            b'{"points": [[1767225600, 1e999]]}',
            b'{"points": [[1767225600, "1e999"]]}',
            b"[" * 100_000,
            b"",
            b"\xff\xfe",
        ],
    )
    def test_is_never_a_value(self, read, said):
        assert type(read(said)) is GarbageAnswer

    def test_times_and_values_come_in_pairs(self, read):
        spec = {"time": "$.t[*]", "value": "$.v[*]", "step": 15}
        assert type(read({"t": [FIRST], "v": [1, 2]}, **spec)) is GarbageAnswer

    def test_what_was_required_must_be_there(self, read):
        said = {"error": "the database is away"}
        assert read(said).answer is NO_DATA
        error = read(said, **PAIRS, require="$.points")
        assert type(error) is GarbageAnswer
        assert "lacks $.points" in str(error)
        assert read({"points": []}, **PAIRS, require="$.points").answer is NO_DATA

    @pytest.mark.parametrize(
        ("said", "spec", "complaint"),
        [
            ("sk-live-" * 9, {"value": "$"}, "a text of 72 characters is no number"),
            (["sk-live-"], {"value": "$"}, "a list of 1 is no number"),
            ({"points": [["sk-live-", 1]]}, PAIRS, "a text of 8 characters is no time in s"),
            ({"points": [[FIRST, {"sk-live-": 1}]]}, PAIRS, "an object of 1 fields is no number"),
        ],
    )
    def test_is_not_quoted(self, read, said, spec, complaint):
        error = read(said, **spec)
        assert type(error) is GarbageAnswer
        assert complaint in str(error)
        assert "sk-" not in str(error)

    def test_an_answer_may_hold_only_so_much(self, read, monkeypatch):
        monkeypatch.setattr("oracles.json_http._VISITED", 10)
        assert read({"v": 1, "x": [0] * 7}, value="$.v").answer == Value(Fraction(1))
        error = read({"v": 1, "x": [0] * 8}, value="$.v")
        assert type(error) is GarbageAnswer
        assert "more than 10 values in the answer" in str(error)

    def test_paths_may_visit_only_so_much_together(self, read, monkeypatch):
        monkeypatch.setattr("oracles.json_http._VISITED", 20)
        said = {"a": [[1, 2, 3, 4, 5]] * 3}
        error = read(said, require="$.a[*][*]", value="$.a[0][0]")
        assert type(error) is GarbageAnswer
        assert "visit more than 20 values" in str(error)

    def test_a_path_may_find_only_so_much(self, read, monkeypatch):
        monkeypatch.setattr("oracles.json_http._NODES", 3)
        error = read(minute(1, 1, 1, 1))
        assert type(error) is GarbageAnswer
        assert "more than 3" in str(error)


def test_one_hanging_server_spoils_no_other(server, clock):
    access = {server.url: {"ca_file": server.ca_file}}
    with JsonHttp({**HERE, "access": access, "timeout": 5}, clock=clock) as service:
        server.answer(lambda request: HANG if request.path == "/hang" else {"v": 1})
        hang, fine, gone = service.read(
            [
                ask(url, unit="count", value="$.v")
                for url in (
                    server.url + "/hang?at={end_s}",
                    server.url + "/fine?at={end_s}",
                    f"http://127.0.0.1:{closed_port()}/{{end_s}}",
                )
            ],
            INTERVAL,
        )
    assert fine.answer == Value(Fraction(1))
    assert type(hang) is type(gone) is Unavailable
