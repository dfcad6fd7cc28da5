"""A document whose contracts exist, the chain where they are, and commands about it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_abi import encode
from eth_utils import encode_hex, keccak

from relayer.bindings import Escrow, Oracle, Token
from relayer.chain import Chain
from relayer.document import load_document
from relayer.protocol.terms import Termination
from relayer.protocol.typed_data import Domain, sign, termination_message
from tests import samples
from tests.samples import wallet

MINUTE = 60
HOUR = 3_600
DAY = 86_400
ROOT = Path(__file__).parents[3]


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        return json.loads(self.err.splitlines()[-1])["error"]


@dataclass
class Place:
    """A folder with a document whose contracts exist, and a chain."""

    folder: Path
    chain: Chain
    escrow: Escrow
    oracle: Oracle
    token: Token
    path: Path
    begin: int
    makegood: Callable[..., Ran]
    environ: pytest.MonkeyPatch

    def key(self, account) -> Path:
        path = self.folder / f"{account.address}.key"
        path.touch(mode=0o600)
        path.write_text(account.key.hex())
        return path

    def run(self, *words, key=None) -> Ran:
        """Runs a command in this process: starting one takes longer than most commands do."""
        if key is None:
            self.environ.delenv("MAKEGOOD_KEY_FILE", raising=False)
        else:
            self.environ.setenv("MAKEGOOD_KEY_FILE", str(self.key(key)))
        ran = self.makegood(*words)
        assert "Traceback" not in ran.err, ran.err
        return ran

    def start(self, *words, key=None) -> Ran:
        """The same as a process of its own."""
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        if key is not None:
            env["MAKEGOOD_KEY_FILE"] = str(self.key(key))
        ran = subprocess.run(
            [sys.executable, "-m", "relayer.cli", *(str(word) for word in words)],
            env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def signed(self) -> "Place":
        assert self.run("sla", "sign", self.path, "--as", "provider", key=wallet(1)).code == 0
        assert self.run("sla", "sign", self.path, "--as", "consumer", key=wallet(2)).code == 0
        return self

    def paid(self) -> "Place":
        self.mint(wallet(2), 1_000)
        ran = self.run("sla", "open", self.path, key=wallet(2))
        assert ran.code == 0, ran.err
        return self

    def mint(self, account, dollars: int) -> None:
        self.chain.send(self.token.mint(account.address, dollars * samples.DOLLAR), wallet(0))

    def give_coins(self, account, coins: int) -> None:
        """Afterwards it has so many coins for gas, whatever it had."""
        params = [account.address, hex(coins * 10**18)]
        answer = self.chain.w3.provider.make_request("anvil_setBalance", params)
        assert "error" not in answer, answer

    def warp(self, to: int) -> None:
        for method, params in (("evm_setNextBlockTimestamp", [self.begin + to]), ("evm_mine", [])):
            answer = self.chain.w3.provider.make_request(method, params)
            assert "error" not in answer, answer

    def terminate(self, *, window: int, to_provider: int) -> None:
        """Both parties end the agreement from a window on."""
        document = load_document(self.path)
        ending = Termination(document.agreement_id, window, to_provider, self.begin + DAY)
        message = termination_message(document.domains.escrow, ending)
        call = self.escrow.contract.functions.terminate(
            document.terms.as_abi(),
            ending.as_abi(),
            sign(wallet(1), message),
            sign(wallet(2), message),
        )
        self.chain.send(call, wallet(9))

    def withhold(self, payee: str, amount: int) -> None:
        """As if so much of what the escrow holds could not be delivered to its payee."""
        for slot in range(20):
            inner = keccak(encode(["address", "uint256"], [self.token.address, slot]))
            key = encode_hex(keccak(encode(["address", "bytes32"], [payee, inner])))
            words = [self.escrow.address, key, f"0x{amount:064x}"]
            before = self.chain.w3.eth.get_storage_at(self.escrow.address, int(key, 16))
            self.chain.w3.provider.make_request("anvil_setStorageAt", words)
            if self.escrow.withdrawable(self.token.address, payee) == amount:
                return
            words[2] = encode_hex(before)
            self.chain.w3.provider.make_request("anvil_setStorageAt", words)
        raise AssertionError("withdrawable is stored elsewhere")

    def report(self, codes: list[int], first: int = 0) -> None:
        document = load_document(self.path)
        domain = Domain(self.chain.chain_id, self.oracle.address)
        feed = document.levels[0].feed
        signed = [samples.signed_batch(domain, feed, i, first, codes) for i in (0, 1)]
        self.chain.send(self.oracle.report(feed, signed), wallet(0))
