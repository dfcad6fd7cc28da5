"""Workers are real processes, the database is a real server, and the monitoring service counts who asks it what."""

import json
import os
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from sqlalchemy import text

from relayer.demo.processes import free_port
from relayer.errors import ConfigurationError, MakegoodError
from relayer.scaleout import remote
from relayer.scaleout.clock import DatabaseClock
from relayer.scaleout.jobs import MOST_FEEDS, SCHEMA, Job, Jobs
from relayer.scaleout.questions import Questions
from relayer.scaleout.reader import Reader
from relayer.store import Store, StoreUnavailable
from tests.relayer.scaleout.world import (
    MINUTE,
    WAIT_SECONDS,
    load_documents,
    remote_source,
    wait_until,
    write_documents,
)

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def agreed(tmp_path, past, plugins):
    """Writes agreements over so many feeds, and loads them."""

    def write(feeds, *, start=past, **settlement):
        return load_documents(write_documents(tmp_path, feeds, start=start, **settlement))

    return write


@pytest.fixture
def source(store, monitoring):
    def make(documents, **more):
        return remote_source(store, documents, monitoring, **more)

    return make


def rows(store):
    """Feed and number of every stored reading, and its code."""
    with store.reading() as db:
        return db.execute(text("SELECT feed, interval, code FROM readings")).all()


def in_queue(store, statement):
    with store.writing() as db:
        db.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))
        return db.execute(text(statement))


def jobs(store):
    return in_queue(
        store, "SELECT status::text, args, attempts, worker_id FROM procrastinate_jobs"
    ).all()


def said(process, action):
    """What a worker logged."""
    lines = [line for line in process.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if line.get("action") == action]


def all_answered(store, documents, source):
    """Every interval of every feed has one answer, and the daemon heard of it once."""
    found = rows(store)
    feeds = {level.feed.id for document in documents for level in document.levels}
    assert {feed for feed, _, _ in found} == feeds
    assert all(code == 1_000_000 for _, _, code in found)
    assert Counter((answer.feed, answer.interval) for answer in source.answers) == Counter(
        (feed, number) for feed, number, _ in found
    )


def test_two_workers_share_the_work_of_two_hundred_feeds(
    agreed, source, store, workers, monitoring, past
):
    documents = agreed(200, start=past - 10 * MINUTE)
    asking = source(documents, intervals=13)
    monitoring.delay = 0.5
    # On a slow machine nobody must be taken for dead.
    first, second = (workers.start("--concurrency", "1", dead_seconds=MINUTE) for _ in range(2))
    wait_until(lambda: said(first, "worker_started") and said(second, "worker_started"))
    wait_until(lambda: len(asking.answers) >= 200 * 13, asking.step)
    wait_until(lambda: not jobs(store))  # old jobs are deleted
    assert monitoring.askers() == {first.pid, second.pid}
    asked = Counter((thing, start) for _, thing, start in monitoring.asked)
    assert set(asked.values()) == {1}  # nothing was read twice
    all_answered(store, documents, asking)


def test_a_worker_that_joins_takes_part(agreed, source, store, workers, monitoring, past):
    documents = agreed(8, start=past - 20 * MINUTE)
    asking = source(documents, intervals=23)
    first = workers.start("--concurrency", "1")
    monitoring.close_gate()
    wait_until(lambda: first.pid in monitoring.held, asking.step)
    second = workers.start("--concurrency", "1")
    wait_until(lambda: second.pid in monitoring.held, asking.step)
    monitoring.open.set()
    wait_until(lambda: len(asking.answers) >= 8 * 23, asking.step)
    assert monitoring.askers() == {first.pid, second.pid}
    all_answered(store, documents, asking)


def test_the_job_of_a_killed_worker_is_done_by_another(agreed, source, store, workers, monitoring):
    documents = agreed(20)
    asking = source(documents)
    monitoring.close_gate()
    first = workers.start()
    wait_until(lambda: first.pid in monitoring.held, asking.step)
    first.kill()
    first.wait()
    monitoring.open.set()
    second = workers.start()
    wait_until(lambda: len(asking.answers) >= 20 * 3, asking.step)
    assert second.pid in monitoring.askers()
    assert said(second, "job_freed")
    all_answered(store, documents, asking)
    wait_until(lambda: not jobs(store))


