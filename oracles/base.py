"""The boundary: what every monitoring service is asked and what it may answer."""

from __future__ import annotations

import difflib
import enum
import functools
import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Generic,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    final,
)

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oracles.errors import AccessRefused, BadRequest, GarbageAnswer, MonitoringError, Unavailable
from oracles.only import permits
from oracles.units import Metric, encode
from oracles.wrong_fields import wrong_fields

if TYPE_CHECKING:
    from types import TracebackType

Clock: TypeAlias = Callable[[], float]
"""Returns the current time in UNIX seconds."""


@dataclass(frozen=True, order=True)
class Interval:
    """The half-open span [start, end) in whole UNIX seconds, UTC."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"[{self.start}, {self.end}) is not an interval")

    @property
    def seconds(self) -> int:
        return self.end - self.start


# --- The three answers ---------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class Value:
    """A measured amount in the unit of the metric. A fraction: exact, and never NaN."""

    amount: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", Fraction(self.amount))


class Absence(enum.Enum):
    """The two answers that are not numbers. They do not compare with, or turn into, one."""

    NO_DATA = "no data"
    """The monitoring service answered, and has nothing (or too little) for the interval."""
    NOT_APPLICABLE = "not applicable"
    """There was nothing to measure, for instance because the customer had stopped the service."""


NO_DATA: Final = Absence.NO_DATA
NOT_APPLICABLE: Final = Absence.NOT_APPLICABLE
Answer: TypeAlias = Value | Absence


@dataclass(frozen=True)
class Reading:
    """One answer of one monitoring service for one interval.

    `evidence` is the raw answer as canonical JSON: the same bytes however often a closed interval
    is read, and without any credential. A value outside the range of its metric cannot become a
    reading: the constructor raises GarbageAnswer.
    """

    answer: Answer
    metric: Metric
    interval: Interval
    source: str
    evidence: bytes

    def __post_init__(self) -> None:
        if isinstance(self.answer, Value):
            encode(self.metric, self.answer.amount)


def canonical(document: Any) -> bytes:
    """The RFC 8785 form of a JSON document: equal documents give equal bytes.

    Raises ValueError for what JSON cannot hold.
    """
    return rfc8785.dumps(document)


def read_canonical(text: bytes | str) -> Any:
    """The inverse of `canonical`. Raises ValueError or RecursionError for what is no JSON."""

    def whole(digits: str) -> int | float:
        # Canonical JSON writes large doubles like whole numbers, too: 1e17, say.
        number = int(digits)
        return number if abs(number) < 2**53 else float(digits)

    return json.loads(text, parse_int=whole)


# --- Configuration -------------------------------------------------------------------------------


class Spec(BaseModel):
    """What both parties agree to have measured. Part of the signed document: no credentials."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def chosen(self) -> dict[str, object]:
        """What differs from the defaults, fit for `canonical`: equal for equal questions.

        A default may be written or not, and a field that is added with one changes nothing: old
        evidence and samples stay what they are, and parties with different versions agree.
        """
        return self.model_dump(mode="json", exclude_defaults=True)

    def public(self) -> Mapping[str, object]:
        """What may stand in evidence of `chosen`, fit for `canonical`."""
        return self.chosen()


