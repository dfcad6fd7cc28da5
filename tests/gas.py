"""What each operation costs: `python -m tests.gas` (`make gas`).

Runs every operation on an anvil of its own and prints one JSON object: gas used, from the receipts of type-2 transactions
without access lists. Slots are not zero from earlier rounds and cold when the transaction begins, as on a public chain.
Times, keys and salts are fixed, so the figures are the same on every machine. Exits with 1 if one exceeds its limit.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from web3 import HTTPProvider, Web3

from relayer.bindings import Escrow, Oracle, Token, artifact
from relayer.protocol.typed_data import Domain
from tests import samples

ROOT = Path(__file__).resolve().parents[1]
GENESIS = 1_800_000_000
START = GENESIS + 3_600 - GENESIS % 3_600
DAY = 1_440  # intervals of a minute
FUNDS = 10**9 * samples.DOLLAR

LIMITS = {
    "report_1_interval_3_signatures": 60_000,
    "report_60_intervals_3_signatures_per_interval": 2_000,
    "open": 250_000,
    "settle_paying": 100_000,
    "close": 100_000,
}


class Chain:
    """An anvil of our own, gone when the block ends."""

    def __enter__(self) -> Chain:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        path = os.pathsep.join([str(ROOT / "node_modules" / ".bin"), os.environ.get("PATH", "")])
        anvil = shutil.which("anvil", path=path)
        if anvil is None:
            raise SystemExit("gas: no anvil in node_modules/.bin or on PATH; run `make setup`")
        command = [anvil, "--host", "127.0.0.1", "--port", str(port), "--timestamp", str(GENESIS)]
        command += ["--hardfork", "osaka", "--prune-history", "64", "--mnemonic", samples.MNEMONIC]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.w3 = Web3(HTTPProvider(f"http://127.0.0.1:{port}"))
        deadline = time.monotonic() + 30
        while not self.w3.is_connected():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.__exit__()
                raise SystemExit("gas: anvil did not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)

    def at(self, when: int) -> None:
        """The next block has exactly this time."""
        answer = self.w3.provider.make_request("evm_setNextBlockTimestamp", [when])
        assert "error" not in answer, answer

    def deploy(self, name: str) -> str:
        built = artifact(name)
        factory = self.w3.eth.contract(abi=built["abi"], bytecode=built["bytecode"])
        sent = factory.constructor().transact({"from": samples.wallet(0).address})
        return self.w3.eth.wait_for_transaction_receipt(sent)["contractAddress"]

    def gas(self, call, sender: int = 0) -> int:
        """Sends it and returns the gas used; sender 0 is a stranger to every agreement."""
        options = {"from": samples.wallet(sender).address, "gas": 16_777_216}
        sent = call.transact(options | {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9})
        receipt = self.w3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1, "a transaction of the benchmark reverted"
        assert receipt["type"] == 2
        return receipt["gasUsed"]


def say(message: str) -> None:
    sys.stderr.write(f"gas: {message}\n")


def measure() -> dict[str, int]:
    with Chain() as chain:
        say("deploying")
        oracle = Oracle(chain.w3, chain.deploy("MonitoringOracle"))
        escrow = Escrow(chain.w3, chain.deploy("SLAEscrow"))
        token = Token(chain.w3, chain.deploy("TestDollar"))
        agreement = Agreement(chain, oracle, escrow, token)
        return agreement.measure() | Feeds(chain, oracle).measure()


class Agreement:
    """One service level with three tiers, paid by ERC-20 allowance."""

    def __init__(self, chain: Chain, oracle: Oracle, escrow: Escrow, token: Token) -> None:
        self.chain, self.oracle, self.escrow, self.token = chain, oracle, escrow, token
        self.reports = Reports(chain, oracle, samples.feed(START))

    def measure(self) -> dict[str, int]:
        # An earlier agreement leaves balances, what is held and what may be pulled different from zero.
        for account in (1, 2):
            self.chain.gas(self.token.mint(samples.wallet(account).address, FUNDS))
        self.chain.gas(self.token.approve(self.escrow.address, FUNDS), sender=2)
        self._open(salt=1)

        terms, gas = self._open(salt=2)
        say("fund")
        used = {"open": gas, "fund": self.chain.gas(self.escrow.fund(terms, 1, 1), sender=2)}

        say("settle, close")
        self.reports.send([[0]] * 3)
        used["settle_paying_first"] = self.chain.gas(self.escrow.settle(terms, 0))
        self.reports.send([[0] * 5] * 3)
        used["settle_paying"] = self.chain.gas(self.escrow.settle(terms, 0))
        self.reports.send([[1_000_000] * 54] * 3)
        used["close"] = self.chain.gas(self.escrow.close(terms, 0))
        return used

    def _open(self, salt: int) -> tuple[samples.Terms, int]:
        say("open")
        addresses = {"token": self.token.address, "oracle": self.oracle.address}
        terms = samples.terms(self.reports.feed, salt=salt.to_bytes(32, "big"), **addresses)
        domain = Domain(self.chain.w3.eth.chain_id, self.escrow.address)
        signed = samples.signatures(domain, terms)
        return terms, self.chain.gas(self.escrow.open(terms, *signed), sender=2)


class Reports:
    """Reports of one feed, each from where the last one ended."""

    def __init__(self, chain: Chain, oracle: Oracle, feed: samples.Feed) -> None:
        self.chain, self.oracle, self.feed = chain, oracle, feed
        self.domain = Domain(chain.w3.eth.chain_id, oracle.address)
        self.next = 0

    def send(self, codes: list[list[int]]) -> int:
        """Reports one list of readings for each reporter, at the earliest possible time."""
        signed = [
            samples.signed_batch(
                self.domain,
                self.feed,
                reporter,
                self.next,
                own,
                evidence=bytes([reporter + 1]) * 32,  # zeros would be cheaper than real evidence
            )
            for reporter, own in enumerate(codes)
        ]
        end = self.next + len(codes[0])
        self._wait(self.feed.measurement.readable_at(end - 1))
        gas = self.chain.gas(self.oracle.report(self.feed, signed))
        self.next = end
        assert self.oracle.next_interval(self.feed.id) == end
        return gas

    def skip(self, intervals: int) -> int:
        self.next += intervals
        now = self.chain.w3.eth.get_block("latest")["timestamp"]
        end = self.feed.measurement.start_of(self.next)
        self._wait(max(now, end) + self.feed.measurement.deadline)
        return self.chain.gas(self.oracle.skip(self.feed, self.next))

    def _wait(self, until: int) -> None:
        now = self.chain.w3.eth.get_block("latest")["timestamp"]
        self.chain.at(max(until, now + 1))


class Feeds:
    """Reports and skips within one window: its closing costs a new slot, once in a billing period."""

    ROUNDS = 5

    def __init__(self, chain: Chain, oracle: Oracle) -> None:
        self.chain, self.oracle = chain, oracle

    def measure(self) -> dict[str, int]:
        say("reports of one interval")
        single = self._median(1, lambda reports, _: reports.send([[998_877]] * 3))
        say("reports of 60 intervals")
        hour = [990_000 + 131 * i for i in range(60)]
        equal = self._median(2, lambda reports, _: reports.send([hour] * 3))
        # No two readings of an interval are equal; all are within the tolerance.
        apart = [[value + 7 * reporter for value in hour] for reporter in range(3)]
        different = self._median(3, lambda reports, _: reports.send(apart), tolerance=20)
        say("skips")
        skip = self._median(4, lambda reports, _: reports.skip(1))
        return {
            "report_1_interval_3_signatures": single,
            "report_60_intervals_3_signatures_per_interval": -(-equal // 60),
            "report_60_intervals_3_signatures_all_different_per_interval": -(-different // 60),
            "skip": skip,
        }

    def _median(self, number: int, one_round, *, tolerance: int = 0) -> int:
        feed = samples.feed(
            START,
            replace(samples.panel(), tolerance=tolerance),
            descriptor=bytes([number]) * 32,
            window_intervals=DAY,
        )
        reports = Reports(self.chain, self.oracle, feed)
        reports.send([[998_877]] * 3)  # the first report writes new slots
        used = sorted(one_round(reports, i) for i in range(self.ROUNDS))
        return used[self.ROUNDS // 2]


def main() -> None:
    used = measure()
    print(json.dumps(used, indent=2))  # noqa: T201 - the result
    exceeded = [name for name, limit in LIMITS.items() if used[name] > limit]
    for name in exceeded:
        say(f"{name} uses {used[name]:,} gas, more than its limit of {LIMITS[name]:,}")
    sys.exit(1 if exceeded else 0)


if __name__ == "__main__":
    main()
