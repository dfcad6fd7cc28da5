"""Evidence is not forgotten as long as somebody may ask for it: whatever an operator set."""

from __future__ import annotations

import pytest

from relayer.settlement import MARGIN_SECONDS, RULING_SECONDS, Settler
from relayer.store import Store
from tests import samples

DAY = 86_400
START = 1_800_000_000
ARBITER = samples.wallet(7).address


def settler(*, over=0, released=None, windows=3, status="open", **terms):
    """One that has looked at the chain already, and found so many windows over."""
    feed = samples.feed(START, interval=3_600, window_intervals=24, deadline=7_200)
    agreed = samples.terms(feed, windows=windows, **{"token": None, "oracle": None} | terms)
    made = Settler.__new__(Settler)
    made._terms = agreed
    made._windows = windows
    made._window = over
    made._unreleased = over if released is None else released
    made._status = status
    return made


def expiry(of, window):
    return of._terms.expiry(window)


def test_a_window_that_is_not_closed_is_kept_however_long_ago_it_was():
    one = settler(over=1)
    assert one.disputable_since(START + 3_650 * DAY) == START + DAY
    assert settler(over=0).disputable_since(START + 3_650 * DAY) == START


def test_a_closed_window_is_kept_for_a_margin():
    one = settler(over=3)
    until = expiry(one, 0) + MARGIN_SECONDS
    assert one.disputable_since(until) == START
    assert one.disputable_since(until + 1) == START + DAY
    assert one.disputable_since(expiry(one, 2) + MARGIN_SECONDS + 1) is None


def test_with_an_arbiter_it_is_kept_through_challenge_and_ruling():
    challenge = 5 * DAY
    one = settler(over=3, arbiter=ARBITER, challenge_period=challenge)
    until = expiry(one, 0) + 2 * challenge + RULING_SECONDS + MARGIN_SECONDS
    assert one.disputable_since(until) == START
    assert one.disputable_since(until + 1) == START + DAY


def test_what_waits_in_the_court_is_kept():
    one = settler(over=3, released=1, arbiter=ARBITER, challenge_period=DAY)
    assert one.disputable_since(START + 3_650 * DAY) == START + DAY


@pytest.mark.parametrize(("status", "kept"), [("none", None), ("", START), ("ended", START)])
def test_of_an_agreement_that_was_never_opened_nothing_is_kept(status, kept):
    """Unless nobody knows yet whether it was: the chain has not answered."""
    assert settler(status=status).disputable_since(START + 10 * DAY) == kept


def test_a_relayer_forgets_nothing_that_may_be_asked_for(small_world):
    """A window of an hour that nobody can close: its readings stay, though they are older than the operator wants."""
    world = small_world
    store = Store(world.folder / "relayer.sqlite", clock=world.now)
    world.stores.append(store)
    relayer = world.relayer(store)
    relayer._keep_days = 1
    world.warp(3_700)
    relayer.once(100)
    world.warp(8 * DAY)
    now = world.now()
    assert relayer._days_to_keep(now) >= 8
    relayer._pruned_at = 0.0
    relayer._prune()
    assert len(store.readings.answered(world.feed.id, 0)) == 60
    # A closed one goes when its time is over.
    for _ in range(3):
        relayer.once(100)
    world.warp(40 * DAY)
    for _ in range(3):
        relayer.once(100)
    relayer._pruned_at = 0.0
    relayer._prune()
    assert store.readings.answered(world.feed.id, 0) == []
