"""Calls from within a payment: `reentry.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import pytest

from relayer.protocol.terms import Level
from tests import samples

FEE = samples.FEE
SIGNED_ONLY = {"revoke", "setPayout"}
"""What changes something and touches no money; each concerns its caller only."""


@pytest.fixture
def hostile(world, compiled_here):
    """A world whose token calls an intruder whenever it delivers to a party, a stranger, or the escrow."""
    world.token = compiled_here.CallingToken.deploy({"from": world.stranger})
    world.intruder = compiled_here.Intruder.deploy({"from": world.stranger})
    changing = [
        item["name"]
        for item in world.escrow.abi
        if item["type"] == "function" and item["stateMutability"] == "nonpayable"
    ]
    world.all_doors = sorted(set(changing) - SIGNED_ONLY)
    selectors = [getattr(world.escrow, name).signature for name in world.all_doors]
    world.intruder.arm(world.escrow, selectors, {"from": world.stranger})
    return world


def watch(world, *receivers):
    """From now on deliveries to these, and to no others, call back."""
    for receiver in (world.escrow, world.provider, world.consumer, world.stranger):
        target = world.intruder if receiver in receivers else world.escrow
        data = world.intruder.intrude.encode_input() if receiver in receivers else b"\x01" * 4
        world.token.onDelivery(receiver, target, data, {"from": world.stranger})


def running(world, **changes):
    """An agreement with a bond, notice and breaches, 120 % certain in its first window, three windows paid."""
    feed = world.feed()
    level = Level(feed.ref, (), credit_per_bad_interval=1_000)
    defaults = {"levels": (level,), "credit_cap": 65_535, "notice_period": 1, "breaches_to_end": 1}
    defaults |= {"bond": FEE, "prepaid_windows": 0}
    terms = world.opened(feed, **(defaults | changes))
    world.give(world.provider, 10 * FEE)
    world.give(world.consumer, 10 * FEE)
    world.escrow.postBond(terms.as_abi(), FEE, {"from": world.provider})
    world.escrow.fund(terms.as_abi(), 0, 3, {"from": world.consumer})
    world.judge(feed, "b" * 12)
    return feed, terms


def way_open(world):
    terms = world.terms()
    world.give(world.consumer, FEE)
    watch(world, world.escrow)
    world.open(terms)


def way_fund(world):
    terms = world.opened(prepaid_windows=0)
    world.give(world.consumer, FEE)
    watch(world, world.escrow)
    world.escrow.fund(terms.as_abi(), 0, 1, {"from": world.consumer})


def way_post_bond(world):
    terms = world.opened(prepaid_windows=0, bond=FEE)
    world.give(world.provider, FEE)
    watch(world, world.escrow)
    world.escrow.postBond(terms.as_abi(), FEE, {"from": world.provider})


def way_make_good(world):
    feed, terms = running(world)
    world.judge(feed, "b" * 28 + "g" * 20)
    world.close(terms)
    assert world.bond(terms)[1] > 0
    watch(world, world.consumer)
    world.escrow.postBond(terms.as_abi(), FEE, {"from": world.provider})


def way_settle(world):
    _, terms = running(world)
    watch(world, world.consumer)
    world.settle(terms)


def way_close_to_consumer(world):
    feed, terms = running(world)
    world.judge(feed, "g" * 48)
    watch(world, world.consumer)
    world.close(terms)


def way_close_to_provider(world):
    feed = world.feed()
    terms = world.opened(feed)
    world.judge(feed, "g" * 60)
    watch(world, world.provider)
    world.close(terms)


def way_split_to_consumer(world):
    terms = world.opened()
    watch(world, world.consumer)
    world.terminate(terms, world.termination(terms, 0, 1))


def way_split_to_provider(world):
    terms = world.opened()
    watch(world, world.provider)
    world.terminate(terms, world.termination(terms, 0, 1))


def way_notice(world):
    _, terms = running(world)
    watch(world, world.consumer)
    world.escrow.endByNotice(terms.as_abi(), {"from": world.provider})


def way_breaches(world):
    _, terms = running(world)
    world.settle(terms)
    watch(world, world.consumer)
    world.escrow.endForBreaches(terms.as_abi(), [0], {"from": world.consumer})


def way_release(world):
    _, terms = running(world)
    world.terminate(terms, world.termination(terms))
    watch(world, world.provider)
    world.escrow.releaseBond(terms.as_abi(), {"from": world.stranger})


def owed(world):
    """The consumer is owed a payment: it went back to the escrow at once."""
    terms = world.opened()
    back = world.token.transferFrom.encode_input(world.consumer, world.escrow, FEE)
    world.token.onDelivery(world.consumer, world.token, back, {"from": world.stranger})
    world.terminate(terms, world.termination(terms))
    assert world.escrow.withdrawable(world.token, world.consumer) == FEE


def way_withdraw(world):
    owed(world)
    watch(world, world.stranger)
    world.escrow.withdraw(world.token, world.stranger, {"from": world.consumer})


def way_redeliver(world):
    owed(world)
    watch(world, world.consumer)
    world.escrow.redeliver(world.token, world.consumer, {"from": world.stranger})


def way_skim(world):
    world.token.mint(world.escrow, 5, {"from": world.stranger})
    watch(world, world.stranger)
    world.escrow.skim(world.token, world.stranger, {"from": world.stranger})


WAYS = {name.removeprefix("way_"): way for name, way in globals().items() if name[:4] == "way_"}


@pytest.mark.parametrize("name", WAYS)
def test_When_TheTokenCallsBack(hostile, name):
    """Rule 22: one lock over all that touches money."""
    world = hostile
    assert len(world.all_doors) == 13
    WAYS[name](world)
    assert world.intruder.tried() == 13
    assert world.intruder.unlocked() == 0
    balance = world.token.balanceOf(world.escrow)
    assert world.escrow.held(world.token) == balance


def test_When_TheTokenCallsBackFromTheCourt(hostile):
    """Rule 22: a payment that waits for disputes is no side entrance."""
    world = hostile
    feed = world.feed()
    terms = world.opened(feed, arbiter=world.stranger.address, challenge_period=60)
    world.judge(feed, "b")
    intrude = world.intruder.intrude.encode_input()
    world.token.onDelivery(world.escrow.court(), world.intruder, intrude, {"from": world.stranger})
    world.settle(terms)
    assert world.intruder.tried() == 13
    assert world.intruder.unlocked() == 0
