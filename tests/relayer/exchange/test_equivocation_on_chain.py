"""What a peer's contradiction is worth: the oracle itself takes it as proof."""

import pytest
from web3 import HTTPProvider, Web3

from relayer.bindings import artifact
from relayer.demo.processes import answers_rpc, local_chain, stopped_at_the_end
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.relayer.exchange.kit import (
    ADDRESSES,
    CHAIN_ID,
    PANEL,
    emptied,
    known,
    panels,
    said,
    scripted,
    showing,
    shown,
    signed,
)


@pytest.fixture
def w3(tmp_path):
    process, url = local_chain("anvil", tmp_path)
    process.start()
    with stopped_at_the_end(process):
        process.wait_until(lambda: answers_rpc(url))
        yield Web3(HTTPProvider(url))


def test_a_contradiction_found_by_pulling_is_proven_to_the_oracle(w3, member):
    sender = w3.eth.accounts[0]
    built = artifact("MonitoringOracle")
    made = w3.eth.contract(abi=built["abi"], bytecode=built["bytecode"]).constructor()
    address = w3.eth.wait_for_transaction_receipt(made.transact({"from": sender}))[
        "contractAddress"
    ]
    oracle = w3.eth.contract(address, abi=built["abi"])
    domain = Domain(w3.eth.chain_id, address)
    assert domain.chain_id == CHAIN_ID
    now = w3.eth.get_block("latest")["timestamp"]
    start = now // 60 * 60 - 600
    feeds = sorted(
        (samples.feed(start, PANEL, descriptor=bytes([i]) * 32) for i in range(5)),
        key=lambda feed: feed.id,
    )
    one = signed(0, said(0, [10, 20, 30], feeds), domain=domain)
    other = signed(0, said(1, [20, 31], feeds[1:3]), domain=domain, evidence=b"\x01" * 32)
    bundles = [shown(bundle, oracle=address) for bundle in (one, other)]
    some = panels(known(feeds, domain=domain))
    with scripted(showing(0, *bundles)) as url:
        listener = member(1, some_panels=some)
        listener.listen({0: url}, chain_now=lambda: now).visit(0)
    [proof] = emptied(listener.peers.contradictions)
    assert (proof.interval, proof.address) == (2, ADDRESSES[0])

    call = oracle.functions.proveEquivocation(
        proof.feed.as_abi(),
        proof.reporter,
        proof.interval,
        proof.one.as_statement(proof.feed.id),
        proof.other.as_statement(proof.feed.id),
    )
    receipt = w3.eth.wait_for_transaction_receipt(call.transact({"from": sender}))
    [event] = oracle.events.Equivocated().process_receipt(receipt)
    assert (event["args"]["one"], event["args"]["other"]) == (30, 31)
    assert oracle.functions.ignored(PANEL.hash).call() == 1
