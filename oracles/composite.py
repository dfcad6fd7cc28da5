"""Adapters made of others: their questions are asked first, and what they answered is combined.

An indicator made of several, or of several intervals, is still one question with one answer and
one piece of evidence, which holds the evidence of all its parts.
"""

from __future__ import annotations

import functools
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from oracles.base import (
    Answer,
    AnyService,
    Clock,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
    SampleStore,
    SpecT,
    canonical,
    read_canonical,
)
from oracles.errors import BadRequest, GarbageAnswer, MonitoringError
from oracles.registry import load

_DEEPEST: Final = 3
"""Levels of composites in composites."""


class InnerSource(BaseModel):
    """A monitoring service and what it is asked, inside the specification of a composite."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: str = Field(min_length=1)
    spec: dict[str, Any]


_Key: TypeAlias = tuple[str, str, Interval]


class Part(NamedTuple):
    """One of the questions that a composite is made of, for one of its own intervals."""

    query: Query[Any]
    interval: Interval

    @property
    def key(self) -> _Key:
        """Names the part; parts themselves cannot be told apart quickly."""
        return self.query.key, self.query.metric.name, self.interval


Connect: TypeAlias = Callable[[str], AnyService]
"""Makes the adapter of a name, with the operator's options for it."""


class CompositeOptions(Options):
    """A composite has no options of its own: those of what it is made of count."""


