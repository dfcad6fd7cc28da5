"""All checks in their order."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from relayer.cli.checks import agreements, chains, key, machine, peers, sources
from relayer.cli.checks.finding import Finding, Known, guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from relayer.cli.session import Session


class Checkup:
    """All checks of one configuration. A check that needs what another found missing is skipped.

    :param named: Documents to check instead of the configuration's.
    """

    def __init__(
        self,
        session: Session,
        named: Sequence[Path] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._known = Known(session, tuple(named), clock)

    def run(self) -> Iterator[Finding]:
        configured = guarded("configuration", self._configuration)
        yield configured
        if configured.state == "failed":
            return
        try:
            yield from self._checks()
        finally:
            if self._known.store is not None:
                self._known.store.close()

    def _checks(self) -> Iterator[Finding]:
        known = self._known
        yield guarded("database", partial(machine.database, known))
        yield guarded("machine", partial(machine.resources, known))
        yield guarded("key", partial(key.key, known))
        yield from machine.lease(known)
        yield from machine.ports(known)
        yield from machine.webhook(known)
        yield from agreements.documents(known)
        yield from chains.chains(known)
        yield from peers.exchange(known)
        yield from peers.clock(known)
        for document in known.documents:
            yield from agreements.agreement(known, document)
        for document in known.documents:
            yield from sources.sources(known, document)

    def _configuration(self) -> Finding:
        loaded = self._known.session.loaded
        files = sorted({place for place in loaded.origins.values() if ":" in place})
        named = {place.rpartition(":")[0] for place in files}
        return Finding(
            "configuration", "ok", ", ".join(sorted(named)) or "defaults and environment"
        )
