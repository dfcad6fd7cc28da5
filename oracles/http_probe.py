"""Our own probe: requests a URL several times per interval and judges the answers.

A probe has no history to ask for. It takes its samples while the interval runs, stores each, and
answers afterwards from the store alone. What it did not measure it does not know: with too few
samples the answer is "no data", never "up" and never "down".
"""

from __future__ import annotations

import functools
import logging
import math
import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import certifi
from pydantic import AfterValidator, AnyHttpUrl, Field, FilePath, TypeAdapter, ValidationError

from oracles.base import (
    NO_DATA,
    Clock,
    Interval,
    MonitoringService,
    Options,
    Query,
    Reading,
    SampleStore,
    Spec,
    Value,
    canonical,
)
from oracles.deadline_http import Exchange, Failed, Origin, Reason, origin
from oracles.errors import BadRequest, GarbageAnswer, MonitoringError
from oracles.secret import resolve
from oracles.units import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

LATENESS: Final = 2
"""Seconds by which a sample may start late; later it is left out, not made up for."""

_CONTROL_TIMEOUT: Final = 2
"""Seconds to wait for each control."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def _plain_url(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password:
        raise ValueError("credentials do not belong in a URL that both parties sign")
    if url.fragment:
        raise ValueError("a fragment is never sent to a server")
    return url


_Status = Annotated[int, Field(ge=100, le=599)]


class HttpProbeSpec(Spec):
    """What is requested, and which answer counts as up. See docs/oracles/http_probe.md."""

    url: Annotated[AnyHttpUrl, AfterValidator(_plain_url)]
    method: Literal["GET", "HEAD"] = "GET"
    samples: int = Field(default=5, ge=1, le=3600)
    """Samples planned per interval."""
    min_samples: int | None = Field(default=None, ge=1)
    """Samples below which there is no data; by default half of the planned, rounded up."""
    timeout: Decimal = Field(default=Decimal(5), ge=Decimal("0.1"), le=20, decimal_places=3)
    """Seconds for one whole sample."""
    expect_status: Literal["2xx"] | tuple[_Status, ...] = Field(default="2xx", min_length=1)
    expect_body: str | None = Field(default=None, min_length=1)
    """Text (as UTF-8) that must stand in the first `max_bytes` of the body."""
    max_bytes: int = Field(default=65_536, ge=0, le=1_048_576)
    """Bytes of the body that are read at most."""
    verify_tls: bool = True
    max_redirects: int = Field(default=0, ge=0, le=10)

    @property
    def needed(self) -> int:
        """Samples that make a reading."""
        return (self.samples + 1) // 2 if self.min_samples is None else self.min_samples

    def public(self) -> Mapping[str, object]:
        """The specification, with the URL's query string left out: a token may hide in it."""
        url = urlsplit(str(self.url))
        bare = urlunsplit(url._replace(query="..." if url.query else ""))
        return {**self.model_dump(mode="json"), "url": bare}


class HttpProbeOptions(Options):
    """What the operator of one reporter adds."""

    headers: dict[AnyHttpUrl, dict[str, str]] = Field(default={})
    """Per origin, because a token for one provider must not reach another:
    {"https://api.example.com": {"Authorization": "Bearer ${API_TOKEN}"}}."""
    control: tuple[Annotated[str, Field(pattern=r"^[^\s:/]+:\d{1,5}$")], ...] = ()
    """host:port of independent places. If none accepts a connection, our network is at fault."""
    workers: int = Field(default=64, ge=1, le=1024)
    """Samples taken at the same time at most."""
    ca_file: FilePath | None = None
    """Certification authorities to trust instead of the usual ones."""


@dataclass(frozen=True)
class Sample:
    """The outcome of one request. A void one does not count: the fault was our own.

    `reason` is a word of a closed list, never a message; `elapsed_us` is in microseconds, from
    looking up the name to the last byte that was read.
    """

    outcome: Literal["up", "down", "void"]
    reason: Reason | Literal["ok", "status", "body"]
    status: int | None
    elapsed_us: int


