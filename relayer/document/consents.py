"""What both parties sign while an agreement runs: how it ends at once, and which spans are not judged.

It travels beside the document, as the signatures under it do. ``<its name>.ending.json``::

{"agreementId": "0x…", "chainId": 1, "escrow": "0x…",
 "ending": {"window": 1, "toProvider": "40.00", "validUntil": "2027-01-31T00:00:00Z"}, "signatures": {"provider": "0x…"}}

and ``<its name>.exclusions.json``::

{"agreementId": "0x…", "chainId": 1, "oracle": "0x…",
 "exclusions": [{"level": "api", "from": "2027-01-31T00:00:00Z", "to": "…", "signatures": {"provider": "0x…"}}]}
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relayer.document import quantities
from relayer.document.signatures import (
    MAX_BYTES,
    ROLES,
    OtherTerms,
    Role,
    Signatures,
    party,
    write_beside,
)
from relayer.errors import ConfigurationError
from relayer.protocol.tally import Exclusion
from relayer.protocol.terms import Termination
from relayer.protocol.typed_data import exclusion_message, recover, termination_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eth_account.messages import SignableMessage
    from eth_typing import ChecksumAddress

    from relayer.document.document import Document

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")
_UNSIGNED = Signatures()


@dataclass(frozen=True, slots=True)
class Ending:
    """How both end the agreement at once, and who has signed it."""

    termination: Termination
    signatures: Signatures = _UNSIGNED

    def message(self, document: Document) -> SignableMessage:
        return termination_message(document.domains.escrow, self.termination)

    def signed(self, role: Role, signature: bytes) -> Ending:
        return replace(self, signatures=_with(self.signatures, role, signature))


@dataclass(frozen=True, slots=True)
class ExcludedSpan:
    """A span of one level that is not to be judged, and who has signed it.

    :param level: Number of the level in the document.
    """

    level: int
    span: Exclusion
    signatures: Signatures = _UNSIGNED

    def message(self, document: Document) -> SignableMessage:
        feed_id = document.levels[self.level].feed.id
        return exclusion_message(document.domains.oracle, feed_id, self.span.first, self.span.end)

    def signed(self, role: Role, signature: bytes) -> ExcludedSpan:
        return replace(self, signatures=_with(self.signatures, role, signature))

    def is_same(self, other: ExcludedSpan) -> bool:
        """Whether the other is the same span, whoever has signed it."""
        mine, others = self.span, other.span
        return (self.level, mine.first, mine.end) == (other.level, others.first, others.end)


def fault(
    document: Document,
    consent: Ending | ExcludedSpan,
    role: Role,
    has_code: Callable[[ChecksumAddress], bool] = lambda _: False,
) -> str | None:
    """What is wrong with a party's signature; None if nothing is, or if the party is a contract that will judge itself."""
    signature, expected = consent.signatures.of(role), party(document, role)
    if signature is None:
        return f"the {role} has not signed"
    signer = recover(consent.message(document), signature)
    if signer == expected or has_code(expected):
        return None
    if signer is None:
        return f"what stands for the {role} is no signature that the contract accepts"
    return f"the {role}'s signature is not under this, or not of {expected}"


def ending_path(document: Document) -> Path:
    return document.path.with_name(f"{document.path.stem}.ending.json")


def load_ending(document: Document) -> Ending | None:
    """The ending beside a document; None if there is none.

    :raises OtherTerms: It is that of another agreement. :raises ConfigurationError: The file is wrong.
    """
    file = ending_path(document)
    content = _read(file, _ending_json(document, None))
    if content is None:
        return None
    written = content["ending"]
    with_fields = _mapping(written, file, "ending", ("window", "toProvider", "validUntil"))
    window = with_fields["window"]
    if not isinstance(window, int) or isinstance(window, bool) or not 0 <= window < 1 << 16:
        raise _wrong(file, "ending.window is no number of a window")
    try:
        to_provider = quantities.amount(with_fields["toProvider"], document.token_decimals)
        valid_until = quantities.time(with_fields["validUntil"])
    except ValueError as error:
        raise _wrong(file, f"ending: {error}") from None
    if to_provider >= 1 << 128:
        raise _wrong(file, "ending.toProvider is too large")
    termination = Termination(document.agreement_id, window, to_provider, valid_until)
    return Ending(termination, _signatures(content["signatures"], file))


def write_ending(document: Document, ending: Ending) -> None:
    """Keeps the ending beside its document, in the place of another one."""
    write_beside(ending_path(document), _ending_json(document, ending))


def exclusions_path(document: Document) -> Path:
    return document.path.with_name(f"{document.path.stem}.exclusions.json")


