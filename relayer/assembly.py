"""From documents to a daemon: which feeds this key reports, from which monitoring services, with whom, and whom it pays."""

from __future__ import annotations

import socket
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from zlib import crc32

import structlog

from oracles import MonitoringError, connect
from oracles.composite import keeps_history
from oracles.registry import load_once
from relayer.bindings import Oracle
from relayer.clock import SteadyClock
from relayer.daemon import Daemon
from relayer.errors import ChainUnavailable, ConfigurationError
from relayer.exchange.peers import Peers
from relayer.exchange.server import ExchangeServer
from relayer.exchange.verify import KnownPanel
from relayer.lookout import Task, Watch
from relayer.operations import metrics
from relayer.operations.health import Health
from relayer.operations.server import Server as OperationsServer
from relayer.outbox import Outbox
from relayer.protocol.report import reporter_index
from relayer.reporting import Reporter, longest_report
from relayer.runway import expected_gas
from relayer.seat import Seat
from relayer.settlement import Settler
from relayer.sources import Source, Watched
from relayer.store.encryption import protect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eth_account.signers.base import BaseAccount

    from oracles import AnyService, Query
    from relayer.chain import Chain
    from relayer.config import Configuration
    from relayer.daemon import Service
    from relayer.document import AgreedLevel, Document
    from relayer.operations.alerts import Alerts
    from relayer.store import Store

log = structlog.get_logger(__name__)

MOST_LANES = 32
"""Threads that read one kind of monitoring service; of more places some share a thread."""

_SeatKey = tuple[str, bytes, frozenset[str] | None]


def assemble(
    *,
    chain: Chain,
    store: Store,
    account: BaseAccount | None,
    documents: Sequence[Document],
    config: Configuration,
    alerts: Alerts,
    services: Sequence[Service] = (),
    may_send: Callable[[], bool] = lambda: True,
    clock: SteadyClock | None = None,
) -> Daemon:
    """A daemon for these agreements.

    :param account: The reporter's key, which also pays for gas; None for a dry run, which reads as the first reporter.
    :param services: What else is to run beside the loop.
    :param may_send: Whether this process may use the key now.
    :param clock: Instead of this machine's, for those who let time pass as they like.
    :raises ConfigurationError: A document is for another chain, or asks for more than this relayer can do.
    """
    store.bind(chain.chain_id)
    protect(store, config)
    clock = clock or SteadyClock()
    parts = _Parts(
        chain=chain, store=store, account=account, config=config, alerts=alerts, clock=clock
    )
    watches = [parts.watch(document) for document in documents]
    outbox = None
    if account is not None:
        outbox = Outbox(
            store,
            chain,
            account,
            batcher=config.batcher,
            confirmations=config.confirmations,
            max_gas=config.max_gas_per_transaction,
            alerts=alerts,
            expected_gas=expected_gas(documents),
            low_days=config.operations.runway_warning_days,
            critical_days=config.operations.runway_critical_days,
        )
    health = Health(config.poll_seconds, parts=("chain", "store"), secrets=config.secrets())
    beside = list(services)
    if config.operations.listen is not None:
        host, port = config.operations.listen
        beside.append(OperationsServer(host, port, health=health, alerts=alerts))
    if config.exchange.listen is not None and account is not None:
        host, port = config.exchange.listen
        beside.append(
            ExchangeServer(
                store, address=account.address, chain_id=chain.chain_id, host=host, port=port
            )
        )
    peers = parts.peers()
    if peers is not None:
        beside.append(peers)
    metrics.INFO.labels(
        version=metrics.VERSION,
        chain_id=str(chain.chain_id),
        account=account.address if account else "",
    ).set(1)
    daemon = Daemon(
        chain=chain,
        store=store,
        outbox=outbox,
        watches=watches,
        poll_seconds=config.poll_seconds,
        alerts=alerts,
        health=health,
        peers=peers,
        services=beside,
        may_send=may_send,
        keep_days=config.retention_days,
        clock=clock,
    )
    parts.chain_time = daemon.chain_time
    return daemon


def speaker(chain_id: int, account: BaseAccount | None) -> dict[str, object]:
    """Who speaks, in alerts that are posted."""
    return {
        "account": account.address if account else None,
        "chainId": chain_id,
        "host": socket.gethostname(),
    }


