"""Which question a reading answers: all that a worker knows of the agreements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from oracles.composite import services
from oracles.registry import load_once

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oracles import Query
    from relayer.document import AgreedLevel, DataSource, Document
    from relayer.scaleout.jobs import Wanted


class Question(NamedTuple):
    """What has to be asked for a feed.

    :param name: What people call the feed.
    :param salt: Hides the evidence's hash from whoever guesses what is measured.
    :param services: The names of all services that are asked: of a composite its own and those that it is made of.
    """

    name: str
    query: Query[Any]
    salt: bytes
    services: frozenset[str]


class Questions:
    """The questions of all reporters, by feed."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._levels = {
            level.feed.id: (document, level) for document in documents for level in document.levels
        }
        self._known: dict[tuple[bytes, int], Question] = {}

    def services(self) -> set[str]:
        """The names of all monitoring services that somebody reads."""
        return {
            name
            for _, level in self._levels.values()
            for agreed in level.sources.values()
            for name in services(_query(level, agreed))
        }

    def of(self, wanted: Wanted) -> Question | None:
        """None if the feed is in none of the documents."""
        key = (wanted.feed, wanted.reporter)
        if key not in self._known and wanted.feed in self._levels:
            document, level = self._levels[wanted.feed]
            reporters = level.feed.panel.reporters
            if wanted.reporter < len(reporters):
                query = _query(level, level.source_for(reporters[wanted.reporter]))
                name = f"{document.name}/{level.name}"
                self._known[key] = Question(name, query, level.salt, frozenset(services(query)))
        return self._known.get(key)


def _query(level: AgreedLevel, agreed: DataSource) -> Query[Any]:
    measurement = level.feed.measurement
    return load_once(agreed.type).query(
        agreed.spec, level.metric, first=measurement.start, length=measurement.interval
    )
