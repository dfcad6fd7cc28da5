"""How signed readings become verdicts: order, agreement, dissent. See `report.tree`."""
# ruff: noqa: N802 - tests are named after the branches of the tree

from itertools import combinations, permutations

import brownie
import pytest

from relayer.protocol.measurement import Comparison
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.report import ALL_INTERVALS, batches_as_abi
from relayer.protocol.tally import Verdict
from tests.contracts.oracle.desk import BAD, GOOD, codes, judged, panel, refused

# Order: rule 5


def test_RevertWhen_ItIsReplayed(feed):
    signed = feed.all_sign("gb")
    feed.report(*signed)
    with refused("MonitoringOracle_AlreadyJudged", 2, 2):
        feed.report(*signed)


@pytest.mark.parametrize(("first", "readings"), [(0, "g"), (0, "b"), (1, "gg"), (2, "b")])
def test_RevertWhen_AllOfItIsJudgedAlready(feed, first, readings):
    """What was judged stays, whoever signs otherwise later."""
    feed.judge("gbg")
    with refused("MonitoringOracle_AlreadyJudged", 3, first + len(readings)):
        feed.report(*feed.all_sign(readings, first=first))


def test_RevertWhen_TheNextIntervalIsMissing(feed):
    with refused("MonitoringOracle_Gap", 0):
        feed.report(*feed.all_sign("g", first=1))
    feed.judge("gg")
    with refused("MonitoringOracle_Gap", 2):
        feed.report(*feed.all_sign("g", first=3))


def test_When_AnIntervalInBetweenIsMissing(feed):
    feed.report(*feed.all_sign("gb", first=0), feed.sign(2, 3, "g"))
    assert feed.next == 2
    assert feed.tally(0) == feed.expected("gb")


def test_When_TheBatchesComeInAnotherOrder(open_desk):
    """Neither the order of batches nor that of signatures changes anything."""
    for number, order in enumerate(permutations(range(3))):
        feed = open_desk(panel(3, 2, tolerance=5), descriptor=bytes([number]) * 32)
        signed = [
            feed.sign(0, 0, [GOOD, BAD, GOOD]),
            feed.sign(1, 0, [GOOD - 5, BAD]),
            feed.sign(2, 0, [GOOD - 10, NO_DATA, GOOD - 1, BAD]),
        ]
        tx = feed.report(*(signed[i] for i in order))
        assert judged(tx) == (0, [GOOD - 10, BAD, GOOD - 1], {0, 1, 2}, {0, 2})
        assert feed.tally(0) == feed.expected("gbg")


def test_When_TheBatchesComeInAnotherOrder_of_signatures(feed):
    (first, readings, endorsements), *_ = batches_as_abi(feed.all_sign("gb"))
    feed.wait(feed.settled(2))
    feed.send([(first, readings, endorsements[::-1])])
    assert feed.tally(0) == feed.expected("gb")


def test_When_APrefixIsJudgedAlready(feed):
    """Rule 5: it is ignored, even where it says otherwise."""
    feed.judge("gg")
    tx = feed.report(*feed.all_sign("bbbg", first=0))
    assert judged(tx)[:2] == (2, codes("bg"))
    assert feed.tally(0) == feed.expected("ggbg")


def test_When_AShorterReportCameFirst(feed):
    """Rule 5: a report is never voided by a shorter one that overtakes it."""
    longer = feed.all_sign("gbbg")
    feed.judge("gb")
    tx = feed.report(*longer)
    assert judged(tx)[:2] == (2, codes("bg"))
    assert feed.tally(0) == feed.expected("gbbg")


def test_When_TheBatchesHaveDifferentBounds(feed):
    """Rule 5: reporters answer from where they last saw the feed to where their clocks were."""
    feed.judge("gb")
    signed = [feed.sign(0, 0, "gbbg"), feed.sign(1, 2, "bgb"), feed.sign(2, 1, "bbgbbb")]
    tx = feed.report(*signed)
    # Interval 4 has two answers, 5 and 6 only one.
    assert judged(tx)[:2] == (2, codes("bgb"))
    assert feed.tally(0) == feed.expected("gbbgb")


def test_When_ALaterIntervalHasNoAgreement(feed):
    """Rule 5: what comes after the first interval without agreement waits for a later report."""
    signed = [feed.sign(0, 0, "gggb"), feed.sign(1, 0, "ggbb")]
    tx = feed.report(*signed)
    assert judged(tx) == (0, codes("gg"), {0, 1}, set())
    assert feed.next == 2
    # The third signature decides, and the two that waited are not lost.
    tx = feed.report(*signed, feed.sign(2, 2, "bb"))
    assert judged(tx) == (2, codes("bb"), {0, 1, 2}, {0})
    assert feed.tally(0) == feed.expected("ggbb")


