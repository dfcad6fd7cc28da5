"""What `reportMany` judges: each feed as `report` would. See `reportMany.tree`."""
# ruff: noqa: N802, N999 - named after the function and the branches of the tree

from dataclasses import replace

import pytest

from relayer.protocol import merkle
from relayer.protocol.measurement import Comparison
from relayer.protocol.readings import NO_DATA
from relayer.protocol.report import batches_as_abi
from relayer.protocol.scope import Scope
from relayer.protocol.tally import Verdict
from tests.contracts.oracle.bundles import Office, judged_many, selector
from tests.contracts.oracle.desk import BAD, GOOD, codes, panel

ALREADY_JUDGED = selector("MonitoringOracle_AlreadyJudged(uint256,uint256)")
TOO_EARLY = selector("MonitoringOracle_TooEarly(uint256,uint256)")
GAP = selector("MonitoringOracle_Gap(uint256)")
NO_AGREEMENT = selector("MonitoringOracle_NoAgreement(uint256)")


@pytest.fixture
def office(open_desk):
    """Three feeds of two of three reporters, windows of four intervals."""
    return Office(*(open_desk(descriptor=bytes([i]) * 32, window_intervals=4) for i in range(3)))


def test_When_EveryReporterSignsTheSame(office):
    """Rule 15: one string, one signature per reporter."""
    tx = office.report(*office.all_sign("gb", "b", "ggg"))
    for desk, history in zip(office.desks, ("gb", "b", "ggg"), strict=True):
        desk.check(history)
        assert desk.advanced_at == tx.timestamp
    assert tx.return_value == 3


def test_When_EveryReporterSignsTheSame_and_flags_are_given_needlessly(office):
    """All leaves of a tree lead to its root with a proof of flags alone, too."""
    signed = office.all_sign("gb", "b", "ggg")
    office.settle(*signed)
    ((readings, proof, flags, endorsements),) = office.arguments(signed)[2]
    assert (proof, flags) == ([], [])
    proof, flags = merkle.multiproof(signed[0].leaves, [0, 1, 2])
    assert (proof, flags) == ([], [True, True])
    assert office.send([(readings, proof, flags, endorsements)]).return_value == 3


def test_When_ReportersDiffer(office):
    signed = [
        office.sign(0, "gg", [GOOD], "b"),
        office.sign(1, "gb", [BAD], "bg"),
        office.sign(2, "bb", [GOOD], "bg"),
    ]
    tx = office.report(*signed)
    for desk, history in zip(office.desks, ("gb", "g", "bg"), strict=True):
        desk.check(history)
    # 0 and 2 dissent on the first feed, 1 on the second.
    assert judged_many(tx).dissenters == {0, 1, 2}
    assert judged_many(tx).heard == {0, 1, 2}


def test_When_ReportersDiffer_and_only_one_dissents(office):
    signed = [
        office.sign(0, "g", "g", "g"),
        office.sign(1, "g", "b", "g"),
        office.sign(2, "g", "g", "g"),
    ]
    assert judged_many(office.report(*signed)).dissenters == {1}


def test_When_ABundleSaysNothingOfAFeed(office):
    """A reporter that does not know of a feed, or has nothing to say of it."""
    signed = [
        office.sign(0, "g", None, "b"),
        office.sign(1, "g", "b", None),
        office.sign(2, None, "b", "b"),
    ]
    office.report(*signed)
    for desk, history in zip(office.desks, "gbb", strict=True):
        desk.check(history)


def test_When_ABundleSaysNothingOfAFeed_and_too_few_do(office):
    tx = office.report(office.sign(0, "g", "g", None), office.sign(1, "g", None, None))
    outcome = judged_many(tx)
    first, second, third = office.feed_ids
    assert outcome.refused == {second: NO_AGREEMENT, third: ALREADY_JUDGED}
    assert tx.return_value == 1
    assert office.desks[0].next == 1
    assert first not in outcome.refused


@pytest.mark.parametrize("chosen", [[0], [1], [2], [0, 1], [0, 2], [1, 2]])
def test_When_OnlySomeOfASignedTreeAreReported(office, chosen):
    """Rule 15: a multiproof stands for the feeds that are left out."""
    histories = ("gb", "b", "-gg")
    office.report(*office.all_sign(*histories), desks=chosen)
    for index, desk in enumerate(office.desks):
        desk.check(histories[index] if index in chosen else "")


def test_When_ASignedTreeIsUsedAgain(office):
    """A signature is not used up by a report: it serves until all of it is judged."""
    signed = office.all_sign("gb", "b", "ggg")
    for chosen in ([1], [0, 2]):
        office.report(*signed, desks=chosen)
    for desk, history in zip(office.desks, ("gb", "b", "ggg"), strict=True):
        desk.check(history)
    tx = office.report(*signed)
    assert judged_many(tx).refused == dict.fromkeys(office.feed_ids, ALREADY_JUDGED)


