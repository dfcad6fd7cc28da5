"""A window that slides over the answers of a real monitoring service on moto, and over a real probe."""

import json
import time
from fractions import Fraction

import pytest

from oracles import (
    NO_DATA,
    BadRequest,
    GarbageAnswer,
    Interval,
    MonitoringError,
    Reading,
    Value,
    canonical,
    connect,
    load,
)
from oracles.memory import MemorySampleStore
from tests.oracles.aws import FIRST, OnMoto, names, spec
from tests.oracles.contract import Bench, Clock, Contract

MINUTE = 60
END = FIRST + 600
LAST = Interval(END - MINUTE, END)


def ask(name="Latency", metric="latency", *, length=MINUTE, over=300, **fields):
    source = {"type": "cloudwatch", "spec": spec(name, "Maximum", unit="Milliseconds")}
    return load("sliding").query(
        {"source": source, "over": over, **fields}, metric, first=FIRST, length=length
    )


class OnSliding(OnMoto):
    @pytest.fixture
    def make(self, middleman, clock):
        options = {"cloudwatch": {"endpoint_url": middleman.url, "attempts": 1}}
        return lambda: connect("sliding", options, clock=clock)

    @pytest.fixture
    def sliding(self, make):
        with make() as service:
            yield service

    def answer(self, service, interval, **fields):
        return service.read_one(ask(**fields), interval).answer


class TestContract(OnSliding, Contract):
    @pytest.fixture
    def bench(self, make, middleman, clock, put):
        put("Latency", {60 * minute: minute for minute in range(10)})
        put("Steady", {60 * minute: 7 for minute in range(10)})
        put("Broken", {60 * minute: 7 for minute in range(10)})
        put("Absurd", {60 * minute: -7 for minute in range(10)})

        def fail(request, answer):
            for result in answer.get("MetricDataResults", []):
                if names(request)[result["Id"]] == "Broken":
                    result["StatusCode"] = "InternalError"

        middleman.tamper = fail
        bench = Bench(
            make=make,
            clock=clock,
            interval=LAST,
            value=ask(),
            value_amount=Fraction(5 + 6 + 7 + 8 + 9, 5),
            other=ask("Steady"),
            other_amount=Fraction(7),
            empty=ask("Nothing"),
            garbage=ask("Absurd"),
            failing=ask("Broken"),
            spec=ask().spec.model_dump(mode="json"),
            secrets=["s3cr3t-key"],
        )
        yield bench
        bench.service.close()

    def test_an_unknown_metric_is_refused_naming_those_that_exist(self, bench):
        with pytest.raises(BadRequest, match="did you mean 'availability'"):
            type(bench.service).query(bench.spec, "availabilty", first=0, length=MINUTE)

    def test_equal_questions_have_equal_keys(self, bench):
        def query(first: int):
            return load("sliding").query(bench.spec, "latency", first=first, length=MINUTE)

        assert query(0).key == query(0).key != query(MINUTE).key


class TestWindow(OnSliding):
    @pytest.mark.parametrize(
        ("statistic", "amount"),
        [("mean", 7), ("min", 5), ("max", 9), ("p50", 7), ("p95", 9), ("last", 9), ("sum", 35)],
    )
    def test_the_window_ends_with_its_interval(self, sliding, put, statistic, amount):
        put("Latency", {60 * minute: minute for minute in range(11)})
        assert self.answer(sliding, LAST, statistic=statistic) == Value(Fraction(amount))

    def test_it_slides_by_one_interval(self, sliding, put):
        put("Latency", {60 * minute: minute for minute in range(10)})
        for minute in range(5, 10):
            interval = Interval(FIRST + 60 * minute, FIRST + 60 * (minute + 1))
            assert self.answer(sliding, interval) == Value(Fraction(minute - 2))

    def test_raw_values_may_be_shorter_than_intervals(self, sliding, put):
        put("Latency", {60 * minute: minute for minute in range(10)})
        interval = Interval(END - 300, END)
        fields = {"length": 300, "step": MINUTE, "statistic": "max", "over": 120}
        assert self.answer(sliding, interval, **fields) == Value(Fraction(9))
        assert self.answer(sliding, interval, **{**fields, "statistic": "min"}) == Value(
            Fraction(8)
        )

    def test_before_the_first_interval_nothing_is_known(self, sliding, put):
        put("Latency", {60 * minute: minute for minute in range(-5, 10)})
        second = Interval(FIRST + 60, FIRST + 120)
        assert self.answer(sliding, second) is NO_DATA, "two of five are less than half"
        third = Interval(FIRST + 120, FIRST + 180)
        assert self.answer(sliding, third) == Value(Fraction(1))

    def test_too_few_raw_values_are_no_data(self, sliding, put):
        put("Latency", {300: 1, 420: 1, 540: 1})
        assert self.answer(sliding, LAST) == Value(Fraction(1))
        assert self.answer(sliding, LAST, min_values=4) is NO_DATA

    def test_one_raw_value_that_cannot_be_read_now_delays_the_reading(
        self, sliding, put, middleman
    ):
        put("Latency", {60 * minute: minute for minute in range(10)})

        def fail(request, answer):
            if request["StartTime"] == FIRST + 420:
                answer["MetricDataResults"][0]["StatusCode"] = "InternalError"

        middleman.tamper = fail
        [said] = sliding.read([ask()], LAST)
        assert isinstance(said, MonitoringError)
        middleman.tamper = None
        [said] = sliding.read([ask()], LAST)
        assert isinstance(said, Reading)

    def test_evidence_without_one_raw_value_is_garbage(self, sliding, put):
        put("Latency", {60 * minute: minute for minute in range(10)})
        query = ask()
        said = json.loads(sliding.read_one(query, LAST).evidence)
        said["answer"].popitem()
        with pytest.raises(GarbageAnswer):
            type(sliding).reread(query, LAST, canonical(said))

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"over": 90}, "multiples of step"),
            ({"step": 7}, "multiples of step"),
            ({"over": 86_400 * 2}, "2880 raw values"),
            ({"min_values": 6}, "more than the 5 there are"),
            ({"statistic": "count"}, "no value of the metric"),
            ({"statistic": "median"}, "allowed: mean"),
            ({"metric": "throughput"}, "not a unit of count"),
        ],
    )
    def test_windows_that_make_no_sense_are_refused(self, fields, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(**fields)


class TestOverAProbe:
    def test_the_probe_inside_takes_its_samples(self):
        """Minutes of sampling in no time: the clock is the test's."""
        stores = {}
        clock = Clock(FIRST)
        query = load("sliding").query(
            {
                "source": {
                    "type": "http_probe",
                    "spec": {"url": "http://127.0.0.1:1/x", "samples": 2},
                },
                "over": 180,
            },
            "availability",
            first=FIRST,
            length=MINUTE,
        )
        with connect(
            "sliding",
            {},
            store=lambda name: stores.setdefault(name, MemorySampleStore()),
            clock=clock,
        ) as service:
            while clock.now < FIRST + 180:
                clock.now = service.sample([query], clock.now)
                taken = len(stores["http_probe"].taken()) if stores else 0
                service.sample([query], clock.now)
                _until(lambda taken=taken: len(stores["http_probe"].taken()) > taken)
            clock.now = FIRST + 180 + service.delay(query)
            last = Interval(FIRST + 120, FIRST + 180)
            reading = service.read_one(query, last)
        assert reading.answer == Value(Fraction(0)), "nobody listens there: down"
        assert reading.evidence.count(b'"outcome":"down"') >= 4


def _until(ready):
    last = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < last
        time.sleep(0.01)
