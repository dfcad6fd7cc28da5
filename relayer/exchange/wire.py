"""A signed bundle as JSON, and the limits of what is taken from others.

::

    {"id": 7, "oracle": "0x..", "chainId": 1, "panel": "0x..", "reporter": 0, "address": "0x..", "evidence": "0x..",
     "signature": "0x..", "signedAt": 1790000000.5, "feeds": [["0x<feed id>", first, "0x<readings>"], ...]}

The signature covers chain, oracle, feeds and evidence. The rest (id, panel, reporter, address, time) only says where to look.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from eth_utils.address import to_checksum_address
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from relayer.protocol.feed import MAX_REPORTERS
from relayer.protocol.readings import READING_BYTES
from relayer.protocol.report import FeedReadings, SignedBundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from relayer.store.bundles import StoredBundle

MAX_BYTES: Final = 8 << 20
"""Longest answer that is read [bytes, uncompressed]. A signer keeps its bundles well below."""
MAX_FEEDS: Final = 20_000
MAX_READINGS: Final = (1 << 16) - 1
"""Most readings of one feed in a bundle."""
MAX_BUNDLES: Final = 1_000
"""Most bundles in one answer."""
_INTERVALS: Final = 1 << 32
_MOST_BYTES_PER_BRACKET: Final = 24
_TEXT = 200


def _bytes(least: int, most: int, unit: int = 1) -> Callable[[object], bytes]:
    expected = f"expected 0x and {2 * least}{'' if least == most else f' to {2 * most}'} lower-case hexadecimal digits"
    digits = re.compile(rf"0x((?:[0-9a-f]{{{2 * unit}}})*)")

    def read(value: object) -> bytes:
        match = digits.fullmatch(value) if isinstance(value, str) else None
        if match is None or not least <= len(match[1]) // 2 <= most:
            raise ValueError(expected)
        return bytes.fromhex(match[1])

    return read


def _address(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        return to_checksum_address(value)
    raise ValueError("expected an address of 40 hexadecimal digits")


def _feed(value: object) -> FeedReadings:
    match value:
        case [feed_id, int(first), readings] if not isinstance(first, bool):
            packed = _readings(readings)
            if not 0 <= first < _INTERVALS or first + len(packed) // READING_BYTES > _INTERVALS:
                raise ValueError("intervals are numbered from 0 to 4294967295")
            return FeedReadings(_bytes32(feed_id), first, packed)
    raise ValueError("expected [feed id, first interval, readings]")


_bytes32 = _bytes(32, 32)
_readings = _bytes(0, MAX_READINGS * READING_BYTES, READING_BYTES)

Bytes32 = Annotated[bytes, BeforeValidator(_bytes32)]
Signature = Annotated[bytes, BeforeValidator(_bytes(65, 65))]
Address = Annotated[str, BeforeValidator(_address)]
Feeds = Annotated[
    list[Annotated[FeedReadings, BeforeValidator(_feed)]],
    Field(min_length=1, max_length=MAX_FEEDS),
    AfterValidator(tuple),
]


class _Part(BaseModel):
    """Nothing is converted; fields that a later version may add are left out."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )


class Bundle(_Part):
    """A bundle as a peer shows it. Only what :func:`.verify.check` makes of it may be believed."""

    id: Annotated[int, Field(ge=1, lt=1 << 63)]
    oracle: Address
    chain_id: Annotated[int, Field(ge=1)]
    panel: Bytes32
    reporter: Annotated[int, Field(ge=0, lt=MAX_REPORTERS)]
    address: Address
    evidence: Bytes32
    signature: Signature
    feeds: Feeds

    def signed(self) -> SignedBundle:
        return SignedBundle(self.reporter, tuple(self.feeds), self.evidence, self.signature)


class Page(_Part):
    """An answer to ``GET /v1/bundles``.

    :param bundles: Each of them still to be read with :func:`read_bundle`: one that is garbage does not hide the others.
    :param next: What to ask after next.
    """

    bundles: Annotated[list[Any], Field(max_length=MAX_BUNDLES)]
    next: Annotated[int, Field(ge=0, lt=1 << 63)]


def read_page(body: bytes) -> Page:
    """What a peer has answered; raises ValueError, with a message fit for a log, if it is no such answer."""
    # Millions of empty lists fit into an answer that is not too long, and would take a hundred times its memory.
    if _MOST_BYTES_PER_BRACKET * (body.count(b"[") + body.count(b"{")) > len(body) + 1_000:
        raise ValueError("it is no list of bundles")
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise ValueError("it is no JSON") from None
    try:
        return Page.model_validate(value)
    except ValidationError as error:
        raise ValueError(_said(error)) from None


def read_bundle(value: Any) -> Bundle:
    """One bundle of a page; raises ValueError, with a message fit for a log, if it is none."""
    try:
        return Bundle.model_validate(value)
    except ValidationError as error:
        raise ValueError(_said(error)) from None


def show(bundle: StoredBundle, chain_id: int) -> dict[str, Any]:
    """A stored bundle for others to read."""
    signed = bundle.signed
    return {
        "id": bundle.id,
        "oracle": bundle.oracle,
        "chainId": chain_id,
        "panel": _hex(bundle.panel),
        "reporter": signed.reporter,
        "address": bundle.address,
        "evidence": _hex(signed.evidence),
        "signature": _hex(signed.signature),
        "signedAt": bundle.signed_at,
        "feeds": [[_hex(feed.feed_id), feed.first, _hex(feed.readings)] for feed in signed.feeds],
    }


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"[:_TEXT]
