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
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeAlias

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
    Spec,
    SpecT,
    canonical,
    read_canonical,
)
from oracles.clients.http_api import answers
from oracles.errors import (
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MonitoringError,
    Throttled,
    Unavailable,
)
from oracles.registry import load, load_once
from oracles.settled import SettledReadings

_DEEPEST: Final = 3
"""Levels of composites in composites."""
_MOST: Final = 1_440
"""Raw values of a reading, counted through all levels: all of them are evidence."""
_TOGETHER: Final = 4
"""Intervals that a composite asks for at the same time."""
_SILENCE: Final = (AccessRefused, Throttled, Unavailable)
"""Errors after which a service is not asked the same question for other intervals in one go."""


class InnerSource(BaseModel):
    """A monitoring service and what it is asked, inside the specification of a composite."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: str = Field(min_length=1)
    spec: dict[str, Any]

    @property
    def checked(self) -> Spec:
        """The specification as its own adapter understands it."""
        inner: Spec = load(self.type).Spec.model_validate(self.spec)
        return inner


class CompositeSpec(Spec):
    """What the specifications of composites share: each inner one decides what is said of it."""

    def chosen(self) -> dict[str, object]:
        """See Spec: a default of an inner specification may be written or not."""
        return super().chosen() | self._inner(lambda spec: spec.chosen())

    def public(self) -> Mapping[str, object]:
        """See Spec: what an inner specification hides stays hidden."""
        return super().chosen() | self._inner(lambda spec: spec.public())

    def _inner(self, said: Callable[[Spec], Mapping[str, object]]) -> dict[str, object]:
        return {
            name: {"type": value.type, "spec": said(value.checked)}
            for name, value in self
            if isinstance(value, InnerSource)
        }


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

    The adapters that it asks are its own: made when they are first needed, closed with it. What
    they answered is kept once it has settled, so that the next reading asks for what is new.
    """

    Options = CompositeOptions
    SETTLE_DELAY = 0  # that of what it is made of
    REMEMBERED: ClassVar[int] = 1_000
    """Settled readings of parts that are kept: enough for the next attempt, if one part failed."""

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
        self._settled = SettledReadings(self.REMEMBERED)
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
        self._known = {_key(one): self._asked(one) for one in queries if self._may_ask(one)}
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

    # What composites may change.

    @classmethod
    def leaves(cls, query: Query[SpecT]) -> int:
        """Raw values that a reading needs at most, counted through all levels."""
        return sum(leaves(one) for one in cls._questions(query))

    @classmethod
    def _instead(cls, part: Part, error: MonitoringError, now: float) -> Any:  # noqa: ARG003
        """What stands in the evidence of a part that failed; None if it cannot be done without."""
        return None

    @classmethod
    def _answer(cls, part: Part, kept: Any) -> Answer:
        """What a part's evidence, or what stands there instead, amounts to. Raises GarbageAnswer."""
        service = load(part.query.source)
        return service.reread(part.query, part.interval, canonical(kept)).answer

    # What they share.

    @classmethod
    def _check(cls, query: Query[SpecT]) -> None:
        if _depth(query.spec.model_dump(mode="json")) > _DEEPEST:
            raise BadRequest(f"{cls.name}: more than {_DEEPEST} levels of services in services")
        if (count := cls.leaves(query)) > _MOST:
            raise BadRequest(
                f"{cls.name}: {count} raw values a reading, at all levels together;"
                f" allowed: up to {_MOST}"
            )

    @staticmethod
    def _question(source: InnerSource, metric: str, *, first: int, length: int) -> Query[Any]:
        return load(source.type).query(source.spec, metric, first=first, length=length)

    def _read(
        self, queries: Sequence[Query[SpecT]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        now = self._clock()
        parts = [self._parts(query, interval) for query in queries]
        found = self._ask({part.key: part for one in parts for part in one.values()}, now)
        return [
            self._put_together(query, interval, one, found, now)
            for query, one in zip(queries, parts, strict=True)
        ]

    def _ask(
        self, parts: Mapping[_Key, Part], now: float
    ) -> Mapping[_Key, Reading | MonitoringError]:
        """Each part once, those of one service and interval together; what is known is not asked."""
        known = {key: self._settled.get(key) for key in parts}
        fresh = self._fetch([part for key, part in parts.items() if known[key] is None])
        delays: dict[str, int] = {}
        for key, answer in fresh.items():
            query, interval = parts[key].query, parts[key].interval
            if query.key not in delays:
                delays[query.key] = settle_delay(query)
            # An error is never kept, nor what may still change.
            if isinstance(answer, Reading) and now >= interval.end + delays[query.key]:
                self._settled.put(key, answer)
        return {**fresh, **{key: one for key, one in known.items() if one is not None}}

    def _fetch(self, parts: Sequence[Part]) -> dict[_Key, Reading | MonitoringError]:
        batches: dict[tuple[str, Interval], list[Part]] = {}
        for part in parts:
            batches.setdefault((part.query.source, part.interval), []).append(part)
        found: dict[_Key, Reading | MonitoringError] = {}
        silent: dict[tuple[str, str], MonitoringError] = {}

        def ask(batch: Sequence[Part]) -> None:
            asked = []
            for part in batch:
                if (error := silent.get(_key(part.query))) is not None:
                    found[part.key] = error
                else:
                    asked.append(part)
            for part, answer in zip(asked, self._read_batch(asked), strict=True):
                found[part.key] = answer
                if isinstance(answer, _SILENCE):
                    silent[_key(part.query)] = answer

        # The newest first: what is too old to be had must not hold up a window that begins after it.
        newest = sorted(batches, key=lambda one: one[1].end, reverse=True)
        # Composites in composites have threads of their own: more would multiply.
        inner = any(issubclass(load(name), Composite) for name, _ in batches)
        answers(ask, [batches[one] for one in newest], 1 if inner else _TOGETHER)
        return {part.key: found[part.key] for part in parts}

    def _read_batch(self, batch: Sequence[Part]) -> Sequence[Reading | MonitoringError]:
        """Parts of one service and interval."""
        if not batch:
            return []
        try:
            service = self._service(batch[0].query.source)
            return service.read([part.query for part in batch], batch[0].interval)
        except MonitoringError as error:  # the operator's options do not fit
            return [error] * len(batch)

    def _put_together(
        self,
        query: Query[SpecT],
        interval: Interval,
        parts: Mapping[str, Part],
        found: Mapping[_Key, Reading | MonitoringError],
        now: float,
    ) -> Reading | MonitoringError:
        raw = {}
        for name, part in parts.items():
            reading = found[part.key]
            if isinstance(reading, Reading):
                raw[name] = read_canonical(reading.evidence)
            elif (instead := self._instead(part, reading, now)) is not None:
                raw[name] = instead
            else:
                return reading
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
        return cls._combine(
            query, {name: cls._answer(part, raw[name]) for name, part in parts.items()}
        )

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


def settle_delay(query: Query[Any]) -> int:
    """Default seconds after an interval's end before the answer no longer changes.

    That of a composite is its slowest part's.
    """
    service = load(query.source)
    if issubclass(service, Composite):
        return max(settle_delay(one) for one in service._questions(query))  # noqa: SLF001 - ours
    return service.SETTLE_DELAY


def services(query: Query[Any]) -> set[str]:
    """The name of the service that is asked and, if it is made of others, of all those that it asks."""
    service = load_once(query.source)
    inner = service._questions(query) if issubclass(service, Composite) else ()  # noqa: SLF001 - ours
    return {query.source}.union(*map(services, inner))


def keeps_history(query: Query[Any]) -> bool:
    """Whether a service can be asked afterwards; one made of others, whether all of those can."""
    return all(
        issubclass(one, Composite) or one.sample is MonitoringService.sample
        for one in map(load_once, services(query))
    )


def leaves(query: Query[Any]) -> int:
    service = load(query.source)
    return service.leaves(query) if issubclass(service, Composite) else 1


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
