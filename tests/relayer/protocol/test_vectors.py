"""The shared vectors, put to the Python twin. `tests/contracts` puts them to the contracts."""

import pytest
from eth_account import Account

from relayer.protocol.feed import Feed, FeedRef, Panel
from relayer.protocol.measurement import Comparison, Measurement
from relayer.protocol.readings import NO_DATA, agree, unpack_readings
from relayer.protocol.report import SignedBatch, batches_as_abi
from relayer.protocol.tally import Tally, count, verdict_of
from relayer.protocol.typed_data import Domain, batch_message, compact, digest, recover, sign
from tests import samples
from tests.vectors import generate, load


@pytest.mark.parametrize("topic", generate.TOPICS)
def test_the_files_are_what_the_generator_makes(topic):
    """Otherwise: `python -m tests.vectors.generate`, and look at what changed."""
    assert generate.path(topic).read_text(encoding="utf-8") == generate.text(topic)


# Agreement: rule 3

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
        )
        assert answer == case["expected"], case


# Tallies: rules 4, 18 and 24


def test_tallies():
    for case in load("tally")["cases"]:
        measurement = samples.measurement(
            0,
            window_intervals=case["window_intervals"],
            comparison=Comparison(case["comparison"]),
            threshold=case["threshold"],
        )
        codes = []
        for kind, argument in case["steps"]:
            codes += argument if kind == "report" else [NO_DATA] * argument
        size = measurement.window_intervals
        for window, tally in enumerate(case["tallies"]):
            counted = count(codes[window * size : (window + 1) * size], measurement)
            assert counted == Tally(*tally)
        number, verdict, value = case["latest"]
        assert (number, value) == (len(codes), codes[-1])
        assert verdict_of(codes[-1], measurement) == verdict


# Measurements: rules 2 and 13


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
        assert measurement.window_of(number) == vector["window_of_number"]


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
        Panel(tuple(vector["reporters"]), vector["quorum"], vector["tolerance"]),
        Measurement.unpack(int(vector["measurement"], 16)),
        data(vector["descriptor"]),
    )


def test_feed_ids():
    for vector in DIGESTS["feeds"]:
        feed = feed_of(vector)
        assert feed.panel.problem() is None
        assert feed.panel.hash == data(vector["panel"])
        assert feed.id == data(vector["id"])
        assert feed.ref == FeedRef(feed.panel.hash, feed.measurement, feed.descriptor)
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


def test_signatures_are_recovered_by_others_too():
    """eth-account's own typed data, built from the JSON form that wallets show."""
    vector = DIGESTS["batches"][0]
    feed_id = DIGESTS["feeds"][vector["feed"]]["id"]
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
                {"name": "feedId", "type": "bytes32"},
                {"name": "first", "type": "uint32"},
                {"name": "readings", "type": "bytes"},
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
            "feedId": feed_id,
            "first": vector["first"],
            "readings": vector["readings"],
            "evidence": signature["evidence"],
        },
    }
    key = next(w for w in samples.reporter_wallets(1))
    made = Account.sign_typed_data(key.key, full_message=full_message)
    assert made.r == int(signature["r"], 16)
    assert made.s == vs & (1 << 255) - 1
    assert made.v == 27 + (vs >> 255)
