"""The outbox on a real chain: whatever is pulled away under it, every call takes effect once, and it goes on by itself."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import structlog
from web3 import HTTPProvider, Web3

from relayer.bindings import Token
from relayer.chain import Chain, Fees, Sent
from relayer.errors import ChainUnavailable
from relayer.operations import metrics
from relayer.outbox import BUMP_SECONDS
from relayer.store import Store
from tests import samples
from tests.relayer.sending import (
    KEY,
    Sending,
    deploy,
    outgoing,
    running_anvil,
    somebody,
    work,
)

RICH = 10**18
DAY = 86_400


@pytest.fixture(scope="module")
def anvil(tmp_path_factory):
    with running_anvil(tmp_path_factory.mktemp("anvil")) as rpc_url:
        yield rpc_url


@pytest.fixture(scope="module")
def contracts(anvil):
    w3 = Web3(HTTPProvider(anvil))
    return deploy(w3, "TestDollar"), deploy(w3, "Batcher")


@pytest.fixture
def sending(anvil, contracts, tmp_path):
    token, batcher = contracts
    chain = Chain.connect(anvil)
    world = Sending(chain, Token(chain.w3, token), batcher, tmp_path)
    world.rpc("anvil_dropAllTransactions")
    world.rpc("evm_setAutomine", True)
    world.rpc("anvil_setBalance", KEY.address, hex(RICH))
    yield world
    world.rpc("evm_setAutomine", True)
    for store in world.stores:
        store.close()


def pending(world, to):
    """A dollar for ``to`` that is in the pool and in no block; nothing is mined by itself any more."""
    world.rpc("evm_setAutomine", False)
    assert world.outbox.send([world.gift(to)]) == []
    assert world.states()[-1] == "sent"


def value(metric, **labels):
    return (metric.labels(**labels) if labels else metric)._value.get()


# The way of a transaction


def test_a_transaction_is_signed_sent_mined_and_final(sending):
    to = somebody()
    pending(sending, to)
    assert sending.outbox.advance()
    sending.mine()
    assert not sending.outbox.advance()
    assert sending.states() == ["mined"]
    sending.mine()
    sending.outbox.advance()
    assert sending.states() == ["mined"], "one block on top of it, of two"
    sending.mine()
    sending.outbox.advance()
    assert sending.states() == ["final"]
    [row] = sending.rows()
    receipt = sending.chain.receipt(row.inclusion.hash)
    assert row.inclusion.block == receipt["blockNumber"]
    assert row.inclusion.gas_used == receipt["gasUsed"]
    assert row.inclusion.fee_paid == receipt["gasUsed"] * receipt["effectiveGasPrice"]
    assert sending.token.balance(to) == 1


def test_what_is_not_final_does_not_block_what_comes_next(sending):
    sending.rounds(somebody())
    sending.rounds(somebody())
    assert sending.states() == ["mined", "mined"]


def test_while_something_is_in_flight_nothing_else_is_sent(sending):
    pending(sending, somebody())
    assert sending.outbox.send([sending.gift(somebody())]) == []
    assert sending.states() == ["sent"]


def test_what_became_of_transactions_is_counted(sending):
    counted = {
        state: value(metrics.TRANSACTIONS, purpose="settle", state=state)
        for state in ("signed", "sent", "mined", "final")
    }
    spent = value(metrics.FEE_SPENT)
    pending(sending, somebody())
    assert value(metrics.IN_FLIGHT) == sending.time
    sending.mine()
    sending.rounds(mine=True, count=4)
    for state, before in counted.items():
        assert value(metrics.TRANSACTIONS, purpose="settle", state=state) == before + 1
    assert value(metrics.IN_FLIGHT) == 0
    assert value(metrics.NONCE) == sending.chain.nonce(KEY.address)
    assert value(metrics.FEE_SPENT) - spent == sending.rows()[0].inclusion.fee_paid


# Killed


def test_killed_between_any_two_steps_it_does_everything_once(sending, anvil, contracts, tmp_path):
    sending.rpc("evm_setAutomine", False)
    number, killed = 0, True
    while killed:
        due = [somebody(), somebody()]
        database = tmp_path / f"killed-{number}.sqlite"
        before = sending.chain.nonce(KEY.address)
        command = [sys.executable, "-m", "tests.relayer.sending", anvil, str(database), *contracts]
        ended = subprocess.run(
            [*command, str(number), *due], check=False, capture_output=True, timeout=120
        )
        killed = ended.returncode == -signal.SIGKILL
        assert killed or ended.returncode == 0, ended.stderr.decode()
        sending.mine()  # what was sent goes its way while nobody looks
        sending.store = Store(database)
        sending.stores.append(sending.store)
        sending.restarted()
        for _ in range(20):
            work(sending.outbox, sending.token, due)
            sending.mine()
        assert [sending.token.balance(to) for to in due] == [1, 1], number
        assert set(sending.states()) == {"final"}, number
        assert len(sending.rows()) == sending.chain.nonce(KEY.address) - before, number
        number += 1
    assert number > 8, "signed, sent, raised, sent again, mined and final are more steps"


# Lost, dropped, foreign


def test_a_lost_answer_is_no_lost_transaction(sending, monkeypatch):
    to, broadcast = somebody(), Chain.broadcast

    def loses_the_answer(self, raw):
        broadcast(self, raw)
        raise ChainUnavailable("no answer")

    monkeypatch.setattr(Chain, "broadcast", loses_the_answer)
    with pytest.raises(ChainUnavailable):
        sending.outbox.send([sending.gift(to)])
    monkeypatch.undo()
    sending.rounds(to)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["mined"]


def test_a_network_that_fails_raises_no_fees(sending, monkeypatch):
    to = somebody()

    def fails(*_):
        raise ChainUnavailable("no answer")

    monkeypatch.setattr(Chain, "broadcast", fails)
    sending.rounds(to, count=10, seconds=BUMP_SECONDS + 1)
    [row] = sending.rows()
    assert len(row.attempts) == 1
    monkeypatch.undo()
    sending.rounds(to)
    assert sending.token.balance(to) == 1


def test_what_the_pool_dropped_is_sent_again(sending):
    to = somebody()
    pending(sending, to)
    [row] = sending.rows()
    sending.rpc("anvil_dropTransaction", Web3.to_hex(row.attempts[0].hash))
    sending.rpc("evm_setAutomine", True)
    sending.rounds(to, count=5)
    assert sending.token.balance(to) == 0, "nothing happens by itself"
    sending.rounds(to, count=3, seconds=BUMP_SECONDS + 1)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["mined"]


def test_what_the_pool_dropped_is_sent_again_even_if_fees_are_at_their_maximum(sending):
    to = somebody()
    pending(sending, to)
    [row] = sending.rows()
    sending.chain.max_fee_per_gas = row.attempts[0].max_fee
    sending.rpc("anvil_dropTransaction", Web3.to_hex(row.attempts[0].hash))
    sending.rpc("evm_setAutomine", True)
    sending.rounds(to, count=3, seconds=BUMP_SECONDS + 1)
    assert sending.token.balance(to) == 1
    assert len(sending.rows()[0].attempts) == 1


def foreign(world, nonce):
    """The same key sends something else: coins to itself, for much higher fees."""
    transaction = {
        "type": 2,
        "chainId": world.chain.chain_id,
        "to": KEY.address,
        "nonce": nonce,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**11,
    }
    world.chain.broadcast(bytes(KEY.sign_transaction(transaction).raw_transaction))


def test_a_nonce_that_was_used_by_something_else_is_no_dead_end(sending):
    to = somebody()
    pending(sending, to)
    foreign(sending, sending.rows()[0].nonce)
    sending.mine()
    assert sending.token.balance(to) == 0
    sending.rpc("evm_setAutomine", True)
    sending.rounds(to)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["superseded", "mined"]


def test_a_pool_that_has_something_else_at_the_nonce_is_outbid(sending):
    to = somebody()
    sending.rpc("evm_setAutomine", False)
    foreign(sending, sending.chain.nonce(KEY.address))
    sending.rounds(to, count=100)
    sending.mine()
    sending.rounds(to, count=2)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["mined"]


def test_one_node_that_is_behind_makes_nothing_given_up(sending, monkeypatch):
    to, nonce = somebody(), Chain.nonce
    pending(sending, to)
    for wrong in (-1, 1):
        monkeypatch.setattr(Chain, "nonce", lambda *a, wrong=wrong: nonce(*a) + wrong)
        assert sending.outbox.advance()
        monkeypatch.undo()
        assert sending.outbox.advance()
    assert sending.states() == ["sent"]


def test_a_node_that_forgot_a_mined_transaction_is_not_believed(sending, monkeypatch):
    to, nonce = somebody(), Chain.nonce
    sending.rounds(to)
    monkeypatch.setattr(Chain, "nonce", lambda *a: nonce(*a) - 1)
    with pytest.raises(ChainUnavailable, match="is behind: it counts"):
        sending.outbox.send([sending.gift(somebody())])
    assert sending.states() == ["mined"]


# Fees


def test_what_stays_pending_pays_an_eighth_more(sending):
    to, bumps = somebody(), value(metrics.FEE_BUMPS)
    pending(sending, to)
    sending.rounds(count=5, seconds=BUMP_SECONDS / 10)
    [row] = sending.rows()
    assert len(row.attempts) == 1
    sending.rounds(count=2, seconds=BUMP_SECONDS)
    [row] = sending.rows()
    first, second = row.attempts
    raised = Fees(first.max_fee, first.priority_fee).raised()
    assert second.max_fee >= raised.max_fee
    assert second.priority_fee >= raised.priority_fee
    assert value(metrics.FEE_BUMPS) == bumps + 1
    sending.mine()
    sending.outbox.advance()
    [row] = sending.rows()
    assert row.inclusion.hash == second.hash


def test_whichever_attempt_is_mined_counts(sending):
    to = somebody()
    pending(sending, to)
    [row] = sending.rows()
    sending.rounds(count=1, seconds=BUMP_SECONDS + 1)
    [row] = sending.rows()
    assert len(row.attempts) == 2
    sending.mine()  # the second one was signed, and not sent yet
    sending.rounds(to)
    [row] = sending.rows()
    assert row.state == "mined"
    assert row.inclusion.hash == row.attempts[0].hash
    assert sending.token.balance(to) == 1


def test_a_base_fee_ten_times_as_high_is_paid(sending):
    to = somebody()
    pending(sending, to)
    [row] = sending.rows()
    sending.rpc("anvil_setNextBlockBaseFeePerGas", hex(10 * row.attempts[0].max_fee))
    sending.mine()
    assert sending.token.balance(to) == 0
    sending.rounds(to, count=3)  # at once: the clock stands still
    sending.mine()
    sending.rounds(to, count=2)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["mined"]


def test_a_base_fee_above_the_limit_is_waited_for_in_silence(sending, monkeypatch):
    to, broadcasts, broadcast = somebody(), [], Chain.broadcast
    pending(sending, to)
    [row] = sending.rows()
    fee = row.attempts[0].max_fee
    sending.chain.max_fee_per_gas = 2 * fee

    def counted(self, raw):
        broadcasts.append(raw)
        return broadcast(self, raw)

    monkeypatch.setattr(Chain, "broadcast", counted)
    with structlog.testing.capture_logs() as logs:
        for _ in range(10):
            sending.rpc("anvil_setNextBlockBaseFeePerGas", hex(10 * fee))
            sending.mine()
            sending.rounds(to, count=10, seconds=1)
    assert sending.firing() == {"fee_capped"}
    assert len([line for line in logs if line["action"] == "alert_fired"]) == 1
    assert len(broadcasts) <= 1 + 100 // BUMP_SECONDS
    assert len(sending.rows()[0].attempts) <= 2
    sending.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    sending.mine()
    sending.rounds(to, count=4, seconds=BUMP_SECONDS, mine=True)
    assert sending.token.balance(to) == 1
    assert sending.firing() == set()


def test_nothing_is_signed_while_gas_costs_more_than_is_allowed(sending):
    to = somebody()
    sending.chain.max_fee_per_gas = 10**6
    sending.rounds(to, count=5)
    assert sending.rows() == []
    assert sending.firing() == {"fee_capped"}
    sending.chain.max_fee_per_gas = None
    sending.rounds(to)
    assert sending.token.balance(to) == 1
    assert sending.firing() == set()


# Money


def test_an_empty_wallet_grows_nothing_and_goes_on_when_it_is_filled(sending):
    to = somebody()
    sending.rpc("anvil_setBalance", KEY.address, "0x0")
    with pytest.raises(ChainUnavailable, match="has 0 coins") as caught:
        sending.outbox.send([sending.gift(to)])
    assert caught.value.hint == f"send coins to {KEY.address}"
    sending.rounds(to)
    assert sending.rows() == []
    assert "wallet_empty" in sending.firing()
    sending.rpc("anvil_setBalance", KEY.address, hex(RICH))
    sending.rounds(to)
    assert sending.token.balance(to) == 1
    assert "wallet_empty" not in sending.firing()


def test_a_node_that_wants_more_money_than_we_thought_makes_nothing_grow(sending, monkeypatch):
    to = somebody()
    monkeypatch.setattr(Chain, "broadcast", lambda *_: Sent.NO_FUNDS)
    sending.rounds(to)
    assert sending.states() == ["superseded"]
    assert "wallet_empty" in sending.firing()
    monkeypatch.undo()
    sending.rpc("anvil_setBalance", KEY.address, hex(2 * RICH))
    sending.rounds(to)
    assert sending.token.balance(to) == 1
    assert "wallet_empty" not in sending.firing()


def test_a_wallet_that_runs_dry_while_something_waits_keeps_it(sending):
    to = somebody()
    pending(sending, to)
    sending.rpc("anvil_setBalance", KEY.address, "0x0")
    sending.rpc("anvil_dropAllTransactions")
    sending.rounds(to, seconds=BUMP_SECONDS)
    [row] = sending.rows()
    assert row.state == "sent"
    assert len(row.attempts) <= 2
    assert "wallet_empty" in sending.firing()
    sending.rpc("anvil_setBalance", KEY.address, hex(RICH))
    sending.rpc("evm_setAutomine", True)
    sending.rounds(to, seconds=BUMP_SECONDS)
    assert sending.token.balance(to) == 1


def test_the_runway_follows_from_the_last_week(sending):
    assert sending.outbox.runway_days(RICH) is None
    sending.rounds(somebody())
    fee = sending.rows()[0].inclusion.fee_paid
    assert sending.outbox.runway_days(10 * fee) == pytest.approx(10), "of the first day"
    sending.time += 4 * DAY
    assert sending.outbox.runway_days(10 * fee) == pytest.approx(40)
    sending.time += 2 * DAY
    assert sending.outbox.runway_days(10 * fee) == pytest.approx(60)
    sending.time += 2 * DAY
    assert sending.outbox.runway_days(10 * fee) is None


def test_before_anything_was_spent_the_runway_is_what_agreements_will_ask_for(sending):
    price = sending.chain.fees().max_fee
    outbox = sending.restarted(expected_gas=1_000_000)
    assert outbox.runway_days(5 * 1_000_000 * price) == pytest.approx(5)


@pytest.mark.parametrize(
    ("days", "expected"), [(20, set()), (13, {"low"}), (1, {"low", "critical"})]
)
def test_a_wallet_that_has_never_spent_anything_is_told_to_be_low(sending, days, expected):
    outbox = sending.restarted(expected_gas=1_000_000)
    balance = days * 1_000_000 * sending.chain.fees().max_fee
    sending.rpc("anvil_setBalance", KEY.address, hex(balance))
    outbox.advance()
    assert sending.firing() == {f"balance_{name}" for name in expected}
    assert runway() == pytest.approx(days)


def test_gas_that_costs_more_than_is_allowed_is_expected_to_cost_what_is_allowed(sending):
    sending.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    sending.mine()
    sending.chain.max_fee_per_gas = 10**8
    assert sending.restarted(expected_gas=1_000).runway_days(5 * 1_000 * 10**8) == pytest.approx(5)


def test_a_day_shows_more_than_agreements_and_less_time_does_not(sending):
    outbox = sending.restarted(expected_gas=10**9)
    sending.rounds(somebody())
    spent = sending.rows()[0].inclusion.fee_paid
    pace = 10**9 * sending.chain.fees().max_fee
    assert outbox.runway_days(pace) == pytest.approx(1), "that of agreements, which is more"
    sending.time += 2 * DAY
    assert outbox.runway_days(spent) == pytest.approx(2)
    sending.time += 7 * DAY
    assert outbox.runway_days(pace) == pytest.approx(1), "nothing was spent in a week"


def test_a_wallet_without_a_coin_is_low_whatever_it_is_for(sending):
    sending.rpc("anvil_setBalance", KEY.address, "0x0")
    sending.outbox.advance()
    assert sending.firing() == {"balance_low", "balance_critical"}
    assert runway() == 0


def test_a_runway_that_nobody_knows_is_no_number(sending):
    metrics.RUNWAY.labels(KEY.address).set(1)
    sending.outbox.advance()
    assert runway() is None
    assert sending.firing() == set()


def runway():
    """As Prometheus sees it; None if it does not."""
    return metrics.REGISTRY.get_sample_value("makegood_runway_days", {"account": KEY.address})


def test_a_balance_that_will_not_last_is_told_in_time(sending):
    sending.rounds(somebody())
    fee = sending.rows()[0].inclusion.fee_paid
    for days, expected in ((20, set()), (13, {"low"}), (1, {"low", "critical"}), (20, set())):
        sending.rpc("anvil_setBalance", KEY.address, hex(days * fee))
        sending.time += 61
        sending.outbox.advance()
        assert sending.firing() == {f"balance_{name}" for name in expected}
        assert value(metrics.BALANCE) == days * fee
        assert runway() == pytest.approx(days)


# Reorganisations


def test_what_a_reorganisation_removed_is_sent_again(sending):
    to, reorganised = somebody(), value(metrics.REORGANISED)
    sending.mine()
    pending(sending, to)
    sending.mine()
    sending.outbox.advance()
    assert sending.states() == ["mined"]
    sending.rpc("anvil_reorg", 1, [])
    sending.rpc("anvil_dropAllTransactions")
    assert sending.token.balance(to) == 0
    assert sending.outbox.advance(), "it is in flight again"
    assert sending.states() == ["sent"]
    assert value(metrics.REORGANISED) == reorganised + 1
    sending.rounds(to, mine=True)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["final"]


def test_two_that_a_reorganisation_removed_are_sent_again_in_order(sending):
    one, two = somebody(), somebody()
    before = sending.rpc("evm_snapshot")
    sending.rounds(one)
    sending.rounds(two)
    assert sending.states() == ["mined", "mined"]
    sending.rpc("evm_revert", before)
    sending.mine(3)
    sending.rounds(one, two, mine=True)
    assert [sending.token.balance(to) for to in (one, two)] == [1, 1]
    assert sending.states() == ["final", "final"]


def test_after_a_reorganisation_the_nonce_may_belong_to_something_else(sending):
    to = somebody()
    before = sending.rpc("evm_snapshot")
    sending.rounds(to)
    [row] = sending.rows()
    sending.rpc("evm_revert", before)
    foreign(sending, row.nonce)
    sending.rounds(to)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["superseded", "mined"]


def test_an_earlier_nonce_that_nobody_sends_again_is_no_dead_end(sending):
    to = somebody()
    before = sending.rpc("evm_snapshot")
    foreign(sending, sending.chain.nonce(KEY.address))
    pending(sending, to)
    sending.rpc("anvil_dropAllTransactions")
    sending.rpc("evm_revert", before)
    sending.rpc("evm_setAutomine", True)
    sending.rounds(to)
    assert sending.token.balance(to) == 1
    assert sending.states() == ["superseded", "mined"]


def test_a_transaction_that_moved_to_another_block_is_final_there(sending):
    to = somebody()
    pending(sending, to)
    before = sending.rpc("evm_snapshot")
    raw = Web3.to_hex(sending.rows()[0].attempts[0].raw)
    sending.mine()
    sending.outbox.advance()
    old = sending.rows()[0].inclusion
    sending.rpc("evm_revert", before)
    sending.rpc("anvil_dropAllTransactions")
    sending.mine()
    sending.rpc("eth_sendRawTransaction", raw)
    sending.mine()
    sending.rounds(to, mine=True)
    [row] = sending.rows()
    assert row.state == "final"
    assert row.inclusion.block > old.block
    assert sending.token.balance(to) == 1


def test_a_finalized_block_needs_no_more_confirmations(sending, monkeypatch):
    sending.restarted(confirmations=1_000)
    sending.rounds(somebody(), mine=True, count=4)
    [row] = sending.rows()
    for number, state in ((row.inclusion.block - 1, "mined"), (row.inclusion.block, "final")):
        monkeypatch.setattr(Chain, "finalized", lambda _, number=number: number)
        sending.mine()
        sending.outbox.advance()
        assert sending.states() == [state]


# Refused and reverted


def spoiled(world, owner):
    """A call that passes its simulation and reverts in its block: in between the owner spends what was to be taken."""
    taken = world.token.contract.functions.transferFrom(owner.address, somebody(), 1)
    return outgoing(taken, owner.address)


@pytest.fixture
def owner(sending):
    """Somebody with one dollar who lets the key take it."""
    wallet = samples.wallet(41)
    sending.rpc("anvil_setBalance", wallet.address, hex(RICH))
    sending.chain.send(sending.token.mint(wallet.address, 1), wallet)
    sending.chain.send(sending.token.approve(KEY.address, 2**255), wallet)
    return wallet


def revert_once(world, owner):
    """Send it, and have it revert. Returns what was refused instead."""
    world.rpc("evm_setAutomine", False)
    refused = world.outbox.send([spoiled(world, owner)])
    world.rpc("anvil_dropAllTransactions")
    world.rpc("evm_setAutomine", True)
    if not refused:
        world.chain.send(world.token.contract.functions.transfer(somebody(), 1), owner)
        world.rpc("eth_sendRawTransaction", Web3.to_hex(world.rows()[-1].attempts[0].raw))
        world.chain.send(world.token.mint(owner.address, 1), owner)
        world.outbox.advance()
    return refused


def test_what_reverts_on_chain_is_not_paid_for_again_and_again(sending, owner):
    assert revert_once(sending, owner) == []
    assert sending.states() == ["reverted"]
    assert revert_once(sending, owner) == [], "once may be bad luck"
    [refused] = revert_once(sending, owner)
    assert "failed 2 times in a row" in refused.reverted.message
    assert sending.firing() == set()
    sending.time += 241
    assert revert_once(sending, owner) == []
    assert sending.firing() == {"call_fails"}
    assert sending.states() == ["reverted"] * 3
    sending.time += 241
    assert len(revert_once(sending, owner)) == 1, "it rests longer every time"
    sending.time += 3_600
    sending.rpc("evm_setAutomine", True)
    assert sending.outbox.send([spoiled(sending, owner)]) == []
    sending.outbox.advance()
    assert sending.states()[-1] == "mined"
    assert sending.firing() == set()


def test_a_failure_that_nothing_will_ever_make_good_is_forgotten(sending, owner):
    """Another relayer did it, or it is part of something with another name now."""
    for _ in range(3):
        assert revert_once(sending, owner) == []
        sending.time += 241
    assert sending.firing() == {"call_fails"}
    sending.time += 3_600
    sending.outbox.send([sending.gift(somebody())])
    assert sending.firing() == {"call_fails"}, "it may be tried still"
    sending.rounds(somebody())
    sending.time += 241
    sending.outbox.send([sending.gift(somebody())])
    assert sending.firing() == set()


def test_a_transaction_that_no_node_takes_is_given_up(sending, monkeypatch):
    to = somebody()
    monkeypatch.setattr(Chain, "broadcast", lambda *_: Sent.REFUSED)
    sending.rounds(to)
    assert sending.states() == ["superseded"] * 2, "then it rests"
    monkeypatch.undo()
    sending.time += 3_600
    sending.rounds(to)
    assert sending.token.balance(to) == 1


def test_the_same_bytes_may_be_signed_twice(sending, monkeypatch):
    to = somebody()
    fees = Fees(10**10, 10**9)
    monkeypatch.setattr(Chain, "fees", lambda _: fees)
    monkeypatch.setattr(Chain, "broadcast", lambda *_: Sent.REFUSED)
    sending.outbox.send([sending.gift(to)])
    first = sending.rows()[0].attempts[0]
    monkeypatch.undo()
    monkeypatch.setattr(Chain, "fees", lambda _: fees)
    sending.outbox.send([sending.gift(to)])
    sending.outbox.advance()
    assert sending.states() == ["superseded", "mined"]
    assert sending.rows()[1].inclusion.hash == first.hash
