"""Files that were made to keep whoever checks them busy, or to deceive who reads what is said about them."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from eth_hash.auto import keccak

from relayer.errors import ChecksFailed, MakegoodError
from relayer.evidence import package as packages
from relayer.evidence import verify as verification
from relayer.evidence.package import Batch, Kept
from relayer.protocol import merkle
from relayer.protocol.typed_data import root_message, sign
from tests.relayer.evidence.kit import export

MANY = 2_000


@pytest.fixture
def package(reported, makegood):
    file, _ = export(makegood, reported, "--interval", "1")
    return packages.read(file.read_bytes(), "file")


@pytest.fixture
def calls(monkeypatch):
    """How often a hash was looked at, and a raw answer read."""
    counted = Counter()
    digest, code_of = Batch.digest, verification.code_of

    def counted_digest(self, interval):
        counted["digest"] += 1
        return digest(self, interval)

    def counted_code_of(reading):
        counted["read"] += 1
        return code_of(reading)

    monkeypatch.setattr(Batch, "digest", counted_digest)
    monkeypatch.setattr(verification, "code_of", counted_code_of)
    return counted


def signed(reported, package, readings, digests):
    """A batch of interval 0 and on, which the reporter has really signed."""
    evidence = keccak(digests)
    root = merkle.leaf(package.feed, 0, readings)
    message = root_message(reported.agreement.document.domains.oracle, root, evidence)
    return package.batches[0].model_copy(
        update={
            "first": 0,
            "readings": readings,
            "digests": digests,
            "proof": [],
            "evidence_proof": [],
            "evidence": evidence,
            "signature": sign(reported.account, message),
        }
    )


def test_each_hash_is_looked_at_a_few_times_only(reported, package, calls):
    digests = b"".join(number.to_bytes(32, "big") for number in range(1, MANY + 1))
    hostile = package.model_copy(
        update={
            "first": 0,
            "end": MANY,
            "readings": [Kept(interval=number, evidence=f"{number}") for number in range(MANY)],
            "batches": [signed(reported, package, bytes(4 * MANY), digests)],
        }
    )
    found = verification.verify(hostile, reported.agreement.document)
    said = {reading.findings["evidence"].said for reading in found.readings}
    assert said == {"the raw answer is not the one that was signed: it was changed"}
    assert calls["digest"] <= 3 * MANY


def test_a_raw_answer_is_read_once_however_often_it_was_signed(reported, package, calls):
    batches = [
        signed(reported, package, number.to_bytes(4, "big") * 2, b"\x01" * 64)
        for number in range(20)
    ]
    hostile = package.model_copy(update={"batches": batches})
    [reading] = verification.verify(hostile, reported.agreement.document).readings
    assert reading.findings["reading"].status.value == "fails"
    assert calls["read"] == 1


@pytest.mark.parametrize("broken", [{"signature": b"\x33" * 64 + b"\x1b"}, {"digests": b""}])
def test_of_what_is_not_signed_nothing_else_is_checked(reported, package, calls, broken):
    batch = package.batches[0].model_copy(update=broken)
    hostile = package.model_copy(update={"batches": [batch]})
    [reading] = verification.verify(hostile, reported.agreement.document).readings
    assert reading.status.value == "fails"
    assert {name: finding.status.value for name, finding in reading.findings.items()} == {
        "signature": "fails",
        "evidence": "not checked",
        "reading": "not checked",
        "chain": "not checked",
    }
    assert not calls


def test_a_broken_signature_does_not_hide_behind_a_sound_one(reported, package):
    broken = package.batches[0].model_copy(update={"signature": b"\x33" * 64 + b"\x1b"})
    for batches in ([broken, *package.batches], [*package.batches, broken]):
        hostile = package.model_copy(update={"batches": batches})
        [reading] = verification.verify(hostile, reported.agreement.document).readings
        assert reading.status.value == "fails"
        assert reading.findings["signature"].status.value == "fails"
        assert reading.findings["reading"].status.value == "holds"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": "availability\n60 of 60 readings hold"}, "altered: level: .* lower-case"),
        ({"level": "\x1b[2J"}, "altered: level"),
        ({"level": "a" * 64}, "altered: level"),
        (
            {"missing": [{"first": 2, "end": 3, "reason": "\x1b[2J\x1b[32mall holds"}]},
            "altered: missing.0.reason: .* one line",
        ),
        ({"missing": [{"first": 2, "end": 3, "reason": "a\nb"}]}, "altered: missing"),
        ({"missing": [{"first": 2, "end": 3, "reason": "\u202eb"}]}, "altered: missing"),
        ({"missing": [{"first": 2, "end": 3, "reason": "a" * 301}]}, "altered: missing"),
    ],
)
def test_what_is_said_to_people_is_one_printable_line(change, words):
    content = {
        "format": packages.FORMAT,
        "agreement": f"0x{'11' * 32}",
        "document": f"0x{'11' * 32}",
        "chainId": 1,
        "oracle": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "level": "availability",
        "feed": f"0x{'11' * 32}",
        "private": False,
        "first": 0,
        "end": 60,
        "readings": [],
        "batches": [],
        "missing": [{"first": 0, "end": 60, "reason": "a" * 300}],
    }
    assert packages.read(json.dumps(content).encode(), "file").missing
    with pytest.raises(ChecksFailed, match=words):
        packages.read(json.dumps(content | change).encode(), "file")


def test_a_file_that_nobody_would_read_is_not_written(reported, package, makegood, monkeypatch):
    monkeypatch.setattr(packages, "MAX_BYTES", len(package.dump()))
    assert export(makegood, reported, "--interval", "1")[1].code == 0
    monkeypatch.setattr(packages, "MAX_BYTES", len(package.dump()) - 1)
    with pytest.raises(MakegoodError, match="the evidence of intervals 1 to 1"):
        package.dump()
    ran = export(makegood, reported, "--interval", "1")[1]
    assert ran.code == 1
    assert "in parts" in ran.err
    assert not (reported.agreement.folder / "evidence.json").exists()
