"""How fast readings are signed and verified, against the same with libraries in pure Python.

The other side is what a program does that uses eth_account as its manual says, where neither coincurve nor safe-pysha3 is
installed: the typed message encoded by its schema, eth_keys' own arithmetic, keccak of pycryptodome. It runs in a process
of its own, in turns with ours, and computes the same bytes: their digest is compared.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.goals import at_least

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
CONTRACT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CHAIN_ID = 31_337
EVIDENCE = bytes(32)
SECONDS = 0.5
"""How long each operation is repeated in one turn [s of CPU time]."""
TURNS = 3
OPERATIONS = ("sign", "verify", "leaf")


def measure() -> dict[str, Any]:
    """Operations per second of both sides, the best of some turns, and how many times faster ours is."""
    ours: dict[str, float] = {}
    pure: dict[str, float] = {}
    backends: dict[str, Any] = {}
    for _ in range(TURNS):
        for side, best in (("ours", ours), ("pure", pure)):
            found = _in_a_process(side)
            best.update({name: max(best.get(name, 0), found[name]) for name in OPERATIONS})
            backends[side] = found["backends"]
            if backends.setdefault("bytes", found["bytes"]) != found["bytes"]:
                raise AssertionError("the two sides do not compute the same bytes")
    del backends["bytes"]
    ratio = {name: round(ours[name] / pure[name], 1) for name in OPERATIONS}
    return {
        "unit": "operations per second",
        "ours": {name: round(value) for name, value in ours.items()},
        "purePython": {name: round(value) for name, value in pure.items()},
        "ratio": ratio,
        "goals": {name: at_least(ratio[name], 10) for name in ("sign", "verify")},
        "backends": backends,
    }


def _in_a_process(side: str) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ETH_")}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.signing", side],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _ours() -> tuple[
    Callable[[int], bytes], Callable[[int, bytes], str | None], Callable[[int], bytes]
]:
    from eth_account import Account

    from relayer.protocol import merkle
    from relayer.protocol.typed_data import Domain, recover, root_message, sign

    account, domain = Account.from_key(KEY), Domain(CHAIN_ID, CONTRACT)

    def signed(number: int) -> bytes:
        return sign(account, root_message(domain, _word(number), EVIDENCE))

    def signer(number: int, signature: bytes) -> str | None:
        return recover(root_message(domain, _word(number), EVIDENCE), signature)

    def leaf(number: int) -> bytes:
        return merkle.leaf(_word(number), number, b"\0\0\0\1")

    return signed, signer, leaf


def _pure() -> tuple[
    Callable[[int], bytes], Callable[[int, bytes], str | None], Callable[[int], bytes]
]:
    for missing in ("coincurve", "sha3"):
        sys.modules[missing] = None  # type: ignore[assignment] # importing it now fails, as if it were not installed

    from eth_abi.abi import encode
    from eth_account import Account
    from eth_account.messages import SignableMessage, encode_typed_data
    from eth_utils.crypto import keccak

    account = Account.from_key(KEY)
    fields = [{"name": "root", "type": "bytes32"}, {"name": "evidence", "type": "bytes32"}]
    domain = {
        "name": "Makegood MonitoringOracle",
        "version": "1",
        "chainId": CHAIN_ID,
        "verifyingContract": CONTRACT,
    }

    def message(number: int) -> SignableMessage:
        data = {"root": _word(number), "evidence": EVIDENCE}
        return encode_typed_data(domain, {"Batch": fields}, data)

    def signed(number: int) -> bytes:
        return bytes(account.sign_message(message(number)).signature)

    def signer(number: int, signature: bytes) -> str | None:
        found: str = Account.recover_message(message(number), signature=signature)
        return found

    def leaf(number: int) -> bytes:
        words = [_word(number), number, keccak(b"\0\0\0\1")]
        return keccak(keccak(encode(["bytes32", "uint32", "bytes32"], words)))

    return signed, signer, leaf


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _side(name: str) -> dict[str, Any]:
    """What the process of one side finds."""
    signed, signer, leaf = _ours() if name == "ours" else _pure()
    signatures = [signed(number) for number in range(4)]
    who = {signer(number, signature) for number, signature in enumerate(signatures)}
    words = [*signatures, *map(leaf, range(4)), *map(str.encode, map(str, who))]

    from eth_hash.auto import keccak
    from eth_keys import KeyAPI

    return {
        "sign": _rate(signed),
        "verify": _rate(lambda number: signer(number % 4, signatures[number % 4])),
        "leaf": _rate(leaf),
        "bytes": hashlib.sha256(b"".join(words)).hexdigest(),
        "backends": {
            "curve": type(KeyAPI().backend).__name__,
            "keccak": keccak.hasher.__self__.__class__.__module__.rpartition(".")[2],  # type: ignore[attr-defined]
        },
    }


def _rate(operation: Callable[[int], object]) -> float:
    done, began = 0, time.process_time()
    while (passed := time.process_time() - began) < SECONDS:
        operation(done)
        done += 1
    return done / passed


if __name__ == "__main__":
    found = _side(sys.argv[1]) if sys.argv[1:] else measure()
    print(json.dumps(found, indent=None if sys.argv[1:] else 2))  # noqa: T201 - the result
