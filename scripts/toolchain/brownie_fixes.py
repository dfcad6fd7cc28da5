"""Makes eth-brownie 1.22.2 work on anvil 1.7 and ganache 7.9; importing it is enough.

Each fix says what goes wrong without it. Import it only where brownie's home is set: see `brownie_home`.
"""

import importlib
import os
import re
import sys
import time
import warnings
from typing import Any

import brownie
from brownie._config import CONFIG
from brownie.network import account, contract, transaction
from brownie.network.rpc import anvil, ganache
from web3.exceptions import TransactionNotFound

from scripts.toolchain import brownie_home

rpc = sys.modules["brownie.network.rpc"]  # `brownie.network.rpc`, the attribute, is an object

# 1. `chain.mine(timestamp=...)` and `timedelta=` send a bare number where JSON-RPC wants a list: "Invalid request".


def _mine(timestamp: int | None = None) -> None:
    anvil._request("evm_mine", [] if timestamp is None else [timestamp])


anvil.mine = _mine

# 2. brownie compares deployed code with compiled code, in which immutables are still zero. A contract that has any (every
#    EIP-712 contract) never matches and loses its source map: no coverage, no source in errors, no `dev:` strings.

_compare_code = contract._verify_deployed_code
_IMMUTABLE = re.compile("7f" + 64 * "0")  # PUSH32 0, which solc writes for nothing else


def _compare_code_without_immutables(address: str, compiled: str, language: str) -> bool:
    deployed = brownie.web3.eth.get_code(address).hex().removeprefix("0x")
    compiled = compiled.removeprefix("0x")
    if language == "Solidity" and len(deployed) == len(compiled):
        compiled = _IMMUTABLE.sub(lambda hole: deployed[hole.start() : hole.end()], compiled)
    return bool(_compare_code(address, compiled, language))


contract._verify_deployed_code = _compare_code_without_immutables

# 3. anvil answers `eth_sendTransaction` a moment before the receipt can be had. brownie then sleeps a whole second, or, if
#    the nonce has already moved, reports "Tx dropped without known replacement".

_await_confirmation = transaction.TransactionReceipt._await_confirmation
_RECEIPT_PATIENCE = 60.0


def _await_receipt(self: Any, block_number: int | None = None, required_confs: int = 1) -> None:
    deadline = time.monotonic() + _RECEIPT_PATIENCE
    while CONFIG.network_type == "development" and time.monotonic() < deadline:
        try:
            if brownie.web3.eth.get_transaction_receipt(self.txid)["blockHash"]:
                break
        except TransactionNotFound:
            time.sleep(0.002)
    _await_confirmation(self, block_number, required_confs)


transaction.TransactionReceipt._await_confirmation = _await_receipt

# 4. An anvil that is already running is taken for a ganache, so that unlocking accounts fails.

rpc.ATTACH_BACKENDS["anvil"] = anvil

# 5. brownie offers a gas price of 0 to development chains. ganache accepts the transaction, never mines it (its base fee is
#    not 0) and brownie waits forever; an anvil with a base fee refuses it.

GAS_PRICE = 10 * 10**9


def _set_ganache_gas_price() -> None:
    CONFIG.active_network["settings"]["gas_price"] = GAS_PRICE


ganache.on_connection = _set_ganache_gas_price

# 6. The project is named after the folder it was cloned into, and a folder that begins with a digit is refused. Here it
#    is always `brownie.project.MakegoodProject`.

_load_project = brownie.project.main.load


def _load_makegood(project_path: Any = None, name: str | None = None, **options: Any) -> Any:
    return _load_project(project_path, name or "MakegoodProject", **options)


brownie.project.load = brownie.project.main.load = _load_makegood

# 7. One fixed port would join two runs into one chain.

if _port := os.environ.get("MAKEGOOD_CHAIN_PORT"):
    for _network in CONFIG.networks.values():
        if "cmd_settings" in _network:  # public networks have none
            _network["cmd_settings"]["port"] = int(_port)

# 8. Tests, and scripts that ask for silence, print every transaction: contracts pass `silent=False` on, where brownie's
#    defaults apply to None only, and a transaction that reverts is announced in any case.

_make_transaction = account._PrivateKeyAccount._make_transaction


def _is_silent() -> bool:
    return CONFIG.mode == "test" or bool(CONFIG.argv["silent"])


def _make_transaction_quietly(self: Any, *args: Any) -> Any:
    *others, silent = args
    return _make_transaction(self, *others, silent or _is_silent())


def _announce(*values: Any) -> None:
    if not _is_silent():
        print(*values)


account._PrivateKeyAccount._make_transaction = _make_transaction_quietly
account.print = _announce  # in place of the builtin, in that module only

# 9. `brownie run` turns a script's whole path into a module's name, which fails if a folder's name has a dot.

_scripts = brownie.project.scripts
_import_script = _scripts._import_from_path


def _import_script_of_ours(path: Any) -> Any:
    if not path.is_relative_to(brownie_home.ROOT):
        return _import_script(path)
    inside = path.relative_to(brownie_home.ROOT).with_suffix("")
    return importlib.import_module(".".join(inside.parts))


_scripts._import_from_path = _import_script_of_ours

# 10. `show_colors: false` is heeded by a part of what brownie prints only; the rest has the codes written out, in pipes too.

_colors = sys.modules["brownie.utils._color"]
_codes = {
    name
    for name, value in vars(_colors).items()
    if str(value).startswith("\x1b") and name != "BASE"
}
for _module in [one for name, one in sys.modules.items() if name.split(".")[0] == "brownie"]:
    for _code in _codes & vars(_module).keys():
        setattr(_module, _code, "")
_colors.Color.__str__ = lambda _: ""

# 11. Whoever joins a chain that is running is warned that it has blocks.

warnings.filterwarnings("ignore", message="Development network has a block height")
