"""What a feed costs, from 100 to 10,000 of them, each read every minute and reported every ten, over two such cycles.

All feeds are due in the same minute, which is as bad as it gets. The processor's time is that of the relayer's process, without
what the monitoring service takes; the chain is another process. Each size runs in a process of its own, so that its memory can
be seen. It takes some five minutes of a processor, half of them for opening 1,250 agreements.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

from tests.bench.fleet import fleet, say
from tests.bench.goals import at_most

SIZES = (100, 1_000, 10_000)
CADENCE = 600
MINUTES = 2 * CADENCE // 60
CORE = 0.5
"""Goal: at most this share of one core, outside the monitoring calls."""
MEBIBYTES = 400
"""Goal: at most so much memory."""
FLAT = 1.25
"""Goal: of the largest size a feed costs at most so many times what one of the smallest costs."""


def measure(sizes=SIZES) -> dict[str, object]:
    found = {}
    for size in sizes:
        command = [sys.executable, "-m", "tests.bench.scale", str(size)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[size] = json.loads(run.stdout)
    least, most = found[min(sizes)], found[max(sizes)]
    cost = "milliseconds_per_feed_and_minute"
    growth = round(most[cost] / least[cost], 2)
    return {
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "sizes": found,
        "goals": {
            f"core_used_by_{max(sizes)}": at_most(most["core_used"], CORE),
            f"memory_mib_of_{max(sizes)}": at_most(most["memory_mib"], MEBIBYTES),
            "cost_of_a_feed_most_to_least": at_most(growth, FLAT),
            "intervals_behind": at_most(max(one["intervals_behind"] for one in found.values()), 0),
        },
    }


def one(size: int) -> dict[str, float]:
    """Runs one size in this process."""
    with fleet(size, cadence=CADENCE) as made:
        say(f"{MINUTES} minutes of {size} feeds")
        started = _memory()
        spent = []
        for _ in range(MINUTES):
            begun = time.process_time() - made.service.seconds
            made.advance(60)
            spent.append(time.process_time() - made.service.seconds - begun)
            say(f"minute {len(spent)}: {spent[-1]:.2f} s of the processor")
        positions = made.oracle.positions([feed.id for feed in made.feeds])
        behind = max(MINUTES - position.next for position in positions)
    quiet = sorted(spent)[len(spent) // 2]
    return {
        "core_used": round(sum(spent) / 60 / MINUTES, 4),
        "core_used_in_a_quiet_minute": round(quiet / 60, 4),
        "core_used_in_the_busiest_minute": round(max(spent) / 60, 4),
        "core_used_by_monitoring_calls": round(made.service.seconds / 60 / MINUTES, 4),
        "milliseconds_per_feed_and_minute": round(1_000 * sum(spent) / MINUTES / size, 4),
        "memory_mib_when_started": started,
        "memory_mib": _memory(),
        "intervals_behind": behind,
    }


def _memory() -> float:
    """The most that this process has had [MiB]."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024, 1)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(one(int(sys.argv[1]))) + "\n")
