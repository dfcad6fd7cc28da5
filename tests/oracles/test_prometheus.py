from __future__ import annotations

import json
import threading
import time
from fractions import Fraction
from urllib.parse import parse_qs

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
from oracles.prometheus import Prometheus
from tests.oracles.contract import Bench, Clock, Contract
from tests.oracles.prometheus_server import prometheus
from tests.oracles.sockets import HERE
from tests.oracles.tls_server import HANG, RESET, Answer, serving_tls
from tests.oracles.web import closed_port

FIRST = 1_767_225_600
LENGTH = 60
INTERVAL = Interval(FIRST, FIRST + LENGTH)
FOLLOWING = Interval(FIRST + LENGTH, FIRST + 2 * LENGTH)


def series(name, *points, kind="gauge"):
    """OpenMetrics of (seconds after FIRST, value)."""
    samples = "".join(f"{name} {value} {FIRST + at}\n" for at, value in points)
    return f"# TYPE {name.split('{')[0].removesuffix('_total')} {kind}\n{samples}"


def every(step, *values, start=0):
    return [(start + place * step, value) for place, value in enumerate(values)]


HISTORY = "".join(
    (
        series("up_ratio", *every(15, 1, 1, 0, 1, 1, 1, 1, 1)),
        series("slow_seconds", *every(15, 0.25, 0.5, 0.75, 1)),
        series("absurd", *every(15, 7, 7, 7, 7)),
        series("border", (60, 1)),
        series("before", (-20, 1)),
        series("missing_one", *every(15, 1, 1, 1)),
        series("with_nan", *every(15, 1, "NaN", 1, 1)),
        series("infinite", *every(15, 1, "+Inf", 1, 1)),
        series("reset_total", *every(15, 90, 100, 5, 12, 20), kind="counter"),
        series('twice{job="a"}', *every(15, 1, 1, 1, 1)),
        'twice{job="b"} 1 1767225600\n',
        series("zero", *every(15, 0, 0, 0, 0)),
        series("jitter", (0.003, 1), (15.001, 2), (29.998, 3), (59.999, 4), (60.0, 500)),
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with prometheus(tmp_path_factory.mktemp("prometheus"), HISTORY, prefix="/monitoring") as url:
        yield url


@pytest.fixture(scope="module")
def tls():
    with serving_tls() as tls:
        yield tls


@pytest.fixture
def clock():
    return Clock(FIRST + 3600)


@pytest.fixture
def service(clock):
    with Prometheus(HERE, clock=clock) as service:
        yield service


def ask(url, query, metric="throughput", *, length=LENGTH, first=FIRST, **changes):
    spec = {"url": url, "query": query, "unit": "count", "step": 15, **changes}
    return Prometheus.query(spec, metric, first=first, length=length)


def points(reading):
    return json.loads(reading.evidence)["answer"]["points"]


class TestContract(Contract):
    @pytest.fixture
    def bench(self, server, tls, clock, monkeypatch):
        monkeypatch.setenv("PROMETHEUS_TOKEN", "s3cr3t-token")
        monkeypatch.setenv("PROMETHEUS_PASSWORD", "s3cr3t-password")

        def lying(request):
            assert request.headers["authorization"] == "Bearer s3cr3t-token"
            match parse_qs(request.body.decode())["query"][0].split()[0]:
                case "broken":
                    return Answer({"status": "error", "error": "Bearer s3cr3t-token"}, 500)
                case "refused":
                    return Answer("your s3cr3t-token is no good", 403)
                case "throttled":
                    return Answer({}, 429, {"Retry-After": "7"})
                case "hanging":
                    return HANG
                case "large":
                    return {"status": "success", "more": "x" * 20_000}

        tls.answer(lying)
        access = {
            tls.url: {
                "ca_file": tls.ca_file,
                "headers": {"Authorization": "Bearer ${PROMETHEUS_TOKEN}"},
            },
            server.removesuffix("/monitoring"): {
                "username": "reader",
                "password": "${PROMETHEUS_PASSWORD}",
            },
        }
        options = {**HERE, "access": access, "max_bytes": 10_000}

        def hanging():
            with Prometheus({**options, "timeout": 1}, clock=clock) as service:
                return service.read([ask(tls.url, "hanging")], INTERVAL)[0]

        def available(query, **changes):
            return ask(server, query, "availability", unit="ratio", **changes)

        return Bench(
            make=lambda: Prometheus(options, clock=clock),
            clock=clock,
            interval=INTERVAL,
            value=available("up_ratio"),
            value_amount=Fraction(750_000),
            other=available("up_ratio", statistic="min"),
            other_amount=Fraction(0),
            empty=available("nowhere"),
            garbage=available("absurd"),
            failing=ask(tls.url, "broken"),
            spec={"url": server, "query": "up_ratio", "unit": "ratio"},
            secrets=["s3cr3t-token", "s3cr3t-password", "cmVhZGVyOnMzY3IzdC1wYXNzd29yZA"],
            refused=ask(tls.url, "refused"),
            throttled=ask(tls.url, "throttled"),
            hanging=hanging,
            too_large=ask(tls.url, "large"),
            border=available("border", min_points=1),
        )


class TestSamples:
    def test_are_those_of_the_interval_by_their_own_time_stamps(self, service, server):
        reading = service.read_one(ask(server, "up_ratio"), INTERVAL)
        assert points(reading) == [[(FIRST + at) * 1000, n] for at, n in every(15, 1, 1, 0, 1)]

    @pytest.mark.parametrize(
        ("statistic", "amount"),
        [("mean", 625), ("min", 250), ("max", 1000), ("sum", 2500), ("last", 1000), ("p50", 500)],
    )
    def test_make_one_number_in_the_metrics_unit(self, service, server, statistic, amount):
        query = ask(server, "slow_seconds", "latency", unit="s", statistic=statistic)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(amount))

    def test_are_counted(self, service, server):
        query = ask(server, "slow_seconds", statistic="count")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(4))

    def test_belong_to_an_interval_to_the_millisecond(self, service, server):
        query = ask(server, "jitter", statistic="sum")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(10))
        query = ask(server, "jitter", statistic="sum", min_points=1)
        assert service.read_one(query, FOLLOWING).answer == Value(Fraction(500))

    def test_a_missing_one_is_no_data_unless_agreed(self, service, server):
        assert service.read_one(ask(server, "missing_one"), INTERVAL).answer is NO_DATA
        query = ask(server, "missing_one", min_points=3)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(1))

    def test_of_before_the_interval_do_not_count(self, service, server):
        assert service.read_one(ask(server, "before", min_points=1), INTERVAL).answer is NO_DATA

    def test_nan_is_a_missing_one(self, service, server):
        reading = service.read_one(ask(server, "with_nan"), INTERVAL)
        assert reading.answer is NO_DATA
        assert points(reading)[1] == [(FIRST + 15) * 1000, None]
        query = ask(server, "with_nan", min_points=3)
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(1))

    def test_infinity_is_garbage(self, service, server):
        with pytest.raises(GarbageAnswer, match="divided by 0"):
            service.read_one(ask(server, "infinite"), INTERVAL)

    def test_a_counter_that_was_reset_has_grown_from_zero(self, service, server):
        query = ask(server, "reset_total", statistic="increase")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(10 + 5 + 7))

    def test_an_expression_is_refused_by_the_server_in_its_words(self, service, server):
        with pytest.raises(BadRequest, match="ranges only allowed for vector selectors"):
            service.read_one(ask(server, "sum(up_ratio)"), INTERVAL)


