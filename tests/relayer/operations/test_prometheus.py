"""Rules and dashboard: they name metrics that exist, the rules fire when they should, and a real Prometheus reads a relayer."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from ruamel.yaml import YAML

from relayer.demo.processes import free_port
from relayer.operations import metrics
from relayer.operations.alerts import SEVERITIES, Alerts
from relayer.operations.health import Health
from relayer.operations.server import Server

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
FILES = ROOT / "scripts" / "operations"
MANUAL = ROOT / "docs" / "operations.md"
RULES = FILES / "alerts.rules.yaml"
DASHBOARD = FILES / "grafana-dashboard.json"


def program(name):
    """Debian's package `prometheus` has both. In CI they may not be missing."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is missing: apt-get install -y --no-install-recommends prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def rules():
    groups = YAML(typ="safe").load(RULES)["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels():
    return [
        panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"
    ]


def expressions():
    """(where, expression) of all rules and panels."""
    found = [(rule["alert"], rule["expr"]) for rule in rules()]
    for panel in panels():
        found += [(panel["title"], target["expr"]) for target in panel["targets"]]
    return found


def sample_names():
    """As they stand on the page: counters end in _total."""
    ending = {"counter": "_total", "gauge": ""}
    # A counter without a child yet is on the page with its type only.
    return {family.name + ending[family.type] for family in metrics.REGISTRY.collect()}


def labels_of(name):
    collector = metrics.REGISTRY._names_to_collectors.get(name)
    return set(getattr(collector, "_labelnames", ()))


def of_ours(expression):
    return set(re.findall(r"\bmakegood_[a-z_]+", expression))


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_rules_and_panels_name_metrics_that_exist(where, expression):
    named = of_ours(expression)
    assert named or "up{" in expression
    assert named - sample_names() == set()


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_rules_and_panels_name_labels_that_exist(where, expression):
    of_prometheus = {"instance", "job"}
    for name, selectors in re.findall(r"\b(makegood_[a-z_]+)\{([^}]*)\}", expression):
        used = set(re.findall(r"([a-z_]+)\s*(?:=~|!=|!~|=)", selectors))
        assert used <= labels_of(name) | of_prometheus
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        known = set().union(*(labels_of(name) for name in of_ours(expression)))
        assert set(re.split(r",\s*", grouped)) <= known | of_prometheus


def test_posts_are_counted_from_zero_so_that_the_first_one_dropped_is_an_increase():
    page = "from prometheus_client import generate_latest; from relayer.operations.metrics import REGISTRY"
    fresh = [sys.executable, "-c", f"{page}; print(generate_latest(REGISTRY).decode())"]
    shown = subprocess.run(fresh, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert 'makegood_webhook_posts_total{result="dropped"} 0.0' in shown


def test_every_metric_is_on_the_dashboard():
    shown = set().union(*(of_ours(expr) for where, expr in expressions()))
    system = {name for name in sample_names() if name.startswith("makegood_process_")}
    assert sample_names() - system - shown == set()


def test_the_dashboard_has_panels_of_different_ids_beside_each_other():
    everything = json.loads(DASHBOARD.read_text())["panels"]
    ids = [panel["id"] for panel in everything]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in everything:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        taken |= cells


def test_the_rules_have_each_alert_of_the_relayer_under_its_severity():
    told = {}
    for rule in rules():
        if listed := re.search(r'makegood_alerts\{alert=~"([a-z_|]+)"\}', rule["expr"]):
            told.update(dict.fromkeys(listed[1].split("|"), rule["labels"]["severity"]))
    assert told == dict(SEVERITIES)


def test_the_manual_has_a_line_for_each_alert_with_its_severity():
    said = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", MANUAL.read_text(), re.MULTILINE))
    expected = {rule["alert"]: rule["labels"]["severity"] for rule in rules()}
    # Those that only pass on what the relayer says itself are explained under the relayer's own names.
    for passed_on in ("MakegoodCritical", "MakegoodWarning", "MakegoodInfo"):
        del expected[passed_on]
    assert said == expected | dict(SEVERITIES)


def test_prometheus_accepts_the_rules():
    subprocess.run([program("promtool"), "check", "rules", "--lint-fatal", RULES], check=True)


def test_each_rule_fires_when_it_should_and_not_before():
    tests = HERE / "alerts.test.yaml"
    done = subprocess.run(
        [program("promtool"), "test", "rules", tests],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = [
        (case["alertname"], bool(case["exp_alerts"]))
        for test in YAML(typ="safe").load(tests)["tests"]
        for case in test["alert_rule_test"]
    ]
    assert set(cases) == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


@contextlib.contextmanager
def running_prometheus(folder, target):
    port = free_port()
    shipped = YAML(typ="safe").load(FILES / "prometheus.yaml")
    shipped["global"]["scrape_interval"] = "1s"
    shipped["global"]["evaluation_interval"] = "1s"
    assert shipped["scrape_configs"][0]["static_configs"] == [{"targets": ["relayer:8721"]}]
    shipped["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yaml").write_text(json.dumps(shipped))  # JSON is YAML
    shutil.copy(RULES, folder)
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}/api/v1", process
        finally:
            process.terminate()
            process.wait(60)


def asked(api, expression):
    answer = requests.get(f"{api}/query", params={"query": expression}, timeout=30)
    said = answer.json()
    assert said["status"] == "success", said
    return said["data"]["result"]


def test_a_real_prometheus_reads_a_relayer(tmp_path):
    health, alerts = Health(15), Alerts()
    server = Server("127.0.0.1", 0, health=health, alerts=alerts)
    server.start()
    health.loop_finished(1_800_000_123)
    alerts.fire("wallet_empty", "0xabc", "nothing left")
    # Of this process, in which others may have left alerts behind.
    firing = metrics.REGISTRY.get_sample_value("makegood_alerts", {"alert": "wallet_empty"})
    target = f"127.0.0.1:{server.port}"
    try:
        with running_prometheus(tmp_path, target) as (api, process):
            waiting = threading.Event()
            found = []
            for _ in range(900):  # the first sample comes after six quiet seconds
                assert process.poll() is None, (tmp_path / "prometheus.log").read_text()
                with contextlib.suppress(requests.ConnectionError, ValueError):
                    found = asked(api, "makegood_loop_timestamp_seconds")
                if found:
                    break
                waiting.wait(0.1)
            assert [(one["metric"]["instance"], one["value"][1]) for one in found] == [
                (target, "1800000123")
            ]
            [empty] = asked(api, 'makegood_alerts{alert="wallet_empty"}')
            assert float(empty["value"][1]) == firing >= 1
            loaded = requests.get(f"{api}/rules", timeout=30).json()["data"]["groups"]
            assert {rule["name"] for group in loaded for rule in group["rules"]} == {
                rule["alert"] for rule in rules()
            }
            for _, expression in expressions():  # each is one that Prometheus understands
                asked(api, expression.replace("$instance", ".*"))
    finally:
        alerts.clear("wallet_empty", "0xabc")
        server.stop(10)
