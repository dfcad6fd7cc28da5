"""Evidence is exported by a reporter's relayer and verified by somebody who has the document, and nothing else of it."""

from __future__ import annotations

import json

from eth_hash.auto import keccak

from oracles import canonical
from relayer.document import load_document
from relayer.evidence import package as packages
from relayer.evidence.verify import verify as check_package
from relayer.protocol import merkle
from relayer.protocol.readings import NO_DATA
from relayer.protocol.typed_data import root_message, sign
from tests import samples
from tests.relayer.evidence.kit import MINUTE, TWELVE, export, verify

THIRD = 666_666


def statuses(ran):
    """Of each reading: interval, reporter, and what came of each check."""
    return [
        {
            "interval": reading["interval"],
            **{name: check["status"] for name, check in reading["checks"].items()},
        }
        for reading in ran.json["readings"]
    ]


ALL_HOLD = dict.fromkeys(("signature", "evidence", "reading", "chain"), "holds")


def test_what_was_reported_holds_down_to_the_chain(reported, makegood):
    agreement = reported.agreement
    for level, expected in (("availability", [THIRD, 1_000_000, NO_DATA]), ("latency", None)):
        file, ran = export(makegood, reported, "--window", "0", level=level)
        assert ran.code == 0, ran.err
        assert "intervals 12 to 59: nothing is stored" in ran.err
        file, ran = export(
            makegood,
            reported,
            "--from",
            agreement.start,
            "--to",
            agreement.start + 720,
            level=level,
        )
        assert "not exported" not in ran.err
        ran = verify(makegood, agreement, file, "--rpc-url", agreement.rpc_url)
        assert ran.code == 0, ran.out + ran.err
        assert statuses(ran) == [{"interval": number, **ALL_HOLD} for number in range(12)]
        readings = ran.json["readings"]
        assert all(reading["reporter"] == reported.account.address for reading in readings)
        assert all(reading["signed"] == reading["judged"] for reading in readings)
        if expected:
            assert [reading["signed"] for reading in readings[1:4]] == expected


def test_the_file_needs_no_database_no_key_no_chain_and_is_the_same_every_time(reported, makegood):
    file, exported = export(makegood, reported, "--interval", "1")
    assert "1 reading and 1 signature of them" in exported.out + exported.err
    content = file.read_bytes()
    assert export(makegood, reported, "--interval", "1")[0].read_bytes() == content
    assert canonical(json.loads(content)) + b"\n" == content
    ran = makegood(
        *("evidence", "export", reported.agreement.document.path, "--level", "availability"),
        *("--interval", "1", "--database", reported.path),
    )
    assert ran.out.encode() == content
    reported.store.close()
    reported.path.unlink()
    ran = verify(makegood, reported.agreement, file, "--offline")
    assert ran.code == 0, ran.err
    assert statuses(ran) == [{"interval": 1, **ALL_HOLD, "chain": "not checked"}]
    ran = makegood("evidence", "verify", file, "--agreement", reported.agreement.document.path)
    assert ran.code == 0
    assert "no RPC endpoint is configured" in ran.err
    assert "1 of 1 readings hold" in ran.err
    assert "\t66.6666%\t" in ran.out


