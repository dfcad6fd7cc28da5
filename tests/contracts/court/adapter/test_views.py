"""What the adapter says of rulings: `views.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from tests.contracts.court.adapter.tribunal import COST


def test_When_NobodyAskedForARuling(feed, tribunal):
    assert tribunal.request_of(tribunal.disputed(feed)) == (False, 0, False, 0)


def test_When_ARulingWasAskedFor(feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    assert tribunal.request_of(terms) == (True, 0, False, 0)


def test_When_TheArbitratorHasRuled(feed, tribunal):
    terms = tribunal.disputed(feed)
    tribunal.request(terms)
    tribunal.give(1)
    assert tribunal.request_of(terms) == (True, 0, True, 1)


def test_When_TheArbitratorChangesItsPrice(tribunal):
    assert tribunal.adapter.cost() == COST
    tribunal.arbitrator.setCost(3 * COST, {"from": tribunal.judge})
    assert tribunal.adapter.cost() == 3 * COST
