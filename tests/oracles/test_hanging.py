"""A question that hangs takes the others in its call with it once; then it is asked in ever smaller calls, until it is alone."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest

from oracles import Unavailable, Value
from oracles.clients.deadline import Deadline
from oracles.clients.halving import HANG_SECONDS, HANGS, Hanging, halved
from tests.oracles.aws import INTERVAL, OnMoto, ask, every_minute, make, names
from tests.oracles.azure import AVAILABLE, SECRET, azure_here, metric_spec
from tests.oracles.azure import FIRST as AZURE_FIRST
from tests.oracles.azure import INTERVAL as AZURE_INTERVAL
from tests.oracles.azure import ask as ask_azure
from tests.oracles.azure import every_minute as azure_points
from tests.oracles.azure import make as make_azure
from tests.oracles.contract import Clock
from tests.oracles.datadog import INTERVAL as DATADOG_INTERVAL
from tests.oracles.datadog import OnDatadog, minutes
from tests.oracles.datadog import ask as ask_datadog
from tests.oracles.datadog import make as make_datadog
from tests.oracles.tls_server import HANG

PATIENCE = 4
"""How long a service may take in these tests [s]."""
HUNG = Unavailable("took too long", hung=True)


class Service:
    """Answers 10 times the number that it is asked, unless one of some is among them: then never."""

    def __init__(self, culprits):
        self.culprits = set(culprits)
        self.now = 0.0
        self.hanging = Hanging(lambda: self.now)
        self.calls = []

    def read(self, numbers):
        """One attempt; how many calls it took, and those without an answer."""
        self.calls.clear()
        answers = halved(self._ask, numbers, hanging=self.hanging, name=lambda number: number)
        for number, said in zip(numbers, answers, strict=True):
            assert said is HUNG or said == 10 * number
        return [number for number, said in zip(numbers, answers, strict=True) if said is HUNG]

    def _ask(self, numbers):
        self.calls.append(list(numbers))
        if self.culprits & set(numbers):
            raise HUNG
        return [10 * number for number in numbers]


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("AZURE_TEST_SECRET", SECRET)


@pytest.mark.parametrize("culprit", [0, 7, 250, 499])
def test_one_of_500_stands_alone_after_as_many_attempts_as_it_can_be_halved(culprit):
    service = Service({culprit})
    left = range(500)
    for size in (500, 250, 125, 63, 32, 16, 8, 4, 2):
        left = service.read(left)
        assert len(left) <= size
        assert sum(culprit in call for call in service.calls) == 1, "it hangs once in an attempt"
    assert service.read(left) == [culprit]
    assert service.read(range(500)) == [culprit], "another interval has all other answers at once"
    assert len(service.calls) <= 12


def test_those_who_hang_are_asked_last():
    service = Service({3})
    left = range(100)
    while len(left) > 1:
        left = service.read(left)
    service.read(range(100))
    assert [3] in service.calls[-2:], "it, and the one that stood beside it in the end"


def test_a_service_that_never_answers_is_asked_a_few_times_in_an_attempt():
    service = Service(range(500))
    for attempt in range(50):
        assert service.read(range(500)) == list(range(500))
        assert len(service.calls) == min(1 + attempt, HANGS)


def test_a_service_that_is_back_is_asked_in_no_more_calls_than_had_no_answer():
    service = Service(range(500))
    for _ in range(10):
        service.read(range(500))
        service.now += 10
    service.culprits = set()
    assert service.read(range(500)) == []
    assert len(service.calls) <= 1 + 10 * HANGS
    service.now += HANG_SECONDS
    service.read(range(500))
    assert len(service.calls) == 1, "all is forgotten after a while"


def test_several_are_found_one_after_the_other():
    culprits = {3, 130, 260, 480}
    service = Service(culprits)
    left = range(500)
    for _ in range(200):
        left = service.read(left)
        if set(left) == culprits:
            break
    assert set(left) == culprits


def test_what_was_not_asked_any_more_is_not_asked_in_smaller_calls_for_that():
    hanging = Hanging()
    hanging.note(["a", "b"])
    assert hanging.parts(["c", "d", "a", "b"])[-1] == [0, 1]


def test_without_a_memory_nothing_else_is_asked_after_a_call_that_hung():
    service = Service({3})
    assert halved(service._ask, range(100)) == [HUNG] * 100
    assert len(service.calls) == 1


def test_who_runs_out_of_time_hung():
    with pytest.raises(Unavailable) as caught, Deadline("it", 0):
        pass
    assert caught.value.hung


# The services that are asked in batches


class TestCloudWatch(OnMoto):
    def test_one_query_that_hangs_costs_no_other_its_answer(self, middleman, clock, put):
        put("Requests", every_minute(1, 1, 1, 1, 1))
        free = threading.Event()

        def hang(request, _):
            if "Hangs" in names(request).values():
                free.wait(60)

        middleman.tamper = hang
        queries = [ask("Hangs" if n == 3 else "Requests") for n in range(8)]
        with make(middleman.url, clock, read_timeout=PATIENCE) as service:
            try:
                _read_until_only_one_hangs(service, queries, INTERVAL, Value(Fraction(5)))
            finally:
                free.set()


@pytest.mark.usefixtures("secret")
def test_one_resource_of_azure_that_hangs_costs_no_other_its_answer():
    free = threading.Event()
    with azure_here() as azure:
        for n in range(8):
            azure.put(f"vm{n}", AVAILABLE, azure_points(1, 1, 1, 1, 1))

        def hang(request, answer):
            if b"vm3" in request.body:
                free.wait(60)
            return answer

        azure.lie = hang
        with make_azure(azure, Clock(AZURE_FIRST + 3600), read_timeout=PATIENCE) as service:
            queries = [ask_azure(metric_spec(f"vm{n}")) for n in range(8)]
            try:
                answer = Value(Fraction(1_000_000))
                _read_until_only_one_hangs(service, queries, AZURE_INTERVAL, answer)
            finally:
                free.set()


class TestDatadog(OnDatadog):
    def test_one_query_that_hangs_costs_no_other_its_answer(self, server, fake, clock):
        fake.points = {f"up{n}": minutes(1, 1, 1, 1, 1) for n in range(8)}
        server.answer(lambda said: HANG if "up3" in said.one("query") else fake(said))
        queries = [ask_datadog(f"up{n}") for n in range(8)]
        with make_datadog(server, clock, timeout=PATIENCE) as service:
            _read_until_only_one_hangs(service, queries, DATADOG_INTERVAL, Value(Fraction(10_000)))


def _read_until_only_one_hangs(service, queries, interval, answer):
    """Query 3 is the one; on a slow machine others may be out of time now and then."""
    for _ in range(20):
        said = service.read(queries, interval)
        hung = [place for place, one in enumerate(said) if isinstance(one, Unavailable)]
        assert 3 in hung
        if hung == [3]:
            break
    assert hung == [3]
    assert said.pop(3).hung
    assert {one.answer for one in said} == {answer}
