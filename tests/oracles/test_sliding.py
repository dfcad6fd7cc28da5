"""A window that slides over the answers of a real monitoring service on moto, and over a real probe."""

import json
import threading
import time
from fractions import Fraction

import pytest

from oracles import (
    NO_DATA,
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    Interval,
    MonitoringError,
    Reading,
    Throttled,
    Unavailable,
    Value,
    canonical,
    connect,
    load,
)
from oracles.cloudwatch import CloudWatch
from oracles.memory import MemorySampleStore
from oracles.testing import ScriptedService
from tests.oracles.aws import FIRST, OnMoto, Refusal, names, spec
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
    def clock(self):
        """So early that garbage may still heal: later it is a missing value."""
        return Clock(END + CloudWatch.SETTLE_DELAY + MINUTE - 1)

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


def nested(*overs, length=MINUTE, name="Latency"):
    """Windows in windows, the innermost first."""
    source = {"type": "cloudwatch", "spec": spec(name, "Maximum", unit="Milliseconds")}
    for over in overs:
        source = {"type": "sliding", "spec": {"source": source, "over": over}}
    return load("sliding").query(source["spec"], "latency", first=FIRST, length=length)


class TestWork(OnSliding):
    @pytest.mark.parametrize("overs", [(1440, 120), (39, 38), (12, 12, 11)])
    def test_raw_values_are_counted_through_all_levels(self, overs):
        with pytest.raises(BadRequest, match="raw values a reading, at all levels"):
            nested(*(MINUTE * each for each in overs))

    def test_windows_in_windows_are_read_if_they_are_small(self, sliding, put):
        put("Latency", {60 * minute: minute for minute in range(10)})
        query = nested(3 * MINUTE, 2 * MINUTE)
        reading = sliding.read_one(query, LAST)
        assert reading.answer == Value(Fraction(15, 2)), "the mean of (6, 7, 8) and (7, 8, 9)"
        assert type(sliding).reread(query, LAST, reading.evidence) == reading

    def test_two_windows_of_a_ratio_count_twice(self):
        window = {"type": "cloudwatch", "spec": spec("A")}
        inner = {"type": "sliding", "spec": {"source": window, "over": 1000 * 300, "step": 300}}
        with pytest.raises(BadRequest, match="2000 raw values a reading"):
            load("ratio").query(
                {"good": inner, "total": inner}, "availability", first=FIRST, length=300
            )

    def test_the_next_reading_asks_for_one_new_raw_value(self, sliding, put, middleman):
        put("Latency", {60 * minute: minute for minute in range(10)})
        before = Interval(LAST.start - MINUTE, LAST.start)
        sliding.read_one(ask(), before)
        assert len(middleman.asked) == 5
        reading = sliding.read_one(ask(), LAST)
        assert [request["StartTime"] for request in middleman.asked[5:]] == [LAST.start]
        with load("sliding")() as nobody:
            assert nobody.reread(ask(), LAST, reading.evidence) == reading

    def test_raw_values_that_have_not_settled_are_asked_for_again(
        self, sliding, put, middleman, clock
    ):
        put("Latency", {60 * minute: minute for minute in range(10)})
        clock.now = LAST.end + CloudWatch.SETTLE_DELAY - 1
        sliding.read_one(ask(), LAST)
        middleman.asked.clear()
        sliding.read_one(ask(), LAST)
        assert [request["StartTime"] for request in middleman.asked] == [LAST.start]

    def test_an_inner_window_settles_with_its_raw_values(self, sliding, put, middleman, clock):
        put("Latency", {60 * minute: minute for minute in range(10)})
        clock.now = LAST.end + CloudWatch.SETTLE_DELAY - 1
        query = nested(MINUTE, MINUTE)
        for asked in (1, 2):
            sliding.read_one(query, LAST)
            assert len(middleman.asked) == asked
        clock.now += 1
        for _ in range(3):
            sliding.read_one(query, LAST)
        assert len(middleman.asked) == 3

    def test_an_error_is_never_kept(self, sliding, put, middleman):
        put("Latency", {60 * minute: minute for minute in range(10)})
        middleman.tamper = lambda request, _: (
            Refusal(500, "InternalFailure") if request["StartTime"] == FIRST + 420 else None
        )
        assert isinstance(sliding.read([ask()], LAST)[0], Unavailable)
        middleman.tamper = None
        assert isinstance(sliding.read([ask()], LAST)[0], Reading)

    def test_intervals_are_asked_side_by_side_by_few_threads(self, sliding, put, middleman):
        put("Latency", {60 * minute: minute for minute in range(10)})
        together = threading.Barrier(2)
        lock, now, most = threading.Lock(), 0, 0

        def meet(*_):
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            together.wait(30)
            time.sleep(0.1)  # as long as more of them would need to arrive
            with lock:
                now -= 1

        middleman.tamper = meet
        query = ask(over=600)
        assert sliding.read_one(query, LAST).answer == Value(Fraction(9, 2))
        assert 2 <= most <= 4

    @pytest.mark.parametrize(
        ("refusal", "kind"),
        [
            (Refusal(500, "InternalFailure"), Unavailable),
            (Refusal(400, "Throttling"), Throttled),
            (Refusal(403, "AccessDenied"), AccessRefused),
        ],
    )
    def test_a_service_that_does_not_answer_is_not_asked_for_the_rest(
        self, sliding, middleman, refusal, kind
    ):
        middleman.tamper = lambda *_: refusal
        [error] = sliding.read([ask(over=600)], LAST)
        assert type(error) is kind
        assert len(middleman.asked) <= 4, "one for each thread"

    def test_a_value_too_old_to_be_read_does_not_hold_up_a_shorter_window(
        self, sliding, put, middleman
    ):
        put("Latency", {60 * minute: minute for minute in range(10)})
        middleman.tamper = lambda request, _: (
            Refusal(500, "InternalFailure") if request["StartTime"] == FIRST else None
        )
        long, short = sliding.read([ask(over=600), ask(over=120)], LAST)
        assert isinstance(long, Unavailable)
        assert short.answer == Value(Fraction(17, 2))

    def test_options_that_do_not_fit_are_an_error_in_its_place(self, put):
        with connect("sliding", {}) as service:
            probe = {"type": "http_probe", "spec": {"url": "http://127.0.0.1:1/"}}
            query = load("sliding").query(
                {"source": probe, "over": 300}, "availability", first=FIRST, length=MINUTE
            )
            parts = service._parts(query, LAST).values()
            found = service._ask({part.key: part for part in parts}, LAST.end + 999)
        assert {type(error) for error in found.values()} == {BadRequest}


