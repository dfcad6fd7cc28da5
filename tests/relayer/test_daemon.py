"""The relayer's loop against a real chain: five stored steps, payments as soon as they are certain, and crashes in between."""

from dataclasses import replace

import pytest

from oracles import NO_DATA, AccessRefused, Unavailable
from relayer.bindings import Court
from relayer.errors import ChainUnavailable
from relayer.protocol.tally import Tally
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.relayer.world import BAD, HOUR, ScriptedService
from tests.samples import FEE, reporter_wallets

TEN_PERCENT = FEE // 10
KEY = reporter_wallets(1)[0]


def service_with(answers, world):
    service = ScriptedService(clock=world.now)
    service.answers = answers
    return service


def tally(world, feed=None):
    return world.oracle.tally((feed or world.feed).ref, 0)


def test_a_breach_is_paid_and_the_rest_goes_to_the_provider(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({3: BAD}, world))

    world.warp(4 * 60)
    relayer.once(100)
    assert world.balances() == (0, 0, FEE), "interval 3 has not settled yet"

    world.warp(4 * 60 + 30)
    relayer.once(100)
    assert tally(world) == Tally(60, judged=4, bad=1, longest_run=1)
    assert world.balances() == (TEN_PERCENT, 0, FEE - TEN_PERCENT)

    world.warp(60 * 60 + 30)
    relayer.once(100)
    assert tally(world) == Tally(60, judged=60, bad=1, longest_run=1)
    assert world.balances() == (TEN_PERCENT, FEE - TEN_PERCENT, 0)
    assert world.transactions(store) == [
        ("report", "mined"),
        ("settle", "mined"),
        ("report", "mined"),
        ("close", "mined"),
    ]


def test_a_healthy_feed_is_reported_at_its_cadence_only(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store)
    for minute in range(2, 22):
        world.warp(minute * 60 + 31)
        relayer.once(100)
    assert world.transactions(store) == [("report", "mined")] * 2
    assert tally(world).judged == 20


def test_what_happens_outside_the_service_hours_is_no_reason_to_hurry(make_world):
    world = make_world(hours_off=2, window_intervals=180)
    store = world.store()
    relayer = world.relayer(store, service_with(dict.fromkeys(range(180), BAD), world))
    world.warp(4 * 60)
    relayer.once(100)
    assert world.transactions(store) == []
    world.warp(11 * 60)
    relayer.once(100)
    assert world.transactions(store) == [("report", "mined")]
    off = 120 - world.start % 3_600 // 60
    assert tally(world) == Tally(180 - off)

    world.warp((off + 2) * 60 + 31)
    relayer.once(100)
    found = tally(world)
    assert (found.judged, found.bad) == (2, 2)
    assert world.balances()[0] == TEN_PERCENT


def test_an_agreement_that_was_ended_is_served_to_its_end_and_no_further(make_world):
    world = make_world(windows=3)
    store = world.store()
    relayer = world.relayer(store, service_with({3: BAD}, world))
    world.warp(4 * 60 + 31)
    relayer.once(100)
    assert world.balances() == (TEN_PERCENT, 0, 3 * FEE - TEN_PERCENT)

    world.terminate(window=1, to_provider=FEE)
    assert world.balances() == (FEE + TEN_PERCENT, FEE, FEE - TEN_PERCENT)
    world.warp(2 * 60 * 60)
    relayer.once(100)
    assert world.oracle.next_interval(world.feed.id) == 60
    assert world.balances() == (FEE + TEN_PERCENT, 2 * FEE - TEN_PERCENT, 0)
    world.warp(4 * 60 * 60)
    relayer.once(100)
    assert world.oracle.next_interval(world.feed.id) == 60


def test_a_window_that_both_ended_in_its_middle_needs_no_more_reports(make_world):
    world = make_world(windows=2)
    store = world.store()
    relayer = world.relayer(store)
    world.warp(10 * 60 + 31)
    relayer.once(100)
    world.terminate(window=0, to_provider=0)
    world.warp(60 * 60)
    relayer.once(100)
    assert world.transactions(store) == [("report", "mined")]
    assert world.balances() == (2 * FEE, 0, 0)


