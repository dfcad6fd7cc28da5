"""One job of a worker: read what is open of it, store the answers."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from eth_utils.crypto import keccak
from sqlalchemy import select, tuple_

from oracles import GarbageAnswer, MonitoringError
from relayer.operations import metrics
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.sources import code_of, pause_after
from relayer.store import tables
from relayer.store.readings import Answered, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oracles import AnyService, Reading
    from oracles.base import Interval
    from relayer.scaleout.jobs import Job, Wanted
    from relayer.scaleout.questions import Question, Questions
    from relayer.store import Store

log = structlog.get_logger(__name__)

STRANGE_PAUSE = 10.0
"""What this worker cannot read, another one may: the job is free again after at most this [s]."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A wanted reading without an answer, and what is known of it."""

    wanted: Wanted
    failures: int
    retry_at: float


class Reader:
    """Does jobs. Safe to use from several threads.

    :param services: The monitoring services that this machine can reach, by name.
    """

    def __init__(
        self,
        store: Store,
        questions: Questions,
        services: Mapping[str, AnyService],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._questions = questions
        self._services = services
        self._clock = clock
        self._strangers: set[bytes] = set()
        self._lacking: set[str] = set()

    def work(self, job: Job) -> float | None:
        """Read what nobody has read yet. Done again, it asks nobody again.

        :returns: When to go on with what is left of the job [s, UNIX time]; None if nothing is.
        """
        waiting = self._unread(job)
        asked: list[tuple[_Open, Question]] = []
        strangers: list[Wanted] = []
        lacking: set[str] = set()
        again: list[float] = []
        now = self._clock()
        for one in waiting:
            question = self._question(one.wanted, job)
            if question is None:
                strangers.append(one.wanted)
            elif missing := question.services - self._services.keys():
                lacking |= missing
            elif one.retry_at > now:
                again.append(one.retry_at)
            else:
                asked.append((one, question))
        if strangers or lacking:
            self._say_strange(job, strangers)
            self._say_lacking(lacking)
            # Not at an even pace: the same worker would be the first to look every time.
            again.append(now + random.uniform(STRANGE_PAUSE / 5, STRANGE_PAUSE))  # noqa: S311 - no secret
        if asked:
            again += self._read(self._services[job.source], asked, job.interval)
        return min(again, default=None)

    def close(self) -> None:
        for service in self._services.values():
            service.close()

    def _unread(self, job: Job) -> list[_Open]:
        """What of a job has no answer and is of use still: the daemon takes back what is not."""
        rows = tables.readings.c
        wanted = {(one.feed, one.interval): one for one in job.wanted}
        query = select(rows.feed, rows.interval, rows.failures, rows.retry_at).where(
            tuple_(rows.feed, rows.interval).in_(list(wanted)), rows.code.is_(None)
        )
        with self._store.reading() as db:
            return [
                _Open(wanted[feed, interval], failures, retry_at)
                for feed, interval, failures, retry_at in db.execute(query)
            ]

    def _question(self, wanted: Wanted, job: Job) -> Question | None:
        question = self._questions.of(wanted)
        if question is None or question.query.source != job.source:
            return None
        return question if question.query.interval(wanted.interval) == job.interval else None

    def _read(
        self, service: AnyService, asked: Sequence[tuple[_Open, Question]], interval: Interval
    ) -> list[float]:
        """Ask, and store what was said. Returns when to ask again what failed [s, UNIX time]."""
        begun = time.monotonic()
        answers = self._answers(service, [question for _, question in asked], interval)
        metrics.READ_SECONDS.labels(service.name).inc(time.monotonic() - begun)
        answered, failures = [], []
        for (one, question), answer in zip(asked, answers, strict=True):
            if isinstance(answer, MonitoringError):
                failures.append(self._failure(one, question, answer))
            else:
                answered.append(_answered(one.wanted, question, answer))
        self._store.readings.save(answered)
        self._store.readings.fail(failures)
        self._count(service.name, answered, failures)
        if answered:
            log.info(
                "intervals read",
                action="interval_read",
                source=service.name,
                feeds=len(answered),
                start=interval.start,
            )
        return [failure.retry_at for failure in failures]

    def _answers(
        self, service: AnyService, questions: Sequence[Question], interval: Interval
    ) -> Sequence[Reading | MonitoringError]:
        try:
            return service.read([question.query for question in questions], interval)
        except Exception as error:
            log.exception("adapter failed", action="source_failed", source=service.name)
            if len(questions) == 1:
                return [GarbageAnswer(f"{service.name} failed: {type(error).__name__}")]
            # One question that an adapter cannot stand must not spoil the others.
            return [
                answer for one in questions for answer in self._answers(service, [one], interval)
            ]

    def _failure(self, one: _Open, question: Question, answer: MonitoringError) -> Failed:
        pause = pause_after(answer, one.failures)
        log.warning(
            "reading failed",
            action="reading_failed",
            feed=question.name,
            interval=one.wanted.interval,
            problem=str(answer),
            kind=type(answer).__name__,
            retry_in=pause,
        )
        return Failed(one.wanted.feed, one.wanted.interval, str(answer), self._clock() + pause)

    def _count(self, source: str, answered: Sequence[Answered], failures: Sequence[Failed]) -> None:
        kinds = Counter(
            {NO_DATA: "no_data", NOT_APPLICABLE: "not_applicable"}.get(one.code, "value")
            for one in answered
        )
        kinds["failed"] = len(failures)
        for kind, count in kinds.items():
            metrics.READINGS.labels(source, kind).inc(count)
        if answered:
            metrics.READING_TIME.labels(source).set(self._clock())

    def _say_strange(self, job: Job, strangers: Sequence[Wanted]) -> None:
        """Once for each feed: the job comes back every few seconds."""
        new = {one.feed for one in strangers} - self._strangers
        if not new:
            return
        self._strangers |= new
        log.warning(
            "handed back: this worker has no SLA document for these feeds",
            action="job_handed_back",
            feeds=len(new),
            first=strangers[0].feed.hex(),
            source=job.source,
            hint="give the worker the documents that the daemon has, and restart it",
        )

    def _say_lacking(self, names: set[str]) -> None:
        """Once for each service."""
        for name in sorted(names - self._lacking):
            self._lacking.add(name)
            log.warning(
                "handed back: this worker cannot read the service",
                action="job_handed_back",
                source=name,
                hint=f"configure sources.{name} as the daemon has it, and restart the worker",
            )


def _answered(wanted: Wanted, question: Question, reading: Reading) -> Answered:
    return Answered(
        feed=wanted.feed,
        interval=wanted.interval,
        code=code_of(reading),
        source=reading.source,
        evidence=reading.evidence,
        digest=keccak(question.salt + reading.evidence),
    )
