"""A small world for the relayer's tests: a real chain, the contracts, one open agreement, one scripted monitoring service."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3

from oracles import METRICS, Absence, MonitoringService, Options, Spec, Value
from relayer.bindings import Escrow, Oracle, Token, artifact
from relayer.chain import Chain
from relayer.daemon import Daemon
from relayer.demo.processes import answers_rpc, local_chain, stopped_at_the_end
from relayer.exchange.peers import Peers
from relayer.exchange.verify import KnownPanel
from relayer.lookout import Task, Watch
from relayer.operations.alerts import Alerts
from relayer.outbox import Outbox
from relayer.protocol.scope import WEEK_HOURS, Scope
from relayer.protocol.terms import Termination
from relayer.protocol.typed_data import Domain, sign, termination_message
from relayer.reporting import Reporter, longest_report
from relayer.seat import Seat
from relayer.settlement import Settler
from relayer.sources import Source, Watched
from relayer.store import Store
from tests import samples

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.chain import Sent
    from relayer.protocol.feed import Feed
    from relayer.protocol.terms import Terms

HOUR = 3_600
EPOCH_HOURS = 72  # January 1, 1970 was a Thursday
GOOD = Value(Fraction(1_000_000))
BAD = Value(Fraction(0))


class PromptChain(Chain):
    """On an anvil: what it was given is mined when the call returns, as long as blocks come by themselves.

    Anvil answers a moment before it has made the block, and on a busy machine that moment lasts. Between two rounds of a
    relayer seconds pass; between those of a test nothing does.
    """

    def broadcast(self, raw: bytes) -> Sent:
        sent = super().broadcast(raw)
        # Not through the chain's own connection: tests count what is asked there.
        node, wanted = HTTPProvider(self._provider.endpoints[0]._url), Web3.to_hex(keccak(raw))
        last = time.monotonic() + 30
        while node.make_request("anvil_getAutomine", []).get("result") and time.monotonic() < last:
            found = node.make_request("eth_getTransactionByHash", [wanted])["result"]
            if found is None or found["blockHash"] is not None:
                break
            time.sleep(0.005)
        return sent


class ScriptedService(MonitoringService[Spec, Options]):
    """Answers what the test wrote into ``answers``, by interval number; otherwise that all was well."""

    name = "scripted"
    METRICS: ClassVar = {"availability": METRICS["availability"]}
    SETTLE_DELAY = 0
    Spec = Spec
    Options = Options

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.answers = {}
        self.asked = []

    def _read(self, queries, interval):
        return [self._answer(query, interval) for query in queries]

    def _answer(self, query, interval):
        number = (interval.start - query.first) // query.length
        self.asked.append(number)
        answer = self.answers.get(number, GOOD)
        return answer if isinstance(answer, Exception) else self.says(query, interval, answer)

    def says(self, query, interval, answer):
        """A reading whose evidence says the answer itself."""
        scripted = answer.value if isinstance(answer, Absence) else str(answer.amount)
        return self._reading(query, interval, scripted)

    @classmethod
    def conclude(cls, query, interval, raw):
        for absence in Absence:
            if raw == absence.value:
                return absence
        return Value(Fraction(raw))


@dataclass
class World:
    """The pieces, ready to be taken apart by a test."""

    chain: Chain
    oracle: Oracle
    escrow: Escrow
    token: Token
    feeds: tuple[Feed, ...]
    terms: Terms
    agreement_id: bytes
    folder: Path
    batcher: str | None = None
    stores: list[Store] = field(default_factory=list)

    @property
    def feed(self) -> Feed:
        return self.feeds[0]

    @property
    def start(self) -> int:
        return self.feed.measurement.start

    def now(self) -> float:
        return float(self.chain.now())

    def rpc(self, method: str, *params):
        answer = self.chain.w3.provider.make_request(method, list(params))
        assert "error" not in answer, answer
        return answer["result"]

    def warp(self, to: int) -> None:
        """Mine a block at ``to`` seconds after the feed's start."""
        self.rpc("evm_setNextBlockTimestamp", self.start + to)
        self.rpc("evm_mine")

    def store(self, name: str = "relayer.sqlite") -> Store:
        store = Store(self.folder / name)
        self.stores.append(store)
        return store

    def relayer(
        self,
        store: Store,
        service: ScriptedService | None = None,
        *,
        dry=False,
        clock=None,
        others=(),
        index=0,
        stagger=0,
        peers=None,
        patience=0,
    ) -> Daemon:
        """A daemon of one of the panel's reporters. Nothing runs by itself: tests call ``round`` and ``once``.

        :param peers: Where the other reporters serve what they signed, by their addresses.
        """
        clock = clock or self.now
        panel = self.feed.panel
        account = samples.reporter_wallets(len(panel.reporters))[index]
        alerts = Alerts(clock=clock)
        seat = Seat(
            oracle=self.oracle,
            domain=Domain(self.chain.chain_id, self.oracle.address),
            panel=panel,
            index=index,
            audience=None,
            stagger=stagger,
            max_gas=12_000_000,
        )
        service = service or ScriptedService(clock=clock)
        source = Source(service, store, alerts=alerts, clock=clock)
        outbox = Outbox(
            store,
            self.chain,
            account,
            batcher=self.batcher,
            confirmations=12,
            max_gas=12_000_000,
            alerts=alerts,
            clock=clock,
        )
        tasks = tuple(
            Task(seat, source, self.watched("availability", feed, service, index))
            for feed in self.feeds
        )
        others_of_panel = None
        if peers is not None:
            others_of_panel = Peers(
                peers,
                store=store,
                panels={(self.oracle.address, panel.hash): self.known_panel(index)},
                signer=account,
                alerts=alerts,
                chain_now=self.chain.now,
                pull_seconds=1,
            )
        daemon = Daemon(
            chain=self.chain,
            store=store,
            outbox=None if dry else outbox,
            watches=[*others, Watch(self.settler("agreement"), tasks)],
            poll_seconds=1,
            alerts=alerts,
            peers=others_of_panel,
            patience=patience,
            clock=clock,
        )
        # Blocks come when a test mines them: between two of them no time passes.
        for each in daemon._lookout.sources:
            each.chain_time = self.now
        return daemon

    def known_panel(self, index: int) -> KnownPanel:
        panel = self.feed.panel
        return KnownPanel(
            domain=Domain(self.chain.chain_id, self.oracle.address),
            panel=panel,
            panel_hash=panel.hash,
            feeds={feed.id: feed for feed in self.feeds},
            own_index=index,
            max_intervals=longest_report(len(panel.reporters)),
        )

    def watched(self, name: str, feed: Feed, service: ScriptedService, index: int = 0) -> Watched:
        reporter = Reporter(name, feed, index=index, salt=b"salt")
        length = feed.measurement.interval
        query = service.query({}, "availability", first=feed.measurement.start, length=length)
        return Watched(reporter, query)

    def settler(self, name: str, **changes) -> Settler:
        fields = {
            "agreement_id": self.agreement_id,
            "terms": self.terms,
            "chain": self.chain,
            "escrow": self.escrow.address,
        }
        return Settler(name, **(fields | changes))

    def terminate(self, window: int, to_provider: int) -> None:
        """Both parties end the agreement from a window on."""
        ending = Termination(self.agreement_id, window, to_provider, self.start + 365 * 24 * HOUR)
        message = termination_message(Domain(self.chain.chain_id, self.escrow.address), ending)
        call = self.escrow.contract.functions.terminate(
            self.terms.as_abi(),
            ending.as_abi(),
            sign(samples.wallet(1), message),
            sign(samples.wallet(2), message),
        )
        self.chain.send(call, samples.wallet(2))

    def balances(self) -> tuple[int, int, int]:
        """Of the consumer, the provider, and what the escrow holds."""
        return (
            self.token.balance(self.terms.consumer),
            self.token.balance(self.terms.provider),
            self.escrow.held(self.token.address),
        )

    def transactions(self, store: Store) -> list[tuple[str, str]]:
        """Purpose and state of what the relayer sent, oldest first; ``mined`` whether it is final or not."""
        found = reversed(store.transactions.recent(1000))
        return [(", ".join(t.purposes), t.state.replace("final", "mined")) for t in found]


