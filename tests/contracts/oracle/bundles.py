"""Where readings of many feeds are signed and brought to the oracle together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak

from relayer.protocol import merkle
from relayer.protocol.readings import unpack_readings
from relayer.protocol.report import FeedReadings, SignedBundle, bundles_as_abi
from relayer.protocol.typed_data import root_message, sign
from tests import samples
from tests.contracts.oracle.desk import members, packed

if TYPE_CHECKING:
    from tests.contracts.oracle.desk import Desk


class Office:
    """Feeds of one panel, each with a desk of its own."""

    def __init__(self, *desks: Desk) -> None:
        self.desks = list(desks)
        self.oracle = desks[0].oracle
        self.panel = desks[0].feed.panel

    @property
    def feed_ids(self) -> list[bytes]:
        return [desk.feed.id for desk in self.desks]

    def part(self, index: int, readings: str | list[int] | bytes, first: int | None = None):
        """Readings of a feed, from its next interval on unless said otherwise."""
        desk = self.desks[index]
        first = desk.next if first is None else first
        return FeedReadings(desk.feed.id, first, packed(readings))

    def sign(
        self,
        reporter: int,
        *readings: str | list[int] | None,
        first: int | None = None,
        evidence: bytes = samples.NO_EVIDENCE,
        key=None,
    ) -> SignedBundle:
        """One signature under readings of all feeds; None leaves a feed out."""
        parts = [self.part(i, said, first) for i, said in enumerate(readings) if said is not None]
        return self.sign_parts(reporter, parts, evidence=evidence, key=key)

    def sign_parts(
        self, reporter: int, parts: list[FeedReadings], *, evidence=samples.NO_EVIDENCE, key=None
    ) -> SignedBundle:
        desk = self.desks[0]
        root = merkle.root([part.leaf for part in parts])
        key = key or desk.keys[self.panel.reporters[reporter]]
        signature = sign(key, root_message(desk.domain, root, evidence))
        return SignedBundle(reporter, tuple(parts), evidence, signature)

    def all_sign(self, *readings: str | list[int] | None, first: int | None = None):
        """The same readings by a quorum of reporters."""
        return [self.sign(i, *readings, first=first) for i in range(self.panel.quorum)]

    def arguments(self, bundles, desks: list[int] | None = None):
        """What `reportMany` takes."""
        desks = self.desks if desks is None else [self.desks[i] for i in desks]
        if bundles and isinstance(bundles[0], SignedBundle):
            bundles = bundles_as_abi([desk.feed.id for desk in desks], bundles)
        return self.panel.as_abi(), [desk.feed.as_panel_feed_abi() for desk in desks], bundles

    def wait(self, time: int) -> None:
        self.desks[0].wait(time)

    def settle(self, *signed: SignedBundle) -> None:
        """The next block comes when all that was signed has settled."""
        desks = {desk.feed.id: desk for desk in self.desks}
        ends = [
            desks[part.feed_id].settled(part.first + len(part.readings) // 4)
            for bundle in signed
            for part in bundle.feeds
            if part.feed_id in desks
        ]
        self.wait(max(ends))

    def send(self, bundles, desks: list[int] | None = None, sender: int = 5):
        """Sends bundles as they are given, for all feeds or the feeds of these desks."""
        inputs = self.arguments(bundles, desks)
        return self.desks[0].do(self.oracle.reportMany, *inputs, sender=sender)

    def report(self, *signed: SignedBundle, desks: list[int] | None = None):
        """Reports as soon as all of it has settled."""
        self.settle(*signed)
        return self.send(list(signed), desks)


@dataclass
class Judged:
    """The events of a report of many feeds."""

    feed_ids: list[bytes]
    values: list[tuple[int, list[int]]]  # of each feed: first interval, judged values
    heard: set[int]
    dissenters: set[int]
    refused: dict[bytes, bytes] = field(default_factory=dict)  # feed: selector of the error


def judged_many(tx) -> Judged:
    events = tx.events["JudgedMany"]
    values, string = [], bytes(events["values"])
    while len(string) > 1:  # brownie takes no bytes for one
        first, count = int.from_bytes(string[:4], "big"), int.from_bytes(string[4:6], "big")
        assert len(string) >= 6 + 4 * count
        values.append((first, unpack_readings(string[6 : 6 + 4 * count])))
        string = string[6 + 4 * count :]
    refusals = list(tx.events["NotJudged"]) if tx.events.count("NotJudged") else []
    assert len(tx.events) == 1 + len(refusals)
    return Judged(
        [bytes.fromhex(str(feed_id)[2:]) for feed_id in events["feedIds"]],
        values,
        members(events["heard"]),
        members(events["dissenters"]),
        {
            bytes.fromhex(str(e["feedId"])[2:]): bytes.fromhex(str(e["reason"])[2:])
            for e in refusals
        },
    )


def selector(error: str) -> bytes:
    """Of an error as it is declared, such as "Oracle_TooEarly(uint256,uint256)"."""
    return keccak(text=error)[:4]
