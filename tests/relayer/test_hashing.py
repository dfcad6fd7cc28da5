"""Which keccak the relayer uses, in processes of their own: what hashes first decides for good."""

import os
import subprocess
import sys

import pytest

FAST, COMMON = "eth_hash.backends.pysha3", "eth_hash.backends.pycryptodome"
ASK = """
{before}
import relayer.protocol.merkle as merkle
from eth_hash.auto import keccak
print(merkle.leaf(bytes(32), 1, b"1234").hex(), type(keccak.hasher.__self__).__module__)
"""
LEAF = "0c8d11ec90f7ca758695f5c7973c828fa08d322f7166de243a7399476e99ad29"


def asked(before="", **environ):
    environ = {**{k: v for k, v in os.environ.items() if k != "ETH_HASH_BACKEND"}, **environ}
    ran = subprocess.run(
        [sys.executable, "-c", ASK.format(before=before)],
        env=environ, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return ran.stdout.split()


def test_the_fast_one_is_used_if_it_is_installed():
    pytest.importorskip("sha3")
    assert asked() == [LEAF, FAST]


def test_without_it_all_is_the_same():
    assert asked("import sys; sys.modules['sha3'] = None") == [LEAF, COMMON]


def test_what_the_operator_has_set_stands():
    assert asked(ETH_HASH_BACKEND="pycryptodome") == [LEAF, COMMON]
