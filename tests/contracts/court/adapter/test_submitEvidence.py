"""What the arbitrator is shown: `submitEvidence.tree`."""

# ruff: noqa: N802, N999 - a test is named after its condition in the tree, a file after its function

from tests.contracts.escrow.world import events


def test_When_AnyoneSubmitsEvidence(world, feed, tribunal):
    tribunal.request(tribunal.disputed(feed))
    for party in (world.consumer, world.stranger):
        tx = tribunal.adapter.submitEvidence(0, "/ipfs/log.json", {"from": party})
        assert events(tx, "Evidence") == [
            {
                "arbitrator": tribunal.arbitrator.address,
                "evidenceGroupID": 0,
                "party": party.address,
                "evidence": "/ipfs/log.json",
            }
        ]
