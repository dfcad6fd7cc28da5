"""Sealed documents: who can open them, and everything that may have happened to one on its way."""

import base64
import json
from pathlib import Path

import pytest
from nacl.bindings import sodium_pad, sodium_unpad
from nacl.public import Box, PrivateKey, PublicKey

from oracles import canonical
from relayer.document import Signatures, cards, load_document, sealing, signatures
from relayer.document.cards import Card, SealKey, WrongCard
from relayer.errors import ConfigurationError, KeyUnavailable
from relayer.protocol.typed_data import sign
from tests.samples import wallet

ROOT = Path(__file__).parents[3]
PROVIDER, CONSUMER, STRANGER = (cards.create(wallet(number)) for number in (1, 2, 9))
TARGET = Path("received.yaml")


@pytest.fixture
def document(sample_text, write):
    return load_document(write(sample_text))


@pytest.fixture
def sealed(document):
    return sealing.seal(document, PROVIDER, [CONSUMER.card])


def key_of(key):
    return f"0x{key.card.x25519.hex()}"


def opened(raw, key=CONSUMER, **how):
    return sealing.unseal(raw, key, TARGET, **how)


def changed(raw, **fields):
    return canonical(json.loads(raw) | fields)


def inside(raw, key=CONSUMER):
    """What a box holds, by libsodium alone."""
    content = json.loads(raw)
    box = Box(key.secret, PublicKey(bytes.fromhex(content["sender"][2:])))
    padded = box.decrypt(base64.b64decode(content["boxes"][key_of(key)]))
    return json.loads(sodium_unpad(padded, 1 << 14))


