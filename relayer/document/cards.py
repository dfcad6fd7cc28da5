"""Keys that documents are sealed with, and the cards that show whose they are.

A seal key is an X25519 key beside the account's own: with Ethereum keys one signs, and some of them never leave their device.
Its file holds the secret and the card::

    {"secret": "0x…", "card": {"account": "0x…", "x25519": "0x…", "signature": "0x…"}}

The card is public. The account signs, in words (EIP-191), that the key is its own, so it does not matter on which way a card
comes: nobody can make one for an account whose key is not theirs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eth_account.messages import encode_defunct
from eth_utils.address import to_checksum_address
from nacl.public import PrivateKey

from relayer import keys
from relayer.errors import ConfigurationError, KeyUnavailable
from relayer.protocol.typed_data import recover, sign

if TYPE_CHECKING:
    from pathlib import Path

    from eth_account.messages import SignableMessage
    from eth_account.signers.base import BaseAccount
    from eth_typing import ChecksumAddress

MAX_BYTES = 1 << 12
"""Largest file of a card [bytes]; one has about 300."""

_FIELDS = {
    "account": re.compile(r"0x[0-9a-fA-F]{40}"),
    "x25519": re.compile(r"0x[0-9a-f]{64}"),
    "signature": re.compile(r"0x[0-9a-f]{130}"),
}
_TEXT = """\
Makegood seal card, version 1

Seal SLA documents for this account with the X25519 key below. What was sealed with this key comes from this account.
This signature agrees to no terms and moves no money.

account: {account}
x25519: {x25519}"""


class WrongCard(ConfigurationError):
    """Something is no card, or not one that its account has signed."""


@dataclass(frozen=True, slots=True)
class Card:
    """Whose a public seal key is. Made by :func:`create` or :func:`read_card` only, so the signature holds.

    :param x25519: The public key, 32 bytes.
    :param signature: The account's, 65 bytes.
    """

    account: ChecksumAddress
    x25519: bytes
    signature: bytes

    def as_json(self) -> dict[str, str]:
        return {
            "account": self.account,
            "x25519": f"0x{self.x25519.hex()}",
            "signature": f"0x{self.signature.hex()}",
        }


@dataclass(frozen=True, slots=True)
class SealKey:
    """A secret seal key and its card."""

    secret: PrivateKey = field(repr=False)
    card: Card

    def dump(self) -> str:
        """The text of its file: a secret."""
        content = {"secret": f"0x{bytes(self.secret).hex()}", "card": self.card.as_json()}
        return json.dumps(content, indent=2) + "\n"


def message(account: ChecksumAddress, x25519: bytes) -> SignableMessage:
    """What an account signs to say that a seal key is its own."""
    return encode_defunct(text=_TEXT.format(account=account, x25519=f"0x{x25519.hex()}"))


def create(account: BaseAccount) -> SealKey:
    """A fresh seal key of an account, which signs its card."""
    secret = PrivateKey.generate()
    public = bytes(secret.public_key)
    owner = to_checksum_address(account.address)
    return SealKey(secret, Card(owner, public, sign(account, message(owner, public))))


def load_key(file: Path) -> SealKey:
    """The seal key of a file that nobody but its owner may read. Raises KeyUnavailable."""
    text = keys.read_private(file, "seal key")
    wrong = KeyUnavailable(
        f"{file} holds no seal key", hint="make one with `makegood sla seal-key --new FILE`"
    )
    try:
        content = json.loads(text)
        secret, card = content["secret"], card_of(content["card"], f"the card in {file}")
        key = SealKey(PrivateKey(bytes.fromhex(secret.removeprefix("0x"))), card)
    except WrongCard as error:
        raise KeyUnavailable(error.message, hint=wrong.hint) from None
    except Exception:  # noqa: BLE001 - whatever is wrong with it: no message may repeat what a file of secrets holds
        raise wrong from None
    if bytes(key.secret.public_key) != card.x25519:
        raise KeyUnavailable(f"the card in {file} is of another key", hint=wrong.hint)
    return key


def load_card(file: Path) -> Card:
    """The card in a file. Raises WrongCard, or ConfigurationError if the file cannot be read."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read the card {file}: {error.strerror}") from None
    try:
        content = json.loads(raw.decode()) if len(raw) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict) and "secret" in content:
        raise WrongCard(
            f"{file} holds a secret seal key, not a card: never hand it to anybody",
            hint=f"makegood sla seal-key --show {file} prints its card",
        )
    return card_of(content, str(file))


def card_of(content: Any, what: str) -> Card:
    """A card from its JSON. Raises WrongCard.

    :param what: What messages call it.
    """
    if not isinstance(content, dict) or set(content) != set(_FIELDS):
        raise WrongCard(
            f"{what} is no card: it must hold {', '.join(_FIELDS)}, and nothing else",
            hint="its owner prints it with `makegood sla seal-key --show FILE`",
        )
    for name, pattern in _FIELDS.items():
        if not isinstance(content[name], str) or not pattern.fullmatch(content[name]):
            raise WrongCard(f"{what} is no card: {name} must have the form {pattern.pattern}")
    account = to_checksum_address(content["account"])
    x25519, signature = (bytes.fromhex(content[name][2:]) for name in ("x25519", "signature"))
    if recover(message(account, x25519), signature) != account:
        raise WrongCard(
            f"{what} is not signed by the account that it names, {account}",
            hint="the card was altered, or somebody else made it: ask the account's owner for it",
        )
    return Card(account, x25519, signature)
