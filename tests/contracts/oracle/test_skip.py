"""See `skip.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

import brownie
import pytest
from brownie.exceptions import VirtualMachineError
from web3.exceptions import Web3Exception

from relayer.protocol.feed import Panel
from relayer.protocol.tally import Tally, Verdict
from tests.contracts.oracle.desk import codes, judged, panel, refused

DEADLINE = 7_200
# What a call without brownie's contracts raises, depending on the chain.
NODE_REFUSALS = (VirtualMachineError, Web3Exception, ValueError)


@pytest.fixture
def feed(open_desk):
    """Windows of four intervals of a minute, a deadline of two hours."""
    return open_desk(window_intervals=4)


# Configuration: rules 9 and 13


@pytest.mark.parametrize("quorum", [1, 3])
def test_RevertWhen_ThePanelIsOutOfBounds(open_desk, quorum):
    feed = open_desk(panel(3, quorum))
    with refused("MonitoringOracle_Quorum", quorum, 3):
        feed.skip_when_due(1)


def test_RevertWhen_ThePanelIsOutOfBounds_in_order(open_desk):
    feed = open_desk(Panel(panel().reporters[::-1], 2))
    with refused("MonitoringOracle_PanelOrder", 1):
        feed.skip_when_due(1)


def test_RevertWhen_TheMeasurementIsOutOfBounds(feed):
    """Such as a deadline of 0 s, after which silence could be bought at once, or no hour that is judged."""
    panel_, word, scope, descriptor = feed.feed.as_abi()
    cases = [
        (word | 0xFFFFFF << 64, scope, "Measurement_Window", (2**24 - 1, 60)),
        (word & ~(0xFFFFFF << 112), scope, "Measurement_Deadline", (30, 600, 0)),
        (word, ((1 << 168) - 1) << 88, "Scope_Hours", ()),
    ]
    feed.mine(feed.skippable(1))
    for *changed, error, values in cases:
        with refused(error, *values):
            other = (panel_, *changed, descriptor)
            feed.oracle.skip.call(other, 1, {"from": brownie.accounts[5]})


@pytest.mark.parametrize(
    ("word", "bit"), [(7, 8), (7, 255), (8, 32), (8, 255), (11, 160), (13, 255)]
)
def test_RevertWhen_AWordOfThePanelIsNoneOfItsType(feed, word, bit):
    """Quorum, tolerance and addresses with a bit too many would be feeds that no encoder can name."""
    feed.mine(feed.skippable(1))
    data = bytes.fromhex(feed.oracle.skip.encode_input(feed.feed.as_abi(), 1)[2:])
    call = {"from": brownie.accounts[5].address, "to": feed.oracle.address}
    brownie.web3.eth.call(call | {"data": "0x" + data.hex()})

    position = 4 + 32 * word
    old = int.from_bytes(data[position : position + 32], "big")
    new = (old | 1 << bit).to_bytes(32, "big")
    altered = data[:position] + new + data[position + 32 :]
    with pytest.raises(NODE_REFUSALS):
        brownie.web3.eth.call(call | {"data": "0x" + altered.hex()})


# When: rule 2


def test_RevertWhen_EverythingIsJudgedAlready(feed):
    with refused("MonitoringOracle_AlreadyJudged", 0, 0):
        feed.skip(0)
    feed.judge("gb")
    for up_to in (0, 1, 2):
        with refused("MonitoringOracle_AlreadyJudged", 2, up_to):
            feed.skip_when_due(up_to)
    feed.skip_when_due(3)
    with refused("MonitoringOracle_AlreadyJudged", 3, 3):
        feed.skip_when_due(3)


@pytest.mark.parametrize("up_to", [1, 5, 2**32 - 1])
def test_RevertWhen_TheIntervalIsNotOver(feed, start, up_to):
    with refused("MonitoringOracle_TooEarly", up_to - 1, start + up_to * 60 + DEADLINE):
        feed.skip(up_to)


def test_RevertWhen_TheDeadlineAfterItsEndIsNotOver(feed, start):
    """Rule 2: unknown cannot be made while the interval can still be reported."""
    available_at = start + 2 * 60 + DEADLINE
    feed.wait(available_at - 1)
    with refused("MonitoringOracle_TooEarly", 1, available_at):
        feed.skip(2)


def test_RevertWhen_TheDeadlineAfterItsEndIsNotOver_but_that_after_the_last_advance_is(feed, start):
    """Rule 2: both count. An advance long ago gives no right to what has just ended, or is still to come."""
    advanced_at = feed.judge("g").timestamp
    recent = (advanced_at + DEADLINE - start) // 60
    for up_to in (recent, recent + 1_000):
        available_at = start + up_to * 60 + DEADLINE
        assert available_at > advanced_at + DEADLINE
        feed.wait(advanced_at + DEADLINE)
        with refused("MonitoringOracle_TooEarly", up_to - 1, available_at):
            feed.skip(up_to)
    feed.wait(start + recent * 60 + DEADLINE - 1)
    with refused("MonitoringOracle_TooEarly", recent - 1, start + recent * 60 + DEADLINE):
        feed.skip(recent)


def test_When_TheDeadlineAfterItsEndIsJustOver(feed, start):
    feed.wait(start + 2 * 60 + DEADLINE)
    tx = feed.skip(2)
    assert tx.timestamp == start + 2 * 60 + DEADLINE
    assert feed.state == (2, Verdict.UNKNOWN)
    assert feed.advanced_at == 0, "only reports move the clock of rule 2"


def advance_late(feed, start):
    """The feed's last advance comes long after the end of what is to be skipped."""
    feed.wait(start + 100_000)
    return feed.send(feed.all_sign("g")).timestamp


