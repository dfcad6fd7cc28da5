"""The file in which evidence is handed over: one feed, some of its intervals, and what a reporter signed of them.

Canonical JSON (RFC 8785), so the same evidence makes the same file::

    {"format": "makegood/evidence/v1",
     "agreement": "0x…", "document": "0x…", "chainId": 1, "oracle": "0x…", "level": "availability", "feed": "0x…",
     "private": false, "first": 0, "end": 60,
     "readings": [{"interval": 0, "evidence": "<canonical JSON>"}],
     "batches": [{"reporter": "0x…", "first": 0, "readings": "0x…", "proof": ["0x…"], "evidence": "0x…",
                  "digests": "0x…", "evidenceProof": ["0x…"], "signature": "0x…"}],
     "missing": [{"first": 7, "end": 9, "reason": "…"}]}

What is needed besides is the SLA document, which has the salt, and the chain. Nothing in the file is believed: see
:mod:`relayer.evidence.verify`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from oracles import canonical
from relayer.errors import ChecksFailed, MakegoodError
from relayer.exchange.wire import Address
from relayer.protocol.readings import READING_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = "makegood/evidence/v1"
MAX_BYTES: Final = 64 << 20
"""Longest file that is written and read [bytes]: a month of minutes with more than 1 KiB of evidence each. To check a file
takes ten times its size in memory; who has more hands it over in parts."""
DIGEST_BYTES: Final = 32
_MAX_PROOF: Final = 32
_SIGNATURE_BYTES: Final = 65
_INTERVALS: Final = 1 << 32
_TEXT: Final = 300
_NAME: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""Names of service levels, as documents have them."""