def altered(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


def with_number(content):
    kept = content["readings"][1]
    assert '"outcome":"down"' in kept["evidence"]
    kept["evidence"] = kept["evidence"].replace('"outcome":"down"', '"outcome":"up"')


def with_other_interval(content):
    one, other = content["readings"][1:3]
    one["evidence"], other["evidence"] = other["evidence"], one["evidence"]


def with_reading(content):
    batch = content["batches"][0]
    batch["readings"] = "0x" + batch["readings"][2:].replace(f"{THIRD:08x}", f"{1_000_000:08x}")


def with_digest(content):
    batch = content["batches"][0]
    batch["digests"] = "0x" + "11" * 32 + batch["digests"][66:]


def without_proof(content):
    content["batches"][0]["proof"].pop()


def without_both_proofs(content):
    content["batches"][0]["proof"].clear()
    content["batches"][0]["evidenceProof"].clear()


def with_proof_of_readings(content):
    content["batches"][0]["proof"][0] = "0x" + "22" * 32


def without_digests(content):
    batch = content["batches"][0]
    batch["digests"] = batch["digests"][:-64]


def with_signature(content):
    batch = content["batches"][0]
    last = batch["signature"][100]
    batch["signature"] = (
        batch["signature"][:100] + ("0" if last != "0" else "1") + batch["signature"][101:]
    )


def with_stranger(content):
    content["batches"][0]["reporter"] = samples.wallet(9).address


def signed_by_stranger(content):
    batch = content["batches"][0]
    batch["signature"] = "0x" + "33" * 64 + "1b"


def without_batches(content):
    content["batches"].clear()


TAMPERED = [
    (with_number, "evidence", [1], "it was changed"),
    (with_number, "reading", [1], "but 66.6666% was signed"),
    (with_other_interval, "evidence", [1, 2], "exchanged with that of interval 2"),
    (with_other_interval, "reading", [1, 2], "about another interval"),
    (with_reading, "signature", range(12), "a reading, a proof or the signature was changed"),
    (with_digest, "signature", range(12), "a hash or a step of the proof was changed, or left out"),
    (without_proof, "signature", range(12), "a proof is missing"),
    (without_both_proofs, "signature", range(12), "a step of the proof was changed, or left out"),
    (with_proof_of_readings, "signature", range(12), "a proof or the signature was changed"),
    (without_digests, "signature", range(12), "12 readings, but 11 hashes"),
    (with_signature, "signature", range(12), "the signature was changed"),
    (with_stranger, "signature", range(12), "is no reporter of this service level"),
    (signed_by_stranger, "signature", range(12), "the signature was changed"),
    (without_batches, "signature", range(12), "no signature in the file covers this interval"),
]


def test_whatever_is_changed_is_found_and_named(reported, makegood):
    file, _ = export(
        makegood,
        reported,
        "--from",
        reported.agreement.start,
        "--to",
        reported.agreement.start + 720,
    )
    original = file.read_bytes()
    for change, check, numbers, words in TAMPERED:
        file.write_bytes(original)
        altered(file, change)
        ran = verify(makegood, reported.agreement, file, "--offline")
        assert ran.code == 7, change.__name__
        assert ran.error["type"] == "ChecksFailed"
        failing = [
            reading
            for reading in ran.json["readings"]
            if reading["checks"][check]["status"] == "fails"
        ]
        assert [reading["interval"] for reading in failing] == list(numbers), change.__name__
        said = " ".join(reading["checks"][check]["said"] for reading in failing)
        assert words in said, (change.__name__, said)
        assert all(reading["status"] == "fails" for reading in failing)
    file.write_bytes(original)
    assert verify(makegood, reported.agreement, file, "--offline").code == 0


def test_what_is_left_out_counts_as_not_shown(reported, makegood):
    start = reported.agreement.start
    file, _ = export(makegood, reported, "--from", start, "--to", start + 720)
    altered(file, lambda content: content["readings"].pop(4))
    ran = verify(makegood, reported.agreement, file, "--offline")
    assert (ran.code, ran.json["missing"]) == (7, 1)
    assert "1 intervals were not handed over" in ran.error["message"]


OTHER = "0x" + "11" * 32
ABOUT_SOMETHING_ELSE = [
    ("agreement", OTHER, "another agreement"),
    ("document", OTHER, "another document"),
    ("chainId", 5, "another chain: 5"),
    ("oracle", samples.wallet(3).address, "another oracle"),
    ("level", "speed", "another service level: speed"),
    ("feed", OTHER, "another feed"),
    ("level", "latency", "another feed"),
    ("format", "makegood/evidence/v9", "format that is known here"),
    ("end", 5, "altered: Value error, readings must be those of the file's intervals"),
    ("first", -1, "altered: first"),
    ("note", "hello", "altered: note: Extra inputs"),
    ("batches", [{}], "altered: batches.0.reporter"),
    ("readings", "none", "altered: readings"),
]


def test_a_file_about_something_else_is_refused(reported, makegood):
    start = reported.agreement.start
    file, _ = export(makegood, reported, "--from", start, "--to", start + 720)
    original = file.read_bytes()
    for field, value, words in ABOUT_SOMETHING_ELSE:
        file.write_bytes(original)
        altered(file, lambda content, said=(field, value): content.update([said]))
        ran = verify(makegood, reported.agreement, file, "--offline")
        assert ran.code == 7, field
        assert words in ran.error["message"]


def test_what_is_no_evidence_is_said_to_be_none(opened, makegood):
    agreement = opened()
    file = agreement.folder / "evidence.json"
    for content in (b"[]", b"null", b"{}"):
        file.write_bytes(content)
        ran = verify(makegood, agreement, file, "--offline")
        assert ran.code == 7
        assert "is no" in ran.error["message"]


def test_a_document_that_was_changed_after_signing_verifies_nothing(reported, makegood):
    agreement = reported.agreement
    file, _ = export(makegood, reported, "--interval", "1")
    path = agreement.document.path
    content = json.loads(path.read_text())
    content["metadata"]["name"] = "other"
    path.write_text(json.dumps(content))
    ran = verify(makegood, agreement, file, "--offline")
    assert ran.code == 7
    assert "another document" in ran.error["message"]
    # Nor does it help to write the new ids into the file: the escrow knows no such agreement.
    forged = load_document(path)
    altered(
        file,
        lambda content: content.update(
            document=f"0x{forged.hash.hex()}", agreement=f"0x{forged.agreement_id.hex()}"
        ),
    )
    ran = verify(makegood, agreement, file, "--rpc-url", agreement.rpc_url)
    assert ran.code == 7
    assert "the escrow knows no agreement" in ran.error["message"]


def test_hostile_evidence_ends_as_a_finding(reported, makegood):
    file, _ = export(makegood, reported, "--interval", "1")
    original = file.read_bytes()
    for evil in (
        "",
        "null",
        "[]",
        "{}",
        "NaN",
        '{"answer":NaN}',
        "[" * 60_000,
        '{"answer":1e999}',
        "1" * 5_000,
    ):
        file.write_bytes(original)
        altered(file, lambda content, evil=evil: content["readings"][0].update(evidence=evil))
        ran = verify(makegood, reported.agreement, file, "--offline")
        assert ran.code == 7, evil[:20]
        [reading] = ran.json["readings"]
        assert reading["checks"]["reading"]["status"] == "fails"
        assert len(ran.err) < 2_000


def test_several_reporters(opened, makegood):
    """The first two look at the same address: their evidence is the same, so each can show it for both."""
    agreement = opened(reporters=3)
    one, two, three = (agreement.reporter(index) for index in range(3))
    for relayer in (one, two, three):
        relayer.measures(*TWELVE)
    agreement.warp(12 * MINUTE + 31)
    for relayer in (two, three):
        relayer.works()
    one.hears(two)
    one.hears(three)
    one.works()
    file, _ = export(makegood, one, "--interval", "1")
    ran = verify(makegood, agreement, file, "--rpc-url", agreement.rpc_url)
    assert ran.code == 0, ran.out
    by_reporter = {reading["reporter"]: reading for reading in ran.json["readings"]}
    assert set(by_reporter) == {one.account.address, two.account.address}
    said = [reading["checks"]["chain"]["said"] for reading in by_reporter.values()]
    assert any("with this signature" in words for words in said)
    assert all(reading["judged"] == THIRD for reading in by_reporter.values())

    # In another's name.
    theirs, _ = export(makegood, three, "--interval", "1")
    altered(theirs, lambda content: content["batches"][0].update(reporter=one.account.address))
    ran = verify(makegood, agreement, theirs, "--offline")
    assert ran.code == 7
    [reading] = ran.json["readings"]
    signed = reading["checks"]["signature"]["said"]
    assert signed == f"signed by {three.account.address}, not by {one.account.address}"

    # Another's evidence: the third looks by another way.
    theirs, _ = export(makegood, three, "--interval", "1")
    foreign = json.loads(theirs.read_text())["readings"][0]["evidence"]
    file, _ = export(makegood, one, "--interval", "1")
    altered(file, lambda content: content["readings"][0].update(evidence=foreign))
    ran = verify(makegood, agreement, file, "--offline")
    assert ran.code == 7
    checks = ran.json["readings"][0]["checks"]
    assert "it was changed" in checks["evidence"]["said"]
    assert "about another spec" in checks["reading"]["said"]


def test_what_the_oracle_has_not_judged_is_said(opened, makegood):
    agreement = opened(reporters=3)
    relayer = agreement.reporter()
    relayer.measures(*TWELVE)
    agreement.warp(12 * MINUTE + 31)
    relayer.works()  # alone it can report nothing
    file, _ = export(makegood, relayer, "--interval", "1")
    ran = verify(makegood, agreement, file, "--rpc-url", agreement.rpc_url)
    assert ran.code == 0
    [reading] = ran.json["readings"]
    assert reading["judged"] is None
    assert reading["checks"]["chain"] == {
        "status": "not checked",
        "said": "the oracle has not judged this interval",
    }


def test_a_signature_without_evidence_is_told_apart(reported, makegood):
    """A reporter may sign zeros instead of hashes: then there is nothing to show, whatever is handed over."""
    file, _ = export(makegood, reported, "--interval", "1")
    package = packages.read(file.read_bytes(), "file")
    [batch] = package.batches
    digests = bytes(len(batch.digests))
    leaf = merkle.leaf(package.feed, batch.first, batch.readings)
    message = root_message(reported.agreement.document.domains.oracle, leaf, keccak(digests))
    forged = batch.model_copy(
        update={
            "digests": digests,
            "proof": [],
            "evidence_proof": [],
            "evidence": keccak(digests),
            "signature": sign(reported.account, message),
        }
    )
    [reading] = check_package(
        package.model_copy(update={"batches": [forged]}), reported.agreement.document
    ).readings
    assert reading.findings["signature"].status.value == "holds"
    assert (
        reading.findings["evidence"].said == "the reporter signed this reading without any evidence"
    )


def test_a_signature_that_was_not_in_the_report_is_told_apart(reported, makegood):
    """It holds all the same: but the oracle judged by another one of the same reporter."""
    file, _ = export(makegood, reported, "--interval", "1")
    package = packages.read(file.read_bytes(), "file")
    [batch] = package.batches
    readings, digests = batch.readings[: 6 * 4], batch.digests[: 6 * 32]
    evidence = keccak(digests)
    document = reported.agreement.document
    root = merkle.leaf(package.feed, batch.first, readings)
    other = batch.model_copy(
        update={
            "readings": readings,
            "digests": digests,
            "proof": [],
            "evidence_proof": [],
            "evidence": evidence,
            "signature": sign(
                reported.account, root_message(document.domains.oracle, root, evidence)
            ),
        }
    )
    package = package.model_copy(update={"batches": [other]})
    found = check_package(package, document, reported.agreement.chain)
    assert found.holds
    [reading] = found.readings
    assert reading.judged == THIRD
    chain = reading.findings["chain"]
    assert chain.status.value == "not checked"
    assert "with another signature of the reporter" in chain.said
