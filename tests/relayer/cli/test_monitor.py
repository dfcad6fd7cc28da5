"""`makegood monitor`: each monitoring service can be tried before anybody signs anything about it."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from oracles import available
from relayer.cli.sparkline import sparkline

INDICATOR = """
indicator:
  dataSource:
    type: http_probe
    spec: {url: "%s", samples: 2, timeout: 1}
  metric: latency
"""


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 503 if self.path == "/down" else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_list_has_every_service_with_its_metrics(makegood):
    ran = makegood("monitor", "list", "--json")
    assert ran.code == 0
    rows = {row["name"]: row for row in ran.json}
    assert set(rows) == set(available())
    assert rows["http_probe"]["metrics"] == ["availability", "latency"]
    assert rows["http_probe"]["kind"] == "takes samples"
    assert rows["cloudwatch"]["kind"] == "keeps history"
    assert rows["ratio"]["kind"] == "made of others"
    assert all(row["summary"] and row["needs"] is None for row in rows.values())


def test_a_probe_takes_one_sample_at_once(makegood, page):
    ran = makegood(
        "monitor", "test", "http_probe", "-s", f"url={page}", "--interval", "1h", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.json["outcome"] == "sampled"
    assert '"outcome":"up"' in ran.json["evidence"]
    down = makegood("monitor", "test", "http_probe", "-s", f"url={page}down", "--json")
    assert '"status":503' in down.json["evidence"]


def test_what_a_service_refuses_is_one_of_the_outcomes_and_fails(makegood, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fields = {
        "region": "eu-central-1",
        "namespace": "AWS/EC2",
        "metric_name": "StatusCheckFailed",
        "statistic": "Maximum",
        "unit": "Count",
    }
    given = [word for name, value in fields.items() for word in ("-s", f"{name}={value}")]
    ran = makegood("monitor", "test", "cloudwatch", *given, "--metric", "failed_checks")
    assert ran.code == 7
    assert "access refused: credentials are missing" in ran.out
    assert "docs/oracles/cloudwatch.md" in ran.err


def test_samples_are_read_from_a_file_and_drawn(makegood, home, page):
    file = home / "indicator.yaml"
    file.write_text(INDICATOR % page)
    ran = makegood("monitor", "sample", file, "--interval", "2s", "--count", "2", "--json")
    assert ran.code == 0, ran.err
    assert [row["outcome"] for row in ran.json] == ["value", "value"]
    assert all(row["value"].endswith(" ms") for row in ran.json)
    drawn = makegood("monitor", "sample", file, "--interval", "2s", "--count", "1")
    assert "latency [ms]" in drawn.out
    assert "lowest" in drawn.out


def test_a_level_of_a_document_is_asked_as_its_reporter_will(makegood, agreement):
    ran = makegood("monitor", "test", agreement)
    assert ran.code == 3
    assert "has 2 levels" in ran.err
    ran = makegood("monitor", "test", agreement, "--level", "nonsense")
    assert ran.code == 3
    assert 'no level "nonsense"' in ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["htp_probe"], "did you mean 'http_probe'"),
        (["http_probe", "-s", "ulr=http://127.0.0.1/"], "ulr"),
        (["http_probe", "-s", "url"], "is not NAME=VALUE"),
        (["http_probe", "-s", "url=http://127.0.0.1/", "--metric", "latenci"], "'latency'"),
        (["http_probe", "-s", "url=http://127.0.0.1/", "--interval", "5"], "--interval"),
        (["http_probe", "--level", "x"], "belong to an SLA document"),
        (["missing.yaml"], "cannot read missing.yaml"),
        (["ratio", "-s", "total={type: http_probe, spec: {}}"], "good or bad"),
    ],
)
def test_a_wrong_question_is_one_clear_message(makegood, words, message):
    ran = makegood("monitor", "test", *words)
    assert ran.code == 3, ran.err
    assert message in ran.err
    assert "bug" not in ran.err


def test_a_file_without_an_indicator_is_refused(makegood, home):
    file = home / "odd.yaml"
    file.write_text("colour: red\n")
    ran = makegood("monitor", "test", file)
    assert ran.code == 3
    assert "neither an SLA document nor an indicator" in ran.err


def test_a_sparkline_shows_extremes_absences_and_flat_lines():
    class Terminal:
        encoding = "utf-8"

        def __getattr__(self, name):
            raise AssertionError(name)

    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("sys.stdout", Terminal())
        assert sparkline([0, 7, "·", 3.5]) == "▁█·▅"
        assert sparkline([5, 5]) == "▅▅"
        assert sparkline(["x"]) == "x"
        assert sparkline([]) == ""
        assert sparkline([9, 10], lowest=0) == "██"
