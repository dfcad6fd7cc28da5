"""The shared vectors, put to the Python twin. `tests/contracts` puts them to the contracts."""

import pytest
from eth_account import Account

from relayer.protocol.feed import Feed, FeedRef, Panel, parties_hash
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.readings import NO_DATA, agree, unpack_readings
from relayer.protocol.report import (
    FeedReadings,
    SignedBatch,
    SignedBundle,
    batches_as_abi,
    bundles_as_abi,
)
from relayer.protocol.scope import Scope
from relayer.protocol.tally import Exclusion, Tally, count, verdict_at
from relayer.protocol.typed_data import (
    Domain,
    batch_message,
    compact,
    digest,
    exclusion_message,
    recover,
    root_message,
    sign,
)
from tests import samples
from tests.vectors import generate, load


@pytest.mark.parametrize("topic", generate.TOPICS)
def test_the_files_are_what_the_generator_makes(topic):
    """Otherwise: `python -m tests.vectors.generate`, and look at what changed."""
    assert generate.path(topic).read_text(encoding="utf-8") == generate.text(topic)


# Agreement: rules 3 and 19

AGREEMENT = load("agreement")


@pytest.mark.parametrize("group", AGREEMENT)
def test_agreement(group):
    for case in AGREEMENT[group]:
        measurement = samples.measurement(
            0, comparison=Comparison(case["comparison"]), threshold=case["threshold"]
        )
        answer = agree(
            case["codes"],
            reporters=case["reporters"],
            quorum=case["quorum"],
            tolerance=case["tolerance"],
            measurement=measurement,
            scope=Scope(case["best"], case["worst"]) if "best" in case else None,
        )
        assert answer == case["expected"], case


# Tallies: rules 4, 18, 19, 20 and 24

MONDAY = 1_800_230_400


def test_tallies():
    for case in load("tally")["cases"]:
        measurement = samples.measurement(
            MONDAY + 3_600 * case["hour"],
            interval=case["interval"],
            window_intervals=case["window_intervals"],
            offset=case["offset"],
            comparison=Comparison(case["comparison"]),
            threshold=case["threshold"],
        )
        assert measurement.problem() is None
        scope = Scope(case["best"], case["worst"], hours_off=int(case["hours_off"], 16))
        assert scope.problem(measurement) is None
        exclusions = [Exclusion(*span) for span in case["exclusions"]]
        codes = []
        for kind, argument in case["steps"]:
            if kind != "exclude":
                codes += argument if kind == "report" else [NO_DATA] * argument
        for window, tally in enumerate(case["tallies"]):
            first, end = measurement.window_begin(window), measurement.window_begin(window + 1)
            counted = count(
                codes[first:end], measurement, scope, window=window, exclusions=exclusions
            )
            assert counted == Tally(*tally), case
        number, verdict = case["latest"]
        assert number == len(codes)
        last = verdict_at(number - 1, codes[-1], measurement, scope, exclusions)
        assert last == verdict


# Measurements: rules 2, 8, 13 and 25


def measurement_of(fields):
    fields = dict(fields)
    return Measurement(comparison=Comparison(fields.pop("comparison")), **fields)


def test_valid_measurements():
    for vector in load("measurement")["valid"]:
        measurement = measurement_of(vector["fields"])
        number = vector["number"]
        assert f"0x{measurement.pack():064x}" == vector["word"]
        assert Measurement.unpack(int(vector["word"], 16)) == measurement
        assert measurement.readable_at(number) == vector["readable_at"]
        assert measurement.start_of(number + 1) + measurement.deadline == vector["skippable_at"]
        assert measurement.window_seconds == vector["window_seconds"]
        assert measurement.first_period == vector["first_period"]
        for window, first, begin in vector["windows"]:
            assert measurement.window_begin(window) == first
            assert measurement.window_start(window) == begin
        for interval, window in vector["numbers"]:
            assert measurement.window_of(interval) == window
            assert measurement.window_at(measurement.start_of(interval)) == window


def test_invalid_measurements():
    for vector in load("measurement")["invalid"]:
        with pytest.raises(ValueError, match=r"."):
            Measurement.unpack(int(vector["word"], 16))


def test_good_or_bad():
    for comparison, threshold, value, good in load("measurement")["good"]:
        measurement = samples.measurement(0, comparison=Comparison(comparison), threshold=threshold)
        assert measurement.is_good(value) == good


# Feeds and signatures: rule 21

DIGESTS = load("digests")
CONTRACT = DIGESTS["contract"][0]


def data(hexadecimal):
    return bytes.fromhex(hexadecimal[2:])


