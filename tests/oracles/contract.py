"""What every adapter promises, as tests: subclass `Contract` and supply a bench."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from oracles import (
    METRICS,
    NO_DATA,
    AccessRefused,
    AnyService,
    BadRequest,
    GarbageAnswer,
    Interval,
    MonitoringError,
    Query,
    Reading,
    Throttled,
    Unavailable,
    Value,
    canonical,
    encode,
)
from oracles.units import UNITS

Fault = Query | Callable[[], Reading | MonitoringError]
"""What to ask of the bench's service, or a function that makes trouble, asks, and hands over what
`read` gave."""


@dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """An adapter before a monitoring service that has an answer of each kind.

    `value` and `other` are queries with two different numbers, `empty` has no data, `garbage` an
    answer that means nothing; `failing` is one that the monitoring service fails to answer.

    The rest is None where an adapter cannot get there, and its test is skipped: `refused` for want
    of credentials, `throttled` for asking too often, `hanging` because the service never answers,
    `too_large` because it never stops; `border` has one point only, exactly at the interval's end.
    """

    make: Callable[[], AnyService]
    clock: Clock
    interval: Interval
    value: Query
    value_amount: Fraction
    other: Query
    other_amount: Fraction
    empty: Query
    garbage: Query
    failing: Query
    spec: dict[str, object]
    secrets: list[str] = field(default_factory=list)
    refused: Fault | None = None
    throttled: Fault | None = None
    hanging: Fault | None = None
    too_large: Fault | None = None
    border: Query | None = None
    patience: float = 30
    """Seconds after which `hanging` must have been given up."""

    def __post_init__(self):
        self.service = self.make()

    def outcome(self, fault: Fault | None, what: str) -> Reading | MonitoringError:
        if fault is None:
            pytest.skip(f"{self.service.name} {what}")
        return self.read(fault)[0] if isinstance(fault, Query) else fault()

    def read(self, *queries: Query) -> list[Reading | MonitoringError]:
        return self.service.read(queries, self.interval)


class Contract:
    @pytest.fixture
    def bench(self):
        raise NotImplementedError

    def test_a_value_is_exact_and_in_the_unit_of_its_metric(self, bench):
        reading = bench.service.read_one(bench.value, bench.interval)
        assert reading.answer == Value(bench.value_amount)
        assert isinstance(reading.answer.amount, Fraction)
        assert reading.metric == bench.value.metric
        assert reading.interval == bench.interval
        assert reading.source == bench.service.name
        assert encode(reading.metric, reading.answer.amount) >= 0

    def test_no_data_is_no_number(self, bench):
        reading = bench.service.read_one(bench.empty, bench.interval)
        assert reading.answer is NO_DATA
        with pytest.raises(TypeError):
            int(reading.answer)

    def test_garbage_never_becomes_a_value(self, bench):
        with pytest.raises(GarbageAnswer):
            bench.service.read_one(bench.garbage, bench.interval)

    def test_a_failing_service_is_an_error_to_retry(self, bench):
        with pytest.raises(MonitoringError) as caught:
            bench.service.read_one(bench.failing, bench.interval)
        assert caught.value.retryable

    def test_access_refused_is_for_the_operator(self, bench):
        error = bench.outcome(bench.refused, "refuses nobody")
        assert type(error) is AccessRefused
        assert not error.retryable

    def test_throttled_is_for_a_while(self, bench):
        error = bench.outcome(bench.throttled, "throttles nobody")
        assert type(error) is Throttled
        assert error.retryable
        assert error.retry_after is None or error.retry_after >= 0

    def test_a_service_that_hangs_is_given_up(self, bench):
        began = time.monotonic()
        error = bench.outcome(bench.hanging, "has nobody to wait for")
        assert type(error) is Unavailable
        assert time.monotonic() - began < bench.patience

    def test_an_answer_that_is_too_large_is_garbage(self, bench):
        error = bench.outcome(bench.too_large, "has no answer that could be too large")
        assert type(error) is GarbageAnswer

    def test_a_point_at_the_end_belongs_to_the_next_interval(self, bench):
        if bench.border is None:
            pytest.skip(f"{bench.service.name} has no points to put at an interval's end")
        interval = bench.interval
        following = Interval(interval.end, interval.end + interval.seconds)
        bench.clock.now = max(bench.clock.now, following.end + 3600)
        assert bench.service.read_one(bench.border, interval).answer is NO_DATA
        assert isinstance(bench.service.read_one(bench.border, following).answer, Value)

    def test_whoever_is_handed_the_evidence_concludes_the_same(self, bench):
        queries = bench.value, bench.other, bench.empty
        for query, reading in zip(queries, bench.read(*queries), strict=True):
            # as it arrives elsewhere: the question from a signed document, the answer from a file
            spec = json.loads(json.dumps(query.spec.model_dump(mode="json")))
            there = type(bench.service).query(
                spec, query.metric.name, first=query.first, length=query.length
            )
            assert type(bench.service).reread(there, bench.interval, reading.evidence) == reading

    def test_evidence_of_something_else_is_garbage(self, bench):
        service, interval = type(bench.service), bench.interval
        evidence = bench.service.read_one(bench.value, interval).evidence
        following = Interval(interval.end, interval.end + interval.seconds)
        with pytest.raises(GarbageAnswer, match="another interval"):
            service.reread(bench.value, following, evidence)
        said = json.loads(evidence)
        for name in ("source", "spec", "metric", "unit"):
            with pytest.raises(GarbageAnswer, match=f"another {name}"):
                service.reread(bench.value, interval, canonical({**said, name: "another"}))
        if bench.other.spec.public() != bench.value.spec.public():
            with pytest.raises(GarbageAnswer, match="another spec"):
                service.reread(bench.other, interval, evidence)

    def test_evidence_that_was_tampered_with_is_garbage(self, bench):
        service, interval = type(bench.service), bench.interval
        evidence = bench.service.read_one(bench.value, interval).evidence
        said = json.loads(evidence)
        for spoilt in (
            b"",
            b"[]",
            b"\xff" + evidence,
            evidence[:-1],
            evidence + b"\n",
            b" " + evidence,
            json.dumps(said, indent=1).encode(),
            canonical({**said, "answer": None}),
            canonical({**said, "answer": [[["?"]]]}),
            canonical({**said, "answer": {"points": [[interval.end * 1000, 1]]}}),
            canonical({**said, "note": "one field more"}),
            canonical({name: value for name, value in said.items() if name != "answer"}),
        ):
            with pytest.raises(GarbageAnswer):
                service.reread(bench.value, interval, spoilt)

    def test_a_closed_interval_reads_the_same_for_ever(self, bench):
        queries = bench.value, bench.other, bench.empty
        first = bench.read(*queries)
        assert all(isinstance(answer, Reading) for answer in first)
        bench.clock.now += 1000
        assert bench.read(*queries) == first
        with bench.make() as another:
            assert another.read(queries, bench.interval) == first

    def test_several_intervals_read_together_are_read_as_each_alone(self, bench):
        queries = bench.value, bench.other, bench.empty, bench.garbage
        interval = bench.interval
        following = Interval(interval.end, interval.end + interval.seconds)
        bench.clock.now = max(bench.clock.now, following.end + 3600)
        intervals = interval, following
        together = bench.service.read_span(queries, intervals)
        for one, answers in zip(intervals, together, strict=True):
            for answer, alone in zip(answers, bench.service.read(queries, one), strict=True):
                if isinstance(alone, Reading):
                    assert answer in (alone, None)  # None: to be read alone
                else:
                    assert answer is None or type(answer) is type(alone)

    def test_evidence_differs_where_the_answer_does(self, bench):
        readings = bench.read(bench.value, bench.other, bench.empty)
        assert len({reading.evidence for reading in readings}) == 3

    def test_answers_keep_the_order_of_the_queries(self, bench):
        for queries, amounts in (
            ((bench.value, bench.other), (bench.value_amount, bench.other_amount)),
            ((bench.other, bench.value), (bench.other_amount, bench.value_amount)),
            ((bench.value, bench.value), (bench.value_amount, bench.value_amount)),
        ):
            assert [reading.answer for reading in bench.read(*queries)] == [
                Value(amount) for amount in amounts
            ]

    def test_a_bad_query_spoils_no_other(self, bench):
        early = type(bench.service).query(
            bench.value.spec,
            bench.value.metric.name,
            first=bench.value.first + 100 * bench.value.length,
            length=bench.value.length,
        )
        one, garbage, failing, foreign, two = bench.read(
            bench.value, bench.garbage, bench.failing, early, bench.other
        )
        assert one.answer == Value(bench.value_amount)
        assert isinstance(garbage, GarbageAnswer)
        assert isinstance(failing, MonitoringError)
        assert isinstance(foreign, BadRequest)
        assert two.answer == Value(bench.other_amount)

    def test_two_threads_may_read_at_once(self, bench):
        queries = bench.value, bench.other, bench.empty
        expected = bench.read(*queries)
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(bench.read, *queries) for _ in range(4)]
            assert all(reading.result() == expected for reading in both)

    def test_nothing_asked_nothing_answered(self, bench):
        assert bench.read() == []

    def test_an_interval_that_is_not_over_is_refused(self, bench):
        bench.clock.now = bench.interval.end - 1
        [error] = bench.read(bench.value)
        assert isinstance(error, Unavailable)
        assert error.retry_after >= 1

    def test_an_interval_of_another_grid_is_refused(self, bench):
        shifted = Interval(bench.interval.start + 1, bench.interval.end + 1)
        [error] = bench.service.read([bench.value], shifted)
        assert isinstance(error, BadRequest)
        assert not error.retryable

    def test_secrets_stay_out_of_evidence_messages_representations_and_logs(self, bench, caplog):
        with caplog.at_level(logging.DEBUG, logger="oracles"):
            answers = bench.read(bench.value, bench.empty, bench.garbage, bench.failing)
        seen = [repr(bench.service), repr(bench.service._options), caplog.text]
        for answer in answers:
            if isinstance(answer, Reading):
                seen += [answer.evidence.decode(), repr(answer)]
            else:
                seen += [str(answer), repr(answer)]
        for secret in bench.secrets:
            assert secret not in "\n".join(seen)

    def test_an_unknown_field_is_refused_by_name_without_its_value(self, bench):
        spec = {**bench.spec, "pasword": "hunter2"}
        with pytest.raises(BadRequest, match="pasword") as caught:
            type(bench.service).query(spec, bench.value.metric.name, first=0, length=3600)
        assert "hunter2" not in str(caught.value)
        with pytest.raises(BadRequest, match="pasword") as caught:
            type(bench.service)({"pasword": "hunter2"})
        assert "hunter2" not in str(caught.value)

    def test_an_unknown_metric_is_refused_naming_those_that_exist(self, bench):
        with pytest.raises(BadRequest, match="did you mean 'availability'"):
            type(bench.service).query(bench.spec, "availabilty", first=0, length=3600)

    def test_metrics_mean_what_they_mean_everywhere(self, bench):
        assert bench.service.METRICS
        for name, metric in bench.service.METRICS.items():
            assert metric == METRICS[name]
            assert metric.unit == UNITS[metric.unit.name]

    def test_a_specification_survives_json_with_its_defaults(self, bench):
        for query in (bench.value, bench.other, bench.empty):
            written = json.dumps(query.spec.model_dump(mode="json"))
            again = type(bench.service).query(
                json.loads(written), query.metric.name, first=query.first, length=query.length
            )
            assert again == query
            assert again.key == query.key

    def test_equal_questions_have_equal_keys(self, bench):
        def query(first: int) -> Query:
            return type(bench.service).query(
                bench.spec, bench.value.metric.name, first=first, length=3600
            )

        assert query(0).key == query(0).key != query(3600).key

    def test_closing_twice_is_closing_once(self, bench):
        bench.service.close()
        bench.service.close()
