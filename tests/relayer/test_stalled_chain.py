"""A chain that makes no blocks is told from a wrong clock, and what nobody could read meanwhile is not given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracles import Unavailable
from relayer.chain import Chain
from relayer.clock import SteadyClock
from relayer.lookout import PATIENCE, STALLED_SECONDS
from relayer.operations.health import Health
from tests.faults.rpc_proxy import RpcProxy
from tests.relayer.world import ScriptedService

POLL = 15
BLOCK = 12
TEN_MINUTES = 600
DEADLINE = 7_200


class Machine:
    """Its two clocks: the one that can be wrong, and the one that only runs."""

    def __init__(self, time):
        self.running = 5_000.0
        self.set_to = time - self.running
        self.clock = SteadyClock(wall=lambda: self.set_to + self.running, steady=self.steady)

    def steady(self):
        return self.running


class Scene:
    """A relayer that looks at a chain now and then. The anvil makes a block when it is told to, and none by itself."""

    def __init__(self, world, *, clock_ahead=0, read_before=True):
        self.world = world
        self.machine = Machine(world.now() + clock_ahead)
        self.relayer = world.relayer(world.store(), clock=self.machine.clock, patience=PATIENCE)
        self.lookout = self.relayer._lookout
        self.lookout._poll_seconds = POLL
        self.lookout._steady = self.machine.steady
        for source in self.lookout.sources:
            source.held = True  # as at the start
        if read_before:
            self.lookout.see_head()
            assert not self.held

    @property
    def alerts(self):
        return {alert.name: alert.message for alert in self.relayer._alerts.firing()}

    @property
    def held(self):
        return any(source.held for source in self.lookout.sources)

    def look(self, seconds, *, block=None):
        """Look again after so many seconds.

        :param block: A block was made, so many seconds after the one before it.
        """
        self.machine.running += seconds
        if block is not None:
            self.world.rpc("evm_setNextBlockTimestamp", int(self.world.now()) + block)
            self.world.rpc("evm_mine")
        self.lookout.see_head()

    def stand_still(self, seconds):
        for _ in range(seconds // POLL):
            self.look(POLL)


@pytest.fixture
def scene(small_world):
    return Scene(small_world)


def test_a_chain_that_makes_no_blocks_is_an_alert_until_there_is_a_new_one(scene):
    scene.look(POLL, block=POLL)
    scene.stand_still(STALLED_SECONDS - POLL)
    assert scene.alerts == {}
    scene.look(POLL)
    assert list(scene.alerts) == ["chain_stalled"]
    newest = scene.world.chain.head()
    assert f"no new block for {STALLED_SECONDS} s" in scene.alerts["chain_stalled"]
    assert f"block {newest.number} of 20" in scene.alerts["chain_stalled"]
    scene.look(POLL, block=STALLED_SECONDS + POLL)
    assert scene.alerts == {}


def test_while_blocks_come_nothing_is_said_however_long_it_takes(scene):
    for _ in range(STALLED_SECONDS):
        scene.look(POLL, block=POLL)
        assert scene.alerts == {}


def test_the_chain_is_not_ready_while_it_stands_still(scene):
    health = scene.relayer._health = Health(POLL)

    def told():
        scene.relayer._guarded_round()
        part = health.parts()["chain"]
        return part.state, part.reason

    assert told() == ("ok", "")
    scene.stand_still(STALLED_SECONDS)
    assert told() == ("failed", scene.alerts["chain_stalled"])
    scene.look(POLL, block=POLL)
    assert told() == ("ok", "")


def test_a_time_in_which_no_endpoint_answered_is_no_pause_of_the_chain(small_world, rpc_url):
    with RpcProxy(rpc_url) as proxy:
        scene = Scene(replace(small_world, chain=Chain.connect(proxy.url)))
        proxy.http_status(500)
        scene.machine.running += TEN_MINUTES
        scene.relayer._guarded_round()
        assert scene.relayer._failed_rounds == 1
        proxy.clear()
        scene.look(POLL)
        scene.stand_still(STALLED_SECONDS - POLL)
        assert scene.alerts == {}
        scene.look(POLL)
        assert list(scene.alerts) == ["chain_stalled"]


# The clock


def test_a_chain_that_stands_still_makes_no_clock_wrong(scene):
    scene.stand_still(TEN_MINUTES)
    assert list(scene.alerts) == ["chain_stalled"]
    assert not scene.held
    scene.look(POLL, block=TEN_MINUTES)
    assert scene.alerts == {}
    assert not scene.held


def test_a_rollup_that_makes_the_blocks_of_a_pause_afterwards_makes_no_clock_wrong(scene):
    scene.stand_still(TEN_MINUTES)
    scene.look(POLL, block=2)
    behind = TEN_MINUTES + POLL - 2
    while behind > 0:
        assert scene.alerts == {}
        assert not scene.held
        scene.look(POLL, block=4 * POLL)
        behind -= 3 * POLL
    assert scene.alerts == {}


@pytest.mark.parametrize("first", [None, 2], ids=["the block before", "the first after it"])
def test_nor_does_one_whose_endpoints_were_away_meanwhile(scene, first):
    scene.look(TEN_MINUTES, block=first)
    for _ in range(3):
        scene.look(POLL, block=4 * POLL)
        assert scene.alerts == {}
        assert not scene.held


def test_a_clock_that_is_ahead_makes_no_chain_stand_still(small_world):
    scene = Scene(small_world, clock_ahead=TEN_MINUTES, read_before=False)
    for _ in range(20):
        scene.look(BLOCK, block=BLOCK)
    assert list(scene.alerts) == ["clock_wrong"]
    assert scene.held


def test_a_clock_that_is_ahead_is_found_out_after_a_pause_of_the_chain_too(small_world):
    scene = Scene(small_world, clock_ahead=TEN_MINUTES, read_before=False)
    scene.stand_still(TEN_MINUTES)
    assert list(scene.alerts) == ["chain_stalled"]
    scene.look(BLOCK, block=TEN_MINUTES)
    for _ in range(2):
        scene.look(BLOCK, block=BLOCK)
    assert list(scene.alerts) == ["clock_wrong"]
    assert scene.held


def test_a_clock_that_is_behind_the_first_block_is_wrong_at_once(small_world):
    scene = Scene(small_world, clock_ahead=-TEN_MINUTES, read_before=False)
    scene.look(0)
    assert list(scene.alerts) == ["clock_wrong"]
    assert scene.held


def test_started_under_an_old_block_it_reads_nothing_and_says_why(small_world):
    scene = Scene(small_world, clock_ahead=TEN_MINUTES, read_before=False)
    scene.look(0)
    assert scene.alerts == {}
    scene.stand_still(STALLED_SECONDS)
    assert scene.held
    assert list(scene.alerts) == ["chain_stalled"]
    assert "nothing is read" in scene.alerts["chain_stalled"]
    scene.look(POLL, block=TEN_MINUTES + STALLED_SECONDS + POLL)
    assert scene.alerts == {}
    assert not scene.held


# What could not be read meanwhile


def skips(scene, relayer):
    return [one for one in scene.world.transactions(relayer._store) if one[0] == "skip"]


@pytest.fixture
def resumed(small_world):
    """The chain's next block comes when the deadlines of ten intervals are over of which nobody could read any."""
    scene = Scene(small_world)
    scene.machine.running += DEADLINE
    small_world.warp(10 * 60 + DEADLINE)
    return scene