class TestRange:
    def test_each_point_is_what_happened_in_its_step(self, service, server):
        expression = "avg_over_time(up_ratio[30s])"
        query = ask(server, expression, mode="range", step=30, length=120)
        reading = service.read_one(query, Interval(FIRST, FIRST + 120))
        # In version 2 a range is closed at both ends, but no sample lies at the last millisecond.
        assert [number for _, number in points(reading)] == [1, 0.5, 1, 1]
        assert [at for at, _ in points(reading)] == [
            (FIRST + end) * 1000 - 1 for end in (30, 60, 90, 120)
        ]
        assert reading.answer == Value(Fraction(7, 8))

    def test_a_step_without_samples_is_missing(self, service, server):
        expression = "avg_over_time(missing_one[15s])"
        assert service.read_one(ask(server, expression, mode="range"), INTERVAL).answer is NO_DATA

    def test_more_points_than_prometheus_gives_are_refused(self, server):
        with pytest.raises(BadRequest, match="larger step"):
            ask(server, "sum(x)", mode="range", step=1, length=11_001)


class TestInstant:
    def test_a_range_of_the_interval_covers_just_that(self, service, server):
        expression = "1 - avg_over_time(up_ratio[60s])"
        query = ask(server, expression, "error_rate", unit="ratio", mode="instant")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(250_000))
        assert service.read_one(query, FOLLOWING).answer == Value(Fraction(0))

    def test_a_scalar_is_a_number_too(self, service, server):
        query = ask(server, "scalar(min_over_time(up_ratio[60s]))", mode="instant")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(0))

    def test_nothing_divided_by_nothing_is_no_data(self, service, server):
        expression = "sum(sum_over_time(zero[60s])) / sum(sum_over_time(zero[60s]))"
        query = ask(server, expression, "error_rate", unit="ratio", mode="instant")
        assert service.read_one(query, INTERVAL).answer is NO_DATA

    def test_something_divided_by_nothing_is_garbage(self, service, server):
        expression = "sum(sum_over_time(up_ratio[60s])) / sum(sum_over_time(zero[60s]))"
        query = ask(server, expression, "error_rate", unit="ratio", mode="instant")
        with pytest.raises(GarbageAnswer, match="divided by 0"):
            service.read_one(query, INTERVAL)

    @pytest.mark.parametrize("selector", ["before", 'before{job=""}', '{__name__="before"}'])
    @pytest.mark.parametrize("mode", ["instant", "range"])
    def test_a_selector_that_looks_back_beyond_the_interval_is_refused(self, selector, mode):
        with pytest.raises(BadRequest, match="before the interval; use mode samples"):
            ask("http://127.0.0.1", selector, mode=mode)

    def test_a_range_is_refused_with_the_mode_to_use(self, service, server):
        with pytest.raises(GarbageAnswer, match="mode samples"):
            service.read_one(ask(server, "up_ratio[60s]", mode="instant"), INTERVAL)

    @pytest.mark.parametrize("changes", [{"statistic": "max"}, {"min_points": 1}])
    def test_one_number_needs_no_statistic(self, changes):
        with pytest.raises(BadRequest, match="leave statistic and min_points out"):
            ask("http://127.0.0.1", "sum(x)", mode="instant", **changes)


