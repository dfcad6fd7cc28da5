"""The shared vectors, put to the contracts. `tests/relayer/protocol` puts them to the Python twin."""

from itertools import pairwise

import brownie
import pytest

from relayer.protocol.feed import Feed
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.tally import Tally
from tests import samples
from tests.contracts.oracle.desk import Desk, panel, refused
from tests.vectors import load

DIGESTS = load("digests")


@pytest.fixture(scope="module")
def predicted_oracle(module_isolation):
    """An oracle at the address that the vectors were signed for."""
    (deployer,), (address,) = DIGESTS["deployer"], DIGESTS["contract"]
    oracle = brownie.MonitoringOracle.deploy({"from": brownie.accounts[deployer]})
    assert oracle.address == address
    return oracle


def batches_of_this_chain():
    batches = [b for b in DIGESTS["batches"] if b["chain_id"] == brownie.chain.id]
    assert batches, f"the vectors know nothing of chain {brownie.chain.id}"
    return batches


def as_abi(feed):
    panel_ = (feed["reporters"], feed["quorum"], feed["tolerance"])
    return (panel_, feed["measurement"], feed["descriptor"])


# Agreement: rule 3


def rule_word(case):
    """Only comparison and threshold matter to the agreement."""
    return case["comparison"] << 160 | case["threshold"] << 168


def test_agreement(harness):
    vectors = load("agreement")
    for case in vectors["cases"] + vectors["large"]:
        codes = case["codes"]
        readings = (
            sorted(code for code in codes if code < NOT_APPLICABLE),
            codes.count(NO_DATA),
            codes.count(NOT_APPLICABLE),
        )
        rule = (case["reporters"], case["quorum"], case["tolerance"], rule_word(case))
        decided, code = harness.agree(readings, rule)
        assert (code if decided else None) == case["expected"], case


@pytest.mark.parametrize("part", range(8))
def test_agreement_through_reports(oracle, start, at, part):
    """The same answers, signed: shortcuts of `report` for readings that are equal must not change any of them."""
    cases = [c for c in load("agreement")["cases"] if c["reporters"] in {3, 4, 5}][part::24]
    assert cases
    for number, case in enumerate(cases):
        feed = samples.feed(
            start,
            panel(case["reporters"], case["quorum"], case["tolerance"]),
            number.to_bytes(32, "big"),
            comparison=Comparison(case["comparison"]),
            threshold=case["threshold"],
        )
        desk = Desk(oracle, feed, at)
        signed = desk.each_signs(*case["codes"], first=0)
        if case["expected"] is None:
            with refused("MonitoringOracle_NoAgreement", 0):
                desk.report(*signed)
        else:
            desk.report(*signed)
            assert desk.value == case["expected"], case


# Measurements: rules 2 and 13


def test_valid_measurements(harness):
    for vector in load("measurement")["valid"]:
        harness.validateMeasurement(vector["word"])


def test_invalid_measurements(harness):
    for vector in load("measurement")["invalid"]:
        with refused(vector["error"], *vector["values"]):
            harness.validateMeasurement(vector["word"])


def test_good_or_bad(harness):
    for comparison, threshold, value, good in load("measurement")["good"]:
        word = comparison << 160 | threshold << 168
        assert harness.isGood(word, value) == good, (comparison, threshold, value)


def test_times(oracle, at):
    """Start, interval, settle delay and deadline are where the twin packs them: rules 2 and 25."""
    for vector in load("measurement")["valid"]:
        fields = dict(vector["fields"])
        measurement = Measurement(comparison=Comparison(fields.pop("comparison")), **fields)
        desk = Desk(oracle, Feed(panel(1), measurement, b"\xde" * 32), at)
        assert f"0x{desk.feed.as_abi()[1]:064x}" == vector["word"]
        number = vector["number"]
        with refused("MonitoringOracle_TooEarly", number, vector["readable_at"]):
            desk.send([desk.sign(0, number, "g")])
        with refused("MonitoringOracle_TooEarly", number, vector["skippable_at"]):
            desk.skip(number + 1)
        assert desk.tally(0).planned == measurement.window_intervals


# Feeds and signatures: rule 21


def test_feed_ids(oracle):
    for feed in DIGESTS["feeds"]:
        assert str(oracle.feedIdOf(as_abi(feed))) == feed["id"]
        assert tuple(oracle.tally((feed["panel"], feed["measurement"], feed["descriptor"]), 0))


def test_batch_digests(predicted_oracle):
    for batch in batches_of_this_chain():
        feed_id = DIGESTS["feeds"][batch["feed"]]["id"]
        for signature in batch["signatures"]:
            fields = (batch["first"], batch["readings"], signature["evidence"])
            assert str(predicted_oracle.batchDigest(feed_id, *fields)) == signature["digest"]


def test_signatures(predicted_oracle):
    """All are accepted: what cannot be judged yet is refused for its time, which is looked at after the signatures."""
    for batch in batches_of_this_chain():
        feed = DIGESTS["feeds"][batch["feed"]]
        endorsements = [
            (s["reporter"], s["evidence"], s["r"], s["vs"]) for s in batch["signatures"]
        ]
        argument = [(batch["first"], batch["readings"], endorsements)]
        count = len(batch["readings"][2:]) // 8
        sender = {"from": brownie.accounts[5]}
        if batch["first"] == 0:
            assert predicted_oracle.report.call(as_abi(feed), argument, sender) == count
        else:
            end = batch["first"] + count
            available_at = 1_600_000_000 + 60 * end + 30
            with refused("MonitoringOracle_TooEarly", end - 1, available_at):
                predicted_oracle.report.call(as_abi(feed), argument, sender)


# Tallies: rules 4, 18 and 24

TALLIES = load("tally")["cases"]


@pytest.mark.parametrize("case", TALLIES, ids=range(len(TALLIES)))
def test_tallies(oracle, start, at, case):
    feed = samples.feed(
        start,
        panel(1),
        window_intervals=case["window_intervals"],
        comparison=Comparison(case["comparison"]),
        threshold=case["threshold"],
    )
    desk = Desk(oracle, feed, at)
    for kind, argument in case["steps"]:
        if kind == "report":
            desk.judge(argument)
        else:
            desk.skip_when_due(desk.next + argument)
    windows = range(len(case["tallies"]))
    assert [desk.tally(w) for w in windows] == [Tally(*tally) for tally in case["tallies"]]
    assert [desk.tally_slot(w) != 0 for w in windows] == case["kept"]
    number, verdict, value = case["latest"]
    assert desk.state == (number, verdict, value)


def test_tallies_cover_what_matters():
    """Windows that end within a report and within a skip, windows of nothing but unknown, runs that span windows."""
    steps = [[kind for kind, _ in case["steps"]] for case in TALLIES]
    assert any(pair == ("skip", "report") for kinds in steps for pair in pairwise(kinds))
    kept = [keep for case in TALLIES for keep in case["kept"][:-2]]
    assert kept.count(True) > 20
    assert kept.count(False) > 10
