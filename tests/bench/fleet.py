"""Many feeds under real agreements on an anvil of the benchmark's own, one relayer for all of them, and a clock that obeys.

Time is simulated: a minute of sixty looks of the source and four rounds of the loop takes as long as they need. What is
measured is the processor's time of this process, in which nothing else runs: the chain is another one. The service answers from
memory, and the time that it takes is known apart.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from web3 import HTTPProvider, Web3

from relayer.bindings import Escrow, Oracle, Token, artifact
from relayer.chain import Chain
from relayer.daemon import Daemon
from relayer.encoded import Function
from relayer.lookout import Task, Watch
from relayer.operations.alerts import Alerts
from relayer.outbox import Outbox
from relayer.protocol.typed_data import Domain
from relayer.reporting import Reporter
from relayer.seat import Seat
from relayer.settlement import Settler
from relayer.sources import Source, Watched
from relayer.store import Store
from tests import samples
from tests.relayer.world import GOOD, ScriptedService, deploy, running_chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.protocol.feed import Feed

LEVELS = 8  # feeds of an agreement
POLL_SECONDS = 15
KEY = samples.reporter_wallets(1)[0]
_OPEN = Function(next(e for e in artifact("SLAEscrow")["abi"] if e.get("name") == "open"))


def say(message: str) -> None:
    sys.stderr.write(f"bench: {message}\n")


class Service(ScriptedService):
    """Answers at once, and measures itself: what asking takes is no matter of the loop."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.seconds = 0.0  # of the processor

    def _read(self, queries, interval):
        begun = time.thread_time()
        try:
            return super()._read(queries, interval)
        finally:
            self.seconds += time.thread_time() - begun

    def _answer(self, query, interval):
        return self.says(query, interval, self.answers.get(None, GOOD))


@dataclass
class Fleet:
    chain: Chain
    oracle: Oracle
    feeds: list[Feed]
    store: Store
    source: Source
    service: Service
    daemon: Daemon
    start: int
    now: float = 0.0

    def rpc(self, method: str, *params) -> None:
        answer = self.chain.w3.provider.make_request(method, list(params))
        assert "error" not in answer, answer

    def advance(self, seconds: int) -> None:
        """Let time pass: the source looks every second, the loop every fifteen."""
        for _ in range(0, seconds, POLL_SECONDS):
            for _ in range(POLL_SECONDS):
                self.now += 1
                self.source.step()
            # On a slow machine blocks that came meanwhile may have a later time.
            newest = self.chain.w3.eth.get_block("latest")["timestamp"]
            self.now = max(self.now, newest + 1.0)
            self.rpc("evm_setNextBlockTimestamp", int(self.now))
            self.rpc("evm_mine")
            self.drain()

    def drain(self) -> None:
        self.daemon._looked_at = float("-inf")
        while self.daemon.round():
            pass


@contextmanager
def fleet(count: int, *, cadence: int, window_intervals: int = 1_440) -> Iterator[Fleet]:
    """:param cadence: How often a healthy feed is reported [s]."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        url = stack.enter_context(running_chain(folder))
        w3 = Web3(HTTPProvider(url))
        chain = Chain.connect(url)
        rich = w3.eth.accounts[0]
        oracle = Oracle(chain.w3, deploy(w3, "MonitoringOracle", rich))
        escrow = Escrow(chain.w3, deploy(w3, "SLAEscrow", rich))
        token = Token(chain.w3, deploy(w3, "TestDollar", rich))
        start = w3.eth.get_block("latest")["timestamp"] // 60 * 60 + 3_600
        service = Service(clock=lambda: made.now)
        made = Fleet(
            chain, oracle, [], Store(folder / "relayer.sqlite"), None, service, None, start
        )
        stack.callback(made.store.close)
        alerts = Alerts()
        made.source = Source(service, made.store, alerts=alerts, clock=lambda: made.now)
        seat = Seat(
            oracle=oracle,
            domain=Domain(chain.chain_id, oracle.address),
            panel=samples.panel(1),
            index=0,
            audience=None,
            stagger=0,
            max_gas=12_000_000,
        )
        say(f"opening {-(-count // LEVELS)} agreements over {count} feeds")
        w3.provider.make_request("anvil_setBalance", [KEY.address, hex(10**21)])
        watches = []
        consumer = samples.wallet(2)
        token.mint(consumer.address, samples.FEE * count).transact({"from": rich})
        chain.send(token.approve(escrow.address, samples.FEE * count), consumer)
        for begin in range(0, count, LEVELS):
            feeds = [
                samples.feed(
                    start,
                    samples.panel(1),
                    descriptor=number.to_bytes(32, "big"),
                    window_intervals=window_intervals,
                    cadence=cadence,
                    settle_delay=0,
                    deadline=max(7_200, 3 * cadence),
                )
                for number in range(begin, min(begin + LEVELS, count))
            ]
            watches.append(_watch(made, seat, service, feeds, escrow, token, w3))
        made.now = float(start)
        made.rpc("evm_setNextBlockTimestamp", start)
        made.rpc("evm_mine")
        outbox = Outbox(
            made.store,
            chain,
            KEY,
            batcher=None,
            confirmations=1,
            max_gas=12_000_000,
            alerts=alerts,
            clock=lambda: made.now,
        )
        made.daemon = Daemon(
            chain=chain,
            store=made.store,
            outbox=outbox,
            watches=watches,
            poll_seconds=POLL_SECONDS,
            alerts=alerts,
            clock=lambda: made.now,
        )
        made.source.chain_time = lambda: made.now
        say("starting")
        made.drain()
        yield made


def _watch(made, seat, service, feeds, escrow, token, w3) -> Watch:
    terms = samples.terms(
        *feeds, token=token.address, oracle=made.oracle.address, windows=1, prepaid_windows=1
    )
    domain = Domain(made.chain.chain_id, escrow.address)
    data = _OPEN.data(terms.as_abi(), *samples.signatures(domain, terms))
    sent = w3.eth.send_transaction(
        {"from": samples.wallet(2).address, "to": escrow.address, "data": data, "gas": 5_000_000}
    )
    assert w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)["status"] == 1
    tasks = []
    for feed in feeds:
        made.feeds.append(feed)
        query = service.query({}, "availability", first=made.start, length=60)
        reporter = Reporter(f"feed {len(made.feeds)}", feed, index=0, salt=b"salt")
        tasks.append(Task(seat, made.source, Watched(reporter, query)))
    settler = Settler(
        f"agreement {len(made.feeds)}",
        escrow.agreement_id(terms),
        terms,
        made.chain,
        escrow.address,
    )
    return Watch(settler, tuple(tasks))