def load_exclusions(document: Document) -> list[ExcludedSpan]:
    """The spans beside a document, in the order in which they were signed first.

    :raises OtherTerms: They are those of another agreement. :raises ConfigurationError: The file is wrong.
    """
    file = exclusions_path(document)
    content = _read(file, _exclusions_json(document, ()))
    if content is None:
        return []
    spans = content["exclusions"]
    if not isinstance(spans, list):
        raise _wrong(file, "exclusions is no list")
    return [
        _span(document, entry, file, f"exclusions[{number}]") for number, entry in enumerate(spans)
    ]


def write_exclusions(document: Document, spans: Sequence[ExcludedSpan]) -> None:
    """Keeps these spans beside their document, and no others."""
    write_beside(exclusions_path(document), _exclusions_json(document, spans))


def span_of(document: Document, level: int, begin: int, end: int) -> Exclusion:
    """The intervals of a level from ``begin`` to ``end`` [s, UNIX time]. Raises ValueError if they are not whole ones."""
    measurement = document.levels[level].feed.measurement
    (first, before), (last, after) = (
        divmod(time - measurement.start, measurement.interval) for time in (begin, end)
    )
    if before or after:
        raise ValueError(
            f"a span is made of whole intervals of {quantities.show_duration(measurement.interval)}, "
            f"from {quantities.show_time(measurement.start)} on"
        )
    if not 0 <= first < last < 1 << 32:
        raise ValueError(
            f"a span ends after it begins, and begins at {quantities.show_time(measurement.start)} or later"
        )
    return Exclusion(first, last)


def _span(document: Document, entry: object, file: Path, where: str) -> ExcludedSpan:
    fields = _mapping(entry, file, where, ("level", "from", "to", "signatures"))
    names = [level.name for level in document.levels]
    if fields["level"] not in names:
        raise _wrong(file, f"{where}.level is none of {', '.join(names)}")
    level = names.index(fields["level"])
    try:
        span = span_of(
            document, level, quantities.time(fields["from"]), quantities.time(fields["to"])
        )
    except ValueError as error:
        raise _wrong(file, f"{where}: {error}") from None
    return ExcludedSpan(level, span, _signatures(fields["signatures"], file))


def _with(given: Signatures, role: Role, signature: bytes) -> Signatures:
    if role == "provider":
        return replace(given, provider=signature)
    return replace(given, consumer=signature)


def _ending_json(document: Document, ending: Ending | None) -> dict[str, Any]:
    agreed = ending.termination if ending else Termination(document.agreement_id, 0, 0, 0)
    return {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "chainId": document.chain_id,
        "escrow": document.domains.escrow.contract,
        "ending": {
            "window": agreed.window,
            "toProvider": document.amount(agreed.to_provider),
            "validUntil": quantities.show_time(agreed.valid_until),
        },
        "signatures": _hex(ending.signatures if ending else _UNSIGNED),
    }


def _exclusions_json(document: Document, spans: Sequence[ExcludedSpan]) -> dict[str, Any]:
    return {
        "agreementId": f"0x{document.agreement_id.hex()}",
        "chainId": document.chain_id,
        "oracle": document.domains.oracle.contract,
        "exclusions": [
            {
                "level": document.levels[each.level].name,
                "from": quantities.show_time(_time(document, each.level, each.span.first)),
                "to": quantities.show_time(_time(document, each.level, each.span.end)),
                "signatures": _hex(each.signatures),
            }
            for each in spans
        ],
    }


def _time(document: Document, level: int, interval: int) -> int:
    return document.levels[level].feed.measurement.start_of(interval)


def _hex(given: Signatures) -> dict[str, str]:
    return {role: f"0x{one.hex()}" for role in ROLES if (one := given.of(role))}


def _signatures(given: object, file: Path) -> Signatures:
    if not isinstance(given, dict) or not set(given) <= set(ROLES):
        raise _wrong(file, f"signatures are of {' and '.join(ROLES)}")
    for role, text in given.items():
        if not isinstance(text, str) or not _HEX.fullmatch(text):
            raise _wrong(file, f"that of the {role} is not in hexadecimal")
    return Signatures(**{role: bytes.fromhex(text[2:]) for role, text in given.items()})


def _mapping(value: object, file: Path, where: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise _wrong(file, f"{where} must hold {', '.join(names)}")
    return value


def _wrong(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{file} is not what was signed: {why}", hint="remove the file and sign again"
    )


def _read(file: Path, expected: dict[str, Any]) -> dict[str, Any] | None:
    """The content of a file that is about the same agreement as ``expected`` and has its fields; None if there is no file."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _wrong(file, f"it is larger than {MAX_BYTES} bytes")
    try:
        content = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise _wrong(file, "it is not JSON") from None
    found = _mapping(content, file, "it", tuple(expected))
    for key in ("agreementId", "chainId", "escrow", "oracle"):
        if key in expected and found[key] != expected[key]:
            raise OtherTerms(
                f"{file} belongs to another agreement: its {key} is {found[key]}, not {expected[key]}",
                hint="name the document that it was signed for, or remove the file and sign again",
            )
    return found
