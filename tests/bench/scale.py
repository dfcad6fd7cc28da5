"""What a feed costs, from 100 to 10,000 of them, each read every minute and reported every ten.

Each size runs in a process of its own, so that its memory can be seen.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

from tests.bench.fleet import fleet, say

SIZES = (100, 1_000, 10_000)
CADENCE = 600
MINUTES = 13
"""So that every feed is reported once, and what follows a report."""


def measure(sizes=SIZES) -> dict[str, object]:
    found = {}
    for size in sizes:
        command = [sys.executable, "-m", "tests.bench.scale", str(size)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[str(size)] = json.loads(run.stdout)
    costs = [each["milliseconds_per_feed_and_minute"] for each in found.values()]
    return {"sizes": found, "dearest_to_cheapest": round(max(costs) / min(costs), 2)}


def one(size: int) -> dict[str, float]:
    """Runs one size in this process."""
    with fleet(size, cadence=CADENCE) as made:
        say(f"{MINUTES} minutes of {size} feeds")
        begun, longest = time.process_time(), 0.0
        for _ in range(MINUTES):
            minute = time.process_time()
            made.advance(60)
            longest = max(longest, time.process_time() - minute)
        used = time.process_time() - begun
        behind = max(MINUTES - made.oracle.next_interval(feed.id) for feed in made.feeds)
    return {
        "core_used": round(used / (60 * MINUTES), 4),
        "core_used_in_the_busiest_minute": round(longest / 60, 4),
        "milliseconds_per_feed_and_minute": round(1_000 * used / MINUTES / size, 4),
        "memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024, 1),
        "minutes_behind_at_the_end": behind,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(one(int(sys.argv[1]))) + "\n")
