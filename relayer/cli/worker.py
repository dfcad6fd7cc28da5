"""`makegood relayer worker`: reads monitoring services for a daemon on another machine."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from relayer.cli.output import output_options
from relayer.cli.session import session_options
from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from oracles import AnyService
    from oracles.base import Clock
    from relayer.cli.session import Session
    from relayer.document import Document
    from relayer.scaleout.clock import DatabaseClock
    from relayer.store import Store


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Jobs that are done at the same time.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=lambda _, __, value: _place(value),
    help="Where health and metrics are served.",
)
@session_options
@output_options
def worker(session: Session, concurrency: int, listen: tuple[str, int] | None) -> None:
    """Read monitoring services for a relayer that runs with `workers: true`, until SIGTERM or Ctrl-C.

    Takes the relayer's configuration and SLA documents; needs no key and no chain. Any number of workers may run, on any
    number of machines.
    """
    from relayer import logs
    from relayer.operations.alerts import Alerts
    from relayer.operations.health import Health
    from relayer.operations.server import Server

    config = session.config
    logs.configure(config.log_format, config.secrets())
    if not config.workers:
        raise ConfigurationError(
            "the configuration does not say that workers read: no work would come",
            hint="set workers: true for the daemon and for its workers",
        )
    documents = _documents(session)
    from relayer.scaleout.clock import DatabaseClock
    from relayer.scaleout.questions import Questions
    from relayer.scaleout.reader import Reader
    from relayer.scaleout.worker import Worker, when_it_answers

    clock = DatabaseClock()
    with ExitStack() as stack:
        health = Health(config.poll_seconds, parts=("store",), secrets=config.secrets())
        if listen is not None:
            host, port = listen
            server = Server(host, port, health=health, alerts=Alerts(secrets=config.secrets()))
            server.start()
            stack.callback(server.stop, 1)
        store = when_it_answers(lambda: _store(session, documents[0].chain_id, clock), health)
        stack.callback(store.close)
        questions = Questions(documents)
        services = _services(session, store, questions.services(), clock)
        reader = Reader(store, questions, services, clock=clock)
        stack.callback(reader.close)
        Worker(store, reader, clock=clock, health=health, concurrency=concurrency).run()


def _store(session: Session, chain_id: int, clock: DatabaseClock) -> Store:
    """The database, with the queue in it. Sets the clock by it. Raises StoreUnavailable."""
    from relayer.scaleout.jobs import Jobs
    from relayer.store import Store
    from relayer.store.encryption import protect

    store = Store(session.config.database_target(), clock=clock)
    try:
        store.bind(chain_id)
        protect(store, session.config)
        Jobs(store).install(replace=False)
        clock.ask(store)
    except BaseException:
        store.close()
        raise
    return store


def _place(given: str | None) -> tuple[str, int] | None:
    from relayer.config.values import listen

    try:
        return listen(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _documents(session: Session) -> list[Document]:
    files = session.config.agreement_files()
    if not files:
        raise ConfigurationError(
            "the configuration names no SLA documents",
            hint="set agreements to the same documents as the daemon's",
        )
    documents = [session.document(file, adapters=True) for file in files]
    first = documents[0]
    for document in documents:
        if document.chain_id != first.chain_id:
            raise ConfigurationError(
                f"{document.path} is for chain {document.chain_id}, but {first.path} for chain {first.chain_id}",
                hint="use one relayer, one database and workers of their own for each chain",
            )
    return documents


def _services(
    session: Session, store: Store, names: set[str], clock: Clock
) -> dict[str, AnyService]:
    """The monitoring services that this machine can read. Of other reporters' it may lack the options."""
    from oracles import MonitoringError, connect

    services = {}
    for name in sorted(names):
        options = session.config.sources.get(name)
        try:
            services[name] = connect(name, session.config.sources, store=store.samples, clock=clock)
        except MonitoringError as error:
            if options is not None:
                raise ConfigurationError(
                    f"sources.{name}: {error}", hint=f"see docs/oracles/{name}.md"
                ) from error
            session.output.warn(f"this worker does not read {name}: {error}")
    return services