def _hex(unit: int, least: int = 1, most: int | None = None) -> Callable[[object], bytes]:
    """Reads bytes in multiples of ``unit``, as many of them as allowed."""

    def read(value: object) -> bytes:
        if isinstance(value, bytes):  # made here
            return value
        if isinstance(value, str) and re.fullmatch(r"0x(?:[0-9a-f]{2})*", value):
            count, rest = divmod(len(value) // 2 - 1, unit)
            if not rest and least <= count and (most is None or count <= most):
                return bytes.fromhex(value[2:])
        size = f"{unit} bytes" if most == 1 else f"a multiple of {unit} bytes"
        raise ValueError(f"expected 0x and {size} in lower-case hexadecimal digits")

    return read


def _level_name(text: str) -> str:
    if re.fullmatch(_NAME, text):
        return text
    raise ValueError("expected a name of up to 63 lower-case letters, digits and inner hyphens")


def _one_line(text: str) -> str:
    if len(text) <= _TEXT and text.isprintable():
        return text
    raise ValueError(f"expected one line of up to {_TEXT} printable characters")


_as_hex = PlainSerializer(lambda value: f"0x{value.hex()}")
_Bytes32 = Annotated[bytes, BeforeValidator(_hex(32, most=1)), _as_hex]
_Signature = Annotated[bytes, BeforeValidator(_hex(_SIGNATURE_BYTES, most=1)), _as_hex]
_Readings = Annotated[bytes, BeforeValidator(_hex(READING_BYTES)), _as_hex]
_Digests = Annotated[bytes, BeforeValidator(_hex(DIGEST_BYTES)), _as_hex]
_Proof = Annotated[list[_Bytes32], Field(max_length=_MAX_PROOF)]
_Reason = Annotated[str, AfterValidator(_one_line)]
_Number = Annotated[int, Field(ge=0, lt=_INTERVALS)]


class _Part(BaseModel):
    """Nothing is converted, and nothing may be added."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class Kept(_Part):
    """The raw answer behind the reading of an interval, as canonical JSON."""

    interval: _Number
    evidence: str


class Batch(_Part):
    """A reporter's signature, as much of it as concerns the feed.

    :param reporter: Account of the reporter.
    :param first: Number of the first interval.
    :param readings: Four bytes for each interval from there on.
    :param proof: From the feed's leaf to the signed root; empty if the feed was signed alone.
    :param evidence: What was signed beside the root: the root of a second tree, over the feeds' evidence.
    :param digests: keccak256(salt ‖ evidence) of each interval, 32 bytes each. Their hash is the feed's leaf in that tree.
    :param evidence_proof: From that leaf to ``evidence``.
    :param signature: 65 bytes (r, s, v).
    """

    reporter: Address
    first: _Number
    readings: _Readings
    proof: _Proof
    evidence: _Bytes32
    digests: _Digests
    evidence_proof: _Proof
    signature: _Signature

    @property
    def end(self) -> int:
        """Number of the first interval after the batch."""
        return self.first + len(self.readings) // READING_BYTES

    def covers(self, interval: int) -> bool:
        return self.first <= interval < self.end

    def code(self, interval: int) -> int:
        """The signed reading of an interval that the batch covers."""
        at = (interval - self.first) * READING_BYTES
        return int.from_bytes(self.readings[at : at + READING_BYTES], "big")

    def digest(self, interval: int) -> bytes:
        """What was committed to for an interval; empty if there is nothing."""
        at = (interval - self.first) * DIGEST_BYTES
        return self.digests[at : at + DIGEST_BYTES]


class Missing(_Part):
    """Intervals [first, end) of which nothing can be shown, and why."""

    first: _Number
    end: _Number
    reason: _Reason


class Package(_Part):
    """What is handed over. Intervals [first, end) were asked for: each is in ``readings`` or in ``missing``.

    :param agreement: The digest that both parties signed.
    :param document: Hash of the SLA document.
    :param level: Name of the service level in the document.
    :param private: Whether only reporters and parties are meant to see it.
    """

    format: Literal["makegood/evidence/v1"] = FORMAT
    agreement: _Bytes32
    document: _Bytes32
    chain_id: Annotated[int, Field(ge=1)]
    oracle: Address
    level: Annotated[str, AfterValidator(_level_name)]
    feed: _Bytes32
    private: bool
    first: _Number
    end: _Number
    readings: list[Kept]
    batches: list[Batch]
    missing: list[Missing]

    @model_validator(mode="after")
    def _says_each_interval_once(self) -> Package:
        said = [kept.interval for kept in self.readings]
        if said != sorted(set(said)) or not all(self.first <= n < self.end for n in said):
            raise ValueError("readings must be those of the file's intervals, ascending, each once")
        return self

    def dump(self) -> bytes:
        """The file. Raises MakegoodError if it is larger than :data:`MAX_BYTES`: nobody would read it."""
        content = canonical(self.model_dump(mode="json", by_alias=True)) + b"\n"
        if len(content) > MAX_BYTES:
            raise MakegoodError(
                f"the evidence of intervals {self.first} to {self.end - 1} has {len(content) >> 20} MiB, and a file has at most "
                f"{MAX_BYTES >> 20}",
                hint="hand it over in parts: --from T --to T",
            )
        return content


def read(content: bytes, name: str) -> Package:
    """What a file says.

    :param name: The file's, for messages.
    :raises ChecksFailed: It is no such file, or was damaged.
    """
    try:
        value = from_json(content, allow_inf_nan=False)
    except ValueError:
        raise ChecksFailed(f"{name} is no JSON: it was cut off, or is another file") from None
    found: Any = value.get("format") if isinstance(value, dict) else None
    if found != FORMAT:
        was = f"its format is {str(found)[:40]!r}" if found else "it does not say its format"
        raise ChecksFailed(
            f"{name} is no evidence of a format that is known here: {was}; known is {FORMAT!r}",
            hint="`makegood evidence export` makes such files; a newer makegood may know more formats",
        )
    try:
        return Package.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = f"{place}: {first['msg']}" if place else str(first["msg"])
        raise ChecksFailed(f"{name} was altered: {said[:_TEXT]}") from None
