"""How much later others are read because one monitoring service hangs, on real threads.

One relayer watches a service from four places: two Prometheus servers, of which one takes the question and never answers, a
status page and a probe of its own. Lateness is the time from the moment at which an interval can be read until the other three
have read it, found by looking every tenth of a second.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from relayer import sources
from tests.relayer.hanging import Scene, watched_by
from tests.relayer.world import running_chain

INTERVALS = 8


def measure() -> dict[str, object]:
    sources.LONGEST_PAUSE = 0.05  # time jumps: look often
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        scene = Scene(stack.enter_context(running_chain(folder)), folder, stack)

        def story() -> list[float]:
            late = []
            # Every other one: what was read last was readable when the next one had begun.
            for interval in range(0, 2 * INTERVALS, 2):
                scene.probe(interval)
                late.append(scene.read_by_the_others(interval))
            assert scene.hanging.waiting == 1, "nothing hangs"
            return late

        late = watched_by(scene, story)
    return {
        "unit": "seconds",
        "lateness": [round(one, 2) for one in late],
        "median": round(sorted(late)[len(late) // 2], 2),
        "goal": 1,
    }
