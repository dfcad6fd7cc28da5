"""Having all feeds of a panel heed what was proven on one of them: until then the oracle hears a liar on the others (rule 17)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from relayer.outbox import Item, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from relayer.seat import Seat

FEEDS_AT_ONCE: Final = 100
"""Of so many feeds the chain is asked in a round, each by a request of its own: about what one transaction can mend."""


class Heeding:
    """Finds feeds of ours that do not heed a proof. The chain says which, so it is done once, whoever does it and restarts.

    :param clock: For the turns; only differences count [s].
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done: set[tuple[str, bytes]] = set()
        self._since: dict[tuple[str, bytes], float] = {}

    def calls(self, seats: Iterable[Seat], heeds: Callable[[Seat, bytes], bool]) -> list[Outgoing]:
        """What is to be sent, and it is our turn. Asks nothing as long as nobody has equivocated.

        :param heeds: Whether a feed does already, as the chain says.
        """
        calls: list[Outgoing] = []
        now, asked = self._clock(), 0
        for seat in seats:
            if not seat.ignored:
                continue
            for reporter in seat.feeds.values():
                key = (seat.oracle.address, reporter.id)
                if key in self._done:
                    continue
                if asked == FEEDS_AT_ONCE:
                    return calls
                asked += 1
                if heeds(seat, reporter.id):
                    self._done.add(key)
                elif now - self._since.setdefault(key, now) >= seat.turn(0):
                    about = f"{reporter.name}: heeds what was proven against reporters of its panel"
                    item = Item("heed", reporter.id, 0, 1, about)
                    calls.append(Outgoing(seat.oracle.heed(reporter.feed), (item,)))
        return calls