def test_a_worker_that_has_to_end_hands_its_job_back(agreed, source, store, workers, monitoring):
    asking = source(agreed(8))
    monitoring.close_gate()
    first = workers.start(dead_seconds=3_600)
    wait_until(lambda: first.pid in monitoring.held, asking.step)
    first.send_signal(signal.SIGTERM)
    assert first.wait(WAIT_SECONDS) == 0
    assert said(first, "job_handed_back")
    assert {status for status, *_ in jobs(store)} == {"todo"}
    monitoring.open.set()
    # The second would find the first's jobs dead only after an hour.
    workers.start(dead_seconds=3_600)
    wait_until(lambda: len(asking.answers) >= 8 * 3, asking.step)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGSTOP], ids=["gone", "hangs"])
def test_a_worker_ends_in_time_although_the_database_does_not_answer(
    agreed, source, workers, monitoring, server, how
):
    asking = source(agreed(8))
    monitoring.close_gate()
    worker = workers.start()
    wait_until(lambda: worker.pid in monitoring.held, asking.step)
    processes = server_processes(server)
    if how == signal.SIGSTOP:
        for process in processes:
            os.kill(process, how)
    else:
        server.stop()
    worker.send_signal(signal.SIGTERM)
    try:
        assert worker.wait(WAIT_SECONDS) == 0
    finally:
        if how == signal.SIGSTOP:
            for process in processes:
                os.kill(process, signal.SIGCONT)
    assert said(worker, "worker_stopped")


def server_processes(server):
    """The server's, and one for each connection."""
    first = server._process.pid
    tasks = Path(f"/proc/{first}/task/{first}/children")
    return [first, *map(int, tasks.read_text().split())]


def test_workers_go_on_after_the_database_was_restarted(
    agreed, source, store, workers, monitoring, server, past
):
    documents = agreed(8, start=past - 20 * MINUTE)
    asking = source(documents, intervals=23)
    monitoring.delay = 0.3
    started = [workers.start("--concurrency", "2") for _ in range(2)]
    wait_until(lambda: asking.answers, asking.step)
    server.restart()
    wait_until(lambda: len(asking.answers) >= 8 * 23, lambda: tolerant(asking))
    assert all(worker.poll() is None for worker in started)
    all_answered(store, documents, asking)
    wait_until(lambda: not jobs(store))


def test_a_worker_that_starts_while_the_database_is_away_waits_for_it(
    agreed, source, workers, server
):
    asking = source(agreed(8))
    server.stop()
    port = free_port()
    worker = workers.start("--listen", f"127.0.0.1:{port}")
    wait_until(lambda: said(worker, "worker_disconnected"))
    with pytest.raises(HTTPError) as shown:
        urlopen(f"http://127.0.0.1:{port}/readyz", timeout=WAIT_SECONDS)
    with shown.value as answer:
        assert answer.status == 503
    server.start()
    wait_until(lambda: len(asking.answers) >= 8 * 3, lambda: tolerant(asking))
    assert worker.poll() is None


def test_a_worker_does_not_wait_for_a_database_that_the_server_does_not_have(
    agreed, workers, server
):
    agreed(1)
    worker = workers.start(database=server.url("nowhere"))
    assert worker.wait(WAIT_SECONDS) == 8
    assert "does not exist" in worker.log.read_text()


def tolerant(source):
    """One step as the source's thread does it: what fails is tried again."""
    try:
        source.step()
    except StoreUnavailable:
        time.sleep(0.1)


def test_a_reading_that_fails_is_tried_again_at_its_time(
    agreed, source, store, workers, monitoring
):
    documents = agreed(8)
    asking = source(documents)
    monitoring.failing = {"sla-0-3"}
    worker = workers.start(dead_seconds=MINUTE)
    wait_until(lambda: len(asking.answers) >= 7 * 3, asking.step)
    wait_until(lambda: sum(thing == "sla-0-3" for _, thing, _ in monitoring.asked) >= 9)
    # The others of its jobs are not asked again with it.
    assert sum(thing == "sla-0-4" for _, thing, _ in monitoring.asked) <= 4
    assert said(worker, "reading_failed")
    monitoring.failing = set()
    wait_until(lambda: len(asking.answers) >= 8 * 3, asking.step)
    all_answered(store, documents, asking)


