"""brownie as a library: the compiled project, and connections to a chain that somebody else started.

    project = connect("http://127.0.0.1:8545")
    oracle = project.MonitoringOracle.deploy({"from": brownie.accounts[0]})

Import brownie only after `load` or `connect`, or it takes the user's home for its own. Neither these functions nor later
transactions write to standard output.
"""

import sys
from contextlib import redirect_stdout
from typing import Any

from scripts.toolchain import brownie_home


def load() -> Any:
    """Compiles what has changed and returns the brownie project; needs no chain."""
    brownie_home.prepare()
    with redirect_stdout(sys.stderr):
        with brownie_home.as_home():
            import brownie  # noqa: PLC0415 - reads HOME on import

            from scripts.toolchain import brownie_fixes  # noqa: F401, PLC0415
        project = brownie.project.load(brownie_home.ROOT, raise_if_loaded=False)
        project.load_config()
    return project


def connect(rpc_url: str, *, timeout: int = 60) -> Any:
    """Loads the project and connects brownie to the anvil or ganache at `rpc_url`.

    The chain keeps running when this process ends. Its own unlocked accounts are `brownie.accounts`.
    """
    project = load()

    import brownie  # noqa: PLC0415
    from brownie._config import CONFIG  # noqa: PLC0415
    from brownie.network.rpc import anvil, ganache  # noqa: PLC0415

    from scripts.toolchain.brownie_fixes import GAS_PRICE  # noqa: PLC0415

    with redirect_stdout(sys.stderr):
        disconnect()
        CONFIG.argv["silent"] = True
        CONFIG.networks["attached"] = {
            "name": "a chain that is already running",
            "id": "attached",
            "cmd": "none",  # having one makes it a development network: unlocked accounts, time travel, snapshots
            "host": rpc_url,
            "timeout": timeout,
            "cmd_settings": {},
        }
        # brownie's own way of joining a chain looks for its process, and kills it in the end if it is a child of ours
        brownie.network.connect("attached", launch_rpc=False)
        if not brownie.network.is_connected():
            raise ConnectionError(f"no chain answers at {rpc_url}")
        brownie.network.gas_price(GAS_PRICE)
        client = str(brownie.web3.client_version).lower()
        brownie.network.rpc.backend = ganache if "ganache" in client else anvil
        brownie.chain._network_connected()
    return project


def disconnect() -> None:
    """Lets go of the chain, if there is one, so that `connect` can take another."""
    import brownie  # noqa: PLC0415

    if brownie.network.is_connected():
        brownie.network.disconnect(kill_rpc=False)