def deploy(w3: Web3, name: str, sender) -> str:
    built = artifact(name)
    contract = w3.eth.contract(abi=built["abi"], bytecode=built["bytecode"])
    receipt = w3.eth.wait_for_transaction_receipt(contract.constructor().transact({"from": sender}))
    return receipt["contractAddress"]


@contextmanager
def running_chain(folder: Path, kind: str = "anvil"):
    """A chain of our own; yields its RPC address."""
    process, rpc_url = local_chain(kind, folder)
    process.start()
    with stopped_at_the_end(process):
        process.wait_until(lambda: answers_rpc(rpc_url))
        yield rpc_url


def make_world(
    rpc_url: str,
    folder: Path,
    *,
    max_fee_per_gas: int | None = None,
    windows: int = 1,
    hours_off: int = 0,
    window_intervals: int = 60,
    reporters: int = 1,
    feeds: int = 1,
    batcher: bool = False,
) -> World:
    """Deploys everything and opens one agreement; it starts in a minute or two.

    :param feeds: It is over so many, of one panel.
    :param batcher: Whether relayers put several calls into one transaction.
    :param hours_off: So many hours are not judged, the one in which the feed starts being the first.
    """
    w3 = Web3(HTTPProvider(rpc_url))
    chain = PromptChain(w3, w3.eth.chain_id, max_fee_per_gas=max_fee_per_gas)
    rich = w3.eth.accounts[0]
    oracle = Oracle(w3, deploy(w3, "MonitoringOracle", rich))
    escrow = Escrow(w3, deploy(w3, "SLAEscrow", rich))
    token = Token(w3, deploy(w3, "TestDollar", rich))
    consumer = samples.wallet(2)
    for wallet in (consumer, *samples.reporter_wallets(reporters)):
        w3.eth.send_transaction({"from": rich, "to": wallet.address, "value": 10**18})
    due = samples.FEE * windows
    token.mint(consumer.address, due).transact({"from": rich})

    start = w3.eth.get_block("latest")["timestamp"] // 60 * 60 + 120
    off = sum(1 << (start // HOUR + EPOCH_HOURS + i) % WEEK_HOURS for i in range(hours_off))
    scope = Scope(hours_off=off)
    panel = samples.panel(reporters)
    watched = tuple(
        samples.feed(start, panel, bytes([0xDE + i]) * 32, scope, window_intervals=window_intervals)
        for i in range(feeds)
    )
    terms = samples.terms(
        *watched,
        token=token.address,
        oracle=oracle.address,
        windows=windows,
        prepaid_windows=windows,
    )
    domain = Domain(chain.chain_id, escrow.address)
    chain.send(token.approve(escrow.address, due), consumer)
    chain.send(escrow.open(terms, *samples.signatures(domain, terms)), consumer)
    agreement_id = escrow.agreement_id(terms)
    through = deploy(w3, "Batcher", rich) if batcher else None
    return World(chain, oracle, escrow, token, watched, terms, agreement_id, folder, through)
