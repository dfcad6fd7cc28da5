"""`makegood monitor`: monitoring services from the command line, before anybody signs anything about them."""

from __future__ import annotations

import inspect
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from oracles import (
    NO_DATA,
    AccessRefused,
    BadRequest,
    GarbageAnswer,
    MissingExtra,
    MonitoringError,
    Throttled,
    Value,
    available,
    connect,
    load,
)
from oracles.base import MonitoringService
from oracles.border import unlogged
from oracles.composite import Composite
from oracles.memory import MemorySampleStore
from oracles.probing.probe import refusal
from oracles.units import METRICS
from relayer.cli.moment import moment
from relayer.cli.output import Output, output_options, pass_output
from relayer.cli.question import Question, question_options, read_question
from relayer.cli.session import session_options
from relayer.cli.sparkline import sparkline
from relayer.document import quantities
from relayer.errors import ChecksFailed, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oracles import AnyService, Interval, Query, Reading
    from relayer.cli.session import Session

DEFAULT_COUNT = 30
SAMPLE_SECONDS = 30
_MEANING = {
    "value": "a measurement",
    "sampled": "one sample was taken; a reading is made of several",
    "void": "our own fault, not the service's: such a sample counts for nothing",
    "no data": "the service answered, and has nothing (or too little) for the interval",
    "not applicable": "there was nothing to measure",
    "access refused": "credentials are missing, wrong or too weak, or the own options forbid it: nobody signs anything",
    "throttled": "asked too often: tried again later",
    "garbage": "the answer cannot be a measurement: tried again, and an alert",
    "wrong question": "the specification cannot be asked: change it",
    "unavailable": "no answer: tried again",
}
_SIGNS = {"no data": "·", "not applicable": "-"}
_FAILED = "x"
_Command = TypeVar("_Command", bound="Callable[..., Any]")


@click.command("list")
@output_options
@pass_output
def list_(output: Output) -> None:
    """All monitoring services that this installation knows."""
    rows = [_about(name) for name in available()]
    columns = ["service", "kind", "metrics", "what it is"]
    lacking = any(row["needs"] for row in rows)
    output.data(
        rows,
        lambda: output.table(
            [*columns, "needs"] if lacking else columns,
            [
                [row["name"], row["kind"], _short(row["metrics"]), row["summary"]]
                + ([row["needs"]] if lacking else [])
                for row in rows
            ],
        ),
    )


def _short(metrics: list[str]) -> str:
    return "all" if set(metrics) == set(METRICS) else ", ".join(metrics)


def _about(name: str) -> dict[str, Any]:
    try:
        service = load(name)
    except MonitoringError as error:
        needs = str(error) if isinstance(error, MissingExtra) else f"broken: {error}"
        return {"name": name, "kind": None, "metrics": [], "summary": None, "needs": needs}
    return {
        "name": name,
        "kind": _kind(service),
        "metrics": sorted(service.METRICS),
        "summary": (inspect.getdoc(service) or "").split("\n", 1)[0].rstrip("."),
        "needs": None,
    }


def _kind(service: type[AnyService]) -> str:
    if issubclass(service, Composite):
        return "made of others"
    return "keeps history" if service.sample is MonitoringService.sample else "takes samples"


def _at_option(command: _Command) -> _Command:
    option = click.option(
        "--at", metavar="TIME", help="Read up to then, not to now: 2027-01-31T12:00:00Z."
    )
    return option(command)


@click.command
@question_options
@_at_option
@session_options
@output_options
def test(session: Session, what: str, at: str | None, **options: Any) -> None:
    """Ask a monitoring service once, and say what came of it.

    WHAT is a service with its fields (-s url=https://…), a file with an indicator, or an SLA document.
    The newest interval that has settled is read; a probe, which has no history, takes one sample.
    Options such as credentials come from the configuration, under sources.
    """
    question = read_question(session, what, **options)
    with unlogged(), _Look(session, question, at) as look:
        found = look.once()
    output = session.output
    output.data(
        found.as_json(),
        lambda: output.fields(
            [
                ("service", question.service),
                ("metric", f"{question.metric} [{look.query.metric.unit.name}]"),
                ("interval", found.when),
                ("outcome", f"{found.outcome}: {_MEANING[found.outcome]}"),
                ("value", found.shown),
                ("sample", None if found.sample is None else _described(found.sample)),
                ("problem", found.problem),
                ("evidence", found.evidence),
            ]
        ),
    )
    if found.problem:
        raise ChecksFailed(
            f"{question.service} gave no reading: {found.outcome}",
            hint=f"see docs/oracles/{question.service}.md; options stand under sources.{question.service}",
        )
    _note_coverage(session, question, [found])


