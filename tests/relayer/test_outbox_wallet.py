"""The coins that the outbox pays with: without any nothing grows, and before they run out somebody is told."""

from __future__ import annotations

import pytest

from relayer.chain import Chain, Sent
from relayer.errors import ChainUnavailable
from relayer.operations import metrics
from relayer.outbox import BALANCE_SECONDS, BUMP_SECONDS
from tests.relayer.sending import KEY, RICH, pending, somebody, value

DAY = 86_400


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
    sending.restarted(expected_gas=1_000_000)
    balance = days * 1_000_000 * sending.chain.fees().max_fee
    sending.rpc("anvil_setBalance", KEY.address, hex(balance))
    two_looks(sending)
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
    two_looks(sending)
    assert sending.firing() == {"balance_low", "balance_critical"}
    assert runway() == 0


def test_a_runway_that_nobody_knows_is_no_number(sending):
    metrics.RUNWAY.labels(KEY.address).set(1)
    sending.outbox.advance()
    assert runway() is None
    assert sending.firing() == set()


def two_looks(sending):
    """At the balance: one alone is no reason for an alert."""
    for _ in range(2):
        sending.time += BALANCE_SECONDS
        sending.outbox.advance()


def runway():
    """As Prometheus sees it; None if it does not."""
    return metrics.REGISTRY.get_sample_value("makegood_runway_days", {"account": KEY.address})


def test_a_balance_that_will_not_last_is_told_in_time(sending):
    sending.rounds(somebody())
    fee = sending.rows()[0].inclusion.fee_paid
    for days, expected in ((20, set()), (13, {"low"}), (1, {"low", "critical"}), (20, set())):
        sending.rpc("anvil_setBalance", KEY.address, hex(days * fee))
        two_looks(sending)
        assert sending.firing() == {f"balance_{name}" for name in expected}
        assert value(metrics.BALANCE) == days * fee
        assert runway() == pytest.approx(days)
