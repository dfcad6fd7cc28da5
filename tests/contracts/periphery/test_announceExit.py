"""Announcing that a stake will be taken back: `announceExit.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree

import brownie

from tests.contracts.escrow.world import events
from tests.contracts.periphery.stakes import DELAY, STAKE


def test_When_AReporterHasAStake(world, stakes):
    world.stake()
    tx = world.announce()
    assert world.of() == (STAKE, tx.timestamp + DELAY)
    assert world.balances(stakes) == [STAKE]
    assert events(tx, "ExitAnnounced") == [
        {
            "oracle": world.oracle,
            "panel": "0x" + world.panel.hash.hex(),
            "reporter": world.reporters[0],
            "token": world.token,
            "exitAt": tx.timestamp + DELAY,
        }
    ]


def test_When_ItAnnouncesAgain(world):
    world.stake()
    first = world.announce()
    brownie.chain.sleep(100)
    second = world.announce()
    assert second.timestamp > first.timestamp
    assert world.of() == (STAKE, second.timestamp + DELAY)


def test_RevertWhen_ItHasNoSuchStake(world):
    """Else an exit could be announced, and its delay be over, before there is a stake."""
    world.stake(1)
    with brownie.reverts("ReporterStake_NoStake: "):
        world.announce(0)
