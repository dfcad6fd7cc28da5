"""What one reporter signed twice, differently: proof of equivocation, which anyone may show to the oracle (rule 17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from sqlalchemy import select

from relayer.protocol.readings import READING_BYTES
from relayer.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from relayer.exchange.verify import Key, KnownPanel
    from relayer.protocol.feed import Feed
    from relayer.protocol.report import FeedReadings, SignedBundle
    from relayer.store import Store
    from relayer.store.bundles import StoredBundle

_Spans: TypeAlias = "list[tuple[int, int]]"
"""Disjoint spans of intervals [first, end)."""

_LOOKUP_FEEDS: Final = 400


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two readings of one interval under one reporter's signatures, as ``proveEquivocation`` takes them.

    :param address: The reporter's account.
    :param reporter: Its index into the feed's panel.
    :param one: What it signed first, as far as we know.
    """

    feed: Feed
    reporter: int
    address: str
    interval: int
    one: SignedBundle
    other: SignedBundle


def find(
    store: Store, bundle: StoredBundle, panels: Mapping[Key, KnownPanel]
) -> list[Contradiction]:
    """Where a bundle says something else than the stored ones of the same reporter, the first interval of each feed.

    Those stored agree among themselves, or the first that did not has been found. So each interval is compared once: with
    the newest bundle that holds it, which is nearly always the reporter's last one, of which this is a continuation.
    """
    known = panels[bundle.oracle, bundle.panel]
    said = {part.feed_id: part for _, part in known.known_feeds(bundle.signed) if part.readings}
    left: dict[bytes, _Spans] = {
        feed_id: [(part.first, _end(part))] for feed_id, part in said.items()
    }
    begun = False
    while left:
        # Of one feed first: what the reporter signed last is the same for all of them, and one feed has few rows.
        one = min(left)
        stored = None if begun else _next(store, bundle, {one: left[one]})
        stored = stored or _next(store, bundle, left)
        begun = True
        if stored is None:
            break
        found = []
        for part in stored.signed.feeds:
            if part.feed_id not in left:
                continue
            interval = _differ(said[part.feed_id], part)
            if interval is not None:
                feed = known.feeds[part.feed_id]
                found.append(
                    Contradiction(
                        feed,
                        bundle.signed.reporter,
                        bundle.address,
                        interval,
                        stored.signed,
                        bundle.signed,
                    )
                )
            left[part.feed_id] = _without(left[part.feed_id], part.first, _end(part))
            if not left[part.feed_id]:
                del left[part.feed_id]
        if found:
            return found
    return []


def remember(store: Store, found: Contradiction, key: Key) -> None:
    """So that it is proven even if the process ends before: it is found once only, when the second answer comes.

    :param key: The panel.
    """
    store.set_meta(_noted(key, found.address), f"{found.feed.id.hex()} {found.interval}")


def remembered(store: Store, known: KnownPanel) -> Iterator[Contradiction]:
    """What was remembered of reporters of a panel, as far as both answers are stored still."""
    for reporter, address in enumerate(known.panel.reporters):
        noted = store.meta(_noted(known.key, address))
        if noted is None:
            continue
        feed_id, _, interval = noted.partition(" ")
        feed, number = known.feeds.get(bytes.fromhex(feed_id)), int(interval)
        if feed is None:
            continue
        answers: dict[bytes, SignedBundle] = {}
        for bundle in store.bundles.containing(feed.id, number, reporter):
            if (bundle.oracle, bundle.panel) == known.key:
                [part] = [part for part in bundle.signed.feeds if part.feed_id == feed.id]
                at = (number - part.first) * READING_BYTES
                answers.setdefault(part.readings[at : at + READING_BYTES], bundle.signed)
        if len(answers) > 1:
            one, other, *_ = answers.values()
            yield Contradiction(feed, reporter, address, number, one, other)


def _noted(key: Key, address: str) -> str:
    oracle, panel = key
    return f"equivocation {oracle} {panel.hex()} {address}"


def _next(store: Store, bundle: StoredBundle, left: Mapping[bytes, _Spans]) -> StoredBundle | None:
    """The newest stored bundle of the same reporter that holds some of these intervals."""
    b, f = tables.bundles.c, tables.bundle_feeds.c
    same_reporter = (
        (b.oracle == bundle.oracle) & (b.panel == bundle.panel) & (b.address == bundle.address)
    )
    feeds = sorted(left, key=lambda feed_id: left[feed_id][0])
    newest: int | None = None
    with store.reading() as db:
        for start in range(0, len(feeds), _LOOKUP_FEEDS):
            some = feeds[start : start + _LOOKUP_FEEDS]
            query = (
                select(f.bundle, f.feed, f.first, f.end)
                .join(tables.bundles, b.id == f.bundle)
                .where(f.feed.in_(some), f.end > min(left[feed_id][0][0] for feed_id in some))
                .where(f.first < max(left[feed_id][-1][1] for feed_id in some), same_reporter)
            )
            for row in db.execute(query):
                if _overlap(left[row.feed], row.first, row.end):
                    newest = max(newest or 0, row.bundle)
    if newest is None:
        return None
    # Who signed it may read it: an audience has all reporters of its panel.
    stored = store.bundles.after(newest - 1, limit=1, reader=bundle.address, address=bundle.address)
    return stored[0] if stored and stored[0].id == newest else None


def _end(part: FeedReadings) -> int:
    return part.first + len(part.readings) // READING_BYTES


def _differ(one: FeedReadings, other: FeedReadings) -> int | None:
    """The first interval on which two say different things; None if there is none."""
    first, end = max(one.first, other.first), min(_end(one), _end(other))
    if first >= end:
        return None
    a, b = (
        part.readings[(first - part.first) * READING_BYTES : (end - part.first) * READING_BYTES]
        for part in (one, other)
    )
    if a == b:
        return None
    return first + next(i for i in range(len(a)) if a[i] != b[i]) // READING_BYTES


def _overlap(spans: _Spans, first: int, end: int) -> bool:
    return any(low < end and first < high for low, high in spans)


def _without(spans: _Spans, first: int, end: int) -> _Spans:
    """What is left of spans without [first, end)."""
    rest = []
    for low, high in spans:
        rest += [(low, min(high, first))] if low < first else []
        rest += [(max(low, end), high)] if end < high else []
    return rest
