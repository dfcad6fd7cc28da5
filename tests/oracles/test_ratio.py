"""Good or bad events per all events, counted by a real monitoring service on moto."""

import json
from fractions import Fraction

import pytest

from oracles import (
    NO_DATA,
    NOT_APPLICABLE,
    BadRequest,
    GarbageAnswer,
    Unavailable,
    Value,
    canonical,
    connect,
    load,
)
from tests.oracles.aws import FIRST, INTERVAL, LENGTH, OnMoto, Refusal, names, spec
from tests.oracles.contract import Bench, Contract


def counted(name):
    return {"type": "cloudwatch", "spec": spec(name)}


def counted_at_length(name):
    whole = load("cloudwatch").Spec(**spec(name)).model_dump(mode="json")
    return {"type": "cloudwatch", "spec": whole}


def ask(of="availability", **fields):
    given = {"good": counted("Good"), "total": counted("All"), **fields}
    filled = {name: value for name, value in given.items() if value is not None}
    return load("ratio").query(filled, of, first=FIRST, length=LENGTH)


class OnRatio(OnMoto):
    @pytest.fixture
    def make(self, middleman, clock):
        options = {"cloudwatch": {"endpoint_url": middleman.url, "attempts": 1}}
        return lambda: connect("ratio", options, clock=clock)

    @pytest.fixture
    def ratio(self, make):
        with make() as service:
            yield service


class TestContract(OnRatio, Contract):
    @pytest.fixture
    def bench(self, make, middleman, clock, put):
        put("All", {60 * minute: 200 for minute in range(5)})
        put("Good", {60 * minute: 199 for minute in range(5)})
        put("Few", {60 * minute: 3 for minute in range(5)})
        put("Broken", {60 * minute: 1 for minute in range(5)})
        put("Many", {60 * minute: 201 for minute in range(5)})

        def fail(request, answer):
            if any(name == "Broken" for name in names(request).values()):
                for result in answer["MetricDataResults"]:
                    if names(request)[result["Id"]] == "Broken":
                        result["StatusCode"] = "InternalError"

        middleman.tamper = fail
        first = ask()
        bench = Bench(
            make=make,
            clock=clock,
            interval=INTERVAL,
            value=first,
            value_amount=Fraction(995_000),
            other=ask(good=None, bad=counted("Few")),
            other_amount=Fraction(985_000),
            empty=ask(good=counted("Nothing")),
            garbage=ask(good=counted("Many")),
            failing=ask(good=counted("Broken")),
            spec={"good": counted("Good"), "total": counted("All")},
            secrets=["s3cr3t-key"],
        )
        yield bench
        bench.service.close()


