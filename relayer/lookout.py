"""What the chain says, and what follows from it at once: the time, which agreements are open, where their feeds stand."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from relayer.bindings import Oracle
from relayer.clock import AHEAD_SECONDS, SteadyClock
from relayer.errors import MakegoodError
from relayer.operations import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from relayer.bindings import Position
    from relayer.chain import Chain, Head
    from relayer.operations.alerts import Alerts
    from relayer.reporting import Reporter
    from relayer.seat import Seat
    from relayer.settlement import Settler
    from relayer.sources import Source, Watched
    from relayer.store import Store, StoredBundle

log = structlog.get_logger(__name__)

IGNORED_SECONDS = 60
"""How often the chain is asked which reporters have equivocated [s]."""
STALLED_SECONDS = 120
"""A chain that shows no new block for so long stands still [s].

Ethereum has one every 12 s and now and then misses a few, rollups every 2 s or less: ten in a row are missed by none that works.
"""
PATIENCE = 60
"""How long a relayer leaves itself and others to read what it has just learnt to be over, even if its deadline has passed [s].

After a pause of the chain or of our own, everybody's round (15 s), reading and visit to the others (5 s) fit into it.
"""


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


@dataclass(frozen=True)
class Named:
    """Something that can fail by itself."""

    name: str
    id: bytes


class Lookout:
    """Asks the chain, and tells agreements, feeds, seats and sources what it says.

    :param steady: A clock that never jumps; only differences count [s].
    :ivar open: The feeds that are reported now, by their ids.
    :ivar positions: Where feeds of open agreements stand, by oracle and id.
    :ivar problems: What failed last time for one agreement or feed alone.
    """

    def __init__(
        self,
        chain: Chain,
        store: Store,
        watches: Sequence[Watch],
        *,
        alerts: Alerts,
        poll_seconds: float,
        clock: Callable[[], float],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = chain
        self._store = store
        self.watches = _from_ours_on(watches)
        self._alerts = alerts
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._steady = steady
        tasks = [task for watch in watches for task in watch.tasks]
        self.sources = tuple({task.source: None for task in tasks})
        self.seats = tuple({task.seat: None for task in tasks})
        self.open: dict[bytes, Task] = {}
        self.positions: dict[tuple[str, bytes], Position] = {}
        self.problems: dict[tuple[str, bytes], str] = {}
        self._loaded: set[bytes] = set()
        self._head: Head | None = None
        self._head_seen_at = 0.0  # last
        self._head_since = 0.0  # first; or since when it has been looked at without a pause
        self._paused = False  # the chain, or for all we know: nobody looked
        self._catching_up = False
        # Since when each time of the chain is known, as far as that is of interest.
        self._times: deque[tuple[float, int]] = deque()
        self._ignored_at = 0

    # The time

    def see_head(self) -> int:
        """Time of the newest block [s, UNIX time]. One that has just arrived shows whether our clock is right."""
        head, now = self._chain.head(), self._steady()
        before, since = self._head, self._head_since
        fresh = now - self._head_seen_at <= max(60.0, 2 * self._poll_seconds)
        self._head, self._head_seen_at = head, now
        if before is None or head.timestamp != before.timestamp:
            self._times.append((now, head.timestamp))
            while len(self._times) > 1 and self._times[1][0] <= now - PATIENCE:
                self._times.popleft()
        if before is not None and not fresh:
            self._paused = True
        if before is not None and head.number <= before.number:
            if fresh:
                self._look_for_a_stall(head, now - since)
            else:  # what came and went while nobody looked is not known
                self._head_since = now
            return head.timestamp
        self._head_since = now
        if before is None:
            self._begin_sampling(head)
            return head.timestamp
        self._alerts.clear("chain_stalled", "chain")
        just_made = self._is_just_made(head, head.timestamp - before.timestamp, now - since)
        if fresh and just_made and isinstance(self._clock, SteadyClock):
            wrong = self._clock.check(head.timestamp)
            for source in self.sources:
                source.held = wrong is not None
            if wrong:
                self._alerts.fire("clock_wrong", "clock", wrong)
            else:
                self._alerts.clear("clock_wrong", "clock")
        return head.timestamp

    def _look_for_a_stall(self, head: Head, seconds: float) -> None:
        """Measured by a clock of which only differences count: one that is set wrong makes no chain stand still."""
        if seconds < STALLED_SECONDS:
            return
        self._paused = True
        made = datetime.fromtimestamp(head.timestamp, UTC)
        said = f"no new block for {seconds:.0f} s, although endpoints answer: block {head.number} of {made:%Y-%m-%d %H:%M:%S} UTC is the newest"
        if any(source.held for source in self.sources):
            said += "; nothing is read, since no block shows whether this machine's clock is right"
        self._alerts.fire("chain_stalled", "chain", said)

    def _is_just_made(self, head: Head, chain_seconds: float, seconds: float) -> bool:
        """Whether a new block is one of now. A rollup that stood still makes the blocks of the pause afterwards, with old times.

        An old one that ends a pause proves nothing; then the chain catches up for as long as its time runs much faster than ours.

        :param chain_seconds: By how much the chain's time moved.
        :param seconds: How long that took.
        """
        if self._paused:
            self._paused, self._catching_up = False, True
        elif self._catching_up:
            self._catching_up = chain_seconds > 2 * seconds
        if self._catching_up and self._clock() <= head.timestamp + AHEAD_SECONDS:
            self._catching_up = False
        return not self._catching_up

    def _begin_sampling(self, newest: Head) -> None:
        """Let sources begin, unless our clock and the first block that we see are far apart.

        No block is ahead of its time: a clock behind it is wrong. One that is old may be so because the chain stands still, and our
        clock right; but what is dated by a wrong one is invented, so we wait for those that follow.
        """
        clock = self._clock
        wrong = clock.check(newest.timestamp) if isinstance(clock, SteadyClock) else None
        if wrong is None:
            for source in self.sources:
                source.held = False
            return
        self._catching_up = True
        if not any(source.held for source in self.sources):
            return
        if clock() < newest.timestamp:
            self._alerts.fire("clock_wrong", "clock", wrong)
        else:
            log.warning(
                "the newest block is old: nothing is read until others show whether this machine's clock is right",
                action="clock_unproven",
                seconds=round(clock() - newest.timestamp),
            )

    def chain_time(self) -> float:
        """The chain's time, as far as it is known: that of the newest block, and what has passed since."""
        if self._head is None:
            return 0.0
        return self._head.timestamp + self._steady() - self._head_seen_at

    def time_known_for(self, seconds: float) -> int:
        """The newest block's time as we knew it so many seconds ago, at most PATIENCE; 0 if we knew none [s, UNIX time]."""
        until = self._steady() - seconds
        return next((known for at, known in reversed(self._times) if at <= until), 0)

    # Agreements and feeds

    def observe(self, now: int) -> None:
        """Ask the chain which agreements are open and where their feeds stand.

        Feeds are reported from the opening of an agreement until its last window is closed, and not a transaction longer.
        """
        opened: dict[bytes, Task] = {}
        asked: dict[str, dict[bytes, None]] = defaultdict(dict)
        for watch in self.watches:
            settler = watch.settler
            with self.apart("observe", settler):
                if settler.is_open():
                    settler.refresh(now)
            if settler.was_open and not settler.finished:
                asked[settler.oracle].update(dict.fromkeys(settler.feeds))
                for task in watch.tasks:
                    task.reporter.note_end(settler.end, shared=task.reporter.id in opened)
                    opened[task.reporter.id] = task
        # What cannot be asked for now stays as it was: services have to be sampled whether the chain answers or not.
        positions = {
            (oracle, feed): self.positions[oracle, feed]
            for oracle, feeds in asked.items()
            for feed in feeds
            if (oracle, feed) in self.positions
        }
        for oracle, feeds in asked.items():
            with self.apart("observe", Named(oracle, bytes.fromhex(oracle[2:]))):
                found = self._positions(oracle, list(feeds))
                positions.update(zip(((oracle, feed) for feed in feeds), found, strict=True))
        self.positions = positions
        self.open = {
            id_: task
            for id_, task in opened.items()
            if (task.seat.oracle.address, id_) in positions
        }
        for id_, task in self.open.items():
            if task.reporter.observe(positions[task.seat.oracle.address, id_]):
                self._loaded.discard(id_)  # until it is loaded, even if that fails now
        lost = {
            id_: task.reporter.first for id_, task in self.open.items() if id_ not in self._loaded
        }
        self._distribute(now)
        if lost:
            self._load(lost)
        self._give_to_sources()

    def _positions(self, oracle: str, feeds: Sequence[bytes]) -> list[Position]:
        """Where feeds stand. What lies before is not signed any more, so no endpoint may contradict; all may be away but one."""
        return self._chain.agreed(
            lambda w3: Oracle(w3, oracle).positions(feeds),  # type: ignore[arg-type]
            least=1,
        )

    def ignored(self, seat: Seat) -> int:
        """Who has equivocated: what these signed is not used any more. Asked as :meth:`_positions` are."""
        oracle = seat.oracle.address
        return self._chain.agreed(lambda w3: Oracle(w3, oracle).ignored(seat.panel), least=1)

    def heeds(self, seat: Seat, feed_id: bytes) -> bool:
        """Whether a feed heeds what was proven on another one: if not, that is sent, again and again. Asked in the same way."""
        oracle = seat.oracle.address
        return self._chain.agreed(lambda w3: Oracle(w3, oracle).heeds(feed_id), least=1)

    def _load(self, firsts: Mapping[bytes, int]) -> None:
        """Take up what the database knows of feeds: the answers, and what reporters signed.

        :param firsts: For each feed the chain's next interval.
        """
        for reading in self._store.readings.answered_from(firsts):
            reporter = self.open[reading.feed].reporter
            # Answers that an old version stored have no digest; their evidence cannot be shown.
            reporter.answer(reading.interval, reading.code, reading.digest or bytes(32))
        for bundle in self._store.bundles.newest_of(firsts):
            self.hear(bundle)
        self._loaded.update(firsts)

    def _give_to_sources(self) -> None:
        """Have sources read what is open. Only when what was read before is known: an interval has one answer for ever."""
        of_source: dict[Source, list[Watched]] = {source: [] for source in self.sources}
        for task in self.open.values():
            of_source[task.source].append(task.watched)
        for source, watched in of_source.items():
            source.watch(tuple(watched))

    def _distribute(self, now: int) -> None:
        """Tell seats which feeds are theirs now, and the operator how they stand."""
        of_seat: dict[Seat, list[Reporter]] = {seat: [] for seat in self.seats}
        behind = overdue = 0
        oldest = None
        for task in self.open.values():
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
            for seat in self.seats:
                with self.apart("observe", Named(seat.name, seat.panel_hash)):
                    seat.ignore(self.ignored(seat))
            self._ignored_at = now
        metrics.FEEDS.set(len(self.open))
        metrics.BEHIND.set(behind)
        metrics.OVERDUE.set(overdue)
        metrics.REPORT_TIME.set(oldest or now)
        if overdue:
            said = f"{overdue} of {len(self.open)} feeds are not reported although half of their report deadline is over"
            self._alerts.fire("report_late", "feeds", said)
        else:
            self._alerts.clear("report_late", "feeds")

    def hear(self, bundle: StoredBundle) -> None:
        """Pass on what a reporter signed."""
        for seat in self.seats:
            if seat.concerns(bundle):
                seat.hear(bundle.signed)

    def doubt_reporters(self) -> None:
        """Ask soon which reporters have equivocated."""
        self._ignored_at = 0

    @contextmanager
    def apart(self, step: str, part: Named | Settler) -> Iterator[None]:
        """What fails for one agreement or feed holds up no other. Said once, not at every round."""
        key = (step, part.id)
        try:
            with self._chain.errors():
                yield
        except MakegoodError as error:
            known = {said for (_, of), said in self.problems.items() if of == part.id}
            self.problems[key] = error.message
            if error.message not in known:
                log.warning(
                    "not done", action="part_failed", about=part.name, problem=error.message
                )
        else:
            self.problems.pop(key, None)


def _from_ours_on(watches: Sequence[Watch]) -> Sequence[Watch]:
    """The same, beginning elsewhere for each reporter: after an outage of all they do not pay the same ones at once."""
    seat = next((task.seat for watch in watches for task in watch.tasks), None)
    if seat is None:
        return watches
    begin = len(watches) * seat.index // len(seat.panel.reporters)
    return [*watches[begin:], *watches[:begin]]
