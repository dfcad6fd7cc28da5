"""What the machine does to a relayer: its disk is full, its database server goes away, its clock is wrong."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

from relayer.demo.processes import (
    MNEMONIC,
    Process,
    answers_rpc,
    find_program,
    free_port,
    stopped_at_the_end,
)
from tests.faults.life import INTERVAL, Life, Site, own_agreement, wait_until
from tests.postgres import running_postgres

pytestmark = pytest.mark.timeout(900)

WRONG = 600
OLD = 700
"""The agreement of a relayer whose clock is wrong began so long ago [s]: there are intervals ten minutes ago to be invented."""


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as server:
        yield server


def firing(life):
    """The alerts that it serves: its log may be on the same disk."""
    try:
        answer = requests.get(f"http://127.0.0.1:{life.port}/alerts", timeout=5).json()
    except requests.RequestException:
        return []
    return str(answer)


def test_on_a_full_disk_it_waits_until_there_is_space(site, new_life):
    life = new_life()
    own_agreement(site, life, operations={"listen": f"127.0.0.1:{life.port}"})
    life.process.start()
    life.wait_for("transaction_mined")
    pid = life.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    # No file can grow any more: neither the database nor its journal nor the log.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, before[1]))
    wait_until(lambda: "store_unavailable" in firing(life), "alert", process=life.process)
    time.sleep(3 * INTERVAL)  # for each of its threads there is something to write
    assert life.process.running()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    life.goes_on()
    wait_until(lambda: "store_unavailable" not in firing(life), "over", process=life.process)
    assert life.process.pid == pid
    life.agreement.check()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_without_its_database_server_it_waits_until_it_is_back(how, database_life, postgres):
    life = database_life
    before = len(life.lines("round_failed"))
    postgres.stop(how)
    life.wait_for("round_failed", more_than=before)
    life.wait_for_alert("store_unavailable")
    postgres.start()
    life.goes_on()
    life.agreement.check()


@pytest.fixture(scope="module")
def database_life(site, new_life, postgres):
    life = own_agreement(site, new_life(database=postgres.new_database()))
    life.process.start()
    life.wait_for("transaction_mined")
    return life


# Clocks


@pytest.fixture
def old_site(tmp_path):
    """A chain on which agreements can be opened some minutes ago."""
    port = free_port()
    options = ["--port", str(port), "--mnemonic", MNEMONIC, "--silent", "--block-time", "1"]
    started = int(time.time()) - OLD
    command = [find_program("anvil"), *options, "--timestamp", str(started)]
    process, rpc_url = Process("anvil", command, tmp_path / "anvil.log"), f"http://127.0.0.1:{port}"
    with stopped_at_the_end(process):
        process.start()
        process.wait_until(lambda: answers_rpc(rpc_url))
        site = Site(rpc_url, tmp_path)
        yield site
        site.shop.close()


def chain_time(site):
    return site.w3.eth.get_block("latest")["timestamp"]


def faketime():
    """The library that tells a process another time. Its program would be a second process, which outlives a kill."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if found:
        return str(found[0])
    reason = "libfaketime is not installed: apt-get install libfaketime"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def with_clock_off_by(seconds):
    """The environment of a process whose clock is wrong; its timers are right."""
    return {
        "LD_PRELOAD": faketime(),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def test_with_a_clock_that_is_wrong_by_ten_minutes_it_reads_nothing_until_it_is_right(old_site):
    site = old_site
    lives = [Life.of(site, environment=with_clock_off_by(by)) for by in (WRONG, -WRONG)]
    try:
        for life in lives:
            # Long windows: few of them are over, and their payments do not hold up the reports.
            life.configure(site.agreement([life.account], begun=OLD - 20, window_intervals=300))
        site.rpc("evm_increaseTime", OLD)
        wait_until(lambda: chain_time(site) > time.time() - OLD / 2, "the chain to be here")
        for life in lives:
            life.process.start()
        for life in lives:
            life.wait_for_alert("clock_wrong")
        time.sleep(6)  # some intervals, and the time to report them
        for life in lives:
            assert life.process.running()
            assert not life.lines("interval_read")
            assert samples(life) == []
            life.agreement.check()
            life.process.kill()
        for life in lives:
            life.process = life.plain_process()
            life.process.start()
        for life in lives:
            life.goes_on()
            life.agreement.check()
    finally:
        for life in lives:
            life.close()


def samples(life):
    """When it believes to have asked the service."""
    with closing(sqlite3.connect(f"file:{life.database}?mode=ro", uri=True)) as db:
        return [at for [at] in db.execute("SELECT at FROM samples ORDER BY at")]
