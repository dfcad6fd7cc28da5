"""A relayer that is killed as soon as a step of its work is stored: `python -m tests.faults.kill_at STEP relayer run ...`.

It is the real relayer, in a process of its own, and a real SIGKILL: nothing is cleaned up, flushed or given back.
"""

from __future__ import annotations

import functools
import os
import signal
import sys

from relayer.chain import Chain
from relayer.cli import main
from relayer.store.bundles import Bundles
from relayer.store.readings import Readings
from relayer.store.transactions import Transactions

STEPS = {
    "interval scheduled": (Readings, "schedule"),
    "interval read": (Readings, "save"),
    "readings signed": (Bundles, "save"),
    "transaction signed": (Transactions, "begin"),
    "transaction broadcast": (Chain, "broadcast"),
    "transaction sent": (Transactions, "mark_sent"),
    "transaction mined": (Transactions, "mark_mined"),
    "transaction final": (Transactions, "mark_final"),
}
"""What a reading goes through, in this order."""


def kill_after(step: str) -> None:
    owner, name = STEPS[step]
    original = getattr(owner, name)

    @functools.wraps(original)
    def last(self, *arguments, **more):
        result = original(self, *arguments, **more)
        if arguments[0] != []:  # there was something to store
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, last)


if __name__ == "__main__":
    kill_after(sys.argv.pop(1))
    sys.exit(main())