def test_what_became_readable_and_overdue_in_one_moment_is_read_before_it_is_given_up(resumed):
    scene, relayer = resumed, resumed.relayer
    relayer.round()
    scene.machine.running += PATIENCE - 1
    relayer.round()
    assert skips(scene, relayer) == []
    for source in scene.lookout.sources:
        source.step()
    relayer.round()  # signs, and sends the report
    relayer.round()
    found = scene.world.oracle.tally(scene.world.feed.ref, 0)
    assert found.judged >= 10
    assert found.unknown == 0


def test_what_is_not_read_even_then_is_given_up_a_minute_later(resumed):
    scene, relayer = resumed, resumed.relayer
    relayer.round()
    scene.machine.running += PATIENCE
    relayer.round()
    assert len(skips(scene, relayer)) == 1


def test_blocks_that_come_meanwhile_do_not_prolong_that(resumed):
    scene, relayer = resumed, resumed.relayer
    for _ in range(PATIENCE // POLL):
        relayer.round()
        assert skips(scene, relayer) == []
        scene.look(POLL, block=POLL)
    relayer.round()
    assert len(skips(scene, relayer)) == 1


def test_what_runs_once_has_asked_by_then_and_does_not_wait(small_world):
    service = ScriptedService(clock=small_world.now)
    service.answers = dict.fromkeys(range(20), Unavailable("gone"))
    relayer = small_world.relayer(small_world.store(), service, patience=PATIENCE)
    small_world.warp(10 * 60 + DEADLINE)
    relayer.once(60)
    assert small_world.oracle.tally(small_world.feed.ref, 0).unknown == 10
