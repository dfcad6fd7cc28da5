"""A clock that was set wrong, or is set while the relayer runs, dates no reading wrongly."""

import pytest

from relayer.clock import SteadyClock

NOON = 1_800_000_000.0
TEN_MINUTES = 600


class Machine:
    """Its two clocks: one can be set, the other only runs."""

    def __init__(self, wall=NOON):
        self.running = 5_000.0
        self.set_by = wall - self.running
        self.clock = SteadyClock(
            wall=lambda: self.set_by + self.running, steady=lambda: self.running
        )

    def run(self, seconds):
        self.running += seconds

    def set(self, by):
        self.set_by += by


@pytest.fixture
def machine():
    return Machine()


def test_it_runs(machine):
    machine.run(60)
    assert machine.clock() == NOON + 60


@pytest.mark.parametrize("jump", [-TEN_MINUTES, -5, 5, TEN_MINUTES])
def test_a_jump_of_the_machines_clock_is_not_followed(machine, jump):
    machine.run(60)
    machine.clock()
    machine.set(jump)
    machine.run(1)
    assert machine.clock() == NOON + 61


def test_small_corrections_are_followed(machine):
    for _ in range(100):
        machine.run(60)
        machine.set(-0.1)
        machine.clock()
    assert machine.clock() == pytest.approx(NOON + 6_000 - 10)


@pytest.mark.parametrize("wrong", [-TEN_MINUTES, TEN_MINUTES])
def test_a_clock_that_is_wrong_from_the_start_is_found_out(wrong):
    machine = Machine(NOON + wrong)
    assert f"{TEN_MINUTES} s" in machine.clock.check(NOON)


@pytest.mark.parametrize("late", [0, 3, 15, 200])
def test_a_block_that_is_a_little_old_proves_nothing(machine, late):
    assert machine.clock.check(NOON - late) is None


@pytest.mark.parametrize("wrong", [-TEN_MINUTES, TEN_MINUTES])
def test_once_it_is_set_right_it_is_followed_at_once(wrong):
    machine = Machine(NOON + wrong)
    assert machine.clock.check(NOON)
    machine.run(12)
    machine.set(-wrong)
    assert machine.clock.check(NOON + 12) is None
    assert machine.clock() == NOON + 12


@pytest.mark.parametrize("wrong", [-TEN_MINUTES, TEN_MINUTES])
def test_once_it_is_set_wrong_it_is_not_followed_however_long_it_stays(machine, wrong):
    machine.run(12)
    machine.clock()
    machine.set(wrong)
    for _ in range(100):
        machine.run(12)
        assert machine.clock.check(machine.set_by - wrong + machine.running) is None
    assert machine.clock() == NOON + 101 * 12


def test_a_correction_that_blocks_cannot_tell_apart_is_believed_after_a_while(machine):
    machine.run(12)
    machine.clock()
    machine.set(-20)
    machine.clock()
    machine.run(300)
    machine.clock.check(NOON + 280)
    assert machine.clock() == NOON + 312
    machine.run(400)
    machine.clock.check(NOON + 680)
    assert machine.clock() == NOON + 692
