"""Three relayers as processes of their own, each behind RPC proxies that can be made to fail; one uses PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_utils.hexadecimal import encode_hex

from relayer.demo.processes import Process, free_ports, python_module
from relayer.document import fresh_salt
from tests.faults.rpc_proxy import RpcProxy

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

LEVELS = 8
INTERVAL = 60
WINDOW_INTERVALS = 10


@dataclass
class Relayer:
    """One reporter."""

    name: str
    account: LocalAccount
    port: int
    operations: int
    database: str
    proxies: list[RpcProxy]
    process: Process
    folder: Path
    restarts: int = 0
    supervised: int = 0
    down: bool = False
    """Whether it is kept from running."""

    def configure(self, documents: list[Path], peers: list[Relayer], batcher: str | None) -> None:
        key = self.folder / "reporter.key"
        key.touch(mode=0o600)
        key.write_text(encode_hex(self.account.key))
        configuration: dict[str, Any] = {
            "rpcUrl": [proxy.url for proxy in self.proxies],
            "rpcAgreement": 1,
            "database": self.database,
            "key": {"file": str(key)},
            "agreements": [str(document) for document in documents],
            "sources": {"http_probe": {"allowed_networks": ["127.0.0.1"]}},
            "confirmations": 8,
            "pollSeconds": 5,
            "staggerSeconds": 10,
            "exchange": {
                "listen": f"127.0.0.1:{self.port}",
                "pullSeconds": 3,
                "peers": {
                    peer.account.address: f"http://127.0.0.1:{peer.port}"
                    for peer in peers
                    if peer is not self
                },
            },
            "operations": {"listen": f"127.0.0.1:{self.operations}"},
            "logFormat": "json",
        }
        if batcher:
            configuration["batcher"] = batcher
        (self.folder / "makegood.yaml").write_text(json.dumps(configuration, indent=2))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def memory_mib(self) -> float:
        """What it uses now."""
        with Path(f"/proc/{self.process.pid}/status").open(encoding="ascii") as status:
            [line] = [line for line in status if line.startswith("VmRSS")]
        return round(int(line.split()[1]) / 1_024, 1)

    def log_words(self) -> dict[str, int]:
        """How often each action word stands in its log."""
        counts: dict[str, int] = {}
        with self.process.log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    word = json.loads(line).get("action", "?")
                except ValueError:
                    word = "?"
                counts[word] = counts.get(word, 0) + 1
        return dict(sorted(counts.items()))


def relayers(accounts, rpc_url: str, folder: Path, databases: list[str | None]) -> list[Relayer]:
    made = []
    ports = iter(free_ports(2 * len(accounts)))
    for number, (account, database) in enumerate(zip(accounts, databases, strict=True)):
        own = folder / f"relayer{number}"
        own.mkdir()
        command = python_module(
            "relayer.cli", "relayer", "run", "--config", str(own / "makegood.yaml")
        )
        made.append(
            Relayer(
                name=f"relayer{number}",
                account=account,
                port=next(ports),
                operations=next(ports),
                database=database or str(own / "relayer.sqlite"),
                proxies=[RpcProxy(rpc_url), RpcProxy(rpc_url)],
                process=Process(f"relayer{number}", command, own / "relayer.log"),
                folder=own,
            )
        )
    return made


def document(
    number: int, *, parties, reporters, settlement, urls: list[str], start: int, windows: int
) -> dict[str, Any]:
    """An agreement over several services, each a level."""
    return {
        "apiVersion": "makegood/v1",
        "kind": "SLA",
        "metadata": {"name": f"soak-{number}"},
        "spec": {
            "parties": parties,
            "settlement": settlement,
            "money": {"feePerWindow": "100.00"},
            "term": {
                "start": datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "window": f"{INTERVAL * WINDOW_INTERVALS}s",
                "windows": windows,
                "prepaidWindows": windows,
            },
            "levels": [
                {
                    "name": f"availability-{place}",
                    "indicator": {
                        "metric": "availability",
                        "dataSource": {
                            "type": "http_probe",
                            "spec": {"url": url, "samples": 3, "timeout": "15"},
                        },
                    },
                    "objective": {"op": "gte", "value": "50%"},
                    "interval": f"{INTERVAL}s",
                    "settleDelay": "10s",
                    "reportEvery": "120s",
                    "reportDeadline": "600s",
                    "reporters": {"keys": list(reporters), "quorum": 2, "tolerance": "40%"},
                    "tiers": [
                        {"badIntervals": 1, "credit": "5%"},
                        {"badIntervals": 3, "credit": "20%"},
                    ],
                }
                for place, url in enumerate(urls)
            ],
            "salt": fresh_salt(),
        },
    }