def feed_of(vector):
    return Feed(
        Panel(
            tuple(vector["reporters"]),
            vector["quorum"],
            vector["tolerance"],
            parties_hash(vector["parties"]),
        ),
        Measurement.unpack(int(vector["measurement"], 16)),
        data(vector["descriptor"]),
        Scope.unpack(int(vector["scope"], 16)),
    )


def test_feed_ids():
    for vector in DIGESTS["feeds"]:
        feed = feed_of(vector)
        assert feed.panel.problem() is None
        assert feed.panel.parties == data(vector["parties_hash"])
        assert feed.panel.hash == data(vector["panel"])
        assert feed.id == data(vector["id"])
        assert feed.ref == FeedRef(feed.panel.hash, feed.measurement, feed.descriptor, feed.scope)
        assert feed.ref.id == feed.id


def test_digests_and_signatures():
    keys = {w.address: w for w in samples.reporter_wallets(31)}
    for vector in DIGESTS["batches"]:
        feed = feed_of(DIGESTS["feeds"][vector["feed"]])
        domain = Domain(vector["chain_id"], CONTRACT)
        first, readings = vector["first"], data(vector["readings"])
        signed = []
        for signature in vector["signatures"]:
            evidence = data(signature["evidence"])
            message = batch_message(domain, feed.id, first, readings, evidence)
            assert digest(message) == data(signature["digest"])
            reporter = feed.panel.reporters[signature["reporter"]]
            made = sign(keys[reporter], message)
            assert compact(made) == (data(signature["r"]), data(signature["vs"]))
            assert recover(message, made) == reporter
            signed.append(SignedBatch(signature["reporter"], first, readings, evidence, made))
        assert signed[0].end == first + len(unpack_readings(readings))
        ((abi_first, abi_readings, endorsements),) = batches_as_abi(signed)
        assert (abi_first, abi_readings) == (first, readings)
        assert len(endorsements) == len(vector["signatures"])


def test_bundles():
    keys = {w.address: w for w in samples.reporter_wallets(31)}
    for vector in DIGESTS["bundles"]:
        panel = feed_of(DIGESTS["feeds"][vector["feed"]]).panel
        tree = tuple(
            FeedReadings(data(item["id"]), item["first"], data(item["readings"]))
            for item in vector["tree"]
        )
        signed = []
        for signature in vector["signatures"]:
            evidence = data(signature["evidence"])
            message = root_message(
                Domain(vector["chain_id"], CONTRACT), data(vector["root"]), evidence
            )
            assert digest(message) == data(signature["digest"])
            made = sign(keys[panel.reporters[signature["reporter"]]], message)
            assert compact(made) == (data(signature["r"]), data(signature["vs"]))
            signed.append(SignedBundle(signature["reporter"], tree, evidence, made))
        assert signed[0].root == data(vector["root"])
        for part, path in zip(tree, vector["paths"], strict=True):
            statement = signed[0].as_statement(part.feed_id)
            proof = [data(item) for item in path]
            words = compact(signed[0].signature)
            assert statement == (part.first, part.readings, proof, signed[0].evidence, *words)
        (bundle,) = bundles_as_abi([data(feed["id"]) for feed in vector["feeds"]], signed)
        readings, proof, flags, endorsements = bundle
        assert readings == data(vector["readings"])
        assert proof == [data(item) for item in vector["proof"]]
        assert flags == vector["proof_flags"]
        assert len(endorsements) == panel.quorum


def test_exclusions():
    """Rule 20."""
    for vector in DIGESTS["exclusions"]:
        feed = DIGESTS["feeds"][vector["feed"]]
        domain = Domain(vector["chain_id"], CONTRACT)
        message = exclusion_message(domain, data(feed["id"]), vector["first"], vector["end"])
        assert digest(message) == data(vector["digest"])
        signers = [recover(message, data(signature)) for signature in vector["signatures"]]
        assert signers == feed["parties"]


def test_signatures_are_recovered_by_others_too():
    """eth-account's own typed data, built from the JSON form that wallets show."""
    vector = DIGESTS["batches"][0]
    signature = vector["signatures"][0]
    vs = int(signature["vs"], 16)
    full_message = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Batch": [
                {"name": "root", "type": "bytes32"},
                {"name": "evidence", "type": "bytes32"},
            ],
        },
        "primaryType": "Batch",
        "domain": {
            "name": "Makegood MonitoringOracle",
            "version": "1",
            "chainId": vector["chain_id"],
            "verifyingContract": CONTRACT,
        },
        "message": {
            "root": vector["leaf"],
            "evidence": signature["evidence"],
        },
    }
    key = next(w for w in samples.reporter_wallets(1))
    made = Account.sign_typed_data(key.key, full_message=full_message)
    assert made.r == int(signature["r"], 16)
    assert made.s == vs & (1 << 255) - 1
    assert made.v == 27 + (vs >> 255)
