"""What all probes share: adapters that keep no history to ask for, but measure by themselves.

A probe takes its samples while the interval runs, stores each, and answers afterwards from the
store alone. What it did not measure it does not know: with too few samples the answer is "no
data", never "up" and never "down". docs/oracles/probes.md says the same to its users.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import secrets
import time
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from oracles.base import (
    NO_DATA,
    Answer,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
    Spec,
    Value,
    canonical,
)
from oracles.border import EVERYWHERE, AllowedNetworks, Border
from oracles.errors import AccessRefused, BadRequest, GarbageAnswer, MonitoringError
from oracles.probing.address import HostPort, split
from oracles.probing.deadline import Failed, Reason, connect, failing
from oracles.probing.outside import Outside
from oracles.registry import load
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

LATENESS: Final = 2
"""Seconds by which a sample may start late; later it is left out, not made up for."""

_CONTROL_TIMEOUT: Final = 2
"""Seconds to wait for each control."""

_EXTRA: Final = 2
"""Times the planned samples that an interval may have: whoever takes over from a relayer that ended
draws times of its own."""

_SECRET: Final = secrets.token_bytes(32)
"""Draws the times of samples. Nobody else has it, and it ends with this process."""

_OURS: Final = frozenset({"own", "forbidden", "inside"})
"""Failures that say nothing about the service."""

_SILENCE: Final = frozenset({"timeout", "dns", "connection"})
"""Failures that look the same when our own network is at fault."""


class ProbeSpec(Spec):
    """When samples are taken, and how many make a reading."""

    samples: int = Field(default=5, ge=1, le=3600)
    """Samples planned per interval."""
    min_samples: int | None = Field(default=None, ge=1)
    """Samples below which there is no data; by default half of the planned, rounded up."""
    timeout: Decimal = Field(default=Decimal(5), ge=Decimal("0.1"), le=20, decimal_places=3)
    """Seconds for one whole sample."""

    @property
    def needed(self) -> int:
        """Samples that make a reading."""
        return (self.samples + 1) // 2 if self.min_samples is None else self.min_samples


class ProbeOptions(Options):
    """What the operator of one reporter may set for every probe."""

    control: tuple[HostPort, ...] = ()
    """host:port of independent places. If none accepts a connection, our network is at fault."""
    allowed_networks: AllowedNetworks = ()
    """What documents may have this machine ask inside its own network: by default nothing."""
    workers: int = Field(default=64, ge=1, le=1024)
    """Samples taken at the same time at most."""


Number = Annotated[int, Field(ge=0, strict=True)]
"""A number in a sample: whole, not negative."""


@dataclass(frozen=True)
class Sample:
    """One sample as it stands in evidence; the numbers that an adapter adds are its own fields.

    A void one does not count: the fault was our own. `at` is the UNIX second it was planned for.
    `reason` is a word of a closed list, never a message; `elapsed_us` is in microseconds, from
    looking up the name to the end.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    at: Number
    outcome: Literal["up", "down", "void"]
    reason: Literal["ok"] | Reason
    elapsed_us: Number


ProbeSpecT = TypeVar("ProbeSpecT", bound=ProbeSpec)
ProbeOptionsT = TypeVar("ProbeOptionsT", bound=ProbeOptions)
SampleT = TypeVar("SampleT", bound=Sample)


