"""Several intervals of a backlog are one call to a real Prometheus, and their readings those of each alone."""

from __future__ import annotations

import contextlib
import json
import random
import time
from itertools import groupby

import pytest
import requests

from oracles import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    Interval,
    Reading,
    Throttled,
    Unavailable,
)
from oracles.prometheus import Prometheus
from tests.oracles.contract import Clock
from tests.oracles.prometheus_server import Middleman, prometheus, until
from tests.oracles.sockets import HERE
from tests.oracles.tls_server import HANG, Answer, serving_tls
from tests.oracles.web import serving

FIRST = 1_767_225_600
LENGTH = 60
MINUTES = 24
INTERVALS = tuple(
    Interval(at, at + LENGTH) for at in range(FIRST, FIRST + MINUTES * LENGTH, LENGTH)
)
MANY = 11_500
"""Seconds, and more points than Prometheus gives in one answer."""


def samples(name, points, kind="gauge"):
    """OpenMetrics of (seconds after FIRST, value)."""
    family = name.split("{")[0].removesuffix("_total").removesuffix("_bucket")
    lines = [f"# TYPE {family} {kind}"]
    lines += [f"{name} {value} {FIRST + at:.3f}" for at, value in points]
    return "\n".join(lines) + "\n"


def history():
    """Scraped every 15 s, with whatever makes one minute differ from the next."""
    chance = random.Random(7)
    scrapes = range(0, MINUTES * 60, 15)
    uneven = [(at + chance.random() / 2, chance.random()) for at in scrapes]
    gaps = [(at, value) for at, value in uneven if chance.random() < 0.8 and not 480 <= at < 690]
    total, counter = 0.0, []
    for at in scrapes:
        total = 0.0 if chance.random() < 0.1 else total + chance.random()
        counter.append((at, total))
    edges = [(60 * n + shift, n + shift) for n in range(MINUTES) for shift in (-0.001, 0, 0.001)]
    strange = [(at, "NaN" if at % 75 == 0 else 0.1 * at) for at in scrapes]
    strange[50] = (strange[50][0], "+Inf")
    return "".join(
        (
            samples("even", [(at, 1 / (at + 3)) for at in scrapes]),
            samples("uneven", uneven),
            samples("gaps", gaps),
            samples("total", [(at, 3 * at) for at in scrapes]),
            samples("requests_total", counter, "counter"),
            samples("edges", edges[1:]),
            samples("strange", strange),
            samples("zero", [(at, 0) for at in scrapes]),
            samples("long", [(at, at) for at in range(0, MANY, 15)]),
            samples('moved{on="a"}', [(at, 1) for at in scrapes if at <= 1230]),
            "".join(f'moved{{on="b"}} 2 {FIRST + at}\n' for at in scrapes if at >= 1215),
        )
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with prometheus(tmp_path_factory.mktemp("prometheus"), history(), prefix="/metrics") as url:
        yield url


@pytest.fixture(scope="module")
def tls():
    with serving_tls() as tls:
        yield tls


@pytest.fixture
def middleman(tls, server):
    return Middleman(tls, server)


@pytest.fixture
def clock():
    return Clock(FIRST + 100_000)


@pytest.fixture
def service(middleman, clock):
    with Prometheus({**HERE, **middleman.options}, clock=clock) as service:
        yield service


def ask(url, query, *, length=LENGTH, first=FIRST, **changes):
    spec = {"url": url, "query": query, "unit": "count", "step": 15, "min_points": 1, **changes}
    if spec["mode"] == "instant":
        del spec["min_points"]
    return Prometheus.query(spec, "throughput", first=first, length=length)


SELECTORS = ("even", "uneven", "gaps", "total", "requests_total", "edges", "strange", "zero")
STATISTICS = ("sum", "increase", "last", "count", "p50")
EXPRESSIONS = (
    "avg_over_time({}[60s])",
    "sum_over_time({}[60s])",
    "stddev_over_time({}[60s])",
    "quantile_over_time(0.7, {}[60s])",
    "last_over_time({}[60s])",
    "count_over_time({}[60s])",
    "rate({}[60s]) * 60",
    "abs(deriv({}[2m]))",
    "max({} offset 30s)",
    "abs(-{} + 0.3)",
    "max_over_time(rate({}[30s])[3m:20s])",
    "min_over_time(({} > 0.2)[5m:])",
    "{} / zero",
    "zero / {}",
    "scalar({})",
    "vector(3) and on() {}",
    "absent({})",
    "time() - timestamp({})",
)


def alone(service, queries, intervals):
    return [service.read(queries, interval) for interval in intervals]


def assert_the_same(together, one_by_one):
    """Equal to the byte; what has no reading alone has none together."""
    for queries, expected in zip(together, one_by_one, strict=True):
        for answer, reading in zip(queries, expected, strict=True):
            assert answer == (reading if isinstance(reading, Reading) else None)


def look_backs(middleman):
    """For how long before a moment samples count, as it was asked for."""
    return {fields["lookback_delta"] for kind, fields in middleman.asked if kind != "status/flags"}


class TestEquality:
    @pytest.mark.parametrize("selector", SELECTORS)
    def test_samples_are_those_of_each_interval_alone(self, service, middleman, selector):
        queries = [
            ask(middleman.url, selector, mode="samples", statistic=statistic)
            for statistic in STATISTICS
        ]
        one_by_one = alone(service, queries, INTERVALS)
        middleman.asked.clear()
        together = service.read_span(queries, INTERVALS)
        assert_the_same(together, one_by_one)
        assert sorted(middleman.kinds) == ["query"] * len(queries) + ["status/flags"]
        assert len({reading.evidence for [reading, *_] in together if reading}) >= MINUTES - 1

    @pytest.mark.parametrize("selector", SELECTORS)
    def test_an_expression_at_the_end_of_each_interval_is_what_it_is_alone(
        self, service, middleman, selector
    ):
        queries = [ask(middleman.url, one.format(selector), mode="instant") for one in EXPRESSIONS]
        one_by_one = alone(service, queries, INTERVALS)
        asked_alone = look_backs(middleman)
        middleman.asked.clear()
        assert_the_same(service.read_span(queries, INTERVALS), one_by_one)
        assert sorted(middleman.kinds) == ["query_range"] * len(queries) + ["status/flags"]
        # Not every version of Prometheus heeds it.
        assert look_backs(middleman) == asked_alone == {"60s"}

    @pytest.mark.parametrize("selector", SELECTORS)
    def test_an_expression_at_each_step_is_what_it_is_alone(self, service, middleman, selector):
        queries = [
            ask(middleman.url, one.format(selector), mode="range", step=20)
            for one in EXPRESSIONS[:8]
        ]
        one_by_one = alone(service, queries, INTERVALS)
        middleman.asked.clear()
        assert_the_same(service.read_span(queries, INTERVALS), one_by_one)
        assert sorted(middleman.kinds) == ["query_range"] * len(queries) + ["status/flags"]

    def test_all_kinds_of_answers_were_among_them(self, service, middleman):
        """Or the equality above would say little."""
        queries = [
            ask(middleman.url, selector, mode="samples", statistic="sum") for selector in SELECTORS
        ]
        queries.append(ask(middleman.url, "zero / gaps", mode="instant"))
        queries.append(ask(middleman.url, "uneven / zero", mode="instant"))
        said = [answer for one in alone(service, queries, INTERVALS) for answer in one]
        kinds = {type(one.answer if isinstance(one, Reading) else one).__name__ for one in said}
        assert kinds == {"Value", "Absence", "GarbageAnswer"}
        assert any(b"null" in one.evidence for one in said if isinstance(one, Reading))

    def test_a_series_that_goes_stale_ends_where_it_ends_alone(self, tmp_path):
        """Prometheus scrapes: the target loses a series, vanishes, and comes back."""
        with contextlib.ExitStack() as stack:
            web = stack.enter_context(serving())
            web.body = b"here 1\nthere 2\n"
            job = {
                "job_name": "web",
                "scrape_interval": "1s",
                "static_configs": [{"targets": [web.url("").removeprefix("http://")]}],
            }
            url = stack.enter_context(prometheus(tmp_path, scrape_configs=[job]))
            service = stack.enter_context(Prometheus(HERE))

            def scraped(expression):
                said = requests.get(f"{url}/api/v1/query", {"query": expression}, timeout=30)
                return bool(said.json()["data"]["result"])

            first = int(time.time()) + 1
            for body, status, expression in (
                (b"here 1\nthere 2\n", "200 OK", "count_over_time(there[1h]) > 4"),
                (b"here 3\n", "200 OK", "here == 3 unless on() there"),
                (b"", "500 Oops", "count_over_time((up == 0)[1h:1s]) > 3"),
                (b"here 4\nthere 5\n", "200 OK", "count_over_time((there == 5)[1h:1s]) > 4"),
            ):
                web.body, web.statuses["/metrics"] = body, status
                until(lambda expression=expression: scraped(expression), expression)
            number = (int(time.time()) - first) // 2 - 1
            intervals = [Interval(first + 2 * n, first + 2 * n + 2) for n in range(number)]
            changes = {"length": 2, "first": first, "step": 1}
            queries = [
                *(ask(url, name, mode="samples", **changes) for name in ("here", "there", "up")),
                *(
                    ask(url, expression, mode=mode, **changes)
                    for expression in ("max(there)", "here * on() group_left up", "absent(here)")
                    for mode in ("instant", "range")
                ),
            ]
            # A scrape may have been under way; what is compared has settled.
            until(lambda: time.time() > intervals[-1].end + 3, "the last interval to settle")
            one_by_one = alone(service, queries, intervals)
            assert_the_same(service.read_span(queries, intervals), one_by_one)
            there = [json.loads(said[1].evidence)["answer"]["points"] for said in one_by_one]
            assert "+-+" in "".join(
                seen for seen, _ in groupby("+" if some else "-" for some in there)
            )

    def test_more_points_than_prometheus_gives_are_several_calls(self, service, middleman):
        seconds = [Interval(FIRST + n, FIRST + n + 1) for n in range(MANY)]
        query = ask(middleman.url, "last_over_time(long[15s])", mode="instant", length=1)
        together = service.read_span([query], seconds)
        assert {type(said) for [said] in together} == {Reading}
        assert middleman.kinds == ["status/flags", "query_range", "query_range"]
        for number in (0, 14, 10_998, 10_999, 11_000, 11_001, MANY - 1):
            assert together[number] == service.read([query], seconds[number])

    def test_steps_count_as_points(self, service, middleman):
        query = ask(middleman.url, "last_over_time(long[15s])", mode="range", step=1)
        minutes = [Interval(at, at + 60) for at in range(FIRST, FIRST + 11_400, 60)]
        together = service.read_span([query], minutes)
        assert middleman.kinds == ["status/flags", "query_range", "query_range"]
        for number in (0, 182, 183, 184, 189):
            assert together[number] == service.read([query], minutes[number])


class TestWhatIsReadAlone:
    @pytest.mark.parametrize(
        "expression",
        [
            "max_over_time(even[60s] @ end())",
            "max_over_time(even[60s] @ start())",
            "sum(even)",
            "sum by (on) (moved)",
            "sum # of all\n(moved)",
            "SUM(even)",
            "max by (on) (moved)",
            "avg(last_over_time(even[60s]))",
            "scalar(stddev(even))",
            "topk(1, moved)",
            "histogram_quantile(0.9, rate(even[60s]))",
        ],
    )
    def test_expressions_that_a_longer_range_may_change(self, service, middleman, expression):
        for mode in ("instant", "range"):
            together = service.read_span([ask(middleman.url, expression, mode=mode)], INTERVALS)
            assert together == [[None]] * MINUTES
        assert not middleman.asked

    def test_what_an_expression_refers_to_by_the_end_of_the_range_is_another_thing(
        self, service, middleman, monkeypatch
    ):
        """Why those are read alone: here is what they would be."""
        monkeypatch.setattr("oracles.prometheus._is_alike", lambda spec: True)
        query = ask(middleman.url, "max_over_time(even[60s] @ end())", mode="instant")
        together = service.read_span([query], INTERVALS)
        assert together[-1] == service.read([query], INTERVALS[-1])
        assert together[0] != service.read([query], INTERVALS[0])

    @pytest.mark.parametrize(
        "flags",
        [
            Answer({"status": "error"}, 404),
            Answer({"status": "error"}, 403),
            Answer(b"<html>"),
            [],
            {"status": "success"},
            {"status": "success", "data": []},
            {"status": "success", "data": {"query.replica-label": "replica"}},
        ],
    )
    def test_what_is_not_prometheus_itself(self, service, middleman, flags):
        middleman.tamper = lambda kind, *_: flags if kind == "status/flags" else None
        queries = [ask(middleman.url, name, mode="samples") for name in ("even", "uneven")]
        assert service.read_span(queries, INTERVALS) == [[None, None]] * MINUTES
        assert middleman.kinds == ["status/flags"]

    def test_intervals_in_which_there_are_two_series(self, service, middleman):
        query = ask(middleman.url, "moved", mode="samples")
        one_by_one = alone(service, [query], INTERVALS)
        together = service.read_span([query], INTERVALS)
        assert_the_same(together, one_by_one)
        assert [n for n, [said] in enumerate(together) if said is None] == [20]
        assert isinstance(one_by_one[20][0], GarbageAnswer)

    def test_intervals_before_which_another_series_has_just_ended(self, service, middleman):
        """Servers up to version 2 count that one, later ones do not."""

        def end_late(kind, fields, answer):
            if kind == "query":
                answer["data"]["result"][0]["values"].append([FIRST + 1319.999, "1"])
                return answer
            return None

        middleman.tamper = end_late
        together = service.read_span([ask(middleman.url, "moved", mode="samples")], INTERVALS)
        assert [n for n, [said] in enumerate(together) if said is None] == [20, 21, 22]

    def test_a_range_that_is_too_large_an_answer(self, middleman, clock):
        query = ask(middleman.url, "even", mode="samples")
        options = {**HERE, **middleman.options, "max_bytes": 2_000}
        with Prometheus(options, clock=clock) as service:
            assert service.read_span([query], INTERVALS) == [[None]] * MINUTES
            assert isinstance(service.read_one(query, INTERVALS[0]), Reading)

    @pytest.mark.parametrize("said", [{"warnings": ["a store is away"]}, {"isPartial": True}])
    def test_a_range_that_is_answered_in_part(self, service, middleman, said):
        middleman.tamper = lambda kind, _, answer: {**answer, **said} if kind == "query" else None
        query = ask(middleman.url, "even", mode="samples")
        assert service.read_span([query], INTERVALS) == [[None]] * MINUTES

    def test_a_range_that_is_refused(self, service, middleman):
        middleman.tamper = lambda kind, *_: (
            Answer({"error": "too long"}, 400) if kind == "query" else None
        )
        query = ask(middleman.url, "even", mode="samples")
        assert service.read_span([query], INTERVALS) == [[None]] * MINUTES

    @pytest.mark.parametrize("mode", ["instant", "range"])
    @pytest.mark.parametrize("shift", [0.001, -0.001])
    def test_points_at_other_times_than_those_that_were_asked_for(
        self, service, middleman, mode, shift
    ):
        """As front ends make them that align a range to its step."""

        def align(kind, fields, answer):
            if kind == "query_range":
                for series in answer["data"]["result"]:
                    series["values"] = [[at + shift, value] for at, value in series["values"]]
                return answer
            return None

        middleman.tamper = align
        query = ask(middleman.url, "last_over_time(even[15s])", mode=mode)
        assert service.read_span([query], INTERVALS) == [[None]] * MINUTES

    def test_intervals_with_no_other_beside_them(self, service, middleman):
        query = ask(middleman.url, "even", mode="samples")
        some = [INTERVALS[0], *INTERVALS[3:6], INTERVALS[9]]
        together = service.read_span([query], some)
        assert [said is None for [said] in together] == [True, False, False, False, True]
        assert middleman.kinds == ["status/flags", "query"]
        assert middleman.asked[1][1]["query"] == "even\n[180s]"
        assert service.read_span([query], some[:2]) == [[None], [None]]
        assert len(middleman.asked) == 2


class TestFaults:
    @pytest.mark.parametrize("where", ["status/flags", "query"])
    @pytest.mark.parametrize(
        ("said", "expected"),
        [(429, Throttled), (500, Unavailable), (422, Unavailable), (HANG, Unavailable)],
    )
    def test_a_call_that_fails_fails_for_all(self, middleman, clock, where, said, expected):
        answer = said if said is HANG else Answer({}, said)
        middleman.tamper = lambda kind, *_: answer if kind == where else None
        query = ask(middleman.url, "even", mode="samples")
        timeout = 10 if said is HANG else 60  # within which the other call must be answered
        options = {**HERE, **middleman.options, "timeout": timeout}
        with Prometheus(options, clock=clock) as service:
            together = service.read_span([query], INTERVALS)
        assert {type(answer) for [answer] in together} == {expected}
        assert len(middleman.asked) == 1 + (where == "query")

    def test_access_that_is_refused_for_the_range_is_refused(self, service, middleman):
        middleman.tamper = lambda kind, *_: Answer({}, 403) if kind == "query" else None
        together = service.read_span([ask(middleman.url, "even", mode="samples")], INTERVALS)
        assert {type(answer) for [answer] in together} == {AccessRefused}

    def test_a_bad_question_spoils_no_other(self, service, middleman, server, clock):
        questions = [("even", "samples"), ("even{", "samples"), ("max(even)", "instant")]
        queries = [ask(middleman.url, query, mode=mode) for query, mode in questions]
        queries.insert(0, ask("https://127.0.0.1:1", "even", mode="samples"))
        for nobody, even, bad, most in service.read_span(queries, INTERVALS):
            assert isinstance(nobody, Unavailable)
            assert isinstance(even, Reading)
            assert bad is None
            assert isinstance(most, Reading)

    def test_what_may_not_be_asked_keeps_no_other_from_being_read_together(self, middleman, clock):
        options = {**HERE, **middleman.options, "only": [{"query": "ev*"}]}
        queries = [ask(middleman.url, name, mode="samples") for name in ("even", "uneven")]
        clock.now = INTERVALS[-1].end - 1
        with Prometheus(options, clock=clock) as service:
            together = service.read_span(queries, INTERVALS)
        assert [type(even) for even, _ in together] == [Reading] * (MINUTES - 1) + [Unavailable]
        assert {type(uneven) for _, uneven in together} == {AccessRefused}
        assert middleman.kinds == ["status/flags", "query"]

    def test_a_question_of_another_grid_is_refused(self, service, middleman):
        query = ask(middleman.url, "even", mode="samples", first=FIRST + 1)
        together = service.read_span([query], INTERVALS)
        assert {type(answer) for [answer] in together} == {BadRequest}
        assert not middleman.asked
