"""`makegood relayer`: the daemon, one round of it, and what it has done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from relayer.cli.output import output_options
from relayer.cli.session import session_options
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from relayer.chain import Chain
    from relayer.cli.session import Session
    from relayer.daemon import Daemon
    from relayer.document import AgreedLevel, Document
    from relayer.store import Store

RECENT_TRANSACTIONS = 10


@click.group()
def relayer() -> None:
    """Read, sign and submit readings; settle and close what can be paid."""


@relayer.command()
@session_options
@output_options
def run(session: Session) -> None:
    """Work until SIGTERM or Ctrl-C. Without a key it is a dry run: services are read, nothing is signed or sent."""
    daemon, store = _assembled(session)
    daemon.run()
    store.close()


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
    daemon, store = _assembled(session)
    before = {transaction.id for transaction in store.recent_transactions(1)}
    daemon.once(timeout)
    sent = [t for t in store.recent_transactions(1_000) if t.id > max(before, default=0)]
    rows = [_transaction_row(transaction) for transaction in reversed(sent)]
    session.output.data(rows, lambda: _show_transactions(session, rows))
    store.close()


@relayer.command()
@session_options
@output_options
def status(session: Session) -> None:
    """Where each feed stands, on the chain and in the database, and the newest transactions."""
    from relayer import keys
    from relayer.store import Store

    chain, documents = _chain_and_documents(session)
    store = Store(session.config.database)
    address = keys.address_of(session.config.key) if session.config.key.configured else None
    feeds = [
        _feed_row(chain, store, document, level)
        for document in documents
        for level in document.levels
    ]
    transactions = [_transaction_row(t) for t in store.recent_transactions(RECENT_TRANSACTIONS)]
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


def _assembled(session: Session) -> tuple[Daemon, Store]:
    from relayer import logs
    from relayer.assembly import assemble
    from relayer.store import Store

    config = session.config
    logs.configure(config.log_format, config.secrets())
    chain, documents = _chain_and_documents(session)
    account = session.account(chain.chain_id)
    if account is None:
        session.output.warn("no key is configured: this is a dry run, nothing is signed or sent")
    store = Store(config.database)
    daemon = assemble(
        chain=chain,
        store=store,
        account=account,
        documents=documents,
        options=config.sources,
        poll_seconds=config.poll_seconds,
    )
    return daemon, store


def _chain_and_documents(session: Session) -> tuple[Chain, list[Document]]:
    files = session.config.agreement_files()
    if not files:
        raise ConfigurationError(
            "the configuration names no SLA documents",
            hint="set agreements in makegood.yaml to their paths, e.g. agreements: [slas/*.yaml]",
        )
    documents = [session.document(file, adapters=True) for file in files]
    return session.chain(documents[0].chain_id), documents


def _feed_row(chain: Chain, store: Store, document: Document, level: AgreedLevel) -> dict[str, Any]:
    from relayer.bindings import Oracle

    with chain.errors():
        oracle = Oracle(chain.w3, document.domains.oracle.contract)
        following, verdict, advanced_at = oracle.latest(level.feed.id)
    closed = level.feed.measurement.closed_until(chain.now())
    summary = store.reading_summary(level.feed.id, following)
    own = store.readings(level.feed.id, following - 1, 1) if following else []
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


def _transaction_row(transaction: Any) -> dict[str, Any]:
    return {
        "purpose": transaction.purpose,
        "about": transaction.description,
        "state": transaction.state,
        "hash": f"0x{transaction.hash.hex()}",
        "nonce": transaction.nonce,
        "block": transaction.block,
        "gasUsed": transaction.gas_used,
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
