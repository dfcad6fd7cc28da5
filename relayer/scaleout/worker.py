"""The process that does jobs, until it is told to end.

procrastinate gives each job to one worker, and hears from every worker that it lives. A worker that is not heard any more
loses its jobs to others. Losing the database ends nothing: the worker connects again, as a new one. One that starts while the
database is away waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
import structlog
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker as JobLoop

from relayer.errors import MakegoodError
from relayer.scaleout.jobs import DEAD_SECONDS, QUEUE, TASK, Job, address
from relayer.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from procrastinate.jobs import Job as QueuedJob

    from relayer.operations.health import Health
    from relayer.scaleout.clock import DatabaseClock
    from relayer.scaleout.reader import Reader
    from relayer.store import Store

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

CONCURRENCY: Final = 4
FINISH_SECONDS: Final = 4.0
"""How long a worker that has to end goes on with its jobs; then it hands them back."""
END_SECONDS: Final = 8.0
"""How long ending takes at most, whatever the database does; then the process is gone, and its jobs are free when it counts as
dead."""
_POLL_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 1.0
_AFTER_FAILURE_SECONDS: Final = 10.0


class Worker:
    """Reads monitoring services for a daemon.

    :param concurrency: Jobs that are done at the same time, each in a thread.
    :param dead_seconds: After so long without a sign a worker counts as dead. The same for all workers of a database.
    """

    def __init__(
        self,
        store: Store,
        reader: Reader,
        *,
        clock: DatabaseClock,
        health: Health | None = None,
        concurrency: int = CONCURRENCY,
        dead_seconds: float = DEAD_SECONDS,
    ) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._health = health
        self._concurrency = concurrency
        self._dead_seconds = dead_seconds

    def run(self) -> None:
        """Work until SIGTERM or SIGINT. Jobs that are not finished some seconds later are left to others."""
        # What they have to say in one line of ours is said by us.
        for name in ("procrastinate", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_say_setback)
        last = threading.Timer(END_SECONDS, _end_at_once)
        last.daemon = True

        def end() -> None:
            if not stop.is_set():
                stop.set()
                last.start()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        log.info("worker started", action="worker_started", concurrency=self._concurrency)
        while not stop.is_set():
            try:
                await self._connected(stop)
            except (ConnectorException, psycopg.Error, MakegoodError, TimeoutError) as error:
                self._tell_health(str(error) or type(error).__name__)
                _say_disconnected(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PAUSE_SECONDS)
        last.cancel()
        log.info("worker stopped", action="worker_stopped")

    async def _connected(self, stop: asyncio.Event) -> None:
        """Do jobs until ``stop`` is set, or the database is lost: then something is raised."""
        app = self._app()
        try:
            await asyncio.wait_for(app.open_async(), END_SECONDS / 2)
            jobs = JobLoop(
                app,
                queues=[QUEUE],
                concurrency=self._concurrency,
                fetch_job_polling_interval=_POLL_SECONDS,
                shutdown_graceful_timeout=FINISH_SECONDS,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=self._dead_seconds / 3,
                stalled_worker_timeout=self._dead_seconds,
            )
            running = asyncio.create_task(jobs.run())  # type: ignore[no-untyped-call]
            watching = asyncio.create_task(self._watch(app, jobs))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({running, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (watching, stopping):
                task.cancel()
            jobs.stop()  # type: ignore[no-untyped-call]
            for ended in await asyncio.gather(running, watching, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
        finally:
            with suppress(ConnectorException, psycopg.Error):
                await app.close_async()

    def _app(self) -> App:
        connector = PsycopgConnector(
            conninfo=address(self._store),
            min_size=1,
            max_size=self._concurrency + 2,
            timeout=_ANSWER_SECONDS,
        )
        app = App(connector=connector)
        app.task(name=TASK, queue=QUEUE, retry=_Resume())(self._do)
        return app

    async def _do(self, **arguments: Any) -> None:
        job = Job.of(arguments)
        try:
            again = await _in_thread(lambda: self._reader.work(job))
        except MakegoodError as error:
            log.warning("job failed", action="job_failed", job=job.lock, problem=error.message)
            raise
        except Exception:
            log.exception("job failed", action="job_failed", job=job.lock)
            raise
        except asyncio.CancelledError:
            log.info("handed back unfinished", action="job_handed_back", job=job.lock)
            raise
        if again is not None:
            raise _LaterError(again)

    async def _watch(self, app: App, jobs: JobLoop) -> None:
        """Say that this worker lives, and give the jobs of those that do not to others. Raises if the database is lost."""
        manager = app.job_manager
        while True:
            await _in_thread(lambda: self._clock.ask(self._store))
            self._tell_health()
            if jobs.worker_id is not None:
                # procrastinate has a task for this, but nobody notices if that one fails.
                await manager.update_heartbeat(jobs.worker_id)
            await manager.prune_stalled_workers(self._dead_seconds)
            stalled = await manager.get_stalled_jobs(
                queue=QUEUE, seconds_since_heartbeat=self._dead_seconds
            )
            for job in stalled:
                with suppress(ConnectorException):  # another worker was faster
                    await manager.retry_job(job)
                    log.info(
                        "the job of a dead worker is free again",
                        action="job_freed",
                        job=job.queueing_lock,
                    )
            await asyncio.sleep(self._dead_seconds / 6)

    def _tell_health(self, problem: str = "") -> None:
        if self._health is not None:
            self._health.loop_finished(self._clock())
            self._health.part("store", "failed" if problem else "ok", problem)


def when_it_answers(step: Callable[[], _T], health: Health | None = None) -> _T:
    """The result of a step that needs the database: what may pass by itself is waited for.

    :param step: Is done again from its beginning until it succeeds.
    :raises StoreUnavailable: Waiting would not help.
    """
    while True:
        try:
            return step()
        except StoreUnavailable as error:
            if not error.retryable:
                raise
            if health is not None:
                health.loop_finished(time.time())
                health.part("store", "failed", str(error))
            _say_disconnected(error)
        time.sleep(_PAUSE_SECONDS)


class _LaterError(Exception):
    """Something is left of the job, to be gone on with at ``at`` [s, UNIX time]."""

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self.at = at


class _Resume(BaseRetryStrategy):
    """A job never fails for good: it is the daemon's to say that nobody needs it any more."""

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision:  # noqa: ARG002
        if isinstance(exception, _LaterError):
            return RetryDecision(retry_at=datetime.fromtimestamp(exception.at, UTC))
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision()
        return RetryDecision(retry_in={"seconds": int(_AFTER_FAILURE_SECONDS)})


async def _in_thread(call: Callable[[], _T]) -> _T:
    """The result of a call that waits. If nobody waits for it any more, its thread holds up no process that wants to end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[_T] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: object) -> None:
        if not result.done():
            settle(value)

    def run() -> None:
        settle: Callable[[Any], None] = result.set_result
        value: object
        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
            settle, value = result.set_exception, error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, settle, value)

    threading.Thread(target=run, name="reader", daemon=True).start()
    return await result


def _end_at_once() -> None:
    log.warning("ended although the database does not answer", action="worker_stopped")
    os._exit(0)


def _say_setback(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What failed in the background, as the end of a job that could not be noted: another worker finds it."""
    error = context.get("exception")
    problem = _reason(error) if isinstance(error, BaseException) else context.get("message")
    log.warning("setback", action="worker_setback", problem=problem)


def _say_disconnected(error: BaseException) -> None:
    log.warning(
        "the database does not answer: trying again",
        action="worker_disconnected",
        problem=_reason(error),
    )


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return cause.message if isinstance(cause, MakegoodError) else type(cause).__name__
