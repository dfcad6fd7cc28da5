"""Oracles that fail, lie or are starved: `settle.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from relayer.protocol.terms import UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import (
    ANSWER,
    BURN_GAS,
    FUNDED,
    REVERT,
    outcomes_by_gas,
    refused,
    set_code,
    tally_answer,
)

FEE = samples.FEE
TENTH, QUARTER = FEE // 10, FEE // 4
EXCLUDED, GOOD, BAD = UnknownPolicy


@pytest.mark.parametrize(("policy", "credit"), [(EXCLUDED, 1_000), (GOOD, 1_000), (BAD, 2_500)])
@pytest.mark.parametrize("mode", [REVERT, BURN_GAS])
def test_When_TheOracleFails(scripted, mode, policy, credit):
    """Rule 13: what was paid stays paid."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_policy=policy)
    world.oracle.script(ANSWER, tally_answer(judged=1, bad=1), {"from": world.stranger})
    world.settle(terms)
    world.oracle.script(mode, b"", {"from": world.stranger})
    expiry = terms.expiry(0)
    world.at(expiry - 1)
    with refused("SLAEscrow_OracleFailed", 0, expiry):
        world.settle(terms)
    world.at(expiry)
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE * credit // 10_000)


def test_When_TheOracleRevertsWithATally(world, compiled_here):
    """Rule 13: what comes with a failure is no answer, however much it looks like one."""
    world.oracle = compiled_here.RevertingOracle.deploy({"from": world.stranger})
    world.oracle.set(False, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.set(True, tally_answer(judged=60, bad=60, run=60), {"from": world.stranger})
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.escrow.settle.call(terms.as_abi(), 0, {"from": world.stranger})
    world.oracle.set(False, tally_answer(judged=60, bad=60, run=60), {"from": world.stranger})
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE)


UNSOUND = {
    "nothing": b"",
    "as before there were averages": tally_answer()[:-32],
    "too short": tally_answer()[:-1],
    "a word too many": tally_answer() + bytes(32),
    "a byte too many": tally_answer() + b"\x00",
    "long": tally_answer() + bytes(2_000),
    "a longer window": tally_answer(planned=61),
    "more judged than planned": tally_answer(judged=61),
    "bad but not judged": tally_answer(judged=1, bad=2, run=1),
    "unknown but not judged": tally_answer(judged=1, unknown=2),
    "not applicable but not judged": tally_answer(judged=1, not_applicable=2),
    "two kinds at once": tally_answer(judged=3, bad=2, unknown=1, not_applicable=1),
    "a run without bad ones": tally_answer(judged=3, bad=1, run=2),
    "beyond 32 bits": tally_answer(judged=2**32 + 1),
    "beyond 32 bits, planned": tally_answer(planned=2**32 + 60),
    "beyond 64 bits": tally_answer(deviation=2**64),
    "so large that sums overflow": tally_answer(2**256 - 1, 2**256 - 1, *[2**255] * 3),
    "so large that 32-bit sums overflow": tally_answer(
        judged=60, bad=2**31, unknown=2**31, not_applicable=0
    ),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_When_TheOracleAnswersWhatCannotBe(scripted, name):
    """Rule 13: nonsense is no answer, and stops nobody for ever."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_limit=999_999, unknown_credit=700)
    world.oracle.script(ANSWER, UNSOUND[name], {"from": world.stranger})
    expiry = terms.expiry(0)
    with refused("SLAEscrow_OracleFailed", 0, expiry):
        world.escrow.settle.call(terms.as_abi(), 0, {"from": world.stranger})
    world.at(expiry)
    world.settle(terms)
    assert world.window(terms) == (FUNDED, FEE * 700 // 10_000)


def test_When_TheOracleLosesItsCode(scripted):
    """Rule 13: an account without code answers everything with nothing."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_policy=BAD)
    set_code(world.oracle.address, "0x")
    with refused("SLAEscrow_OracleFailed", 0, terms.expiry(0)):
        world.escrow.settle.call(terms.as_abi(), 0, {"from": world.stranger})
    world.at(terms.expiry(0))
    world.settle(terms)
    assert world.window(terms) == (FUNDED, QUARTER)


def test_When_TheOracleTakesBackWhatItSaid(scripted):
    """Rule 7: owed is never negative."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened()
    world.oracle.script(ANSWER, tally_answer(judged=6, bad=6), {"from": world.stranger})
    world.settle(terms)
    world.oracle.script(ANSWER, tally_answer(judged=60, bad=1), {"from": world.stranger})
    assert world.claimable(terms) == (1_000, 0, True)
    assert len(world.settle(terms).events) == 0
    world.close(terms)
    assert world.balances() == (FEE - QUARTER, QUARTER, 0)


def test_When_GasIsTooShortForTheOracle(world):
    """Rule 13: all unknown would be worth 10 % to the consumer; who starves a sound oracle gets nothing."""
    feed = world.feed()
    terms = world.opened(feed, unknown_limit=0, unknown_credit=1_000)
    world.judge(feed, "g" * 60)
    world.go(terms.expiry(0))
    brownie.chain.mine()
    limits = range(36_000, 136_000, 2_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, world.consumer))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": 0, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)


def test_When_GasIsTooShortForAFailingOracle(scripted):
    """Rule 13: it counts as failing only after it was given all that an answer may use."""
    world = scripted
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_policy=BAD)
    world.oracle.script(BURN_GAS, b"", {"from": world.stranger})
    world.go(terms.expiry(0))
    brownie.chain.mine()
    limits = range(60_000, 460_000, 8_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, world.consumer))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": QUARTER, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)


def test_When_GasIsTooShortForADearOracle(world):
    """Rule 13: it would fail at once, and leave enough for paying the consumer as if it were dead."""
    world.oracle = brownie.DearOracle.deploy({"from": world.stranger})
    world.oracle.script(ANSWER, tally_answer(), {"from": world.stranger})
    terms = world.opened(unknown_policy=BAD)
    world.oracle.script(ANSWER, tally_answer(judged=60), {"from": world.stranger})
    world.go(terms.expiry(0))
    brownie.chain.mine()
    limits = range(60_000, 260_000, 4_000)
    outcomes = list(outcomes_by_gas(world, world.escrow.settle, terms, limits, world.consumer))
    assert outcomes[0] is None
    assert outcomes[-1] == {"paid": 0, "withheld": 0}
    assert all(outcome in (None, outcomes[-1]) for outcome in outcomes)
