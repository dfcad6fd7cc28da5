"""What reporters signed: this one and its peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from sqlalchemy import and_, insert, or_, select, text

from relayer.protocol.readings import READING_BYTES
from relayer.protocol.report import FeedReadings, SignedBundle
from relayer.store import tables
from relayer.store.database import insert_new, is_postgresql, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ColumnElement, Row, Select

    from relayer.store import Store

_B = tables.bundles.c
_F = tables.bundle_feeds.c
_HEAD_BYTES = 32 + 4 + 2


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A signed bundle, and who may read it.

    :param id: Ascending in the order of storing; None before it is stored.
    :param oracle: Checksum address of the oracle contract.
    :param panel: Hash of the panel (32 bytes).
    :param address: Checksum address of the reporter who signed it.
    :param audience: Checksum addresses that may read it; None: anyone.
    :param signed_at: When this relayer signed or received it [s, UNIX time].
    """

    id: int | None
    oracle: str
    panel: bytes
    signed: SignedBundle
    address: str
    audience: frozenset[str] | None
    signed_at: float

    @property
    def digest(self) -> bytes:
        """What makes it the same as another one, whatever its signature looks like (32 bytes)."""
        return keccak(
            bytes.fromhex(self.oracle.removeprefix("0x"))
            + self.panel
            + self.signed.reporter.to_bytes(1, "big")
            + self.signed.root
            + self.signed.evidence
        )


class Bundles:
    """Signed bundles. Each is stored once, and never changes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, bundle: StoredBundle) -> int | None:
        """Keep a bundle.

        :returns: Its id; None if it was known already.
        :raises ValueError: It holds a feed twice.
        """
        feeds = bundle.signed.feeds
        if len({feed.feed_id for feed in feeds}) != len(feeds):
            raise ValueError("a bundle holds each feed once")
        row = {
            "oracle": bundle.oracle,
            "panel": bundle.panel,
            "reporter": bundle.signed.reporter,
            "address": bundle.address,
            "audience": None if bundle.audience is None else ",".join(sorted(bundle.audience)),
            "leaves": b"".join(feed.feed_id + feed.pack() for feed in feeds),
            "evidence": bundle.signed.evidence,
            "signature": bundle.signed.signature,
            "digest": bundle.digest,
            "signed_at": bundle.signed_at,
        }
        with self._store.writing() as db:
            if is_postgresql(db):
                # Numbers must appear in their order: whoever follows `after` would never see one that comes late.
                db.execute(text("LOCK TABLE bundles IN SHARE ROW EXCLUSIVE MODE"))
            statement = insert_new(db, tables.bundles).values(row).returning(_B.id)
            number: int | None = db.execute(statement).scalar_one_or_none()
            if number is not None:
                db.execute(
                    insert(tables.bundle_feeds),
                    [
                        {
                            "bundle": number,
                            "feed": feed.feed_id,
                            "first": feed.first,
                            "end": feed.first + len(feed.readings) // READING_BYTES,
                        }
                        for feed in feeds
                    ],
                )
        return number

    def after(
        self, number: int, *, limit: int, reader: str | None, address: str | None = None
    ) -> list[StoredBundle]:
        """Bundles with a greater id than ``number``, ascending, at most ``limit``.

        :param reader: Who asks: only what that address signed or may read; None: only what anyone may.
        :param address: Only those that this address signed.
        """
        allowed: ColumnElement[bool] = _B.audience.is_(None)
        if reader is not None:
            listed = "," + _B.audience + ","
            name = to_checksum_address(reader)
            allowed = or_(allowed, listed.contains(f",{name},"), _B.address == name)
        query = select(tables.bundles).where(_B.id > number, allowed).order_by(_B.id).limit(limit)
        if address is not None:
            query = query.where(_B.address == address)
        return self._found(query)

    def containing(self, feed: bytes, interval: int, reporter: int) -> list[StoredBundle]:
        """All that a reporter of the feed's panel signed about an interval. More than one: it may have contradicted itself."""
        query = _covering(feed, interval).where(_B.reporter == reporter).order_by(_B.id)
        return self._found(query)

    def within(self, oracle: str, feed: bytes, first: int, end: int) -> list[StoredBundle]:
        """All that hold one of the intervals [first, end) of a feed, of whichever reporter; in the order of storing."""
        query = (
            select(tables.bundles)
            .join(tables.bundle_feeds, _F.bundle == _B.id)
            .where(_F.feed == feed, _F.end > first, _F.first < end, _B.oracle == oracle)
            .order_by(_B.id)
        )
        return self._found(query)

    def newest(self, feed: bytes, following: int) -> list[StoredBundle]:
        """All that hold interval ``following`` of a feed, of whichever reporter; the newest first."""
        return self._found(_covering(feed, following).order_by(_B.id.desc()))

    def newest_of(self, following: Mapping[bytes, int]) -> list[StoredBundle]:
        """As :meth:`newest`, of many feeds at once: all that hold the interval of at least one feed; newest first."""
        with self._store.reading() as db:
            wanted = joined(db, following.items())
            covering = (
                select(_F.bundle)
                .select_from(wanted)
                .join(
                    tables.bundle_feeds,
                    and_(
                        _F.feed == wanted.c.feed,
                        _F.end > wanted.c.number,
                    ),
                )
            )
            query = select(tables.bundles).where(_B.id.in_(covering)).order_by(_B.id.desc())
            return [_bundle(row) for row in db.execute(query)]

    def _found(self, query: Select[Any]) -> list[StoredBundle]:
        with self._store.reading() as db:
            return [_bundle(row) for row in db.execute(query)]


def _covering(feed: bytes, interval: int) -> Select[Any]:
    return (
        select(tables.bundles)
        .join(tables.bundle_feeds, _F.bundle == _B.id)
        .where(_F.feed == feed, _F.end > interval, _F.first <= interval)
    )


def _bundle(row: Row[Any]) -> StoredBundle:
    signed = SignedBundle(row.reporter, tuple(_feeds(row.leaves)), row.evidence, row.signature)
    audience = None if row.audience is None else frozenset(filter(None, row.audience.split(",")))
    return StoredBundle(row.id, row.oracle, row.panel, signed, row.address, audience, row.signed_at)


def _feeds(leaves: bytes) -> Iterator[FeedReadings]:
    start = 0
    while start < len(leaves):
        body = start + _HEAD_BYTES
        first = int.from_bytes(leaves[start + 32 : start + 36], "big")
        end = body + int.from_bytes(leaves[start + 36 : body], "big") * READING_BYTES
        yield FeedReadings(leaves[start : start + 32], first, leaves[body:end])
        start = end