def test_jobs_without_a_document_are_handed_back_to_whoever_has_it(
    agreed, source, store, workers, tmp_path, monitoring
):
    documents = agreed(16)
    asking = source(documents)
    ignorant = workers.start(agreements=[str(documents[0].path)])
    wait_until(lambda: len(asking.answers) >= 8 * 3, asking.step)
    wait_until(lambda: all(attempts >= 3 for _, _, attempts, _ in jobs(store)))
    told = said(ignorant, "job_handed_back")
    assert (
        sum(line["feeds"] for line in told) == 8
    )  # each feed once, however often its jobs come back
    assert "the documents that the daemon has" in told[0]["hint"]
    workers.start()
    wait_until(lambda: len(asking.answers) >= 16 * 3, asking.step)
    all_answered(store, documents, asking)


@pytest.mark.parametrize("clock_ahead", [-600, 600])
def test_a_worker_whose_clock_is_wrong_reads_and_dates_by_the_databases(
    agreed, source, store, workers, clock_ahead
):
    documents = agreed(8)
    asking = source(documents, clock=Clock())  # stands still: nothing is looked after later
    workers.start(clock_ahead=clock_ahead)
    wait_until(lambda: len(asking.answers) >= 8 * 3, asking.step)
    with store.reading() as db:
        newest = db.scalar(text("SELECT max(read_at) FROM readings"))
    assert abs(newest - time.time()) < 300


def test_a_worker_refuses_the_database_of_another_chain(agreed, store, workers):
    agreed(1)
    store.bind(1)
    worker = workers.start()
    assert worker.wait(WAIT_SECONDS) == 3
    assert "belongs to chain 1, not to chain 31337" in worker.log.read_text()


def test_a_worker_refuses_documents_of_two_chains(agreed, store, workers):
    agreed(1)
    agreed(1, name="b-sla", chainId=1)
    worker = workers.start()
    assert worker.wait(WAIT_SECONDS) == 3
    assert re.search(r"is for chain \d+, but", worker.log.read_text())


def test_a_worker_refuses_a_configuration_whose_daemon_reads_itself(agreed, workers):
    agreed(1)
    worker = workers.start(workers=False)
    assert worker.wait(WAIT_SECONDS) == 3
    assert "set workers: true" in worker.log.read_text()


def test_a_worker_shows_its_health_and_its_metrics(agreed, source, workers, monitoring):
    asking = source(agreed(8))
    port = free_port()
    workers.start("--listen", f"127.0.0.1:{port}")
    wait_until(lambda: len(asking.answers) >= 8 * 3, asking.step)
    assert urlopen(f"http://127.0.0.1:{port}/readyz", timeout=WAIT_SECONDS).status == 200
    shown = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_SECONDS).read().decode()
    counted = re.search(r'readings_total{result="value",source="counted"} (\S+)', shown)
    assert float(counted[1]) >= 8 * 3


# The queue, without workers


def test_the_same_work_is_queued_once_however_often_the_daemon_starts(agreed, source, store):
    documents = agreed(MOST_FEEDS + 8)
    source(documents).step()
    waiting = jobs(store)
    assert sorted({len(args["wanted"]) for _, args, *_ in waiting}) == [8, MOST_FEEDS]
    source(documents).step()
    assert len(jobs(store)) == len(waiting)


def test_a_restarted_daemon_queues_no_job_that_a_worker_is_at(agreed, source, store):
    documents = agreed(8)
    source(documents).step()
    count = len(jobs(store))
    in_queue(store, "UPDATE procrastinate_jobs SET status = 'doing'")
    source(documents).step()
    assert len(jobs(store)) == count


def test_jobs_that_are_lost_are_queued_again(agreed, source, store):
    clock = Clock()
    asking = source(agreed(8), clock=clock)
    asking.step()
    count = len(jobs(store))
    assert count >= 3
    in_queue(store, "DELETE FROM procrastinate_jobs")
    asking.step()
    assert not jobs(store)
    clock.now += remote.SWEEP_SECONDS + 1
    asking.step()
    asking.step()
    assert len(jobs(store)) >= count


def test_answers_that_were_seen_by_no_look_are_found_later(agreed, source, store, monitoring):
    clock = Clock()
    documents = agreed(8)
    asking = source(documents, clock=clock)
    asking.step()
    late = Store(store.engine.url.render_as_string(), clock=lambda: time.time() - 3_600)
    reader = Reader(late, Questions(documents), {"counted": asking._service}, clock=DatabaseClock())
    for _, args, *_ in jobs(store):
        assert reader.work(Job.of(args)) is None
    late.close()
    asking.step()
    assert not asking.answers
    clock.now += remote.SWEEP_SECONDS + 1
    asking.step()
    all_answered(store, documents, asking)


