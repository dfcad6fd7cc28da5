"""What a check found, and what later checks need of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from relayer.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eth_typing import ChecksumAddress

    from relayer.chain import Chain
    from relayer.cli.session import Session
    from relayer.config import Configuration
    from relayer.document import Document
    from relayer.store import Store

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    :param state: A ``warning`` is worth a look, and nothing that keeps a relayer from working.
    :param next_step: What mends it, if not all is well.
    """

    check: str
    state: State
    detail: str
    next_step: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "state": self.state,
            "detail": self.detail,
            "nextStep": self.next_step,
        }


@dataclass
class Known:
    """What the checks so far have found out.

    :param named: Documents to check instead of the configuration's.
    :ivar chains: By chain id; those that answered.
    :ivar store: The database, if there is one already and it opened.
    :ivar in_use: A relayer is running with this key.
    :ivar blocks: For each endpoint how far its newest block is ahead of this machine's clock [s].
    :ivar clocks: The same for the clock of each peer that answered [s].
    """

    session: Session
    named: tuple[Path, ...] = ()
    clock: Callable[[], float] = time.time
    address: ChecksumAddress | None = None
    documents: list[Document] = field(default_factory=list)
    chains: dict[int, Chain] = field(default_factory=dict)
    store: Store | None = None
    in_use: bool = False
    blocks: dict[str, float] = field(default_factory=dict)
    clocks: dict[str, float] = field(default_factory=dict)

    @property
    def config(self) -> Configuration:
        return self.session.config

    @property
    def reporting(self) -> bool:
        """Whether readings of this key have to agree with those of others."""
        return any(
            level.feed.panel.quorum > 1 and self.address in level.feed.panel.reporters
            for document in self.documents
            for level in document.levels
        )


def guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """What a check finds, or the error that ended it."""
    try:
        return check()
    except MakegoodError as error:
        return Finding(name, "failed", error.message, error.hint)
