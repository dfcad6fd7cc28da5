"""An adapter for one arbitrator: `deploy.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie

from tests.contracts.court.adapter.tribunal import EXTRA_DATA, META_EVIDENCE
from tests.contracts.escrow.world import events, refused


def test_RevertGiven_TheArbitratorHasNoCode(world):
    nobody = brownie.accounts[7].address
    with refused("ArbitratorAdapter_NoContract", nobody):
        brownie.ArbitratorAdapter.deploy(nobody, b"", 1, "", {"from": world.stranger})


def test_RevertGiven_NoStepOrTooMany(tribunal):
    for steps in (0, 101):
        with refused("ArbitratorAdapter_Steps", steps):
            brownie.ArbitratorAdapter.deploy(
                tribunal.arbitrator, b"", steps, "", {"from": tribunal.judge}
            )
    brownie.ArbitratorAdapter.deploy(tribunal.arbitrator, b"", 100, "", {"from": tribunal.judge})


def test_When_ItIsDeployed(tribunal):
    adapter = tribunal.adapter
    assert events(adapter.tx, "MetaEvidence") == [{"metaEvidenceID": 0, "evidence": META_EVIDENCE}]
    assert adapter.arbitrator() == tribunal.arbitrator
    assert (adapter.steps(), bytes(adapter.extraData())) == (1, EXTRA_DATA)
