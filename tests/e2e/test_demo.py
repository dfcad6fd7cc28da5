"""The main job, end to end, as a user runs it: a real chain, real contracts, a real service, a relayer of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

DOLLAR = 10**6
FEE = 100 * DOLLAR
RUNS = {
    "anvil": ["--chain", "anvil"],
    "ganache": ["--chain", "ganache"],
    "relayer killed": ["--chain", "anvil", "--kill-relayer"],
}


@dataclass
class Run:
    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def result(self):
        return json.loads(self.stdout)


@pytest.fixture(scope="module")
def runs():
    """All demonstrations at once: they spend their time waiting for intervals to end."""
    began = time.monotonic()
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", "relayer.cli", "demo", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, options in RUNS.items()
    }
    finished = {}
    try:
        for name, process in started.items():
            stdout, stderr = process.communicate(timeout=170)
            seconds = time.monotonic() - began
            finished[name] = Run(process.returncode, stdout, stderr, seconds)
    finally:
        for process in started.values():
            process.kill()
    return finished


@pytest.fixture(params=RUNS)
def run(request, runs):
    return runs[request.param]


@pytest.mark.timeout(200)
def test_the_demonstration_ends_well(run):
    assert run.exit_code == 0, run.stderr


def test_standard_output_is_one_json_object(run):
    result = run.result
    assert isinstance(result, dict)
    for key in ("deposited", "paid_consumer", "paid_provider", "held", "bad_intervals"):
        assert isinstance(result[key], int), key


def test_the_money_is_all_there(run):
    result = run.result
    assert result["deposited"] == FEE
    assert result["deposited"] == result["paid_consumer"] + result["paid_provider"] + result["held"]


def test_the_consumer_is_paid_soon_and_the_provider_gets_the_rest(run):
    result = run.result
    assert result["bad_intervals"] >= 2
    assert result["paid_consumer"] == FEE * 40 // 100
    assert result["paid_provider"] == FEE * 60 // 100
    assert result["held"] == 0
    assert 0 < result["seconds_from_failure_to_payment"] < 30


def test_each_interval_is_judged_and_each_payment_made_once(run):
    result = run.result
    assert result["intervals"] == 13
    purposes = [transaction["purpose"] for transaction in result["transactions"]]
    assert purposes.count("close") == 1
    assert 1 <= purposes.count("settle") <= 2, "10 %, and then 40 %"
    assert purposes.count("report") <= 13
    assert result["payment_transaction"] in [t["hash"] for t in result["transactions"]]


def test_a_killed_relayer_changes_no_balance(runs):
    killed, usual = runs["relayer killed"].result, runs["anvil"].result
    assert killed["relayer_killed"]
    assert not usual["relayer_killed"]
    for key in ("deposited", "paid_consumer", "paid_provider", "held"):
        assert killed[key] == usual[key]


def test_the_narration_tells_what_a_reader_wants_to_know(run):
    for words in ("FAILS", "PAID", "certain", "gets the rest", "deposited 100"):
        assert words in run.stderr
