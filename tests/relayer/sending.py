"""A key with its outbox and contracts to call, for the tests of what is sent; and a process of it that dies where it is told.

``python -m tests.relayer.sending RPC_URL DATABASE TOKEN BATCHER NUMBER ADDRESS...`` brings one test dollar to each address, and
is killed right after its step of that number: each write to the database and each broadcast is one.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from web3 import HTTPProvider, Web3

from relayer.bindings import Token, artifact
from relayer.chain import Chain
from relayer.demo.processes import answers_rpc, local_chain, stopped_at_the_end
from relayer.errors import ChainUnavailable
from relayer.operations.alerts import Alerts
from relayer.outbox import Item, Outbox, Outgoing
from relayer.store import Store
from relayer.store.transactions import Transactions
from tests import samples

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

KEY = samples.wallet(40)
MAX_GAS = 12_000_000
RICH = 10**18
CONFIRMATIONS = 2
STEPS = (
    (Transactions, "begin"),
    (Transactions, "add_attempt"),
    (Transactions, "mark_sent"),
    (Transactions, "mark_mined"),
    (Transactions, "mark_final"),
    (Transactions, "take_back"),
    (Transactions, "supersede"),
    (Chain, "broadcast"),
)
_fresh = itertools.count(int.from_bytes(os.urandom(8), "big"))


@contextmanager
def running_anvil(folder: Path):
    """A chain of our own, so that what happens to it is nothing for other tests; yields its RPC address."""
    process, rpc_url = local_chain("anvil", folder)
    process.start()
    with stopped_at_the_end(process):
        process.wait_until(lambda: answers_rpc(rpc_url))
        yield rpc_url


def somebody() -> str:
    """An address that nobody has used."""
    return Web3.to_checksum_address(f"0x{next(_fresh):040x}")


def rpc(w3: Web3, method: str, *params):
    answer = w3.provider.make_request(method, list(params))
    assert "error" not in answer, answer
    return answer["result"]


def deploy(w3: Web3, name: str) -> str:
    built = artifact(name)
    contract = w3.eth.contract(abi=built["abi"], bytecode=built["bytecode"])
    sent = contract.constructor().transact({"from": w3.eth.accounts[0]})
    return w3.eth.wait_for_transaction_receipt(sent)["contractAddress"]


@dataclass
class Sending:
    """What a test of the outbox needs. Its clock stands still unless a test moves it."""

    chain: Chain
    token: Token
    batcher: str
    folder: Path
    key: LocalAccount = KEY
    time: float = 1_000_000.0
    stores: list[Store] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alerts = Alerts(clock=lambda: self.time)
        self.store = Store(self.folder / "relayer.sqlite")
        self.stores.append(self.store)
        self.outbox = self.restarted()

    def restarted(self, **options) -> Outbox:
        """The outbox as a new process has it: only the database is the same."""
        settings = {
            "batcher": self.batcher,
            "confirmations": CONFIRMATIONS,
            "max_gas": MAX_GAS,
            "alerts": self.alerts,
            "clock": lambda: self.time,
        }
        self.outbox = Outbox(self.store, self.chain, self.key, **(settings | options))
        return self.outbox

    def rpc(self, method: str, *params):
        return rpc(self.chain.w3, method, *params)

    def mine(self, blocks: int = 1) -> None:
        self.rpc("anvil_mine", hex(blocks))

    def gift(self, to: str, amount: int = 1) -> Outgoing:
        """A call that takes effect as often as it is made."""
        return outgoing(self.token.mint(to, amount), to)

    def rows(self):
        """What is stored, oldest first."""
        return self.store.transactions.recent(1_000)[::-1]

    def states(self) -> list[str]:
        return [row.state for row in self.rows()]

    def firing(self) -> set[str]:
        return {alert.name for alert in self.alerts.firing()}

    def rounds(self, *due: str, count: int = 30, seconds: float = 0, mine: bool = False) -> None:
        """As the daemon works: whoever of ``due`` has nothing is owed a dollar, and the chain says who that is."""
        for _ in range(count):
            self.time += seconds
            if mine:
                self.mine()
            work(self.outbox, self.token, due)


def outgoing(call, to: str, purpose: str = "settle") -> Outgoing:
    subject = bytes.fromhex(to[2:]).rjust(32, b"\0")
    return Outgoing(call, (Item(purpose, subject, 0, 1, f"a dollar for {to[-6:]}"),))


def work(outbox: Outbox, token: Token, due) -> bool:
    """One round of a little daemon. Returns whether something is in flight or was to be done."""
    try:
        if outbox.advance():
            return True
        calls = [outgoing(token.mint(to, 1), to) for to in due if token.balance(to) == 0]
        if calls:
            outbox.send(calls)
        return bool(calls)
    except ChainUnavailable:
        return True


def pending(world: Sending, to: str) -> None:
    """A dollar for ``to`` that is in the pool and in no block; nothing is mined by itself any more."""
    world.rpc("evm_setAutomine", False)
    assert world.outbox.send([world.gift(to)]) == []
    assert world.states()[-1] == "sent"


def value(metric, **labels):
    """What a metric says now."""
    return (metric.labels(**labels) if labels else metric)._value.get()


def main(rpc_url: str, database: str, token: str, batcher: str, number: str, *due: str) -> None:
    left = itertools.count(int(number), -1)

    def deadly(function):
        def step(*arguments, **options):
            result = function(*arguments, **options)
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return step

    for owner, name in STEPS:
        setattr(owner, name, deadly(getattr(owner, name)))
    w3 = Web3(HTTPProvider(rpc_url))
    chain = Chain.connect(rpc_url)
    store = Store(Path(database))
    hours = itertools.count()
    outbox = Outbox(
        store,
        chain,
        KEY,
        batcher=batcher,
        confirmations=CONFIRMATIONS,
        max_gas=MAX_GAS,
        alerts=Alerts(),
        clock=lambda: next(hours) * 3_600.0,  # whatever is pending is overdue
    )
    for turn in itertools.count(1):
        busy = work(outbox, Token(w3, token), due)
        if not busy and not store.transactions.unfinal(KEY.address):
            break
        if turn > 3:
            rpc(w3, "anvil_mine", "0x1")
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