class TestRatio(OnRatio):
    @pytest.mark.parametrize(
        ("fields", "metric", "amount"),
        [
            ({}, "availability", Fraction(2_000_000, 3)),
            ({}, "error_rate", Fraction(1_000_000, 3)),
            ({"good": None, "bad": counted("Good")}, "availability", Fraction(1_000_000, 3)),
            ({"good": None, "bad": counted("Good")}, "error_rate", Fraction(2_000_000, 3)),
        ],
    )
    def test_what_was_not_counted_is_the_rest_of_the_total(
        self, ratio, put, fields, metric, amount
    ):
        put("Good", dict.fromkeys(range(0, 300, 60), 2))
        put("All", dict.fromkeys(range(0, 300, 60), 3))
        assert ratio.read_one(ask(metric, **fields), INTERVAL).answer == Value(amount)

    @pytest.mark.parametrize(
        ("when_empty", "answer"),
        [
            ("no_data", NO_DATA),
            ("not_applicable", NOT_APPLICABLE),
            ("good", Value(Fraction(1_000_000))),
        ],
    )
    def test_an_interval_without_events_is_what_both_parties_signed(
        self, ratio, put, when_empty, answer
    ):
        put("Good", dict.fromkeys(range(0, 300, 60), 0))
        put("All", dict.fromkeys(range(0, 300, 60), 0))
        assert ratio.read_one(ask(when_empty=when_empty), INTERVAL).answer == answer
        [good] = [ratio.read_one(ask("error_rate", when_empty="good"), INTERVAL)]
        assert good.answer == Value(Fraction(0))

    def test_a_service_that_publishes_no_zeros_counted_none(self, ratio, put):
        put("All", dict.fromkeys(range(0, 300, 60), 10))
        bad = {"good": None, "bad": counted("Errors")}
        assert ratio.read_one(ask(**bad), INTERVAL).answer is NO_DATA
        sparse = ask(**bad, missing_is_zero=True)
        assert ratio.read_one(sparse, INTERVAL).answer == Value(Fraction(1_000_000))

    def test_missing_good_events_are_never_failures(self):
        with pytest.raises(BadRequest, match="missing_is_zero needs bad"):
            ask(missing_is_zero=True)

    def test_both_parts_are_asked_in_one_call(self, ratio, put, middleman):
        put("Good", dict.fromkeys(range(0, 300, 60), 2))
        put("All", dict.fromkeys(range(0, 300, 60), 3))
        ratio.read([ask(), ask("error_rate")], INTERVAL)
        assert len(middleman.asked) == 1

    def test_a_part_that_fails_fails_the_reading_with_its_own_error(self, ratio, put, middleman):
        put("All", {0: 1})
        middleman.tamper = lambda *_: Refusal(500, "InternalFailure")
        with pytest.raises(Unavailable):
            ratio.read_one(ask(), INTERVAL)

    def test_evidence_of_a_part_that_was_changed_is_garbage(self, ratio, put):
        put("Good", dict.fromkeys(range(0, 300, 60), 2))
        put("All", dict.fromkeys(range(0, 300, 60), 3))
        query = ask()
        said = json.loads(ratio.read_one(query, INTERVAL).evidence)
        reread = type(ratio).reread
        said["answer"]["good"]["interval"] = [FIRST - 300, FIRST]
        with pytest.raises(GarbageAnswer, match="another interval"):
            reread(query, INTERVAL, canonical(said))
        del said["answer"]["good"]
        with pytest.raises(GarbageAnswer, match="not the evidence of good, total"):
            reread(query, INTERVAL, canonical(said))

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"good": None}, "write good or bad"),
            ({"bad": counted("Bad")}, "write good or bad"),
            ({"good": {"type": "nonsense", "spec": {}}}, "no monitoring service 'nonsense'"),
            ({"good": {"type": "cloudwatch", "spec": {}}}, "specification for cloudwatch: region"),
            ({"metric": "latency", "good": counted("Good")}, "not a unit of ms"),
        ],
    )
    def test_what_cannot_be_asked_is_refused_before_anybody_signs(self, fields, complaint):
        with pytest.raises(BadRequest, match=complaint):
            ask(**fields)

    def test_a_default_of_a_part_may_be_written_or_not(self, ratio, put):
        put("Good", dict.fromkeys(range(0, 300, 60), 2))
        put("All", dict.fromkeys(range(0, 300, 60), 3))
        brief, long = ask(), ask(good=counted_at_length("Good"), total=counted_at_length("All"))
        assert brief.key == long.key
        evidence = ratio.read_one(brief, INTERVAL).evidence
        assert ratio.read_one(long, INTERVAL).evidence == evidence
        assert type(ratio).reread(long, INTERVAL, evidence).evidence == evidence

    def test_a_parts_secrets_stay_out_of_the_evidence(self):
        """What a part's own specification hides in evidence, it hides inside another one too."""
        hidden = {
            "url": "https://example.com/?token=hunter2&at={start_s}",
            "unit": "count",
            "value": "$.a",
        }
        one = ask(good={"type": "json_http", "spec": hidden})
        other = ask(
            good={"type": "json_http", "spec": {**hidden, "url": hidden["url"] + "x"}},
        )
        assert "hunter2" not in str(one.spec.public())
        assert one.key != other.key

    def test_services_in_services_have_an_end(self):
        inner = {"good": counted("Good"), "total": counted("All")}
        for _ in range(4):
            inner = {"source": {"type": "sliding", "spec": inner}, "over": 300}
        with pytest.raises(BadRequest, match="more than 3 levels"):
            load("sliding").query(inner, "availability", first=FIRST, length=LENGTH)