def test_When_OneFeedIsSignedAlone(office):
    """The root of one leaf is the leaf: what is signed does not say which function brings it."""
    desk = office.desks[0]
    alone = Office(desk)
    batches = desk.all_sign("gb")
    as_bundles = [
        replace(bundle, signature=batch.signature)
        for bundle, batch in zip(alone.all_sign("gb"), batches, strict=True)
    ]
    alone.report(*as_bundles)
    desk.check("gb")


def test_When_AFeedStandsThereTwice(office):
    desk = office.desks[0]
    twice = Office(desk, desk)
    signed = [office.sign_parts(i, [twice.part(0, "gb"), twice.part(1, "gb")]) for i in range(2)]
    leaves = signed[0].leaves
    readings = signed[0].feeds[0].pack() * 2
    endorsements = twice.arguments(signed, [0])[2][0][3]
    twice.settle(*signed)
    assert leaves[0] == leaves[1]
    tx = twice.send([(readings, [], [True], endorsements)])
    outcome = judged_many(tx)
    assert outcome.values == [(0, codes("gb")), (2, [])]
    assert outcome.refused == {desk.feed.id: ALREADY_JUDGED}
    desk.check("gb")


# What cannot be judged does not keep the others


def check_refused(office, tx, index, reason, histories):
    outcome = judged_many(tx)
    desk = office.desks[index]
    assert outcome.refused == {desk.feed.id: reason}
    assert outcome.values[index] == (desk.next, [])
    for other, history in zip(office.desks, histories, strict=True):
        other.check(history)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_When_AFeedIsJudgedAlready(office, index):
    """Rule 5: a report is never voided by a shorter one that overtakes it."""
    signed = office.all_sign("gb", "gb", "gb")
    office.desks[index].judge("gb")
    before = office.desks[index].state_slot()
    tx = office.report(*signed)
    check_refused(office, tx, index, ALREADY_JUDGED, ["gb"] * 3)
    assert office.desks[index].state_slot() == before


@pytest.mark.parametrize("index", [0, 1, 2])
def test_When_AFeedHasNotSettled(office, index):
    """Rule 25."""
    readings = ["gb"] * 3
    readings[index] = "gbb"
    signed = office.all_sign(*readings)
    office.wait(office.desks[0].settled(2))
    tx = office.send(signed)
    readings[index] = ""
    check_refused(office, tx, index, TOO_EARLY, readings)
    assert office.desks[index].state_slot() == 0


@pytest.mark.parametrize("index", [0, 1, 2])
def test_When_AFeedHasAGap(office, index):
    signed = []
    for reporter in range(2):
        parts = [office.part(i, "gb", first=int(i == index)) for i in range(3)]
        signed.append(office.sign_parts(reporter, parts))
    tx = office.report(*signed)
    histories = ["gb"] * 3
    histories[index] = ""
    check_refused(office, tx, index, GAP, histories)
    assert office.desks[index].state_slot() == 0


@pytest.mark.parametrize("index", [0, 1, 2])
def test_When_AFeedHasNoAgreement(office, index):
    """Rule 3."""
    readings = ["gb"] * 3
    readings[index] = "bb"
    tx = office.report(office.sign(0, "gb", "gb", "gb"), office.sign(1, *readings))
    histories = ["gb"] * 3
    histories[index] = ""
    check_refused(office, tx, index, NO_AGREEMENT, histories)
    assert office.desks[index].state_slot() == 0


def test_When_NothingOfAnyFeedCanBeJudged(office):
    tx = office.report(office.sign(0, "g", "g", "g"), office.sign(1, "b", "b", "b"))
    outcome = judged_many(tx)
    assert outcome.refused == dict.fromkeys(office.feed_ids, NO_AGREEMENT)
    assert outcome.values == [(0, [])] * 3
    assert [desk.state_slot() for desk in office.desks] == [0, 0, 0]
    assert tx.return_value == 0


# Windows, scopes, ignored reporters


@pytest.mark.parametrize("reporters", [2, 3])
def test_When_WindowsEndWithinTheReport(office, reporters):
    """None, one and several of them, so that what one feed closes is not written for the next."""
    histories = ("bbbbbb???????", "gb", "b-gbbggb")
    office.report(*(office.sign(i, *histories) for i in range(reporters)))
    for desk, history in zip(office.desks, histories, strict=True):
        desk.check(history)
    assert [desk.kept(3) for desk in office.desks] == [
        [True, True, False],
        [False, False, False],
        [True, True, False],
    ]


