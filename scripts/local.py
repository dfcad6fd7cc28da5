"""Deploys oracle, escrow and test dollar to a local chain that somebody else started: `python -m scripts.local RPC_URL`.

The addresses go where `scripts.deployments` keeps them. The demonstration uses this; for other networks see README.md.
"""

import sys

from scripts import network


def main(rpc_url: str) -> None:
    network.connect(rpc_url)
    from scripts import deploy  # noqa: PLC0415 - brownie must be connected first

    deploy.main()


if __name__ == "__main__":
    main(sys.argv[1])
