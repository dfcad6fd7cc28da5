"""Taking a stake back: `leave.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests.contracts.escrow.world import events
from tests.contracts.periphery.stakes import DELAY, STAKE


def test_When_TheDelayIsOver(world, stakes, at):
    world.stake()
    world.stake(1)
    at(world.announce().timestamp + DELAY)

    tx = world.leave()

    assert world.balances(world.reporters[0], stakes) == [STAKE, STAKE]
    assert stakes.held(world.token) == STAKE
    assert world.of() == (0, 0)
    assert events(tx, "Left") == [
        {
            "oracle": world.oracle,
            "panel": "0x" + world.panel.hash.hex(),
            "reporter": world.reporters[0],
            "token": world.token,
            "amount": STAKE,
        }
    ]
    with brownie.reverts("ReporterStake_TooEarly: 0"):
        world.leave()


def test_RevertWhen_TheDelayIsNotOver(world, at):
    world.stake()
    exit_at = world.announce().timestamp + DELAY
    at(exit_at - 1)
    with brownie.reverts(f"ReporterStake_TooEarly: {exit_at}"):
        world.leave()


def test_RevertWhen_NoExitWasAnnounced(world):
    world.stake()
    with brownie.reverts("ReporterStake_TooEarly: 0"):
        world.leave()


def test_RevertWhen_SomebodyElseHasAnnounced(world, at):
    world.stake()
    world.stake(1)
    at(world.announce(1).timestamp + DELAY)
    for sender in (world.reporters[0], world.stranger):
        with brownie.reverts("ReporterStake_TooEarly: 0"):
            world.leave(sender=sender)


@pytest.mark.parametrize("mode", [1, 2])
def test_When_TheOracleIsOutOfOrder(world, at, mode):
    world.stake()
    world.oracle.script(mode, b"", {"from": world.stranger})
    at(world.announce().timestamp + DELAY)
    world.leave()
    assert world.balances(world.reporters[0]) == [STAKE]


def test_When_TheReporterCannotBePaid(make_stakes, stakes, at):
    """Rule 22."""
    world = make_stakes(token=brownie.DenyListToken.deploy({"from": brownie.accounts[0]}))
    reporter = world.reporters[0]
    world.stake()
    world.token.setDenied(reporter, True, {"from": world.stranger})
    at(world.announce().timestamp + DELAY)
    world.leave()
    assert stakes.withdrawable(world.token, reporter) == STAKE == stakes.held(world.token)
    stakes.withdraw(world.token, world.stranger, {"from": reporter})
    assert world.balances(world.stranger, stakes) == [STAKE, 0]
