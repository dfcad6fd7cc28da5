"""See `isReportable.tree`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from relayer.protocol.report import ALL_INTERVALS, batches_as_abi
from tests.contracts.oracle.desk import panel, refused


def ask(feed, signed, up_to=ALL_INTERVALS):
    reached, reason = feed.oracle.isReportable(feed.feed.as_abi(), up_to, batches_as_abi(signed))
    return reached, bytes(reason)


def error(signature, *values):
    kinds = signature[signature.index("(") + 1 : -1]
    return keccak(text=signature)[:4] + encode(kinds.split(",") if kinds else [], values)


def test_When_ReportWouldSucceed(feed):
    feed.judge("g")
    signed = [feed.sign(0, 0, "gggb"), feed.sign(1, 1, "gggg")]
    feed.mine(feed.settled(5))
    assert ask(feed, signed) == (3, b"")
    assert feed.oracle.judgedUpTo(feed.feed.as_abi(), ALL_INTERVALS, batches_as_abi(signed)) == 3
    assert feed.report(*signed).return_value == 3


CASES = {
    "no batch": (lambda feed: [], "MonitoringOracle_NoBatch()", ()),
    "no readings": (
        lambda feed: [feed.sign(0, 1, b"")],
        "MonitoringOracle_ReadingsLength(uint256)",
        (0,),
    ),
    "a stranger": (
        lambda feed: [replace(feed.sign(0, 1, "g"), reporter=3)],
        "MonitoringOracle_UnknownReporter(uint256,uint256)",
        (3, 3),
    ),
    "one reporter twice": (
        lambda feed: [feed.sign(0, 1, "g"), feed.sign(0, 1, "b")],
        "MonitoringOracle_ReporterTwice(uint256)",
        (0,),
    ),
    "judged already": (
        lambda feed: feed.all_sign("g", first=0),
        "MonitoringOracle_AlreadyJudged(uint256,uint256)",
        (1, 1),
    ),
    "a gap": (lambda feed: feed.all_sign("g", first=2), "MonitoringOracle_Gap(uint256)", (1,)),
    "too few": (
        lambda feed: [feed.sign(0, 1, "g")],
        "MonitoringOracle_NoAgreement(uint256)",
        (1,),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_When_ReportWouldFail(feed, case):
    """Encoded as `report` would revert with it, so that one decoder serves both."""
    make, signature, values = CASES[case]
    feed.judge("g")
    signed = make(feed)
    feed.mine(feed.settled(10))
    assert ask(feed, signed) == (0, error(signature, *values))
    with refused(signature.split("(")[0], *values):
        feed.send(signed)


def test_When_ReportWouldFail_for_the_feed_itself(open_desk):
    feed = open_desk(panel(3, 1))
    feed.mine(feed.settled(1))
    expected = error("MonitoringOracle_Quorum(uint256,uint256)", 1, 3)
    assert ask(feed, feed.all_sign("g")) == (0, expected)


def test_When_ItIsToJudgeAPart(feed):
    signed = feed.all_sign("gggg")
    feed.mine(feed.settled(4))
    assert ask(feed, signed, up_to=3) == (3, b"")
    already = error("MonitoringOracle_AlreadyJudged(uint256,uint256)", 0, 0)
    assert ask(feed, signed, up_to=0) == (0, already)


def test_When_TimePasses(feed, start):
    signed = feed.all_sign("gg")
    settled = start + 2 * 60 + 30
    feed.mine(settled - 1)
    too_early = error("MonitoringOracle_TooEarly(uint256,uint256)", 1, settled)
    assert ask(feed, signed) == (0, too_early)
    feed.mine(settled)
    assert ask(feed, signed) == (2, b"")


def test_When_ItWasAsked(feed):
    signed = feed.all_sign("gb")
    feed.mine(feed.settled(2))
    ask(feed, signed)
    assert feed.state_slot() == 0
    assert feed.next == 0
