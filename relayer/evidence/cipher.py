"""Encryption at rest: raw answers and samples as the database holds them.

XChaCha20-Poly1305 (libsodium). Its nonces of 24 bytes are drawn at random without a thought for how many there will be, which
those of AES-GCM are too short for: a relayer of ten thousand feeds stores 2^32 answers in a year.

A sealed value is ``00 6d 67 01``, the first 4 bytes of the key's SHA-256, nonce (24 bytes), ciphertext, tag (16 bytes). It is
bound to its place: moved to another row it cannot be opened. Whatever does not begin so is plain, as all values are that were
stored without a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Final

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from relayer.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_BYTES: Final = 32
_SEALED: Final = b"\0mg\1"
_ESCAPED: Final = b"\0mg\0"
"""Before a plain value that would otherwise look like a sealed one."""
_NAME_BYTES: Final = 4
_HEX: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_ALLOWED: Final = "write 32 random bytes, in base64 or as 64 hexadecimal digits"


class Unreadable(MakegoodError):
    """A sealed value that cannot be opened: its key is not configured, or it was altered or moved."""


class Cipher:
    """Seals with the first key, and opens with any of them. Without keys it seals nothing.

    :param keys: Of 32 bytes each.
    :raises ValueError: One has another length.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(_ALLOWED)
        self._boxes = {name_of(key): Aead(key) for key in keys}
        self._first = name_of(keys[0]) if keys else None

    def __repr__(self) -> str:
        return f"<Cipher {', '.join(self.names) or 'without keys'}>"

    @property
    def names(self) -> list[str]:
        """The names of the keys, see :func:`name_of`; the one that seals comes first."""
        return list(self._boxes)

    def seal(self, value: bytes, place: bytes) -> bytes:
        """A value as it is stored.

        :param place: What the value belongs to.
        """
        if self._first is None:
            return _ESCAPED + value if value.startswith(_SEALED[:-1]) else value
        head = _SEALED + bytes.fromhex(self._first)
        return head + bytes(self._boxes[self._first].encrypt(value, head + place))

    def open(self, stored: bytes, place: bytes) -> bytes:
        """The value that was stored in this place.

        :raises Unreadable: Its key is not here, or it is not what was stored in this place.
        """
        if stored.startswith(_ESCAPED):
            return stored[len(_ESCAPED) :]
        name = sealed_with(stored)
        if name is None:
            return stored
        if (box := self._boxes.get(name)) is None:
            raise Unreadable(
                f"encrypted with key {name}, which is not configured",
                hint="add the old key to evidenceKey, after the one that is in use",
            )
        head = len(_SEALED) + _NAME_BYTES
        try:
            return box.decrypt(stored[head:], stored[:head] + place)
        except (CryptoError, ValueError):
            raise Unreadable(
                f"encrypted with key {name}, but altered, or moved from another place"
            ) from None

    def is_current(self, stored: bytes) -> bool:
        """Whether :meth:`seal` would store the value in the same way."""
        return sealed_with(stored) == self._first


def sealed_with(stored: bytes) -> str | None:
    """The name of the key that a stored value was sealed with; None: it is plain."""
    if not stored.startswith(_SEALED):
        return None
    return stored[len(_SEALED) : len(_SEALED) + _NAME_BYTES].hex()


def name_of(key: bytes) -> str:
    """What a key is called where the key itself must not stand: 8 hexadecimal digits."""
    return hashlib.sha256(key).digest()[:_NAME_BYTES].hex()


def fresh_key() -> str:
    """A new key, as configurations write it."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def read_key(text: str) -> bytes:
    """A key from what was written: base64, or hexadecimal digits. Raises ValueError, which does not repeat it."""
    text = text.strip()
    if match := _HEX.fullmatch(text):
        return bytes.fromhex(match[1])
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(_ALLOWED) from None
    if len(key) != KEY_BYTES:
        raise ValueError(_ALLOWED)
    return key


def evidence_place(feed: bytes, interval: int) -> bytes:
    """What the evidence of a reading is bound to."""
    return b"evidence" + feed + interval.to_bytes(8, "big")


def sample_place(key: str, at: int) -> bytes:
    """What a probe's sample is bound to."""
    return b"sample" + at.to_bytes(8, "big", signed=True) + key.encode()
