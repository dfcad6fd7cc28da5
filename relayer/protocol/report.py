"""Signed readings as the oracle takes them: the twin of ``Batch`` and ``Endorsement`` in ``IMonitoringOracle.sol``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relayer.protocol.readings import READING_BYTES
from relayer.protocol.typed_data import compact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relayer.protocol.feed import Panel


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """What one reporter signed: its readings of consecutive intervals.

    :param reporter: Index into the panel's reporters.
    :param first: Number of the first interval.
    :param readings: Packed readings, see :func:`.readings.pack_readings`.
    :param evidence: Hash of the raw answers behind them (32 bytes), or zeros.
    :param signature: 65 bytes (r, s, v).
    """

    reporter: int
    first: int
    readings: bytes
    evidence: bytes
    signature: bytes

    @property
    def end(self) -> int:
        """Number of the first interval after the batch."""
        return self.first + len(self.readings) // READING_BYTES


def batches_as_abi(signed: Iterable[SignedBatch]) -> list[tuple[Any, ...]]:
    """The ``Batch[]`` argument of ``report``: reporters with equal strings pass the string once (rule 14)."""
    grouped: dict[tuple[int, bytes], list[tuple[int, bytes, bytes, bytes]]] = {}
    for batch in signed:
        r, vs = compact(batch.signature)
        endorsement = (batch.reporter, batch.evidence, r, vs)
        grouped.setdefault((batch.first, batch.readings), []).append(endorsement)
    return [(first, readings, sorted(who)) for (first, readings), who in grouped.items()]


def reporter_index(panel: Panel, address: str) -> int | None:
    """The index of a reporter in its panel; None if it is none of them."""
    return next((i for i, reporter in enumerate(panel.reporters) if reporter == address), None)
