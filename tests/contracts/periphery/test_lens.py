"""Where many feeds stand, asked in one call that deploys nothing: `lens.tree`."""

# ruff: noqa: N802 - a test is named after its condition in the tree

import brownie
import pytest

from tests import samples
from tests.contracts.oracle.desk import Desk


def ask(oracle, ids):
    """(next interval, verdict, time of the last report) of each."""
    data = brownie.FeedLens.deploy.encode_input(oracle, ids)
    answer = bytes(brownie.web3.eth.call({"data": data}))
    words = [int.from_bytes(answer[i : i + 32], "big") for i in range(0, len(answer), 32)]
    return [(word % 2**32, (word >> 32) % 2**8, word >> 40) for word in words]


def test_When_AskedWhereFeedsStand(oracle, start, at):
    desks = [Desk(oracle, samples.feed(start, samples.panel(i)), at) for i in (1, 3)]
    for desk, readings in zip(desks, ("gb", "bbg"), strict=True):
        desk.judge(readings)
    ids = [desks[1].feed.id, b"\x01" * 32, desks[0].feed.id]
    found = ask(oracle, ids)
    assert found == [tuple(oracle.latest(one)) for one in ids]
    assert [upcoming for upcoming, _, _ in found] == [3, 0, 2]


def test_When_AskedAboutNoFeed(oracle):
    assert ask(oracle, []) == []


def test_RevertWhen_ThereIsNoOracle():
    with pytest.raises(ValueError, match="execution reverted"):
        ask(brownie.accounts[5], [b"\x01" * 32])