def test_doing_a_job_twice_asks_nobody_again_and_changes_nothing(agreed, source, store, monitoring):
    documents = agreed(8)
    source(documents).step()
    service = source(documents)._service
    reader = Reader(store, Questions(documents), {"counted": service}, clock=DatabaseClock())
    [*queued] = [Job.of(args) for _, args, *_ in jobs(store)]
    assert [reader.work(job) for job in queued] == [None] * len(queued)
    before, asked = rows(store), len(monitoring.asked)
    assert [reader.work(job) for job in queued] == [None] * len(queued)
    assert (rows(store), len(monitoring.asked)) == (before, asked)


def test_what_failed_is_not_asked_again_before_its_time(agreed, source, store, monitoring):
    documents = agreed(8)
    asking = source(documents)
    asking.step()
    reader = Reader(
        store, Questions(documents), {"counted": asking._service}, clock=DatabaseClock()
    )
    monitoring.failing = {"sla-0-3"}
    job = Job.of(jobs(store)[0].args)
    begun = time.time()
    again = reader.work(job)
    assert again > begun
    asked = len(monitoring.asked)
    assert reader.work(job) == again
    assert len(monitoring.asked) == asked


def test_what_the_chain_has_gone_past_is_read_no_more(agreed, source, store):
    clock = Clock()
    asking = source(agreed(8), clock=clock)
    asking.step()
    for item in asking._watched:
        item.reporter.first = 1_000
    clock.now += remote.SWEEP_SECONDS + 1
    asking.step()
    assert not rows(store)
    assert not asking._chunks
    assert not asking._chunk_of


def test_no_more_wait_in_the_queue_than_it_may_hold(agreed, source, store, past, monkeypatch):
    monkeypatch.setattr(remote, "MOST_QUEUED", 5)
    documents = agreed(8, start=past - 20 * MINUTE)
    asking = source(documents, intervals=23)
    asking.step()
    asking.step()
    waiting = jobs(store)
    assert len(waiting) == 5
    oldest = documents[0].terms.start
    starts = sorted(args["interval"][0] for _, args, *_ in waiting)
    assert starts == [oldest + MINUTE * number for number in range(5)]


def test_an_alert_says_that_no_worker_runs(agreed, source, store, workers):
    clock = Clock()
    asking = source(agreed(8), clock=clock)
    asking.step()
    clock.now += remote.FAILING_SECONDS + 1
    asking.step()
    [alert] = asking._alerts.firing()
    assert (alert.name, alert.subject) == ("source_failing", "counted")
    assert "no worker is running" in alert.message
    workers.start()
    wait_until(lambda: asking.answers, asking.step)
    assert not asking._alerts.firing()


def test_daemons_that_start_at_once_make_the_tables_once(store):
    stores = [Store(store.engine.url.render_as_string()) for _ in range(4)]
    problems = []

    def install(one):
        try:
            Jobs(one).install(replace=True)
        except MakegoodError as error:
            problems.append(error)

    threads = [threading.Thread(target=install, args=[one]) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in stores:
        one.close()
    assert not problems
    assert Jobs(store).live() == set()


def test_only_the_daemon_replaces_the_tables_of_another_version(store):
    Jobs(store).install(replace=False)
    with store.writing() as db:
        db.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS 'makegood: tables of long ago'"))
    with pytest.raises(ConfigurationError, match="another version of procrastinate"):
        Jobs(store).install(replace=False)
    Jobs(store).install(replace=True)
    Jobs(store).install(replace=False)


def test_a_schema_of_another_program_stays(store):
    with store.writing() as db:
        db.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    with pytest.raises(ConfigurationError, match="of another program"):
        Jobs(store).install(replace=True)


def test_the_tables_of_the_queue_are_in_no_backup(agreed, source, store, tmp_path):
    from relayer.store.backup import backup

    source(agreed(8)).step()
    store.bind(31_337)
    copied = backup(store, tmp_path / "copy")
    assert copied.rows["readings"] == len(rows(store))
    assert not [name for name in copied.rows if "procrastinate" in name]


class Clock:
    """Begins now, and goes when it is told to."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now
