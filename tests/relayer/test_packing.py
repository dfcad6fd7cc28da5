"""Many calls in one transaction, on a real chain with the real contracts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from web3 import Web3

from relayer.bindings import Escrow, Oracle, contract
from relayer.chain import GAS_MARGIN, Chain
from relayer.errors import ChainUnavailable, Reverted
from relayer.operations import metrics
from relayer.packing import MAX_CALLDATA, batch_gas, call_data, failed_calls, pack
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.relayer.sending import KEY, MAX_GAS, RICH, deploy, outgoing, somebody


@pytest.fixture
def sending(sending):
    """Some of these calls are large."""
    sending.rpc("anvil_setBalance", KEY.address, hex(100 * RICH))
    return sending


@pytest.fixture
def owner(sending):
    """Somebody with one dollar, which everybody here may take."""
    wallet = samples.wallet(42)
    sending.rpc("anvil_setBalance", wallet.address, hex(RICH))
    sending.chain.send(sending.token.mint(wallet.address, 1), wallet)
    for spender in (KEY.address, sending.batcher):
        sending.chain.send(sending.token.approve(spender, 2**255), wallet)
    return wallet


def packed(world, calls, *, batcher=True, max_gas=MAX_GAS):
    address = world.batcher if batcher else None
    return pack(world.chain, KEY.address, calls, batcher=address, max_gas=max_gas)


def taking(world, owner, to=None):
    return outgoing(
        world.token.contract.functions.transferFrom(owner.address, to or somebody(), 1),
        owner.address,
    )


def many(world, count, size=0):
    """A call that does a lot, and has ``size`` bytes too many in its data."""
    run = contract(world.chain.w3, "Batcher", world.batcher).functions.run
    pairs = [(world.token.address, call_data(world.token.mint(somebody(), 1)))] * count
    if size:
        pairs.append((somebody(), b"\x01" * size))
    return outgoing(run(pairs, 50_000), somebody(), "report")


# What is packed


def test_sixty_settlements_are_one_transaction(sending):
    w3, key = sending.chain.w3, KEY.address
    rich = w3.eth.accounts[0]
    oracle = Oracle(w3, deploy(w3, "MonitoringOracle"))
    escrow = Escrow(w3, deploy(w3, "SLAEscrow"))
    consumer = samples.wallet(2)
    start = sending.chain.now() // 60 * 60 + 3_600  # a slow machine opens them in time, too
    feed = samples.feed(start, samples.panel(1))
    common = {"token": sending.token.address, "oracle": oracle.address, "windows": 1}
    agreements = [samples.terms(feed, salt=bytes([i]) * 32, **common) for i in range(60)]
    sending.chain.send(sending.token.mint(consumer.address, 60 * samples.FEE), consumer)
    sending.chain.send(sending.token.approve(escrow.address, 2**255), consumer)
    domain = Domain(sending.chain.chain_id, escrow.address)
    for terms in agreements:
        call = escrow.open(terms, *samples.signatures(domain, terms))
        call.transact({"from": consumer.address})
    sending.rpc("evm_setNextBlockTimestamp", start + 20 * 60)
    sending.mine()
    batch = samples.signed_batch(
        Domain(sending.chain.chain_id, oracle.address), feed, 0, 0, [1] * 12
    )
    oracle.report(feed, [batch]).transact({"from": rich})

    calls = [
        outgoing(escrow.settle(terms, 0), Web3.to_checksum_address(f"0x{i:040x}"))
        for i, terms in enumerate(agreements, start=1)
    ]
    paid = sending.token.balance(consumer.address)
    assert sending.outbox.send(calls) == []
    sending.outbox.advance()
    [row] = sending.rows()
    assert row.state == "mined"
    assert len(row.calls) == 60
    assert sending.token.balance(consumer.address) - paid == 60 * samples.FEE
    receipt = sending.chain.receipt(row.inclusion.hash)
    assert receipt["to"] == sending.batcher
    assert failed_calls(receipt) == []
    assert receipt["from"] == key
    one_by_one = sending.chain.estimate(sending.token.mint(somebody(), 1), key)
    assert receipt["gasUsed"] < 60 * 2 * one_by_one


def test_one_call_or_no_batcher_is_the_call_itself(sending):
    gifts = [sending.gift(somebody()) for _ in range(3)]
    for batcher, given in ((True, gifts[:1]), (False, gifts)):
        chosen, refused = packed(sending, given, batcher=batcher)
        assert refused == []
        assert chosen.contents == (gifts[0],)
        assert chosen.call is gifts[0].call
        estimate = sending.chain.estimate(gifts[0].call, KEY.address)
        assert chosen.gas == int(estimate * GAS_MARGIN)


def test_a_big_call_goes_alone_and_small_ones_go_together(sending):
    big, *small = many(sending, 40), *(sending.gift(somebody()) for _ in range(3))
    chosen, _ = packed(sending, [big, *small], max_gas=6_000_000)
    assert chosen.contents == (big,)
    chosen, _ = packed(sending, [small[0], big, *small[1:]], max_gas=6_000_000)
    assert chosen.contents == tuple(small)


def test_a_transaction_is_no_larger_than_nodes_take(sending):
    calls = [many(sending, 0, size=50_000) for _ in range(4)]
    sending.rpc("evm_setAutomine", False)
    assert sending.outbox.send(calls) == []
    [row] = sending.rows()
    assert row.state == "sent"
    assert len(row.calls) == 2
    assert len(row.attempts[0].raw) < MAX_CALLDATA + 1_000
    sending.mine()
    sending.outbox.advance()
    assert sending.states() == ["mined"]


def test_no_more_is_estimated_than_fits(sending, monkeypatch):
    asked, estimate = [], Chain.estimate
    monkeypatch.setattr(Chain, "estimate", lambda *a: asked.append(1) or estimate(*a))
    calls = [sending.gift(somebody()) for _ in range(50)]
    chosen, _ = packed(sending, calls, max_gas=1_000_000)
    assert 2 <= len(chosen.contents) <= 10
    assert len(asked) == len(chosen.contents)


def test_a_call_beyond_the_limit_is_sent_with_less_margin_rather_than_never(sending):
    big = many(sending, 20)
    estimate = sending.chain.estimate(big.call, KEY.address)
    for max_gas, expected in ((1, estimate), (estimate + 1_000, estimate + 1_000)):
        chosen, _ = packed(sending, [big], max_gas=max_gas)
        assert chosen.gas == expected


def test_a_wallet_that_is_nearly_empty_packs_what_it_can_pay_for(sending):
    due = [somebody() for _ in range(20)]
    price = sending.chain.fees().max_fee
    sending.rpc("anvil_setBalance", KEY.address, hex(1_000_000 * price))
    assert sending.outbox.send([sending.gift(to) for to in due]) == []
    sending.outbox.advance()
    [row] = sending.rows()
    assert row.state == "mined"
    assert 2 <= len(row.calls) <= 10


# What is refused


def test_what_a_contract_refuses_stops_no_other(sending, owner):
    poor = outgoing(
        sending.token.contract.functions.transferFrom(owner.address, somebody(), 10**30),
        owner.address,
    )
    due = [somebody(), somebody()]
    refused = sending.outbox.send([sending.gift(due[0]), poor, sending.gift(due[1])])
    [one] = refused
    assert one.outgoing is poor
    assert "ERC20InsufficientBalance" in one.reverted.message
    sending.outbox.advance()
    assert [sending.token.balance(to) for to in due] == [1, 1]
    assert sending.states() == ["mined"]


def test_if_all_is_refused_nothing_is_sent(sending, owner):
    poor = outgoing(
        sending.token.contract.functions.transferFrom(owner.address, somebody(), 10**30),
        owner.address,
    )
    assert len(sending.outbox.send([poor, poor])) == 2
    assert sending.rows() == []


def test_two_calls_of_which_one_spoils_the_other_are_not_sent_together(sending, owner):
    all_of_it = sending.token.balance(owner.address)
    to = somebody()
    take = sending.token.contract.functions.transferFrom(owner.address, to, all_of_it)
    first, second = outgoing(take, owner.address), outgoing(take, owner.address)
    chosen, refused = packed(sending, [first, second])
    assert chosen.contents == (first,)
    assert [one.outgoing for one in refused] == [second]


def test_calls_that_do_not_get_along_go_one_at_a_time(sending, monkeypatch):
    gifts = [sending.gift(somebody()) for _ in range(3)]
    monkeypatch.setattr("relayer.packing.batch_gas", lambda *_: 150_000)  # the Batcher wants more
    chosen, refused = packed(sending, gifts)
    assert (chosen.contents, refused) == ((gifts[0],), [])


# What fails on the chain


def test_a_call_that_fails_on_chain_is_told_and_rests_and_the_others_stand(sending, owner):
    to, taken = somebody(), taking(sending, owner)
    failed = metrics.TRANSACTIONS.labels("settle", "failed")
    before = failed._value.get()

    def send_and_spoil():
        sending.rpc("evm_setAutomine", False)
        refused = sending.outbox.send([sending.gift(to), taken])
        sending.rpc("anvil_dropAllTransactions")
        sending.rpc("evm_setAutomine", True)
        balance = sending.token.balance(owner.address)
        spend = sending.token.contract.functions.transfer(somebody(), balance)
        sending.chain.send(spend, owner)
        raw = Web3.to_hex(sending.rows()[-1].attempts[0].raw)
        sent = sending.rpc("eth_sendRawTransaction", raw)
        sending.chain.w3.eth.wait_for_transaction_receipt(sent, timeout=60)
        sending.chain.send(sending.token.mint(owner.address, 1), owner)
        with structlog.testing.capture_logs() as logs:
            sending.outbox.advance()
        return refused, [line for line in logs if line["action"] == "call_failed"]

    for count in (1, 2):
        refused, [line] = send_and_spoil()
        assert refused == []
        assert line["about"] == taken.items[0].description
        assert "ERC20InsufficientBalance" in line["reason"]
        assert sending.states()[-1] == "mined"
        assert failed._value.get() == before + count
    refused = sending.outbox.send([sending.gift(to), taken])
    assert [one.outgoing for one in refused] == [taken]
    assert "failed 2 times in a row" in refused[0].reverted.message
    sending.outbox.advance()
    assert sending.token.balance(to) == 3
    sending.time += 241
    assert sending.outbox.send([taken]) == []


def test_what_another_contract_says_is_not_taken_for_a_failure(sending, owner):
    other = deploy(sending.chain.w3, "Batcher")
    fails = (sending.token.address, call_data(taking(sending, owner).call))
    nested = contract(sending.chain.w3, "Batcher", other).functions.run([fails], 0)
    calls = [sending.gift(somebody()), outgoing(nested, other)]
    assert sending.outbox.send(calls) == []
    sending.outbox.advance()
    receipt = sending.chain.receipt(sending.rows()[0].inclusion.hash)
    assert any(entry["address"] == other for entry in receipt["logs"])
    assert failed_calls(receipt) == []


# Gas


@pytest.mark.parametrize(
    ("count", "gas_each", "size", "byte"),
    [
        (1, 30_000, 0, b"\0"),
        (2, 60_000, 0, b"\0"),
        (10, 60_000, 500, b"\x01"),
        (60, 100_000, 0, b"\0"),
        (150, 60_000, 0, b"\0"),
        (2, 60_000, 50_000, b"\x01"),
        (2, 60_000, 50_000, b"\0"),
        (100, 45_000, 900, b"\0"),
        (3, 4_000_000, 0, b"\0"),
        (2, 2_000_000, 50_000, b"\0"),
    ],
)
def test_the_gas_limit_is_enough_for_every_call_and_little_more(
    sending, count, gas_each, size, byte
):
    pairs = [
        (sending.token.address, call_data(sending.token.mint(somebody(), 1)) + byte * size)
        for _ in range(count)
    ]
    run = contract(sending.chain.w3, "Batcher", sending.batcher).functions.run(pairs, gas_each)
    gas = batch_gas(count, gas_each, call_data(run))

    def simulated(limit):
        with sending.chain.errors():
            return run.call({"from": KEY.address, "gas": limit})

    assert len(simulated(gas)) == count
    slack = 8_000 + 1_000 * count + gas // 20
    with pytest.raises((Reverted, ChainUnavailable)):
        simulated(gas - slack)


def test_honest_estimates_never_lack_gas(sending):
    """Calls of the same kind that cost as much as they were estimated, and one that costs twice as much."""
    calls = [sending.gift(somebody()) for _ in range(40)] + [many(sending, 2)]
    chosen, refused = packed(sending, calls)
    assert refused == []
    assert len(chosen.contents) == 41
    assert sending.outbox.send(calls) == []
    sending.outbox.advance()
    [row] = sending.rows()
    receipt = sending.chain.receipt(row.inclusion.hash)
    assert (row.state, failed_calls(receipt)) == ("mined", [])
    assert replace(row, attempts=()).calls == tuple(one.items for one in calls)
