"""The command line without a chain: exit codes, the two streams, JSON, help."""

import json
import os
import re
import select
import subprocess
import sys
import time

import pytest

from relayer.cli.output import Output
from relayer.errors import (
    ChainUnavailable,
    ChecksFailed,
    ConfigurationError,
    KeyUnavailable,
    MakegoodError,
    Reverted,
)
from tests.relayer.cli.conftest import ROOT
from tests.samples import wallet

API_KEY = "0123456789abcdefSECRET"
DEAD = f"http://127.0.0.1:9/v2/{API_KEY}"


def python(*words, **options):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False, **options
    )


def raising(error):
    def body(*_args, **_kwargs):
        raise error

    return body


# --- errors and exit codes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MakegoodError("it failed", hint="do this"), 1),
        (ConfigurationError("it failed", hint="do this"), 3),
        (KeyUnavailable("it failed", hint="do this"), 4),
        (ChainUnavailable("it failed", hint="do this"), 5),
        (Reverted("it failed", hint="do this", error="X", values={"amount": 1 << 70}), 6),
        (ChecksFailed("it failed", hint="do this"), 7),
    ],
)
def test_each_error_has_its_exit_code(makegood, monkeypatch, error, code):
    monkeypatch.setattr("relayer.cli.session.config.load", raising(error))
    ran = makegood("config", "show")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err == "error: it failed\nhint: do this\n"
    ran = makegood("config", "show", "--json")
    assert (ran.code, ran.out) == (code, "")
    assert ran.error["type"] == type(error).__name__
    assert (ran.error["message"], ran.error["hint"]) == ("it failed", "do this")
    assert ran.error["exitCode"] == code
    if code == 6:
        assert ran.error["revert"] == {"error": "X", "values": {"amount": str(1 << 70)}}
    assert "Traceback" not in ran.err


def test_a_bug_is_one_line_unless_the_trace_is_asked_for(makegood, monkeypatch):
    monkeypatch.setattr("relayer.cli.session.config.load", raising(ZeroDivisionError("oops")))
    ran = makegood("config", "show")
    assert ran.code == 1
    assert ran.err == (
        "error: this is a bug in makegood: ZeroDivisionError: oops\n"
        "hint: --verbose shows the trace\n"
    )
    ran = makegood("config", "show", "--verbose")
    assert "Traceback" in ran.err
    assert "hint" not in ran.err


