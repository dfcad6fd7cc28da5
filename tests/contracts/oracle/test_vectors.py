"""The shared vectors, put to the contracts. `tests/relayer/protocol` puts them to the Python twin."""

from itertools import pairwise

import brownie
import pytest

from relayer.protocol.feed import Feed
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.report import ALL_INTERVALS
from relayer.protocol.scope import Scope
from relayer.protocol.tally import Exclusion, Tally
from tests import samples
from tests.contracts.oracle.desk import PARTIES, Desk, panel, refused
from tests.vectors import load

DIGESTS = load("digests")
WEEK = 7 * 86_400
# January 5, 1970.
FIRST_MONDAY = 4 * 86_400


@pytest.fixture(scope="module")
def predicted_oracle(module_isolation):
    """An oracle at the address that the vectors were signed for."""
    (deployer,), (address,) = DIGESTS["deployer"], DIGESTS["contract"]
    oracle = brownie.MonitoringOracle.deploy({"from": brownie.accounts[deployer]})
    assert oracle.address == address
    return oracle


def of_this_chain(kind):
    vectors = [vector for vector in DIGESTS[kind] if vector["chain_id"] == brownie.chain.id]
    assert vectors, f"the vectors know nothing of chain {brownie.chain.id}"
    return vectors


def panel_of(feed):
    return (feed["reporters"], feed["quorum"], feed["tolerance"], feed["parties_hash"])


def words_of(feed):
    return (feed["measurement"], feed["scope"], feed["descriptor"])


def endorsements_of(vector):
    return [(s["reporter"], s["evidence"], s["r"], s["vs"]) for s in vector["signatures"]]


# Agreement: rules 3 and 19


def agreement_of(harness, case, scope=0):
    """What the library makes of the codes; only comparison and threshold of the measurement matter."""
    codes = case["codes"]
    readings = (
        sorted(code for code in codes if code < NOT_APPLICABLE),
        codes.count(NO_DATA),
        codes.count(NOT_APPLICABLE),
    )
    word = case["comparison"] << 160 | case["threshold"] << 168
    rule = (case["reporters"], case["quorum"], case["tolerance"], word, scope)
    decided, code = harness.agree(readings, rule)
    return code if decided else None


def test_agreement(harness):
    vectors = load("agreement")
    for case in vectors["cases"] + vectors["large"]:
        assert agreement_of(harness, case) == case["expected"], case


