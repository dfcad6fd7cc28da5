"""What the outbox pays for gas: more if a transaction stays pending, and never more than is allowed."""

from __future__ import annotations

import structlog

from relayer.chain import Chain, Fees
from relayer.operations import metrics
from relayer.outbox import BUMP_SECONDS
from tests.relayer.sending import pending, somebody, value


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