_SAMPLE: Final = TypeAdapter(Sample)


class HttpProbe(MonitoringService[HttpProbeSpec, HttpProbeOptions]):
    """Availability (samples up / samples counted) and latency (mean of the samples up)."""

    name = "http_probe"
    METRICS: ClassVar[Mapping[str, Metric]] = {
        "availability": METRICS["availability"],
        "latency": METRICS["latency"],
    }
    SETTLE_DELAY = 30
    Spec = HttpProbeSpec
    Options = HttpProbeOptions

    def __init__(
        self,
        options: HttpProbeOptions | Mapping[str, object] | None = None,
        *,
        store: SampleStore | None = None,
        clock: Clock = time.time,
    ) -> None:
        """Raises BadRequest without a store, and when a header's secret cannot be resolved."""
        super().__init__(options, store=store, clock=clock)
        if store is None:
            raise BadRequest(f"{self.name} takes samples and needs a store for them")
        self._samples = store
        self._headers = _resolved(self._options.headers)
        self._latest: dict[str, int] = {}
        self._workers = ThreadPoolExecutor(self._options.workers, "http_probe")

    def sample(self, queries: Sequence[Query[HttpProbeSpec]], now: float) -> float | None:
        """Start the samples due at `now`, each in a thread of the pool.

        Sample i of n is planned for start + (i + phase) * length / n, rounded down to the second,
        with a phase in [0, 1) that depends on the query alone: even, and not everybody at once.
        A sample missed by more than LATENESS is left out.
        """
        latest: dict[str, int] = {}
        due: int | None = None
        for key, query in {query.key: query for query in queries}.items():
            at, following = _slots(query, now)
            if 0 <= now - at <= LATENESS and at >= query.first:
                latest[key] = at
                if self._latest.get(key) != at:
                    self._workers.submit(self._take, query, at)
            due = following if due is None else min(due, following)
        self._latest = latest
        return due

    def delay(self, query: Query[HttpProbeSpec]) -> int:
        """Time for a sample that began as late as it may and took as long as it may."""
        controls = _CONTROL_TIMEOUT * len(self._options.control)
        return math.ceil(LATENESS + query.spec.timeout + controls)

    def close(self) -> None:
        """Wait for the samples that are running; forget those that are not."""
        self._workers.shutdown(cancel_futures=True)

    @classmethod
    def _check(cls, query: Query[HttpProbeSpec]) -> None:
        spec, length = query.spec, query.length
        if spec.needed > spec.samples:
            raise BadRequest(f"min_samples {spec.needed} is more than samples {spec.samples}")
        if spec.timeout * spec.samples > length:
            raise BadRequest(
                f"{spec.samples} samples of up to {spec.timeout} s do not fit into {length} s"
            )
        if spec.samples > length:
            raise BadRequest(f"{spec.samples} samples in {length} s are more than one a second")

    # Sampling, in the threads of the pool.

    def _take(self, query: Query[HttpProbeSpec], at: int) -> None:
        label = {"action": "sample_skipped", "key": query.key, "at": at}
        try:
            if self._clock() - at > LATENESS:
                log.warning("sample skipped: all workers are busy", extra=label)
                return
            sample = self._probe(query.spec)
            end = query.first + ((at - query.first) // query.length + 1) * query.length
            # A second before anybody may read the interval: what was read must not change.
            if self._clock() > end + self.delay(query) - 1:
                log.warning("sample dropped: it took too long", extra=label)
                return
            self._samples.put(query.key, at, canonical(asdict(sample)))
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            # the name only: a message may quote what it was working on
            log.error("sample lost: %s", type(error).__name__, extra=label)  # noqa: TRY400

    def _probe(self, spec: HttpProbeSpec) -> Sample:
        exchange = Exchange(
            method=spec.method,
            timeout=float(spec.timeout),
            max_bytes=spec.max_bytes,
            max_redirects=spec.max_redirects,
            tls=self._verifying if spec.verify_tls else self._trusting,
            headers=self._headers,
        )
        began = time.monotonic_ns()
        try:
            answer = exchange.fetch(str(spec.url))
        except Failed as failed:
            elapsed = (time.monotonic_ns() - began) // 1000
            ours = failed.reason == "own" or (
                failed.reason in ("timeout", "dns", "connection") and not self._network_works()
            )
            return Sample("void" if ours else "down", failed.reason, None, elapsed)
        elapsed = (time.monotonic_ns() - began) // 1000
        if not _expected(spec, answer.status):
            return Sample("down", "status", answer.status, elapsed)
        if spec.expect_body is not None and spec.expect_body.encode() not in answer.body:
            return Sample("down", "body", answer.status, elapsed)
        return Sample("up", "ok", answer.status, elapsed)

    def _network_works(self) -> bool:
        """Whether any control accepts a connection; without controls the benefit of the doubt."""
        for control in self._options.control:
            host, _, port = control.rpartition(":")
            try:
                with socket.create_connection((host, int(port)), _CONTROL_TIMEOUT):
                    return True
            except OSError:
                continue
        return not self._options.control

    @functools.cached_property
    def _verifying(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._options.ca_file or certifi.where())

    @functools.cached_property
    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    # Answering, from the store.

    def _read(
        self, queries: Sequence[Query[HttpProbeSpec]], interval: Interval
    ) -> list[Reading | MonitoringError]:
        return [self._answer(query, interval) for query in queries]

    def _answer(self, query: Query[HttpProbeSpec], interval: Interval) -> Reading | MonitoringError:
        stored = self._samples.get(query.key, interval.start, interval.end)
        try:
            samples = [(at, _SAMPLE.validate_json(text)) for at, text in stored]
        except ValidationError:
            return GarbageAnswer(f"the store holds something else than samples for {query.key}")
        counted = [sample for _, sample in samples if sample.outcome != "void"]
        up = [sample for sample in counted if sample.outcome == "up"]
        raw = {
            "needed": query.spec.needed,
            "samples": [{"at": at, **asdict(sample)} for at, sample in samples],
        }
        if len(counted) < query.spec.needed:
            return self._reading(query, interval, NO_DATA, raw)
        if query.metric.name == "availability":
            amount = Fraction(len(up) * 1_000_000, len(counted))
        elif up:
            amount = Fraction(sum(sample.elapsed_us for sample in up), 1000 * len(up))
        else:
            return self._reading(query, interval, NO_DATA, raw)
        return self._reading(query, interval, Value(amount), raw)


def _slots(query: Query[HttpProbeSpec], now: float) -> tuple[int, int]:
    """The seconds of the latest sample planned at or before `now`, and of the next one."""
    phase = int(query.key[:8], 16)  # of 2**32

    def at(number: int) -> int:
        return query.first + ((number << 32) + phase) * query.length // (query.spec.samples << 32)

    number = (int(now) - query.first) * query.spec.samples // query.length + 1
    while at(number) > now:
        number -= 1
    return at(number), at(number + 1)


def _expected(spec: HttpProbeSpec, status: int) -> bool:
    if spec.expect_status == "2xx":
        return 200 <= status <= 299
    return status in spec.expect_status


def _resolved(
    headers: Mapping[AnyHttpUrl, Mapping[str, str]],
) -> dict[Origin, dict[str, str]]:
    """Headers by origin with their secrets filled in. Raises BadRequest without naming a value."""
    filled: dict[Origin, dict[str, str]] = {}
    for url, named in headers.items():
        parts = urlsplit(str(url))
        if parts.path.strip("/") or parts.query or parts.username:
            raise BadRequest("headers are given per origin: scheme, host and port only")
        for name, template in named.items():
            value = resolve(template).get_secret_value()
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise BadRequest(f"the header {name!r} or its value cannot be sent")
            filled.setdefault(origin(parts), {})[name] = value
    return filled