class Probe(
    MonitoringService[ProbeSpecT, ProbeOptionsT], Generic[ProbeSpecT, ProbeOptionsT, SampleT]
):
    """A probe says what one sample is (`_measure`) and which further metrics samples give.

    Availability is samples up per sample counted, latency the mean of the samples up.
    """

    METRICS: ClassVar[Mapping[str, Metric]] = {
        "availability": METRICS["availability"],
        "latency": METRICS["latency"],
    }
    SETTLE_DELAY = 30
    Sample: type[SampleT]
    _adapter: ClassVar[TypeAdapter[list[Any]]]

    def __init_subclass__(cls) -> None:
        """Learn the form of the adapter's samples."""
        cls._adapter = TypeAdapter(list[cls.Sample])  # type: ignore[name-defined]  # a class by now

    def _prepare(self) -> None:
        if self._store is None:
            raise BadRequest(f"{self.name} takes samples and needs a store for them")
        self._samples = self._store
        self._outside = Outside(self._samples, self._clock)
        self._border = Border(self.name, self._options.allowed_networks, self._outside)
        self._current: dict[str, tuple[int, int]] = {}
        self._workers = ThreadPoolExecutor(self._options.workers, self.name)

    @abstractmethod
    def _measure(self, spec: ProbeSpecT) -> Mapping[str, int]:
        """Look at the service once, within `spec.timeout` seconds, in a thread of the pool.

        What the specification names is asked within `self._border` only.

        Returns the sample's own fields if the service is up. Raises Failed if it is not, with the
        fields that are known all the same.
        """

    def sample(self, queries: Sequence[Query[ProbeSpecT]], now: float) -> float | None:
        """Start the samples due at `now`, each in a thread of the pool.

        An interval with n samples has n equal parts, and each part one sample, at a second that is
        drawn from it: even, but nobody can tell when. Nothing but the service being up most of the
        time makes most samples find it up. One missed by more than LATENESS is left out.
        """
        current: dict[str, tuple[int, int]] = {}
        due: int | None = None
        for key, query in {query.key: query for query in queries}.items():
            slot = self._current.get(key)
            if slot is None or not slot[0] <= now < slot[1]:
                slot = _slot(query, now)
                late = now - slot[0] > LATENESS
                if not late and slot[0] >= query.first and self._may_ask(query):
                    self._workers.submit(self._take, query, slot[0])
            current[key] = slot
            due = slot[1] if due is None else min(due, slot[1])
        self._current = current
        return due

    def delay(self, query: Query[ProbeSpecT]) -> int:
        """Time for a sample that began as late as it may and took as long as it may."""
        controls = _CONTROL_TIMEOUT * len(self._options.control)
        return math.ceil(LATENESS + query.spec.timeout + controls)

    def close(self) -> None:
        """Wait for the samples that are running; forget those that are not."""
        self._workers.shutdown(cancel_futures=True)

    @classmethod
    def _check(cls, query: Query[ProbeSpecT]) -> None:
        spec, length = query.spec, query.length
        if spec.needed > spec.samples:
            raise BadRequest(f"min_samples {spec.needed} is more than samples {spec.samples}")
        if spec.timeout * spec.samples > length:
            raise BadRequest(
                f"{spec.samples} samples of up to {spec.timeout} s do not fit into {length} s"
            )
        if spec.samples > length:
            raise BadRequest(f"{spec.samples} samples in {length} s are more than one a second")

    @classmethod
    def refusal(cls, reason: str) -> str | None:
        """What the operator must do about samples that fail for this; None where that is nothing."""
        if reason == "inside":
            return (
                f"{cls.name}: what is asked lies inside the own network, where documents lead"
                f" nobody: list it in sources.{cls.name}.allowed_networks if it is meant"
            )
        return None

    # Sampling, in the threads of the pool.

    def _take(self, query: Query[ProbeSpecT], at: int) -> None:
        label = {"source": self.name, "key": query.key, "at": at}
        try:
            if self._clock() - at > LATENESS:
                log.warning(
                    "sample skipped: all workers are busy",
                    extra={"action": "sample_skipped", **label},
                )
                return
            part = _part(query, at)
            if self._samples.get(query.key, _begin(query, part), _begin(query, part + 1)):
                return  # taken before a restart, at a time that was drawn then
            sample = self._once(query.spec)
            end = query.first + ((at - query.first) // query.length + 1) * query.length
            # A second before anybody may read the interval: what was read must not change.
            if self._clock() > end + self.delay(query) - 1:
                log.warning(
                    "sample dropped: it took too long", extra={"action": "sample_dropped", **label}
                )
                return
            self._samples.put(query.key, at, canonical(sample))
            self._outside.save()
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            # the name only: a message may quote what it was working on
            log.error(  # noqa: TRY400
                "sample lost: %s", type(error).__name__, extra={"action": "sample_lost", **label}
            )

    def _once(self, spec: ProbeSpecT) -> dict[str, object]:
        """One sample, without its time, as it is stored."""
        reason: Literal["ok"] | Reason = "ok"
        began = time.monotonic_ns()
        try:
            seen = self._measure(spec)
        except Failed as failed:
            reason, seen = failed.reason, failed.seen
        elapsed = (time.monotonic_ns() - began) // 1000
        return {**seen, "outcome": self._outcome(reason), "reason": reason, "elapsed_us": elapsed}

    def _outcome(self, reason: str) -> str:
        if reason == "ok":
            return "up"
        ours = reason in _OURS or (reason in _SILENCE and not self._network_works())
        return "void" if ours else "down"

    def _network_works(self) -> bool:
        """Whether any control accepts a connection; without controls the benefit of the doubt."""
        for control in self._options.control:
            host, port = split(control)
            try:
                with (
                    failing(),
                    connect(host, port or 0, time.monotonic() + _CONTROL_TIMEOUT, EVERYWHERE),
                ):
                    return True
            except Failed:
                continue
        return not self._options.control

    # Answering, from the store.

    def _read(
        self, queries: Sequence[Query[ProbeSpecT]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        return [self._answer(query, interval) for query in queries]

    def _answer(self, query: Query[ProbeSpecT], interval: Interval) -> Reading | MonitoringError:
        stored = self._samples.get(query.key, interval.start, interval.end)
        try:
            samples = self._adapter.validate_python(
                [{**json.loads(text), "at": at} for at, text in stored]
            )
        except (ValueError, TypeError):  # pydantic's ValidationError is a ValueError
            return GarbageAnswer(f"the store holds something else than samples for {query.key}")
        raw = {"needed": query.spec.needed, "samples": self._adapter.dump_python(samples)}
        # waiting gives no more data here: the operator must act
        if sum(sample.outcome != "void" for sample in samples) < query.spec.needed:
            for sample in samples:
                if (text := self.refusal(sample.reason)) is not None:
                    return AccessRefused(text)
        try:
            return self._reading(query, interval, raw)
        except GarbageAnswer as error:
            return error

    @classmethod
    def conclude(cls, query: Query[ProbeSpecT], interval: Interval, raw: Any) -> Answer:
        """See MonitoringService: what the samples that count amount to."""
        counted = cls._counted(query, interval, raw)
        if len(counted) < query.spec.needed:
            return NO_DATA
        amount = cls._amount(query, counted)
        return NO_DATA if amount is None else Value(amount)

    @classmethod
    def _counted(cls, query: Query[ProbeSpecT], interval: Interval, raw: Any) -> list[SampleT]:
        """The samples in `raw` that are not void. Raises GarbageAnswer."""
        if not isinstance(raw, dict) or raw.keys() != {"needed", "samples"}:
            raise GarbageAnswer(f"these are not samples of {cls.name}")
        try:
            samples: list[SampleT] = cls._adapter.validate_python(raw["samples"])
        except ValidationError:
            raise GarbageAnswer(f"these are not samples of {cls.name}") from None
        if raw["needed"] != query.spec.needed:
            raise GarbageAnswer(f"{query.spec.needed} samples are needed, not another number")
        if len(samples) > _EXTRA * query.spec.samples:
            raise GarbageAnswer(f"{len(samples)} samples, where {query.spec.samples} are planned")
        before = interval.start - 1
        for sample in samples:
            if not before < sample.at < interval.end:
                raise GarbageAnswer("a sample lies outside its interval, or is there twice")
            before = sample.at
        return [sample for sample in samples if sample.outcome != "void"]

    @classmethod
    def _amount(cls, query: Query[ProbeSpecT], counted: Sequence[SampleT]) -> Fraction | None:
        """What `counted`, which are enough, amount to in the metric's unit; None is no data."""
        up = [sample for sample in counted if sample.outcome == "up"]
        if query.metric.name == "availability":
            return Fraction(len(up) * 1_000_000, len(counted))
        if not up:
            return None
        return Fraction(sum(sample.elapsed_us for sample in up), 1000 * len(up))


def refusal(name: str, reason: str) -> str | None:
    """See `Probe.refusal`, for a sample of the adapter called `name`."""
    service = load(name)
    return service.refusal(reason) if issubclass(service, Probe) else None


def _slot(query: Query[Any], now: float) -> tuple[int, int]:
    """The seconds of the latest sample planned at or before `now`, and of the next one."""
    part = _part(query, int(now))
    if _planned(query, part) > now:
        part -= 1
    return _planned(query, part), _planned(query, part + 1)


def _begin(query: Query[Any], part: int) -> int:
    """The first second of a part; parts are counted through all intervals."""
    samples: int = query.spec.samples
    return query.first + part * query.length // samples


def _part(query: Query[Any], second: int) -> int:
    """The part that a second belongs to."""
    samples: int = query.spec.samples
    return ((second - query.first + 1) * samples - 1) // query.length


def _planned(query: Query[Any], part: int) -> int:
    """The second that is drawn from a part: the same whenever this process asks, and in no other."""
    begin, end = _begin(query, part), _begin(query, part + 1)
    drawn = hashlib.blake2b(f"{query.key} {part}".encode(), key=_SECRET, digest_size=8).digest()
    return begin + int.from_bytes(drawn, "big") % (end - begin)
