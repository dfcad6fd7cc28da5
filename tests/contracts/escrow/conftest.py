"""Fixtures of the escrow's tests."""

from pathlib import Path

import brownie
import pytest

from tests.contracts.escrow.world import World


@pytest.fixture
def world(escrow, oracle, token, start, at):
    return World(escrow, oracle, token, start, at)


@pytest.fixture
def scripted(world):
    """The same world, whose terms name an oracle that answers what the test tells it to."""
    world.oracle = brownie.ScriptedOracle.deploy({"from": world.stranger})
    return world


@pytest.fixture(scope="session")
def compiled_here():
    """The contracts of `hostile.sol`."""
    source = Path(__file__).with_name("hostile.sol").read_text(encoding="utf-8")
    return brownie.compile_source(source, evm_version="shanghai")