def forged(content, sender=PROVIDER, reader=CONSUMER):
    """A box with any content, as a dishonest sender makes it."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    box = Box(sender.secret, PublicKey(reader.card.x25519)).encrypt(sodium_pad(raw, 1 << 14))
    boxes = {key_of(reader): base64.b64encode(box).decode()}
    return canonical(
        {"format": "makegood/sealed", "version": 1, "sender": key_of(sender), "boxes": boxes}
    )


def alone(content):
    """Content that fits a file for the consumer alone."""
    return content | {"readers": [CONSUMER.card.as_json()]}


# --- What arrives -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["three-reporters", "openslo", "every-field"])
def test_the_readers_get_the_very_document(name):
    document = load_document(ROOT / "samples" / f"{name}.yaml")
    raw = sealing.seal(document, PROVIDER, [CONSUMER.card])
    for reader in (CONSUMER, PROVIDER):
        unsealed = opened(raw, reader)
        assert unsealed.document.hash == document.hash
        assert unsealed.document.agreement_id == document.agreement_id
        assert unsealed.sender == PROVIDER.card
        assert set(unsealed.readers) == {PROVIDER.card, CONSUMER.card}
        assert unsealed.signatures == Signatures()


def test_the_text_is_a_file_of_the_same_agreement_and_says_which(document, sealed, write):
    text = opened(sealed).text
    assert load_document(write(text, "received.yaml")).agreement_id == document.agreement_id
    assert text.splitlines()[:3] == [
        f"# agreement id   0x{document.agreement_id.hex()}",
        f"# document hash  0x{document.hash.hex()}",
        f"# sealed by      {wallet(1).address} (provider)",
    ]


def test_signatures_travel_with_it(document):
    given = signatures.sign_as(document, "provider", wallet(1))
    raw = sealing.seal(document, PROVIDER, [CONSUMER.card], given)
    assert opened(raw).signatures == given


def test_the_file_is_canonical_and_tells_nothing_but_keys(document, sealed):
    content = json.loads(sealed)
    assert canonical(content) == sealed
    assert set(content["boxes"]) == {key_of(PROVIDER), key_of(CONSUMER)}
    text = sealed.decode().lower()
    for secret in (document.name, wallet(1).address, wallet(2).address, document.hash.hex()):
        assert secret.lower() not in text


def test_it_is_libsodiums_box_and_nothing_else(document, sealed):
    found = inside(sealed)
    assert found["document"] == document.content
    assert found["sender"] == PROVIDER.card.as_json()
    assert found["documentHash"] == f"0x{document.hash.hex()}"


def test_short_and_long_documents_have_the_same_length(sample_text, write, sealed):
    longer = sample_text.replace("  legal:\n", f"  legal:\n    text: {'x' * 2_000}\n")
    other = load_document(write(longer, "longer.yaml"))
    given = signatures.sign_as(other, "provider", wallet(1))
    assert len(sealing.seal(other, PROVIDER, [CONSUMER.card], given)) == len(sealed)


def test_the_same_document_is_never_sealed_to_the_same_bytes(document, sealed):
    again = sealing.seal(document, PROVIDER, [CONSUMER.card])
    assert json.loads(again)["boxes"] != json.loads(sealed)["boxes"]


def test_a_mailer_may_add_the_end_of_a_line(document, sealed):
    assert opened(sealed + b"\r\n").document.hash == document.hash


# --- Who may read and who may seal --------------------------------------------------------------


def test_only_those_whom_the_document_names_are_readers(document):
    with pytest.raises(KeyUnavailable, match=r"0xa0Ee\S+ is neither party nor reporter") as caught:
        sealing.seal(document, PROVIDER, [STRANGER.card])
    assert "--anyway" in caught.value.hint
    raw = sealing.seal(document, PROVIDER, [STRANGER.card], anyway=True)
    assert opened(raw, STRANGER).document.hash == document.hash


def test_reporters_and_the_arbiter_are_named_in_a_document():
    document = load_document(ROOT / "samples" / "every-field.yaml")
    arbiter = cards.create(wallet(3))
    assert document.terms.arbiter == wallet(3).address
    numbered = {wallet(number).address: wallet(number) for number in range(40)}
    reporter = cards.create(numbered[document.levels[0].feed.panel.reporters[0]])
    raw = sealing.seal(document, PROVIDER, [arbiter.card, reporter.card])
    for key, role in ((arbiter, "arbiter"), (reporter, "reporter")):
        assert opened(raw, key).document.hash == document.hash
        assert sealing.role_of(document, key.card.account) == role


def test_nobody_else_opens_it(sealed):
    with pytest.raises(KeyUnavailable, match="not sealed for this key"):
        opened(sealed, STRANGER)
    with pytest.raises(KeyUnavailable, match="not sealed for this key"):
        opened(sealed, cards.create(wallet(2)))  # another key of the same account


def test_who_is_no_party_is_only_believed_if_expected(document):
    raw = sealing.seal(document, STRANGER, [CONSUMER.card], anyway=True)
    with pytest.raises(KeyUnavailable, match=r"sealed by 0xa0Ee\S+, which is no party"):
        opened(raw)
    assert opened(raw, expected=STRANGER.card).sender == STRANGER.card


def test_it_must_come_from_whom_one_expects(sealed):
    assert opened(sealed, expected=PROVIDER.card).sender == PROVIDER.card
    for other in (CONSUMER.card, cards.create(wallet(1)).card):
        with pytest.raises(KeyUnavailable, match=r"was sealed by 0x7099.* not by"):
            opened(sealed, expected=other)


def test_keys_that_everybody_knows_are_for_local_chains(sample_text, write):
    document = load_document(write(sample_text.replace("chainId: 31337", "chainId: 1")))
    with pytest.raises(KeyUnavailable, match="everybody knows the key"):
        sealing.seal(document, PROVIDER, [CONSUMER.card])


def test_a_card_that_everybody_can_make_proves_no_sender(sealed):
    found = alone(inside(sealed))
    found["document"]["spec"]["settlement"]["chainId"] = 1
    with pytest.raises(KeyUnavailable, match="everybody knows the key of 0x7099"):
        opened(forged(found | hashed(found["document"])))


def test_what_no_reader_could_read_is_not_sealed(sample_text, write):
    """Spaces that do not break are written as escapes: the file of the readers would be too large."""
    spaces = "x" + "\N{NO-BREAK SPACE}" * 150_000 + "x"
    longer = sample_text.replace("  legal:\n", f'  legal:\n    text: "{spaces}"\n')
    document = load_document(write(longer))
    with pytest.raises(ConfigurationError, match="larger than 1048576 bytes in one piece"):
        sealing.seal(document, PROVIDER, [CONSUMER.card])


def test_a_reader_is_not_taken_twice_and_not_beyond_the_bound(document, monkeypatch):
    raw = sealing.seal(document, PROVIDER, [CONSUMER.card, CONSUMER.card, PROVIDER.card])
    assert len(opened(raw).readers) == 2
    monkeypatch.setattr(sealing, "MAX_READERS", 1)
    with pytest.raises(ConfigurationError, match="2 readers are too many"):
        sealing.seal(document, PROVIDER, [CONSUMER.card])


def test_a_file_has_a_largest_size(document, sealed, monkeypatch):
    monkeypatch.setattr(sealing, "MAX_BYTES", len(sealed) - 1)
    with pytest.raises(ConfigurationError, match="for 2 readers makes a file of"):
        sealing.seal(document, PROVIDER, [CONSUMER.card])
    with pytest.raises(sealing.BrokenSeal, match="larger than"):
        opened(sealed)


def test_a_key_of_low_order_is_refused(document):
    zero = bytes(32)
    card = cards.card_of(
        {
            "account": wallet(2).address,
            "x25519": f"0x{zero.hex()}",
            "signature": f"0x{sign(wallet(2), cards.message(wallet(2).address, zero)).hex()}",
        },
        "the card",
    )
    with pytest.raises(ConfigurationError, match="no key that anything can be sealed for"):
        sealing.seal(document, PROVIDER, [card])


# --- What may happen on the way -----------------------------------------------------------------


def test_no_byte_can_be_changed(sealed):
    """In a file for one reader; with several, each one's box is proven to that reader only."""
    raw = forged(alone(inside(sealed)))
    assert opened(raw).sender == PROVIDER.card
    for place in {*range(150), *range(150, len(raw), 97), *range(len(raw) - 150, len(raw))}:
        other = b"0" if raw[place : place + 1] != b"0" else b"1"
        with pytest.raises((sealing.BrokenSeal, KeyUnavailable)):
            opened(raw[:place] + other + raw[place + 1 :])