class Options(BaseModel):
    """What the operator of one reporter chooses: how to reach the monitoring service. Not signed.

    Nothing here may change what a reading means.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    only: tuple[dict[str, Any], ...] = Field(default=({},), min_length=1)
    """Patterns of specifications: nothing else is asked, whatever a document says. By default
    everything is, for each document that the operator agrees to. See `oracles.only`."""


SpecT = TypeVar("SpecT", bound=Spec)
OptionsT = TypeVar("OptionsT", bound=Options)
_ModelT = TypeVar("_ModelT", bound=BaseModel)


@dataclass(frozen=True)
class Query(Generic[SpecT]):
    """A question that is asked again for every interval. Made by `MonitoringService.query`.

    Interval n is [first + n * length, first + (n + 1) * length), in UNIX seconds.
    """

    source: str
    spec: SpecT
    metric: Metric
    first: int
    length: int

    @functools.cached_property
    def key(self) -> str:
        """Names the question in a SampleStore. Metrics of one specification share their samples."""
        document = [self.source, self.spec.chosen(), self.first, self.length]
        return hashlib.sha256(canonical(document)).hexdigest()

    def interval(self, number: int) -> Interval:
        """Interval `number`, counted from 0. Raises ValueError before the first one."""
        if number < 0:
            raise ValueError(f"there is no interval {number}")
        start = self.first + number * self.length
        return Interval(start, start + self.length)

    def asks(self, interval: Interval) -> bool:
        """Whether `interval` is one of this query's."""
        offset = interval.start - self.first
        return interval.seconds == self.length and offset >= 0 and offset % self.length == 0


