"""What each operation costs: `python -m tests.gas` (`make gas`).

Runs every operation on an anvil of its own (osaka) and prints one JSON object: gas used, from the receipts of type-2
transactions without access lists. Slots are not zero from earlier rounds and cold when the transaction begins, as on a
public chain. Beside it, on the error stream, how it compares with other oracles, with the goals and with the recorded
values. Exits with 1 if a figure is more than 1 % above the recorded one; `--record` writes new ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from relayer.bindings import Escrow, Oracle, Token
from tests.gas import feeds
from tests.gas.agreements import Agreements
from tests.gas.chain import Chain, say
from tests.gas.peers import GOALS, PEERS

RECORD = Path(__file__).with_name("recorded.json")
RISE = 1.01


def measure() -> dict[str, int]:
    with Chain() as chain:
        say("deploying")
        oracle = Oracle(chain.w3, chain.deploy("MonitoringOracle"))
        escrow = Escrow(chain.w3, chain.deploy("SLAEscrow"))
        token = Token(chain.w3, chain.deploy("TestDollar"))
        agreements = Agreements(chain, oracle, escrow, token)
        return agreements.measure() | feeds.measure(chain, oracle) | agreements.measure_months()


def compare(used: dict[str, int], recorded: dict[str, int]) -> list[str]:
    """Says how the figures compare, and returns those that have risen."""
    for name, gas in used.items():
        goal = f"goal {GOALS[name]:,}" if name in GOALS else ""
        before = f"recorded {recorded[name]:,}" if name in recorded else "not recorded"
        say(f"{name:<62}{gas:>12,}  {before:<20} {goal}")
        for peer, theirs in PEERS.get(name, {}).items():
            say(f"    {theirs / gas:5.1f} times as much: {peer}, {theirs:,}")
    return [name for name, gas in recorded.items() if used.get(name, gas) > gas * RISE]


def main() -> None:
    parser = argparse.ArgumentParser(description="What each operation costs.")
    parser.add_argument("--record", action="store_true", help="record these figures")
    arguments = parser.parse_args()
    used = measure()
    print(json.dumps(used, indent=2))  # noqa: T201 - the result
    if arguments.record:
        RECORD.write_text(json.dumps(used, indent=2) + "\n", encoding="utf-8")
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    risen = compare(used, recorded)
    for name in risen:
        say(f"{name} uses {used[name]:,} gas, more than 1 % above the recorded {recorded[name]:,}")
    sys.exit(1 if risen else 0)


if __name__ == "__main__":
    main()
