"""Fixtures of the periphery's tests."""

from pathlib import Path

import brownie
import pytest

from tests.contracts.escrow.world import request
from tests.contracts.periphery.payments import PERMIT2, Payments
from tests.contracts.periphery.stakes import Stakes


@pytest.fixture(scope="session")
def compiled_here():
    """The contracts of `hostile.sol`."""
    source = Path(__file__).with_name("hostile.sol").read_text(encoding="utf-8")
    return brownie.compile_source(source, evm_version="shanghai")


@pytest.fixture(scope="module")
def dollar(module_isolation):
    """A token that takes signatures."""
    return brownie.PermitDollar.deploy({"from": brownie.accounts[0]})


@pytest.fixture(scope="module")
def router(escrow):
    """The router, on a chain that has the real Permit2 where all chains have it."""
    on_ganache = "ganache" in brownie.web3.client_version.lower()
    method = "evm_setAccountCode" if on_ganache else "anvil_setCode"
    request(method, PERMIT2["address"], PERMIT2["code"])
    return brownie.FundingRouter.deploy(escrow, {"from": brownie.accounts[0]})


@pytest.fixture
def pay(router, escrow, oracle, dollar, start, at):
    """The consumer has a thousand dollars, has approved Permit2 and nobody else."""
    pay = Payments(router, escrow, oracle, dollar, start, at)
    dollar.mint(pay.consumer, 1_000 * 10**6, {"from": pay.stranger})
    dollar.approve(PERMIT2["address"], 2**256 - 1, {"from": pay.consumer})
    return pay


@pytest.fixture
def batcher():
    return brownie.Batcher.deploy({"from": brownie.accounts[0]})


@pytest.fixture
def target(compiled_here):
    return compiled_here.Target.deploy({"from": brownie.accounts[0]})


@pytest.fixture(scope="module")
def stakes(module_isolation):
    return brownie.ReporterStake.deploy({"from": brownie.accounts[0]})


@pytest.fixture
def make_stakes(stakes, token):
    """`make_stakes(parties=, token=)`: stakes that heed an oracle which answers what the test tells it to."""

    def make(parties=None, token=token):
        scripted = brownie.ScriptedOracle.deploy({"from": brownie.accounts[0]})
        world = Stakes(stakes, scripted, token, parties or brownie.accounts[1:3])
        world.proven()
        return world

    return make


@pytest.fixture
def world(make_stakes):
    return make_stakes()
