"""Runs the unit tests of `tests/fuzz/unit` and the fuzz campaigns, and sums up what they tried.

    python -m scripts.assurance.fuzz --short | --deep [--seed N] [--pieces N]

`Histories` goes action by action, `Bursts` in bursts of 25 actions. The deep campaign runs in pieces, each with a seed of its
own, and says on stderr what each has tried. Prints one JSON object; fails if a test failed or an invariant broke.
"""

import argparse
import json
import os
import re
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from scripts.assurance import forge

BURST = 25
DEPTH = 20
HISTORY = 100
# In the order of `Handler.actions`.
ACTIONS = (
    "report",
    "reportMany",
    "skip",
    "exclude",
    "equivocate",
    "heed",
    "open",
    "amend",
    "terminate",
    "endForBreaches",
    "endByNotice",
    "fund",
    "postBond",
    "settle",
    "close",
    "releaseBond",
    "withdraw",
    "setPayout",
    "wait",
    "donate",
    "skim",
    "changeToken",
    "changeDelivery",
    "changeOracle",
    "release",
    "dispute",
    "rule",
    "lapse",
)


@dataclass(frozen=True)
class Size:
    """Random cases of a unit test; runs of `Histories` (100 actions each) and of `Bursts` (500 each), in each of so many pieces."""

    cases: int
    histories: int
    bursts: int
    pieces: int


SHORT = Size(200, 4, 10, 1)
# 1,020,000 actions
DEEP = Size(2_000, 10, 100, 20)


@dataclass
class Tried:
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    accepted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    reentries: int = 0
    failures: list[str] = field(default_factory=list)

    def note(self, action: str, calls: int, accepted: int) -> None:
        self.calls[action] += calls
        self.accepted[action] += accepted

    def add(self, other: "Tried") -> None:
        for action in ACTIONS:
            self.note(action, other.calls[action], other.accepted[action])
        self.reentries += other.reentries
        self.failures += other.failures

    def summary(self) -> dict[str, int]:
        return {
            "calls": sum(self.calls.values()),
            "accepted": sum(self.accepted.values()),
            "reentries": self.reentries,
            "broken": len(self.failures),
        }


def _units(seed: int, cases: int) -> int:
    """Returns how many unit tests passed; ends the program if one failed."""
    arguments = ["test", "--match-path", "tests/fuzz/unit/*", "--fuzz-seed", hex(seed)]
    result = forge.run(arguments, settings={"fuzz_runs": cases})
    passed = result.stdout.count("[PASS]")
    if result.returncode or not passed:
        raise SystemExit(result.stdout + result.stderr)
    return passed


def _campaign(
    contract: str, seed: int, runs: int, depth: int, log: Path | str = ""
) -> tuple[str, bool]:
    arguments = ["test", "--match-contract", f"^{contract}$", "--fuzz-seed", hex(seed)]
    settings = {"invariant_runs": runs, "invariant_depth": depth}
    result = forge.run(arguments, settings=settings, environment={"MAKEGOOD_FUZZ_LOG": str(log)})
    output = result.stdout + result.stderr
    passed = result.returncode == 0
    if passed and "1 passed" not in output:
        raise SystemExit(f"nothing was run:\n{output}")
    return output, passed


def _histories(seed: int, runs: int) -> Tried:
    output, passed = _campaign("Histories", seed, runs, HISTORY)
    tried = Tried(failures=[] if passed else [output])
    rows = re.findall(r"\| Handler +\| (\w+) +\| (\d+) +\| (\d+) ", output)
    for action, calls, reverts in rows:
        tried.note(action, int(calls), int(calls) - int(reverts))
    _check(tried, runs * HISTORY)
    return tried


def _bursts(seed: int, runs: int) -> Tried:
    # One of its own, because others may be at work.
    log = forge.ROOT / "build" / "forge" / f"bursts-{os.getpid()}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    try:
        output, passed = _campaign("Bursts", seed, runs, DEPTH, log)
        lines = log.read_text().splitlines()
    finally:
        log.unlink()
    tried = Tried(failures=[] if passed else [output])
    # forge ends the last history twice.
    for line in lines[:runs]:
        counts = json.loads(line)
        tried.reentries += counts.pop("reentries")
        for number, (calls, accepted) in counts.items():
            tried.note(ACTIONS[int(number)], calls, accepted)
    _check(tried, runs * DEPTH * BURST)
    return tried


def _check(tried: Tried, wanted: int) -> None:
    """A campaign that stopped early without a complaint proves nothing."""
    calls = sum(tried.calls.values())
    if not tried.failures and calls != wanted:
        raise SystemExit(f"{calls} actions were tried, not {wanted}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--short", dest="size", action="store_const", const=SHORT)
    kind.add_argument("--deep", dest="size", action="store_const", const=DEEP)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--pieces", type=int, help="fewer or more than usual")
    options = parser.parse_args()

    began = time.monotonic()
    units = _units(options.seed, options.size.cases)
    total = Tried()
    pieces = options.pieces or options.size.pieces
    for seed in range(options.seed, options.seed + pieces):
        tried = _histories(seed, options.size.histories)
        tried.add(_bursts(seed, options.size.bursts))
        total.add(tried)
        seconds = round(time.monotonic() - began)
        piece = {"seed": seed, **tried.summary(), "seconds": seconds}
        if pieces > 1:
            print(json.dumps(piece), file=sys.stderr, flush=True)
        if total.failures:
            break
    result = {
        "seed": options.seed,
        "pieces": pieces,
        "unit_tests": units,
        **total.summary(),
        "seconds": round(time.monotonic() - began),
        "actions": {a: f"{total.accepted[a]}/{total.calls[a]}" for a in ACTIONS},
    }
    print(json.dumps(result, indent=2))
    if total.failures:
        raise SystemExit("\n".join(total.failures))


if __name__ == "__main__":
    main()
