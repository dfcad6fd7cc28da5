"""Mutation testing: breaks the contracts in one place at a time, and counts how often a test notices.

    python -m scripts.assurance.mutate [--sample N] [--seed N] [--only PATH] [--workers 1|2] [--state FILE] [--brownie]

Each mutant meets forge's unit tests and a short fuzz campaign, all with fixed seeds, until the first failure. With
`--brownie`, those that survive meet the brownie tests of their contract, too. What is done is written to the state file at once,
so that a run that was stopped goes on where it was. Prints one JSON object: how many were killed, and the others as diffs.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Lock

from scripts.assurance import forge
from scripts.assurance.mutants import Mutant, mutants

CONTRACTS = forge.ROOT / "contracts"
LEFT_OUT = ("interfaces", "mocks", "periphery")
# A mutant that loops for ever is as good as dead.
TIMEOUT = 300
FORGE = ["test", "--fail-fast", "--fuzz-seed", "0x1", "--no-match-contract", "Histories"]
SETTINGS = {
    "fuzz_runs": 200,
    "invariant_runs": 8,
    "invariant_depth": 10,
    "invariant_shrink_run_limit": 0,
    # Optimised for fast compilation, not for gas or size.
    "optimizer": "false",
    "code_size_limit": 1 << 20,
}


@dataclass(frozen=True)
class Outcome:
    mutant: Mutant
    verdict: str  # stillborn, killed, survived
    by: str = ""


class Workshop:
    """Scratch copies, one for each worker."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._free: Queue[Path] = Queue()
        first = folder / "0"
        for number in range(workers):
            copy = folder / str(number)
            if copy == first:
                self._check(forge.copy(first))
            else:
                shutil.copytree(first, copy, symlinks=True)
            self._free.put(copy)

    @staticmethod
    def _check(copy: Path) -> None:
        result = forge.run(FORGE, copy, settings=SETTINGS)
        if result.returncode:
            raise SystemExit(
                f"the tests fail without any mutation:\n{result.stdout[-3000:]}{result.stderr[-3000:]}"
            )

    def attempt(self, mutant: Mutant) -> Outcome:
        copy = self._free.get()
        path = copy / "contracts" / mutant.file
        source = path.read_text()
        try:
            path.write_text(mutant.apply(source))
            result = forge.run(FORGE, copy, settings=SETTINGS, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return Outcome(mutant, "killed", "timeout")
        finally:
            path.write_text(source)
            self._free.put(copy)
        if result.returncode == 0:
            return Outcome(mutant, "survived")
        failed = [line for line in result.stdout.splitlines() if line.startswith("[FAIL")]
        return (
            Outcome(mutant, "killed", failed[0][:160]) if failed else Outcome(mutant, "stillborn")
        )


def sources(only: str) -> Iterator[Path]:
    for path in sorted(CONTRACTS.rglob("*.sol")):
        name = path.relative_to(CONTRACTS)
        if name.parts[0] not in LEFT_OUT and str(name).startswith(only):
            yield path


def brownie_kills(mutant: Mutant) -> bool:
    """Whether the brownie tests of the mutant's contract notice it; in a copy of the whole project."""
    part = "oracle" if "oracle" in mutant.file.lower() else "escrow"
    with tempfile.TemporaryDirectory(prefix="makegood-mutant-") as name:
        folder = Path(name) / "makegood"
        ignored = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=forge.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for line in ignored.stdout.splitlines():
            if (forge.ROOT / line).exists():
                (folder / line).parent.mkdir(parents=True, exist_ok=True)
                (folder / line).write_bytes((forge.ROOT / line).read_bytes())
        (folder / "node_modules").symlink_to(forge.ROOT / "node_modules")
        path = folder / "contracts" / mutant.file
        path.write_text(mutant.apply(path.read_text()))
        command = [
            sys.executable,
            "-m",
            "scripts.toolchain.brownie_cli",
            "test",
            f"tests/contracts/{part}",
            "-x",
            "-q",
        ]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="so many mutants only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="begin of the path below contracts/")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=2)
    parser.add_argument("--state", type=Path, default=forge.ROOT / "build" / "mutants.jsonl")
    parser.add_argument("--brownie", action="store_true")
    options = parser.parse_args()

    chosen = [
        m
        for path in sources(options.only)
        for m in mutants(str(path.relative_to(CONTRACTS)), path.read_text())
    ]
    random.Random(options.seed).shuffle(chosen)  # noqa: S311
    chosen = chosen[: options.sample]
    options.state.parent.mkdir(parents=True, exist_ok=True)
    options.state.touch()
    done = {
        json.loads(line)["key"]: json.loads(line) for line in options.state.read_text().splitlines()
    }
    lock = Lock()

    with tempfile.TemporaryDirectory(prefix="makegood-mutants-") as name:
        left = [m for m in chosen if m.key not in done]
        workshop = Workshop(Path(name), min(options.workers, len(left)))

        def work(mutant: Mutant) -> None:
            outcome = workshop.attempt(mutant)
            record = {
                "key": mutant.key,
                "verdict": outcome.verdict,
                "by": outcome.by,
                "diff": mutant.diff,
            }
            with lock, options.state.open("a") as state:
                state.write(json.dumps(record) + "\n")
                done[mutant.key] = record

        with ThreadPoolExecutor(options.workers) as pool:
            list(pool.map(work, left))

    if options.brownie:
        for mutant in chosen:
            record = done[mutant.key]
            if record["verdict"] == "survived" and record["by"] != "brownie":
                record["by"] = "brownie"
                record["verdict"] = "killed" if brownie_kills(mutant) else "survived"
                with options.state.open("a") as state:
                    state.write(json.dumps(record) + "\n")

    results = [done[m.key] for m in chosen]
    killed = sum(r["verdict"] == "killed" for r in results)
    survived = [r["diff"] for r in results if r["verdict"] == "survived"]
    alive = killed + len(survived)
    summary = {
        "mutants": len(results),
        "stillborn": len(results) - alive,
        "killed": killed,
        "survived": len(survived),
        "score": round(killed / alive, 3) if alive else None,
        "survivors": survived,
    }
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
