"""From a peer's answer into the store: what is valid is compared with what is known, stored, and handed to the daemon."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import delete, select

from relayer.exchange import contradictions
from relayer.exchange.verify import PeerFault, check
from relayer.operations import metrics
from relayer.store import tables
from relayer.store.bundles import StoredBundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from relayer.exchange import wire
    from relayer.exchange.contradictions import Contradiction
    from relayer.exchange.verify import Key, KnownPanel
    from relayer.operations.alerts import Alerts
    from relayer.store import Store

log = structlog.get_logger(__name__)

KEPT: Final = 2_000
"""Bundles of one reporter in one panel that are kept at least, the newest. A later one begins at the chain's next interval
and goes farther, so the oldest are those that nobody needs."""
_TRIM_EVERY: Final = 100


class Intake:
    """What all peers' threads share.

    :param own: Checksum address of this reporter; None if it only listens.
    :ivar inbox: Bundles that are valid and new, for the daemon.
    :ivar contradictions: Proof against other reporters, once for each of a panel; at first what was found before a restart.
    """

    def __init__(
        self,
        store: Store,
        panels: Mapping[Key, KnownPanel],
        own: str | None,
        *,
        alerts: Alerts,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._panels = panels
        self._own = own
        self._alerts = alerts
        self._clock = clock
        self._lock = threading.Lock()
        self._contradicted: set[tuple[Key, str]] = set()
        self._saved: dict[tuple[Key, str], int] = {}
        self.inbox: queue.SimpleQueue[StoredBundle] = queue.SimpleQueue()
        self.contradictions: queue.SimpleQueue[Contradiction] = queue.SimpleQueue()
        for known in panels.values():
            for found in contradictions.remembered(store, known):
                self._contradicted.add((known.key, found.address))
                self.contradictions.put(found)

    def take(self, bundle: wire.Bundle, signed_by: str, chain_now: int) -> bool:
        """Check a bundle, and keep it if it is new.

        :param signed_by: Whose bundles were asked for.
        :param chain_now: The chain's time [s, UNIX time].
        :returns: Whether it was new.
        :raises PeerFault: It was not right to send it.
        """
        if bundle.address != signed_by:
            message = f"bundle {bundle.id} is one of {bundle.address}, which was not asked for"
            raise PeerFault("wrong_signer", message)
        signed = check(bundle, self._panels, chain_now)
        known = self._panels[bundle.oracle, bundle.panel]
        is_own = bundle.address == self._own
        if known.is_stale(signed, chain_now) or (is_own and not any(known.known_feeds(signed))):
            return False
        received = StoredBundle(
            None,
            bundle.oracle,
            bundle.panel,
            signed,
            bundle.address,
            known.audience,
            self._clock(),
        )
        # One at a time: two that contradict each other may come from two peers at once.
        with self._lock:
            self._compare(received, known)
            number = self._store.bundles.save(received)
            if number is None:
                return False
            if not is_own:
                self._trim(known.key, bundle.address)
        self.inbox.put(replace(received, id=number))
        if is_own:
            self._alerts.fire(
                "own_signature_unknown",
                bundle.address,
                "a peer has readings under our signature that our database does not know: another process uses our key,"
                " or the database was lost or restored; they were taken over",
            )
            raise PeerFault("own_signature", f"bundle {bundle.id} is signed by us, and was unknown")
        return True

    def _compare(self, received: StoredBundle, known: KnownPanel) -> None:
        address = received.address
        if (known.key, address) in self._contradicted:
            return
        found = contradictions.find(self._store, received, self._panels)
        if not found:
            return
        first = found[0]
        if address != self._own:
            contradictions.remember(self._store, first, known.key)
        self._contradicted.add((known.key, address))
        metrics.EQUIVOCATIONS.labels(address).inc()
        what = f"interval {first.interval} of feed 0x{first.feed.id.hex()}"
        if address == self._own:
            self._alerts.fire(
                "own_equivocation",
                address,
                f"our key has signed two answers for {what}: another process uses it, or the database was lost or restored;"
                " anyone may have it ignored by the oracle",
            )
        else:
            self._alerts.fire("equivocation", address, f"it has signed two answers for {what}")
            self.contradictions.put(first)
        log.warning(
            "two answers for one interval",
            action="equivocation_found",
            reporter=address,
            panel=f"0x{received.panel.hex()}",
            feed=f"0x{first.feed.id.hex()}",
            interval=first.interval,
        )

    def _trim(self, key: Key, address: str) -> None:
        """Forget the oldest bundles of a reporter that sends more than anyone needs."""
        saved = self._saved.get((key, address), 0)
        self._saved[key, address] = saved + 1
        if saved % _TRIM_EVERY:
            return
        b = tables.bundles.c
        theirs = (b.oracle == key[0]) & (b.panel == key[1]) & (b.address == address)
        newest = select(b.id).where(theirs).order_by(b.id.desc())
        with self._store.reading() as db:
            last = db.scalar(newest.offset(KEPT).limit(1))
        if last is None:
            return
        old = select(b.id).where(theirs, b.id <= last)
        with self._store.writing() as db:
            db.execute(delete(tables.bundle_feeds).where(tables.bundle_feeds.c.bundle.in_(old)))
            db.execute(delete(tables.bundles).where(theirs, b.id <= last))
