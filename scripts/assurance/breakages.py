"""Breaks the contracts once for each invariant and shows that the fuzz campaign notices.

    python -m scripts.assurance.breakages [--runs 40] [I3 ...]

Works on a scratch copy; prints one JSON object.
"""

import argparse
import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.assurance import forge

DEPTH = 20


@dataclass(frozen=True)
class Breakage:
    invariant: str
    file: str
    old: str
    new: str


BREAKAGES = (
    Breakage("I1", "Treasury.sol", "        held[token] -= left;\n", ""),
    Breakage(
        "I2",
        "libraries/CreditLib.sol",
        "        if (credit > terms.creditCap) credit = terms.creditCap;\n",
        "",
    ),
    Breakage(
        "I3",
        "escrow/Payments.sol",
        "        w.status = WindowStatus.Closed;\n",
        "        (w.status, w.paid) = (WindowStatus.Closed, 0);\n",
    ),
    Breakage("I4", "escrow/Payments.sol", "        w.paid = uint136(paid + amount);\n", ""),
    Breakage(
        "I5",
        "escrow/Endings.sol",
        "        window = terms.windowFrom(time);\n"
        "        uint256 end = _agreements[id].end;\n"
        "        require(window < end, SLAEscrow_NothingToEnd(window));\n",
        "        window = terms.windowFrom(time);\n        uint256 end = _agreements[id].end;\n",
    ),
    Breakage(
        "I6",
        "escrow/Payments.sol",
        "            t.judged = t.planned;\n",
        "",
    ),
    Breakage(
        "I7",
        "libraries/FeedStateLib.sol",
        "(FeedState.unwrap(s) & ~RUN) + (intervals << 96)",
        "FeedState.unwrap(s) + (intervals << 96)",
    ),
    Breakage("I8", "escrow/Bonds.sol", "        delete _bonds[agreement];\n", ""),
    Breakage(
        "I9",
        "escrow/Payments.sol",
        "        Due memory due = _due(terms, id, window, tallies, w.paid);\n        return",
        "        Due memory due = _due(terms, id, window, tallies, 0);\n        return",
    ),
    Breakage(
        "I10",
        "PartySignatures.sol",
        "        require(!revoked[party][digest], PartySignatures_Revoked(party, digest));\n",
        "",
    ),
    Breakage(
        "I10",
        "Treasury.sol",
        "function skim(address token, address to) external nonReentrant",
        "function skim(address token, address to) external",
    ),
    Breakage(
        "I10",
        "escrow/Agreements.sol",
        "if (terms.arbiter == address(0)) _pay(",
        "if (terms.arbiter == address(0) || window == 1) _pay(",
    ),
)


def found(output: str) -> str:
    """What the campaign complained about."""
    match = re.search(r"^\[FAIL[:.] (.*?)\]?$", output, re.MULTILINE)
    return match[1] if match else ""


def attempt(folder: Path, breakage: Breakage, runs: int) -> dict[str, object]:
    path = folder / "contracts" / breakage.file
    source = path.read_text()
    if source.count(breakage.old) != 1:
        raise SystemExit(f"{breakage.file} has changed: {breakage.old!r} is not there once")
    path.write_text(source.replace(breakage.old, breakage.new))
    began = time.monotonic()
    try:
        settings = {
            "invariant_runs": runs,
            "invariant_depth": DEPTH,
            "invariant_shrink_run_limit": 0,
        }
        result = forge.run(["test", "--match-contract", "Bursts"], folder, settings=settings)
    finally:
        path.write_text(source)
    complaint = found(result.stdout)
    if not complaint and "PASS" not in result.stdout:
        raise SystemExit(
            f"{breakage} does not compile:\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        )
    return {
        "invariant": breakage.invariant,
        "file": breakage.file,
        "change": [breakage.old.strip(), breakage.new.strip()],
        "caught": complaint.startswith(breakage.invariant),
        "complaint": complaint,
        "seconds": round(time.monotonic() - began),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("invariants", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="makegood-breakages-") as name:
        folder = forge.copy(Path(name))
        results = []
        for breakage in BREAKAGES:
            if options.invariants and breakage.invariant not in options.invariants:
                continue
            results.append(attempt(folder, breakage, options.runs))
            print(json.dumps(results[-1]), flush=True)
    if not all(result["caught"] for result in results):
        raise SystemExit("an invariant did not notice its breakage")


if __name__ == "__main__":
    main()
