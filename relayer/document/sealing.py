"""A document sealed for those who may read it: nobody else can, and they know who sealed it.

For each reader, and for the sender, one ``Box`` of libsodium (X25519, XSalsa20, Poly1305) between the sender's key and the
reader's, all with the same content. A sealed file is canonical JSON (RFC 8785)::

    {"format": "makegood/sealed", "version": 1, "sender": "0x<X25519>", "boxes": {"0x<X25519 of a reader>": "<base64>", …}}

and so is what is in each box, padded to a multiple of 16 KiB::

    {"version": 1, "sender": <card>, "readers": [<card>, …], "document": {…}, "documentHash": "0x…",
     "signatures": {"provider": "0x…", …}}

From outside one sees keys, whose owners only cards name, and hardly the length. The names of sender and readers are repeated
inside, where nobody else can change them: a box that is put into another file, or between other boxes, is refused.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eth_utils.crypto import keccak
from nacl.bindings import sodium_pad, sodium_unpad
from nacl.exceptions import CryptoError
from nacl.public import Box, PublicKey

from oracles import canonical
from oracles.base import read_canonical
from relayer import keys, yaml_lines
from relayer.document import signatures
from relayer.document.cards import Card, WrongCard, card_of
from relayer.document.document import document_of
from relayer.document.signatures import ROLES, Signatures
from relayer.document.yaml_text import as_yaml
from relayer.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from relayer.document.cards import SealKey
    from relayer.document.document import Document

FORMAT: Final = "makegood/sealed"
VERSION: Final = 1
MAX_BYTES: Final = 16 << 20
"""Largest sealed file [bytes]."""
MAX_READERS: Final = 256
BLOCK: Final = 1 << 14
"""Contents are padded to a multiple of this [bytes]: most documents and their signatures are shorter."""

_KEY = re.compile(r"0x[0-9a-f]{64}")
_HEX = re.compile(r"0x(?:[0-9a-f]{2})+")
_INSIDE = {"version", "sender", "readers", "document", "documentHash", "signatures"}
_AGAIN = "ask the sender for the file again"


class BrokenSeal(ConfigurationError):
    """A file is no sealed document, or not as its sender has sealed it."""


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What a sealed file held. All of it was checked.

    :param document: Valid; its path is where it is to be written.
    :param text: The document's file: YAML.
    :param sender: Who sealed it.
    :param readers: Who can open it, the sender too.
    :param signatures: As they came; :func:`relayer.document.signatures.fault` tells whether they hold.
    """

    document: Document
    text: str
    sender: Card
    readers: tuple[Card, ...]
    signatures: Signatures


def role_of(document: Document, account: str) -> str | None:
    """As what a document names an account: provider, consumer, arbiter, reporter; None if it does not."""
    for role in ROLES:
        if account == signatures.party(document, role):
            return role
    if account == document.terms.arbiter:
        return "arbiter"
    reporters = {key for level in document.levels for key in level.feed.panel.reporters}
    return "reporter" if account in reporters else None


def seal(
    document: Document,
    key: SealKey,
    readers: Sequence[Card],
    given: Signatures | None = None,
    *,
    anyway: bool = False,
) -> bytes:
    """The sealed file: the document in one piece, and its signatures, for the readers and for the sender.

    :param given: The signatures that travel with it, if any.
    :param anyway: Also from and for accounts that the document does not name.
    :raises KeyUnavailable: The document does not name an account, or everybody knows its key.
    :raises ConfigurationError: A reader's key is none, or it is too much for one file.
    """
    cards = list(dict.fromkeys([key.card, *readers]))
    for card in cards:
        if not anyway:
            _check_named(document, card)
        keys.refuse_public_key(card.account, document.chain_id)
    if len(cards) > MAX_READERS:
        raise ConfigurationError(
            f"{len(cards)} readers are too many for one sealed file; at most {MAX_READERS}"
        )
    held = given or Signatures()
    inside: dict[str, Any] = {
        "version": VERSION,
        "sender": key.card.as_json(),
        "readers": [card.as_json() for card in cards],
        "document": dict(document.content),
        "documentHash": _hex(document.hash),
        "signatures": {role: _hex(one) for role in ROLES if (one := held.of(role))},
    }
    _check_readable(document, key.card)
    padded = sodium_pad(canonical(inside), BLOCK)
    sealed = canonical(
        {
            "format": FORMAT,
            "version": VERSION,
            "sender": _hex(key.card.x25519),
            "boxes": {
                _hex(card.x25519): base64.b64encode(_box(key, card, padded)).decode()
                for card in cards
            },
        }
    )
    if len(sealed) > MAX_BYTES:
        raise ConfigurationError(
            f"{document.path} for {len(cards)} readers makes a file of {len(sealed)} bytes; at most {MAX_BYTES}",
            hint="seal it for some of them, then for the others",
        )
    return sealed


