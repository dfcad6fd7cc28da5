"""An endpoint that has not heard of a report answers what it makes payable: it is asked again, soon, and not for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relayer.chain import Chain
from relayer.errors import ChainUnavailable
from relayer.settlement import AGAIN_SECONDS, CHECK_SECONDS
from tests.faults.life import wait_until
from tests.faults.rpc_proxy import RpcProxy
from tests.relayer.world import BAD, ScriptedService

READ_AT = 3 * 60 + 31


@pytest.fixture
def late(rpc_url):
    """The endpoint through which payments are asked for."""
    with RpcProxy(rpc_url) as proxy:
        yield proxy


@pytest.fixture
def settler(small_world, late):
    """It has looked at everything before the report, which makes one bad interval of the first three certain."""
    world = replace(small_world, chain=Chain.connect(late.url))
    settler = world.settler("agreement")
    world.warp(READ_AT)
    assert settler.is_open()
    assert settler.payments(world.chain.now(), positions(small_world)) == []
    service = ScriptedService(clock=small_world.now)
    service.answers = {1: BAD}
    reporter = small_world.relayer(small_world.store(), service)
    reporter.round()
    for source in reporter._lookout.sources:
        source.step()
    reporter.round()  # signs, and sends the report
    wait_until(lambda: positions(small_world)[0].next == 3, "the report is mined")
    return settler


def positions(world):
    return world.oracle.positions([world.feed.id])


def purposes(payments):
    return [outgoing.items[0].purpose for outgoing in payments]


def test_money_that_became_certain_is_paid_as_soon_as_the_endpoint_has_heard_of_it(
    small_world, settler, late
):
    moved = positions(small_world)
    now = small_world.chain.now()
    late.lag(1)
    assert settler.payments(now, moved) == []
    assert settler.payments(now + AGAIN_SECONDS[0], moved) == []
    late.clear()
    assert purposes(settler.payments(now + AGAIN_SECONDS[1], moved)) == ["settle"]


def test_an_endpoint_as_late_as_is_borne_delays_a_payment_no_longer_than_that(
    small_world, settler, late
):
    moved = positions(small_world)
    now = small_world.chain.now()
    late.lag(1)
    for seconds in range(AGAIN_SECONDS[-1]):
        assert settler.payments(now + seconds, moved) == []
    late.clear()
    assert purposes(settler.payments(now + AGAIN_SECONDS[-1], moved)) == ["settle"]


def test_it_is_not_asked_at_every_round(small_world, settler, late):
    moved = positions(small_world)
    now = small_world.chain.now()
    late.lag(1)
    asked = late.seen("eth_call")
    for seconds in range(CHECK_SECONDS - 60):
        settler.payments(now + seconds, moved)
    assert late.seen("eth_call") - asked == 1 + len(AGAIN_SECONDS)


def test_an_endpoint_that_failed_is_asked_at_the_next_round(small_world, settler, late):
    moved = positions(small_world)
    now = small_world.chain.now()
    late.http_status(500)
    for _ in range(2):
        with pytest.raises(ChainUnavailable, match="500"):
            settler.payments(now, moved)
    late.clear()
    assert purposes(settler.payments(now, moved)) == ["settle"]
