"""One of many questions spoils the call for all: it is found, and the others have their answers."""

import pytest

from oracles import AccessRefused, BadRequest, GarbageAnswer, Throttled, Unavailable
from oracles.clients.halving import FAULTS, MOST, halved


class Service:
    """Answers 10 times the number that it is asked, and fails for some."""

    def __init__(self, **errors):
        self.errors = {int(name[1:]): error for name, error in errors.items()}
        self.calls = []

    def ask(self, numbers):
        self.calls.append(list(numbers))
        for number in numbers:
            if number in self.errors:
                raise self.errors[number]
        return [10 * number for number in numbers]


INTERNAL = Unavailable("status 500", answered=True)


def test_what_nothing_spoils_is_one_call():
    service = Service()
    assert halved(service.ask, range(500)) == [10 * number for number in range(500)]
    assert len(service.calls) == 1


@pytest.mark.parametrize("error", [BadRequest("no"), INTERNAL])
@pytest.mark.parametrize("culprit", [0, 7, 499])
def test_one_of_500_costs_no_other_its_answer(error, culprit):
    service = Service(**{f"n{culprit}": error})
    answers = halved(service.ask, range(500))
    assert answers.pop(culprit) is error
    assert answers == [10 * number for number in range(500) if number != culprit]


def test_all_that_are_refused_are_found():
    errors = {f"n{number}": BadRequest("no") for number in range(0, 50, 3)}
    answers = halved(Service(**errors).ask, range(50))
    assert [type(answer) is BadRequest for answer in answers] == [n % 3 == 0 for n in range(50)]


def test_a_service_that_is_down_is_not_asked_for_long():
    class Down(Service):
        def ask(self, numbers):
            self.calls.append(numbers)
            raise INTERNAL

    service = Down()
    assert halved(service.ask, range(500)) == [INTERNAL] * 500
    assert len(service.calls) == FAULTS


def test_several_culprits_are_found_in_one_attempt():
    """A service that answers others in between is not to blame itself."""
    culprits = {3, 130, 260, 480}
    for _ in range(20):  # wherever it begins
        answers = halved(Service(**{f"n{one}": INTERNAL for one in culprits}).ask, range(500))
        assert {place for place, said in enumerate(answers) if said is INTERNAL} == culprits


@pytest.mark.parametrize(
    "culprits", [range(0, 500, 40), range(50), range(450, 500)], ids=["spread", "first", "last"]
)
def test_many_culprits_cannot_keep_the_others_from_their_answers_for_ever(culprits):
    errors = {f"n{number}": INTERNAL for number in culprits}
    assert len(errors) > FAULTS
    left = list(range(500))
    for _ in range(1_000):
        answers = halved(Service(**errors).ask, left)
        left = [number for number, said in zip(left, answers, strict=True) if said is INTERNAL]
        if len(left) == len(errors):
            break
    assert left == list(culprits)


def test_those_who_wait_do_not_wait_for_every_culprit():
    service = Service(**{f"n{number}": INTERNAL for number in range(0, 500, 5)})
    halved(service.ask, range(500))
    assert len(service.calls) <= 2 * MOST


@pytest.mark.parametrize("error", [Unavailable("timeout"), Throttled("slow")])
def test_what_is_left_is_not_asked_once_the_service_does_not_answer(error):
    class Weary(Service):
        def ask(self, numbers):
            if len(numbers) <= 4:
                self.calls.append(numbers)
                raise error
            raise BadRequest("no")

    service = Weary()
    assert halved(service.ask, range(500)) == [error] * 500
    assert len(service.calls) == 1


@pytest.mark.parametrize(
    "error",
    [Unavailable("timeout"), Throttled("slow"), AccessRefused("no"), GarbageAnswer("what")],
)
def test_what_concerns_the_service_as_a_whole_is_asked_once(error):
    service = Service(n3=error)
    assert halved(service.ask, range(8)) == [error] * 8
    assert len(service.calls) == 1


def test_other_refusals_may_be_named():
    service = Service(n3=GarbageAnswer("what"))
    answers = halved(service.ask, range(8), refusals=(GarbageAnswer,))
    assert [type(answer) for answer in answers].count(GarbageAnswer) == 1


def test_nothing_is_asked_for_nothing():
    assert halved(Service().ask, []) == []