def test_When_AnIntervalWithoutAgreementCouldBeSkipped(feed):
    """Rule 2: nobody can use it to erase the agreed ones behind it."""
    feed.wait(feed.skippable(3))
    tx = feed.send([feed.sign(0, 0, "gggb"), feed.sign(1, 0, "ggbb")])
    assert judged(tx) == (0, codes("gg?b"), {0, 1}, set())
    assert feed.tally(0) == feed.expected("gg?b")


def test_When_AnIntervalWithoutAgreementCannotBeSkippedYet(feed):
    feed.wait(feed.skippable(3) - 1)
    tx = feed.send([feed.sign(0, 0, "gggb"), feed.sign(1, 0, "ggbb")])
    assert judged(tx) == (0, codes("gg"), {0, 1}, set())


def test_When_NothingIsAgreedBehindAnIntervalThatCouldBeSkipped(feed):
    """Rule 2: what no quorum has answered is left to `skip`."""
    feed.wait(feed.skippable(4))
    tx = feed.send([feed.sign(0, 0, "gggb"), feed.sign(1, 0, "ggbg")])
    assert judged(tx) == (0, codes("gg"), {0, 1}, set())


def test_RevertWhen_TheFirstIntervalHasNoAgreement(feed):
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.report(feed.sign(0, 0, "gg"), feed.sign(1, 0, "bg"))
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.report(feed.sign(2, 0, "gg"))


@pytest.mark.parametrize("sender", [0, 9])
def test_When_TheSenderIsAStranger(feed, sender):
    feed.wait(feed.settled(1))
    feed.send(feed.all_sign("b"), sender=sender)
    assert feed.state == (1, Verdict.BAD)


# Agreement: rule 3


def outcome(open_desk, answers, *, quorum, tolerance=0, **measurement):
    """Verdict and value of one interval, given the answers of all reporters of a panel."""
    feed = open_desk(panel(len(answers), quorum, tolerance), **measurement)
    feed.report(*feed.each_signs(*answers))
    return feed.verdict, feed.value


@pytest.mark.parametrize(
    ("answers", "quorum", "tolerance", "value"),
    [
        ((7,), 1, 0, 7),
        ((7, 7, 900), 2, 0, 7),
        ((900, 7, 7), 2, 0, 7),
        # The lower of two.
        ((10, 14, 900), 2, 4, 10),
        # The lowest set that agrees, although the higher two are closer.
        ((10, 14, 15), 2, 4, 10),
        ((10, 15, 19), 2, 4, 15),
        # The median of three.
        ((10, 11, 14, 50, 60), 3, 4, 11),
        ((0, 10, 11, 14, 15), 3, 4, 11),
        # Lower median of four, while a fifth is out of reach.
        ((20, 21, 22, 23, 90), 4, 3, 21),
    ],
)
@pytest.mark.parametrize("good", [True, False])
def test_When_AQuorumOfValuesAgree(open_desk, answers, quorum, tolerance, value, good):
    """Rule 3: the lower median of the lowest set of `quorum` values within the tolerance."""
    comparison = Comparison.AT_MOST if good else Comparison.MORE_THAN
    verdict = Verdict.GOOD if good else Verdict.BAD
    assert outcome(
        open_desk,
        answers,
        quorum=quorum,
        tolerance=tolerance,
        comparison=comparison,
        threshold=1_000,
    ) == (verdict, value)


def test_RevertWhen_ValuesDifferByMoreThanTheTolerance(open_desk):
    """To the unit; and without the third reporter it is not yet unknown."""
    feed = open_desk(panel(3, 2, tolerance=10))
    for answers in ((GOOD, GOOD - 11, None), (None, BAD, BAD + 11)):
        with refused("MonitoringOracle_NoAgreement", 0):
            feed.report(*feed.each_signs(*answers))
    feed.report(*feed.each_signs(GOOD, GOOD - 10, None))
    assert feed.state == (1, Verdict.GOOD)
    assert feed.value == GOOD - 10


def test_RevertWhen_ValuesDifferByMoreThanTheTolerance_or_only_by_side(open_desk):
    """Rule 3: close together is not enough when the threshold lies between."""
    feed = open_desk(panel(3, 2, tolerance=10), threshold=GOOD)
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.report(*feed.each_signs(GOOD, GOOD - 1, None))


@pytest.mark.parametrize("other", [GOOD, BAD, NOT_APPLICABLE, NO_DATA, None])
def test_When_AQuorumHasNoData(open_desk, other):
    feed = open_desk()
    feed.report(*feed.each_signs(NO_DATA, other, NO_DATA))
    assert feed.state == (1, Verdict.UNKNOWN)
    assert feed.tally(0) == feed.expected("?")


