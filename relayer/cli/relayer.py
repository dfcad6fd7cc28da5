"""`makegood relayer`: the daemon, one round of it, and what it has done."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.lazy import Lazy, LazyGroup
from relayer.cli.output import output_options
from relayer.cli.session import session_options
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.chain import Chain
    from relayer.cli.session import Session
    from relayer.daemon import Daemon
    from relayer.document import AgreedLevel, Document
    from relayer.store import Store
    from relayer.store.transactions import StoredTransaction

RECENT_TRANSACTIONS = 10


relayer = LazyGroup(
    "relayer",
    help="Read, sign and submit readings; settle and close what can be paid.",
    commands_at={
        "backup": Lazy("relayer.cli.backup:backup", "Copy the database into a file."),
        "restore": Lazy("relayer.cli.backup:restore", "Fill an empty database from a copy."),
        "worker": Lazy(
            "relayer.cli.worker:worker",
            "Read monitoring services for a relayer on another machine.",
        ),
    },
)


@relayer.command()
@session_options
@output_options
def run(session: Session) -> None:
    """Work until SIGTERM or Ctrl-C. Without a key it is a dry run: services are read, nothing is signed or sent."""
    with _assembled(session) as (daemon, _):
        daemon.run()


@relayer.command()
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="Seconds to wait for transactions.",
)
@session_options
@output_options
def once(session: Session, timeout: float) -> None:
    """Read, report and pay all that is due now, then end.

    A probe of our own measures only while `relayer run` is running; from here it has no data.
    """
    with _assembled(session, workers=False) as (daemon, store):
        before = max((transaction.id for transaction in store.transactions.recent(1)), default=0)
        daemon.once(timeout)
        sent = [t for t in store.transactions.recent(1_000) if t.id > before]
    rows = [_transaction_row(transaction) for transaction in reversed(sent)]
    session.output.data(rows, lambda: _show_transactions(session, rows))


@relayer.command()
@session_options
@output_options
def status(session: Session) -> None:
    """Where each feed stands, on the chain and in the database, and the newest transactions."""
    from relayer import keys
    from relayer.store import Store

    documents = _documents(session)
    chain = session.chain(documents[0].chain_id)
    store = Store(session.config.database_target())
    address = keys.address_of(session.config.key) if session.config.key.configured else None
    feeds = [
        _feed_row(chain, store, document, level)
        for document in documents
        for level in document.levels
    ]
    transactions = [_transaction_row(t) for t in store.transactions.recent(RECENT_TRANSACTIONS)]
    balance = chain.balance(address) if address else None
    store.close()
    data = {
        "chainId": chain.chain_id,
        "account": address,
        "balanceWei": balance,
        "feeds": feeds,
        "transactions": transactions,
    }
    session.output.data(data, lambda: _show_status(session, data))


@contextmanager
def _assembled(session: Session, *, workers: bool = True) -> Iterator[tuple[Daemon, Store]]:
    """A daemon that may use its key, and its database.

    :param workers: Whether services are read by worker processes if the configuration says so, or by itself in any case.
    """
    from relayer import logs
    from relayer.assembly import assemble, speaker
    from relayer.operations.alerts import Alerts
    from relayer.operations.webhook import Webhook
    from relayer.store import Lease, Store

    config = session.config
    if not workers:
        config = config.model_copy(update={"workers": False})
    logs.configure(config.log_format, config.secrets())
    documents = _documents(session)
    chain_id = documents[0].chain_id
    account = session.account(chain_id)
    if account is None:
        session.output.warn("no key is configured: this is a dry run, nothing is signed or sent")
    webhook = None
    if (url := config.operations.webhook) is not None:
        webhook = Webhook(url.get_secret_value(), relayer=speaker(chain_id, account))
    alerts = Alerts(sink=webhook, secrets=config.secrets())
    chain = session.chain(chain_id, alerts=alerts)
    with ExitStack() as stack:
        store = Store(config.database_target())
        stack.callback(store.close)
        lease = None
        if account is not None:
            lease = stack.enter_context(Lease(store, account.address))
        daemon = assemble(
            chain=chain,
            store=store,
            account=account,
            documents=documents,
            config=config,
            alerts=alerts,
            services=[webhook] if webhook else [],
            may_send=lambda: lease is None or lease.held,
        )
        yield daemon, store


def _documents(session: Session) -> list[Document]:
    files = session.config.agreement_files()
    if not files:
        raise ConfigurationError(
            "the configuration names no SLA documents",
            hint="set agreements in makegood.yaml to their paths, e.g. agreements: [slas/*.yaml]",
        )
    return [session.document(file, adapters=True) for file in files]


def _feed_row(chain: Chain, store: Store, document: Document, level: AgreedLevel) -> dict[str, Any]:
    from relayer.bindings import Oracle

    with chain.errors():
        oracle = Oracle(chain.w3, document.domains.oracle.contract)
        following, verdict, advanced_at = oracle.latest(level.feed.id)
    closed = level.feed.measurement.closed_until(chain.now())
    summary = store.readings.summary(level.feed.id, following)
    own = store.readings.answered(level.feed.id, following - 1)[:1] if following else []
    return {
        "agreement": document.name,
        "feed": level.name,
        "feedId": f"0x{level.feed.id.hex()}",
        "nextInterval": following,
        "behind": max(0, closed - following),
        "verdict": verdict.name.lower() if following else None,
        "value": own[0].code if own else None,
        "unit": level.unit.name,
        "advancedAt": _time(advanced_at),
        "waitingForReading": summary["unread"],
        "waitingForReport": summary["read"],
        "lastReadAt": _time(summary["lastReadAt"]),
        "problem": summary["problem"],
    }


def _transaction_row(transaction: StoredTransaction) -> dict[str, Any]:
    mined = transaction.inclusion
    newest = transaction.attempts[-1].hash if transaction.attempts else None
    tx_hash = mined.hash if mined else newest
    return {
        "purpose": ", ".join(transaction.purposes),
        "about": transaction.about,
        "state": transaction.state,
        "hash": f"0x{tx_hash.hex()}" if tx_hash else None,
        "nonce": transaction.nonce,
        "block": mined.block if mined else None,
        "gasUsed": mined.gas_used if mined else None,
        "feeWei": mined.fee_paid if mined else None,
        "createdAt": _time(transaction.created_at),
    }


def _show_status(session: Session, data: dict[str, Any]) -> None:
    output = session.output
    coins = None if data["balanceWei"] is None else f"{data['balanceWei'] / 10**18:.6f}"
    output.fields(
        [("chain", data["chainId"]), ("account", data["account"] or "none"), ("balance", coins)]
    )
    output.line()
    output.table(
        ["agreement", "feed", "next", "behind", "last", "last read", "waiting", "problem"],
        [
            [
                feed["agreement"],
                feed["feed"],
                feed["nextInterval"],
                feed["behind"],
                feed["verdict"],
                feed["lastReadAt"],
                f"{feed['waitingForReading']} to read, {feed['waitingForReport']} to report",
                feed["problem"],
            ]
            for feed in data["feeds"]
        ],
    )
    if data["transactions"]:
        output.line()
        _show_transactions(session, data["transactions"])


def _show_transactions(session: Session, rows: list[dict[str, Any]]) -> None:
    if not rows:
        session.output.note("nothing was due")
        return
    session.output.table(
        ["when", "purpose", "about", "state", "block", "gas", "transaction"],
        [
            [
                row["createdAt"],
                row["purpose"],
                row["about"],
                row["state"],
                row["block"],
                row["gasUsed"],
                row["hash"],
            ]
            for row in rows
        ],
    )


def _time(seconds: float | None) -> str | None:
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
