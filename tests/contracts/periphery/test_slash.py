"""Losing a stake: `slash.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

from dataclasses import replace

import brownie
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from relayer.protocol.feed import parties_hash
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.contracts.escrow.world import attempt, events, request
from tests.contracts.periphery.stakes import DELAY, STAKE

# What the lock of OpenZeppelin's ReentrancyGuard answers.
REENTERED = "0x" + keccak(text="ReentrancyGuardReentrantCall()")[:4].hex()


@pytest.mark.parametrize("reporter", [0, 2])
def test_When_AReporterHasEquivocated(world, stakes, reporter):
    """Rule 17."""
    world.stake(reporter)
    world.stake(1)
    world.proven(reporter)

    tx = world.slash(reporter)

    assert world.balances(*world.parties, stakes) == [STAKE // 2, STAKE // 2, STAKE]
    assert stakes.held(world.token) == STAKE
    assert world.of(reporter) == (0, 0)
    assert world.of(1) == (STAKE, 0)
    assert events(tx, "Slashed") == [
        {
            "oracle": world.oracle,
            "panel": "0x" + world.panel.hash.hex(),
            "reporter": world.reporters[reporter],
            "token": world.token,
            "amount": STAKE,
        }
    ]


@pytest.mark.parametrize(
    ("parties", "stake", "parts"),
    [(1, 7, [7]), (2, 7, [4, 3]), (3, 5, [3, 1, 1]), (3, 2, [2, 0, 0])],
)
def test_When_TheStakeDoesNotDivide(make_stakes, stakes, parties, stake, parts):
    world = make_stakes(parties=[brownie.accounts.add() for _ in range(parties)])
    world.stake(amount=stake)
    world.proven(0)
    world.slash()
    assert world.balances(*world.parties, stakes) == [*parts, 0]
    assert stakes.held(world.token) == 0


@pytest.mark.parametrize("later", [1, DELAY + 1])
def test_When_AnExitWasAnnounced(world, at, later):
    world.stake()
    announced = world.announce().timestamp
    world.proven(0)
    at(announced + later)
    world.slash()
    assert world.balances(*world.parties) == [STAKE // 2, STAKE // 2]
    with brownie.reverts("ReporterStake_TooEarly: 0"):
        world.leave()


def test_RevertWhen_TheReporterLeftBefore(world, at):
    world.stake()
    world.stake(1)
    at(world.announce().timestamp + DELAY)
    world.leave()
    world.proven(0)
    with brownie.reverts("ReporterStake_NoStake: "):
        world.slash()


def test_RevertWhen_TheReporterWasSlashedBefore(world):
    world.stake()
    world.stake(1)
    world.proven(0)
    world.slash()
    with brownie.reverts("ReporterStake_NoStake: "):
        world.slash()


def test_RevertWhen_TheOracleKnowsOfNoEquivocation(world):
    """Rule 17."""
    world.stake(1)
    for others in ((), (0,), (0, 2), (9,)):
        world.proven(*others)
        reporter = world.reporters[1].address.lower()
        with brownie.reverts(f"ReporterStake_NotProven: {reporter}"):
            world.slash(1)
    world.proven(0, 1, 2)
    world.slash(1)


def test_RevertWhen_ThePartiesAreNotThoseOfThePanel(world):
    world.stake()
    world.proven(0)
    one, other = world.parties
    for parties in ([], [one], [other, one], [one, world.stranger], [one, other, other]):
        with brownie.reverts("ReporterStake_Parties: "):
            world.slash(parties=parties)
    nobody = replace(world.panel, parties=keccak(encode(["address[]"], [[]])))
    with brownie.reverts("ReporterStake_Parties: "):
        world.slash(parties=[], panel=nobody)


def test_RevertWhen_ThePanelDiffers(world):
    world.stake()
    world.proven(0)
    with brownie.reverts("ReporterStake_NoStake: "):
        world.slash(panel=replace(world.panel, tolerance=1))
    thief = [world.stranger]
    with brownie.reverts("ReporterStake_NoStake: "):
        world.slash(
            panel=replace(world.panel, parties=parties_hash([world.stranger.address])),
            parties=thief,
        )


def test_RevertWhen_AnotherOracleHasItsProof(world):
    """Anyone can write an oracle that says so."""
    world.stake()
    liar = brownie.ScriptedOracle.deploy({"from": world.stranger})
    liar.script(0, b"\xff" * 32, {"from": world.stranger})
    with brownie.reverts("ReporterStake_NoStake: "):
        world.slash(oracle=liar)


def test_When_APartyCannotBePaid(make_stakes, stakes):
    """Rule 22."""
    world = make_stakes(token=brownie.GasBurningToken.deploy({"from": brownie.accounts[0]}))
    one, other = world.parties
    world.stake()
    world.proven(0)
    world.token.setDenied(one, True, {"from": world.stranger})
    world.slash()
    assert world.balances(one, other) == [0, STAKE // 2]
    assert stakes.withdrawable(world.token, one) == STAKE // 2 == stakes.held(world.token)
    stakes.withdraw(world.token, world.stranger, {"from": one})
    assert world.balances(world.stranger, stakes) == [STAKE // 2, 0]


def test_RevertWhen_SomebodyGivesTooLittleGas(world, stakes):
    """Rule 22: nobody can turn a payment into one that waits by being mean with gas."""
    world.stake()
    world.proven(0)
    panel, parties = world.panel.as_abi(), [str(party) for party in world.parties]
    data = stakes.slash.encode_input(world.oracle, panel, 0, world.token, parties)
    refused = 0
    for gas in range(60_000, 360_000, 10_000):
        snapshot = request("evm_snapshot")
        if attempt(world.stranger, stakes, data, gas):
            assert world.balances(*world.parties, stakes) == [STAKE // 2, STAKE // 2, 0]
        else:
            refused += 1
        request("evm_revert", snapshot)
    assert 3 < refused < 30


def test_When_APartyCallsBack(make_stakes, stakes, compiled_here):
    """Rule 22."""
    token = compiled_here.CallingToken.deploy({"from": brownie.accounts[0]})
    world = make_stakes(token=token)
    doors = [
        stakes.stake.encode_input(world.oracle, world.panel.as_abi(), 0, token, STAKE),
        stakes.slash.encode_input(world.oracle, world.panel.as_abi(), 1, token, world.parties),
        stakes.leave.encode_input(world.oracle, world.panel.hash, token),
        stakes.skim.encode_input(token, world.stranger),
        stakes.withdraw.encode_input(token, world.stranger),
        stakes.redeliver.encode_input(token, world.stranger),
    ]
    world.stake(1)
    world.proven(0, 1)
    for door in doors:
        world.stake()
        token.onDelivery(world.parties[0], stakes, door, {"from": world.stranger})
        world.slash()
        assert not token.called()
        assert str(token.result()) == REENTERED
    assert world.of(1) == (STAKE, 0)


def test_When_TheRealOracleHasTheProof(make_stakes, stakes, oracle, token, start):
    """Rule 17."""
    keys = samples.reporter_wallets()
    parties = brownie.accounts[1:3]
    panel = replace(samples.panel(), parties=parties_hash([party.address for party in parties]))
    feed = samples.feed(start, panel)
    world = make_stakes()
    world.oracle, world.panel = oracle, panel
    world.reporters = [brownie.accounts.add(key.key.hex()) for key in keys]
    world.stranger.transfer(world.reporters[1], "1 ether")
    world.stake(1)
    domain = Domain(brownie.chain.id, oracle.address)
    said = [samples.signed_batch(domain, feed, 1, 0, [code]) for code in (0, 1)]
    with brownie.reverts(f"ReporterStake_NotProven: {world.reporters[1].address.lower()}"):
        world.slash(1)

    one, other = (batch.as_statement() for batch in said)
    oracle.proveEquivocation(feed.as_abi(), 1, 0, one, other, {"from": world.stranger})
    world.slash(1)

    assert world.balances(*parties, stakes) == [STAKE // 2, STAKE // 2, 0]
