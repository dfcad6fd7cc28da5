"""`makegood monitor`: each monitoring service can be tried before anybody signs anything about it."""

import contextlib
import hashlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from oracles import MissingExtra, available, load
from oracles.probing import probe
from relayer.cli import monitor, question
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
def page(home):
    (home / "makegood.yaml").write_text(
        json.dumps({"sources": {"http_probe": {"allowed_networks": ["127.0.0.1"]}}})
    )
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
    shown = makegood("monitor", "list").out.splitlines()
    assert shown[0] == "service\tkind\tmetrics\twhat it is"
    assert any(line.startswith("replay\tkeeps history\tall\t") for line in shown)
    assert any("\tavailability, latency\t" in line for line in shown)


def test_the_list_says_what_is_missing(makegood, monkeypatch):
    real = monitor.load

    def load(name):
        if name == "cloudwatch":
            raise MissingExtra("boto3: pip install 'makegood[aws]'")
        return real(name)

    monkeypatch.setattr(monitor, "load", load)
    shown = makegood("monitor", "list").out.splitlines()
    assert shown[0].endswith("\tneeds")
    assert any("makegood[aws]" in line for line in shown)


def test_a_probe_takes_one_sample_at_once(makegood, page):
    ran = makegood(
        "monitor", "test", "http_probe", "-s", f"url={page}", "--interval", "1h", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.json["outcome"] == "sampled"
    assert '"outcome":"up"' in ran.json["evidence"]
    down = makegood("monitor", "test", "http_probe", "-s", f"url={page}down", "--json")
    assert '"status":503' in down.json["evidence"]


def test_a_sample_says_whether_the_service_is_up(makegood, page):
    up = makegood("monitor", "test", "http_probe", "-s", f"url={page}")
    assert "\nsample\tup: 200 (" in up.out
    down = makegood("monitor", "test", "http_probe", "-s", f"url={page}down")
    assert "\nsample\tdown: status 503 (" in down.out
    assert down.out.index("\nsample") < down.out.index("\nevidence")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        url = f"url=http://127.0.0.1:{nobody.getsockname()[1]}/"
        dead = makegood("monitor", "test", "http_probe", "-s", url)
        assert dead.code == 0, dead.err
        assert "\nsample\tdown: connection (" in dead.out
        ran = makegood("monitor", "test", "http_probe", "-s", url, "--json")
    assert ran.json["sample"] == {"outcome": "down", "reason": "connection"}


def test_what_lies_inside_the_own_network_is_refused_unless_the_configuration_allows_it(
    makegood, page, home
):
    (home / "makegood.yaml").unlink()
    ran = makegood("monitor", "test", "http_probe", "-s", f"url={page}")
    assert ran.code == 7
    assert "\noutcome\taccess refused: " in ran.out
    assert "list it in sources.http_probe.allowed_networks" in ran.out
    ran = makegood("monitor", "test", "json_http", "-s", f"url={page}{{end_s}}", "-s", "value=$",
                   "-s", "unit=count", "--metric", "throughput", "--json")  # fmt: skip
    assert ran.code == 7
    assert ran.json["outcome"] == "access refused"
    assert "sources.json_http.allowed_networks" in ran.json["problem"]


def test_a_probe_that_is_refused_is_not_tried_for_minutes(makegood, page, home):
    (home / "makegood.yaml").unlink()
    words = ("-s", "samples=1", "-s", "timeout=1", "--interval", "2s", "--count", "1440")
    ran = makegood("monitor", "sample", "http_probe", "-s", f"url={page}", *words)
    assert ran.code == 7
    assert "watching the next 1440 intervals of 2s; Ctrl-C shows what there is" in ran.err
    assert ran.err.count("access refused") == 1, ran.err


def test_a_sample_that_failed_by_our_own_fault_fails(makegood, page, monkeypatch):
    monkeypatch.setattr(probe.Probe, "_outcome", lambda *_: "void")
    ran = makegood("monitor", "test", "http_probe", "-s", f"url={page}", "--json")
    assert ran.code == 7
    assert ran.json["sample"]["outcome"] == "void"
    assert "our own fault" in ran.json["problem"]
    shown = makegood("monitor", "test", "http_probe", "-s", f"url={page}")
    assert "our own fault" in shown.out


@pytest.fixture
def replayed(home):
    """A file of ten minutes, and fields that ask for it; minute 4 is left out, minute 7 no number of the metric."""
    lines = [f"2026-06-01T00:{n:02}:00Z,{7 if n == 7 else 1}\n" for n in range(10) if n != 4]
    file = home / "june.csv"
    file.write_text("".join(lines))
    (home / "makegood.yaml").write_text(json.dumps({"sources": {"replay": {"files": [str(file)]}}}))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return ["replay", "-s", f"sha256={sha256}", "-s", "unit=1", "--metric", "availability"]


def test_a_number_is_a_text_where_the_field_is_one(makegood, replayed):
    ran = makegood("monitor", "test", *replayed, "--at", "2026-06-01T00:10:00Z", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["start"], ran.json["value"]) == ("2026-06-01T00:09:00Z", "100 %")


@pytest.mark.parametrize(
    ("service", "given", "value"),
    [
        ("dns_probe", "servers=1.1.1.1", ["1.1.1.1"]),
        ("dns_probe", "servers=[1.1.1.1, 9.9.9.9]", ["1.1.1.1", "9.9.9.9"]),
        ("dns_probe", "expect=7", ["7"]),
        ("dns_probe", "expect=[7, a.example]", ["7", "a.example"]),
        ("http_probe", "expect_status=2xx", "2xx"),
        ("http_probe", "expect_status=204", [204]),
        ("http_probe", "expect_status=[200, 204]", [200, 204]),
        ("http_probe", "samples=5", 5),
        ("http_probe", "verify_tls=false", False),
        ("cloudwatch", "dimensions={Host: web}", {"Host": "web"}),
        ("cloudwatch", "min_points=3", 3),
        ("cloudwatch", "unheard=3", 3),
    ],
)
def test_a_single_value_of_a_list_is_a_list_of_one(service, given, value):
    assert question._field(load(service), given) == (given.partition("=")[0], value)


def test_history_is_read_up_to_a_time(makegood, replayed):
    words = ("--at", "2026-06-01T00:10:00Z", "--count", "10")
    ran = makegood("monitor", "sample", *replayed, *words, "--json")
    assert ran.code == 0, ran.err
    outcomes = [row["outcome"] for row in ran.json]
    assert outcomes == ["value"] * 4 + ["no data"] + ["value"] * 2 + ["garbage"] + ["value"] * 2
    shown = makegood("monitor", "sample", *replayed, *words)
    assert "· no data, x failed" in shown.out
    assert "not applicable" not in shown.out
    assert shown.out.count("\tgarbage\t") == 1
    assert shown.out.splitlines()[-1].startswith("garbage: ")


def test_a_reason_that_is_always_the_same_is_told_once(makegood, replayed, home):
    (home / "june.csv").unlink()
    (home / "makegood.yaml").write_text("")
    ran = makegood("monitor", "sample", *replayed, "--count", "5")
    assert ran.code == 7
    assert ran.out.count("\twrong question\t") == 5
    assert ran.out.count("that was agreed") == 1


def test_a_file_that_ends_earlier_says_what_it_covers(makegood, replayed):
    for command in ("test", "sample"):
        ran = makegood("monitor", command, *replayed)
        assert ran.code == 0, ran.err
        assert "covers 2026-06-01T00:00:00Z to 2026-06-01T00:09:00Z" in ran.err
        assert "--at" in ran.err


def test_a_probe_knows_no_past(makegood, page):
    words = ("http_probe", "-s", f"url={page}", "--at", "2026-06-01T00:10:00Z")
    for command in ("test", "sample"):
        ran = makegood("monitor", command, *words)
        assert ran.code == 3
        assert "knows no past" in ran.err
    ran = makegood("monitor", "test", *words[:-1], "yesterday")
    assert ran.code == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("indicator:", "intervall: 10s\nindicator:", ":2:1: intervall: unknown field; allowed: "),
        ("indicator:", "intervall: 10s\nindicator:", 'did you mean "interval"?'),
        ("metric:", "metrik: x\n  metric:", "indicator.metrik: unknown field; allowed: dataSource, "),
        ("type:", "typ: x\n    type:", "indicator.dataSource.typ: unknown field; allowed: spec, type"),
        ("indicator:", "interval: 10\nindicator:", "interval: write a whole number and a unit"),
    ],
)  # fmt: skip
def test_a_field_that_nothing_reads_is_refused(makegood, home, page, old, new, said):
    file = home / "indicator.yaml"
    file.write_text((INDICATOR % page).replace(old, new, 1))
    ran = makegood("monitor", "test", file)
    assert ran.code == 3
    assert said in ran.err


def test_an_indicators_file_may_say_its_interval(makegood, home, page):
    file = home / "indicator.yaml"
    file.write_text(f"interval: 1h\n{INDICATOR % page}")
    ran = makegood("monitor", "test", file)
    assert ran.code == 0, ran.err
    assert " + 1h" in ran.out
    ran = makegood("monitor", "test", file, "--interval", "2h")
    assert " + 2h" in ran.out


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
    # In real time: on a busy machine a sample of two may be late.
    file.write_text((INDICATOR % page).replace("timeout: 1", "timeout: 2"))
    ran = makegood("monitor", "sample", file, "--interval", "4s", "--count", "2", "--json")
    assert ran.code == 0, ran.err
    assert [row["outcome"] for row in ran.json] == ["value", "value"]
    assert all(row["value"].endswith(" ms") for row in ran.json)
    drawn = makegood("monitor", "sample", file, "--interval", "4s", "--count", "1")
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
