"""Paying what is certain: ``settle`` and ``close`` of one agreement, as soon as they would pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from relayer.outbox import Outgoing

if TYPE_CHECKING:
    from relayer.bindings import Escrow
    from relayer.protocol.terms import Terms

log = structlog.get_logger(__name__)


class Settler:
    """Watches the windows of one agreement.

    :param name: What people call the agreement.
    """

    def __init__(self, name: str, agreement_id: bytes, terms: Terms, escrow: Escrow) -> None:
        self.name = name
        self.id = agreement_id
        self._terms = terms
        self._escrow = escrow
        self._window = 0
        self._status = ""

    def is_open(self) -> bool:
        """Whether the agreement is registered; once it is, it stays so.

        A document that was changed after signing has another id, which never is: nothing is reported for it.
        """
        if self._status != "open":
            status = self._escrow.status(self.id)
            if status != self._status:
                self._status = status
                log.info(
                    "agreement status",
                    action="agreement_status",
                    agreement=self.name,
                    status=status,
                )
        return self._status == "open"

    @property
    def finished(self) -> bool:
        """Whether every window is closed or has lapsed."""
        return self._window >= self._terms.windows

    def payment(self, now: int) -> Outgoing | None:
        """The first payment that can be made at ``now`` (the chain's time)."""
        window = self._window
        while window < self._terms.windows and self._terms.window_start(window) <= now:
            status, _ = self._escrow.window(self.id, window)
            if status == "funded":
                if payment := self._payment_of(window):
                    return payment
            elif window == self._window:
                # Closed, or it began without its fee and has lapsed: nothing can happen to it any more.
                self._window += 1
                log.info(
                    "window over",
                    action="window_over",
                    agreement=self.name,
                    window=window,
                    status="closed" if status == "closed" else "lapsed",
                )
            window += 1
        return None

    def _payment_of(self, window: int) -> Outgoing | None:
        _, amount, closable = self._escrow.claimable(self._terms, window)
        about = f"{self.name}: window {window}"
        if closable:
            return Outgoing(self._escrow.close(self._terms, window), "close", self.id, about)
        if amount:
            return Outgoing(self._escrow.settle(self._terms, window), "settle", self.id, about)
        return None