class Composite(MonitoringService[SpecT, CompositeOptions], Generic[SpecT]):
    """An adapter that asks other adapters. It implements `_parts` and `_combine`.

    The adapters that it asks are its own: made when they are first needed, closed with it.
    """

    Options = CompositeOptions
    SETTLE_DELAY = 0  # that of what it is made of

    def __init__(
        self,
        options: CompositeOptions | Mapping[str, object] | None = None,
        *,
        connect: Connect | None = None,
        store: SampleStore | None = None,
        clock: Clock = time.time,
    ) -> None:
        """`connect` makes the adapters that are asked, by default with no options of their own."""
        super().__init__(options, store=store, clock=clock)
        self._connect = connect or functools.partial(_connect, options={}, clock=clock)
        self._lock = threading.Lock()
        self._services: dict[str, AnyService] = {}
        self._known: dict[tuple[str, str], Sequence[Query[Any]]] = {}

    @classmethod
    def lane(cls, query: Query[SpecT]) -> str:
        """It hangs where any of its parts does."""
        lanes = {(one.source, load(one.source).lane(one)) for one in cls._questions(query)}
        return ", ".join(sorted(f"{name} {lane}".rstrip() for name, lane in lanes))

    def close(self) -> None:
        with self._lock:
            while self._services:
                self._services.popitem()[1].close()

    def sample(self, queries: Sequence[Query[SpecT]], now: float) -> float | None:
        """Have the probes among the parts take their samples."""
        inner: dict[str, dict[str, Query[Any]]] = {}
        self._known = {_key(query): self._asked(query) for query in queries}
        for questions in self._known.values():
            for question in questions:
                inner.setdefault(question.source, {})[question.key] = question
        due = [self._service(name).sample(list(one.values()), now) for name, one in inner.items()]
        return min((at for at in due if at is not None), default=None)

    def delay(self, query: Query[SpecT]) -> int:
        return max(self._service(one.source).delay(one) for one in self._asked(query))

    # What composites implement.

    @classmethod
    @abstractmethod
    def _questions(cls, query: Query[SpecT]) -> Sequence[Query[Any]]:
        """The different questions that the query is made of. Raises BadRequest."""

    @classmethod
    @abstractmethod
    def _parts(cls, query: Query[SpecT], interval: Interval) -> Mapping[str, Part]:
        """What has to be known for one interval, by names of the composite's choice."""

    @classmethod
    @abstractmethod
    def _combine(cls, query: Query[SpecT], answers: Mapping[str, Answer]) -> Answer:
        """One answer of those of all parts."""

    # What they share.

    @classmethod
    def _check(cls, query: Query[SpecT]) -> None:
        if _depth(query.spec.model_dump(mode="json")) > _DEEPEST:
            raise BadRequest(f"{cls.name}: more than {_DEEPEST} levels of services in services")
        cls._questions(query)

    @staticmethod
    def _question(source: InnerSource, metric: str, *, first: int, length: int) -> Query[Any]:
        return load(source.type).query(source.spec, metric, first=first, length=length)

    def _read(
        self, queries: Sequence[Query[SpecT]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        parts = [self._parts(query, interval) for query in queries]
        found = self._ask({part.key: part for one in parts for part in one.values()})
        return [
            self._put_together(
                query, interval, {name: found[part.key] for name, part in one.items()}
            )
            for query, one in zip(queries, parts, strict=True)
        ]

    def _ask(self, parts: Mapping[_Key, Part]) -> dict[_Key, Reading | MonitoringError]:
        """Each part once, those of one service and interval together."""
        batches: dict[tuple[str, Interval], list[Part]] = {}
        for part in parts.values():
            batches.setdefault((part.query.source, part.interval), []).append(part)
        found: dict[_Key, Reading | MonitoringError] = {}
        for (name, interval), batch in batches.items():
            given = self._service(name).read([part.query for part in batch], interval)
            found.update(zip((part.key for part in batch), given, strict=True))
        return found

    def _put_together(
        self,
        query: Query[SpecT],
        interval: Interval,
        found: Mapping[str, Reading | MonitoringError],
    ) -> Reading | MonitoringError:
        raw = {}
        for name, reading in found.items():
            if isinstance(reading, MonitoringError):
                return reading
            raw[name] = read_canonical(reading.evidence)
        try:
            return self._reading(query, interval, raw)
        except MonitoringError as error:
            return error

    @classmethod
    def conclude(cls, query: Query[SpecT], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService: every part is concluded from its own evidence."""
        parts = cls._parts(query, interval)
        if not isinstance(raw, dict) or raw.keys() != parts.keys():
            raise GarbageAnswer(f"{cls.name}: this is not the evidence of {', '.join(parts)}")
        answers = {
            name: load(part.query.source)
            .reread(part.query, part.interval, canonical(raw[name]))
            .answer
            for name, part in parts.items()
        }
        return cls._combine(query, answers)

    def _asked(self, query: Query[SpecT]) -> Sequence[Query[Any]]:
        """The query's questions; those of the queries that are sampled every second are kept."""
        return self._known.get(_key(query)) or self._questions(query)

    def _service(self, name: str) -> AnyService:
        with self._lock:
            if name not in self._services:
                self._services[name] = self._connect(name)
            return self._services[name]


def connect(
    name: str,
    options: Mapping[str, Mapping[str, object]],
    *,
    store: Callable[[str], SampleStore] | None = None,
    clock: Clock = time.time,
) -> AnyService:
    """The adapter called `name` with its options; one made of others gets those in the same way.

    `options` are the operator's, by the adapters' names; `store` gives each name a place for
    its samples, which probes need.
    Raises what `load` raises, and BadRequest when options do not fit.
    """
    service = load(name)
    own: dict[str, Any] = {"store": store and store(name), "clock": clock}
    if issubclass(service, Composite):
        own["connect"] = functools.partial(connect, options=options, store=store, clock=clock)
    return service(options.get(name, {}), **own)


_connect = connect  # where a parameter has the name


def _key(query: Query[Any]) -> tuple[str, str]:
    return query.key, query.metric.name


def _depth(spec: object) -> int:
    """How many specifications stand inside each other, this one included."""
    if isinstance(spec, dict):
        own = 1 if "type" in spec and "spec" in spec else 0
        return own + max((_depth(value) for value in spec.values()), default=0)
    if isinstance(spec, list):
        return max((_depth(value) for value in spec), default=0)
    return 0