@pytest.mark.parametrize("other", [GOOD, BAD, NOT_APPLICABLE, NO_DATA, None])
def test_When_AQuorumSaysNotApplicable(open_desk, other):
    """Counted for itself: it stays in the denominator unless a level removes it (rule 4)."""
    feed = open_desk()
    feed.report(*feed.each_signs(other, NOT_APPLICABLE, NOT_APPLICABLE))
    assert feed.state == (1, Verdict.NOT_APPLICABLE)
    assert feed.tally(0) == feed.expected("-")
    assert feed.tally(0).planned == 60


CONTRADICTIONS = [
    (GOOD, BAD, NO_DATA),
    (GOOD, BAD, NOT_APPLICABLE),
    (GOOD, NO_DATA, NOT_APPLICABLE),
    (GOOD, GOOD - 1, GOOD - 2),
    (BAD, BAD + 1, GOOD),
]


@pytest.mark.parametrize("answers", CONTRADICTIONS)
def test_When_AllWereHeardWithoutAgreement(feed, answers):
    """Rule 2: the one way to unknown besides a quorum of "no data" and `skip`."""
    tx = feed.report(*feed.each_signs(*answers))
    assert feed.state == (1, Verdict.UNKNOWN)
    knew = {i for i, answer in enumerate(answers) if answer != NO_DATA}
    assert judged(tx) == (0, [NO_DATA], {0, 1, 2}, knew)


@pytest.mark.parametrize("answers", CONTRADICTIONS)
@pytest.mark.parametrize("silent", [0, 1, 2])
def test_RevertWhen_AllButOneWereHeardWithoutAgreement(feed, answers, silent):
    """Rule 2: leaving out a signature does not make an interval unknown."""
    presented = [None if i == silent else answer for i, answer in enumerate(answers)]
    with refused("MonitoringOracle_NoAgreement", 0):
        feed.report(*feed.each_signs(*presented))


@pytest.mark.parametrize(
    ("answers", "quorum", "tolerance", "verdict", "value"),
    [
        ((999, 1_000, NO_DATA), 2, 1, Verdict.BAD, 999),
        ((1_000, NOT_APPLICABLE, 999), 2, 1, Verdict.BAD, 999),
        ((997, 999, 1_000), 2, 1, Verdict.BAD, 999),
        ((999, 1_000, 1_002), 2, 1, Verdict.GOOD, 1_000),
        ((998, 999, 1_000, 1_001, 5_000), 3, 3, Verdict.GOOD, 1_000),
        ((998, 999, 1_000, 1_001, NO_DATA), 3, 3, Verdict.BAD, 999),
    ],
)
def test_When_AllWereHeardAndOnlyTheSideDiffers(
    open_desk, answers, quorum, tolerance, verdict, value
):
    """Rule 3: values close enough, but the threshold divides them."""
    settings = {"quorum": quorum, "tolerance": tolerance, "threshold": 1_000}
    assert outcome(open_desk, answers, **settings) == (verdict, value)


@pytest.mark.parametrize("truth", [GOOD, BAD, NO_DATA, NOT_APPLICABLE])
@pytest.mark.parametrize("lie", [GOOD, GOOD - 1, BAD, BAD + 1, NO_DATA, NOT_APPLICABLE, None])
def test_When_ASingleReporterContradictsAllOthers(open_desk, truth, lie):
    """Rule 9: whatever one says, or if it says nothing, the others are judged by."""
    for reporters, quorum in ((3, 2), (4, 3)):
        feed = open_desk(panel(reporters, quorum))
        feed.report(*feed.each_signs(lie, *[truth] * (reporters - 1)))
        assert feed.value == truth


@pytest.mark.parametrize(
    "answers",
    [
        (998, 999, 1_000, 1_001, 1_002),
        (999, 1_000, 1_000, 1_001, NO_DATA),
        (996, 997, 999, 1_000, NOT_APPLICABLE),
        (NO_DATA, NO_DATA, NO_DATA, 1_000, 1_000),
        (BAD, BAD, 1_000, 1_000, 1_000),
    ],
)
def test_When_TheTransmitterChoosesAmongTheSignatures(open_desk, answers):
    """Rule 3: all selections of signatures that decide at all give the same verdict."""
    verdicts = set()
    for size in range(1, 6):
        for number, chosen in enumerate(combinations(range(5), size)):
            feed = open_desk(panel(5, 3, 3), bytes([size, number]) * 16, threshold=1_000)
            presented = [answers[i] if i in chosen else None for i in range(5)]
            signed = feed.each_signs(*presented)
            feed.mine(feed.settled(1))
            if feed.oracle.isReportable(feed.feed.as_abi(), ALL_INTERVALS, batches_as_abi(signed))[
                0
            ]:
                feed.report(*signed)
                verdicts.add(feed.verdict)
    assert len(verdicts) == 1


