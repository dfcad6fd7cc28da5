"""The relayer's loop: sign and submit what was read, settle and close what can be paid.

Signals only set a flag. Work is found from the store and the chain at every round, so one round is all there is: starting,
going on and recovering are the same.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from relayer.bindings import Oracle
from relayer.clock import SteadyClock
from relayer.errors import ChainUnavailable, KeyUnavailable, MakegoodError
from relayer.operations import metrics
from relayer.store import StoredBundle, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from relayer.bindings import Position
    from relayer.chain import Chain, Head
    from relayer.exchange.contradictions import Contradiction
    from relayer.exchange.peers import Peers
    from relayer.operations.alerts import Alerts
    from relayer.operations.health import Health
    from relayer.outbox import Outbox, Outgoing
    from relayer.reporting import Reporter
    from relayer.seat import Seat
    from relayer.settlement import Settler
    from relayer.sources import Source, Watched
    from relayer.store import Store
    from relayer.store.readings import Answered

log = structlog.get_logger(__name__)

BUSY_PAUSE = 0.25
"""Pause between rounds while a transaction is in flight [s]."""
PRUNE_SECONDS = 3_600
IGNORED_SECONDS = 60
"""How often the chain is asked which reporters have equivocated [s]."""
STOP_SECONDS = 5
"""How long threads have to end, all together."""
PARK_SECONDS = 9
"""After this the process ends, whatever it is at: all that matters is stored."""
FAILED_ROUNDS = 3
"""So many failed rounds in a row are an alert."""


class Service(Protocol):
    """Something that runs beside the loop."""

    def start(self) -> None: ...

    def stop(self, timeout: float) -> None: ...


@dataclass(frozen=True)
class Task:
    """A feed that this relayer reports: where it is signed, and where it is read."""

    seat: Seat
    source: Source
    watched: Watched

    @property
    def reporter(self) -> Reporter:
        return self.watched.reporter


@dataclass(frozen=True)
class Watch:
    """One agreement, and the feeds of it that this relayer reports."""

    settler: Settler
    tasks: tuple[Task, ...]


class Daemon:
    """Everything one relayer does, for all its feeds and agreements.

    Without an outbox it is a dry run: services are read, nothing is signed or sent.

    :param services: What runs beside the loop, in the order in which it is started.
    :param may_send: Whether this process may use the key now.
    :param keep_days: What is final is kept so long [d].
    """

    def __init__(
        self,
        *,
        chain: Chain,
        store: Store,
        outbox: Outbox | None,
        watches: Sequence[Watch],
        poll_seconds: float,
        alerts: Alerts,
        health: Health | None = None,
        peers: Peers | None = None,
        services: Sequence[Service] = (),
        may_send: Callable[[], bool] = lambda: True,
        keep_days: int = 400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._chain = chain
        self._store = store
        self._outbox = outbox
        self._watches = watches
        self._poll_seconds = poll_seconds
        self._alerts = alerts
        self._health = health
        self._peers = peers
        self._services = services
        self._may_send = may_send
        self._keep_days = keep_days
        self._clock = clock
        tasks = [task for watch in watches for task in watch.tasks]
        self._sources = tuple({task.source: None for task in tasks})
        self._seats = tuple({task.seat: None for task in tasks})
        self._answers: queue.SimpleQueue[Sequence[Answered]] = queue.SimpleQueue()
        for source in self._sources:
            source.on_answers = self._answers.put
            source.chain_time = self.chain_time
        self._open: dict[bytes, Task] = {}
        self._loaded: set[bytes] = set()
        self._positions: dict[tuple[str, bytes], Position] = {}
        self._head: Head | None = None
        self._head_seen_at = 0.0
        self._stop = threading.Event()
        self._pruned_at = 0.0
        self._ignored_at = 0
        # What was refused or failed last time, so that it is logged once and not at every round.
        self._refused: dict[tuple[str, bytes, int], str] = {}
        self._problems: dict[tuple[str, bytes], str] = {}
        # What is to be proven, and since when.
        self._proofs: list[tuple[float, Contradiction]] = []
        self._failed_rounds = 0
        self._busy_pause = BUSY_PAUSE
        self._planned: list[Outgoing] = []
        self._looked_at = float("-inf")

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        with ExitStack() as stack:
            stack.enter_context(_stopping(self._stop_soon))
            started: list[Service] = []
            stack.callback(self._stop_all, started)
            for source in self._sources:
                source.held = True  # until the chain says what time it is
            for part in (*self._services, *self._sources):
                part.start()
                started.append(part)
            account = self._outbox.account.address if self._outbox else "none (dry run)"
            log.info(
                "relayer started",
                action="relayer_started",
                chain=self._chain.chain_id,
                account=account,
                agreements=len(self._watches),
            )
            while not self._stop.is_set():
                self._pause(self._guarded_round())
            log.info("relayer stopping", action="relayer_stopping")

    def _stop_soon(self) -> None:
        """Finish the step that the loop is at; one that takes too long is given up, and found again at the next start."""
        self._stop.set()
        park = threading.Timer(PARK_SECONDS, _park)
        park.daemon = True
        park.start()

    def _stop_all(self, started: Sequence[Service]) -> None:
        for source in self._sources:
            source.end()
        until = time.monotonic() + STOP_SECONDS
        for part in reversed(started):
            part.stop(max(0.1, until - time.monotonic()))

    def _pause(self, seconds: float) -> None:
        """Wait; no longer than a moment if another reporter has said something: it may wait for us."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0 and not self._stop.wait(min(rest, BUSY_PAUSE)):
            if self._peers is not None and not self._peers.inbox.empty():
                break

    def stop(self) -> None:
        """Have :meth:`run` end after the step it is at. What is in flight is stored, and goes on at the next start."""
        self._stop.set()

    def once(self, timeout: float) -> None:
        """Read, report and pay all that is due now, and wait until it is on the chain.

        :raises ChainUnavailable: The chain does not answer, or something is still in flight after ``timeout`` seconds.
        :raises MakegoodError: Something else that was due could not be done.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._observe(self._see_head())
            for source in self._sources:
                source.step()
            if not self.round():
                if self._problems:
                    raise MakegoodError("; ".join(sorted(set(self._problems.values()))))
                return
            if time.monotonic() > deadline:
                raise ChainUnavailable(f"a transaction is still in flight after {timeout:g} s")
            time.sleep(BUSY_PAUSE)

    def round(self) -> bool:
        """Do what can be done now. Returns whether a transaction is in flight, or was sent: there may be more to do."""
        outbox = self._outbox
        if outbox is not None and not self._may_send():
            self._alerts.fire("lease_lost", outbox.account.address, "another process uses the key")
            raise KeyUnavailable("another process uses the key: nothing is signed or sent")
        if self._go_on_sending():
            return True
        now = self._see_head()
        self._looked_at = time.monotonic()
        self._observe(now)
        self._take_in()
        if outbox is None:
            return False
        # Signing goes on while a transaction is in flight: other reporters wait for what we signed.
        self._sign(now)
        if outbox.advance():
            return True
        # What is certain is paid first. What is closed as expired is lost for what was read and not reported: last of all.
        self._planned = self._payments(now) + self._due_proofs() + self._reports(now)
        if self._send_planned():
            return True
        self._planned = self._skips(now) + self._lapses(now)
        return self._send_planned()

    def _go_on_sending(self) -> bool:
        """While what was found to be due goes out, one transaction after the other, there is no need to look for it anew."""
        if self._outbox is None or time.monotonic() - self._looked_at >= self._poll_seconds:
            return False
        if self._peers is not None and not self._peers.inbox.empty():
            return False
        return self._outbox.advance() or self._send_planned()

    # What the chain says

    def _see_head(self) -> int:
        """Time of the newest block [s, UNIX time]. One that has just arrived shows whether our clock is right."""
        head = self._chain.head()
        before, seen_at = self._head, self._head_seen_at
        self._head, self._head_seen_at = head, time.monotonic()
        if before is None:
            self._begin_sampling(head)
        if before is None or head.number <= before.number:
            return head.timestamp
        fresh = self._head_seen_at - seen_at <= max(60.0, 2 * self._poll_seconds)
        if fresh and isinstance(self._clock, SteadyClock):
            wrong = self._clock.check(head.timestamp)
            for source in self._sources:
                source.held = wrong is not None
            if wrong:
                self._alerts.fire("clock_wrong", "clock", wrong)
            else:
                self._alerts.clear("clock_wrong", "clock")
        return head.timestamp

    def _begin_sampling(self, newest: Head) -> None:
        """Let sources begin, unless our clock and the first block that we see are far apart.

        That block may be an old one, and our clock right; but what is dated by a wrong one is invented, so we wait for the next.
        """
        clock = self._clock
        wrong = clock.check(newest.timestamp) if isinstance(clock, SteadyClock) else None
        if wrong is None:
            for source in self._sources:
                source.held = False
        elif any(source.held for source in self._sources):
            apart = clock() - newest.timestamp
            said = f"this machine's clock and the chain's newest block are {abs(apart):.0f} s apart: nothing is read"
            self._alerts.fire("clock_wrong", "clock", f"{said} until a block shows which is right")

    def chain_time(self) -> float:
        """The chain's time, as far as it is known: that of the newest block, and what has passed since."""
        if self._head is None:
            return 0.0
        return self._head.timestamp + time.monotonic() - self._head_seen_at

    def _observe(self, now: int) -> None:
        """Ask the chain which agreements are open and where their feeds stand.

        Feeds are reported from the opening of an agreement until its last window is closed, and not a transaction longer.
        """
        opened: dict[bytes, Task] = {}
        asked: dict[str, dict[bytes, None]] = defaultdict(dict)
        for watch in self._watches:
            settler = watch.settler
            with self._apart("observe", settler):
                if settler.is_open():
                    settler.refresh(now)
                if settler.is_open() and not settler.finished:
                    asked[settler.oracle].update(dict.fromkeys(settler.feeds))
                    for task in watch.tasks:
                        task.reporter.note_end(settler.end, shared=task.reporter.id in opened)
                        opened[task.reporter.id] = task
        positions: dict[tuple[str, bytes], Position] = {}
        for oracle, feeds in asked.items():
            with self._apart("observe", _Named(oracle, bytes.fromhex(oracle[2:]))):
                found = Oracle(self._chain.w3, oracle).positions(list(feeds))  # type: ignore[arg-type]
                positions.update(zip(((oracle, feed) for feed in feeds), found, strict=True))
        self._positions = positions
        self._open = {
            id_: task
            for id_, task in opened.items()
            if (task.seat.oracle.address, id_) in positions
        }
        lost = {}
        for id_, task in self._open.items():
            position = positions[task.seat.oracle.address, id_]
            if task.reporter.observe(position) or id_ not in self._loaded:
                lost[id_] = task.reporter.first
        self._distribute(now)
        if lost:
            self._load(lost)
        self._give_to_sources()

    def _load(self, firsts: Mapping[bytes, int]) -> None:
        """Take up what the database knows of feeds: the answers, and what reporters signed.

        :param firsts: For each feed the chain's next interval.
        """
        for reading in self._store.readings.answered_from(firsts):
            reporter = self._open[reading.feed].reporter
            # Answers that an old version stored have no digest; their evidence cannot be shown.
            reporter.answer(reading.interval, reading.code, reading.digest or bytes(32))
        for bundle in self._store.bundles.newest_of(firsts):
            self._hear(bundle)
        self._loaded.update(firsts)

    def _give_to_sources(self) -> None:
        """Have sources read what is open. Only when what was read before is known: an interval has one answer for ever."""
        of_source: dict[Source, list[Watched]] = {source: [] for source in self._sources}
        for task in self._open.values():
            of_source[task.source].append(task.watched)
        for source, watched in of_source.items():
            source.watch(tuple(watched))

    def _distribute(self, now: int) -> None:
        """Tell seats which feeds are theirs now, and the operator how they stand."""
        of_seat: dict[Seat, list[Reporter]] = {seat: [] for seat in self._seats}
        behind = overdue = 0
        oldest = None
        for task in self._open.values():
            of_seat[task.seat].append(task.reporter)
            reporter = task.reporter
            measurement = reporter.feed.measurement
            missing = reporter.closed(now) - reporter.first
            if missing > 0:
                behind = max(behind, missing)
                start = measurement.start_of(reporter.first)
                oldest = start if oldest is None else min(oldest, start)
                if now > start + measurement.interval + measurement.deadline / 2:
                    overdue += 1
        for seat, reporters in of_seat.items():
            seat.watch(reporters)
        if now >= self._ignored_at + IGNORED_SECONDS:
            for seat in self._seats:
                with self._apart("observe", _Named(seat.name, seat.panel_hash)):
                    seat.ignore(seat.oracle.ignored(seat.panel))
            self._ignored_at = now
        metrics.FEEDS.set(len(self._open))
        metrics.BEHIND.set(behind)
        metrics.OVERDUE.set(overdue)
        metrics.REPORT_TIME.set(oldest or now)
        if overdue:
            said = f"{overdue} of {len(self._open)} feeds are not reported although half of their report deadline is over"
            self._alerts.fire("report_late", "feeds", said)
        else:
            self._alerts.clear("report_late", "feeds")

    # What sources and other reporters say

    def _take_in(self) -> None:
        with suppress(queue.Empty):
            while True:
                for answered in self._answers.get_nowait():
                    if task := self._open.get(answered.feed):
                        task.reporter.answer(answered.interval, answered.code, answered.digest)
        if self._peers is None:
            return
        with suppress(queue.Empty):
            while True:
                self._hear(self._peers.inbox.get_nowait())
        with suppress(queue.Empty):
            while True:
                proof = self._peers.contradictions.get_nowait()
                self._proofs.append((time.monotonic(), proof))

    def _hear(self, bundle: StoredBundle) -> None:
        for seat in self._seats:
            if seat.concerns(bundle):
                seat.hear(bundle.signed)

    def _sign(self, now: int) -> None:
        if self._outbox is None:
            return
        if self._peers is not None and not self._peers.visited:
            return  # they may hold what we signed before our database was lost
        account = self._outbox.account
        floor = int(float(self._store.meta("sign_from") or 0))
        for seat in self._seats:
            for signed in seat.sign(account, now, floor):
                # Stored before anybody can see it: what is signed once must never be signed differently.
                bundle = StoredBundle(
                    id=None,
                    oracle=seat.oracle.address,
                    panel=seat.panel_hash,
                    signed=signed,
                    address=account.address,
                    audience=seat.audience,
                    signed_at=self._clock(),
                )
                self._store.bundles.save(bundle)
                seat.hear(signed)

    # What is to be sent

    def _payments(self, now: int) -> list[Outgoing]:
        calls: list[Outgoing] = []
        for watch in self._watches:
            settler = watch.settler
            with self._apart("pay", settler):
                if settler.is_open():
                    seen = [self._positions.get((settler.oracle, feed)) for feed in settler.feeds]
                    calls += settler.payments(now, [p for p in seen if p is not None])
        return calls

    def _lapses(self, now: int) -> list[Outgoing]:
        calls: list[Outgoing] = []
        for watch in self._watches:
            with self._apart("lapse", watch.settler):
                if watch.settler.is_open():
                    calls += watch.settler.lapses(now)
        return calls

    def _reports(self, now: int) -> list[Outgoing]:
        return [call for seat in self._seats for call in seat.reports(now)]

    def _skips(self, now: int) -> list[Outgoing]:
        return [call for seat in self._seats for call in seat.skips(now)]

    def _due_proofs(self) -> list[Outgoing]:
        """Contradictions that are not on the chain yet."""
        calls = []
        now = time.monotonic()
        for found_at, proof in list(self._proofs):
            task = self._open.get(proof.feed.id)
            if task is None or now - found_at < task.seat.turn(proof.interval):
                continue
            ignored = task.seat.oracle.ignored(proof.feed.panel)
            if ignored >> proof.reporter & 1:
                self._proofs.remove((found_at, proof))
                task.seat.ignore(ignored)
            else:
                calls.append(task.seat.prove(proof))
        return calls

    def _send_planned(self) -> bool:
        """Send what fits into one transaction, and the chain does not refuse. Returns whether anything was sent."""
        if not self._planned or self._outbox is None:
            return False
        said = {}
        calls = self._planned
        refused = self._outbox.send(calls)
        for refusal in refused:
            item, error = refusal.outgoing.items[0], refusal.reverted
            # Another relayer may have been faster, or the chain's clock is behind ours: the next round sees what is
            # left to do.
            key = (item.purpose, item.subject, item.first)
            said[key] = error.message
            if error.error == "MonitoringOracle_NoAgreement":
                self._ignored_at = 0  # it may not listen to someone to whom we do
            if self._refused.get(key) != error.message:
                log.info(
                    "not sent",
                    action="transaction_refused",
                    purpose=item.purpose,
                    about=item.description,
                    reason=error.message,
                )
        self._refused = said
        if len(refused) == len(calls):
            self._planned = []
            return False
        [newest] = self._store.transactions.recent(1)
        done = {*newest.calls, *(refusal.outgoing.items for refusal in refused)}
        self._planned = [call for call in calls if call.items not in done]
        return True

    # Going on

    @contextmanager
    def _apart(self, step: str, part: _Named | Settler) -> Iterator[None]:
        """What fails for one agreement or feed holds up no other. Said once, not at every round."""
        key = (step, part.id)
        try:
            with self._chain.errors():
                yield
        except MakegoodError as error:
            known = {said for (_, of), said in self._problems.items() if of == part.id}
            self._problems[key] = error.message
            if error.message not in known:
                log.warning(
                    "not done", action="part_failed", about=part.name, problem=error.message
                )
        else:
            self._problems.pop(key, None)

    def _guarded_round(self) -> float:
        """One round that survives what can pass by itself. Returns the pause before the next [s]."""
        begun = time.monotonic()
        try:
            busy = self.round()
            self._prune()
        except MakegoodError as error:
            log.warning(
                "round failed", action="round_failed", problem=error.message, hint=error.hint or ""
            )
            if isinstance(error, StoreUnavailable):
                self._alerts.fire("store_unavailable", "store", error.message)
            return self._after_failure(error.message)
        except Exception as error:
            log.exception("round failed", action="round_failed")
            return self._after_failure(type(error).__name__)
        self._failed_rounds = 0
        self._alerts.clear("round_failed", "loop")
        self._alerts.clear("store_unavailable", "store")
        metrics.LOOP_SECONDS.inc(time.monotonic() - begun)
        self._tell_health()
        if not busy:
            self._busy_pause = BUSY_PAUSE
            return self._poll_seconds
        pause = self._busy_pause
        self._busy_pause = min(self._poll_seconds, pause * 1.5)
        return pause

    def _after_failure(self, problem: str) -> float:
        self._failed_rounds += 1
        if self._failed_rounds >= FAILED_ROUNDS:
            self._alerts.fire("round_failed", "loop", problem)
        self._tell_health(problem)
        return self._poll_seconds

    def _tell_health(self, problem: str = "") -> None:
        """A round that failed is finished, too: the loop lives; what failed shows in its part."""
        if self._health is None:
            return
        self._health.loop_finished(self._clock())
        firing = {alert.name: alert.message for alert in self._alerts.firing()}
        for part, failing, degraded in _PARTS:
            worst = next((firing[name] for name in failing if name in firing), "")
            less = next((firing[name] for name in degraded if name in firing), "")
            self._health.part(
                part, "failed" if worst else "degraded" if less else "ok", worst or less
            )
        if problem:
            self._health.part("chain", "failed", problem)

    def _prune(self) -> None:
        now = self._clock()
        if now - self._pruned_at > PRUNE_SECONDS:
            self._pruned_at = now
            keep = {id_: task.reporter.first for id_, task in self._open.items()}
            self._store.prune(int(now), self._keep_days, keep_from=keep)


# Which alerts make a part of the relayer fail, and which leave it less than whole.
_PARTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("chain", ("rpc_all_down",), ("rpc_down", "rpc_dissent", "rpc_wrong_chain")),
    ("store", ("store_unavailable",), ()),
    ("key", ("lease_lost",), ("own_equivocation", "own_signature_unknown")),
    ("sources", ("clock_wrong",), ("source_failing",)),
    ("peers", (), ("peer_down", "peer_misbehaves")),
    ("balance", ("wallet_empty",), ("balance_critical", "balance_low")),
)


@dataclass(frozen=True)
class _Named:
    """Something that can fail by itself."""

    name: str
    id: bytes


def _park() -> None:
    log.warning(
        "relayer parked", action="relayer_parked", hint="its step goes on at the next start"
    )
    os._exit(0)


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on SIGTERM or SIGINT; a second one ends the process at once."""
    previous: dict[int, Any] = {}

    def handle(number: int, _: FrameType | None) -> None:
        stop()
        signal.signal(number, previous[number])

    for number in (int(signal.SIGTERM), int(signal.SIGINT)):
        previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
