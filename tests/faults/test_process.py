"""What happens to a relayer's process: it is killed between any two steps, asked to end, started twice."""

from __future__ import annotations

import signal

import pytest

from tests.faults.kill_at import STEPS
from tests.faults.life import PATIENCE, ask_to_end, own_agreement, run_to_its_end

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def life(site, new_life):
    made = own_agreement(site, new_life())
    made.process.start()
    made.wait_for("transaction_mined")
    return made


def test_a_second_process_with_the_same_key_ends_and_names_the_first(life):
    code, said = run_to_its_end(life)
    assert code == 4, said
    assert f"process {life.process.pid} on" in said
    assert life.process.running()


def test_after_a_kill_the_key_is_free_at_once(life):
    life.process.kill()
    life.process.start()
    life.goes_on()
    # With its old claim it would have waited until that had run out, or ended with exit code 4.
    assert life.process.running()
    life.agreement.check()


def test_asked_to_end_while_the_endpoint_hangs_it_ends_and_goes_on_at_the_next_start(life):
    asked = len(life.proxy.requests)
    # Not for ever, or the relayer would give up; but one look at the chain takes minutes.
    life.proxy.delay(8)
    life.wait_for_requests(asked + 1)
    try:
        # It is the promise of ten seconds, and much for a machine that does other things.
        assert ask_to_end(life.process, 60) == 0
    finally:
        life.proxy.clear()
    life.process.stop()
    life.process.start()
    life.goes_on()
    life.agreement.check()


def test_killed_after_any_step_it_goes_on_at_the_next_start(life):
    life.process.stop()
    for step in STEPS:
        killed = life.killed_process(step)
        killed.start()
        try:
            assert killed._child.wait(PATIENCE) == -signal.SIGKILL, (step, killed.last_words())
        finally:
            killed.stop()
        life.agreement.check()
    life.process.start()
    life.goes_on()
    life.agreement.check()
