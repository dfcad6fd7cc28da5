"""The one clock that all machines share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from relayer.store import Store


class DatabaseClock:
    """The database server's time [s, UNIX time].

    Who follows the answers asks for those since a moment, and jobs wait for one: were each dated by the clock of its own
    machine, one wrong clock would hide answers from the daemon.
    """

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def ask(self, store: Store) -> None:
        """Set this clock by the server. Raises StoreUnavailable."""
        with store.reading() as db:
            asked = time.monotonic()
            now = float(db.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
            self._ahead = now - (asked + time.monotonic()) / 2
