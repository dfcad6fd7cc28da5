"""An SLA document on a real chain, and its reporters' relayers, each with a real probe over a database of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from web3 import HTTPProvider, Web3

from oracles import canonical, load
from relayer.bindings import Escrow, Oracle, Token
from relayer.chain import Chain
from relayer.daemon import Daemon
from relayer.document import Document, load_document
from relayer.lookout import Task, Watch
from relayer.operations.alerts import Alerts
from relayer.outbox import Outbox
from relayer.reporting import Reporter
from relayer.seat import Seat
from relayer.settlement import Settler
from relayer.sources import Source, Watched
from relayer.store import Store
from tests import samples
from tests.relayer.world import PromptChain, deploy

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = 60
UP = {"outcome": "up", "reason": "ok", "status": 200, "elapsed_us": 1_500}
DOWN = {"outcome": "down", "reason": "status", "status": 503, "elapsed_us": 900}
THREE_UP = [UP] * 3
ONE_DOWN = [UP, DOWN, UP]
TWELVE = [THREE_UP, ONE_DOWN, THREE_UP, []] + [THREE_UP] * 8
"""What a probe measured in twelve minutes: in the second one sample was down, in the fourth there was none."""


@dataclass
class Agreement:
    """A document that was opened, and what a test needs to go on."""

    chain: Chain
    rpc_url: str
    document: Document
    folder: Path

    @property
    def start(self) -> int:
        return self.document.terms.start

    def level(self, name: str = "availability"):
        return next(level for level in self.document.levels if level.name == name)

    def now(self) -> float:
        return float(self.chain.now())

    def warp(self, to: int) -> None:
        """Mine a block at ``to`` seconds after the start."""
        for method, *params in (("evm_setNextBlockTimestamp", self.start + to), ("evm_mine",)):
            answer = self.chain.w3.provider.make_request(method, list(params))
            assert "error" not in answer, answer

    def reporter(self, index: int = 0, **options) -> Relayer:
        return Relayer(self, index, **options)


class Relayer:
    """One of the reporters. Nothing runs by itself."""

    def __init__(self, agreement: Agreement, index: int = 0, *, cipher=None) -> None:
        self.agreement = agreement
        self.index = index
        self.path = agreement.folder / f"reporter{index}.sqlite"
        self.store = Store(self.path, clock=agreement.now)
        if cipher is not None:
            self.store.cipher = cipher
        panel = agreement.document.levels[0].feed.panel
        self.account = samples.reporter_wallets(len(panel.reporters))[index]

    def measures(self, *minutes) -> None:
        """What the probe measured in each minute: samples as it stores them."""
        level = self.agreement.level()
        query = self._watched(level).query
        put = self.store.samples("http_probe").put
        for number, outcomes in enumerate(minutes):
            for second, outcome in enumerate(outcomes):
                at = query.interval(number).start + 10 * second
                put(query.key, at, canonical(outcome))

    def daemon(self) -> Daemon:
        """A fresh one, as after a restart."""
        world, document = self.agreement, self.agreement.document
        alerts = Alerts(clock=world.now)
        service = load("http_probe")({}, store=self.store.samples("http_probe"), clock=world.now)
        source = Source(service, self.store, alerts=alerts, clock=world.now)
        panel = document.levels[0].feed.panel
        audience = None
        if document.levels[0].private:
            parties = (document.terms.provider, document.terms.consumer)
            audience = frozenset({*panel.reporters, *parties})
        seat = Seat(
            oracle=Oracle(world.chain.w3, document.domains.oracle.contract),
            domain=document.domains.oracle,
            panel=panel,
            index=self.index,
            audience=audience,
            stagger=0,
            max_gas=12_000_000,
        )
        tasks = tuple(Task(seat, source, self._watched(level)) for level in document.levels)
        settler = Settler(
            document.name,
            document.agreement_id,
            document.terms,
            world.chain,
            document.domains.escrow.contract,
        )
        outbox = Outbox(
            self.store,
            world.chain,
            self.account,
            batcher=None,
            confirmations=12,
            max_gas=12_000_000,
            alerts=alerts,
            clock=world.now,
        )
        daemon = Daemon(
            chain=world.chain,
            store=self.store,
            outbox=outbox,
            watches=[Watch(settler, tasks)],
            poll_seconds=1,
            alerts=alerts,
            clock=world.now,
        )
        for each in daemon._lookout.sources:
            each.chain_time = world.now
        return daemon

    def works(self) -> None:
        """Reads, signs, reports and pays all that is due."""
        daemon = self.daemon()
        daemon._lookout.observe(daemon._lookout.see_head())
        [source] = daemon._lookout.sources
        source._schedule(self.agreement.now())
        for interval in sorted(
            source._open
        ):  # `relayer once` would leave out what a probe has to read
            source._ask(interval, self.agreement.now(), set())
        for _ in range(20):
            busy = daemon.round()
            if not busy:
                break
        assert not daemon._lookout.problems
        source.stop(1)

    def hears(self, other: Relayer) -> None:
        """What the other reporter signed, as the exchange would bring it."""
        for bundle in other.store.bundles.after(0, limit=1_000, reader=self.account.address):
            self.store.bundles.save(bundle)

    def _watched(self, level) -> Watched:
        feed = level.feed
        source = level.source_for(feed.panel.reporters[self.index])
        query = load(source.type).query(
            source.spec,
            level.metric,
            first=feed.measurement.start,
            length=feed.measurement.interval,
        )
        name = f"{self.agreement.document.name}/{level.name}"
        return Watched(Reporter(name, feed, index=self.index, salt=level.salt), query)


def open_agreement(
    rpc_url: str, folder: Path, *, reporters: int = 1, indicators=None, **level
) -> Agreement:
    """Deploys everything, writes a document with two service levels, and opens it. It starts in a minute or two.

    :param indicators: Other levels, by their names: what each measures, and its objective.
    :param level: More fields of all levels.
    """
    w3 = Web3(HTTPProvider(rpc_url))
    chain = PromptChain(w3, w3.eth.chain_id)
    rich = w3.eth.accounts[0]
    oracle, escrow, token = (
        deploy(w3, name, rich) for name in ("MonitoringOracle", "SLAEscrow", "TestDollar")
    )
    provider, consumer = samples.wallet(1), samples.wallet(2)
    for wallet in (consumer, *samples.reporter_wallets(reporters)):
        w3.eth.send_transaction({"from": rich, "to": wallet.address, "value": 10**18})
    Token(w3, token).mint(consumer.address, 2 * samples.FEE).transact({"from": rich})
    start = w3.eth.get_block("latest")["timestamp"] // MINUTE * MINUTE + 2 * MINUTE
    path = folder / "agreement.yaml"
    settlement = {
        "chainId": chain.chain_id,
        "escrow": escrow,
        "oracle": oracle,
        "token": token,
        "decimals": 6,
    }
    content = _content(start, settlement, reporters, level, indicators)
    path.write_text(json.dumps(content))
    document = load_document(path)
    bound = Escrow(w3, escrow)
    chain.send(Token(w3, token).approve(escrow, 2 * samples.FEE), consumer)
    signatures = samples.signatures(document.domains.escrow, document.terms)
    chain.send(bound.open(document.terms, *signatures), consumer)
    assert provider.address == document.terms.provider
    return Agreement(chain, rpc_url, document, folder)


def _content(start, settlement, reporters, level, indicators):
    keys = [wallet.address for wallet in samples.reporter_wallets(reporters)]
    # The last of three looks at the service by another way.
    watched = ["https://shop.example/"] * (len(keys) - 1) + ["https://www.shop.example/"]
    common = {
        "interval": "60s",
        "settleDelay": "30s",
        "reportEvery": "10m",
        "reportDeadline": "2h",
        "reporters": {
            "keys": [
                {"key": key, "dataSource": _probe(url)}
                for key, url in zip(keys, watched, strict=True)
            ],
            "quorum": 1 if len(keys) == 1 else 2,
        },
        "tiers": [{"badIntervals": 1, "credit": "10%"}],
    }
    if indicators is None:
        source = _probe(watched[0])
        indicators = {
            "availability": {
                "indicator": {"metric": "availability", "dataSource": source},
                "objective": {"op": "gte", "value": "99%"},
            },
            "latency": {
                "indicator": {"metric": "latency", "dataSource": source},
                "objective": {"op": "lte", "value": "300ms"},
            },
        }
    else:
        common["reporters"] = {**common["reporters"], "keys": keys}
    return {
        "apiVersion": "makegood/v1",
        "kind": "SLA",
        "metadata": {"name": "shop"},
        "spec": {
            "parties": {
                "provider": samples.wallet(1).address,
                "consumer": samples.wallet(2).address,
            },
            "settlement": settlement,
            "money": {"feePerWindow": "100.00"},
            "term": {
                "start": datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "window": "1h",
                "windows": 2,
                "prepaidWindows": 2,
            },
            "levels": [
                {"name": name, **common, **given, **level} for name, given in indicators.items()
            ],
            "salt": f"0x{'5a' * 32}",
        },
    }


def _probe(url):
    return {"type": "http_probe", "spec": {"url": url, "samples": 3, "timeout": "2"}}


def export(makegood, relayer, *words, level="availability"):
    agreement = relayer.agreement
    file = agreement.folder / "evidence.json"
    file.unlink(missing_ok=True)
    ran = makegood(
        *("evidence", "export", agreement.document.path, "--level", level, *words),
        *("--database", relayer.path, "--output", file),
    )
    return file, ran


def verify(makegood, agreement, file, *words):
    document = agreement.document.path
    return makegood("evidence", "verify", file, "--agreement", document, "--json", *words)