def _described(sample: dict[str, Any]) -> str:
    """What a sample found: `down: connection (2.7 ms)`, `up: 200 (5.8 ms)`."""
    reason = None if sample["reason"] == "ok" else sample["reason"]
    said = " ".join(str(one) for one in (reason, sample.get("status")) if one is not None)
    said = f"{sample['outcome']}: {said}" if said else str(sample["outcome"])
    return f"{said} ({sample['elapsed_us'] / 1000:.1f} ms)"


@click.command
@question_options
@click.option(
    "--count", type=click.IntRange(1, 1440), default=DEFAULT_COUNT, help="How many intervals."
)
@_at_option
@session_options
@output_options
def sample(session: Session, what: str, count: int, at: str | None, **options: Any) -> None:
    """Read the latest intervals of a monitoring service, and draw them.

    WHAT is a service with its fields (-s url=https://…), a file with an indicator, or an SLA document.
    A probe, which has no history, samples from now on: --count intervals of --interval. Ctrl-C shows what there is.
    """
    question = read_question(session, what, **options)
    output = session.output
    with unlogged(), _Look(session, question, at) as look:
        found = look.several(count)
        output.data([one.as_json() for one in found], lambda: _draw(output, look.query, found))
    if found and all(one.problem for one in found):
        raise ChecksFailed(f"{question.service} gave no reading: {found[-1].problem}")
    _note_coverage(session, question, found)


