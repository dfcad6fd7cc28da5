"""What is refused is said once, as the result: whoever asks from the command line is not told by a log as well."""

import os
import subprocess
import sys

import pytest

from oracles import border
from tests.relayer.cli.place import ROOT

REFUSED = "own network"


def said(home, *words):
    """All that a process of its own writes: in this one, pytest hears what is logged."""
    ran = subprocess.run(
        [sys.executable, "-m", "relayer.cli", *words],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 7, ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "asks",
    [
        ("tcp_probe", "-s", "host=127.0.0.1", "-s", "port=9"),
        ("http_probe", "-s", "url=http://127.0.0.1:9/"),
    ],
)
def test_by_monitor_test(home, asks):
    assert said(home, "monitor", "test", *asks).count(REFUSED) == 1


def test_by_doctor(home, agreement):
    agreement.write_text(
        agreement.read_text().replace("https://api.example.com", "http://127.0.0.1:9")
    )
    (home / "makegood.yaml").write_text("agreements: [agreement.yaml]\n")
    found = said(home, "doctor")
    assert "list it in sources.http_probe.allowed_networks" in found
    assert "not asked" not in found


def test_a_relayer_logs_it_all_the_same(caplog):
    found = [(2, ("127.0.0.1", 9))]
    with border.unlogged():
        assert border.Border("tcp_probe", ()).passed("localhost", 9, found) == []
    assert caplog.messages == []
    border.Border("tcp_probe", ()).passed("localhost", 9, found)
    assert REFUSED in caplog.text