def test_no_data_is_never_a_number(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: NO_DATA, 1: BAD}, world))
    world.warp(2 * 60 + 30)
    relayer.once(100)
    assert tally(world) == Tally(60, judged=2, bad=1, unknown=1, longest_run=1)


@pytest.mark.parametrize("error", [Unavailable("timeout"), AccessRefused("403")])
def test_a_failing_monitoring_service_is_retried_and_never_signed(small_world, error):
    world, store = small_world, small_world.store()
    service = service_with({0: BAD, 1: error}, world)
    relayer = world.relayer(store, service)
    world.warp(2 * 60 + 30)
    relayer.once(100)
    assert tally(world).judged == 1, "interval 0 is reported, the rest waits for an answer"
    assert store.readings.summary(world.feed.id, 1)["problem"] == str(error)

    service.answers[1] = BAD
    world.warp(4 * 60)
    relayer.once(100)
    assert tally(world) == Tally(60, judged=3, bad=2, longest_run=2)


def test_what_is_unanswered_at_the_deadline_becomes_unknown(small_world):
    world, store = small_world, small_world.store()
    answers = dict.fromkeys(range(11), AccessRefused("403"))
    relayer = world.relayer(store, service_with(answers, world))
    world.warp(11 * 60 + 7_200 - 30)
    relayer.once(100)
    # Intervals 0 to 9 are overdue; interval 10 has half a minute left.
    assert tally(world) == Tally(60, judged=10, unknown=10)
    assert world.transactions(store) == [("skip", "mined")]


def test_a_service_that_is_away_for_hours_costs_a_transaction_for_each_cadence(make_world):
    """Ten minutes; feeds go together. Not one for each interval."""
    world = make_world(feeds=2, batcher=True)
    store, answers = world.store(), dict.fromkeys(range(60), AccessRefused("403"))
    relayer = world.relayer(store, service_with(answers, world))
    for minute in range(1, 25):
        world.warp(minute * 60 + 7_200)
        relayer.once(100)
    assert [tally(world, feed) for feed in world.feeds] == [Tally(60, judged=20, unknown=20)] * 2
    assert world.transactions(store) == [("skip", "mined")] * 2


def test_the_end_of_a_window_waits_for_no_cadence(make_world):
    world = make_world(window_intervals=12)
    store, answers = world.store(), dict.fromkeys(range(12), AccessRefused("403"))
    relayer = world.relayer(store, service_with(answers, world))
    for minute, judged in ((9, 0), (10, 10), (11, 10), (12, 12)):
        world.warp(minute * 60 + 7_200)
        relayer.once(100)
        assert tally(world) == Tally(12, judged=judged, unknown=judged)


def test_an_interval_has_one_answer_for_ever(small_world):
    world, store = small_world, small_world.store()
    service = service_with({}, world)
    relayer = world.relayer(store, service)
    world.warp(90)
    relayer.once(100)
    before = store.readings.answered(world.feed.id, 0)[0]

    service.answers[0] = BAD  # the monitoring service changes its mind
    fresh = world.relayer(store, service)
    world.warp(2 * 60 + 30)
    fresh.once(100)
    assert store.readings.answered(world.feed.id, 0)[0] == before
    assert service.asked == [0, 1]


def test_without_a_key_nothing_is_signed_or_sent(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world), dry=True)
    world.warp(2 * 60 + 30)
    relayer.once(100)
    assert len(store.readings.answered(world.feed.id, 0)) == 2
    assert store.bundles.newest(world.feed.id, 0) == []
    assert store.transactions.recent(10) == []


class Killed(BaseException):
    """What SIGKILL is to a process: nothing after it runs."""