class _Parts:
    """Makes each thing once: a feed that two agreements share is read and reported once."""

    def __init__(
        self,
        *,
        chain: Chain,
        store: Store,
        account: BaseAccount | None,
        config: Configuration,
        alerts: Alerts,
        clock: SteadyClock,
    ) -> None:
        self._chain = chain
        self._store = store
        self._account = account
        self._config = config
        self._alerts = alerts
        self._clock = clock
        self._sources: dict[tuple[str, str | None], Source] = {}
        self._seats: dict[_SeatKey, Seat] = {}
        self._tasks: dict[tuple[str, bytes], Task] = {}
        self.chain_time: Callable[[], float] = lambda: 0.0

    def watch(self, document: Document) -> Watch:
        if document.chain_id != self._chain.chain_id:
            raise ConfigurationError(
                f"{document.path} is for chain {document.chain_id}, but {self._chain.host} serves chain "
                f"{self._chain.chain_id}",
                hint="use one relayer for each chain",
            )
        tasks = tuple(
            task for level in document.levels if (task := self._task(document, level)) is not None
        )
        if not tasks:
            log.warning(
                "this key is no reporter here: nothing is measured, only payments are made",
                action="payments_only",
                agreement=document.name,
            )
        reporters = len(document.levels[0].feed.panel.reporters)
        last = reporters * self._config.stagger_seconds
        settler = Settler(
            document.name,
            document.agreement_id,
            document.terms,
            self._chain,
            document.domains.escrow.contract,
            # Whoever is no reporter pays if none of them does.
            turn=tasks[0].seat.turn if tasks else lambda _: last,
        )
        return Watch(settler, tasks)

    def _task(self, document: Document, level: AgreedLevel) -> Task | None:
        panel = level.feed.panel
        index = reporter_index(panel, self._account.address) if self._account else 0
        if index is None:
            return None
        key = (document.domains.oracle.contract, level.feed.id)
        if any(feed == key[1] and oracle != key[0] for oracle, feed in self._tasks):
            raise ConfigurationError(
                f"{document.path}: {level.name} is the same feed at another oracle as one of the other documents",
                hint="use one relayer and one database for each oracle",
            )
        if key not in self._tasks:
            watched = self._watched(document, level, index)
            self._tasks[key] = Task(
                self._seat(document, level, index), self._source(watched.query), watched
            )
        return self._tasks[key]

    def _seat(self, document: Document, level: AgreedLevel, index: int) -> Seat:
        panel, domain = level.feed.panel, document.domains.oracle
        audience = None
        if level.private:
            parties = (document.terms.provider, document.terms.consumer)
            audience = frozenset({*panel.reporters, *parties})
        key = (domain.contract, panel.hash, audience)
        if key not in self._seats:
            self._seats[key] = Seat(
                oracle=Oracle(self._chain.w3, domain.contract),
                domain=domain,
                panel=panel,
                index=index,
                audience=audience,
                stagger=self._config.stagger_seconds,
                max_gas=self._config.max_gas_per_transaction,
            )
        return self._seats[key]

    def _source(self, query: Query[Any]) -> Source:
        """One for each place that may hang: a Prometheus that does must not hold up another one.

        One for all that workers read, who ask side by side in any case.
        """
        name = query.source
        lane = None if self._is_read_by_workers(query) else self._lane(query)
        if (name, lane) not in self._sources:
            try:
                service = connect(
                    name,
                    self._config.sources,
                    store=self._store.samples,
                    clock=self._clock,
                )
            except MonitoringError as error:
                raise ConfigurationError(
                    f"sources.{name}: {error}", hint=f"see docs/oracles/{name}.md"
                ) from error
            self._sources[name, lane] = self._read_by(service, lane)
        return self._sources[name, lane]

    def _lane(self, query: Query[Any]) -> str:
        lane = load_once(query.source).lane(query)
        lanes = sorted(
            lane for name, lane in self._sources if name == query.source and lane is not None
        )
        if lane not in lanes and len(lanes) >= MOST_LANES:
            return lanes[crc32(lane.encode()) % len(lanes)]
        return lane

    def _is_read_by_workers(self, query: Query[Any]) -> bool:
        """What takes samples, or is made of what does, must do so on time, here."""
        return self._config.workers and keeps_history(query)

    def _read_by(self, service: AnyService, lane: str | None) -> Source:
        if lane is not None:
            return Source(service, self._store, alerts=self._alerts, clock=self._clock, lane=lane)
        # Needs the packages of the extra `postgres`.
        from relayer.scaleout.remote import RemoteSource  # noqa: PLC0415

        return RemoteSource(service, self._store, alerts=self._alerts, clock=self._clock)

    @staticmethod
    def _watched(document: Document, level: AgreedLevel, index: int) -> Watched:
        agreed = level.source_for(level.feed.panel.reporters[index])
        measurement = level.feed.measurement
        query = load_once(agreed.type).query(
            agreed.spec, level.metric, first=measurement.start, length=measurement.interval
        )
        reporter = Reporter(
            f"{document.name}/{level.name}", level.feed, index=index, salt=level.salt
        )
        return Watched(reporter, query)

    def peers(self) -> Peers | None:
        """The other reporters; None if there are none to listen to."""
        panels = self._known_panels()
        others = {
            address
            for known in panels.values()
            for index, address in enumerate(known.panel.reporters)
            if index != known.own_index
        }
        if not others:
            return None
        urls: dict[str, str] = {
            a: url for a, url in self._config.exchange.peers.items() if a in others
        }
        for address in sorted(others - set(urls)):
            log.warning(
                "nobody says where this reporter serves its readings",
                action="peer_unknown",
                peer=address,
                hint="set exchange.peers",
            )
        return Peers(
            urls,
            store=self._store,
            panels=panels,
            signer=self._account,
            alerts=self._alerts,
            chain_now=self._chain_now,
            pull_seconds=self._config.exchange.pull_seconds,
        )

    def _chain_now(self) -> int:
        now = int(self.chain_time())
        if not now:
            raise ChainUnavailable("the chain has not answered yet")
        return now

    def _known_panels(self) -> dict[tuple[str, bytes], KnownPanel]:
        known: dict[tuple[str, bytes], KnownPanel] = {}
        feeds = defaultdict(dict)  # type: ignore[var-annotated]
        for task in self._tasks.values():
            seat = task.seat
            feeds[seat.oracle.address, seat.panel_hash][task.reporter.id] = task.reporter.feed
        for seat in self._seats.values():
            key = (seat.oracle.address, seat.panel_hash)
            audience = seat.audience
            if key in known and known[key].audience is not None:
                audience = known[
                    key
                ].audience  # readings of one panel, private as soon as one feed of it is
            known[key] = KnownPanel(
                domain=seat.domain,
                panel=seat.panel,
                panel_hash=seat.panel_hash,
                feeds=feeds[key],
                own_index=seat.index,
                max_intervals=longest_report(len(seat.panel.reporters)),
                audience=audience,
            )
        return known
