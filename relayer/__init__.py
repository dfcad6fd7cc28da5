"""Makegood's relayer: the daemon that reads, signs and submits, and the command line `makegood`."""

import os
from importlib.util import find_spec

__version__ = "0.1.0"

# Everything here is hashed with keccak. eth_hash would take pycryptodome even beside safe-pysha3 (the extra `fast`), which
# is several times as fast; what the operator has set stands. eth_hash looks when it hashes for the first time.
if find_spec("sha3"):
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