STEPS = [
    ("relayer.store.readings.Readings", "schedule"),
    ("relayer.store.readings.Readings", "save"),
    ("relayer.store.bundles.Bundles", "save"),
    ("relayer.store.transactions.Transactions", "begin"),
    ("relayer.chain.Chain", "broadcast"),
    ("relayer.store.transactions.Transactions", "mark_mined"),
]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("owner", "step"), STEPS)
def test_a_crash_around_any_step_changes_nothing(small_world, monkeypatch, owner, step, moment):
    world = small_world
    service = service_with({3: BAD}, world)
    world.warp(4 * 60 + 30)

    with monkeypatch.context() as patched:
        module, _, name = owner.rpartition(".")
        kind = getattr(__import__(module, fromlist=[name]), name)
        original = getattr(kind, step)

        def dies(self, *args, **kwargs):
            if moment == "after":
                original(self, *args, **kwargs)
            raise Killed

        patched.setattr(kind, step, dies)
        with pytest.raises(Killed):
            world.relayer(world.store(), service).once(100)

    store = world.store()
    world.relayer(store, service).once(100)
    assert world.balances() == (TEN_PERCENT, 0, FEE - TEN_PERCENT)
    assert tally(world) == Tally(60, judged=4, bad=1, longest_run=1)
    assert sorted(world.transactions(store)) == [("report", "mined"), ("settle", "mined")]
    assert service.asked.count(3) <= 2


def test_a_stuck_transaction_is_replaced_with_higher_fees(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    world.rpc("evm_setAutomine", False)
    try:
        with pytest.raises(ChainUnavailable, match="in flight"):
            relayer.once(0.5)
        [stuck] = store.transactions.in_flight(KEY.address)
        relayer._outbox._clock = lambda: world.now() + 46
        assert relayer.round()
        assert relayer.round()
        [again] = store.transactions.in_flight(KEY.address)
        assert again.nonce == stuck.nonce
        first, newer = again.attempts
        assert first == stuck.attempts[0]
        assert newer.max_fee >= first.max_fee * 1.1
        assert newer.priority_fee >= first.priority_fee * 1.1
        world.rpc("evm_mine")
    finally:
        world.rpc("evm_setAutomine", True)
    relayer.once(100)
    assert world.balances()[0] == TEN_PERCENT
    assert world.transactions(store) == [("report", "mined"), ("settle", "mined")]


def test_another_relayer_that_was_faster_costs_nothing(small_world):
    world = small_world
    answers = {0: BAD}
    world.warp(90)
    slow = world.relayer(world.store("slow.sqlite"), service_with(answers, world))
    slow._lookout.observe(world.chain.now())
    slow._lookout.sources[0].step()
    fast_store = world.store("fast.sqlite")
    world.relayer(fast_store, service_with(answers, world)).once(100)
    slow.once(100)
    assert world.transactions(slow._store) == []
    assert world.balances()[0] == TEN_PERCENT


def test_the_chain_being_away_is_no_reason_to_stop(small_world, monkeypatch):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)

    def away(*_):
        raise ChainUnavailable("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(type(world.chain), "head", away)
        assert relayer._guarded_round() == 1
    relayer.once(100)
    assert world.balances()[0] == TEN_PERCENT


@pytest.fixture
def world_with_court(small_world):
    """Its payments wait an hour, in which they may be disputed."""
    world, consumer = small_world, samples.wallet(2)
    terms = replace(world.terms, arbiter=samples.wallet(7).address, challenge_period=HOUR)
    world.chain.send(world.token.mint(consumer.address, FEE), consumer)
    world.chain.send(world.token.approve(world.escrow.address, FEE), consumer)
    domain = Domain(world.chain.chain_id, world.escrow.address)
    world.chain.send(world.escrow.open(terms, *samples.signatures(domain, terms)), consumer)
    return replace(world, terms=terms, agreement_id=world.escrow.agreement_id(terms))


def test_what_came_into_the_court_is_released_although_a_node_was_behind(
    world_with_court, monkeypatch
):
    """The window is closed, and the node that is asked next has not heard of it."""
    world = world_with_court
    relayer = world.relayer(world.store())
    world.warp(60 * 60 + 31)
    before = world.token.balance(world.terms.provider)
    with monkeypatch.context() as behind:
        behind.setattr(Court, "waiting", lambda *_: (0, 0))
        relayer.once(60)
    assert world.escrow.window(world.agreement_id, 0)[0] == "closed"
    assert world.token.balance(world.terms.provider) == before
    for hours in (2, 3):
        world.warp(hours * HOUR + 120)
        relayer.once(60)
    assert world.token.balance(world.terms.provider) == before + FEE
