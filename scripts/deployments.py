"""Where the contracts of this project lie on each chain: deployments/<chain id>.json.

The files of public chains are part of the repository; those of local chains are worth nothing once the chain is gone. What
was deployed once is never forgotten: an entry that is replaced moves to the file's `history`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address

from relayer.errors import ConfigurationError
from relayer.keys import LOCAL_CHAINS

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

FOLDER = Path(__file__).resolve().parents[1] / "deployments"

ORACLE = "MonitoringOracle"
ESCROW = "SLAEscrow"
COURT = "DisputeCourt"
TEST_DOLLAR = "TestDollar"
ROUTER = "FundingRouter"
BATCHER = "Batcher"
STAKE = "ReporterStake"
ADAPTER = "ArbitratorAdapter"

PUBLIC_TEST_CHAINS = {
    11155111: "Sepolia",
    17000: "Holesky",
    84532: "Base Sepolia",
    421614: "Arbitrum Sepolia",
    11155420: "OP Sepolia",
    80002: "Polygon Amoy",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """One contract on one chain.

    :param source_hash: `sourceHash` of the exported artifact that it was made from.
    """

    address: ChecksumAddress
    deployer: ChecksumAddress
    transaction: str
    block: int
    source_hash: str

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Deployed:
        """What `entry` makes, read back."""
        return cls(
            address=to_checksum_address(entry["address"]),
            deployer=to_checksum_address(entry["deployer"]),
            transaction=str(entry["transaction"]),
            block=int(entry["block"]),
            source_hash=str(entry["sourceHash"]),
        )

    def entry(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "deployer": self.deployer,
            "transaction": self.transaction,
            "block": self.block,
            "sourceHash": self.source_hash,
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """What of this project is on one chain, by the contracts' names."""

    chain_id: int
    contracts: dict[str, Deployed]

    def address(self, name: str) -> ChecksumAddress:
        """The contract's address, or an error that says how to get one."""
        if deployed := self.contracts.get(name):
            return deployed.address
        raise ConfigurationError(
            f"no {name} is recorded for chain {self.chain_id} in {path(self.chain_id)}",
            hint="deploy first: see scripts/README.md",
        )

    @property
    def oracle(self) -> ChecksumAddress:
        return self.address(ORACLE)

    @property
    def escrow(self) -> ChecksumAddress:
        return self.address(ESCROW)

    @property
    def token(self) -> ChecksumAddress | None:
        """The test dollar; None where real money is used."""
        deployed = self.contracts.get(TEST_DOLLAR)
        return deployed.address if deployed else None


def is_local(chain_id: int) -> bool:
    return chain_id in LOCAL_CHAINS


def is_test_chain(chain_id: int) -> bool:
    """Whether money is worth nothing there."""
    return is_local(chain_id) or chain_id in PUBLIC_TEST_CHAINS


def chain_name(chain_id: int) -> str:
    if is_local(chain_id):
        return "local chain"
    return PUBLIC_TEST_CHAINS.get(chain_id, "LIVE NETWORK, real money")


def path(chain_id: int) -> Path:
    """The chain's file. The environment's MAKEGOOD_DEPLOYMENTS names another folder."""
    return Path(os.environ.get("MAKEGOOD_DEPLOYMENTS") or FOLDER) / f"{chain_id}.json"


def recorded(chain_id: int) -> Deployment:
    """What is known to be on a chain; empty if nothing is."""
    contracts = _read(chain_id)["contracts"]
    return Deployment(chain_id, {name: Deployed.of(entry) for name, entry in contracts.items()})


def record(chain_id: int, name: str, deployed: Deployed, *, replace: bool = False) -> None:
    """Writes down where a contract is.

    :param replace: Whether an entry for the same contract may move to the history.
    """
    content = _read(chain_id)
    if former := content["contracts"].get(name):
        if not replace:
            raise ConfigurationError(
                f"{path(chain_id)} already has a {name}, at {former['address']}",
                hint="MAKEGOOD_REPLACE=1 replaces it; the former address is kept in the history",
            )
        content["history"].append({"contract": name, **former})
    content["contracts"][name] = deployed.entry()
    _write(chain_id, content)


def _read(chain_id: int) -> dict[str, Any]:
    file = path(chain_id)
    if not file.exists():
        return {"chainId": chain_id, "contracts": {}, "history": []}
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        about, _, _ = content["chainId"], content["contracts"], content["history"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{file} is damaged: {type(error).__name__} {error}", hint="restore it from git"
        ) from error
    if about != chain_id:
        raise ConfigurationError(f"{file} is about chain {about}", hint="rename or restore it")
    return content


def _write(chain_id: int, content: dict[str, Any]) -> None:
    """By renaming, so that an interruption leaves the old file or the new one, nothing in between."""
    file = path(chain_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f".{os.getpid()}.new")
    new.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(file)