def test_When_TheFeedsHaveScopesOfTheirOwn(open_desk, start):
    """Thresholds, ranges, hours and intervals are each feed's, the panel is what they share."""
    hour = (start // 3_600 + 72) % 168
    desks = [
        open_desk(descriptor=b"\1" * 32, interval=900, window_intervals=8),
        open_desk(
            descriptor=b"\2" * 32, interval=1_800, scope=Scope(hours_off=1 << (hour + 1) % 168)
        ),
        open_desk(
            descriptor=b"\3" * 32, scope=Scope(best=0, worst=100), comparison=Comparison.LESS_THAN
        ),
        open_desk(descriptor=b"\4" * 32, interval=600, comparison=Comparison.EQUAL_TO, threshold=7),
    ]
    office = Office(*desks)
    histories = ([GOOD, BAD] * 5, [BAD] * 5, [NO_DATA, 50, 2_000], [7, 8])
    office.report(*office.all_sign(*[list(h) for h in histories]))
    for desk, history in zip(desks, histories, strict=True):
        desk.check(history)
    assert desks[1].tally(0).bad == 3
    assert desks[2].tally(0).deviation == 150


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_When_AFeedHeedsWhatOthersDoNot(office, order):
    """Rule 17: as `report` would: a reporter is ignored from `heed` on, feed by feed, wherever they stand in the call."""
    heeding, other = (office.desks[i] for i in order)
    heeding.prove(0, 9, heeding.sign(0, 9, "g"), heeding.sign(0, 9, "b"))
    pair = Office(*office.desks[:2])
    tx = pair.report(*pair.all_sign("g", "g"))
    assert judged_many(tx).refused == {heeding.feed.id: NO_AGREEMENT}
    other.check("g")
    # With the third reporter both find their quorum.
    signed = [pair.sign(i, "g", "gg", first=0) for i in (1, 2)]
    pair.report(*signed)
    assert heeding.next >= 1


# Events


def test_When_ItSucceeds(office):
    """Rule 15: one event for all feeds."""
    tx = office.report(*office.all_sign("gb", "?", "-bg"))
    event = tx.events["JudgedMany"]
    expected = (
        "00000000 0002 000f4240 00000000",
        "00000000 0001 ffffffff",
        "00000000 0003 fffffffe 00000000 000f4240",
    )
    assert bytes(event["values"]) == bytes.fromhex("".join(expected))
    outcome = judged_many(tx)
    assert outcome.feed_ids == office.feed_ids
    assert (outcome.heard, outcome.dissenters, outcome.refused) == ({0, 1}, set(), {})
    assert tx.events[0].address == office.oracle.address
    assert [desk.verdict for desk in office.desks] == [Verdict.BAD, Verdict.UNKNOWN, Verdict.GOOD]


def test_When_ItSucceeds_from_where_each_feed_stands(office):
    """Only what is new is told: prefixes that are judged already are left out."""
    signed = office.all_sign("gbb", "gbb", "gbb")
    office.desks[1].judge("gb")
    office.desks[2].judge("g")
    outcome = judged_many(office.report(*signed))
    assert outcome.values == [(0, codes("gbb")), (2, codes("b")), (1, codes("bb"))]


CASES = {
    "equal strings": [("gbb?g", "b", "gg-bbbbgb")] * 2,
    "all three": [("gbb?g", "b", "gg-bbbbgb")] * 3,
    "different bounds": [("gb", "bbbbbbb", "g"), ("gbb?g", "b", "gg"), ("gbb", "bb", "gg-")],
    "different answers": [("ggg", "b?b", "-g"), ("gbg", "b?b", "--"), ("gbb", "gb?", "b-")],
    "silence": [("g", None, "b"), ("g", "b", None), (None, "b", "bb")],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("before", ["", "gb"])
def test_When_TheFeedsAreReportedOneByOne(open_desk, case, before):
    """The same verdicts, states, slots and values."""
    pairs = [
        [open_desk(panel(3, 2), bytes([i, turn]) * 16, window_intervals=3 + i) for i in range(3)]
        for turn in range(2)
    ]
    together, single = Office(*pairs[0]), pairs[1]
    for desk in (*together.desks, *single):
        if before:
            desk.judge(before)
    bundles = [together.sign(i, *said, first=0) for i, said in enumerate(CASES[case])]
    outcome = judged_many(together.report(*bundles))
    told = []
    for index, desk in enumerate(single):
        signed = [
            desk.sign(i, 0, said[index])
            for i, said in enumerate(CASES[case])
            if said[index] is not None
        ]
        (reached, _) = desk.oracle.isReportable(
            desk.feed.as_abi(), 2**32 - 1, batches_as_abi(signed)
        )
        if reached:
            first = desk.next
            event = desk.report(*signed).events["Judged"]
            told.append((first, bytes(event["values"])))
        else:
            told.append((desk.next, b""))
    for one, other in zip(together.desks, single, strict=True):
        assert one.state == other.state
        assert [one.tally(w) for w in range(4)] == [other.tally(w) for w in range(4)]
        assert one.kept(4) == other.kept(4)
    packed_values = [
        (first, b"".join(v.to_bytes(4, "big") for v in values)) for first, values in outcome.values
    ]
    assert packed_values == told