@pytest.mark.parametrize("kept", [0, 1, 100, 5_000, -2, -1])
def test_a_file_that_was_cut_short(sealed, kept):
    with pytest.raises(sealing.BrokenSeal, match="cut short"):
        opened(sealed[:kept])


def test_a_box_that_was_changed_or_cut_short(sealed):
    boxes = json.loads(sealed)["boxes"]
    box = bytearray(base64.b64decode(boxes[key_of(CONSUMER)]))
    box[1_000] ^= 1
    for broken in (bytes(box), bytes(box[:-3]), bytes(box[:30]), b""):
        boxes[key_of(CONSUMER)] = base64.b64encode(broken).decode()
        with pytest.raises(sealing.BrokenSeal, match="was altered"):
            opened(changed(sealed, boxes=boxes))


def test_another_sender_on_the_outside(sealed):
    for sender in (STRANGER, CONSUMER):
        with pytest.raises(
            sealing.BrokenSeal, match=r"the key that it names, .* has not sealed it"
        ):
            opened(changed(sealed, sender=key_of(sender)))


def test_another_senders_card_on_the_inside(sealed):
    """Somebody seals with a key of his own, and brings the provider's card."""
    raw = forged(alone(inside(sealed)), sender=STRANGER)
    with pytest.raises(sealing.BrokenSeal, match="but brings the card of another") as caught:
        opened(raw)
    assert "pretends" in caught.value.hint


def test_a_card_that_its_account_has_not_signed(sealed):
    account = PROVIDER.card.as_json()["account"]
    raw = forged(
        alone(inside(sealed)) | {"sender": STRANGER.card.as_json() | {"account": account}},
        sender=STRANGER,
    )
    with pytest.raises(sealing.BrokenSeal, match="not signed by the account that it names"):
        opened(raw)


