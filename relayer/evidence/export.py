"""Making a package: what a relayer's database holds of a feed's intervals, with the signatures that commit to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eth_hash.auto import keccak

from relayer.evidence.cipher import Unreadable
from relayer.evidence.package import Batch, Kept, Missing, Package
from relayer.protocol import merkle
from relayer.protocol.readings import unpack_readings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relayer.document import AgreedLevel, Document
    from relayer.protocol.report import FeedReadings
    from relayer.store import Store, StoredBundle
    from relayer.store.readings import KeptEvidence

_NOTHING: Final = bytes(32)
_NOT_STORED = "nothing is stored: it was never read here, or was forgotten after retentionDays"
_NOT_READ = "the monitoring service has not answered yet"
_OLD = "it was stored by an old version, which committed to no evidence"
_NO_TEXT = "its evidence is not text"
_NOT_SIGNED = (
    "no signature here commits to it: it was not signed, or readings that were signed with it are "
    "not stored any more"
)


def export(store: Store, document: Document, level: AgreedLevel, first: int, end: int) -> Package:
    """What can be shown of the intervals [first, end).

    Signatures of other reporters are handed over, too, if they commit to the very same evidence.
    """
    feed = level.feed
    rows = {row.interval: row for row in store.readings.evidence(feed.id, first, end)}
    oracle = document.domains.oracle.contract
    batches = [
        batch
        for bundle in store.bundles.within(oracle, feed.id, first, end)
        if bundle.panel == feed.panel.hash
        and (batch := _opened(store, bundle, feed.id)) is not None
    ]
    signed = {
        number
        for batch in batches
        for number in range(max(batch.first, first), min(batch.end, end))
        if number in rows and batch.code(number) == rows[number].code
    }
    readings: list[Kept] = []
    gaps: list[tuple[int, str]] = []
    for number in range(first, end):
        shown = _shown(rows.get(number), signed=number in signed)
        if isinstance(shown, Kept):
            readings.append(shown)
        else:
            gaps.append((number, shown))
    kept = {reading.interval for reading in readings}
    return Package(
        agreement=document.agreement_id,
        document=document.hash,
        chain_id=document.chain_id,
        oracle=oracle,
        level=level.name,
        feed=feed.id,
        private=level.private,
        first=first,
        end=end,
        readings=readings,
        batches=[batch for batch in batches if not kept.isdisjoint(range(batch.first, batch.end))],
        missing=_spans(gaps),
    )


def _shown(row: KeptEvidence | None, *, signed: bool) -> Kept | str:
    """The evidence of an interval, or why there is none."""
    if row is None or row.code is None:
        return _NOT_STORED if row is None else _NOT_READ
    if isinstance(row.evidence, Unreadable):
        return row.evidence.message
    if row.evidence is None or row.digest is None:
        return _OLD
    try:
        kept = Kept(interval=row.interval, evidence=row.evidence.decode())
    except UnicodeDecodeError:
        return _NO_TEXT
    return kept if signed else _NOT_SIGNED


def _opened(store: Store, bundle: StoredBundle, feed_id: bytes) -> Batch | None:
    """What a bundle says of the feed; None if what is stored is not what it commits to."""
    signed = bundle.signed
    index = [said.feed_id for said in signed.feeds].index(feed_id)
    known = store.readings.digests(signed.feeds)
    digests = [_digests(said, known) for said in signed.feeds]
    leaves = [keccak(each) for each in digests]
    if merkle.root(leaves) != signed.evidence:
        return None
    said = signed.feeds[index]
    return Batch(
        reporter=bundle.address,
        first=said.first,
        readings=said.readings,
        proof=merkle.proof(signed.leaves, index),
        evidence=signed.evidence,
        digests=digests[index],
        evidence_proof=merkle.proof(leaves, index),
        signature=signed.signature,
    )


def _digests(said: FeedReadings, known: dict[tuple[bytes, int], tuple[int, bytes | None]]) -> bytes:
    """What a reporter who knows these answers commits to: to zeros where it signed what it had not read itself."""
    found = []
    for number, signed in enumerate(unpack_readings(said.readings), said.first):
        code, digest = known.get((said.feed_id, number), (None, None))
        found.append(digest if digest is not None and code == signed else _NOTHING)
    return b"".join(found)


def _spans(gaps: Iterable[tuple[int, str]]) -> list[Missing]:
    spans: list[Missing] = []
    for number, reason in gaps:
        if spans and spans[-1].end == number and spans[-1].reason == reason:
            spans[-1] = Missing(first=spans[-1].first, end=number + 1, reason=reason)
        else:
            spans.append(Missing(first=number, end=number + 1, reason=reason))
    return spans
