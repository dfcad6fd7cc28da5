"""The three reporters: each a relayer of its own, with its own key, folder, database and view of the service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_utils.hexadecimal import encode_hex

from relayer.demo.processes import Process, python_module

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

POLL_SECONDS = 0.5
STAGGER_SECONDS = 2
"""How long each reporter waits for the one whose turn it is to send [s]."""


@dataclass(frozen=True)
class Relayer:
    """One reporter's relayer.

    :param name: What the story calls it.
    :param url: What it watches.
    :param port: Where it serves what it signed.
    """

    name: str
    account: LocalAccount
    url: str
    port: int
    folder: Path
    process: Process

    @classmethod
    def of(cls, name: str, account: LocalAccount, url: str, port: int, folder: Path) -> Relayer:
        folder.mkdir()
        config = folder / "makegood.yaml"
        command = python_module("relayer.cli", "relayer", "run", "--config", str(config))
        process = Process(f"{name}'s relayer", command, folder / "relayer.log")
        return cls(name, account, url, port, folder, process)

    @property
    def address(self) -> str:
        return self.account.address

    @property
    def database(self) -> Path:
        return self.folder / "relayer.sqlite"

    def configure(self, *, rpc_url: str, agreement: Path, peers: Sequence[Relayer]) -> None:
        """Write its key and its configuration.

        :param peers: The other reporters.
        """
        key = self.folder / "reporter.key"
        key.touch(mode=0o600)
        key.write_text(encode_hex(self.account.key))
        configuration = {
            "rpcUrl": rpc_url,
            "database": str(self.database),
            "key": {"file": str(key)},
            "agreements": [str(agreement)],
            # The demonstration's services run on this machine, which no document may have it ask otherwise.
            "sources": {"http_probe": {"allowed_networks": ["127.0.0.1"]}},
            "exchange": {
                "listen": f"127.0.0.1:{self.port}",
                "pullSeconds": POLL_SECONDS,
                "peers": {peer.address: f"http://127.0.0.1:{peer.port}" for peer in peers},
            },
            "pollSeconds": POLL_SECONDS,
            "staggerSeconds": STAGGER_SECONDS,
            "logFormat": "json",
        }
        # JSON is YAML, too.
        (self.folder / "makegood.yaml").write_text(json.dumps(configuration, indent=2))

    def works(self) -> bool:
        """Whether it was started and said that it works."""
        return "relayer_started" in self.process.log.read_text(encoding="utf-8")