# Events: rules 14 and 15


def test_When_ItSucceeds(feed):
    tx = feed.judge("gb?-")
    assert len(tx.events) == 1
    event = tx.events["Judged"]
    assert event["feedId"] == "0x" + feed.feed.id.hex()
    assert tx.events[0].address == feed.oracle.address
    assert bytes(event["values"]) == bytes.fromhex("000f4240 00000000 ffffffff fffffffe")
    assert judged(tx) == (0, codes("gb?-"), {0, 1}, set())
    assert tx.return_value == 4


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 60])
def test_When_ItSucceeds_with_values_that_do_or_do_not_fill_words(open_desk, length):
    """Also when every interval needs an agreement of its own."""
    feed = open_desk(panel(3, 2, tolerance=2))
    values = [GOOD + 10 * i for i in range(length)]
    signed = [feed.sign(i, 0, [value + i for value in values]) for i in (2, 0, 1)]
    assert judged(feed.report(*signed)) == (0, values, {0, 1, 2}, set())
    assert feed.tally(0) == feed.expected("g" * length)


def test_When_ReadingsDiffer(open_desk):
    """A reporter dissents whose answer would not have backed the judged one, in any interval of the report."""
    feed = open_desk(panel(5, 3, tolerance=10), threshold=1_000)
    column = {
        0: [2_000, 10, NO_DATA, 1_005],
        1: [2_010, 10, NO_DATA, 1_005],
        2: [2_005, 10, NO_DATA, 1_005],
        3: [2_011, 20, NO_DATA, 1_001],
        4: [2_003, 10, 1, 999],
    }
    tx = feed.report(*(feed.sign(i, 0, answers) for i, answers in column.items()))
    # 3: farther than the tolerance from 2,003. 4: knew what is judged unknown, and was on the other side.
    assert judged(tx) == (0, [2_003, 10, NO_DATA, 1_005], {0, 1, 2, 3, 4}, {4})


@pytest.mark.parametrize(
    ("answers", "judged_value", "dissenters"),
    [
        ((GOOD, GOOD, BAD), GOOD, {2}),
        ((GOOD, NO_DATA, GOOD), GOOD, {1}),
        ((NOT_APPLICABLE, GOOD, GOOD), GOOD, {0}),
        ((GOOD, NO_DATA, NO_DATA), NO_DATA, {0}),
        ((GOOD, GOOD, GOOD - 5), GOOD - 5, set()),
        ((GOOD, GOOD - 5, GOOD - 6), GOOD - 6, {0}),
        ((990_000, 990_000, 989_999), 990_000, {2}),
        ((None, GOOD, GOOD), GOOD, set()),
    ],
)
def test_When_ReadingsDiffer_by_kind_distance_or_side(open_desk, answers, judged_value, dissenters):
    feed = open_desk(panel(3, 2, tolerance=5))
    tx = feed.report(*feed.each_signs(*answers))
    heard = {i for i, answer in enumerate(answers) if answer is not None}
    assert judged(tx) == (0, [judged_value], heard, dissenters)


def test_When_ReadingsDiffer_after_the_last_judged_interval(feed):
    """Nobody dissents from what is not judged."""
    tx = feed.report(feed.sign(0, 0, "gg"), feed.sign(1, 0, "gb"))
    assert judged(tx) == (0, codes("g"), {0, 1}, set())


def test_When_OnlyEventsAreKept(open_desk):
    """Rule 14: anyone can recompute every tally from the events."""
    feed = open_desk(panel(3, 2, tolerance=5), window_intervals=4)
    feed.report(*feed.all_sign([GOOD, BAD]), feed.sign(2, 0, [NO_DATA, BAD, GOOD]))
    feed.judge([BAD, BAD, NOT_APPLICABLE])
    feed.skip_when_due(10)
    feed.judge([BAD, NO_DATA])

    history = []
    for block in range(brownie.web3.eth.block_number + 1):
        for txid in brownie.web3.eth.get_block(block)["transactions"]:
            events = brownie.chain.get_transaction(txid).events or {}
            if "Judged" in events:
                first, values, _, _ = judged(brownie.chain.get_transaction(txid))
                assert first == len(history)
                history += values
            if "Skipped" in events:
                assert events["Skipped"]["first"] == len(history)
                history += [NO_DATA] * (events["Skipped"]["upTo"] - len(history))

    letters = {GOOD: "g", BAD: "b", NO_DATA: "?", NOT_APPLICABLE: "-"}
    spelled = "".join(letters[code] for code in history)
    assert spelled == "gbbb-?????b?"
    for window in range(3):
        assert feed.tally(window) == feed.expected(spelled[4 * window : 4 * window + 4])
