"""The checks of `makegood doctor`: each finds one kind of trouble and knows what mends it."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from oracles import Absence, MonitoringError, Value, load
from relayer import keys
from relayer.document.quantities import show_amount
from relayer.errors import MakegoodError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from eth_typing import ChecksumAddress

    from oracles import Reading
    from relayer.chain import Chain
    from relayer.cli.session import Session
    from relayer.document import AgreedLevel, DataSource, Document

HEAD_SECONDS = 300
"""An endpoint whose newest block is older does not follow its chain."""
CLOCK_SECONDS = 60
"""How far this machine's clock may be behind the newest block."""
SAMPLE_SECONDS = 30

State = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    :param next_step: What mends it, if it failed.
    """

    check: str
    state: State
    detail: str
    next_step: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "state": self.state,
            "detail": self.detail,
            "nextStep": self.next_step,
        }


class Checkup:
    """All checks of one configuration. A check that needs what another found missing is skipped."""

    def __init__(self, session: Session, extra: Sequence[Path] = ()) -> None:
        self._session = session
        self._extra = tuple(extra)
        self._address: ChecksumAddress | None = None
        self._documents: list[Document] = []
        self._chains: dict[int, Chain] = {}

    def run(self) -> Iterator[Finding]:
        configured = self._guard("configuration", self._configuration)
        yield configured
        if configured.state == "failed":
            return
        yield self._guard("database", self._database)
        yield self._guard("key", self._key)
        yield from self._read_documents()
        yield from self._check_chains()
        for document in self._documents:
            yield from self._check_agreement(document)
        for document in self._documents:
            yield from self._check_sources(document)

    # What needs no chain

    def _configuration(self) -> Finding:
        loaded = self._session.loaded
        files = sorted({place for place in loaded.origins.values() if ":" in place})
        named = {place.rpartition(":")[0] for place in files}
        return Finding(
            "configuration", "ok", ", ".join(sorted(named)) or "defaults and environment"
        )

    def _database(self) -> Finding:
        path = self._session.config.database
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            mend = "set database to a file in a folder that you may write to"
            return Finding("database", "failed", f"{path}: {error.strerror}", mend)
        return Finding("database", "ok", str(path))

    def _key(self) -> Finding:
        settings = self._session.config.key
        if not settings.configured:
            return Finding("key", "skipped", "no key: a relayer reads, but signs and sends nothing")
        account = keys.load(settings, ask=keys.ask_on_terminal())
        self._address = account.address
        return Finding("key", "ok", account.address)

    def _read_documents(self) -> Iterator[Finding]:
        try:
            files = [*self._extra] or self._session.config.agreement_files()
        except MakegoodError as error:
            yield _failed("documents", error)
            return
        if not files:
            mend = "name SLA documents: agreements: [agreements/*.yaml]"
            yield Finding("documents", "failed", "the configuration names none", mend)
        for file in files:
            yield self._guard(f"document {file.name}", partial(self._document, file))

    def _document(self, file: Path) -> Finding:
        document = self._session.document(file, adapters=True)
        self._documents.append(document)
        return Finding(f"document {file.name}", "ok", f"agreement 0x{document.agreement_id.hex()}")

    # What needs the chain

    def _check_chains(self) -> Iterator[Finding]:
        if self._session.config.rpc_url is None:
            mend = "set rpcUrl, MAKEGOOD_RPC_URL or --rpc-url"
            yield Finding("chain", "failed", "no RPC endpoint is configured", mend)
            return
        needed = sorted({document.chain_id for document in self._documents})
        chain_ids: list[int | None] = [*needed] or [None]
        for chain_id in chain_ids:
            name = f"chain {chain_id}" if chain_id else "chain"
            connected = self._guard(name, partial(self._connect, chain_id))
            yield connected
            if connected.state == "ok" and self._address:
                chain = self._chains[chain_id or 0]
                yield self._guard(f"balance on {name}", partial(self._balance, chain))

    def _connect(self, chain_id: int | None) -> Finding:
        chain = self._session.chain(chain_id)
        self._chains[chain_id or 0] = chain
        name = f"chain {chain.chain_id}"
        age = int(time.time()) - chain.now()
        detail = f"{chain.host}, newest block {max(0, age)} s old"
        if age > HEAD_SECONDS and chain.chain_id not in keys.LOCAL_CHAINS:
            mend = "the endpoint does not follow its chain: use another, or wait until it does"
            return Finding(name, "failed", detail, mend)
        if age < -CLOCK_SECONDS and chain.chain_id not in keys.LOCAL_CHAINS:
            # No chain is ahead of its time.
            found = f"this machine's clock is {-age} s behind the chain's"
            return Finding(
                name, "failed", found, "set the clock (NTP): probes date what they see by it"
            )
        if self._address:
            keys.refuse_public_key(self._address, chain.chain_id)
        return Finding(name, "ok", detail)

    def _balance(self, chain: Chain) -> Finding:
        address = self._address
        if address is None:
            raise AssertionError("asked only with a key")
        name, balance = f"balance on chain {chain.chain_id}", chain.balance(address)
        detail = f"{show_amount(balance, 18)} for gas"
        if balance == 0:
            return Finding(name, "failed", detail, f"send some of the chain's coin to {address}")
        return Finding(name, "ok", detail)

    def _check_agreement(self, document: Document) -> Iterator[Finding]:
        yield self._panel(document)
        name = f"contracts of {document.name}"
        if chain := self._chains.get(document.chain_id):
            yield self._guard(name, partial(self._contracts, document, chain))
        else:
            yield Finding(name, "skipped", "the chain is not reachable")

    def _panel(self, document: Document) -> Finding:
        name = f"reporter in {document.name}"
        if self._address is None:
            return Finding(name, "skipped", "no key")
        lacking = [level.name for level in document.levels if self._address not in level.sources]
        if lacking:
            detail = f"{self._address} is no reporter of {', '.join(lacking)}"
            return Finding(name, "failed", detail, "use the key that the document names")
        return Finding(name, "ok", ", ".join(level.name for level in document.levels))

    def _contracts(self, document: Document, chain: Chain) -> Finding:
        from relayer.cli.agreement import OnChain

        name = f"contracts of {document.name}"
        on_chain = OnChain(document, chain)
        on_chain.check()
        for level in document.levels:
            with chain.errors():
                computed = bytes(
                    on_chain.oracle.contract.functions.feedIdOf(level.feed.as_abi()).call()
                )
            if computed != level.feed.id:
                detail = f"the oracle computes another id for {level.name}: 0x{computed.hex()}"
                return Finding(name, "failed", detail, "correct settlement.oracle")
        status = on_chain.status
        shown = "not open yet" if status == "none" else status
        return Finding(name, "ok", f"ids agree; the agreement is {shown}")

    # Monitoring services

    def _check_sources(self, document: Document) -> Iterator[Finding]:
        """One reading, or one sample, of each source that this relayer reads."""
        for level in document.levels:
            reporter = self._address if self._address in level.sources else None
            if self._address and reporter is None:
                continue  # said above
            source = level.source_for(reporter or level.feed.panel.reporters[0])
            name = f"source {source.type} for {level.name}"
            yield self._guard(name, partial(self._try, level, source))

    def _try(self, level: AgreedLevel, source: DataSource) -> Finding:
        name = f"source {source.type} for {level.name}"
        options = self._session.config.sources.get(source.type, {})
        mend = f"see docs/oracles/{source.type}.md; options stand under sources.{source.type}"
        try:
            state, detail = _trial(level, source, options)
        except MonitoringError as error:
            return Finding(name, "failed", str(error), mend)
        return Finding(name, state, detail, None if state == "ok" else mend)

    @staticmethod
    def _guard(name: str, check: Callable[[], Finding]) -> Finding:
        try:
            return check()
        except MakegoodError as error:
            return _failed(name, error)


def _failed(name: str, error: MakegoodError) -> Finding:
    return Finding(name, "failed", error.message, error.hint)


def _trial(level: AgreedLevel, source: DataSource, options: dict[str, Any]) -> tuple[State, str]:
    """Reads the newest settled interval; a probe, which has no history, takes one sample instead."""
    store = _Samples()
    now = time.time()
    measurement = level.feed.measurement
    length = measurement.interval
    with load(source.type)(options, store=store, clock=lambda: now) as service:
        # The agreement may begin in future; what is asked now has the same phase.
        query = service.query(
            source.spec, level.metric, first=measurement.start % length, length=length
        )
        due = service.sample([query], now)
        if due is None:
            settled = now - max(measurement.settle_delay, service.SETTLE_DELAY)
            number = int(settled - query.first) // length - 1
            return "ok", _shown(service.read_one(query, query.interval(number)))
        now = due  # the service's clock, too: a sample planned for later is taken at once
        service.sample([query], now)
        deadline = time.monotonic() + SAMPLE_SECONDS
        while not store.taken and time.monotonic() < deadline:
            time.sleep(0.05)
    if store.taken:
        return "ok", f"sample: {store.taken[0].decode()}"
    return "failed", f"no sample within {SAMPLE_SECONDS} s"


class _Samples:
    """Keeps samples until the check is over."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def put(self, key: str, at: int, sample: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        self.taken.append(sample)

    def get(self, key: str, start: int, end: int) -> list[tuple[int, bytes]]:  # noqa: ARG002
        return []


def _shown(reading: Reading) -> str:
    answer = reading.answer
    if isinstance(answer, Value):
        return f"reading: {float(answer.amount):g} {reading.metric.unit.name}"
    empty = answer is Absence.NO_DATA
    return f"answered: {answer.value}{' (is the specification right?)' if empty else ''}"