class TestQuestion:
    def test_more_than_one_series_is_garbage_with_advice(self, service, server):
        with pytest.raises(GarbageAnswer, match=r"2 series .* aggregate, for instance with sum"):
            service.read_one(ask(server, "twice"), INTERVAL)
        query = ask(server, "avg(avg_over_time(twice[60s]))", mode="instant")
        assert service.read_one(query, INTERVAL).answer == Value(Fraction(1))

    def test_what_cannot_be_parsed_is_refused_in_the_servers_words(self, service, server):
        with pytest.raises(BadRequest, match="unexpected character inside braces") as caught:
            service.read_one(ask(server, "up{"), INTERVAL)
        assert not caught.value.retryable

    @pytest.mark.parametrize(
        "url",
        ["http://u:hunter2@prometheus.test", "http://prometheus.test/?token=hunter2", "ftp://x"],
    )
    def test_a_url_is_plain(self, url):
        with pytest.raises(BadRequest, match="url") as caught:
            ask(url, "up")
        assert "hunter2" not in str(caught.value)

    def test_what_is_no_number_is_not_quoted(self, clock, tls):
        series = {"metric": {}, "values": [[FIRST, "sk-live-0123"]]}
        data = {"resultType": "matrix", "result": [series]}
        tls.answer(lambda _: {"status": "success", "data": data})
        options = {"access": {tls.url: {"ca_file": tls.ca_file}}}
        with (
            Prometheus({**HERE, **options}, clock=clock) as service,
            pytest.raises(GarbageAnswer, match="a text of 12 characters is no number") as caught,
        ):
            service.read_one(ask(tls.url, "up"), INTERVAL)
        assert "sk-" not in str(caught.value)

    def test_what_mimir_and_thanos_need_is_sent(self, clock, tls):
        tls.answer(lambda _: {"status": "success", "data": {"resultType": "matrix", "result": []}})
        options = {"access": {tls.url: {"ca_file": tls.ca_file}}}
        with Prometheus({**HERE, **options}, clock=clock) as service:
            query = ask(tls.url + "/prometheus", "up", tenant="team-a", dedup=True)
            assert service.read_one(query, INTERVAL).answer is NO_DATA
        request = tls.requests[-1]
        assert (request.method, request.path) == ("POST", "/prometheus/api/v1/query")
        assert request.headers["x-scope-orgid"] == "team-a"
        sent = {name: value for name, [value] in parse_qs(request.body.decode()).items()}
        assert sent == {
            "query": "up\n[60s]",
            "time": f"{FIRST + 59}.999",
            "timeout": "20s",
            "dedup": "true",
            "partial_response": "false",
            "lookback_delta": "60s",
        }

    def test_victoriametrics_is_told_to_leave_the_times_of_a_range_alone(self, clock, tls):
        tls.answer(lambda _: {"status": "success", "data": {"resultType": "matrix", "result": []}})
        options = {"access": {tls.url: {"ca_file": tls.ca_file}}}
        with Prometheus({**HERE, **options}, clock=clock) as service:
            service.read_one(ask(tls.url, "rate(up[15s])", mode="range"), INTERVAL)
        assert parse_qs(tls.requests[-1].body.decode())["nocache"] == ["1"]

    def test_each_server_has_a_lane_of_its_own(self):
        assert Prometheus.lane(ask("https://a.test/prometheus", "up")) == "a.test"
        assert Prometheus.lane(ask("https://b.test:9090", "up")) == "b.test:9090"

    def test_many_are_asked_at_the_same_time_but_not_all(self, clock, tls):
        running, most, together = [], [], threading.Barrier(2)

        def slow(_):
            running.append(1)
            most.append(len(running))
            together.wait(60)
            time.sleep(0.05)  # as long as more of them would need to arrive
            running.pop()
            return {"status": "success", "data": {"resultType": "matrix", "result": []}}

        tls.answer(slow)
        options = {"access": {tls.url: {"ca_file": tls.ca_file}}, "workers": 4}
        with Prometheus({**HERE, **options}, clock=clock) as service:
            answers = service.read([ask(tls.url, f"up{n}") for n in range(20)], INTERVAL)
        assert [answer.answer for answer in answers] == [NO_DATA] * 20
        assert 1 < max(most) <= 4


