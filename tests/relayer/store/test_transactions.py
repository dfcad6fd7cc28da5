"""What is remembered of transactions, on each kind of database."""

from __future__ import annotations

import pytest

from relayer.store.transactions import Attempt, Inclusion, Item

ACCOUNT, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
SETTLE = Item("settle", b"\x01" * 32, 0, 1, "agreement one: window 0")
REPORT = Item("report", b"\x02" * 32, 7, 4_294_967_295, "feed two: intervals 7 to …")
CALLS = ((SETTLE,), (REPORT, SETTLE))
GWEI = 10**9


def attempt(number, *, fee=30 * GWEI):
    return Attempt(bytes([number]) * 32, bytes([number]) * 200, fee, GWEI)


def inclusion(number, *, fee=10**15):
    return Inclusion(bytes([number]) * 32, 20_000_000, b"\xbb" * 32, 16_000_000, fee)


@pytest.fixture
def transactions(store):
    return store.transactions


def test_what_was_stored_comes_back(transactions):
    key = transactions.begin(ACCOUNT, 7, CALLS, attempt(1), 1_000.5)
    transactions.add_attempt(key, attempt(2, fee=10**30), 1_050.5)
    [row] = transactions.in_flight(ACCOUNT)
    assert (row.id, row.account, row.nonce, row.state) == (key, ACCOUNT, 7, "signed")
    assert row.calls == CALLS
    assert row.items == (SETTLE, REPORT, SETTLE)
    assert row.purposes == ["report", "settle"]
    assert row.created_at == 1_000.5
    assert row.attempts == (attempt(1), attempt(2, fee=10**30))
    assert row.inclusion is None


def test_each_state_has_its_list(transactions):
    key = transactions.begin(ACCOUNT, 7, CALLS, attempt(1), 0)
    assert transactions.in_flight(ACCOUNT)
    transactions.mark_sent(key)
    assert [row.state for row in transactions.in_flight(ACCOUNT)] == ["sent"]
    transactions.mark_mined(key, "mined", inclusion(1, fee=10**24))
    assert transactions.in_flight(ACCOUNT) == []
    [row] = transactions.unfinal(ACCOUNT)
    assert row.inclusion == inclusion(1, fee=10**24)
    transactions.mark_final(key)
    assert transactions.unfinal(ACCOUNT) == []
    assert [row.state for row in transactions.recent(10)] == ["final"]


def test_what_was_taken_back_is_in_flight_as_if_it_had_never_been_mined(transactions):
    key = transactions.begin(ACCOUNT, 7, CALLS, attempt(1), 0)
    transactions.mark_mined(key, "mined", inclusion(1))
    transactions.take_back(key)
    [row] = transactions.in_flight(ACCOUNT)
    assert (row.state, row.inclusion) == ("sent", None)
    assert transactions.spent_since(ACCOUNT, 0) == 0


def test_what_is_superseded_or_reverted_is_over(transactions):
    transactions.supersede(transactions.begin(ACCOUNT, 7, CALLS, attempt(1), 0))
    key = transactions.begin(ACCOUNT, 7, CALLS, attempt(2), 0)
    transactions.mark_mined(key, "reverted", inclusion(2))
    assert transactions.in_flight(ACCOUNT) == transactions.unfinal(ACCOUNT) == []
    assert [row.state for row in transactions.recent(10)] == ["reverted", "superseded"]


def test_accounts_do_not_see_each_other(transactions):
    transactions.begin(OTHER, 1, CALLS, attempt(1), 5)
    assert transactions.in_flight(ACCOUNT) == []
    assert transactions.first_at(ACCOUNT) is None
    key = transactions.begin(ACCOUNT, 1, CALLS, attempt(2), 6)
    transactions.mark_mined(key, "mined", inclusion(2))
    assert transactions.unfinal(OTHER) == []
    assert transactions.spent_since(OTHER, 0) == 0
    assert transactions.first_at(ACCOUNT) == 6


def test_several_in_flight_come_by_nonce(transactions):
    for number in (9, 7, 8):
        transactions.begin(ACCOUNT, number, CALLS, attempt(number), 0)
    assert [row.nonce for row in transactions.in_flight(ACCOUNT)] == [7, 8, 9]


def test_the_newest_come_first_and_no_more_than_asked_for(transactions):
    for number in range(5):
        transactions.begin(ACCOUNT, 9 - number, CALLS, attempt(number), 0)
    assert [row.nonce for row in transactions.recent(2)] == [5, 6]
    assert [row.attempts for row in transactions.recent(2)] == [(attempt(4),), (attempt(3),)]


def test_fees_of_a_time_are_added_up_however_large_they_are(transactions):
    for number, state in ((1, "mined"), (2, "reverted"), (3, "mined")):
        key = transactions.begin(ACCOUNT, number, CALLS, attempt(number), 100 * number)
        transactions.mark_mined(key, state, inclusion(number, fee=10**20 + number))
    transactions.begin(ACCOUNT, 4, CALLS, attempt(4), 400)
    assert transactions.spent_since(ACCOUNT, 200) == 2 * 10**20 + 5
    assert transactions.first_at(ACCOUNT) == 100


def test_bytes_that_are_signed_again_belong_to_the_newer_transaction(transactions):
    old = transactions.begin(ACCOUNT, 7, CALLS, attempt(1), 0)
    transactions.supersede(old)
    new = transactions.begin(ACCOUNT, 7, CALLS, attempt(1), 1)
    found = {row.id: row.attempts for row in transactions.recent(10)}
    assert found == {old: (), new: (attempt(1),)}


def test_a_long_list_of_work_is_told_by_its_beginning(transactions):
    items = [(Item("settle", bytes(32), i, i + 1, f"window {i}"),) for i in range(60)]
    transactions.begin(ACCOUNT, 7, items, attempt(1), 0)
    [row] = transactions.recent(1)
    assert row.about == "window 0; window 1; window 2 and 57 more"
