"""Fixtures of the court's tests."""

from pathlib import Path

import brownie
import pytest

from tests.contracts.court.world import CourtWorld


@pytest.fixture
def world(escrow, oracle, token, start, at):
    return CourtWorld(escrow, oracle, token, start, at)


@pytest.fixture
def feed(world):
    return world.feed()


@pytest.fixture(scope="session")
def compiled_here():
    """The contracts of `hostile.sol`."""
    source = Path(__file__).with_name("hostile.sol").read_text(encoding="utf-8")
    return brownie.compile_source(source, evm_version="shanghai")


@pytest.fixture
def vicious(world, compiled_here):
    """The same world with a token that can be told to misbehave."""
    world.token = compiled_here.ViciousToken.deploy({"from": brownie.accounts[0]})
    return world