class TestGarbage(OnSliding):
    """A bad point of a provider's own must not make a whole window unknown."""

    OLD = LAST.end - MINUTE + CloudWatch.SETTLE_DELAY + MINUTE

    @pytest.fixture
    def put_one_bad(self, put):
        put("Latency", {60 * minute: -7 if minute == 8 else minute for minute in range(10)})

    def test_it_is_a_missing_value(self, sliding, put_one_bad):
        assert self.answer(sliding, LAST) == Value(Fraction(5 + 6 + 7 + 9, 4))
        assert self.answer(sliding, LAST, min_values=5) is NO_DATA

    def test_it_is_tried_again_for_one_more_raw_value_first(
        self, sliding, put_one_bad, clock, middleman
    ):
        clock.now = self.OLD - 1
        [error] = sliding.read([ask()], LAST)
        assert type(error) is GarbageAnswer
        asked = len(middleman.asked)
        clock.now = self.OLD
        assert self.answer(sliding, LAST) == Value(Fraction(5 + 6 + 7 + 9, 4))
        assert FIRST + 480 in {request["StartTime"] for request in middleman.asked[asked:]}

    def test_evidence_keeps_it_so_that_anybody_can_tell_that_it_is_garbage(
        self, sliding, put_one_bad
    ):
        query = ask()
        reading = sliding.read_one(query, LAST)
        kept = json.loads(reading.evidence)["answer"][str(FIRST + 480)]
        assert kept.keys() == {"garbage"}
        assert kept["garbage"]["interval"] == [FIRST + 480, FIRST + 540]
        assert b"-7" in canonical(kept)
        assert type(sliding).reread(query, LAST, reading.evidence) == reading

    def test_a_value_cannot_be_called_garbage(self, sliding, put):
        put("Latency", {60 * minute: minute for minute in range(10)})
        query = ask()
        said = json.loads(sliding.read_one(query, LAST).evidence)
        worst = str(FIRST + 540)
        said["answer"][worst] = {"garbage": said["answer"][worst]}
        with pytest.raises(GarbageAnswer, match="is called garbage"):
            type(sliding).reread(query, LAST, canonical(said))

    @pytest.mark.parametrize(
        "forged",
        [{}, None, "", "whatever the reporter likes", {"interval": [0, 1]}, 7, ["unreadable"]],
    )
    def test_nor_can_anything_else_be_passed_off_as_garbage(self, sliding, put, forged):
        put("Latency", {60 * minute: minute for minute in range(10)})
        query = ask()
        said = json.loads(sliding.read_one(query, LAST).evidence)
        said["answer"][str(FIRST + 540)] = {"garbage": forged}
        with pytest.raises(GarbageAnswer):
            type(sliding).reread(query, LAST, canonical(said))

    def test_garbage_of_another_interval_is_not_garbage_of_this_one(self, sliding, put_one_bad):
        query = ask()
        said = json.loads(sliding.read_one(query, LAST).evidence)
        said["answer"][str(FIRST + 540)] = said["answer"][str(FIRST + 480)]
        with pytest.raises(GarbageAnswer, match="another interval"):
            type(sliding).reread(query, LAST, canonical(said))

    def test_what_cannot_be_read_at_all_is_the_reporters_word_without_the_servers(
        self, sliding, put, middleman
    ):
        put("Latency", {60 * minute: minute for minute in range(10)})
        middleman.tamper = lambda request, _: (
            b"s3rver text" if request["StartTime"] == FIRST + 480 else None
        )
        query = ask()
        reading = sliding.read_one(query, LAST)
        said = json.loads(reading.evidence)["answer"][str(FIRST + 480)]
        assert said == {"garbage": "unreadable"}
        assert b"s3rver" not in reading.evidence
        assert reading.answer == Value(Fraction(5 + 6 + 7 + 9, 4))
        assert type(sliding).reread(query, LAST, reading.evidence) == reading

    def test_a_window_in_a_window_copes_with_it_by_itself(self, sliding, put_one_bad):
        query = nested(2 * MINUTE, 2 * MINUTE)
        reading = sliding.read_one(query, LAST)
        assert reading.answer == Value(Fraction(7 + 9, 2))
        assert type(sliding).reread(query, LAST, reading.evidence) == reading

    def test_garbage_larger_than_is_kept_is_the_reporters_word(
        self, sliding, monkeypatch, put_one_bad
    ):
        monkeypatch.setattr("oracles.sliding._KEPT", 100)
        said = json.loads(sliding.read_one(ask(), LAST).evidence)["answer"]
        assert said[str(FIRST + 480)] == {"garbage": "unreadable"}

    @pytest.mark.parametrize(
        "error",
        [Unavailable("no"), Throttled("no"), AccessRefused("no"), BadRequest("no")],
        ids=lambda error: type(error).__name__,
    )
    def test_other_failures_hold_the_reading_up(self, monkeypatch, error):
        class Failing(ScriptedService):
            script = {"x": lambda at: error if at.start == FIRST + 480 else 5}  # noqa: RUF012

        for module in ("registry", "composite", "sliding"):
            monkeypatch.setattr(f"oracles.{module}.load", lambda _: Failing, raising=False)
        query = load("sliding").query(
            {"source": {"type": "scripted", "spec": {"line": "x"}}, "over": 300},
            "latency",
            first=FIRST,
            length=MINUTE,
        )
        clock = Clock(FIRST + 86_400)
        with load("sliding")(connect=lambda _: Failing(clock=clock), clock=clock) as service:
            assert service.read([query], LAST) == [error]


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
            {"http_probe": {"allowed_networks": ["127.0.0.1"]}},
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
