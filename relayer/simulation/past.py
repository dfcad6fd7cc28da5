"""The readings of a level, as they would have reached the oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relayer.errors import ConfigurationError
from relayer.protocol.readings import agree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relayer.protocol.feed import Panel
    from relayer.protocol.measurement import Measurement
    from relayer.protocol.scope import Scope


@dataclass(frozen=True, slots=True)
class Past:
    """Agreed answers of consecutive intervals.

    :param first: Number of the interval that ``codes[0]`` answers.
    :param codes: Codes of readings; None where reporters were silent or did not agree, so that the interval is recorded as unknown
        at its deadline.
    """

    first: int
    codes: Sequence[int | None]

    @property
    def end(self) -> int:
        """Number of the first interval of which nothing is known yet."""
        return self.first + len(self.codes)


@dataclass(frozen=True, slots=True)
class Reader:
    """What one reporter read.

    :param name: Where it is from, for messages: a file, a monitoring service.
    :param times: Within the intervals [s, UNIX time], in any order.
    :param codes: The codes of the readings, one for each time.
    """

    name: str
    times: Sequence[int]
    codes: Sequence[int]


def agreed_past(
    readers: Sequence[Reader], panel: Panel, measurement: Measurement, scope: Scope, *, first: int
) -> Past:
    """What the panel would have agreed on, from interval ``first`` on to the last one that anybody read.

    One reader stands for the whole panel. Of several each is one reporter; reporters without a reader are silent.

    :raises ConfigurationError: More readers than reporters, or two readings of one reader for one interval.
    """
    if len(readers) > len(panel.reporters):
        raise ConfigurationError(
            f"{len(readers)} sets of readings were given, but the level has {len(panel.reporters)} reporter(s)",
            hint="give one set for each reporter, or a single one for what they agreed on",
        )
    numbered = [_numbered(reader, measurement) for reader in readers]
    end = max((max(known, default=-1) + 1 for known in numbered), default=0)
    span = range(first, max(first, end))
    if len(numbered) == 1:
        return Past(first, [numbered[0].get(number) for number in span])
    return Past(first, _combined(numbered, span, panel, measurement, scope))


def _numbered(reader: Reader, measurement: Measurement) -> dict[int, int]:
    """Codes by the interval's number; what lies before the feed is left out."""
    start, length = measurement.start, measurement.interval
    known: dict[int, int] = {}
    for time, code in zip(reader.times, reader.codes, strict=True):
        number = (time - start) // length
        if number in known:
            raise ConfigurationError(
                f"{reader.name} has two readings for the interval of {length} s that begins at "
                f"{measurement.start_of(number)}",
                hint="combine them first: one reading an interval",
            )
        if number >= 0:
            known[number] = code
    return known


def _combined(
    numbered: Sequence[Mapping[int, int]],
    span: range,
    panel: Panel,
    measurement: Measurement,
    scope: Scope,
) -> list[int | None]:
    """Rule 3, once for each different set of answers: most intervals are like others."""
    seen: dict[tuple[int, ...], int | None] = {}
    combined = []
    for number in span:
        said = tuple(known[number] for known in numbered if number in known)
        if said not in seen:
            seen[said] = agree(
                said,
                reporters=len(panel.reporters),
                quorum=panel.quorum,
                tolerance=panel.tolerance,
                measurement=measurement,
                scope=scope,
            )
        combined.append(seen[said])
    return combined