def test_a_reader_that_was_removed(sealed):
    boxes = json.loads(sealed)["boxes"]
    del boxes[key_of(PROVIDER)]
    with pytest.raises(sealing.BrokenSeal, match=r"readers were added .* or removed"):
        opened(changed(sealed, boxes=boxes))


def test_a_reader_that_was_added(sealed):
    boxes = json.loads(sealed)["boxes"]
    boxes[key_of(STRANGER)] = boxes[key_of(CONSUMER)]
    raw = changed(sealed, boxes=boxes)
    with pytest.raises(sealing.BrokenSeal, match="readers were added"):
        opened(raw)
    with pytest.raises(sealing.BrokenSeal, match="altered"):
        opened(raw, STRANGER)


def test_a_box_does_not_come_back_as_one_from_its_reader(sealed):
    """X25519 gives both the same key: what the provider sealed opens as if the consumer had."""
    box = json.loads(sealed)["boxes"][key_of(CONSUMER)]
    raw = changed(sealed, sender=key_of(CONSUMER), boxes={key_of(PROVIDER): box})
    with pytest.raises(sealing.BrokenSeal, match="brings the card of another"):
        opened(raw, PROVIDER)


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5, "x" * 100_000])
def test_an_unknown_version_outside_and_inside(sealed, version):
    for raw in (
        changed(sealed, version=version),
        forged(alone(inside(sealed)) | {"version": version}),
    ):
        with pytest.raises(sealing.BrokenSeal, match="another version of the format") as caught:
            opened(raw)
        assert len(caught.value.message) < 200


def test_a_hash_that_is_not_the_documents(sealed):
    found = alone(inside(sealed))
    for broken in (
        found | {"documentHash": "0x" + "00" * 32},
        found | {"documentHash": None},
        found | {"document": found["document"] | {"kind": "Other"}},
    ):
        with pytest.raises(sealing.BrokenSeal, match="another one stands with it"):
            opened(forged(broken))


def hashed(content):
    from eth_utils.crypto import keccak

    return {"document": content, "documentHash": f"0x{keccak(canonical(content)).hex()}"}


def nested(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "content", [{}, [], "text", None, 1.5, {"kind": 1.5}, {"spec": {"levels": []}}, nested(100)]
)
def test_what_is_no_valid_document(sealed, content):
    with pytest.raises(sealing.BrokenSeal, match=r"0x7099\S+ has sealed what"):
        opened(forged(alone(inside(sealed)) | hashed(content)))


def test_files_that_the_document_names_are_not_read(sealed):
    """A sender must not make us read what is none of its business, nor write what means something else later."""
    found = alone(inside(sealed))
    content = found["document"] | {"spec": found["document"]["spec"] | {"openslo": ["x.yaml"]}}
    with pytest.raises(sealing.BrokenSeal, match="has sealed what"):
        opened(forged(found | hashed(content)))


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        {"readers": None},
        {"readers": [None]},
        {"readers": [{}] * 257},
        {"sender": "0x"},
        {"signatures": []},
        {"signatures": {"arbiter": "0x00"}},
        {"signatures": {"provider": "00"}},
        {"signatures": {"provider": "0x" + "00" * 40_000}},
        {"more": 1},
    ],
)
def test_what_a_dishonest_sender_may_seal(sealed, broken):
    content = broken if isinstance(broken, bytes) else alone(inside(sealed)) | broken
    with pytest.raises(sealing.BrokenSeal):
        opened(forged(content))


@pytest.mark.parametrize(
    "raw",
    [b"{}", b"[]", b"1", b"null", b"\xff\xfe", b"[" * 100_000, b"PK\x03\x04", bytes(1_000)],
    ids=["object", "list", "number", "null", "not text", "deep", "another format", "zeros"],
)
def test_what_is_no_sealed_document(raw):
    with pytest.raises(sealing.BrokenSeal, match="this is no sealed document"):
        opened(raw)


