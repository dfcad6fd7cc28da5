"""The relayer's loop: sign and submit what was read, settle and close what can be paid.

Signals only set a flag. Work is found from the store and the chain at every round, so one round is all there is: starting,
going on and recovering are the same.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from relayer.errors import ChainUnavailable, MakegoodError, Reverted
from relayer.outbox import Outbox, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from eth_account.signers.local import LocalAccount

    from relayer.chain import Chain
    from relayer.reporting import Reporter
    from relayer.settlement import Settler
    from relayer.sources import Source, Watched
    from relayer.store import Store

log = structlog.get_logger(__name__)

BUSY_PAUSE = 0.25
"""Pause between rounds while a transaction is in flight [s]."""
SAMPLE_DAYS = 35
"""Samples are kept a little longer than the longest report deadline."""
PRUNE_SECONDS = 3_600
STOP_SECONDS = 5


@dataclass(frozen=True)
class Watch:
    """One agreement, and the feeds of it that this relayer reports."""

    settler: Settler
    feeds: tuple[tuple[Source, Watched], ...]


class Daemon:
    """Everything one relayer does, for all its feeds and agreements.

    Without an account it is a dry run: services are read, nothing is signed or sent.
    """

    def __init__(
        self,
        *,
        chain: Chain,
        store: Store,
        account: LocalAccount | None,
        watches: Sequence[Watch],
        poll_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._chain = chain
        self._store = store
        self._account = account
        self._outbox = Outbox(store, chain, account, clock=clock) if account else None
        self._watches = watches
        self._sources = tuple({source: None for watch in watches for source, _ in watch.feeds})
        self._reporters: tuple[Reporter, ...] = ()
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._stop = threading.Event()
        self._pruned_at = 0.0
        # What the chain refused last time, so that it is logged once and not at every round.
        self._refused: dict[tuple[str, bytes], str] = {}
        self._problems: dict[tuple[str, bytes], str] = {}
        self._busy_pause = BUSY_PAUSE

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        for source in self._sources:
            source.start()
        with _stopping(self._stop.set):
            log.info(
                "relayer started",
                action="relayer_started",
                chain=self._chain.chain_id,
                account=self._account.address if self._account else "none (dry run)",
                agreements=len(self._watches),
            )
            while not self._stop.is_set():
                self._stop.wait(self._guarded_round())
            log.info("relayer stopping", action="relayer_stopping")
        for source in self._sources:
            source.stop(STOP_SECONDS)

    def once(self, timeout: float) -> None:
        """Read, report and pay all that is due now, and wait until it is on the chain.

        :raises ChainUnavailable: The chain does not answer, or something is still in flight after ``timeout`` seconds.
        :raises MakegoodError: Something else that was due could not be done.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._observe(self._chain.now())
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
        """Do what can be done now. Returns whether a transaction is in flight.

        Payments come before reports: what is certain is paid first.
        """
        now = self._chain.now()
        outbox = self._outbox
        if outbox is None:
            self._observe(now)
            return False
        if outbox.advance():
            return True
        if self._pay(outbox, now, lapsing=False):
            return True
        # After the payments: they show which agreements are over and need no more reports.
        self._observe(now)
        for reporter in self._reporters:
            due = None
            with self._apart("report", reporter):
                reporter.sign(outbox.account)
                due = reporter.submission(now)
            if due and self._send(outbox, due):
                return True
        # Last of all: what is closed as expired is lost for what was read and not reported.
        return self._pay(outbox, now, lapsing=True)

    def _pay(self, outbox: Outbox, now: int, *, lapsing: bool) -> bool:
        for watch in self._watches:
            payment = None
            with self._apart("lapse" if lapsing else "pay", watch.settler):
                if watch.settler.is_open():
                    payment = watch.settler.payment(now, lapsing=lapsing)
            if payment and self._send(outbox, payment):
                return True
        return False

    @contextmanager
    def _apart(self, step: str, part: Settler | Reporter) -> Iterator[None]:
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

    def _observe(self, now: int) -> None:
        """Ask the chain which agreements are open and where their feeds stand.

        Feeds are reported from the opening of an agreement until its last window is closed, and not a transaction longer.
        """
        feeds: dict[bytes, tuple[Source, Watched]] = {}
        for watch in self._watches:
            with self._apart("observe", watch.settler):
                if watch.settler.is_open() and not watch.settler.finished:
                    for source, watched in watch.feeds:
                        watched.reporter.note_end(
                            watch.settler.end, shared=watched.reporter.id in feeds
                        )
                        feeds[watched.reporter.id] = (source, watched)
        for source in self._sources:
            source.watch(tuple(watched for of, watched in feeds.values() if of is source))
        reporters = []
        for _, watched in feeds.values():
            with self._apart("observe", watched.reporter):
                watched.reporter.observe(now)
                reporters.append(watched.reporter)
        self._reporters = tuple(reporters)

    def _send(self, outbox: Outbox, outgoing: Outgoing) -> bool:
        """Send a call, unless the chain would refuse it."""
        key = (outgoing.purpose, outgoing.subject)
        try:
            outbox.send(outgoing)
        except Reverted as error:
            # Another relayer may have been faster, or the chain's clock is behind ours: the next round sees what is
            # left to do.
            if self._refused.get(key) != error.message:
                self._refused[key] = error.message
                log.info(
                    "not sent",
                    action="transaction_refused",
                    purpose=outgoing.purpose,
                    about=outgoing.description,
                    reason=error.message,
                )
            return False
        self._refused.pop(key, None)
        return True

    def _guarded_round(self) -> float:
        """One round that survives what can pass by itself. Returns the pause before the next [s]."""
        try:
            busy = self.round()
            self._prune()
        except MakegoodError as error:
            log.warning(
                "round failed", action="round_failed", problem=error.message, hint=error.hint or ""
            )
            return self._poll_seconds
        except Exception:
            log.exception("round failed", action="round_failed")
            return self._poll_seconds
        if not busy:
            self._busy_pause = BUSY_PAUSE
            return self._poll_seconds
        pause = self._busy_pause
        self._busy_pause = min(self._poll_seconds, pause * 1.5)
        return pause

    def _prune(self) -> None:
        now = self._clock()
        if now - self._pruned_at > PRUNE_SECONDS:
            self._store.prune_samples(int(now) - SAMPLE_DAYS * 86_400)
            self._pruned_at = now


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
