"""What goes wrong at three in the morning: clocks, nodes, reorganisations, neighbours. The relayer goes on by itself."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import structlog

from oracles import NO_DATA, Unavailable
from relayer.assembly import assemble
from relayer.bindings import Escrow
from relayer.chain import Chain
from relayer.config import Configuration
from relayer.errors import ChainUnavailable, ConfigurationError, MakegoodError, Reverted
from relayer.lookout import Task, Watch
from relayer.operations.alerts import Alerts
from relayer.protocol.tally import Tally
from relayer.store import Store
from relayer.store.transactions import Attempt, Item
from tests import samples
from tests.relayer.world import BAD, ScriptedService
from tests.samples import FEE

TEN_PERCENT = FEE // 10
KEY = samples.reporter_wallets(1)[0]


def service_with(answers, world, clock=None):
    service = ScriptedService(clock=clock or world.now)
    service.answers = answers
    return service


def tally(world):
    return world.oracle.tally(world.feed.ref, 0)


def rounds(daemon, count):
    """As the daemon's loop does it, with the sources' threads in step; returns the log."""
    with structlog.testing.capture_logs() as logs:
        for _ in range(count):
            for source in daemon._lookout.sources:
                source.step()
            daemon._guarded_round()
    return logs


# Clocks


def test_a_clock_that_is_ahead_delays_nothing(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world), clock=lambda: world.now() + 100)
    for minute in range(2, 6):
        world.warp(minute * 60 + 31)
        relayer.once(100)
    assert world.balances()[0] == TEN_PERCENT


def test_a_clock_that_jumps_ahead_reads_no_future(small_world):
    world, store = small_world, small_world.store()
    ahead = [3_600]

    class Honest(ScriptedService):
        def _answer(self, query, interval):
            over = interval.end <= world.now()
            return self.says(query, interval, BAD if over else NO_DATA)

    def clock():
        return world.now() + ahead[0]

    relayer = world.relayer(store, Honest(clock=clock), clock=clock)
    world.warp(61)
    relayer.once(100)
    ahead[0] = 0
    world.warp(10 * 60 + 31)
    relayer.once(100)
    assert tally(world) == Tally(60, judged=10, bad=10, longest_run=10)


# Neighbours


def test_an_agreement_that_fails_holds_up_no_other(small_world):
    world, store = small_world, small_world.store()
    broken = Watch(
        world.settler("broken", agreement_id=b"\x01" * 32, escrow=samples.wallet(77).address), ()
    )
    relayer = world.relayer(store, service_with({0: BAD}, world), others=[broken])
    world.warp(90)
    logs = rounds(relayer, 12)
    assert world.balances()[0] == TEN_PERCENT
    assert len([line for line in logs if line["action"] == "part_failed"]) == 1, "said once"


@pytest.mark.parametrize("problem", [Unavailable("timeout"), OverflowError("a bug in an adapter")])
def test_a_feed_that_fails_holds_up_no_other(small_world, problem):
    world, store = small_world, small_world.store()
    measurement = replace(world.feed.measurement, interval=30)
    other = replace(world.feed, descriptor=b"\x77" * 32, measurement=measurement)

    class Half(ScriptedService):
        def _answer(self, query, interval):
            if query.length == 30 and isinstance(problem, OverflowError):
                raise problem
            return problem if query.length == 30 else super()._answer(query, interval)

    service = Half(clock=world.now)
    service.answers = {0: BAD}
    relayer = world.relayer(store, service)
    [watch] = relayer._lookout.watches
    [task] = watch.tasks
    second = Task(task.seat, task.source, world.watched("second", other, service))
    settler = world.settler("agreement")
    settler.feeds += (other.id,)  # as if the agreement had two levels
    relayer._lookout.watches = [Watch(settler, (second, task))]
    world.warp(90)
    rounds(relayer, 12)
    assert world.balances()[0] == TEN_PERCENT


def test_a_database_belongs_to_one_chain(tmp_path):
    store = Store(tmp_path / "relayer.sqlite")
    store.bind(1)
    store.bind(1)
    with pytest.raises(ConfigurationError, match="belongs to chain 1, not to chain 5"):
        store.bind(5)
    store.close()


def test_assembling_binds_the_database(small_world):
    store = small_world.store()
    store.bind(1)
    with pytest.raises(ConfigurationError, match="belongs to chain 1"):
        assemble(
            chain=small_world.chain,
            store=store,
            account=None,
            documents=[],
            config=Configuration(),
            alerts=Alerts(),
        )


# Nodes


def test_one_stale_answer_gives_no_window_up(small_world, monkeypatch):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    real, asked = Escrow.window, []

    def stale_once(self, *arguments):
        asked.append(arguments)
        return ("unfunded", 0) if len(asked) == 1 else real(self, *arguments)

    monkeypatch.setattr(Escrow, "window", stale_once)
    for minute in (2, 12):
        relayer.once(100)
        world.warp(minute * 60 + 31)
    assert world.balances()[0] == TEN_PERCENT


def test_a_report_that_a_reorganisation_removed_is_made_again(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    before = world.rpc("evm_snapshot")
    relayer.once(100)
    assert world.balances()[0] == TEN_PERCENT
    world.rpc("evm_revert", before)
    assert world.balances()[0] == 0
    rounds(relayer, 12)
    assert world.balances()[0] == TEN_PERCENT


def test_a_nonce_that_a_reorganisation_took_back_is_no_dead_end(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    before = world.rpc("evm_snapshot")
    relayer._lookout.observe(world.chain.now())
    relayer._lookout.sources[0].step()
    relayer.round()  # the report, mined at once
    world.rpc("evm_setAutomine", False)
    relayer.round()  # the settlement, pending
    assert [t.purposes for t in store.transactions.in_flight(KEY.address)] == [["settle"]]
    world.rpc("anvil_dropAllTransactions")
    world.rpc("evm_revert", before)
    world.rpc("evm_setAutomine", True)
    relayer._outbox._clock = lambda: (
        world.now() + 46
    )  # what the pool has lost is sent again after a while
    rounds(relayer, 12)
    assert world.balances()[0] == TEN_PERCENT


def test_a_transaction_that_no_node_takes_is_given_up(small_world):
    world, store = small_world, small_world.store()
    transaction = {
        "type": 2,
        "chainId": world.chain.chain_id,
        "to": KEY.address,
        "nonce": world.chain.nonce(KEY.address),
        "data": b"",
        "value": 0,
        "gas": 10**9,  # more than a block has
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
    }
    signed = KEY.sign_transaction(transaction)
    attempt = Attempt(bytes(signed.hash), bytes(signed.raw_transaction), 10**10, 10**9)
    item = Item("report", b"feed", 0, 1, "too large")
    store.transactions.begin(KEY.address, transaction["nonce"], [(item,)], attempt, world.now())
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    rounds(relayer, 12)
    assert world.balances()[0] == TEN_PERCENT


def test_what_reverts_on_chain_is_not_paid_for_again_and_again(small_world, monkeypatch):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    monkeypatch.setattr(Chain, "simulate", lambda *_: None)
    prepare = Chain.prepare

    def with_too_little_gas(self, *arguments, **named):
        return prepare(self, *arguments, **named) | {"gas": 60_000}

    monkeypatch.setattr(Chain, "prepare", with_too_little_gas)
    rounds(relayer, 30)
    states = [state for _, state in world.transactions(store)]
    assert 1 <= states.count("reverted") <= 2


def test_a_fee_at_its_maximum_floods_neither_log_nor_node(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    world.rpc("evm_setAutomine", False)
    try:
        with pytest.raises(ChainUnavailable, match="in flight"):
            relayer.once(0.5)
        [pending] = store.transactions.in_flight(KEY.address)
        world.chain.max_fee_per_gas = pending.attempts[-1].max_fee
        relayer._outbox._clock = lambda: world.now() + 46
        logs = rounds(relayer, 20)
        assert len([line for line in logs if line.get("alert") == "fee_capped"]) <= 1, "said once"
        [still] = store.transactions.in_flight(KEY.address)
        assert still.attempts == pending.attempts
        world.rpc("evm_mine")
    finally:
        world.rpc("evm_setAutomine", True)


def test_what_fails_is_said_once_and_fails_a_single_run(small_world, monkeypatch):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({}, world))
    world.warp(90)

    def fails(*_):
        raise Reverted("the contract refused: SLAEscrow_OracleFailed(level=0, expiry=1)")

    monkeypatch.setattr(Escrow, "claimable", fails)
    logs = rounds(relayer, 10)
    assert len([line for line in logs if line["action"] == "part_failed"]) == 1
    with pytest.raises(MakegoodError, match="OracleFailed"):
        relayer.once(100)


def test_an_empty_wallet_grows_nothing_and_goes_on_when_it_is_filled(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({0: BAD}, world))
    world.warp(90)
    world.rpc("anvil_setBalance", KEY.address, "0x0")
    rounds(relayer, 20)
    assert len(store.transactions.recent(1_000)) <= 1
    world.rpc("anvil_setBalance", KEY.address, hex(10**18))
    rounds(relayer, 12)
    assert world.balances()[0] == TEN_PERCENT


def test_a_dead_oracle_does_not_keep_the_money(small_world):
    """Rule 13."""
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({}, world))
    world.warp(60 * 60 + 2 * 7_200 + 30 * 86_400 + 10)
    world.rpc("anvil_setCode", world.oracle.address, "0x60006000fd")  # reverts, for ever
    for _ in range(8):
        relayer._guarded_round()
    assert world.balances() == (0, FEE, 0)


def test_samples_that_are_always_due_do_not_keep_a_source_from_reading(small_world):
    world, store = small_world, small_world.store()
    lost = [0.0]

    class Busy(ScriptedService):
        def sample(self, queries, now):
            return now + 1

        def delay(self, query):
            lost[0] += 1.2  # what looking things up takes, on a bad day
            return 0

    def clock():
        return world.now() + lost[0]

    relayer = world.relayer(store, Busy(clock=clock), clock=clock)
    world.warp(10 * 60 + 31)
    relayer._lookout.observe(world.chain.now())
    [source] = relayer._lookout.sources
    source._thread = threading.current_thread()  # as if the daemon ran
    for _ in range(5):
        source.step()
    assert len(store.readings.answered(world.feed.id, 0)) == 5


# Order


def test_nothing_is_reported_after_the_end_of_the_agreement(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with({}, world))
    world.warp(200 * 60)
    relayer.once(60)
    assert world.oracle.next_interval(world.feed.id) == 60
    assert world.balances() == (0, FEE, 0)


def test_what_was_read_is_reported_before_an_expired_window_is_closed(small_world):
    world, store = small_world, small_world.store()
    relayer = world.relayer(store, service_with(dict.fromkeys(range(60), BAD), world))
    world.warp(60 * 60 + 30)
    relayer._lookout.observe(world.chain.now())
    relayer._lookout.sources[0].step()  # all is read; then nothing can be sent for a month
    world.warp(60 * 60 + 2 * 7_200 + 30 * 86_400 + 10)
    for _ in range(12):
        relayer._guarded_round()
    assert world.balances() == (FEE, 0, 0)


def test_once_draws_no_conclusion_from_samples_it_did_not_take(small_world):
    world, store = small_world, small_world.store()

    class Probe(ScriptedService):
        def sample(self, queries, now):
            return now + 1

    relayer = world.relayer(store, Probe(clock=world.now))
    world.warp(10 * 60)
    relayer.once(100)
    assert store.readings.answered(world.feed.id, 0) == []