class SampleStore(Protocol):
    """Where a probe keeps its samples until the interval is over. Must be thread-safe.

    Each configured source has a store, or a name space in one, of its own.
    """

    def put(self, key: str, at: int, sample: bytes) -> None:
        """Keep `sample`, planned for UNIX second `at`. The first one kept for a second stands."""

    def get(self, key: str, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """All (at, sample) with start <= at < end, ascending."""


# --- The services --------------------------------------------------------------------------------


class MonitoringService(ABC, Generic[SpecT, OptionsT]):
    """An adapter for one kind of monitoring service.

    An adapter sets the class attributes and implements `_read`, which fetches, and `conclude`,
    which judges what was fetched; a probe that measures by itself also implements `sample`. It must
    be safe to call `read` and `sample` from several threads.
    """

    name: ClassVar[str]
    """The name used in documents; also of the module, the docs page, the sample and the extra."""
    METRICS: ClassVar[Mapping[str, Metric]]
    """The metrics it can measure, by name."""
    SETTLE_DELAY: ClassVar[int]
    """Default seconds after an interval's end before its answer no longer changes."""
    Spec: type[SpecT]
    Options: type[OptionsT]

    def __init__(
        self,
        options: OptionsT | Mapping[str, object] | None = None,
        *,
        store: SampleStore | None = None,
        clock: Clock = time.time,
    ) -> None:
        """Raises BadRequest when the options do not fit. Connects to nothing.

        `store` is needed by probes only.
        """
        given = {} if options is None else options
        self._options = _validated(self.Options, given, f"options of {self.name}")
        for field in {name for pattern in self._options.only for name in pattern}:
            if field not in self.Spec.model_fields:
                raise BadRequest(f"only: no field {choices(field, self.Spec.model_fields)}")
        self._store = store
        self._clock = clock
        self._prepare()

    @classmethod
    def query(
        cls, spec: SpecT | Mapping[str, object], metric: str, *, first: int, length: int
    ) -> Query[SpecT]:
        """Check a question once, before anyone signs it.

        `first` is the start of interval 0 in UNIX seconds, `length` the interval in seconds.
        Raises BadRequest, saying what is wrong, for everything that no retry can mend.
        """
        if metric not in cls.METRICS:
            raise BadRequest(f"{cls.name} has no metric {choices(metric, cls.METRICS)}")
        if first < 0 or length < 1:
            raise BadRequest(f"first {first} and length {length} do not make intervals")
        checked = _validated(cls.Spec, spec, f"specification for {cls.name}")
        query = Query(cls.name, checked, cls.METRICS[metric], first, length)
        cls._check(query)
        return query

    @classmethod
    def lane(cls, query: Query[SpecT]) -> str:  # noqa: ARG003 - most adapters have one place to ask
        """What hangs together: a short name of the server that answers, say, without a credential.

        Questions of one lane are asked one after the other, lanes side by side: whoever reads has a
        thread, and an adapter, for each.
        """
        return ""

    @final
    def read(
        self, queries: Sequence[Query[SpecT]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        """Ask all `queries` for one closed interval; answers come in the same order.

        A query that fails has its error in its place and spoils no other. Nothing is raised but
        programming errors. Reading twice gives equal readings, once the answer has settled.
        """
        answers: dict[int, Reading | MonitoringError] = {}
        now = self._clock()
        for place, query in enumerate(queries):
            if (error := self._cannot_ask(query, interval, now)) is not None:
                answers[place] = error
        asked = [place for place in range(len(queries)) if place not in answers]
        if asked:
            given = self._read([queries[place] for place in asked], interval)
            answers.update(zip(asked, given, strict=True))
        return [answers[place] for place in range(len(queries))]

    @final
    def read_span(
        self, queries: Sequence[Query[SpecT]], intervals: Sequence[Interval]
    ) -> Sequence[Sequence[Reading | MonitoringError | None]]:
        """What `read` gives for each of several intervals, in as few calls as the service allows.

        The answers of all queries for the first interval, then for the second, and so on. Where one
        call cannot tell what `read` would give, there is None: that interval is to be read alone.
        """
        now = self._clock()
        found: dict[tuple[int, Interval], Reading | MonitoringError | None] = {}
        alike: dict[tuple[Interval, ...], list[int]] = {}
        for place, query in enumerate(queries):
            errors = {one: self._cannot_ask(query, one, now) for one in intervals}
            found.update(((place, one), error) for one, error in errors.items())
            alike.setdefault(tuple(one for one in intervals if not errors[one]), []).append(place)
        for some, places in alike.items():
            given = self._read_span([queries[place] for place in places], some) if some else ()
            for one, answers in zip(some, given, strict=True):
                found.update(zip(((place, one) for place in places), answers, strict=True))
        return [[found[place, one] for place in range(len(queries))] for one in intervals]

    @final
    def read_one(self, query: Query[SpecT], interval: Interval) -> Reading:
        """Ask one query. Raises its MonitoringError."""
        [answer] = self.read([query], interval)
        if isinstance(answer, MonitoringError):
            raise answer
        return answer

    @final
    @classmethod
    def reread(cls, query: Query[SpecT], interval: Interval, evidence: bytes) -> Reading:
        """The reading that evidence holds: what anybody to whom it was handed concludes from it.

        Needs no connection and no credential. Raises GarbageAnswer, saying why, if the evidence is
        not canonical, belongs to another question or interval, or means nothing.
        """
        answer = cls.conclude(query, interval, answer_in(query, interval, evidence))
        return Reading(answer, query.metric, interval, query.source, evidence)

    def sample(  # the default answer needs no arguments
        self,
        queries: Sequence[Query[SpecT]],  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> float | None:
        """Start the samples that are due at `now` (UNIX seconds), without waiting for them.

        Returns when to call again, or None from a service that keeps its own history. Never
        raises because of what is measured.
        """
        return None

    def delay(self, query: Query[SpecT]) -> int:  # noqa: ARG002 - most services need none
        """Seconds after an interval's end before which `read` refuses it."""
        return 0

    def close(self) -> None:
        """Release connections and threads. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # the options may hold what a log must not

    @final
    @classmethod
    def reads_spans(cls) -> bool:
        """Whether several intervals take fewer calls by `read_span` than one by one."""
        return cls._read_span is not MonitoringService._read_span

    def _cannot_ask(
        self, query: Query[SpecT], interval: Interval, now: float
    ) -> MonitoringError | None:
        """Why a query cannot be asked for an interval, now or ever; None if it can."""
        if query.source != self.name or not query.asks(interval):
            return BadRequest(f"{interval} does not belong to this query of {query.source}")
        if not self._may_ask(query):
            return AccessRefused(f"{self.name}: the own option `only` has no pattern for this")
        if (ready := interval.end + self.delay(query)) > now:
            return Unavailable(f"{interval} cannot be read before {ready}", retry_after=ready - now)
        return None

    # What adapters implement and use.

    def _prepare(self) -> None:
        """Make what the options ask for; the end of the constructor. Connects to nothing.

        Raises BadRequest where that cannot be, because a reference to a secret leads nowhere, say.
        """

    def _may_ask(self, query: Query[SpecT]) -> bool:
        """Whether the operator lets this question be asked: `read` heeds it, `sample` has to."""
        only = self._options.only
        return {} in only or permits(only, query.spec.model_dump(mode="json"))

    def _read_span(
        self, queries: Sequence[Query[SpecT]], intervals: Sequence[Interval]
    ) -> Sequence[Sequence[Reading | MonitoringError | None]]:
        """`_read` for each of several intervals; one call may ask for a series that spans them.

        The readings must be those of each interval alone, to the byte: None where that is not sure.
        """
        return [self._read(queries, interval) for interval in intervals]

    @abstractmethod
    def _read(
        self, queries: Sequence[Query[SpecT]], interval: Interval
    ) -> Sequence[Reading | MonitoringError]:
        """Answer each query, in order. `interval` is over and belongs to every query."""

    @classmethod
    def _check(cls, query: Query[SpecT]) -> None:
        """Raise BadRequest for what the types of the specification cannot express."""

    @classmethod
    @abstractmethod
    def conclude(cls, query: Query[SpecT], interval: Interval, raw: Any) -> Answer:
        """What the raw answer means, and nothing else: the same for whoever asks, wherever.

        `raw` is what `_read` has put into `_reading`, as it comes back from JSON. It may also be
        what a stranger hands over: raises GarbageAnswer for whatever is no answer.
        """

    @final
    def _reading(self, query: Query[SpecT], interval: Interval, raw: object) -> Reading:
        """Put a reading together. `raw`, what the service said, must fit `canonical`.

        Raises GarbageAnswer, with the evidence. What is concluded is concluded from the evidence
        itself, so that it cannot depend on what the evidence lacks.
        """
        try:
            evidence = canonical({**_about(query, interval), "answer": raw})
        except ValueError as error:
            raise GarbageAnswer(f"{self.name}: the answer cannot be kept ({error})") from error
        try:
            return self.reread(query, interval, evidence)
        except GarbageAnswer as error:
            error.evidence = evidence
            raise


AnyService: TypeAlias = MonitoringService[Any, Any]


def _about(query: Query[Any], interval: Interval) -> dict[str, Any]:
    """What evidence says beside the raw answer."""
    return {
        "interval": [interval.start, interval.end],
        "metric": query.metric.name,
        "source": query.source,
        "spec": query.spec.public(),
        "unit": query.metric.unit.name,
    }


def answer_in(query: Query[Any], interval: Interval, evidence: bytes) -> Any:
    """The raw answer that stands in evidence of this question and interval, not judged yet.

    Raises GarbageAnswer if the evidence is not canonical, or that of something else.
    """
    try:
        said = read_canonical(evidence)
        kept = canonical(said)
    except (ValueError, RecursionError):
        raise GarbageAnswer("the evidence is not JSON") from None
    raw = said.get("answer") if isinstance(said, dict) else None
    expected = _about(query, interval)
    for name, value in expected.items():
        if not isinstance(said, dict) or said.get(name) != value:
            raise GarbageAnswer(f"the evidence is about another {name}")
    if not evidence == kept == canonical({**expected, "answer": raw}):
        raise GarbageAnswer("the evidence is not in its canonical form")
    return raw


def choices(name: str, known: Iterable[str]) -> str:
    """`name` beside what exists, with the nearest hit: the middle of an error message."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name!r} (there is: {', '.join(names)}{hint})"


def _validated(model: type[_ModelT], given: object, what: str) -> _ModelT:
    """Like `model_validate`, but its error never repeats the input, which may be a secret."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadRequest(f"{what}: {wrong_fields(model, error)}") from None
