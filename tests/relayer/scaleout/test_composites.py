"""What is made of other services is read by workers as those are, unless one of them takes samples: that stays in the daemon."""

from __future__ import annotations

import json

import pytest

from oracles import load
from relayer import assembly
from relayer.clock import SteadyClock
from relayer.config import Configuration
from relayer.operations.alerts import Alerts
from relayer.scaleout.remote import RemoteSource
from relayer.sources import Source
from tests.relayer.scaleout.world import (
    MINUTE,
    counted,
    load_documents,
    remote_source,
    wait_until,
    write_documents,
)

pytestmark = pytest.mark.timeout(600)

PROBE = {"type": "http_probe", "spec": {"url": "https://shop.example"}}
INTERVALS = 3


def sliding(source):
    """Over the last two intervals."""
    return {"type": "sliding", "spec": {"source": source, "over": 2 * MINUTE}}


def nested(thing):
    return sliding(sliding(counted(thing)))


def question(source):
    return load(source["type"]).query(source["spec"], "availability", first=0, length=MINUTE)


@pytest.fixture
def documents(tmp_path, past, plugins):
    return load_documents(write_documents(tmp_path, 8, start=past, asks=nested))


def said(process, action):
    """What a worker logged."""
    lines = [line for line in process.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if line.get("action") == action]


def test_workers_read_it_if_all_that_it_asks_keeps_a_history(store, monitoring, plugins):
    config = Configuration(workers=True, sources={"counted": {"port": monitoring.port}})
    parts = assembly._Parts(
        chain=None,
        store=store,
        account=None,
        config=config,
        alerts=Alerts(),
        clock=SteadyClock(),
    )
    read, same, sampled, probe = (
        parts._source(question(source))
        for source in (nested("a"), sliding(counted("b")), sliding(PROBE), PROBE)
    )
    assert isinstance(read, RemoteSource)
    assert read is same
    assert [type(one) for one in (sampled, probe)] == [Source, Source]
    assert [one.name for one in (read, sampled, probe)] == [
        "sliding",
        "sliding http_probe",
        "http_probe",
    ]


def test_a_worker_reads_it(store, documents, monitoring, workers):
    daemon = remote_source(store, documents, monitoring, name="sliding", intervals=INTERVALS)
    worker = workers.start()
    wait_until(lambda: len(daemon.answers) >= 8 * INTERVALS, daemon.step)
    assert monitoring.askers() == {worker.pid}
    assert {answer.code for answer in daemon.answers} == {1_000_000}


def test_a_worker_that_cannot_ask_a_part_of_it_hands_it_back_to_one_that_can(
    store, documents, monitoring, workers
):
    daemon = remote_source(store, documents, monitoring, name="sliding", intervals=INTERVALS)
    lacking = workers.start(sources={})
    wait_until(lambda: said(lacking, "job_handed_back"), daemon.step)
    [told] = said(lacking, "job_handed_back")
    assert told["source"] == "counted"
    assert "sources.counted" in told["hint"]
    assert said(lacking, "reading_failed") == []
    able = workers.start()
    wait_until(lambda: len(daemon.answers) >= 8 * INTERVALS, daemon.step)
    assert monitoring.askers() == {able.pid}
