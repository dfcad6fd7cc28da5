"""From documents to a daemon: which feeds this key reports, from which monitoring services, and whom it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from oracles import MonitoringError
from oracles import load as load_service
from relayer.bindings import Escrow, Oracle
from relayer.daemon import Daemon, Watch
from relayer.errors import ConfigurationError
from relayer.protocol.report import reporter_index
from relayer.reporting import Reporter
from relayer.settlement import Settler
from relayer.sources import Source, Watched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eth_account.signers.local import LocalAccount

    from relayer.chain import Chain
    from relayer.document import AgreedLevel, Document
    from relayer.store import Store

log = structlog.get_logger(__name__)


def assemble(
    *,
    chain: Chain,
    store: Store,
    account: LocalAccount | None,
    documents: Sequence[Document],
    options: Mapping[str, Mapping[str, object]],
    poll_seconds: float,
) -> Daemon:
    """A daemon for these agreements.

    :param account: The reporter's key, which also pays for gas; None for a dry run, which reads as the first reporter.
    :param options: The operator's own options for each monitoring service, by its name.
    :raises ConfigurationError: A document is for another chain, or asks for more than this relayer can do.
    """
    store.bind(chain.chain_id)
    maker = _Maker(chain, store, account, options)
    return Daemon(
        chain=chain,
        store=store,
        account=account,
        watches=[maker.watch(document) for document in documents],
        poll_seconds=poll_seconds,
    )


class _Maker:
    """Makes each thing once: a feed that two agreements share is read and reported once."""

    def __init__(
        self,
        chain: Chain,
        store: Store,
        account: LocalAccount | None,
        options: Mapping[str, Mapping[str, object]],
    ) -> None:
        self._chain = chain
        self._store = store
        self._account = account
        self._options = options
        self._sources: dict[str, Source] = {}
        self._feeds: dict[tuple[str, bytes], tuple[Source, Watched]] = {}

    def watch(self, document: Document) -> Watch:
        if document.chain_id != self._chain.chain_id:
            raise ConfigurationError(
                f"{document.path} is for chain {document.chain_id}, but {self._chain.host} serves chain "
                f"{self._chain.chain_id}",
                hint="use one relayer for each chain",
            )
        escrow = Escrow(self._chain.w3, document.domains.escrow.contract)
        oracle = Oracle(self._chain.w3, document.domains.oracle.contract)
        settler = Settler(document.name, document.agreement_id, document.terms, escrow, oracle)
        feeds = tuple(
            feed for level in document.levels if (feed := self._feed(document, level)) is not None
        )
        if not feeds:
            log.warning(
                "this key is no reporter here: nothing is measured, only payments are made",
                action="payments_only",
                agreement=document.name,
            )
        return Watch(settler, feeds)

    def _feed(self, document: Document, level: AgreedLevel) -> tuple[Source, Watched] | None:
        panel = level.feed.panel
        index = reporter_index(panel, self._account.address) if self._account else 0
        if index is None:
            return None
        if panel.quorum > 1:
            raise ConfigurationError(
                f"{document.path}: {level.name} needs {panel.quorum} reporters to agree, and this version of the relayer "
                "cannot exchange readings with others yet",
                hint="agree on one reporter and quorum 1",
            )
        key = (document.domains.oracle.contract, level.feed.id)
        if any(feed == key[1] and oracle != key[0] for oracle, feed in self._feeds):
            raise ConfigurationError(
                f"{document.path}: {level.name} is the same feed at another oracle as one of the other documents",
                hint="use one relayer and one database for each oracle",
            )
        if key not in self._feeds:
            self._feeds[key] = self._new_feed(document, level, index)
        return self._feeds[key]

    def _new_feed(
        self, document: Document, level: AgreedLevel, index: int
    ) -> tuple[Source, Watched]:
        domain = document.domains.oracle
        agreed = level.source_for(level.feed.panel.reporters[index])
        service = load_service(agreed.type)
        if agreed.type not in self._sources:
            try:
                instance = service(
                    self._options.get(agreed.type), store=self._store.samples(agreed.type)
                )
            except MonitoringError as error:
                raise ConfigurationError(
                    f"sources.{agreed.type}: {error}", hint=f"see docs/oracles/{agreed.type}.md"
                ) from error
            self._sources[agreed.type] = Source(instance, self._store)
        measurement = level.feed.measurement
        query = service.query(
            agreed.spec, level.metric, first=measurement.start, length=measurement.interval
        )
        reporter = Reporter(
            f"{document.name}/{level.name}",
            level.feed,
            index=index,
            salt=level.salt,
            oracle=Oracle(self._chain.w3, domain.contract),
            domain=domain,
            store=self._store,
        )
        return self._sources[agreed.type], Watched(reporter, query)
