"""Paying what is certain: ``settle``, ``close`` and ``release`` of one agreement, as soon as they would pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import structlog
from web3.exceptions import Web3Exception

from relayer.bindings import Court, Escrow, Oracle
from relayer.outbox import Item, Outgoing
from relayer.protocol.terms import NOBODY
from relayer.rpc import LAG_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eth_typing import ChecksumAddress
    from web3 import Web3

    from relayer.bindings import Position
    from relayer.chain import Chain
    from relayer.protocol.terms import Terms

log = structlog.get_logger(__name__)

T = TypeVar("T")

_REGISTERED = ("open", "ended")
_SIDES = ("consumer", "provider")
FINAL_SECONDS = 3_600
"""How long a window that is over is asked for once more [s]."""
OLD_SECONDS = 86_400
"""A window that ended longer ago is not [s]."""
RULING_SECONDS = 30 * 86_400
"""How long an arbiter has to rule: ``RULING_PERIOD`` of the court [s]."""
MARGIN_SECONDS = 7 * 86_400
"""How long evidence is kept when nothing can be disputed any more [s]."""
CHECK_SECONDS = 600
"""How often an agreement is looked at although no feed has moved, and no window begins, ends or expires [s]."""
AGAIN_SECONDS = (5, 20, LAG_SECONDS)
"""When an agreement of which a feed has moved is asked about again [s]: whoever answered may not have heard of the report.