class TestFaults:
    @pytest.fixture
    def lying(self, tls, clock):
        options = {"access": {tls.url: {"ca_file": tls.ca_file}}}
        with Prometheus({**HERE, **options}, clock=clock) as service:

            def read(said, **changes):
                tls.answer(lambda _: said)
                query = ask(tls.url, **{"query": "up", **changes})
                [answer] = service.read([query], INTERVAL)
                return answer

            yield read

    @pytest.mark.parametrize(
        "part", [{"warnings": ["store 2 is away"]}, {"partial": True}, {"isPartial": True}]
    )
    def test_a_partial_answer_is_none(self, lying, part):
        data = {"resultType": "matrix", "result": [{"metric": {}, "values": GOOD}]}
        assert lying({"status": "success", "data": data}).answer == Value(Fraction(1))
        assert type(lying({"status": "success", "data": data, **part})) is Unavailable

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (400, BadRequest),
            (401, AccessRefused),
            (403, AccessRefused),
            (404, BadRequest),
            (422, Unavailable),
            (429, Throttled),
            (500, Unavailable),
            (503, Unavailable),
        ],
    )
    def test_each_status_has_its_error(self, lying, status, expected):
        error = lying(Answer({"status": "error", "error": "the reason"}, status))
        assert type(error) is expected
        assert "the reason" in str(error)

    def test_garbage(self, lying):
        def matrix(*result):
            return {"status": "success", "data": {"resultType": "matrix", "result": [*result]}}

        for said in (
            b"<html>captive portal</html>",
            b'{"status": "succ',
            [],
            {"status": "error", "error": "with status 200"},
            {"status": "success"},
            {"status": "success", "data": {"resultType": "string", "result": [0, "x"]}},
            {"status": "success", "data": {"resultType": "vector", "result": []}},
            matrix({"metric": {}, "values": [[FIRST, "one"], *GOOD[1:]]}),
            matrix({"metric": {}, "values": [[FIRST, 1, 2], *GOOD[1:]]}),
            matrix({"metric": {}, "values": [[1e400, "1"], *GOOD[1:]]}),
            matrix({"metric": {}, "values": [[FIRST, "-1"], *GOOD[1:3], [FIRST + 45, "-9"]]}),
            matrix({"metric": {}, "values": [GOOD[0], *GOOD]}),
            matrix({"metric": {}, "values": GOOD[::-1]}),
            matrix({"metric": {}, "histograms": [[FIRST, {"count": "1"}]]}),
        ):
            assert type(lying(said)) is GarbageAnswer, said

    def test_points_outside_the_interval_are_another_ones(self, lying):
        values = [[FIRST - 0.001, "77"], *GOOD, [FIRST + 60, "77"]]
        data = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
        assert lying({"status": "success", "data": data}).answer == Value(Fraction(1))

    @pytest.mark.parametrize(("first", "kind"), [(14.999, Reading), (14.998, Reading), (0, None)])
    def test_steps_at_other_times_are_garbage(self, lying, first, kind):
        """What a front end that aligns ranges gives for a step happened in the one before."""
        values = [[FIRST + first + at, "1"] for at in (0, 15, 30, 45)]
        data = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
        answer = lying({"status": "success", "data": data}, query="rate(x[15s])", mode="range")
        assert type(answer) is (kind or GarbageAnswer)
        assert kind or "aligns a range to its step" in str(answer)

    def test_a_clock_that_is_wrong_here_or_there_moves_no_sample(self, lying, clock):
        data = {"resultType": "matrix", "result": [{"metric": {}, "values": GOOD}]}
        said = Answer(
            {"status": "success", "data": data}, 200, {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}
        )
        first = lying(said)
        clock.now += 10**8
        assert lying(said) == first

    def test_a_broken_connection_is_unavailable(self, lying):
        assert type(lying(RESET)) is Unavailable

    def test_nobody_listening_is_unavailable(self, service):
        query = ask(f"http://127.0.0.1:{closed_port()}", "up")
        with pytest.raises(Unavailable, match="ConnectionRefused"):
            service.read_one(query, INTERVAL)

    def test_a_certificate_that_nobody_vouches_for_is_unavailable(self, service, tls):
        with pytest.raises(Unavailable, match="Cert"):
            service.read_one(ask(tls.url, "up"), INTERVAL)


GOOD = [[FIRST + at, str(value)] for at, value in every(15, 1, 1, 1, 1)]


def test_a_late_sample_is_why_an_interval_has_to_settle(service, server, clock):
    clock.now = INTERVAL.end + Prometheus.SETTLE_DELAY
    # The relayer waits for the settle delay of the document; `read` answers whoever comes later.
    assert service.read_one(ask(server, "up_ratio"), INTERVAL).answer == Value(Fraction(3, 4))
    assert Prometheus.SETTLE_DELAY >= 60  # a scrape may take a minute before it is stored
