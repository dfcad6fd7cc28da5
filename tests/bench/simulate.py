"""`makegood sla simulate` over a month of minutes (43,200 readings), as a person waits for it: the whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.relayer.templates import agreements

ROOT = Path(__file__).parents[2]
MINUTES = 43_200
DOWN = range(10_000, 10_050)
RUNS = 5


def measure() -> dict[str, object]:
    """The fastest of some runs: seconds by the clock, and of the processor."""
    with TemporaryDirectory() as name:
        home = Path(name)
        document = agreements.document_of("aws-ec2-region", home).path
        data = home / "june.csv"
        first = agreements.utc(2026, 6, 1)
        data.write_text(
            "time,value\n"
            + "".join(
                f"{datetime.fromtimestamp(first + 60 * n, UTC):%Y-%m-%dT%H:%M:%SZ},{0 if n in DOWN else 100}\n"
                for n in range(MINUTES)
            )
        )
        # fmt: off
        command = [
            sys.executable, "-m", "relayer.cli",
            "sla", "simulate", document.name, "--data", data.name, "--unit", "%",
        ]
        # fmt: on
        taken = [_run(command, home) for _ in range(RUNS)]
    return {
        "readings": MINUTES,
        "seconds": round(min(seconds for seconds, _ in taken), 2),
        "processor_seconds": round(min(processor for _, processor in taken), 2),
        "goal_seconds": 2,
    }


def _run(command: list[str], home: Path) -> tuple[float, float]:
    before, begun = os.times(), time.monotonic()
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    ended, after = time.monotonic(), os.times()
    return ended - begun, (
        after.children_user - before.children_user + after.children_system - before.children_system
    )
