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
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from relayer.errors import ChainUnavailable, KeyUnavailable, MakegoodError
from relayer.heeding import Heeding
from relayer.lookout import PATIENCE, Lookout, Named
from relayer.operations import metrics
from relayer.store import StoredBundle, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from relayer.chain import Chain
    from relayer.exchange.contradictions import Contradiction
    from relayer.exchange.peers import Peers
    from relayer.lookout import Watch
    from relayer.operations.alerts import Alerts
    from relayer.operations.health import Health
    from relayer.outbox import Outbox, Outgoing
    from relayer.store import Store
    from relayer.store.readings import Answered

log = structlog.get_logger(__name__)

BUSY_PAUSE = 0.25
"""Pause between rounds while a transaction is in flight [s]."""
PRUNE_SECONDS = 3_600
DAY = 86_400
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


class Daemon:
    """Everything one relayer does, for all its feeds and agreements.

    Without an outbox it is a dry run: services are read, nothing is signed or sent.

    :param services: What runs beside the loop, in the order in which it is started.
    :param may_send: Whether this process may use the key now.
    :param keep_days: What is final is kept so long [d].
    :param patience: What we know to be over for less is not given up yet, though its deadline be over: others and we may still
        read it; at most :data:`~relayer.lookout.PATIENCE` [s].
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
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._chain = chain
        self._store = store
        self._outbox = outbox
        self._poll_seconds = poll_seconds
        self._alerts = alerts
        self._health = health
        self._peers = peers
        self._services = services
        self._may_send = may_send
        self._keep_days = keep_days
        self._clock = clock
        self._lookout = Lookout(
            chain, store, watches, alerts=alerts, poll_seconds=poll_seconds, clock=clock
        )
        self.chain_time = self._lookout.chain_time
        self._answers: queue.SimpleQueue[Sequence[Answered]] = queue.SimpleQueue()
        for source in self._lookout.sources:
            source.on_answers = self._answers.put
            source.chain_time = self.chain_time
        self._stop = threading.Event()
        self._patience = patience
        self._pruned_at = 0.0
        # What was refused or failed last time, so that it is logged once and not at every round.
        self._refused: dict[tuple[str, bytes, int], str] = {}
        # What is to be proven, and since when.
        self._proofs: list[tuple[float, Contradiction]] = []
        self._heeding = Heeding()
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
            for source in self._lookout.sources:
                source.held = True  # until the chain says what time it is
            for part in (*self._services, *self._lookout.sources):
                part.start()
                started.append(part)
            account = self._outbox.account.address if self._outbox else "none (dry run)"
            log.info(
                "relayer started",
                action="relayer_started",
                chain=self._chain.chain_id,
                account=account,
                agreements=len(self._lookout.watches),
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
        for source in self._lookout.sources:
            source.end()
        until = time.monotonic() + STOP_SECONDS
        for part in reversed(started):
            part.stop(max(0.1, until - time.monotonic()))

    def _pause(self, seconds: float) -> None:
        """Wait; no longer than a moment if another reporter has said something: it may wait for us."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0 and not self._stop.wait(min(rest, BUSY_PAUSE)):
            # After a failure nothing was taken out of it.
            if (
                not self._failed_rounds
                and self._peers is not None
                and not self._peers.inbox.empty()
            ):
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
        self._patience = 0  # services are asked below, and there is no later round to wait for
        while True:
            self._lookout.observe(self._lookout.see_head())
            for source in self._lookout.sources:
                source.step()
            if not self.round():
                if self._lookout.problems:
                    raise MakegoodError("; ".join(sorted(set(self._lookout.problems.values()))))
                return
            if time.monotonic() > deadline:
                raise ChainUnavailable(f"a transaction is still in flight after {timeout:g} s")
            time.sleep(BUSY_PAUSE)

    def round(self) -> bool:
        """Do what can be done now. Returns whether a transaction is in flight, or was sent: there may be more to do."""
        outbox = self._outbox
        self._store.check()
        if outbox is not None and not self._may_send():
            said = "the right to use the key was lost, or cannot be renewed in the database"
            self._alerts.fire("lease_lost", outbox.account.address, said)
            raise KeyUnavailable(f"{said}: nothing is signed or sent")
        if outbox is not None:
            self._alerts.clear("lease_lost", outbox.account.address)
        if self._go_on_sending():
            return True
        now = self._lookout.see_head()
        self._looked_at = time.monotonic()
        self._lookout.observe(now)
        self._take_in()
        if outbox is None:
            return False
        # Signing goes on while a transaction is in flight: other reporters wait for what we signed.
        self._sign(now)
        if outbox.advance():
            return True
        # What is certain is paid first. What is closed as expired is lost for what was read and not reported: last of all.
        proofs = self._due_proofs() + self._due_heeds()
        self._planned = self._payments(now) + proofs + self._reports(now)
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

    # What sources and other reporters say

    def _take_in(self) -> None:
        with suppress(queue.Empty):
            while True:
                for answered in self._answers.get_nowait():
                    if task := self._lookout.open.get(answered.feed):
                        task.reporter.answer(answered.interval, answered.code, answered.digest)
        if self._peers is None:
            return
        with suppress(queue.Empty):
            while True:
                self._lookout.hear(self._peers.inbox.get_nowait())
        with suppress(queue.Empty):
            while True:
                proof = self._peers.contradictions.get_nowait()
                self._proofs.append((time.monotonic(), proof))

    def _sign(self, now: int) -> None:
        if self._outbox is None:
            return
        if self._peers is not None and not self._peers.visited:
            return  # they may hold what we signed before our database was lost
        account = self._outbox.account
        floor = int(float(self._store.meta("sign_from") or 0))
        for seat in self._lookout.seats:
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
        for watch in self._lookout.watches:
            settler = watch.settler
            with self._lookout.apart("pay", settler):
                if settler.is_open():
                    seen = [
                        self._lookout.positions.get((settler.oracle, feed))
                        for feed in settler.feeds
                    ]
                    calls += settler.payments(now, [p for p in seen if p is not None])
        return calls

    def _lapses(self, now: int) -> list[Outgoing]:
        calls: list[Outgoing] = []
        for watch in self._lookout.watches:
            with self._lookout.apart("lapse", watch.settler):
                if watch.settler.is_open():
                    calls += watch.settler.lapses(now)
        return calls

    def _reports(self, now: int) -> list[Outgoing]:
        return [call for seat in self._lookout.seats for call in seat.reports(now)]

    def _skips(self, now: int) -> list[Outgoing]:
        known = self._lookout.time_known_for(self._patience)
        return [call for seat in self._lookout.seats for call in seat.skips(now, known)]

    def _due_proofs(self) -> list[Outgoing]:
        """Contradictions that are not on the chain yet."""
        calls = []
        now = time.monotonic()
        for found_at, proof in list(self._proofs):
            task = self._lookout.open.get(proof.feed.id)
            if task is None or now - found_at < task.seat.turn(proof.interval):
                continue
            with self._lookout.apart("prove", Named(task.seat.name, task.seat.panel_hash)):
                ignored = self._lookout.ignored(task.seat)
                if ignored >> proof.reporter & 1:
                    self._proofs.remove((found_at, proof))
                    task.seat.ignore(ignored)
                else:
                    calls.append(task.seat.prove(proof))
        return calls

    def _due_heeds(self) -> list[Outgoing]:
        """Feeds on which the oracle still hears somebody who was convicted on another one."""
        calls: list[Outgoing] = []
        with self._lookout.apart("heed", Named("feeds of a convicted reporter", b"heed")):
            calls += self._heeding.calls(self._lookout.seats, self._lookout.heeds)
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
                self._lookout.doubt_reporters()  # it may not listen to someone to whom we do
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
            return self._after_failure(error)
        except Exception as error:
            log.exception("round failed", action="round_failed")
            return self._after_failure(error)
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

    def _after_failure(self, error: Exception) -> float:
        problem = error.message if isinstance(error, MakegoodError) else type(error).__name__
        self._failed_rounds += 1
        if self._failed_rounds >= FAILED_ROUNDS:
            self._alerts.fire("round_failed", "loop", problem)
        self._tell_health(problem if isinstance(error, ChainUnavailable) else "")
        return self._poll_seconds

    def _tell_health(self, chain_problem: str = "") -> None:
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
        if chain_problem:
            self._health.part("chain", "failed", chain_problem)

    def _prune(self) -> None:
        now = self._clock()
        if now - self._pruned_at > PRUNE_SECONDS:
            self._pruned_at = now
            keep = {id_: task.reporter.first for id_, task in self._lookout.open.items()}
            self._store.prune(int(now), self._days_to_keep(now), keep_from=keep)

    def _days_to_keep(self, now: float) -> float:
        """As many as the operator wants; more if what was read before is still disputable [d].

        An answer is stored after its interval: those to a window are no older than the window.
        """
        begins = (watch.settler.disputable_since(now) for watch in self._lookout.watches)
        since = min((begin for begin in begins if begin is not None), default=now)
        return max(self._keep_days, (now - since) / DAY)


# Which alerts make a part of the relayer fail, and which leave it less than whole.
_PARTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("chain", ("rpc_all_down", "chain_stalled"), ("rpc_down", "rpc_dissent", "rpc_wrong_chain")),
    ("store", ("store_unavailable",), ()),
    ("key", ("lease_lost",), ("own_equivocation", "own_signature_unknown")),
    ("sources", ("clock_wrong",), ("source_failing",)),
    ("peers", (), ("peer_down", "peer_misbehaves")),
    ("balance", ("wallet_empty",), ("balance_critical", "balance_low")),
)


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