One that is further behind than the last of these is not asked at all.
"""


class Settler:
    """Watches the windows of one agreement.

    :param name: What people call the agreement.
    :param turn: How long to wait before paying for a window that any reporter could pay for [s].
    """

    def __init__(
        self,
        name: str,
        agreement_id: bytes,
        terms: Terms,
        chain: Chain,
        escrow: ChecksumAddress,
        *,
        turn: Callable[[int], float] = lambda _: 0.0,
    ) -> None:
        self.name = name
        self.id = agreement_id
        self.feeds = tuple(level.feed.id for level in terms.levels)
        self.oracle = terms.oracle
        self._terms = terms
        self._chain = chain
        self._escrow = Escrow(chain.w3, escrow)
        self._turn = turn
        self._window = 0
        self._windows = terms.windows
        self._over_since: dict[int, int] = {}
        self._status = ""
        self._court: ChecksumAddress | None = None
        self._unreleased = 0  # first window of which something may wait in the court
        self._look_at = 0
        self._positions: Sequence[Position] = ()
        self._ask_at: Sequence[int] = ()  # when to ask for what the feeds' last move made payable
        self._found: list[Outgoing] = []
        # Since when each payment could be made, for the turns.
        self._payable_since: dict[Item, int] = {}
        self._lapsing_since: dict[Item, int] = {}

    def is_open(self) -> bool:
        """Whether the agreement is registered; once it is, it stays so, even if it ends early.

        A document that was changed after signing has another id, which never is: nothing is reported for it.
        """
        if self._status not in _REGISTERED:
            status = self._escrow.status(self.id)
            if status in _REGISTERED:  # believed for good
                status = self._agreed(lambda escrow: escrow.status(self.id), least=1)
            if status != self._status:
                self._status = status
                log.info(
                    "agreement status",
                    action="agreement_status",
                    agreement=self.name,
                    status=status,
                )
        return self.was_open

    @property
    def was_open(self) -> bool:
        """Whether it was found to be registered; this asks nobody."""
        return self._status in _REGISTERED

    @property
    def end(self) -> int:
        """End of the last window [s, UNIX time]."""
        return self._terms.window_start(self._windows)

    @property
    def finished(self) -> bool:
        """Whether nothing can happen to any window any more."""
        over = self._window + len(self._over_since) >= self._windows
        return over and not (self._has_court and self._unreleased < self._windows)

    def disputable_since(self, now: float) -> int | None:
        """Begin of the first window whose readings a party may still have to show or to see [s, UNIX time].

        None: there is no such window. A payment waits at most two challenge periods in the court, and what was disputed by
        then is ruled on within 30 days.
        """
        terms = self._terms
        if self._status and not self.was_open:
            return None
        in_court = 2 * terms.challenge_period + RULING_SECONDS if self._has_court else 0
        for window in range(self._windows):
            unpaid = window >= self._window or (self._has_court and window >= self._unreleased)
            if unpaid or now <= terms.expiry(window) + in_court + MARGIN_SECONDS:
                return terms.window_start(window)
        return None

    def refresh(self, now: int) -> None:
        """Look what there is at ``now`` (the chain's time), if that was long ago: windows begin, end and expire."""
        if now >= self._look_at:
            self._found = self._look(now)
            self._look_at = min(now + CHECK_SECONDS, self._next_event(now))

    def payments(self, now: int, positions: Sequence[Position]) -> list[Outgoing]:
        """What can be paid at ``now`` (the chain's time), and it is our turn.

        :param positions: Where the feeds of the terms stand: while they do not move, the escrow is asked now and then only.
        """
        if positions != self._positions:
            self._ask_at = (now, *(now + seconds for seconds in AGAIN_SECONDS))
        self._positions = positions
        if self._found:
            self._look_at = 0
        if now >= self._look_at:
            self.refresh(now)
        elif any(at <= now for at in self._ask_at):
            # What a lagging node said of a window is not believed yet: it is looked at again.
            self._found = self._look(now) if self._over_since else self._certain(now)
        self._ask_at = [at for at in self._ask_at if at > now]
        return self._in_turn(self._found, self._payable_since, now)

    def lapses(self, now: int) -> list[Outgoing]:
        """The windows that have expired before all was judged: closing them makes what is missing unknown, for good."""
        if not any(now >= self._terms.expiry(window) for window in self._running(now)):
            return []
        return self._in_turn(self._look(now, lapsing=True), self._lapsing_since, now)

    def _in_turn(
        self, found: Sequence[Outgoing], since: dict[Item, int], now: int
    ) -> list[Outgoing]:
        items = {outgoing.items[0]: outgoing for outgoing in found}
        for gone in since.keys() - items.keys():
            del since[gone]  # it was made: the next of its kind has turns of its own
        return [
            outgoing
            for item, outgoing in items.items()
            if now - since.setdefault(item, now) >= self._turn(item.first)
        ]

    def _running(self, now: int) -> list[int]:
        windows = []
        for window in range(self._window, self._windows):
            if self._terms.window_start(window) > now:
                break
            windows.append(window)
        return windows

    def _next_event(self, now: int) -> int:
        """When next a window of ours begins, ends or expires; a time far off if none does."""
        later = now + 2 * CHECK_SECONDS
        for window in range(self._window, self._windows + 1):
            start = self._terms.window_start(window)
            if start > now:
                later = min(later, start)
                break
        expiries = [self._terms.expiry(window) for window in self._running(now)]
        return min([later, *(expiry for expiry in expiries if expiry > now)])

    def _look(self, now: int, *, lapsing: bool = False) -> list[Outgoing]:
        """All payments that can be made at ``now``: of windows that lapse, or of all others."""
        if not lapsing:
            self._note_end()
        found = []
        for window in self._running(now):
            status = self._status_of(window)
            if status == "funded":
                self._over_since.pop(window, None)
                if self._lapses(window, now) is lapsing and (payment := self._payment_of(window)):
                    found.append(payment)
            else:
                self._note_over(window, status, now)
        if not lapsing and self._has_court:
            found += self._releases(now)
        return found

    def _certain(self, now: int) -> list[Outgoing]:
        """What feeds that moved can have made payable: one question for each window, whatever has become of it.

        A thousand agreements are asked about after every report. The rest of :meth:`_look` does not follow from where feeds stand.
        """
        return [
            payment
            for window in self._running(now)
            if not self._lapses(window, now) and (payment := self._payment_of(window))
        ]

    def _agreed(self, read: Callable[[Escrow], T], *, least: int | None = None) -> T:
        """What enough endpoints say alike: to give a window up, or its payment, for one's word could cost a party its money."""
        return self._chain.agreed(lambda w3: read(Escrow(w3, self._escrow.address)), least=least)

    def _status_of(self, window: int) -> str:
        return self._agreed(lambda escrow: escrow.window(self.id, window))[0]

    def _note_end(self) -> None:
        """Parties may end an agreement before its last window; those before the end go on."""
        windows = self._agreed(lambda escrow: escrow.end(self.id))
        if windows != self._windows:
            self._windows = windows
            log.info(
                "agreement ends",
                action="agreement_ends",
                agreement=self.name,
                windows=windows,
            )

    def _lapses(self, window: int, now: int) -> bool:
        """Whether closing the window would turn intervals into unknown ones for good (rule 13)."""
        if now < self._terms.expiry(window):
            return False
        return not self._chain.agreed(lambda w3: self._is_judged(w3, window))

    def _is_judged(self, w3: Web3, window: int) -> bool:
        oracle = Oracle(w3, self._terms.oracle)
        try:
            return all(
                oracle.tally(level.feed, self._terms.feed_window(number, window)).complete
                for number, level in enumerate(self._terms.levels)
            )
        except (Web3Exception, ValueError):
            return False  # the escrow knows what to do about an oracle that does not answer

    def _note_over(self, window: int, status: str, now: int) -> None:
        """Closed, ended early, or it began without its fee and has lapsed: nothing can happen to it any more.

        Unless a lagging node or a reorganisation took back what we saw: it is asked for a while longer.
        """
        if window not in self._over_since:
            log.info(
                "window over",
                action="window_over",
                agreement=self.name,
                window=window,
                status="lapsed" if status == "unfunded" else status,
            )
        since = self._over_since.setdefault(window, now)
        old = now >= self._terms.window_start(window + 1) + OLD_SECONDS
        if window == self._window and (old or now - since >= FINAL_SECONDS):
            self._window += 1
            del self._over_since[window]

    def _payment_of(self, window: int) -> Outgoing | None:
        _, amount, closable = self._agreed(lambda escrow: escrow.claimable(self._terms, window))
        about = f"{self.name}: window {window}"
        if closable:
            item = Item("close", self.id, window, window + 1, about)
            return Outgoing(self._escrow.close(self._terms, window), (item,))
        if amount:
            item = Item("settle", self.id, window, window + 1, about)
            return Outgoing(self._escrow.settle(self._terms, window), (item,))
        return None

    # Payments that wait in the court

    @property
    def _has_court(self) -> bool:
        return self._terms.arbiter != NOBODY

    def _releases(self, now: int) -> list[Outgoing]:
        """What has waited its challenge period: anyone may have it paid."""
        if self._court is None:
            self._court = self._agreed(lambda escrow: escrow.court())
        court = Court(self._chain.w3, self._court)
        found = []
        for window, sides in self._waiting(court.address, now).items():
            for side, (who, (matured, _)) in enumerate(zip(_SIDES, sides, strict=True)):
                if matured:
                    about = f"{self.name}: window {window}, what waited for the {who}"
                    item = Item("release", self.id, window, window + 1, about)
                    found.append(Outgoing(court.release(self._terms, window, side), (item,)))
            # Not as soon as it is over: a node that is behind does not know yet what came into the court with that.
            over = window < self._window
            if not any(map(any, sides)) and over and window == self._unreleased:
                self._unreleased += 1
        return found

    def _waiting(self, court: ChecksumAddress, now: int) -> dict[int, tuple[tuple[int, int], ...]]:
        """For each window that has begun and not been done with: what has matured, and what has not, of either side."""
        windows = [
            window
            for window in range(self._unreleased, self._windows)
            if self._terms.window_start(window) <= now
        ]
        return self._chain.agreed(
            lambda w3: {
                window: tuple(
                    Court(w3, court).waiting(self.id, window, side) for side in range(len(_SIDES))
                )
                for window in windows
            }
        )