def test_RevertWhen_TheDeadlineAfterTheLastAdvanceIsNotOver(feed, start):
    """Rule 2: who has just moved the feed has time to go on."""
    advanced_at = advance_late(feed, start)
    feed.wait(advanced_at + DEADLINE - 1)
    with refused("MonitoringOracle_TooEarly", 1, advanced_at + DEADLINE):
        feed.skip(2)


def test_When_TheDeadlineAfterTheLastAdvanceIsJustOver(feed, start):
    advanced_at = advance_late(feed, start)
    feed.wait(advanced_at + DEADLINE)
    assert feed.skip(2).timestamp == advanced_at + DEADLINE
    feed.check("g?")


def test_When_TheLastAdvanceWasASkip(feed, start):
    """Rule 18: a stranger who skips in small steps stalls nothing."""
    feed.wait(start + 100_000)
    advanced_at = feed.skip(1).timestamp
    assert feed.skip(2).timestamp < advanced_at + DEADLINE
    feed.check("??")


@pytest.mark.parametrize("sender", [0, 9])
def test_When_TheSenderIsAStranger(feed, sender):
    feed.wait(feed.skippable(1))
    feed.skip(1, sender=sender)
    feed.check("?")


# What it records: rules 18 and 24


def test_When_ItSucceeds(feed):
    feed.judge("gb")
    tx = feed.skip_when_due(9)
    assert len(tx.events) == 1
    event = tx.events["Skipped"]
    assert event["feedId"] == "0x" + feed.feed.id.hex()
    assert (event["first"], event["upTo"]) == (2, 9)
    assert feed.state == (9, Verdict.UNKNOWN)


def test_When_ItStaysWithinAWindow(feed):
    feed.judge("b")
    feed.skip_when_due(3)
    feed.check("b??")
    assert feed.tally_slot(0) == 0
    feed.judge("-")
    feed.check("b??-")


def test_When_ARunGoesBeforeIt(feed):
    """Rule 24: unknown always ends a run."""
    feed.judge("b")
    feed.skip_when_due(2)
    feed.judge("bb")
    feed.check("b?bb")
    assert feed.tally(0).longest_run == 2


@pytest.mark.parametrize("before", ["g", "b", "-", "gb?", "bb-g" + "b"])
@pytest.mark.parametrize("up_to", [6, 8, 13])
def test_When_ItLeavesAWindowThatWasJudgedInPart(feed, before, up_to):
    feed.judge(before)
    feed.skip_when_due(up_to)
    feed.check(before + "?" * (up_to - len(before)))
    kept = [w <= len(before) // 4 and w < up_to // 4 for w in range(5)]
    assert feed.kept(5) == kept


@pytest.mark.parametrize("before", ["", "?", "gggg", "gggg??"])
@pytest.mark.parametrize("up_to", [8, 9, 12, 15])
def test_When_ItPassesWholeWindows(feed, before, up_to):
    """Rule 18: a window of which nothing is known leaves no slot."""
    if before:
        feed.judge(before)
    feed.skip_when_due(up_to)
    feed.check(before + "?" * (up_to - len(before)))
    assert feed.kept(5)[1:] == [False] * 4


def test_When_ItEndsWhereAWindowEnds(feed):
    feed.judge("gb")
    feed.skip_when_due(4)
    feed.check("gb??")
    assert feed.tally(0).complete
    assert feed.tally(1) == Tally(planned=4)
    feed.judge("b")
    feed.check("gb??b")


@pytest.mark.parametrize("before", ["", "b", "gbb?-"])
@pytest.mark.parametrize("target", [6, 8, 17])
def test_When_ItIsDoneInOneStepOrMany(open_desk, before, target):
    """Rule 18: the closed form is what single steps would have recorded."""
    kept = []
    for descriptor, step in ((b"\1" * 32, target), (b"\2" * 32, 1), (b"\3" * 32, 3)):
        feed = open_desk(descriptor=descriptor, window_intervals=4)
        if before:
            feed.judge(before)
        reached = len(before)
        while reached < target:
            reached = min(target, reached + step)
            feed.skip_when_due(reached)
        feed.judge("bb")
        feed.check(before + "?" * (target - len(before)) + "bb")
        kept.append([feed.tally_slot(w) for w in range(7)])
    assert kept[0] == kept[1] == kept[2]


def test_When_TheFeedWasAbandonedForLong(open_desk):
    """Rule 18: closed-form. A hundred thousand windows cost what two cost."""
    used = []
    for descriptor, up_to in ((b"\1" * 32, 10), (b"\2" * 32, 400_002)):
        feed = open_desk(descriptor=descriptor, window_intervals=4)
        feed.judge("gb")
        used.append(feed.skip_when_due(up_to).gas_used)
        assert feed.tally(0) == feed.expected("gb??")
        for window in (1, up_to // 4 - 1):
            assert feed.tally(window) == feed.expected("????")
        assert feed.tally(up_to // 4) == feed.expected("??")
    assert abs(used[1] - used[0]) < 200


def test_When_AReportOverlapsIt(feed):
    """Late readings do not undo it; what is not skipped is judged as if nothing had happened (rule 5)."""
    signed = feed.all_sign("gbbbbb")
    feed.skip_when_due(3)
    tx = feed.report(*signed)
    assert judged(tx)[:2] == (3, codes("bbb"))
    feed.check("???bbb")


def test_When_TheFeedWasNeverReported(feed):
    """Rule 18: an abandoned feed blocks nobody."""
    feed.skip_when_due(12)
    feed.check("?" * 12)
    assert [feed.tally_slot(w) for w in range(3)] == [0, 0, 0]
    assert feed.state_slot() != 0
