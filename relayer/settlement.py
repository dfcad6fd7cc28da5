"""Paying what is certain: ``settle`` and ``close`` of one agreement, as soon as they would pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from web3.exceptions import Web3Exception

from relayer.outbox import Outgoing

if TYPE_CHECKING:
    from relayer.bindings import Escrow, Oracle
    from relayer.protocol.terms import Terms

log = structlog.get_logger(__name__)

_REGISTERED = ("open", "ended")
FINAL_SECONDS = 3_600
"""How long a window that is over is asked for once more [s]."""
OLD_SECONDS = 86_400
"""A window that ended longer ago is not [s]."""


class Settler:
    """Watches the windows of one agreement.

    :param name: What people call the agreement.
    """

    def __init__(
        self, name: str, agreement_id: bytes, terms: Terms, escrow: Escrow, oracle: Oracle
    ) -> None:
        self.name = name
        self.id = agreement_id
        self._terms = terms
        self._escrow = escrow
        self._oracle = oracle
        self._window = 0
        self._windows = terms.windows
        self._over_since: dict[int, int] = {}
        self._status = ""

    def is_open(self) -> bool:
        """Whether the agreement is registered; once it is, it stays so, even if it ends early.

        A document that was changed after signing has another id, which never is: nothing is reported for it.
        """
        if self._status not in _REGISTERED:
            status = self._escrow.status(self.id)
            if status != self._status:
                self._status = status
                log.info(
                    "agreement status",
                    action="agreement_status",
                    agreement=self.name,
                    status=status,
                )
        return self._status in _REGISTERED

    @property
    def end(self) -> int:
        """End of the last window [s, UNIX time]."""
        return self._terms.window_start(self._windows)

    @property
    def finished(self) -> bool:
        """Whether nothing can happen to any window any more."""
        return self._window + len(self._over_since) >= self._windows

    def payment(self, now: int, *, lapsing: bool) -> Outgoing | None:
        """The first payment that can be made at ``now`` (the chain's time).

        :param lapsing: Whether to look at windows that have expired before all was judged, where what is missing would
            become unknown, or at all others.
        """
        if not lapsing:
            self._note_end()
        window = self._window
        while window < self._windows and self._terms.window_start(window) <= now:
            status, _ = self._escrow.window(self.id, window)
            if status == "funded":
                self._over_since.pop(window, None)
                if self._lapses(window, now) is lapsing and (payment := self._payment_of(window)):
                    return payment
            else:
                self._note_over(window, status, now)
            window += 1
        return None

    def _note_end(self) -> None:
        """Parties may end an agreement before its last window; those before the end go on."""
        windows = self._escrow.end(self.id)
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
        try:
            return not all(
                self._oracle.tally(level.feed, self._terms.feed_window(number, window)).complete
                for number, level in enumerate(self._terms.levels)
            )
        except (Web3Exception, ValueError):
            return True  # the escrow knows what to do about an oracle that does not answer

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
        _, amount, closable = self._escrow.claimable(self._terms, window)
        about = f"{self.name}: window {window}"
        if closable:
            return Outgoing(self._escrow.close(self._terms, window), "close", self.id, about)
        if amount:
            return Outgoing(self._escrow.settle(self._terms, window), "settle", self.id, about)
        return None
