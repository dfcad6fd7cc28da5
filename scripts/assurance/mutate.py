"""Mutation testing: breaks the contracts in one place at a time, and counts how often a test notices.

    python -m scripts.assurance.mutate [--sample N] [--seed N] [--only PATH] [--state FILE] [--brownie] [--report]

Each mutant meets forge's unit tests and a short fuzz campaign, all with fixed seeds, until the first failure. With
`--brownie`, those that survive meet the brownie tests of their contract, too. What is done is written to the state file at once,
so that a run that was stopped goes on where it was; the order is random, so that what is done is a random sample at any time.
Prints one JSON object: how many were killed, and the others as diffs; with `--report` of what is done so far, without running any.
"""

import argparse
import json
import math
import random
import resource
import signal
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.assurance import forge
from scripts.assurance.mutants import Mutant, mutants
from scripts.assurance.workshop import Workshop, warm_compiler

CONTRACTS = forge.ROOT / "contracts"
LEFT_OUT = ("interfaces", "mocks", "periphery")
Record = dict[str, object]


def sources(only: str) -> Iterator[Path]:
    for path in sorted(CONTRACTS.rglob("*.sol")):
        name = path.relative_to(CONTRACTS)
        if name.parts[0] not in LEFT_OUT and str(name).startswith(only):
            yield path


class State:
    """What is done: one line for each mutant and stage, the later ones overrule."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._path = path
        self._done: dict[str, Record] = {}
        for line in path.read_text().splitlines():
            record = json.loads(line)
            self._done[record["key"]] = record

    def get(self, mutant: Mutant) -> Record | None:
        return self._done.get(mutant.key)

    def put(self, mutant: Mutant, stage: str, verdict: str, by: str, seconds: float) -> None:
        record: Record = {
            "key": mutant.key,
            "stage": stage,
            "verdict": verdict,
            "by": by,
            "cpu_seconds": round(seconds, 1),
            "diff": mutant.diff,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        self._done[mutant.key] = record


def cpu_seconds() -> float:
    """Of the children that have ended [s]; the compiler lives on, and is not in it."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def interval(killed: int, alive: int) -> tuple[float, float]:
    """The Wilson interval of a share, at 95 %."""
    z = 1.96
    share = killed / alive
    middle = share + z * z / (2 * alive)
    width = z * math.sqrt(share * (1 - share) / alive + z * z / (4 * alive * alive))
    scale = 1 + z * z / alive
    return round((middle - width) / scale, 3), round((middle + width) / scale, 3)


def summary(records: Iterable[Record]) -> dict[str, object]:
    results = list(records)
    killed = sum(r["verdict"] == "killed" for r in results)
    survivors = [r for r in results if r["verdict"] == "survived"]
    alive = killed + len(survivors)
    return {
        "mutants": len(results),
        "stillborn": len(results) - alive,
        "killed": killed,
        "killed_by_brownie": sum(
            r["verdict"] == "killed" and r["stage"] == "brownie" for r in results
        ),
        "survived": len(survivors),
        "score": round(killed / alive, 3) if alive else None,
        "interval": interval(killed, alive) if alive else None,
        "survivors": [f"{r['diff']}\n  survived {r['stage']}" for r in survivors],
    }


def run(chosen: list[Mutant], state: State, *, brownie: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="makegood-mutants-") as name:
        folder = Path(name)
        with warm_compiler(folder) as compiler:
            workshop = Workshop(folder, compiler, brownie=brownie)
            workshop.check()
            for mutant in chosen:
                record = state.get(mutant)
                began = cpu_seconds()
                if record is None:
                    verdict, by = workshop.forge_verdict(mutant)
                    state.put(mutant, "forge", verdict, by, cpu_seconds() - began)
                elif not (
                    brownie and record["verdict"] == "survived" and record["stage"] == "forge"
                ):
                    continue
                else:
                    workshop.build(mutant)
                    verdict = "survived"
                if brownie and verdict == "survived":
                    verdict, by = workshop.brownie_verdict(mutant)
                    state.put(mutant, "brownie", verdict, by, cpu_seconds() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="so many mutants only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="begin of the path below contracts/")
    parser.add_argument("--state", type=Path, default=forge.ROOT / "build" / "mutants.jsonl")
    parser.add_argument("--brownie", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()

    chosen = [
        m
        for path in sources(options.only)
        for m in mutants(str(path.relative_to(CONTRACTS)), path.read_text())
    ]
    random.Random(options.seed).shuffle(chosen)  # noqa: S311
    chosen = chosen[: options.sample]
    state = State(options.state)
    # As Ctrl-C does: the compiler and the copies go, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not options.report:
        run(chosen, state, brownie=options.brownie)
    print(json.dumps(summary(r for m in chosen if (r := state.get(m))), indent=2))


if __name__ == "__main__":
    main()
