"""Staking on a panel: `stake.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
from eth_utils.crypto import keccak

from tests.contracts.escrow.world import events
from tests.contracts.periphery.stakes import STAKE

# What the lock of OpenZeppelin's ReentrancyGuard answers.
REENTERED = "0x" + keccak(text="ReentrancyGuardReentrantCall()")[:4].hex()


def test_When_AReporterOfThePanelStakes(world, dollar, stakes):
    tx = world.stake()

    assert world.balances(world.reporters[0], stakes) == [0, STAKE]
    assert stakes.held(world.token) == STAKE
    assert world.of() == (STAKE, 0)
    for changes in (
        {"oracle": world.stranger},
        {"panel": bytes(32)},
        {"reporter": world.reporters[1]},
        {"token": dollar},
    ):
        assert world.of(**changes) == (0, 0)
    assert events(tx, "Staked") == [
        {
            "oracle": world.oracle,
            "panel": "0x" + world.panel.hash.hex(),
            "reporter": world.reporters[0],
            "token": world.token,
            "amount": STAKE,
        }
    ]


def test_When_ItStakesMore(world):
    """Else a stake could be raised, and relied on, whose exit was announced long ago."""
    world.stake()
    world.announce()
    world.stake(amount=5)
    assert world.of() == (STAKE + 5, 0)
    brownie.chain.sleep(15 * 86_400)
    with brownie.reverts("ReporterStake_TooEarly: 0"):
        world.leave()


def test_RevertWhen_SomebodyElseSaysToBeThatReporter(world, stakes):
    world.give(world.stranger, STAKE)
    call = (world.oracle, world.panel.as_abi(), 0, world.token, STAKE)
    with brownie.reverts(f"ReporterStake_NotReporter: {world.stranger.address.lower()}"):
        stakes.stake(*call, {"from": world.stranger})
    with brownie.reverts(f"ReporterStake_NotReporter: {world.reporters[1].address.lower()}"):
        stakes.stake(*call, {"from": world.reporters[1]})


def test_RevertWhen_ThePanelHasNoParties(world):
    with brownie.reverts("ReporterStake_Parties: "):
        world.stake(panel=world.without_parties())


def test_RevertWhen_TheTokenDeliversLessThanAsked(make_stakes):
    """Rule 22."""
    world = make_stakes(token=brownie.FeeOnTransferToken.deploy({"from": brownie.accounts[0]}))
    with brownie.reverts(f"Treasury_ReceivedLess: {STAKE}, {STAKE * 99 // 100}"):
        world.stake()


def test_When_TheTokenCallsBackWhileItIsPulled(make_stakes, compiled_here, stakes):
    """Rule 22: what was received is a difference of balances; a stake inside a stake would count for both."""
    token = compiled_here.CallingToken.deploy({"from": brownie.accounts[0]})
    world = make_stakes(token=token)
    world.stake(1)
    doors = [
        stakes.stake.encode_input(world.oracle, world.panel.as_abi(), 0, token, STAKE),
        stakes.slash.encode_input(world.oracle, world.panel.as_abi(), 1, token, world.parties),
        stakes.leave.encode_input(world.oracle, world.panel.hash, token),
        stakes.skim.encode_input(token, world.stranger),
        stakes.withdraw.encode_input(token, world.stranger),
    ]
    for door in doors:
        token.onDelivery(stakes, stakes, door, {"from": world.stranger})
        world.stake()
        assert not token.called()
        assert str(token.result()) == REENTERED
    assert world.of() == (len(doors) * STAKE, 0)
