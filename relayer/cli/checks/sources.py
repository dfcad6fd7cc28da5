"""The monitoring services: one reading, or one sample, of each source that this relayer reads."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from oracles import Absence, MonitoringError, Value, connect
from oracles.border import unlogged
from oracles.probing.probe import refusal
from relayer.cli.checks.finding import Finding, guarded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oracles import Reading
    from relayer.cli.checks.finding import Known, State
    from relayer.document import AgreedLevel, DataSource, Document

SAMPLE_SECONDS = 30


def sources(known: Known, document: Document) -> Iterator[Finding]:
    for level in document.levels:
        reporter = known.address if known.address in level.sources else None
        if known.address and reporter is None:
            continue  # said above
        source = level.source_for(reporter or level.feed.panel.reporters[0])
        name = f"source {source.type} for {level.name}"
        yield guarded(name, partial(_try, known, level, source))


def _try(known: Known, level: AgreedLevel, source: DataSource) -> Finding:
    name = f"source {source.type} for {level.name}"
    mend = f"see docs/oracles/{source.type}.md; options stand under sources.{source.type}"
    try:
        state, detail = _trial(level, source, known.config.sources)
    except MonitoringError as error:
        return Finding(name, "failed", str(error), mend)
    return Finding(name, state, detail, None if state == "ok" else mend)


def _trial(level: AgreedLevel, source: DataSource, options: Mapping[str, Any]) -> tuple[State, str]:
    """Reads the newest settled interval; a probe, which has no history, takes one sample instead."""
    taken: list[tuple[str, bytes]] = []
    now = time.time()
    measurement = level.feed.measurement
    length = measurement.interval
    with (
        unlogged(),
        connect(source.type, options, store=partial(_Samples, taken), clock=lambda: now) as service,
    ):
        # The agreement may begin in future; what is asked now has intervals at the same places.
        query = service.query(
            source.spec, level.metric, first=measurement.start % length, length=length
        )
        due = service.sample([query], now)
        if due is None:
            settled = now - max(measurement.settle_delay, service.SETTLE_DELAY)
            number = int(settled - query.first) // length - 1
            return "ok", _shown(service.read_one(query, query.interval(number)))
        now = due  # the service's clock, too: a sample planned for later is taken at once
        service.sample([query], now)
        deadline = time.monotonic() + SAMPLE_SECONDS
        while not taken and time.monotonic() < deadline:
            time.sleep(0.05)
    for name, sample in taken:
        said = json.loads(sample)
        if problem := refusal(name, said["reason"]):
            return "failed", problem
        if said["outcome"] == "void":
            return "failed", f"our own fault: {sample.decode()}"
        return "ok", f"sample: {sample.decode()}"
    return "failed", f"no sample within {SAMPLE_SECONDS} s"


class _Samples:
    """Keeps samples of the adapter called ``name`` until the check is over."""

    def __init__(self, taken: list[tuple[str, bytes]], name: str) -> None:
        self._taken, self._name = taken, name

    def put(self, key: str, at: int, sample: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        self._taken.append((self._name, sample))

    def get(self, key: str, start: int, end: int) -> list[tuple[int, bytes]]:  # noqa: ARG002
        return []


def _shown(reading: Reading) -> str:
    answer = reading.answer
    if isinstance(answer, Value):
        return f"reading: {float(answer.amount):g} {reading.metric.unit.name}"
    empty = answer is Absence.NO_DATA
    return f"answered: {answer.value}{' (is the specification right?)' if empty else ''}"
