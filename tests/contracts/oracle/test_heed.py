"""See `heed.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import brownie
import pytest

from relayer.protocol.feed import Panel
from relayer.protocol.tally import Verdict
from tests.contracts.oracle.desk import panel, refused


@pytest.fixture
def proven(feed):
    """Reporter 0 has equivocated on one feed."""
    feed.prove(0, 0, feed.sign(0, 0, "g"), feed.sign(0, 0, "b"))
    return feed


@pytest.fixture
def other(open_desk):
    """Another feed of the same panel."""
    return open_desk(descriptor=b"\1" * 32)


def test_RevertWhen_TheConfigurationIsOutOfBounds(proven):
    """Nothing of a feed that cannot be is ever stored."""
    panel_, word, scope, descriptor = proven.feed.as_abi()
    with refused("Measurement_ReservedBits"):
        proven.oracle.heed.call(
            (panel_, word | 1 << 248, scope, descriptor), {"from": brownie.accounts[5]}
        )


def test_RevertWhen_NothingIsProvenAgainstThePanel(proven, open_desk):
    for panel_ in (panel(5), panel(3, tolerance=1), Panel(panel().reporters[:1], 1)):
        with refused("MonitoringOracle_NothingIgnored"):
            open_desk(panel_).heed()


def test_When_AReporterHasEquivocatedOnAnotherFeed(proven, other):
    """Rule 17: quorum stays; until it is told, a feed knows nothing of what happened on another."""
    other.report(other.sign(0, 0, "g"), other.sign(1, 0, "g"))
    other.heed()
    with refused("MonitoringOracle_NoAgreement", 1):
        other.report(other.sign(0, 1, "g"), other.sign(1, 1, "g"))
    other.report(other.sign(1, 1, "g"), other.sign(2, 1, "g"))
    other.check("gg")


def test_When_AReporterHasEquivocatedOnAnotherFeed_before_anything_was_judged(proven, other):
    other.heed()
    assert other.state == (0, Verdict.NONE)
    with refused("MonitoringOracle_NoAgreement", 0):
        other.report(other.sign(0, 0, "g"), other.sign(1, 0, "g"))


def test_When_IntervalsWereJudgedBefore(proven, other):
    """Rule 17: nothing judged is reopened."""
    tx = other.report(other.sign(0, 0, "bbg"), other.sign(1, 0, "bbb"), other.sign(2, 0, "g"))
    before = other.state_slot()
    other.heed()
    assert other.state_slot() != before
    assert other.advanced_at == tx.timestamp
    other.check("bb")


def test_When_ItIsCalledAgain(proven, other):
    other.heed()
    before = other.state_slot()
    other.heed()
    assert other.state_slot() == before


@pytest.mark.parametrize("sender", [0, 9])
def test_When_TheSenderIsAStranger(proven, other, sender):
    other.do(other.oracle.heed, other.feed.as_abi(), sender=sender)
    with refused("MonitoringOracle_NoAgreement", 0):
        other.report(other.sign(0, 0, "g"), other.sign(1, 0, "g"))
