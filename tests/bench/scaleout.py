"""How many readings per second one, two and four worker processes make, of a service that takes 50 ms for each call.

Everything is real: PostgreSQL, `makegood relayer worker` processes, and HTTP between them and the service, all on this one
machine. Two kinds of services: one that answers a single question per call, and one that answers 200.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from relayer.store import Store
from tests.postgres import running_postgres
from tests.relayer.scaleout import world

LATENCY = 0.05
"""What a call to the service takes [s]."""
PROCESSES = (1, 2, 4)
CONCURRENCY = 4
KINDS = {"onePerCall": (1, 8, 240), "twoHundredPerCall": (200, 200, 200)}
"""Questions in a call, feeds, and intervals of each."""
WARM = 0.2
"""This share of the readings comes first and is not counted."""


def measure() -> dict[str, Any]:
    """Readings per second by kind of service and number of processes, and how much more that is than with one."""
    with tempfile.TemporaryDirectory(prefix="makegood-scaleout-") as name:
        folder = Path(name)
        plugins = folder / "plugins"
        plugins.mkdir()
        world.install_adapter(plugins)
        rates: dict[str, dict[int, float]] = {kind: {} for kind in KINDS}
        with running_postgres() as postgres:
            for kind, (per_call, feeds, intervals) in KINDS.items():
                for processes in PROCESSES:
                    place = folder / f"{kind}-{processes}"
                    place.mkdir()
                    rates[kind][processes] = _rate(
                        postgres, place, plugins, processes, per_call, feeds, intervals
                    )
    return {
        "unit": "readings per second",
        "latencySeconds": LATENCY,
        "concurrency": CONCURRENCY,
        "cpus": os.cpu_count(),
        "rates": {kind: {n: round(r) for n, r in found.items()} for kind, found in rates.items()},
        "ratio": {
            kind: {n: round(rate / found[1], 2) for n, rate in found.items()}
            for kind, found in rates.items()
        },
    }


def _rate(
    postgres: Any,
    folder: Path,
    plugins: Path,
    processes: int,
    per_call: int,
    feeds: int,
    intervals: int,
) -> float:
    """Counted once all processes are at work."""
    start = int(time.time()) // 60 * 60 - (intervals + 2) * 60
    documents = world.load_documents(world.write_documents(folder, feeds, start=start))
    store = Store(postgres.new_database())
    with world.running_monitoring() as monitoring:
        database = postgres.url(store.engine.url.database)
        workers = world.Workers(folder, database, monitoring, plugins)
        source = world.remote_source(store, documents, monitoring, intervals=intervals)
        monitoring.delay = LATENCY
        try:
            options = {"sources": {"counted": {"port": monitoring.port, "per_call": per_call}}}
            started = [
                workers.start("--concurrency", str(CONCURRENCY), dead_seconds=60, **options)
                for _ in range(processes)
            ]
            world.wait_until(
                lambda: all("worker_started" in one.log.read_text() for one in started),
                timeout=300,
            )
            total = feeds * intervals
            world.wait_until(lambda: len(source.answers) >= WARM * total, source.step, timeout=600)
            begun, before = time.monotonic(), len(source.answers)
            world.wait_until(lambda: len(source.answers) >= total, source.step, timeout=600)
            return (total - before) / (time.monotonic() - begun)
        finally:
            workers.end()
            store.close()


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - the result
