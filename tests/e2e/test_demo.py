"""The main job, end to end, as a user runs it: a real chain, real contracts, a real service, three relayers of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

DOLLAR = 10**6
FEE = 100 * DOLLAR
GOOD, BAD = 1_000_000, 0
INTERVALS = 13
RUNS = {
    "anvil": ["--chain", "anvil"],
    "ganache": ["--chain", "ganache"],
    "relayer killed": ["--chain", "anvil", "--kill-relayer"],
}


LONGEST = 400
"""Seconds until a test that waits for the demonstrations fails, on whatever machine."""
WATCHING = "relayer works"
"""What a demonstration says once everything runs that it needs."""

pytestmark = pytest.mark.timeout(LONGEST + 100)


class Started:
    """A demonstration that runs."""

    def __init__(self, folder, options):
        self.folder = folder
        self.narration = folder.with_name(f"{folder.name}.narration")
        self.result = folder.with_name(f"{folder.name}.json")
        command = [sys.executable, "-m", "relayer.cli", "demo", "--json", "--folder", folder]
        with self.narration.open("wb") as stderr, self.result.open("wb") as stdout:
            self.process = subprocess.Popen([*command, *options], stdout=stdout, stderr=stderr)

    def wait_for(self, words, deadline):
        while self.process.poll() is None and words not in self.narration.read_text():
            assert time.monotonic() < deadline, self.narration.read_text()
            time.sleep(0.2)

    def finish(self, deadline):
        exit_code = self.process.wait(max(1, deadline - time.monotonic()))
        return Run(exit_code, self.result.read_text(), self.narration.read_text(), self.folder)


@dataclass
class Run:
    exit_code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def result(self):
        return json.loads(self.stdout)

    @property
    def narration(self):
        """As if it had been told in one line."""
        return " ".join(self.stderr.split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """All demonstrations: each begins when the one before it has only to wait for intervals to end."""
    started = {}
    deadline = time.monotonic() + LONGEST
    try:
        for name, options in RUNS.items():
            folder = tmp_path_factory.mktemp(name.replace(" ", "-"))
            started[name] = Started(folder, options)
            started[name].wait_for(WATCHING, deadline)
        return {name: demo.finish(deadline) for name, demo in started.items()}
    finally:
        for demo in started.values():
            demo.process.terminate()
        for demo in started.values():
            demo.process.wait(60)


@pytest.fixture(params=RUNS)
def run(request, runs):
    return runs[request.param]


def reporter(result, name):
    [found] = [each for each in result["reporters"] if each["name"] == name]
    return found


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
    assert result["seconds_from_failure_to_payment"] > 0


def test_each_interval_is_judged_and_each_payment_made_once(run):
    result = run.result
    assert result["intervals"] == INTERVALS
    assert result["judged"] == sorted(set(result["judged"]))
    assert INTERVALS - len(result["judged"]) <= result["unknown_intervals"]
    purposes = [transaction["purpose"] for transaction in result["transactions"]]
    assert purposes.count("close") == 1
    assert purposes.count("settle") <= 2, "10 %, and then 40 %"
    assert purposes.count("report") <= INTERVALS
    assert result["payment_transaction"] in [t["hash"] for t in result["transactions"]]


def test_three_reporters_see_the_service_from_different_places(run):
    seen = [each["watches"] for each in run.result["reporters"]]
    assert len(set(seen)) == 3


def test_who_lies_is_outvoted(run):
    result = run.result
    friend = reporter(result, "Friend")["address"]
    assert result["dissents"]
    reports = {t["hash"] for t in result["transactions"] if t["purpose"] == "report"}
    for dissent in result["dissents"]:
        assert dissent["reporter"] == friend
        assert dissent["said"] == GOOD
        assert dissent["judged"] < GOOD
        assert dissent["transaction"] in reports
    assert BAD in [dissent["judged"] for dissent in result["dissents"]]


def test_who_signs_two_answers_is_found_out_by_the_others(run):
    result = run.result
    proof = result["equivocation"]
    assert proof["reporter"] == reporter(result, "Friend")["address"]
    assert proof["first"] == GOOD
    assert proof["second"] < GOOD
    assert proof["interval"] in [dissent["interval"] for dissent in result["dissents"]]
    proofs = [t["hash"] for t in result["transactions"] if t["purpose"] == "prove"]
    assert proof["transaction"] in proofs
    ignored = {each["name"]: each["ignored"] for each in result["reporters"]}
    assert ignored == {"Berlin": False, "Tokyo": False, "Friend": True}


def test_a_killed_relayer_changes_no_balance(runs):
    killed, usual = runs["relayer killed"].result, runs["anvil"].result
    assert killed["relayer_killed"]
    assert not usual["relayer_killed"]
    for key in ("deposited", "paid_consumer", "paid_provider", "held"):
        assert killed[key] == usual[key]


def test_the_narration_tells_what_a_reader_wants_to_know(run):
    for words in (
        "FAILS",
        "PAID",
        "certain",
        "Friend is OUTVOTED",
        "Friend sees that it has lost",
        "PROVEN on chain",
        "gets the rest",
        "deposited 100",
    ):
        assert words in run.narration


def test_the_narration_fits_a_terminal(run):
    assert max(map(len, run.stderr.splitlines())) <= 100


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="asks Linux for its processes")
def test_no_process_is_left_behind(run):
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # Everything that a demonstration starts has its folder in its environment.
            if f"{run.folder}/".encode() in (process / "environ").read_bytes():
                left.append((process / "cmdline").read_bytes())
        except OSError:
            continue  # it has just ended, or is somebody else's
    assert not left
