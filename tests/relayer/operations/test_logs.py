"""The log's words, and the secrets that reach no output."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from relayer import logs
from relayer.operations.alerts import SEVERITIES, Alerts

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*(ROOT / "relayer").rglob("*.py"), *(ROOT / "oracles").rglob("*.py")])
# Kept whole by no rule of redaction: a host says nothing, what follows it may.
SECRETS = {
    "MAKEGOOD_RPC_URL": "http://rpcuser:rpc-pass-word@127.0.0.1:9/v2/RPCkeyRPCkeyRPCkey01?apikey=RPCqueryRPCquery02",
    "MAKEGOOD_WEBHOOK": "http://127.0.0.1:9/services/T0/HookHookHookHookHook03?token=HookTokenHookToken04",
    "MAKEGOOD_DATABASE": "postgresql://relayer:db%2Fpass%5Cword'05@127.0.0.1:9/relayer?sslpassword=DbOptionDbOption06",
}
TEXTS = [
    "rpc-pass-word",
    "RPCkeyRPCkeyRPCkey01",
    "RPCqueryRPCquery02",
    "HookHookHookHookHook03",
    "HookTokenHookToken04",
    "db%2Fpass%5Cword'05",
    "db/pass\\word'05",
    "DbOptionDbOption06",
]


def listed():
    text = logs.__doc__.partition("The words:")[2]
    return re.findall(r"[a-z_]+", text)


def in_code(pattern):
    found = set()
    for path in SOURCES:
        found.update(re.findall(pattern, path.read_text()))
    return found


def test_the_docstring_lists_every_action_of_the_code_and_no_other():
    words = in_code(r'action="([^"]*)"') | in_code(r'"action": "([^"]*)"')
    stems = in_code(r'action=f"([^"{]*)\{[^"]*"')  # transaction_{state}
    said = set(listed())
    assert words - said == set()
    assert [word for word in said - words if not word.startswith(tuple(stems))] == []
    assert [stem for stem in stems if not any(word.startswith(stem) for word in said)] == []


def test_the_docstring_lists_each_word_once_and_sorted():
    assert listed() == sorted(set(listed()))


def test_an_action_is_a_word_that_does_not_change():
    every = sum(len(re.findall(r"\baction=", path.read_text())) for path in SOURCES)
    literal = sum(len(re.findall(r'\baction=f?"[a-z_{}]+"', path.read_text())) for path in SOURCES)
    assert every == literal


def test_every_line_of_the_log_has_an_action():
    call = re.compile(r"\blog\.(?:debug|info|warning|error|exception|critical)\(")
    without = []
    for path in SOURCES:
        text = path.read_text()
        for match in call.finditer(text):
            depth, end = 1, match.end()
            while depth:
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            # `extra`: adapters use the standard library's logging
            if not re.search(r"\baction=|\bextra=", text[match.end() : end]):
                without.append((path.name, text[match.start() : end]))
    assert without == []


def test_every_alert_of_the_code_has_a_severity():
    names = in_code(r'\.(?:fire|clear)\(\s*"([^"]*)"')
    assert names - set(SEVERITIES) == set()


@pytest.fixture(scope="module", params=["deliberate", "honest"])
def output(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("leak")
    done = subprocess.run(
        [sys.executable, "-m", "tests.relayer.operations.leak", request.param],
        cwd=folder,
        env={
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "NO_PROXY": "*",
            **SECRETS,
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("done\n")
    return done.stdout + done.stderr


def spellings(text):
    """As it is; as Python and JSON write it."""
    escaped = repr(text)[1:-1]
    return {text, escaped, json.dumps(text)[1:-1], json.dumps(escaped)[1:-1]}


def test_no_secret_reaches_log_pages_metrics_or_errors(output):
    leaks = [
        (text, line)
        for text in TEXTS
        for line in output.splitlines()
        if any(spelling in line for spelling in spellings(text))
    ]
    assert leaks == []


def test_what_is_no_secret_stays_readable(output):
    assert "127.0.0.1:9" in output
    assert "webhook_failed" in output
    assert "peer_down" in output


def test_a_longer_secret_is_hidden_before_its_parts():
    assert logs.scrubbed("http://h/abcdef", ["abcdef", "http://h/abcdef"]) == "***"


def test_an_empty_secret_hides_nothing():
    assert logs.scrubbed("all is well", ["", "x"]) == "all is well"


def test_an_alert_whose_subject_was_hidden_is_over_like_any_other():
    alerts = Alerts(secrets=["hush-hush"])
    alerts.fire("rpc_down", "http://h/hush-hush", "no answer")
    assert [alert.subject for alert in alerts.firing()] == ["http://h/***"]
    alerts.clear("rpc_down", "http://h/hush-hush")
    assert alerts.firing() == []


def test_what_an_adapter_logs_keeps_its_action_and_its_values():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import logging; from relayer import logs; logs.configure('json', []);"
                "logging.getLogger('oracles.probing.probe').warning("
                "'sample lost', extra={'action': 'sample_lost', 'at': 7})"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    line = json.loads(said.stderr)
    assert (line["event"], line["action"], line["at"]) == ("sample lost", "sample_lost", 7)
