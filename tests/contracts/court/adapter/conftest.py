"""Fixtures of the adapter's tests."""

import brownie
import pytest

from tests.contracts.court.adapter.tribunal import Tribunal


@pytest.fixture
def tribunal(world):
    """One step: the payment stands, or all is awarded."""
    return Tribunal(world, steps=1)


@pytest.fixture
def hasty(world, compiled_here):
    """A tribunal whose arbitrator makes a call of the test's choice while it is asked for a ruling."""
    arbitrator = compiled_here.ViciousArbitrator.deploy({"from": brownie.accounts[5]})
    return Tribunal(world, steps=1, arbitrator=arbitrator)
