"""From the monitoring service to the chain, with workers in between that come and go."""

import time

from web3 import HTTPProvider, Web3

from oracles import load
from relayer.bindings import Escrow, Oracle, Token
from relayer.chain import Chain
from relayer.daemon import Daemon
from relayer.demo.processes import answers_rpc, local_chain, stopped_at_the_end
from relayer.lookout import Task, Watch
from relayer.operations.alerts import Alerts
from relayer.outbox import Outbox
from relayer.scaleout.remote import RemoteSource
from relayer.seat import Seat
from relayer.settlement import Settler
from tests import samples
from tests.relayer.scaleout.world import (
    MINUTE,
    load_documents,
    wait_until,
    watched,
    write_documents,
)
from tests.relayer.world import deploy

FEEDS = 16
INTERVALS = 10


def test_every_interval_is_judged_once_although_a_worker_dies_and_one_joins(
    tmp_path, store, workers, monitoring
):
    # Workers go by the time of day, so the chain's has to be in the past: then it can be moved on.
    process, rpc_url = local_chain("anvil", tmp_path)
    process._command = [*process._command, "--timestamp", str(int(time.time()) - 40 * MINUTE)]
    process.start()
    with stopped_at_the_end(process):
        process.wait_until(lambda: answers_rpc(rpc_url))
        w3 = Web3(HTTPProvider(rpc_url))
        chain = Chain(w3, w3.eth.chain_id)
        documents, oracle = agreements(chain, tmp_path)
        store.bind(chain.chain_id)
        daemon, source = relayer(chain, store, documents, monitoring)
        start = documents[0].terms.start
        end = start + INTERVALS * MINUTE + 30
        source.chain_time = lambda: min(chain.now(), end)  # however long the rest of it takes

        first, second = workers.start(), workers.start()
        monitoring.close_gate()
        chain.w3.provider.make_request("evm_setNextBlockTimestamp", [start + 5 * MINUTE + 30])
        chain.w3.provider.make_request("evm_mine", [])

        def go_on():
            daemon.round()
            source.step()

        wait_until(lambda: monitoring.held, go_on)
        dying = first if first.pid in monitoring.held else second
        dying.kill()
        dying.wait()
        monitoring.open.set()
        joined = workers.start()
        wait_until(lambda: "worker_started" in joined.log.read_text(), go_on)
        chain.w3.provider.make_request("evm_setNextBlockTimestamp", [end])
        chain.w3.provider.make_request("evm_mine", [])

        feeds = [level.feed for document in documents for level in document.levels]
        ids = [feed.id for feed in feeds]
        wait_until(
            lambda: {position.next for position in oracle.positions(ids)} == {INTERVALS}, go_on
        )
        for feed in feeds:
            tally = oracle.tally(feed.ref, 0)
            assert (tally.good, tally.bad, tally.unknown) == (INTERVALS, 0, 0)
        wait_until(lambda: states(store) <= {"mined", "final"}, go_on)
        assert states(store)
        answered = [store.readings.answered(feed, 0) for feed in ids]
        assert [len(readings) for readings in answered] == [INTERVALS] * FEEDS


def states(store):
    return {transaction.state for transaction in store.transactions.recent(1_000)}


def agreements(chain, folder):
    """Contracts, and open agreements over sixteen feeds."""
    w3 = chain.w3
    rich = w3.eth.accounts[0]
    oracle = Oracle(w3, deploy(w3, "MonitoringOracle", rich))
    escrow = Escrow(w3, deploy(w3, "SLAEscrow", rich))
    token = Token(w3, deploy(w3, "TestDollar", rich))
    consumer = samples.wallet(2)
    for wallet in (consumer, samples.reporter_wallets(1)[0]):
        w3.eth.send_transaction({"from": rich, "to": wallet.address, "value": 10**18})
    start = chain.now() // MINUTE * MINUTE + 3 * MINUTE
    contracts = {"escrow": escrow.address, "oracle": oracle.address, "token": token.address}
    paths = write_documents(folder, FEEDS, start=start, chainId=chain.chain_id, **contracts)
    documents = load_documents(paths)
    due = sum(document.terms.fee_per_window for document in documents) * 24
    token.mint(consumer.address, due).transact({"from": rich})
    chain.send(token.approve(escrow.address, due), consumer)
    for document in documents:
        signed = samples.signatures(document.domains.escrow, document.terms)
        chain.send(escrow.open(document.terms, *signed), consumer)
    return documents, oracle


def relayer(chain, store, documents, monitoring):
    """A daemon of the only reporter, and its source. Nothing runs by itself."""
    alerts = Alerts(clock=chain.now)
    clock = lambda: float(chain.now())  # noqa: E731 - the chain's time is the only one here
    account = samples.reporter_wallets(1)[0]
    service = load("counted")({"port": monitoring.port})
    source = RemoteSource(service, store, alerts=alerts, clock=clock)
    panel = documents[0].levels[0].feed.panel
    seat = Seat(
        oracle=Oracle(chain.w3, documents[0].domains.oracle.contract),
        domain=documents[0].domains.oracle,
        panel=panel,
        index=0,
        audience=None,
        stagger=0,
        max_gas=12_000_000,
    )
    outbox = Outbox(
        store,
        chain,
        account,
        batcher=None,
        confirmations=12,
        max_gas=12_000_000,
        alerts=alerts,
        clock=clock,
    )
    watches = [
        Watch(
            Settler(
                document.name,
                document.agreement_id,
                document.terms,
                chain,
                document.domains.escrow.contract,
            ),
            tuple(
                Task(seat, source, watched(service, document, level)) for level in document.levels
            ),
        )
        for document in documents
    ]
    daemon = Daemon(
        chain=chain,
        store=store,
        outbox=outbox,
        watches=watches,
        poll_seconds=1,
        alerts=alerts,
        clock=clock,
    )
    source.chain_time = clock
    return daemon, source
