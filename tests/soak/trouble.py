"""Random faults, one after the other, each undone after a while."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import requests

from tests.faults.rpc_proxy import random_fault

if TYPE_CHECKING:
    from tests.postgres import Postgres
    from tests.soak.network import Relayer

PAUSE = (5, 25)
LENGTH = (3, 30)
# How often each comes, compared with the others.
KINDS = {
    "one_endpoint": 5,
    "both_endpoints": 3,
    "killed": 3,
    "stopped": 3,
    "transactions_dropped": 2,
    "reorganisation": 2,
    "base_fee_times_ten": 2,
    "wallet_empty": 1,
    "postgresql_restarted": 2,
    "terminated": 1,
}


class Trouble:
    """:param rpc_url: The chain itself."""

    def __init__(
        self, seed: int, rpc_url: str, relayers: list[Relayer], postgres: Postgres
    ) -> None:
        self._random = random.Random(seed)
        self._rpc_url = rpc_url
        self._relayers = relayers
        self._postgres = postgres
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, and undo what is going on."""
        self._stop.set()
        self._thread.join(60)
        for relayer in self._relayers:
            for proxy in relayer.proxies:
                proxy.clear()

    def rpc(self, method: str, *params: object) -> object:
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return requests.post(self._rpc_url, json=question, timeout=10).json().get("result")

    def _run(self) -> None:
        while not self._stop.wait(self._random.uniform(*PAUSE)):
            kind = self._random.choices(list(KINDS), list(KINDS.values()))[0]
            relayer = self._random.choice(self._relayers)
            self.counts[kind] += 1
            getattr(self, f"_{kind}")(relayer, self._random.uniform(*LENGTH))

    def _last(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _one_endpoint(self, relayer: Relayer, seconds: float) -> None:
        proxy = self._random.choice(relayer.proxies)
        proxy.apply(random_fault(self._random))
        self._last(seconds)
        proxy.clear()

    def _both_endpoints(self, relayer: Relayer, seconds: float) -> None:
        for proxy in relayer.proxies:
            proxy.apply(random_fault(self._random))
        self._last(seconds)
        for proxy in relayer.proxies:
            proxy.clear()

    def _killed(self, relayer: Relayer, seconds: float) -> None:
        relayer.down = True
        relayer.process.kill()
        self._last(min(10, seconds))
        relayer.process.start()
        relayer.down = False
        relayer.restarts += 1

    def _terminated(self, relayer: Relayer, seconds: float) -> None:
        relayer.down = True
        relayer.process.stop()
        self._last(min(5, seconds))
        relayer.process.start()
        relayer.down = False
        relayer.restarts += 1

    def _stopped(self, relayer: Relayer, seconds: float) -> None:
        with suppress(ProcessLookupError):
            relayer.signal(signal.SIGSTOP)
        self._last(seconds)
        with suppress(ProcessLookupError):
            relayer.signal(signal.SIGCONT)

    def _transactions_dropped(self, relayer: Relayer, seconds: float) -> None:
        end = time.monotonic() + min(6, seconds)
        while time.monotonic() < end:
            self.rpc("anvil_dropAllTransactions")
            self._last(0.5)

    def _reorganisation(self, relayer: Relayer, seconds: float) -> None:
        with suppress(requests.RequestException):
            self.rpc("anvil_reorg", self._random.randrange(1, 5), [])

    def _base_fee_times_ten(self, relayer: Relayer, seconds: float) -> None:
        block = self.rpc("eth_getBlockByNumber", "latest", False)
        fee = int(block["baseFeePerGas"], 16)
        self.rpc("anvil_setNextBlockBaseFeePerGas", hex(10 * fee + 1))

    def _wallet_empty(self, relayer: Relayer, seconds: float) -> None:
        self.rpc("anvil_setBalance", relayer.account.address, "0x0")
        self._last(seconds)
        self.rpc("anvil_setBalance", relayer.account.address, hex(10**18))

    def _postgresql_restarted(self, relayer: Relayer, seconds: float) -> None:
        self._postgres.stop()
        self._last(min(8, seconds))
        self._postgres.start()
