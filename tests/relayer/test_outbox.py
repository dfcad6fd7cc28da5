"""The outbox on a real chain: whatever is pulled away under it, every call takes effect once, and it goes on by itself."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from web3 import Web3

from relayer.chain import Chain, Fees, Sent
from relayer.errors import ChainUnavailable
from relayer.operations import metrics
from relayer.outbox import BUMP_SECONDS
from relayer.store import Store
from tests import samples
from tests.relayer.sending import KEY, RICH, outgoing, pending, somebody, value, work

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
