"""`makegood sla seal-key`, `seal`, `unseal`: a document goes from one party to the other."""

import json
import re
import shutil
import stat

import pytest

from relayer.document import load_document
from tests.relayer.cli.conftest import ROOT
from tests.samples import wallet


@pytest.fixture
def seal_key(makegood, home, key_file):
    """Makes the seal key of an account and its card, in two files."""

    def make(number, name):
        key, card = home / f"{name}.seal", home / f"{name}.card"
        own = key_file(wallet(number), f"{name}.key")
        ran = makegood("sla", "seal-key", "--new", key, "--key-file", own)
        assert ran.code == 0, ran.err
        card.write_text(ran.out)
        return key, card

    return make


@pytest.fixture
def provider(seal_key):
    return seal_key(1, "provider")


@pytest.fixture
def consumer(seal_key):
    return seal_key(2, "consumer")


@pytest.fixture
def sealed(makegood, agreement, provider, consumer):
    ran = makegood("sla", "seal", agreement, "--for", consumer[1], "--key", provider[0])
    assert ran.code == 0, ran.err
    return agreement.with_suffix(".sealed")


def test_both_parties_end_with_the_same_signed_agreement(
    makegood, home, agreement, provider, consumer
):
    """The provider signs and seals, the consumer opens, signs and seals back, the provider has both signatures."""
    keys = {"provider": home / "provider.key", "consumer": home / "consumer.key"}
    assert not makegood(
        "sla", "sign", agreement, "--as", "provider", "--key-file", keys["provider"]
    ).code
    ran = makegood("sla", "seal", agreement, "--for", consumer[1], "--key", provider[0], "--json")
    assert ran.code == 0, ran.err
    assert ran.json["readableBy"] == [
        {"account": wallet(1).address, "role": "provider"},
        {"account": wallet(2).address, "role": "consumer"},
    ]
    assert ran.json["signedBy"] == ["provider"]

    far = home / "far"
    far.mkdir()
    shutil.copy(home / "agreement.sealed", far)
    sealed, received = far / "agreement.sealed", far / "agreement.yaml"
    ran = makegood("sla", "unseal", sealed, "--key", consumer[0], "--from", provider[1], "--json")
    assert ran.code == 0, ran.err
    document = load_document(agreement)
    assert ran.json == {
        "file": str(received),
        "agreementId": f"0x{document.agreement_id.hex()}",
        "documentHash": f"0x{document.hash.hex()}",
        "sealedBy": {"account": wallet(1).address, "role": "provider"},
        "readableBy": [
            {"account": wallet(1).address, "role": "provider"},
            {"account": wallet(2).address, "role": "consumer"},
        ],
        "signedBy": ["provider"],
        "signatures": str(far / "agreement.signatures.json"),
    }
    assert stat.S_IMODE(received.stat().st_mode) == 0o600
    assert makegood("sla", "validate", received).code == 0
    ran = makegood("sla", "sign", received, "--as", "consumer", "--key-file", keys["consumer"])
    assert ran.code == 0, ran.err

    back = far / "back.sealed"
    ran = makegood(
        *("sla", "seal", received, "--for", provider[1], "--key", consumer[0], "--output", back)
    )
    assert ran.code == 0, ran.err
    ran = makegood("sla", "unseal", back, "--key", provider[0], "--from", consumer[1], "--json")
    assert ran.code == 0, ran.err
    assert ran.json["signedBy"] == ["provider", "consumer"]
    ran = makegood(
        *("sla", "verify", far / "back.yaml", "--offline"),
        *("--agreement", f"0x{document.agreement_id.hex()}"),
    )
    assert ran.code == 0, ran.err