def agrees_through_reports(oracle, start, at, cases):
    """The same answers, signed: shortcuts of `report` for readings that are equal must not change any of them."""
    assert cases
    for number, case in enumerate(cases):
        feed = samples.feed(
            start,
            panel(case["reporters"], case["quorum"], case["tolerance"]),
            number.to_bytes(32, "big"),
            Scope(case.get("best", 0), case.get("worst", 0)),
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
            assert clamped(feed.scope, desk.value) == case["expected"], case


def clamped(scope, code):
    """Events of unanimous reports hold what was signed."""
    return scope.clamp(code) if code < NOT_APPLICABLE else code


@pytest.mark.parametrize("part", range(8))
def test_agreement_through_reports(oracle, start, at, part):
    cases = [c for c in load("agreement")["cases"] if c["reporters"] in {3, 4, 5}]
    agrees_through_reports(oracle, start, at, cases[part::24])


@pytest.mark.parametrize("part", range(2))
def test_agreement_within_a_range_through_reports(oracle, start, at, part):
    """Rule 19: values are clamped before they agree."""
    cases = [c for c in load("agreement")["scoped"] if c["best"] != c["worst"]]
    agrees_through_reports(oracle, start, at, cases[part::2])


# Measurements: rules 2, 8, 13 and 25


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


def test_windows(harness):
    """Rules 8 and 25: of fixed length, short at the start, or months."""
    for turn, vector in enumerate(load("measurement")["valid"]):
        word = vector["word"]
        assert harness.firstPeriod(word) == vector["first_period"]
        for window, begin, _ in vector["windows"][turn % 3 :: 3]:
            assert harness.windowBegin(word, window) == begin
        for number, window in vector["numbers"][turn % 3 :: 3]:
            assert harness.windowOf(word, number) == window


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
        (_, begin, _), (_, end, _) = vector["windows"][:2]
        assert desk.tally(0).planned == end - begin


@pytest.mark.parametrize("part", range(4))
def test_months(harness, part):
    """Rule 25: UTC, leap years."""
    vectors = load("calendar_months")
    for time, number, begin, end in vectors["times"][part::4]:
        assert harness.monthOf(time) == number
        assert harness.monthStart(number) == begin
        assert harness.monthStart(number + 1) == end
    for _, january, starts in vectors["years"][part::16]:
        assert [harness.monthStart(january + i) for i in range(13)] == starts


# Scopes: rules 13 and 19


def test_valid_scopes(harness):
    for vector in load("scope")["valid"]:
        harness.validateScope(vector["word"], vector["measurement"])


def test_invalid_scopes(harness):
    for vector in load("scope")["invalid"]:
        with refused(vector["error"], *vector["values"]):
            harness.validateScope(vector["word"], vector["measurement"])


def test_ranges(harness):
    for scope, value, nearest, _ in load("scope")["clamp"]:
        assert harness.clamp(scope, value) == nearest


@pytest.mark.parametrize("part", range(4))
def test_hours_off(harness, part):
    """By intervals of a second."""
    for scope, time, off in load("scope")["off"][part::4]:
        word = samples.measurement(time, interval=1).pack()
        assert harness.inService(scope, word, 0, 1) == (not off), time


def test_intervals_in_service(harness):
    for scope, measurement, first, end, expected in load("scope")["in_service"]:
        assert harness.inService(scope, measurement, first, end) == expected


# Feeds and signatures: rules 15 and 21


def test_feed_ids(oracle):
    for feed in DIGESTS["feeds"]:
        assert str(oracle.feedIdOf((panel_of(feed), *words_of(feed)))) == feed["id"]
        assert len(oracle.tally((feed["panel"], *words_of(feed)), 0)) == 7


def test_leaves(oracle):
    for feed_id, first, readings, leaf in load("merkle")["leaves"]:
        assert str(oracle.leafOf(feed_id, first, readings)) == leaf


def test_proofs(harness):
    for tree in load("merkle")["trees"]:
        leaves = tree["leaves"]
        for index, proof in tree["proofs"]:
            assert str(harness.proofRoot(proof, leaves[index])) == tree["root"]
        for vector in tree["multiproofs"]:
            some = [leaves[i] for i in vector["indices"]]
            root = harness.multiproofRoot(vector["proof"], vector["proof_flags"], some)
            assert str(root) == tree["root"]


def test_batch_digests(predicted_oracle):
    for batch in of_this_chain("batches"):
        feed_id = DIGESTS["feeds"][batch["feed"]]["id"]
        leaf = predicted_oracle.leafOf(feed_id, batch["first"], batch["readings"])
        assert str(leaf) == batch["leaf"]
        for signature in batch["signatures"]:
            digest = predicted_oracle.batchDigest(leaf, signature["evidence"])
            assert str(digest) == signature["digest"]


def test_exclusion_digests(predicted_oracle):
    for vector in of_this_chain("exclusions"):
        feed_id = DIGESTS["feeds"][vector["feed"]]["id"]
        digest = predicted_oracle.exclusionDigest(feed_id, vector["first"], vector["end"])
        assert str(digest) == vector["digest"]


def test_signatures(predicted_oracle):
    """All are accepted: what cannot be judged yet is refused for its time, which is looked at after the signatures."""
    for batch in of_this_chain("batches"):
        vector = DIGESTS["feeds"][batch["feed"]]
        feed = (panel_of(vector), *words_of(vector))
        argument = [(batch["first"], batch["readings"], endorsements_of(batch))]
        count = len(batch["readings"][2:]) // 8
        sender = {"from": brownie.accounts[5]}
        if batch["first"] == 0:
            assert predicted_oracle.report.call(feed, ALL_INTERVALS, argument, sender) == count
        else:
            end = batch["first"] + count
            available_at = 1_600_300_800 + 60 * min(end, ALL_INTERVALS) + 30
            with refused("MonitoringOracle_TooEarly", min(end, ALL_INTERVALS) - 1, available_at):
                predicted_oracle.report.call(feed, ALL_INTERVALS, argument, sender)


def test_signatures_of_many_feeds(predicted_oracle):
    for vector in of_this_chain("bundles"):
        panel_ = panel_of(DIGESTS["feeds"][vector["feed"]])
        feeds = [words_of(feed) for feed in vector["feeds"]]
        proof = (vector["readings"], vector["proof"], vector["proof_flags"])
        bundles = [(*proof, endorsements_of(vector))]
        sender = {"from": brownie.accounts[5]}
        count = predicted_oracle.reportMany.call(panel_, feeds, bundles, sender)
        assert count == sum(following > 0 for following in vector["next"])


# Tallies: rules 4, 18, 19, 20, 24 and 25

TALLIES = load("tally")["cases"]


@pytest.mark.parametrize("case", TALLIES, ids=range(len(TALLIES)))
def test_tallies(oracle, start, at, case):
    scope = Scope(case["best"], case["worst"], 2**24 - 1, int(case["hours_off"], 16))
    if scope.hours_off:
        monday = FIRST_MONDAY + (start - FIRST_MONDAY) // WEEK * WEEK + WEEK
        start = monday + 3_600 * case["hour"]
    times = {name: case[name] for name in ("window_intervals", "offset", "interval", "threshold")}
    feed = samples.feed(
        start,
        panel(1, parties=PARTIES),
        scope=scope,
        comparison=Comparison(case["comparison"]),
        **times,
    )
    desk = Desk(oracle, feed, at)
    at(start - 30)
    for kind, argument in case["steps"]:
        if kind == "report":
            desk.judge(argument)
        elif kind == "exclude":
            desk.exclude(*argument)
        else:
            desk.skip_when_due(desk.next + argument)
    assert desk.excluded == [Exclusion(*span) for span in case["exclusions"]]
    windows = range(len(case["tallies"]))
    assert [desk.tally(w) for w in windows] == [Tally(*tally) for tally in case["tallies"]]
    assert desk.kept(len(windows)) == case["kept"]
    assert list(desk.state) == case["latest"]


def test_tallies_cover_what_matters():
    """Windows that end within a report and within a skip, windows of nothing but unknown, runs that span windows."""
    steps = [[kind for kind, _ in case["steps"]] for case in TALLIES]
    assert any(pair == ("skip", "report") for kinds in steps for pair in pairwise(kinds))
    kept = [keep for case in TALLIES for keep in case["kept"][:-2]]
    assert kept.count(True) > 20
    assert kept.count(False) > 10