def _note_coverage(session: Session, question: Question, found: list[_Found]) -> None:
    """Says which times a file holds if it has nothing about those that were asked for."""
    if question.service != "replay" or any(one.outcome != "no data" for one in found):
        return
    from oracles import replay

    spec = question.query.spec
    for path in session.config.sources.get("replay", {}).get("files", ()):
        samples = replay.load(Path(path), spec.time_zone)
        if samples.sha256 == spec.sha256 and samples:
            first, last = (quantities.show_time(samples.times[place] // 1000) for place in (0, -1))
            session.output.note(f"hint: the file covers {first} to {last}; give --at {last}")
            return


def _draw(output: Output, query: Query[Any], found: list[_Found]) -> None:
    unit = query.metric.unit
    output.table(
        ["interval", "outcome", "value"],
        [[one.when, one.outcome, one.shown or ""] for one in found],
    )
    bars = [float(one.value.amount) if one.value else one.sign for one in found]
    output.line(f"{sparkline(bars)}  {query.metric.name} [{unit.name}]")
    signs = {one.sign: "failed" if one.problem else one.outcome for one in found if not one.value}
    if signs:
        output.line(", ".join(f"{sign} {meaning}" for sign, meaning in signs.items()))
    numbers = [one.value.amount for one in found if one.value]
    if numbers:
        mean = sum(numbers) / len(numbers)
        output.line(
            f"lowest {_shown(min(numbers), unit)}, mean {_shown(mean, unit)}, highest {_shown(max(numbers), unit)}"
        )
    kinds = Counter(one.outcome for one in found if not one.value)
    if kinds:
        output.line(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    for kind, problem in dict.fromkeys((one.outcome, one.problem) for one in found if one.problem):
        output.line(f"{kind}: {problem}")


@dataclass(frozen=True)
class _Found:
    """What came of one question."""

    interval: Interval
    outcome: str
    value: Value | None = None
    shown: str | None = None
    problem: str | None = None
    evidence: str | None = None
    sample: dict[str, Any] | None = None

    @classmethod
    def of_sample(cls, interval: Interval, service: str, evidence: str) -> _Found:
        sample = json.loads(evidence)
        if problem := refusal(service, sample["reason"]):
            return cls(
                interval, "access refused", problem=problem, evidence=evidence, sample=sample
            )
        if sample["outcome"] == "void":
            problem = f"our own fault, not the service's: {sample['reason']}"
            return cls(interval, "void", problem=problem, evidence=evidence, sample=sample)
        return cls(interval, "sampled", evidence=evidence, sample=sample)

    @property
    def sign(self) -> str:
        """What stands for it where there is no value."""
        return _SIGNS.get(self.outcome, _FAILED)

    @property
    def when(self) -> str:
        length = quantities.show_duration(self.interval.seconds)
        return f"{quantities.show_time(self.interval.start)} + {length}"

    def as_json(self) -> dict[str, Any]:
        return {
            "start": quantities.show_time(self.interval.start),
            "end": quantities.show_time(self.interval.end),
            "outcome": self.outcome,
            "value": self.shown,
            "amount": None if self.value is None else str(self.value.amount),
            "sample": self.sample and {name: self.sample[name] for name in ("outcome", "reason")},
            "problem": self.problem,
            "evidence": self.evidence,
        }


class _Look:
    """A monitoring service that is looked at for a moment.

    :param at: The newest interval ends by then; by default now.
    """

    def __init__(self, session: Session, question: Question, at: str | None = None) -> None:
        self._session = session
        self._until = None if at is None else moment(at)
        try:
            self.query = question.query
        except MonitoringError as error:
            raise ConfigurationError(
                str(error), hint=f"docs/oracles/{question.service}.md has all fields"
            ) from error
        self._delay = question.settle_delay
        self._stores: dict[str, MemorySampleStore] = {}
        self._now: float | None = None
        try:
            self._service: AnyService = connect(
                question.service,
                session.config.sources,
                store=lambda name: self._stores.setdefault(name, MemorySampleStore()),
                clock=lambda: time.time() if self._now is None else self._now,
            )
        except MonitoringError as error:
            raise ConfigurationError(
                f"sources.{question.service}: {error}",
                hint=f"see docs/oracles/{question.service}.md",
            ) from error

    def __enter__(self) -> _Look:
        return self

    def __exit__(self, *_: object) -> None:
        self._service.close()

    def once(self) -> _Found:
        """The newest settled interval; of a probe, one sample, taken at once."""
        due = self._next_sample()
        if due is None:
            return self._ask(self._newest())
        self._now = due  # the service's clock, too: a sample planned for later is taken at once
        self._service.sample([self.query], due)
        interval = self.query.interval(int(due) // self.query.length)
        deadline = time.monotonic() + SAMPLE_SECONDS
        with self._session.output.working("taking a sample"):
            while time.monotonic() < deadline:
                for name, store in self._stores.items():
                    for sample in store.taken():
                        return _Found.of_sample(interval, name, sample.decode())
                time.sleep(0.02)
        return _Found(interval, "unavailable", problem=f"no sample within {SAMPLE_SECONDS} s")

    def several(self, count: int) -> list[_Found]:
        """The newest settled intervals, or, of a probe, the next ones."""
        if self._next_sample() is None:
            newest = self._newest()
            with self._session.output.working(f"reading {count} intervals"):
                return [self._ask(newest - back) for back in reversed(range(min(count, newest)))]
        found: list[_Found] = []
        spans = f"the next {count} intervals" if count > 1 else "the next interval"
        length = quantities.show_duration(self.query.length)
        self._session.output.note(f"watching {spans} of {length}; Ctrl-C shows what there is")
        try:
            for one in self._live(count):
                self._session.output.note(f"{one.when}  {one.shown or one.outcome}")
                found.append(one)
                if one.outcome == "access refused":  # until an operator acts
                    break
        except KeyboardInterrupt:
            self._session.output.note("stopped")
        return found

    def _next_sample(self) -> float | None:
        """When a probe samples next; None of a service that keeps history, which alone can be asked about the past."""
        due = self._service.sample([self.query], time.time())
        if due is not None and self._until is not None:
            raise ConfigurationError(
                f"--at: {self.query.source} takes samples and knows no past",
                hint="leave it out: a probe samples from now on",
            )
        return due

    def _newest(self) -> int:
        """Number of the newest interval that has settled, and is over by the time that was asked for."""
        settled = time.time() - self._delay - self._service.delay(self.query)
        until = settled if self._until is None else min(settled, self._until)
        newest = int(until) // self.query.length - 1
        if newest < 0:
            raise ConfigurationError("--at: no interval is over by then")
        return newest

    def _live(self, count: int) -> Iterator[_Found]:
        """The next whole intervals, each as soon as it can be read."""
        number = int(time.time()) // self.query.length + 1
        for one in range(number, number + count):
            ready = self.query.interval(one).end + self._service.delay(self.query)
            while (now := time.time()) < ready:
                again = self._service.sample([self.query], now)
                time.sleep(max(0.01, min(1.0, (again or ready) - now, ready - now)))
            yield self._ask(one)

    def _ask(self, number: int) -> _Found:
        interval = self.query.interval(number)
        try:
            reading: Reading = self._service.read_one(self.query, interval)
        except MonitoringError as error:
            return _Found(interval, _outcome(error), problem=str(error))
        evidence = reading.evidence.decode()
        if isinstance(reading.answer, Value):
            shown = _shown(reading.answer.amount, reading.metric.unit)
            return _Found(interval, "value", reading.answer, shown, evidence=evidence)
        outcome = "no data" if reading.answer is NO_DATA else "not applicable"
        return _Found(interval, outcome, evidence=evidence)


def _shown(amount: Any, unit: Any) -> str:
    """An amount in the notation that people prefer."""
    if unit.name == "ppm":
        return f"{float(amount) / 10_000:.6g} %"
    return f"{float(amount):.6g} {unit.name}"


def _outcome(error: MonitoringError) -> str:
    match error:
        case AccessRefused():
            return "access refused"
        case Throttled():
            return "throttled"
        case GarbageAnswer():
            return "garbage"
        case BadRequest():
            return "wrong question"
        case _:
            return "unavailable"
