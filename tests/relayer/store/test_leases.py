from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from relayer.errors import KeyUnavailable
from relayer.store import Lease
from relayer.store.leases import Process

KEY = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
FOREIGN = "elsewhere:4711:1700000000:other-1.99.abcdef"


def test_a_lease_has_one_holder_at_a_time(store, clock):
    leases, now = store.leases, clock()
    assert leases.acquire("key", "one", 30, now) == 1
    assert leases.acquire("key", "two", 30, now + 29) is None
    assert leases.acquire("other", "two", 30, now) == 1
    assert leases.acquire("key", "one", 30, now) == 2  # a restart of the same holder
    assert leases.holder("key") == ("one", now + 30)
    assert leases.holder("nobody's") is None


def test_a_lease_whose_time_is_over_is_taken_over(store, clock):
    leases, now = store.leases, clock()
    fence = leases.acquire("key", "one", 30, now)
    assert leases.renew("key", "one", fence, 30, now + 20)
    assert leases.acquire("key", "two", 30, now + 49) is None
    assert leases.acquire("key", "two", 30, now + 50) == fence + 1
    assert not leases.renew("key", "one", fence, 30, now + 51)
    assert leases.holder("key") == ("two", now + 80)


def test_a_late_renewal_holds_as_long_as_nobody_took_the_lease(store, clock):
    fence = store.leases.acquire("key", "one", 30, clock())
    assert store.leases.renew("key", "one", fence, 30, clock() + 300)
    assert store.leases.acquire("key", "two", 30, clock() + 301) is None


def test_a_renewal_with_an_old_fence_is_refused(store, clock):
    old = store.leases.acquire("key", "one", 30, clock())
    new = store.leases.acquire("key", "one", 30, clock())
    assert not store.leases.renew("key", "one", old, 30, clock())
    assert store.leases.renew("key", "one", new, 30, clock())


def test_fences_grow_although_leases_are_given_back(store, clock):
    store.leases.acquire("key", "one", 30, clock())
    store.leases.release("key", "two")  # not two's to give
    assert store.leases.acquire("key", "two", 30, clock()) is None
    store.leases.release("key", "one")
    assert store.leases.acquire("key", "two", 30, clock()) == 2


def test_of_many_who_ask_at_once_one_gets_the_lease(store, clock):
    got = []
    threads = [
        threading.Thread(
            target=lambda k=k: got.append(store.leases.acquire("key", f"holder {k}", 30, clock()))
        )
        for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=str) == [1, *[None] * 7]


def test_a_key_is_used_by_one_process_which_the_second_one_names(store):
    with Lease(store, KEY) as lease:
        assert lease.held
        with pytest.raises(KeyUnavailable) as refused, Lease(store, KEY):
            pass
        assert f"process {os.getpid()} on" in refused.value.message
        assert f"end process {os.getpid()}" in refused.value.hint
        assert lease.held
    assert not lease.held
    with Lease(store, KEY) as again:
        assert again.held


def test_the_lease_of_another_machine_is_waited_for(store):
    now = store.leases.now()
    store.leases.acquire(KEY, FOREIGN, 30, now)
    with pytest.raises(
        KeyUnavailable, match=r"process 4711 on elsewhere since 2023-11-14 22:13:20"
    ):
        Lease(store, KEY).__enter__()
    store.leases.renew(KEY, FOREIGN, 1, 30, now - 31)
    with Lease(store, KEY) as lease:
        assert lease.held


HOLD = """
import sys, time
from relayer.store import Lease, Store
where = sys.argv[1]
with Lease(Store(where), sys.argv[2], seconds=float(sys.argv[3])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(database):
    """Another process that uses the key."""
    started = []

    def hold(seconds=600):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(database), KEY, str(seconds)], stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_process_is_refused_and_a_killed_one_replaced_at_once(store, holder):
    other = holder()
    with pytest.raises(KeyUnavailable, match=f"process {other.pid} on"):
        Lease(store, KEY).__enter__()
    other.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, but not buried: a zombie
    with Lease(store, KEY) as lease:
        assert lease.held


def test_a_clock_that_runs_ahead_takes_no_key_from_a_process_that_runs(
    open_store, database, holder
):
    other = holder()
    ahead = open_store(database, clock=lambda: time.time() + 3_600)
    with pytest.raises(KeyUnavailable, match=f"process {other.pid} on"):
        Lease(ahead, KEY).__enter__()


def test_on_postgresql_the_servers_clock_decides(postgres, open_store):
    # The clocks of two machines need not agree.
    url = postgres.new_database()
    store = open_store(url)
    store.leases.acquire(KEY, FOREIGN, 60, store.leases.now())
    ahead = open_store(url, clock=lambda: time.time() + 3_600)
    with pytest.raises(KeyUnavailable, match="on elsewhere"):
        Lease(ahead, KEY).__enter__()


def test_whoever_lost_the_lease_is_told_and_stops(store):
    told = threading.Event()
    with Lease(store, KEY, seconds=0.3, on_lost=told.set) as lease:
        while store.leases.acquire(KEY, FOREIGN, 600, store.leases.now() + 5) is None:
            pass
        assert told.wait(60)
        assert not lease.held
        assert not lease.renew()
    assert store.leases.holder(KEY)[0] == FOREIGN  # leaving gives nothing back that is not ours


def test_a_lease_is_renewed_for_as_long_as_it_is_used(store, clock):
    with Lease(store, KEY, seconds=0.5):
        first = store.leases.holder(KEY)[1]
        clock.now += 1
        last = time.monotonic() + 60
        while store.leases.holder(KEY)[1] <= first:
            assert time.monotonic() < last
            time.sleep(0.05)


def test_a_lease_that_could_not_be_renewed_in_time_is_not_used(store):
    steady = [100.0]
    with Lease(store, KEY, steady=lambda: steady[0]) as lease:
        steady[0] += 29
        assert lease.held
        steady[0] += 2
        assert not lease.held  # e.g. the process was stopped for a while, or the database was away
        assert lease.renew()
        assert lease.held


def test_a_database_that_is_away_for_a_moment_costs_no_lease(server, open_store):
    store = open_store(server.new_database())
    with Lease(store, KEY, seconds=0.3) as lease:
        server.stop()
        time.sleep(0.5)
        assert not lease.held
        server.start()
        last = time.monotonic() + 60
        while not lease.held:
            assert time.monotonic() < last
            time.sleep(0.05)


def test_processes_that_cannot_be_asked_about_may_be_alive():
    assert Process.this(0).alive()
    assert Process.parse(FOREIGN).alive() is None
    assert Process.parse("host:1:1:").alive() is None
    assert Process.parse("whoever") is None
    mine = Process.this(0)
    machine, started, chance = mine.mark.split(".")
    reused = Process(mine.host, mine.pid, 0, f"{machine}.{int(started) - 1}.{chance}")
    assert reused.alive() is False  # the same number, another process
    assert Process.parse(str(mine)) == mine
