"""The places where a value can stand besides a file: variables of the environment, and flags of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relayer.yaml_lines import Location

PREFIX: Final = "MAKEGOOD_"
CONFIG_VARIABLE: Final = "MAKEGOOD_CONFIG"

VARIABLES: Final[Mapping[str, Location]] = {
    "MAKEGOOD_RPC_URL": ("rpcUrl",),
    "MAKEGOOD_RPC_AGREEMENT": ("rpcAgreement",),
    "MAKEGOOD_DATABASE": ("database",),
    "MAKEGOOD_EVIDENCE_KEY": ("evidenceKey",),
    "MAKEGOOD_KEYSTORE": ("key", "keystore"),
    "MAKEGOOD_KEY_FILE": ("key", "file"),
    "MAKEGOOD_PASSWORD_FILE": ("key", "passwordFile"),
    "MAKEGOOD_AGREEMENTS": ("agreements",),
    "MAKEGOOD_BATCHER": ("batcher",),
    "MAKEGOOD_POLL_SECONDS": ("pollSeconds",),
    "MAKEGOOD_MAX_FEE_PER_GAS_GWEI": ("maxFeePerGasGwei",),
    "MAKEGOOD_EXCHANGE_LISTEN": ("exchange", "listen"),
    "MAKEGOOD_OPERATIONS_LISTEN": ("operations", "listen"),
    "MAKEGOOD_WEBHOOK": ("operations", "webhook"),
    "MAKEGOOD_WORKERS": ("workers",),
    "MAKEGOOD_LOG_FORMAT": ("logFormat",),
}
OF_SCRIPTS: Final = frozenset(
    f"MAKEGOOD_{name}" for name in ("ACCOUNT", "CHAIN_PORT", "DEPLOYMENTS", "REPLACE", "YES")
)
"""Variables of the deployment scripts, which share the environment: see scripts/README.md."""
FLAGS: Final[Mapping[str, Location]] = {
    "--rpc-url": ("rpcUrl",),
    "--database": ("database",),
    "--keystore": ("key", "keystore"),
    "--key-file": ("key", "file"),
    "--password-file": ("key", "passwordFile"),
}