def test_ctrl_c_is_130(makegood, monkeypatch):
    monkeypatch.setattr("relayer.cli.session.config.load", raising(KeyboardInterrupt()))
    ran = makegood("config", "show")
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sla", "valdate"], 'did you mean "validate"?'),
        (["slaa"], 'did you mean "sla"?'),
        (["sla", "validate"], "Missing argument"),
        (["sla", "validate", "x", "--jsno"], "--jsno"),
        (["sla", "sign", "x", "--as", "judge"], "judge"),
        (["sla", "sign", "x"], "--as"),
        (["config", "show", "extra"], "extra"),
    ],
)
def test_usage_errors_are_2(makegood, words, message):
    ran = makegood(*words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert re.search(r"hint: makegood .*--help", ran.err)
    assert "bug" not in ran.err
    ran = makegood(*words, "--json")
    assert ran.error["exitCode"] == 2


def test_a_command_is_needed(makegood):
    for words in ([], ["sla"], ["wallet"], ["config"]):
        ran = makegood(*words)
        assert ran.code == 2
        assert "Commands:" in ran.err


def test_help_is_data_and_loads_nothing_heavy(makegood):
    for words in (
        [],
        ["sla"],
        ["wallet"],
        ["config"],
        ["sla", "open"],
        ["sla", "fund"],
        ["sla", "status"],
        ["sla", "list"],
        ["wallet", "new"],
        ["doctor"],
    ):
        ran = makegood(*words, "--help")
        assert (ran.code, ran.err) == (0, "")
        assert "Usage: makegood" in ran.out
    loaded = python("-X", "importtime", "-m", "relayer.cli", "--help").stderr
    assert not re.search(r"\| +(web3|eth_account|sqlalchemy|rich|pydantic)$", loaded, re.MULTILINE)


def test_a_closed_pipe_is_quiet(agreement):
    command = f"{sys.executable} -m relayer.cli sla validate {agreement} | head -1"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert ran.stdout.startswith("document")
    assert ran.stderr == ""
    assert ran.returncode in (0, 141)


# --- documents -----------------------------------------------------------------------------------


def test_validate(makegood, agreement):
    ran = makegood("sla", "validate", agreement)
    assert (ran.code, ran.err) == (0, "")
    for part in (
        "availability at least 99% in every 1m",
        "latency at most 500 ms in every 1m",
        "50% if at least 120 intervals in a row are bad",
        "100.00 per window",
        "2 of 3, within 200 ms",
        "12 of 30d, 1 paid at opening",
    ):
        assert part in ran.out
    data = makegood("sla", "validate", agreement, "--json").json
    assert data["agreementId"] in ran.out
    assert data["levels"][0]["feedId"] in ran.out
    assert data["signedBy"] == []
    assert data["feePerWindow"] == "100.00"


def test_validate_names_every_problem(makegood, agreement):
    text = agreement.read_text().replace("op: gte", "op: ge").replace("windows: 12", "windws: 12")
    agreement.write_text(text)
    ran = makegood("sla", "validate", agreement)
    assert (ran.code, ran.out) == (3, "")
    assert f"{agreement}:41:23: spec.levels[0].objective.op" in ran.err
    ran = makegood("sla", "validate", agreement, "--json")
    assert [problem["path"] for problem in ran.error["problems"]] == [
        "spec.term.windows",
        "spec.term.windws",
        "spec.levels[0].objective.op",
    ]
    assert {problem["line"] for problem in ran.error["problems"]} == {24, 28, 41}


def test_sign(makegood, agreement, key_file):
    provider, consumer = key_file(wallet(1), "provider"), key_file(wallet(2), "consumer")
    ran = makegood("sla", "sign", agreement, "--as", "provider", "--key-file", consumer)
    assert (ran.code, ran.out) == (4, "")
    assert "but the provider is 0x7099" in ran.err
    ran = makegood("sla", "sign", agreement, "--as", "provider", "--key-file", provider, "--json")
    assert ran.code == 0
    assert ran.json["missing"] == ["consumer"]
    assert "next: makegood sla sign" in ran.err
    ran = makegood("sla", "sign", agreement, "--as", "consumer", "--key-file", consumer, "--quiet")
    assert (ran.code, ran.err) == (0, "")
    data = makegood("sla", "validate", agreement, "--json").json
    assert data["signedBy"] == ["provider", "consumer"]
    for account in (wallet(1), wallet(2)):
        for path in agreement.parent.glob("*.json"):
            assert account.key.hex() not in path.read_text()


def test_who_signs_too_late_is_told(makegood, agreement, key_file):
    words = ("sla", "sign", agreement, "--as", "provider", "--key-file", key_file(wallet(1)))
    text = agreement.read_text()
    for begin, late in ((2020, True), (2999, False)):
        changed = text.replace("openBy: 2026", f"openBy: {begin}")
        agreement.write_text(changed.replace("start: 2027", f"start: {begin + 1}"))
        ran = makegood(*words)
        assert ran.code == 0, ran.err
        assert (f"had to be opened by {begin}-12-31T12:00:00Z" in ran.err) is late
        (agreement.parent / "agreement.signatures.json").unlink()


def test_sign_needs_a_key_that_is_not_public(makegood, agreement, key_file):
    ran = makegood("sla", "sign", agreement, "--as", "provider")
    assert ran.code == 4
    assert "makegood wallet new" in ran.err
    agreement.write_text(agreement.read_text().replace("chainId: 31337", "chainId: 1"))
    path = key_file(wallet(1))
    ran = makegood("sla", "sign", agreement, "--as", "provider", "--key-file", path)
    assert ran.code == 4
    assert "everybody knows the key of 0x7099" in ran.err
    path.chmod(0o644)
    ran = makegood("sla", "sign", agreement, "--as", "provider", "--key-file", path)
    assert ran.code == 4
    assert f"hint: chmod 600 {path}" in ran.err


def test_list_without_a_chain(makegood, agreement, home, key_file):
    (home / "broken.yaml").write_text("apiVersion: 1\n")
    (home / "makegood.yaml").write_text("agreements: [agreement.yaml, broken.yaml]\n")
    ran = makegood("sla", "list", "--json")
    assert ran.code == 3
    assert [row["state"] for row in ran.json] == ["unsigned", "invalid"]
    assert "1 of 2 documents are invalid" in ran.err
    (home / "makegood.yaml").write_text("agreements: [agreement.yaml]\n")
    makegood("sla", "sign", agreement, "--as", "provider", "--key-file", key_file(wallet(1)))
    ran = makegood("sla", "list")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "name\tstate\tchain\tagreement\tdocument"
    assert ran.out.splitlines()[1].startswith("shop-api-2027\tunsigned by the consumer\t31337\t0x")


# --- keys ----------------------------------------------------------------------------------------


def test_wallet_new_and_show(makegood, home):
    (home / "password").write_text("correct horse\n")
    ran = makegood("wallet", "new", "--out", "keys", "--password-file", "password")
    assert ran.code == 4
    (home / "password").chmod(0o600)
    ran = makegood("wallet", "new", "--out", "keys", "--password-file", "password", "--json")
    assert ran.code == 0
    made = ran.json
    assert (home / made["keystore"]).stat().st_mode & 0o777 == 0o600
    assert "next: set key.keystore" in ran.err
    (home / "makegood.yaml").write_text(f"key: {{keystore: {made['keystore']}}}\n")
    ran = makegood("wallet", "show")
    assert ran.code == 0
    assert ran.out == f"address\t{made['address']}\n"
    assert "no RPC endpoint" in ran.err
    assert makegood("wallet", "show", "--json", "--quiet").json == {"address": made["address"]}


def test_wallet_without_a_terminal_or_a_key(makegood):
    ran = makegood("wallet", "new")
    assert ran.code == 4
    assert "no terminal" in ran.err
    assert makegood("wallet", "show").code == 4


# --- configuration -------------------------------------------------------------------------------


def test_config_show(makegood, home, monkeypatch):
    (home / "makegood.yaml").write_text("pollSeconds: 3\nrpcUrl: http://file\n")
    monkeypatch.setenv("MAKEGOOD_RPC_URL", DEAD)
    data = makegood("config", "show", "--origin", "--json").json
    assert data["rpcUrl"] == {"value": "http://127.0.0.1:9/...", "origin": "MAKEGOOD_RPC_URL"}
    assert data["pollSeconds"] == {"value": 3.0, "origin": f"{home}/makegood.yaml:1"}
    data = makegood("config", "show", "--json", "--rpc-url", "http://flag").json
    assert (data["rpcUrl"], data["pollSeconds"]) == ("http://flag", 3.0)
    (home / "other.yaml").write_text("pollSeconds: 9\n")
    for words in (
        ["--config", "other.yaml", "config", "show"],
        ["config", "show", "--config", "other.yaml"],
    ):
        assert makegood(*words, "--json").json["pollSeconds"] == 9
    ran = makegood("config", "show", "--config", "nowhere.yaml")
    assert (ran.code, ran.out) == (3, "")


def test_secrets_appear_in_no_output(makegood, agreement, home, monkeypatch, key_file):
    monkeypatch.setenv("MAKEGOOD_RPC_URL", DEAD)
    path = key_file(wallet(1))
    monkeypatch.setenv("MAKEGOOD_KEY_FILE", str(path))
    (home / "makegood.yaml").write_text(
        "agreements: [agreement.yaml]\n"
        f"sources: {{http_probe: {{headers: {{'https://a.b': {{Authorization: {API_KEY}}}}}}}}}\n"
    )
    for words in (
        ["config", "show", "--origin"],
        ["config", "show", "--json"],
        ["wallet", "show"],
        ["wallet", "show", agreement],
        ["sla", "validate", agreement],
        ["sla", "status", agreement],
        ["sla", "open", agreement],
        ["sla", "fund", agreement, "--windows", "1"],
        ["sla", "list"],
        ["doctor"],
        ["doctor", "--json"],
    ):
        for more in ([], ["--verbose"]):
            ran = makegood(*words, *more)
            said = (ran.out + ran.err).lower()
            assert API_KEY.lower() not in said, words
            assert wallet(1).key.hex() not in said, words
            assert "this is a bug" not in said, words


def test_secrets_do_not_appear_in_bugs_either(makegood, monkeypatch):
    monkeypatch.setattr("relayer.cli.session.Session.chain", raising(ValueError(f"at {DEAD}")))
    ran = makegood("wallet", "show", "--verbose", "--rpc-url", DEAD)
    assert API_KEY not in ran.err
    output = Output()
    output.hide(API_KEY)
    assert output.scrubbed(f"{DEAD}?") == "http://127.0.0.1:9/v2/***?"


# --- without an answer of the chain --------------------------------------------------------------


@pytest.mark.parametrize("command", [["status"], ["open"], ["fund", "--windows", "1..2"]])
def test_a_chain_is_needed(makegood, agreement, command):
    ran = makegood("sla", *command, agreement)
    assert (ran.code, ran.out) == (3, "")
    assert "no RPC endpoint is configured" in ran.err
    ran = makegood("sla", *command, agreement, "--rpc-url", DEAD)
    assert (ran.code, ran.out) == (5, "")
    assert "no answer from http://127.0.0.1:9" in ran.err


@pytest.mark.parametrize("windows", ["", "x", "1-2", "2..1", "12", "0..12", "-1", "99999999"])
def test_windows_must_exist(makegood, agreement, windows):
    ran = makegood("sla", "fund", agreement, f"--windows={windows}", "--rpc-url", DEAD)
    assert ran.code == 2
    assert "between 0 and 11" in ran.err


def test_doctor_finds_what_is_missing(makegood, agreement, home):
    ran = makegood("doctor", "--json")
    assert ran.code == 7
    states = {check["check"]: check["state"] for check in ran.json["checks"]}
    assert states == {
        "configuration": "ok",
        "database": "ok",
        "machine": "ok",
        "key": "skipped",
        "documents": "failed",
        "chain": "failed",
    }
    assert all(c["nextStep"] for c in ran.json["checks"] if c["state"] == "failed")
    (home / "makegood.yaml").write_text("pollSecond: 1\n")
    ran = makegood("doctor", "--json")
    assert ran.code == 7
    assert [c["check"] for c in ran.json["checks"]] == ["configuration"]
    assert 'did you mean "pollSeconds"' in ran.json["checks"][0]["detail"]


def test_json_is_one_value(makegood, agreement):
    for words in (["config", "show"], ["sla", "validate", agreement], ["sla", "list"], ["doctor"]):
        json.loads(makegood(*words, "--json").out)


# --- on a terminal -------------------------------------------------------------------------------


# Whoever runs the tests in the background has them ignore Ctrl-C, and so would what they start.
ON_TERMINAL = """
import os, pty, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""


def on_terminal(home, words, typed, program=("-m", "relayer.cli")):
    """What a person sees who types ``typed``, a list of (what is waited for, what is typed then); and the exit code."""
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, *program, *words],
        cwd=home,
        env={**env, "TERM": "xterm", "COLUMNS": "60", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    seen, pending, last = b"", list(typed), b""
    with process:
        while True:
            # getpass empties the input before it listens: what led to nothing is typed again.
            ready, _, _ = select.select([process.stdout], [], [], 3)
            if ready:
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    break
                seen += chunk
                if not (pending and pending[0][0] in seen):
                    continue
                last = pending.pop(0)[1]
                time.sleep(0.2)
            process.stdin.write(last)
            process.stdin.flush()
        process.stdin.close()
    return seen.decode(), process.returncode


def test_a_password_is_typed_twice_and_not_shown(home):
    typed = [(b"new key: ", b"correct horse\n"), (b"again: ", b"correct horse\n")]
    seen, code = on_terminal(home, ["wallet", "new", "--out", "keys"], typed)
    assert code == 0, seen
    assert "correct horse" not in seen
    assert len(list((home / "keys").iterdir())) == 1


def test_ctrl_c_at_a_question(home):
    seen, code = on_terminal(home, ["wallet", "new", "--out", "keys"], [(b"new key: ", b"\x03")])
    assert code == 130
    assert "cancelled" in seen
    assert "Traceback" not in seen
    assert not (home / "keys").exists()


ASKS = """
import click, sys
from relayer.cli import cli, main
cli.add_command(click.Command("ask", callback=lambda: click.confirm("Send?", err=True)))
sys.exit(main(["ask"]))
"""


@pytest.mark.parametrize("key", [b"\x03", b"\x04"])
def test_what_ends_a_question_is_told_on_a_line_of_its_own(home, key):
    seen, code = on_terminal(home, [], [(b"Send? ", key)], program=("-c", ASKS))
    assert code == 130
    assert "cancelled" in seen.splitlines()


def test_tables_on_a_terminal_lose_nothing(home):
    long = "a" * 120
    (home / "makegood.yaml").write_text(f"database: {long}\n")
    seen, code = on_terminal(home, ["config", "show"], [])
    assert code == 0
    assert "\x1b[1m" in seen
    assert seen.count("a") >= 120
    assert "…" not in seen


def test_help_names_the_exit_codes_that_the_documentation_lists(makegood):
    text = (ROOT / "docs" / "exit-codes.md").read_text()
    codes = [line.split("|")[1].strip() for line in text.splitlines() if re.match(r"\| \d", line)]
    said = makegood("--help").out.split("Exit codes:")[1]
    closed_pipe = "141"  # which nobody sees
    assert [re.match(r"\d+", part.strip())[0] for part in said.split(",")] == [
        code for code in codes if code != closed_pipe
    ]
