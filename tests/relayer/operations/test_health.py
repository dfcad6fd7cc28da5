"""Health and the operator's server, asked over real sockets."""

import json
import socket
import threading

import pytest
import requests

from relayer.errors import ConfigurationError
from relayer.operations import metrics
from relayer.operations.alerts import Alerts
from relayer.operations.health import PARTS, Health
from relayer.operations.server import Server


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def serve():
    servers = []

    def start(health, alerts=None, **where):
        server = Server(
            where.get("host", "127.0.0.1"),
            where.get("port", 0),
            health=health,
            alerts=alerts or Alerts(),
        )
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop(10)


def get(server, path, **headers):
    url = f"http://127.0.0.1:{server.port}{path}"
    answer = requests.get(url, headers={"Connection": "close", **headers}, timeout=30)
    return answer.status_code, answer.headers, answer.text


def all_well(health):
    for name in PARTS:
        health.part(name, "ok")


def test_the_process_lives_while_its_loop_goes_round(clock, serve):
    health = Health(poll_seconds=15, clock=clock)
    server = serve(health)
    clock.now += 74
    assert get(server, "/livez")[0] == 200
    clock.now += 1
    status, _, text = get(server, "/livez")
    assert status == 503
    assert json.loads(text) == {"alive": False, "ageSeconds": 75.0, "limitSeconds": 75.0}
    health.loop_finished(5_000)
    assert get(server, "/livez")[0] == 200
    assert metrics.REGISTRY.get_sample_value("makegood_loop_timestamp_seconds") == 5_000


def test_a_short_pause_does_not_make_the_limit_shorter_than_a_minute(clock):
    health = Health(poll_seconds=0.1, clock=clock)
    clock.now += 59
    assert health.liveness().alive
    clock.now += 1
    assert not health.liveness().alive


def test_a_part_that_never_reported_is_not_ready(clock, serve):
    server = serve(Health(poll_seconds=15, clock=clock))
    status, _, text = get(server, "/readyz")
    assert status == 503
    assert json.loads(text)["parts"]["chain"]["reason"] == "has not reported yet"


def test_a_degraded_part_is_ready_and_a_failed_one_is_not(clock, serve):
    health = Health(poll_seconds=15, clock=clock)
    server = serve(health)
    all_well(health)
    health.part("peers", "degraded", "1 of 2 answers")
    status, _, text = get(server, "/readyz")
    assert status == 200
    clock.now += 2
    health.part("store", "failed", "the disk is full")
    status, _, text = get(server, "/readyz")
    parts = json.loads(text)["parts"]
    assert status == 503
    assert parts["store"] == {"state": "failed", "reason": "the disk is full", "ageSeconds": 0.0}
    assert parts["peers"] == {
        "state": "degraded",
        "reason": "1 of 2 answers",
        "ageSeconds": 2.0,
    }
    value = metrics.REGISTRY.get_sample_value
    assert [
        value("makegood_part_ready", {"part": part}) for part in ("chain", "peers", "store")
    ] == [1, 0.5, 0]


def test_a_loop_that_hangs_is_not_ready_either(clock, serve):
    health = Health(poll_seconds=15, clock=clock)
    server = serve(health)
    all_well(health)
    assert get(server, "/readyz")[0] == 200
    clock.now += 75
    status, _, text = get(server, "/readyz")
    assert status == 503
    assert json.loads(text)["parts"]["loop"]["reason"] == "no round finished for 75 s"


def test_alerts_are_listed_oldest_first(clock, serve):
    alerts = Alerts(clock=clock)
    server = serve(Health(15), alerts)
    assert json.loads(get(server, "/alerts")[2]) == {"alerts": []}
    alerts.fire("wallet_empty", "0xabc", "nothing left")
    clock.now += 5
    alerts.fire("peer_down", "http://b", "no answer")
    clock.now += 5
    alerts.fire("wallet_empty", "0xabc", "still nothing")
    shown = json.loads(get(server, "/alerts")[2])["alerts"]
    assert [alert["name"] for alert in shown] == ["wallet_empty", "peer_down"]
    assert shown[0] == {
        "name": "wallet_empty",
        "subject": "0xabc",
        "message": "still nothing",
        "severity": "critical",
        "since": 1_000.0,
    }
    alerts.clear("wallet_empty", "0xabc")
    alerts.clear("peer_down", "http://b")


def test_metrics_come_in_the_format_that_prometheus_asks_for(serve):
    server = serve(Health(15))
    metrics.BALANCE.set(12)
    _, headers, text = get(server, "/metrics")
    assert headers["content-type"].startswith("text/plain")
    assert "\nmakegood_balance_wei 12.0\n" in text
    assert "makegood_process_start_time_seconds" in text
    _, headers, text = get(server, "/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_other_pages_and_other_verbs_are_refused(serve):
    server = serve(Health(15))
    assert get(server, "/")[0] == 404
    assert get(server, "/metrics/../../etc/passwd")[0] == 404
    url = f"http://127.0.0.1:{server.port}/livez"
    assert requests.post(url, data=b"x", timeout=30).status_code == 405


def test_a_port_in_use_is_one_clear_error(serve):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}: Address already in use"):
            serve(Health(15), port=port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_that_cannot_be_listened_at_is_one_clear_error(serve, host):
    with pytest.raises(ConfigurationError, match="cannot listen at"):
        serve(Health(15), host=host)


def test_it_listens_where_it_is_told_and_nowhere_else(serve):
    server = serve(Health(15), host="127.0.0.1")
    with socket.create_server(("127.0.0.2", server.port)) as neighbour:  # is free
        assert neighbour.getsockname() == ("127.0.0.2", server.port)


def test_it_stops_although_somebody_holds_a_connection_open():
    server = Server("127.0.0.1", 0, health=Health(15), alerts=Alerts())
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as silent:
        silent.sendall(b"GET /livez HT")
        server.stop(30)
        assert "operations" not in {thread.name for thread in threading.enumerate()}
    # The port is free again.
    again = Server("127.0.0.1", server.port, health=Health(15), alerts=Alerts())
    again.start()
    again.stop(30)


def test_parts_report_and_probes_ask_at_the_same_time(serve):
    health = Health(15)
    server = serve(health)
    asked_enough = threading.Event()

    def report(name):
        while True:
            health.part(name, "ok")
            health.loop_finished(1)
            if asked_enough.wait(0.001):
                return

    threads = [threading.Thread(target=report, args=(f"part{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    asked = [get(server, "/readyz")[0] for _ in range(20)]
    asked_enough.set()
    for thread in threads:
        thread.join()
    assert set(asked) == {503}
    assert len(health.parts()) == 1 + len(PARTS) + 4