def load(file: Path) -> bytes:
    """The bytes of a sealed file. Raises ConfigurationError."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 2)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    return raw


def unseal(raw: bytes, key: SealKey, target: Path, *, expected: Card | None = None) -> Unsealed:
    """What a sealed file holds for the owner of a key.

    :param target: Where the document is to be written; nothing is written here.
    :param expected: Who must have sealed it; by default a party of the document.
    :raises KeyUnavailable: It is not for this key, or not of the one who must have sealed it.
    :raises BrokenSeal: It is no sealed document, or not as its sender has sealed it.
    """
    sender, boxes = _outside(raw)
    own = _hex(key.card.x25519)
    if own not in boxes:
        raise KeyUnavailable(
            f"the document is not sealed for this key, {own} of {key.card.account}, but for {len(boxes)} others",
            hint="use the key whose card the sender has, or send the sender the card of this one",
        )
    try:
        padded = Box(key.secret, PublicKey(bytes.fromhex(sender[2:]))).decrypt(boxes[own])
        inside = _inside(sodium_unpad(padded, BLOCK))
        card = card_of(inside["sender"], "the sender's card")
        readers = tuple(card_of(one, "a reader's card") for one in inside["readers"])
    except CryptoError:
        raise BrokenSeal(
            f"the sealed document was altered, or the key that it names, {sender}, has not sealed it",
            hint=_AGAIN,
        ) from None
    except WrongCard as error:
        raise BrokenSeal(f"inside the sealed document {error.message}", hint=_AGAIN) from None
    if _hex(card.x25519) != sender:
        raise BrokenSeal(
            f"the document was sealed with the key {sender}, but brings the card of another, {_hex(card.x25519)} "
            f"of {card.account}",
            hint="somebody pretends to be that account: ask it for the file",
        )
    if {_hex(one.x25519) for one in readers} != set(boxes):
        named = ", ".join(one.account for one in readers)
        raise BrokenSeal(
            f"readers were added to the sealed document or removed from it: its sender has sealed it for {named}",
            hint=_AGAIN,
        )
    if expected and (expected.account, expected.x25519) != (card.account, card.x25519):
        raise KeyUnavailable(
            f"the document was sealed by {card.account} with {sender}, not by {expected.account} "
            f"with {_hex(expected.x25519)}",
            hint="ask the sender for the card of the key in use, if it has made a new one",
        )
    document, text = _document(inside, card, target)
    if expected is None and role_of(document, card.account) not in ROLES:
        raise KeyUnavailable(
            f"the document was sealed by {card.account}, which is no party of it: {_parties(document)}",
            hint="if you expect it from that account, say so: --from its card",
        )
    keys.refuse_public_key(card.account, document.chain_id)
    held = {role: bytes.fromhex(one[2:]) for role, one in inside["signatures"].items()}
    return Unsealed(document, text, card, readers, Signatures(**held))


def _check_named(document: Document, card: Card) -> None:
    if role_of(document, card.account) is None:
        raise KeyUnavailable(
            f"{card.account} is neither party nor reporter nor arbiter of {document.name}: {_parties(document)}",
            hint="--anyway seals the document from and for others, too",
        )


def _check_readable(document: Document, sender: Card) -> None:
    """That readers get this very document, before it is sent to them."""
    read, text = _read(dict(document.content), sender, document.path)
    if len(text.encode()) > yaml_lines.MAX_BYTES:
        raise ConfigurationError(
            f"{document.path} is larger than {yaml_lines.MAX_BYTES} bytes in one piece",
            hint="makegood sla resolve prints it so; leave out OpenSLO objects that nothing refers to",
        )
    if read.agreement_id != document.agreement_id:
        raise ConfigurationError(f"{document.path} does not make the same agreement in one piece")


def _box(key: SealKey, card: Card, content: bytes) -> bytes:
    try:
        return bytes(Box(key.secret, PublicKey(card.x25519)).encrypt(content))
    except CryptoError:
        raise ConfigurationError(
            f"{_hex(card.x25519)} in the card of {card.account} is no key that anything can be sealed for"
        ) from None


def _outside(raw: bytes) -> tuple[str, dict[str, bytes]]:
    """The sender's key and, by the reader's key, the boxes."""
    wrong = "this is no sealed document"
    raw = raw.strip(b"\r\n")
    if len(raw) > MAX_BYTES:
        raise BrokenSeal(f"{wrong}: it is larger than {MAX_BYTES} bytes")
    try:
        content = read_canonical(raw)
    except (ValueError, RecursionError):
        raise BrokenSeal(f"{wrong}, or cut short: it is not JSON", hint=_AGAIN) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BrokenSeal(f'{wrong}: format is not "{FORMAT}"')
    _check_version(content.get("version"))
    sender, boxes = content.get("sender"), content.get("boxes")
    if set(content) != {"format", "version", "sender", "boxes"} or not _is_key(sender):
        raise BrokenSeal(f"{wrong}: it must hold format, version, sender, boxes", hint=_AGAIN)
    if not isinstance(boxes, dict) or not 0 < len(boxes) <= MAX_READERS:
        raise BrokenSeal(f"{wrong}: it must have 1 to {MAX_READERS} boxes", hint=_AGAIN)
    decoded: dict[str, bytes] = {}
    for reader, box in boxes.items():
        try:
            decoded[reader] = base64.b64decode(box, validate=True)
        except (TypeError, ValueError):
            decoded[reader] = b""
        if not _is_key(reader) or base64.b64encode(decoded[reader]).decode() != box:
            raise BrokenSeal(f"{wrong}: a box is not base64, or not of a key", hint=_AGAIN)
    # One content, one file: no key twice, nothing that another reader of JSON would see otherwise.
    if canonical(content) != raw:
        raise BrokenSeal("the sealed document was altered: it is not canonical JSON", hint=_AGAIN)
    return str(sender), decoded


def _inside(raw: bytes) -> dict[str, Any]:
    """What a box holds. Its sender made it so, which need not be this program."""
    wrong = "what is sealed is no document"
    try:
        content = read_canonical(raw)
    except (ValueError, RecursionError):
        raise BrokenSeal(f"{wrong}: it is not JSON") from None
    if not isinstance(content, dict):
        raise BrokenSeal(f"{wrong}: it must be an object")
    _check_version(content.get("version"))
    if set(content) != _INSIDE:
        raise BrokenSeal(f"{wrong}: it must hold {', '.join(sorted(_INSIDE))}")
    if not isinstance(content["readers"], list) or len(content["readers"]) > MAX_READERS:
        raise BrokenSeal(f"{wrong}: readers must be at most {MAX_READERS} cards")
    given = content["signatures"]
    if not isinstance(given, dict) or not set(given) <= set(ROLES):
        raise BrokenSeal(f"{wrong}: signatures are of {' and '.join(ROLES)}")
    for role, text in given.items():
        if not isinstance(text, str) or not _HEX.fullmatch(text):
            raise BrokenSeal(f"{wrong}: the signature of the {role} is not in hexadecimal")
    if sum(map(len, given.values())) > signatures.MAX_BYTES:
        raise BrokenSeal(f"{wrong}: signatures have at most {signatures.MAX_BYTES} bytes")
    return content


def _check_version(version: object) -> None:
    if type(version) is not int or version != VERSION:
        shown = version if type(version) is int else "unknown"
        raise BrokenSeal(
            f"the document is sealed in another version of the format ({shown}); this program reads version {VERSION}",
            hint="use the release of makegood that sealed it, or a newer one",
        )


def _document(inside: dict[str, Any], sender: Card, target: Path) -> tuple[Document, str]:
    """The document and the text of its file; its hash is the one that stands inside, and follows from the text."""
    content = inside["document"]
    unfit = f"{sender.account} has sealed what no file of an SLA document can hold"
    try:
        computed = _hex(keccak(canonical(content)))
    except (ValueError, RecursionError):
        raise BrokenSeal(unfit) from None
    if computed != inside["documentHash"]:
        raise BrokenSeal(
            f"the sealed document has the hash {computed}, and another one stands with it",
            hint=f"do not sign it; {_AGAIN}",
        )
    try:
        document, text = _read(content, sender, target)
    except ConfigurationError as error:
        raise BrokenSeal(
            f"{sender.account} has sealed what is no valid SLA document:\n{error.message}",
            hint="ask the sender for one that `makegood sla validate` accepts",
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise BrokenSeal(unfit) from None
    if _hex(document.hash) != computed or len(text.encode()) > yaml_lines.MAX_BYTES:
        raise BrokenSeal(unfit)
    return document, text


def _read(content: dict[str, Any], sender: Card, file: Path) -> tuple[Document, str]:
    body = as_yaml(content)
    document = document_of(yaml_lines.parse(body, file), file, adapters=False)
    role = role_of(document, sender.account) or "not named in it"
    head = (
        f"# agreement id   {_hex(document.agreement_id)}\n"
        f"# document hash  {_hex(document.hash)}\n"
        f"# sealed by      {sender.account} ({role})\n\n"
    )
    return document, head + body


def _parties(document: Document) -> str:
    return ", ".join(f"{role} {signatures.party(document, role)}" for role in ROLES)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"
