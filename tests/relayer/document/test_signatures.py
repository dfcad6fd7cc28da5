import json

import pytest

from relayer.document import Signatures, load_document, signatures
from relayer.errors import ConfigurationError, KeyUnavailable
from tests.samples import wallet

HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def nobody_has_code(_):
    return False


@pytest.fixture
def document(sample_text, write):
    return load_document(write(sample_text))


def test_signatures_travel_beside_the_document(document):
    assert signatures.load(document) == Signatures()
    assert signatures.verify(document, Signatures(), nobody_has_code) == {
        "provider": "the provider has not signed",
        "consumer": "the consumer has not signed",
    }
    first = signatures.sign_as(document, "consumer", wallet(2))
    assert first.missing == ["provider"]
    both = signatures.sign_as(document, "provider", wallet(1))
    assert both.missing == []
    assert signatures.load(document) == both
    assert signatures.verify(document, both, nobody_has_code) == {
        "provider": None,
        "consumer": None,
    }
    file = document.path.with_name("agreement.signatures.json")
    content = json.loads(file.read_text())
    assert content["agreementId"] == f"0x{document.agreement_id.hex()}"
    assert [p.name for p in file.parent.iterdir() if p.name.startswith(".")] == []


def test_only_the_party_signs(document):
    with pytest.raises(KeyUnavailable, match="but the provider is 0x7099"):
        signatures.sign_as(document, "provider", wallet(2))
    assert signatures.load(document) == Signatures()


def test_signatures_of_other_terms_are_refused(document, sample_text, write):
    signatures.sign_as(document, "provider", wallet(1))
    changed = load_document(write(sample_text.replace('"100.00"', '"1.00"')))
    for attempt in (
        lambda: signatures.load(changed),
        lambda: signatures.sign_as(changed, "consumer", wallet(2)),
    ):
        with pytest.raises(ConfigurationError, match="belongs to other terms"):
            attempt()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "\xff", "[" * 10_000, '{"agreementId": 1}', "x" * 70_000],
)
def test_what_is_no_file_of_signatures(document, content):
    signatures.path_of(document).write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not a file of signatures"):
        signatures.load(document)


@pytest.mark.parametrize(
    "given", [{"arbiter": "0x00"}, {"provider": "zz"}, {"provider": 5}, [], {"provider": "0x"}]
)
def test_what_are_no_signatures(document, given):
    signatures.sign_as(document, "provider", wallet(1))
    file = signatures.path_of(document)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"signatures": given}))
    with pytest.raises(ConfigurationError, match="not a file of signatures"):
        signatures.load(document)


def test_verification(document):
    good = signatures.sign_as(document, "provider", wallet(1)).provider
    s = int.from_bytes(good[32:64], "big")
    assert s <= HALF
    flipped = good[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - good[64]])
    for wrong in (good[:64], good + b"\0", flipped, bytes(65)):
        fault = signatures.verify(document, Signatures(provider=wrong), nobody_has_code)["provider"]
        assert fault is not None
    stranger = signatures.verify(document, Signatures(consumer=good), nobody_has_code)["consumer"]
    assert "is of 0x7099" in stranger
    # A contract judges its own signature.
    assert signatures.verify(document, Signatures(b"\1", b"\2"), lambda _: True) == {
        "provider": None,
        "consumer": None,
    }


def test_nothing_is_left_when_it_cannot_be_written(document, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(signatures.os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        signatures.sign_as(document, "provider", wallet(1))
    assert [p.name for p in document.path.parent.iterdir()] == ["agreement.yaml"]
