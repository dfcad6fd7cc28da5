"""Codes of readings, and how the readings of one interval become one answer: the twin of ``ReadingAgreement.sol``.

A reading is a number of the feed's unit, 0 to 4,294,967,293, or one of two codes that are not numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.protocol.measurement import Measurement
    from relayer.protocol.scope import Scope

NO_DATA = 0xFFFF_FFFF
NOT_APPLICABLE = 0xFFFF_FFFE
MAX_VALUE = 0xFFFF_FFFD
READING_BYTES = 4


def pack_readings(codes: Sequence[int]) -> bytes:
    """Consecutive readings as they are signed: four bytes each, big endian."""
    return b"".join(code.to_bytes(READING_BYTES, "big") for code in codes)


def unpack_readings(packed: bytes) -> list[int]:
    """The inverse of :func:`pack_readings`; raises ValueError if the length is no multiple of four."""
    if len(packed) % READING_BYTES:
        raise ValueError(f"{len(packed)} bytes are not a whole number of readings")
    return [
        int.from_bytes(packed[i : i + READING_BYTES], "big")
        for i in range(0, len(packed), READING_BYTES)
    ]


def agree(
    codes: Sequence[int],
    *,
    reporters: int,
    quorum: int,
    tolerance: int,
    measurement: Measurement,
    scope: Scope | None = None,
) -> int | None:
    """The one answer of an interval (rule 3).

    :param codes: The readings presented, one per reporter heard, in any order.
    :param reporters: Size of the panel.
    :param scope: If given, values are clamped to its range first (rule 19).
    :returns: The judged value, :data:`NOT_APPLICABLE`, :data:`NO_DATA` for unknown, or None if too few agree and not all
        reporters were heard.
    """
    for kind in (NO_DATA, NOT_APPLICABLE):
        if codes.count(kind) >= quorum:
            return kind
    values = sorted(scope.clamp(code) if scope else code for code in codes if code <= MAX_VALUE)
    for side in (True, False):
        same = [value for value in values if measurement.is_good(value) == side]
        if (value := _lowest_agreement(same, quorum, tolerance)) is not None:
            return value
    if len(codes) < reporters:
        return None
    # All were heard. If only the threshold divides a quorum, the lower median of all values decides.
    if _lowest_agreement(values, quorum, tolerance) is not None:
        return values[(len(values) - 1) // 2]
    return NO_DATA


def _lowest_agreement(values: Sequence[int], quorum: int, tolerance: int) -> int | None:
    """Lower median of the lowest ``quorum`` values that differ by at most the tolerance."""
    for lowest in range(len(values) - quorum + 1):
        if values[lowest + quorum - 1] - values[lowest] <= tolerance:
            return values[lowest + (quorum - 1) // 2]
    return None
