"""Fixtures of the contract tests."""

import gc
import os

import brownie
import pytest

if "MAKEGOOD_CHAIN_PORT" not in os.environ:
    raise pytest.UsageError("contract tests are run by `make test-contracts`, e.g. ARGS='-k name'")

import scripts.toolchain.brownie_fixes
import scripts.toolchain.brownie_speed  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def light_garbage_collection():
    """brownie collects garbage after each test: not in the compiled project, a million objects that stay (0.3 s)."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    """Takes the chain back to where it was before the test."""


# Deployed once per module, after the reset that opens the module.


@pytest.fixture(scope="module")
def oracle(module_isolation):
    return brownie.MonitoringOracle.deploy({"from": brownie.accounts[0]})


@pytest.fixture(scope="module")
def escrow(module_isolation):
    return brownie.SLAEscrow.deploy({"from": brownie.accounts[0]})


@pytest.fixture(scope="module")
def token(module_isolation):
    return brownie.TestDollar.deploy({"from": brownie.accounts[0]})


@pytest.fixture(scope="module")
def harness(module_isolation):
    return brownie.LibraryHarness.deploy({"from": brownie.accounts[0]})


@pytest.fixture
def start():
    """A whole hour that is at least an hour ahead: there is time to prepare before it."""
    return (brownie.chain[-1].timestamp // 3_600 + 2) * 3_600


@pytest.fixture
def at():
    """`at(time)`: the next block has exactly this time [s, UNIX time]."""

    def set_time(time):
        if "ganache" in brownie.web3.client_version.lower():
            method, value = "evm_setTime", time * 1_000
        else:
            method, value = "evm_setNextBlockTimestamp", time
        answer = brownie.web3.provider.make_request(method, [value])
        assert "error" not in answer, answer

    return set_time
