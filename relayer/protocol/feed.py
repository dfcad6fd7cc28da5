"""Panels of reporters, feeds, and their ids: the twin of the structs in ``IMonitoringOracle.sol``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from relayer.protocol.scope import ALL, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eth_typing import ChecksumAddress

    from relayer.protocol.measurement import Measurement

MAX_REPORTERS = 31
NO_PARTIES = bytes(32)
_PANEL = "(address[],uint8,uint32,bytes32)"


def parties_hash(parties: Sequence[ChecksumAddress]) -> bytes:
    """What a panel holds of those who must all sign an exclusion (rule 20); zeros if there are none."""
    return keccak(encode(["address[]"], [list(parties)])) if parties else NO_PARTIES


@dataclass(frozen=True, slots=True)
class Panel:
    """Who measures, and how their readings combine.

    :param reporters: Keys that sign readings, strictly ascending as numbers.
    :param quorum: How many readings must agree.
    :param tolerance: Largest difference between two that agree [units of the feed].
    :param parties: :func:`parties_hash` of those who must all sign an exclusion (32 bytes).
    """

    reporters: tuple[ChecksumAddress, ...]
    quorum: int
    tolerance: int = 0
    parties: bytes = NO_PARTIES

    def problem(self) -> str | None:
        """Why the oracle would refuse this panel (rules 9 and 13); None if it would not."""
        count = len(self.reporters)
        if not 1 <= count <= MAX_REPORTERS:
            return f"a panel has 1 to {MAX_REPORTERS} reporters, not {count}"
        if count == 2:
            return "two reporters cannot outvote each other: a panel has one, or three and more"
        numbers = [int(reporter, 16) for reporter in self.reporters]
        if numbers != sorted(set(numbers)) or numbers[0] == 0:
            return "reporters must be distinct, and listed in ascending order"
        least, most = (1, 1) if count == 1 else (count // 2 + 1, count - 1)
        if not least <= self.quorum <= most:
            allowed = str(least) if least == most else f"{least} to {most}"
            return f"the quorum of {count} reporters must be {allowed}, not {self.quorum}"
        if not 0 <= self.tolerance < 1 << 32:
            return "the tolerance must lie between 0 and 4294967295"
        return None if len(self.parties) == 32 else "the parties are given by a hash of 32 bytes"

    def as_abi(self) -> tuple[list[ChecksumAddress], int, int, bytes]:
        return (list(self.reporters), self.quorum, self.tolerance, self.parties)

    @property
    def hash(self) -> bytes:
        return keccak(encode([_PANEL], [self.as_abi()]))


@dataclass(frozen=True, slots=True)
class Feed:
    """An agreed service-level indicator.

    :param descriptor: Salted commitment to what is measured (32 bytes).
    :param scope: Hours that are not judged, and the range of values.
    """

    panel: Panel
    measurement: Measurement
    descriptor: bytes
    scope: Scope = ALL

    def as_abi(self) -> tuple[tuple[list[ChecksumAddress], int, int, bytes], int, int, bytes]:
        return (self.panel.as_abi(), *self.as_panel_feed_abi())

    def as_panel_feed_abi(self) -> tuple[int, int, bytes]:
        """The feed without its panel, which ``reportMany`` takes once for all of its feeds (``PanelFeed``)."""
        return _words(self)

    @property
    def ref(self) -> FeedRef:
        return FeedRef(self.panel.hash, self.measurement, self.descriptor, self.scope)

    @property
    def id(self) -> bytes:
        return self.ref.id


@dataclass(frozen=True, slots=True)
class FeedRef:
    """A feed as agreements name it: the panel only by its hash (32 bytes)."""

    panel: bytes
    measurement: Measurement
    descriptor: bytes
    scope: Scope = ALL

    def as_abi(self) -> tuple[bytes, int, int, bytes]:
        return (self.panel, *_words(self))

    @property
    def id(self) -> bytes:
        """keccak256 of the four words: a feed certifies itself."""
        return keccak(encode(["bytes32", "uint256", "uint256", "bytes32"], self.as_abi()))


def _words(feed: Feed | FeedRef) -> tuple[int, int, bytes]:
    """Measurement, scope and descriptor; raises ValueError if no oracle takes them."""
    measurement = feed.measurement.pack()
    if problem := feed.scope.problem(feed.measurement):
        raise ValueError(problem)
    return (measurement, feed.scope.pack(), feed.descriptor)