@pytest.mark.parametrize(
    "fields",
    [
        {"more": 1},
        {"sender": None},
        {"sender": "0x00"},
        {"boxes": []},
        {"boxes": {}},
        {"boxes": {"0x00": ""}},
        {"boxes": {key_of(CONSUMER): None}},
        {"boxes": {key_of(CONSUMER): "é"}},
        {"boxes": {key_of(CONSUMER): "AB=="}},
    ],
)
def test_a_sealed_document_of_another_shape(sealed, fields):
    with pytest.raises(sealing.BrokenSeal, match="this is no sealed document"):
        opened(changed(sealed, **fields))


def test_two_readings_of_one_file_are_not_possible(sealed):
    """Readers of JSON differ in which of two equal keys they take."""
    twice = sealed.replace(b'{"boxes"', b'{"boxes":{},"boxes"', 1)
    for raw in (twice, json.dumps(json.loads(sealed), indent=1).encode()):
        with pytest.raises(sealing.BrokenSeal, match="not canonical JSON"):
            opened(raw)


# --- Cards and keys -----------------------------------------------------------------------------


def test_what_the_account_signs_is_in_words():
    text = cards.message(PROVIDER.card.account, PROVIDER.card.x25519).body.decode()
    assert text.startswith("Makegood seal card, version 1\n")
    assert f"account: {PROVIDER.card.account}\nx25519: {key_of(PROVIDER)}" in text


@pytest.mark.parametrize("name", ["account", "x25519", "signature"])
def test_a_card_holds_together(name):
    content = PROVIDER.card.as_json()
    assert cards.card_of(content, "it") == PROVIDER.card
    with pytest.raises(WrongCard, match="it is not signed by the account"):
        cards.card_of(content | {name: STRANGER.card.as_json()[name]}, "it")
    for broken in (content | {name: content[name][:-1]}, content | {name: None}):
        with pytest.raises(WrongCard, match=f"it is no card: {name} must have the form"):
            cards.card_of(broken, "it")
    content.pop(name)
    with pytest.raises(WrongCard, match="it is no card: it must hold"):
        cards.card_of(content, "it")


def test_a_signature_of_something_else_makes_no_card(document):
    given = signatures.sign_as(document, "provider", wallet(1)).provider
    with pytest.raises(WrongCard, match="not signed by"):
        cards.card_of(PROVIDER.card.as_json() | {"signature": f"0x{given.hex()}"}, "it")


def test_a_key_survives_its_file(write):
    file = write(PROVIDER.dump(), "seal.key")
    file.chmod(0o600)
    assert cards.load_key(file) == SealKey(PROVIDER.secret, PROVIDER.card)
    file.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="others may read the seal key"):
        cards.load_key(file)


def test_a_secret_shows_nowhere():
    assert repr(PROVIDER) == f"SealKey(card={PROVIDER.card!r})"


@pytest.mark.parametrize("text", ["", "{}", "[]", "11" * 32, '{"secret": "0x11", "card": {}}'])
def test_what_is_no_seal_key(write, text):
    file = write(text, "seal.key")
    file.chmod(0o600)
    with pytest.raises(KeyUnavailable, match=r"seal\.key") as caught:
        cards.load_key(file)
    assert "seal-key --new" in caught.value.hint
    assert "11" * 32 not in str(caught.value)


def test_the_card_in_a_key_file_is_of_that_key(write):
    file = write(SealKey(PrivateKey.generate(), PROVIDER.card).dump(), "seal.key")
    file.chmod(0o600)
    with pytest.raises(KeyUnavailable, match="is of another key"):
        cards.load_key(file)


def test_a_secret_key_is_not_taken_for_a_card(write):
    with pytest.raises(WrongCard, match="secret seal key") as caught:
        cards.load_card(write(PROVIDER.dump(), "seal.key"))
    assert bytes(PROVIDER.secret).hex() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 5_000, "x" * 5_000])
def test_what_is_no_card(write, text):
    with pytest.raises(WrongCard, match="is no card"):
        cards.load_card(write(text, "card.json"))


def test_a_card_read_from_a_file(write):
    file = write(json.dumps(PROVIDER.card.as_json()), "card.json")
    assert cards.load_card(file) == PROVIDER.card
    assert isinstance(cards.load_card(file), Card)
    with pytest.raises(ConfigurationError, match="cannot read the card"):
        cards.load_card(file.with_name("none.json"))