def test_openslo_files_travel_with_the_document(makegood, home, provider, consumer):
    sample = (ROOT / "samples" / "openslo.yaml").read_text()
    sla, objects = sample.split("---\n", 1)
    (home / "slos.yaml").write_text(objects)
    document = home / "shop.yaml"
    document.write_text(sla.replace("spec:\n", "spec:\n  openslo: [slos.yaml]\n", 1))
    ran = makegood("sla", "seal", document, "--for", consumer[1], "--key", provider[0])
    assert ran.code == 0, ran.err
    hash_ = load_document(document).hash
    (home / "slos.yaml").unlink()
    ran = makegood(
        "sla", "unseal", "shop.sealed", "--key", consumer[0], "--output", "x.yaml", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.json["documentHash"] == f"0x{hash_.hex()}"
    assert ran.json["signatures"] is None
    assert load_document(home / "x.yaml").hash == hash_
    assert not (home / "x.signatures.json").exists()


def test_a_key_is_private_and_its_card_is_shown_again(makegood, home, provider):
    key, card = provider
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    ran = makegood("sla", "seal-key", "--show", key)
    assert (ran.code, ran.out) == (0, card.read_text())
    assert set(ran.json) == {"account", "x25519", "signature"}
    assert ran.json["account"] == wallet(1).address
    secret = json.loads(key.read_text())["secret"]
    assert secret not in ran.out + ran.err
    again = makegood("sla", "seal-key", "--new", key, "--key-file", home / "provider.key")
    assert again.code == 3
    assert "is not overwritten" in again.err
    assert json.loads(key.read_text())["secret"] == secret


def test_a_card_needs_the_account_and_one_of_two_options(makegood, home, provider):
    ran = makegood("sla", "seal-key", "--new", "new.seal")
    assert (ran.code, "no key is configured" in ran.err) == (4, True)
    assert not (home / "new.seal").exists()
    for words in ((), ("--new", "new.seal", "--show", provider[0])):
        ran = makegood("sla", "seal-key", *words)
        assert (ran.code, "either --new FILE or --show FILE" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--key", "provider.seal", "--for", "stranger.card"), 4, "neither party nor reporter"),
        (("--key", "stranger.seal", "--for", "consumer.card"), 4, "neither party nor reporter"),
        (("--key", "none.seal", "--for", "consumer.card"), 4, "cannot read the seal key"),
        (("--key", "provider.card", "--for", "consumer.card"), 4, "seal-key"),
        (("--key", "provider.key", "--for", "consumer.card"), 4, "holds no seal key"),
        (("--key", "provider.seal", "--for", "consumer.seal"), 3, "secret seal key"),
        (("--key", "provider.seal", "--for", "agreement.yaml"), 3, "is no card"),
        (("--key", "provider.seal", "--for", "none.card"), 3, "cannot read the card"),
        (("--key", "provider.seal"), 2, "--for"),
        (("--key", "provider.seal", "--for", "consumer.card", "--output", "no/x"), 3, "no/x"),
        (("--key", "provider.seal", "--for", "consumer.card", "--output", "old"), 3, "overwritten"),
    ],
)
def test_what_cannot_be_sealed(makegood, home, agreement, seal_key, words, code, said):
    for number, name in ((1, "provider"), (2, "consumer"), (9, "stranger")):
        seal_key(number, name)
    (home / "provider.card").chmod(0o600)
    (home / "old").write_text("old")
    ran = makegood("sla", "seal", "agreement.yaml", *words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert not (home / "agreement.sealed").exists()
    assert (home / "old").read_text() == "old"


def test_others_only_if_it_is_said(makegood, home, agreement, provider, seal_key):
    key, card = seal_key(9, "stranger")
    words = ("sla", "seal", agreement, "--for", card, "--key", provider[0], "--anyway")
    ran = makegood(*words)
    assert (ran.code, "(not named in the document)" in ran.out) == (0, True)
    ran = makegood("sla", "unseal", "agreement.sealed", "--key", key, "--output", "x.yaml")
    assert ran.code == 0, ran.err
    assert f"{wallet(9).address} (not named in the document)" in ran.out


def test_signatures_stay_at_home_if_it_is_said(makegood, home, agreement, provider, consumer):
    makegood("sla", "sign", agreement, "--as", "provider", "--key-file", home / "provider.key")
    words = ("--for", consumer[1], "--key", provider[0], "--no-signatures")
    assert makegood("sla", "seal", agreement, *words).code == 0
    words = ("--key", consumer[0], "--output", "x.yaml", "--json")
    assert makegood("sla", "unseal", "agreement.sealed", *words).json["signedBy"] == []


def test_a_signature_that_does_not_hold_is_told(makegood, home, agreement, provider, consumer):
    makegood("sla", "sign", agreement, "--as", "provider", "--key-file", home / "provider.key")
    file = home / "agreement.signatures.json"
    content = json.loads(file.read_text())
    content["signatures"]["consumer"] = content["signatures"]["provider"]
    file.write_text(json.dumps(content))
    makegood("sla", "seal", agreement, "--for", consumer[1], "--key", provider[0])
    ran = makegood("sla", "unseal", "agreement.sealed", "--key", consumer[0], "--output", "x.yaml")
    assert ran.code == 0, ran.err
    assert "note: the consumer's signature is of 0x7099" in ran.err
    assert "provider's signature" not in ran.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--key", "stranger.seal"), 4, "not sealed for this key"),
        (("--key", "none.seal"), 4, "cannot read the seal key"),
        (("--key", "consumer.seal", "--from", "stranger.card"), 4, "not by 0xa0Ee"),
        (("--key", "consumer.seal", "--from", "agreement.yaml"), 3, "is no card"),
        (("--key", "consumer.seal", "--output", "agreement.yaml"), 3, "not overwritten"),
        (("--key", "consumer.seal", "--output", "no/such.yaml"), 3, "cannot write no/such.yaml"),
        (("--key", "consumer.seal", "--output", "s.yaml"), 3, "s.signatures.json exists"),
    ],
)
def test_what_cannot_be_unsealed(makegood, home, sealed, seal_key, words, code, said):
    seal_key(9, "stranger")
    (home / "s.signatures.json").write_text("mine")
    before = sorted(home.iterdir())
    ran = makegood("sla", "unseal", sealed, "--output", "x.yaml", *words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert sorted(home.iterdir()) == before
    assert (home / "s.signatures.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:5_000], "cut short"),
        (lambda text: "", "cut short"),
        (lambda text: text.replace('"version":1', '"version":2'), "another version"),
        (lambda text: re.sub('("0x[0-9a-f]{64}":")....', r"\1AAAA", text), "altered"),
        (lambda text: "spec: {}", "no sealed document"),
    ],
)
def test_a_broken_file_writes_nothing(makegood, home, sealed, change, said):
    sealed.write_text(change(sealed.read_text()))
    ran = makegood(
        "sla", "unseal", sealed, "--key", "consumer.seal", "--output", "x.yaml", "--json"
    )
    assert (ran.code, ran.error["exitCode"]) == (3, 3)
    assert said in ran.error["message"]
    assert not (home / "x.yaml").exists()


def test_a_sealed_file_that_is_not_there(makegood, home, consumer):
    ran = makegood("sla", "unseal", "none.sealed", "--key", consumer[0])
    assert (ran.code, "cannot read none.sealed" in ran.err) == (3, True)


def test_nothing_is_left_if_the_signatures_cannot_be_written(
    makegood, home, agreement, provider, consumer, monkeypatch
):
    from relayer.document import signatures
    from relayer.errors import ConfigurationError

    makegood("sla", "sign", agreement, "--as", "provider", "--key-file", home / "provider.key")
    makegood("sla", "seal", agreement, "--for", consumer[1], "--key", provider[0])

    def full(*_):
        raise ConfigurationError("cannot write: no space left on device")

    monkeypatch.setattr(signatures, "add", full)
    ran = makegood("sla", "unseal", "agreement.sealed", "--key", consumer[0], "--output", "x.yaml")
    assert (ran.code, "no space left" in ran.err) == (3, True)
    assert not (home / "x.yaml").exists()
