"""An anvil of the benchmark's own: fixed times, keys and gas rules, so that the figures are the same on every machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from web3 import HTTPProvider, Web3

from relayer.bindings import artifact
from tests import samples

ROOT = Path(__file__).resolve().parents[2]
GENESIS = 1_800_000_000
START = GENESIS + 3_600 - GENESIS % 3_600
TRANSACTION_CAP = 16_777_216
"""Most gas of one transaction (EIP-7825)."""


def say(message: str) -> None:
    sys.stderr.write(f"gas: {message}\n")


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

    @property
    def now(self) -> int:
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def wait(self, until: int) -> None:
        """The next block is of `until`, or as soon after it as can be."""
        self.at(max(until, self.now + 1))

    def at(self, when: int) -> None:
        """The next block has exactly this time."""
        answer = self.w3.provider.make_request("evm_setNextBlockTimestamp", [when])
        assert "error" not in answer, answer

    def deploy(self, name: str, *arguments) -> str:
        built = artifact(name)
        factory = self.w3.eth.contract(abi=built["abi"], bytecode=built["bytecode"])
        sent = factory.constructor(*arguments).transact({"from": samples.wallet(0).address})
        return self.w3.eth.wait_for_transaction_receipt(sent)["contractAddress"]

    def gas(self, call, sender: int = 0) -> int:
        """Sends it and returns the gas used; sender 0 is a stranger to every agreement."""
        options = {"from": samples.wallet(sender).address, "gas": TRANSACTION_CAP}
        sent = call.transact(options | {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9})
        receipt = self.w3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1, "a transaction of the benchmark reverted"
        assert receipt["type"] == 2
        return receipt["gasUsed"]
