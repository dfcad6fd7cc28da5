"""What a question that is made of others asks, and whether all of it can be asked afterwards."""

import pytest

from oracles import UnknownService
from oracles.composite import keeps_history, services

KEEPS = {"type": "prometheus", "spec": {}}
SAMPLES = {"type": "tcp_probe", "spec": {}}


def ratio(good, total):
    return {"type": "ratio", "spec": {"good": good, "total": total}}


def sliding(source):
    return {"type": "sliding", "spec": {"source": source, "over": 600}}


@pytest.mark.parametrize(
    ("question", "asked", "keeps"),
    [
        (KEEPS, {"prometheus"}, True),
        (SAMPLES, {"tcp_probe"}, False),
        (ratio(KEEPS, KEEPS), {"ratio", "prometheus"}, True),
        (ratio(KEEPS, SAMPLES), {"ratio", "prometheus", "tcp_probe"}, False),
        (sliding(ratio(KEEPS, KEEPS)), {"sliding", "ratio", "prometheus"}, True),
        (sliding(ratio(SAMPLES, KEEPS)), {"sliding", "ratio", "prometheus", "tcp_probe"}, False),
    ],
)
def test_it_asks_all_that_it_is_made_of_and_keeps_a_history_if_all_of_that_does(
    question, asked, keeps
):
    assert services(**_named(question)) == asked
    assert keeps_history(**_named(question)) is keeps


def test_what_nobody_knows_is_an_error():
    with pytest.raises(UnknownService, match="nonsense"):
        services(**_named(sliding({"type": "nonsense", "spec": {}})))


def _named(question):
    return {"name": question["type"], "spec": question["spec"]}
