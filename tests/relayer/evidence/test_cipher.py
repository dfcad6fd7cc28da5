"""Encryption at rest: what is stored cannot be read without its key, nor be moved or altered unseen."""

from __future__ import annotations

import base64

import pytest

from relayer.evidence import cipher as ciphers
from relayer.evidence.cipher import Cipher, Unreadable, evidence_place, read_key, sample_place

OLD, NEW, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
HERE, ELSEWHERE = evidence_place(b"f" * 32, 7), evidence_place(b"f" * 32, 8)
VALUES = [b"", b"{}", b"\0mg\0", b"\0mg\1", b"\0mg", b"\0mg\1" + bytes(60), bytes(100)]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("keys", [(), (NEW,), (NEW, OLD)])
def test_what_was_stored_comes_back(keys, value):
    cipher = Cipher(keys)
    stored = cipher.seal(value, HERE)
    assert cipher.open(stored, HERE) == value
    assert cipher.is_current(stored)
    # A key that is set later changes nothing about what is there.
    if not keys:
        assert Cipher([NEW]).open(stored, HERE) == value


def test_what_is_stored_says_nothing_and_is_never_the_same():
    cipher = Cipher([NEW])
    secret = b'{"answer":"which nobody should see"}'
    stored = {cipher.seal(secret, HERE) for _ in range(100)}
    assert len(stored) == 100
    assert not any(secret[i : i + 6] in one for one in stored for i in range(len(secret) - 6))


def test_every_byte_of_what_is_stored_is_protected():
    cipher = Cipher([NEW])
    stored = cipher.seal(b'{"answer":1}', HERE)
    for place in range(4, len(stored)):
        changed = bytearray(stored)
        changed[place] ^= 1
        with pytest.raises(Unreadable):
            cipher.open(bytes(changed), HERE)
    for length in range(4, len(stored)):
        with pytest.raises(Unreadable):
            cipher.open(stored[:length], HERE)


@pytest.mark.parametrize(
    "place", [ELSEWHERE, evidence_place(b"g" * 32, 7), sample_place("f" * 32, 7), b""]
)
def test_what_is_moved_to_another_row_cannot_be_opened(place):
    cipher = Cipher([NEW])
    with pytest.raises(Unreadable, match="moved from another place"):
        cipher.open(cipher.seal(b"{}", HERE), place)


def test_places_of_different_rows_differ():
    assert sample_place("a", 1) != sample_place("", int.from_bytes(b"a" + bytes(7), "big"))
    assert len({sample_place("a", 1), sample_place("b", 1), sample_place("a", 2)}) == 3


def test_the_first_key_seals_and_all_of_them_open():
    before = Cipher([OLD]).seal(b"{}", HERE)
    both = Cipher([NEW, OLD])
    assert both.open(before, HERE) == b"{}"
    assert not both.is_current(before)
    after = both.seal(b"{}", HERE)
    assert Cipher([NEW]).open(after, HERE) == b"{}"
    with pytest.raises(Unreadable, match="not configured"):
        Cipher([OLD]).open(after, HERE)


def test_a_lost_key_is_named_and_never_shown():
    stored = Cipher([OLD]).seal(b"{}", HERE)
    for cipher in (Cipher(), Cipher([NEW])):
        with pytest.raises(Unreadable) as caught:
            cipher.open(stored, HERE)
        assert f"encrypted with key {ciphers.name_of(OLD)}" in caught.value.message
        assert "evidenceKey" in caught.value.hint
    for text in (repr(Cipher([NEW])), ciphers.name_of(NEW)):
        assert NEW.hex()[:16] not in text


def test_keys_are_read_as_people_write_them():
    key = base64.b64decode(ciphers.fresh_key())
    assert len(key) == 32
    assert ciphers.fresh_key() != ciphers.fresh_key()
    raw = bytes([251, 255] * 16)
    for text in (
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        raw.hex(),
        f"0x{raw.hex().upper()}",
        f" {raw.hex()}\n",
    ):
        assert read_key(text) == raw


@pytest.mark.parametrize("text", ["", "short", "11" * 31, "11" * 33, "ä" * 44, "A" * 42, "A" * 43])
def test_what_is_no_key_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match="32 random bytes") as caught:
        read_key(text)
    assert not text or text not in str(caught.value)


def test_keys_of_another_length_are_refused():
    with pytest.raises(ValueError, match="32 random bytes"):
        Cipher([b"short"])
