"""A thread for each peer that pulls what the peer signed. One that hangs, lies or floods delays no other."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from relayer.errors import MakegoodError
from relayer.exchange import wire
from relayer.exchange.client import Client
from relayer.exchange.intake import Intake
from relayer.exchange.verify import PeerFault
from relayer.operations import metrics
from relayer.redaction import redacted_url

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable, Iterator, Mapping

    from eth_account.signers.base import BaseAccount

    from relayer.exchange.contradictions import Contradiction
    from relayer.exchange.verify import Key, Kind, KnownPanel
    from relayer.operations.alerts import Alerts
    from relayer.store import Store
    from relayer.store.bundles import StoredBundle

log = structlog.get_logger(__name__)

BUNDLES_PER_MINUTE: Final = 1_200
BYTES_PER_MINUTE: Final = 32 << 20
DOWN_SECONDS: Final = 600
MISBEHAVIOUR_SECONDS: Final = 3_600
"""How long a peer has to behave until it is forgotten that it did not [s]."""
MAX_REST: Final = 300.0
"""Longest pause after faults [s]."""

_PAGES: Final = 16
_SET_ASIDE: Final = 32
_WAITING: Final = 32
_REREAD: Final = 64
_ASIDE_BYTES: Final = 16 << 20
_FLOODS: Final = 20
_FLOOD_REST: Final = 60.0
_SOON: Final = 900

_NOT_THERE: Final[frozenset[Kind]] = frozenset({"unreachable", "status", "refused"})
_NO_FAULT: Final[frozenset[Kind]] = frozenset({"unknown_panel", "own_signature"})
"""Reporters sit in panels that we have nothing to do with, and are right to show us what we lost."""


class Peers:
    """The other reporters.

    :param peers: Where each is reached, by its checksum address.
    :param panels: Those that are listened to. It may change while this runs: each visit looks anew.
    :param signer: This reporter's key, which shows peers that we may read bundles with private feeds; None: only public ones
        are read, and nothing is found out about our own.
    :param chain_now: The chain's time [s, UNIX time].
    :param pull_seconds: Pause between two visits to a peer.
    :param clock: The time [s, UNIX time].
    :param monotonic: A clock for spans of time [s].
    :ivar inbox: Valid bundles that were not known, stored already. Take them out: when many wait, nothing more is pulled.
    :ivar contradictions: Proof against a reporter, once for each panel.
    """

    def __init__(
        self,
        peers: Mapping[str, str],
        *,
        store: Store,
        panels: Mapping[Key, KnownPanel],
        signer: BaseAccount | None,
        alerts: Alerts,
        chain_now: Callable[[], int],
        pull_seconds: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        own = signer.address if signer is not None else None
        intake = Intake(store, panels, own, alerts=alerts, clock=clock)
        self.inbox: queue.SimpleQueue[StoredBundle] = intake.inbox
        self.contradictions: queue.SimpleQueue[Contradiction] = intake.contradictions
        self.each = [
            Peer(
                address,
                url,
                own=own,
                client=Client(address, url, signer=signer, clock=clock),
                intake=intake,
                store=store,
                panels=panels,
                alerts=alerts,
                chain_now=chain_now,
                pull_seconds=pull_seconds,
                clock=clock,
                monotonic=monotonic,
            )
            for address, url in peers.items()
            if address != own
        ]

    def start(self) -> None:
        for peer in self.each:
            peer.start()

    @property
    def visited(self) -> bool:
        """Whether each has shown all that it holds of ours, or could not."""
        return all(peer.visited for peer in self.each)

    def poke(self) -> None:
        """Visit them now, except those that have to rest."""
        for peer in self.each:
            peer.poke()

    def stop(self, timeout: float = 5.0) -> None:
        """End. A visit in progress ends by itself after some seconds; it is not waited for beyond the timeout."""
        for peer in self.each:
            peer.end()
        last = time.monotonic() + timeout
        for peer in self.each:
            peer.join(max(0.0, last - time.monotonic()))


class Peer:
    """One other reporter: where we stand with it, and its thread."""

    def __init__(
        self,
        address: str,
        url: str,
        *,
        own: str | None,
        client: Client,
        intake: Intake,
        store: Store,
        panels: Mapping[Key, KnownPanel],
        alerts: Alerts,
        chain_now: Callable[[], int],
        pull_seconds: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.address = address
        self.url = redacted_url(url)
        # What it signed, and what it has of ours: that is how we learn that our database was lost.
        # Ours first: nothing is signed before it was read to its end.
        self._streams = [*([own] if own else []), address]
        self._client = client
        self._intake = intake
        self._store = store
        self._panels = panels
        self._alerts = alerts
        self._chain_now = chain_now
        self._pull_seconds = pull_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._cursors: dict[str, int] = {}
        self._aside: dict[bytes, tuple[int, wire.Bundle]] = {}
        self._budget = _Budget(monotonic)
        self._failures = 0
        self._floods = 0
        self._unanswered_since: float | None = None
        self._problem = ""
        self._chain_time = 0
        self._misbehaved_at: float | None = None
        self.visited = False
        self._ended = threading.Event()
        self._poked = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"peer {address}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def poke(self) -> None:
        self._poked.set()

    def end(self) -> None:
        self._ended.set()
        self._poked.set()

    def join(self, timeout: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._ended.is_set():
            rest = self.visit()
            if rest > 0:
                self._ended.wait(rest)
            else:
                self._poked.wait(self._pull_seconds)
            self._poked.clear()

    def visit(self) -> float:
        """Pull what is new. Raises nothing.

        :returns: How long the peer has to rest [s]; 0: it may be visited again when there is reason to.
        """
        try:
            faults = self._pull()
        except MakegoodError as error:
            # Our database or our chain: nothing that the peer can do about it.
            log.warning(
                "peer not visited", action="pull_failed", peer=self.address, problem=error.message
            )
            return self._rest()
        except Exception:
            self.visited = True  # nothing that a peer says may keep us from signing
            log.exception("peer not visited", action="pull_failed", peer=self.address)
            return self._rest()
        flooded = any(fault.kind == "flood" for fault in faults)
        self._floods = self._floods + 1 if flooded else 0
        for fault in faults:
            self._note(fault)
        self._judge()
        if flooded:
            return _FLOOD_REST
        if any(fault.kind not in _NO_FAULT and not self._is_near(fault) for fault in faults):
            return self._rest()
        self._failures = 0
        return 0.0

    def _rest(self) -> float:
        self._failures += 1
        return min(MAX_REST, 2.0 ** (self._failures - 1))

    # Pulling

    def _pull(self) -> list[PeerFault]:
        """Visits the peer; what was wrong."""
        panels = [panel for panel in self._panels.values() if self.address in panel.panel.reporters]
        if not panels:
            self.visited = True
            return []
        now = self._chain_time = self._chain_now()
        faults = list(self._take_again(now))
        private = any(panel.audience is not None for panel in panels)
        try:
            for signed_by in self._streams:
                faults += self._follow(signed_by, now, private=private)
        except PeerFault as fault:
            faults.append(fault)
            self.visited = self.visited or fault.kind != "flood"
            if fault.kind != "flood" and self._unanswered_since is None:
                self._unanswered_since = self._monotonic()
            self._problem = fault.message
        return faults

    def _follow(self, signed_by: str, now: int, *, private: bool) -> Iterator[PeerFault]:
        """Read on in what the peer has of one signer. Yields what is wrong with a bundle, raises what is wrong with an answer."""
        cursor = self._cursor(signed_by)
        for _ in range(_PAGES):
            if self._intake.inbox.qsize() >= _WAITING:
                return
            if self._budget.wait() > 0:
                raise PeerFault(
                    "flood", "it has sent more than is read in a minute; the rest has to wait"
                )
            page, size = self._client.page(cursor, signed_by=signed_by, private=private)
            self._budget.spend(len(page.bundles), size)
            self._unanswered_since = None
            metrics.PEER_TIME.labels(self.address).set(self._clock())
            if page.next < cursor and not page.bundles:
                # Its database is another one than it was, or a copy of what it was once.
                log.info("peer begins again", action="peer_restarted", peer=self.address)
                self._move(signed_by, 0)
                return
            yield from self._take(page, cursor, signed_by, now)
            if page.next == cursor:
                self.visited = self.visited or signed_by == self._streams[0]
                return
            cursor = page.next
            self._move(signed_by, cursor)

    def _take(self, page: wire.Page, cursor: int, signed_by: str, now: int) -> Iterator[PeerFault]:
        last = cursor
        for value in page.bundles:
            try:
                bundle = wire.read_bundle(value)
            except ValueError as error:
                yield PeerFault("garbage", f"a bundle cannot be read: {error}")
                continue
            if not last < bundle.id <= page.next:
                raise PeerFault("garbage", "the ids in its answer do not ascend")
            last = bundle.id
            yield from self._take_one(bundle, signed_by, now)
        if page.next < cursor or (page.bundles and page.next == cursor):
            raise PeerFault("garbage", "its answer leads nowhere")

    def _take_one(self, bundle: wire.Bundle, signed_by: str, now: int) -> Iterator[PeerFault]:
        try:
            if self._intake.take(bundle, signed_by, now):
                metrics.PEER_BUNDLES.labels(self.address).inc()
        except PeerFault as fault:
            if fault.ready_at is not None:
                self._set_aside(fault.ready_at, bundle)
            yield fault

    def _set_aside(self, ready_at: int, bundle: wire.Bundle) -> None:
        """For later: one reading too early has the oracle refuse a whole report. What is ready last is dropped first."""
        self._aside[hashlib.sha256(bundle.signature).digest()] = (ready_at, bundle)
        while len(self._aside) > _SET_ASIDE or self._aside_bytes() > _ASIDE_BYTES:
            del self._aside[max(self._aside, key=lambda key: self._aside[key][0])]

    def _aside_bytes(self) -> int:
        feeds = (feed for _, bundle in self._aside.values() for feed in bundle.feeds)
        return sum(200 + len(feed.readings) for feed in feeds)

    def _take_again(self, now: int) -> Iterator[PeerFault]:
        for key, (ready_at, bundle) in list(self._aside.items()):
            if ready_at <= now:
                del self._aside[key]
                yield from self._take_one(bundle, bundle.address, now)

    # Where we are in what the peer has

    def _cursor(self, signed_by: str) -> int:
        """The last id that was read. A start reads a little of it again: what was set aside, or of a panel unknown then."""
        if signed_by not in self._cursors:
            stored = self._store.meta(self._name(signed_by)) or "0"
            self._cursors[signed_by] = max(0, int(stored) - _REREAD)
        return self._cursors[signed_by]

    def _move(self, signed_by: str, cursor: int) -> None:
        self._store.set_meta(self._name(signed_by), str(cursor))
        self._cursors[signed_by] = cursor

    def _name(self, signed_by: str) -> str:
        return f"peer {self.address} {signed_by}"

    # Faults

    def _is_near(self, fault: PeerFault) -> bool:
        """Whether it is one that a chain whose head we do not see yet explains."""
        return fault.kind == "future" and (fault.ready_at or 0) - self._chain_time < _SOON

    def _note(self, fault: PeerFault) -> None:
        metrics.PEER_FAULTS.labels(self.address, fault.kind).inc()
        if fault.kind in _NO_FAULT:
            return
        log.info(
            "peer at fault",
            action="peer_fault",
            peer=self.address,
            url=self.url,
            kind=fault.kind,
            problem=fault.message,
        )
        if fault.kind in _NOT_THERE or self._is_near(fault):
            return
        # Whoever comes back after a day has a lot to say.
        if fault.kind == "flood" and self._floods < _FLOODS:
            return
        self._misbehaved_at = self._monotonic()
        self._alerts.fire("peer_misbehaves", self.address, f"{self.url}: {fault.message}")

    def _judge(self) -> None:
        now = self._monotonic()
        if self._unanswered_since is None:
            self._alerts.clear("peer_down", self.address)
        elif now - self._unanswered_since >= DOWN_SECONDS:
            message = (
                f"{self.url}: no good answer for {DOWN_SECONDS // 60} minutes; {self._problem}"
            )
            self._alerts.fire("peer_down", self.address, message)
        if self._misbehaved_at is not None and now - self._misbehaved_at >= MISBEHAVIOUR_SECONDS:
            self._misbehaved_at = None
            self._alerts.clear("peer_misbehaves", self.address)


class _Budget:
    """What is read of a peer in a minute. What was not used may be used later, up to a minute's worth."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._at = monotonic()
        self._bundles: float = BUNDLES_PER_MINUTE
        self._bytes: float = BYTES_PER_MINUTE

    def spend(self, bundles: int, size: int) -> None:
        self._refill()
        self._bundles -= bundles
        self._bytes -= size

    def wait(self) -> float:
        """How long until something may be read again [s]; 0: now."""
        self._refill()
        return max(
            0.0,
            -self._bundles / BUNDLES_PER_MINUTE * 60,
            -self._bytes / BYTES_PER_MINUTE * 60,
        )

    def _refill(self) -> None:
        now = self._monotonic()
        minutes, self._at = (now - self._at) / 60, now
        self._bundles = min(BUNDLES_PER_MINUTE, self._bundles + minutes * BUNDLES_PER_MINUTE)
        self._bytes = min(BYTES_PER_MINUTE, self._bytes + minutes * BYTES_PER_MINUTE)
