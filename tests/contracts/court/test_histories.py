"""What no order of calls can break: the invariants of `INVARIANTS.md`, tried on random histories."""

from dataclasses import dataclass, field

import brownie
import pytest
from brownie.test import strategy
from hypothesis import strategies as st

from relayer.protocol.report import ALL_INTERVALS, batches_as_abi
from relayer.protocol.terms import Level, Terms, UnknownPolicy
from relayer.protocol.typed_data import Domain, digest, terms_message
from tests import samples
from tests.contracts.court.world import (
    CONSUMER,
    DOLLAR,
    FEE,
    LAPSED,
    NONE,
    OPEN,
    PROVIDER,
    RULED,
    RULING_PERIOD,
)
from tests.contracts.escrow.world import CODES, attempt, read, request

INTERVALS = 12
PERIOD = 900
# [bps of the fee] for a bad interval.
STEP = 800
UNIT = FEE * STEP // 10_000
SIDES = (CONSUMER, PROVIDER)

# How often each is tried, in relation to the others.
ACTIONS = {
    "report": 8,
    "settle": 8,
    "close": 3,
    "release": 6,
    "dispute": 5,
    "rule": 4,
    "lapse": 2,
    "redeliver": 2,
    "deny": 2,
    "donate": 1,
    "skim": 1,
    "wait": 4,
}


@dataclass
class Queue:
    """Payments to one side of an agreement, as the court keeps them, and one by one."""

    matured: int = 0
    maturing: tuple = (0, 0)
    later: tuple = (0, 0)
    payments: list = field(default_factory=list)
    released: int = 0
    status: int = NONE
    disputed: int = 0
    ruling_by: int = 0

    def roll(self, now):
        for _ in range(2):
            if self.maturing[0] and self.maturing[1] <= now:
                self.matured += self.maturing[0]
                self.maturing, self.later = self.later, (0, 0)

    def book(self, amount, now):
        self.roll(now)
        if self.maturing[0]:
            self.later = (self.later[0] + amount, now + PERIOD)
        else:
            self.maturing = (amount, now + PERIOD)
        self.payments.append([amount, now])

    def freeze(self, amount):
        """The newest payments first."""
        left = amount
        for payment in reversed(self.payments):
            taken = min(left, payment[0])
            payment[0] -= taken
            left -= taken
        from_later = min(amount, self.later[0])
        for name, taken in (("later", from_later), ("maturing", amount - from_later)):
            rest = getattr(self, name)[0] - taken
            setattr(self, name, (rest, getattr(self, name)[1]) if rest else (0, 0))

    def check_times(self, now):
        """J3."""
        mature = self.released + self.matured
        must = sum(amount for amount, booked in self.payments if booked + 2 * PERIOD <= now)
        may = sum(amount for amount, booked in self.payments if booked + PERIOD <= now)
        assert must <= mature <= may
        assert mature + self.maturing[0] + self.later[0] == sum(a for a, _ in self.payments)

    @property
    def frozen(self):
        return self.disputed if self.status == OPEN else 0

    @property
    def waits(self):
        return self.matured + self.maturing[0] + self.later[0]


@dataclass
class Agreement:
    terms: Terms
    id: bytes
    paid: int = 0
    closed: bool = False
    consumer_got: int = 0
    queues: tuple = field(default_factory=lambda: (Queue(), Queue()))


class Histories:
    """Two agreements over one feed: one pays for unknown intervals, the other does not. The token can refuse to deliver."""

    # One rule that draws its action: hypothesis leaves out whole rules at random.
    st_action = st.sampled_from(
        [action for action, weight in ACTIONS.items() for _ in range(weight)]
    )
    st_agreement = strategy("uint8", max_value=1)
    st_side = strategy("uint8", max_value=1)
    st_answers = st.text("gbuu", min_size=1, max_size=4)
    st_share = st.sampled_from([0, 1, 33, 100])
    st_wait = st.sampled_from([1, 60, PERIOD // 2, PERIOD, 2 * PERIOD, RULING_PERIOD])

    def __init__(self, escrow, oracle, token, at):
        # `self` is the machine's class here: a bare function would become its method.
        self.at = staticmethod(at)
        self.escrow, self.oracle, self.token = escrow, oracle, token
        self.court = brownie.DisputeCourt.at(escrow.court())
        self.provider, self.consumer, self.stranger, self.arbiter = brownie.accounts[1:5]
        self.parties = self.consumer, self.provider
        for party in self.parties:
            token.mint(party, 2**100, {"from": party})
            token.approve(self.court, 2**100, {"from": party})
        token.approve(escrow, 2**100, {"from": self.consumer})

    def setup(self):
        self.now = brownie.chain[-1].timestamp
        start = (self.now // 3_600 + 2) * 3_600
        self.feed = samples.feed(start, interval=300, window_intervals=INTERVALS, settle_delay=1)
        self.said = ""
        self.agreements = []
        for policy, deposit in ((UnknownPolicy.BAD, 7 * DOLLAR), (UnknownPolicy.EXCLUDED, 0)):
            terms = samples.terms(
                self.feed,
                token=self.token.address,
                oracle=self.oracle.address,
                levels=(Level(self.feed.ref, (), credit_per_bad_interval=STEP),),
                windows=1,
                unknown_policy=policy,
                arbiter=self.arbiter.address,
                challenge_period=PERIOD,
                dispute_deposit=deposit,
            )
            domain = Domain(brownie.chain.id, self.escrow.address)
            signed = samples.signatures(domain, terms)
            self._send(True, self.consumer, self.escrow.open, terms.as_abi(), *signed)
            self.agreements.append(Agreement(terms, digest(terms_message(domain, terms))))
        self.denied = [False, False]
        self.withheld = [0, 0]
        self.money = [2**100 - 2 * FEE, 2**100]
        self.donated = 0
        self.touched = self.agreements[0]

    def _send(self, expected, sender, method, *args):
        """One transaction, one second later; the model says whether it is accepted."""
        self.now += 1
        self.at(self.now)
        receipt = attempt(sender, method._address, method.encode_input(*args))
        assert (receipt is not None) == expected, method._name
        return receipt is not None

    def _pay(self, agreement, side, amount, deposit=0):
        """`deposit` is no part of the agreement's money."""
        if side == CONSUMER:
            agreement.consumer_got += amount
        if self.denied[side]:
            self.withheld[side] += amount + deposit
        else:
            self.money[side] += amount + deposit

    # THE RULES

    def rule(self, st_action, st_agreement, st_side, st_answers, st_share, st_wait):
        self.touched = agreement = self.agreements[st_agreement]
        match st_action:
            case "report":
                self._report(st_answers)
            case "settle":
                self._settle(agreement)
            case "close":
                self._close(agreement)
            case "release":
                self._release(agreement, st_side)
            case "dispute":
                self._dispute(agreement, st_side)
            case "rule":
                self._rule(agreement, st_side, st_share)
            case "lapse":
                self._lapse(agreement, st_side)
            case "redeliver":
                self._redeliver(st_side)
            case "deny":
                self._deny(st_side, denied=not self.denied[st_side])
            case "donate":
                self._send(True, self.stranger, self.token.mint, self.court.address, st_wait)
                self.donated += st_wait
            case "skim":
                args = self.token.address, self.stranger.address
                self._send(True, self.stranger, self.court.skim, *args)
                self.donated = 0
            case "wait":
                if st_wait == RULING_PERIOD:
                    # a window that expires before it is judged is the escrow's matter
                    self._report_all()
                self.now += st_wait
                self.at(self.now)
                request("evm_mine")

    def _report(self, answers):
        answers = answers[: INTERVALS - len(self.said)]
        if not answers:
            return
        first = len(self.said)
        self.said += answers
        self.now = max(self.now, self.feed.measurement.readable_at(len(self.said) - 1))
        domain = Domain(brownie.chain.id, self.oracle.address)
        codes = [CODES[letter] for letter in answers]
        signed = [samples.signed_batch(domain, self.feed, who, first, codes) for who in (0, 1)]
        args = self.feed.as_abi(), ALL_INTERVALS, batches_as_abi(signed)
        self._send(True, self.stranger, self.oracle.report, *args)

    def _report_all(self):
        while len(self.said) < INTERVALS:
            self._report("bgug")

    def _bounds(self):
        bad, unknown = self.said.count("b"), self.said.count("u")
        return bad * UNIT, (bad + unknown) * UNIT

    def _due(self, agreement):
        if agreement.closed:
            return 0
        pays_unknown = agreement.terms.unknown_policy is UnknownPolicy.BAD
        return self._bounds()[pays_unknown] - agreement.paid

    def _settle(self, agreement):
        possible = not agreement.closed
        if self._send(possible, self.stranger, self.escrow.settle, agreement.terms.as_abi(), 0):
            self._settled(agreement)

    def _settled(self, agreement):
        if due := self._due(agreement):
            agreement.paid += due
            agreement.queues[CONSUMER].book(due, self.now)

    def _close(self, agreement):
        possible = not agreement.closed and len(self.said) == INTERVALS
        if self._send(possible, self.stranger, self.escrow.close, agreement.terms.as_abi(), 0):
            self._settled(agreement)
            agreement.closed = True
            agreement.queues[PROVIDER].book(FEE - agreement.paid, self.now)

    def _release(self, agreement, side):
        queue = agreement.queues[side]
        queue.roll(self.now + 1)
        args = agreement.terms.as_abi(), 0, side
        if self._send(queue.matured > 0, self.stranger, self.court.release, *args):
            self._pay(agreement, side, queue.matured)
            queue.released += queue.matured
            queue.matured = 0

    def _dispute(self, agreement, side):
        queue = agreement.queues[side]
        queue.roll(self.now + 1)
        least, most = self._bounds()
        paid = agreement.paid + self._due(agreement)
        disputable = paid - least if side == CONSUMER else most - agreement.paid
        amount = min(queue.maturing[0] + queue.later[0], disputable)
        other = self.parties[1 - side]
        args = agreement.terms.as_abi(), 0, side
        possible = queue.status == NONE and amount > 0
        if self._send(possible, other, self.court.dispute, *args):
            queue.freeze(amount)
            queue.status, queue.disputed = OPEN, amount
            queue.ruling_by = self.now + RULING_PERIOD
            self.money[1 - side] -= agreement.terms.dispute_deposit

    def _rule(self, agreement, side, share):
        queue = agreement.queues[side]
        award = queue.disputed * share // 100
        possible = queue.status == OPEN and self.now + 1 <= queue.ruling_by
        args = agreement.terms.as_abi(), 0, side, award
        if self._send(possible, self.arbiter, self.court.rule, *args):
            self._resolved(agreement, side, RULED, award, returned=award > 0)

    def _lapse(self, agreement, side):
        queue = agreement.queues[side]
        possible = queue.status == OPEN and self.now + 1 > queue.ruling_by
        args = agreement.terms.as_abi(), 0, side
        if self._send(possible, self.stranger, self.court.lapse, *args):
            self._resolved(agreement, side, LAPSED, 0, returned=True)

    def _resolved(self, agreement, side, status, award, *, returned):
        queue = agreement.queues[side]
        queue.status = status
        deposit = agreement.terms.dispute_deposit
        self._pay(agreement, side, queue.disputed - award, 0 if returned else deposit)
        self._pay(agreement, 1 - side, award, deposit if returned else 0)

    def _redeliver(self, side):
        possible = self.withheld[side] > 0 and not self.denied[side]
        args = self.token.address, self.parties[side].address
        if self._send(possible, self.stranger, self.court.redeliver, *args):
            self.money[side] += self.withheld[side]
            self.withheld[side] = 0

    def _deny(self, side, *, denied):
        args = self.parties[side].address, denied
        self._send(True, self.stranger, self.token.setDenied, *args)
        self.denied[side] = denied

    # THE INVARIANTS

    def invariant(self):
        court, escrow, token, touched = self.court, self.escrow, self.token, self.touched
        queues = [queue for agreement in self.agreements for queue in agreement.queues]
        for queue in queues:
            queue.roll(self.now)
            queue.check_times(self.now)
        held, balance, in_escrow, escrow_balance, *others = read(
            (court.held, token),
            (token.balanceOf, court),
            (escrow.held, token),
            (token.balanceOf, escrow),
            *((token.balanceOf, party) for party in self.parties),
            *((court.withdrawable, token, party) for party in self.parties),
            *((court.waiting, touched.id, 0, side) for side in SIDES),
            *((court.disputeOf, touched.id, 0, side) for side in SIDES),
        )
        money, withheld, waiting, disputes = (others[i : i + 2] for i in range(0, 8, 2))
        # J1
        assert (money, withheld) == (self.money, self.withheld)
        assert (balance, escrow_balance) == (held + self.donated, in_escrow)
        assert sum(money) + held + in_escrow == 2**101
        # J2
        deposits = sum(
            agreement.terms.dispute_deposit
            for agreement in self.agreements
            for queue in agreement.queues
            if queue.status == OPEN
        )
        assert held == sum(q.waits + q.frozen for q in queues) + deposits + sum(withheld)
        # J3 and J5: so it is in the model, which the contract follows
        assert [tuple(w) for w in waiting] == [
            (q.matured, *q.maturing, *q.later) for q in touched.queues
        ]
        assert [tuple(d) for d in disputes] == [
            (q.status, q.disputed, q.ruling_by) for q in touched.queues
        ]

    def teardown(self):
        """J6: from wherever the story has come, everybody gets out. J4: with what is theirs."""
        self._report_all()
        for agreement in self.agreements:
            if not agreement.closed:
                self._close(agreement)
        self.now += RULING_PERIOD + 2 * PERIOD
        for agreement in self.agreements:
            for side, queue in enumerate(agreement.queues):
                if queue.status == OPEN:
                    self._lapse(agreement, side)
                queue.roll(self.now)
                if queue.matured:
                    self._release(agreement, side)
        for side in SIDES:
            if self.denied[side]:
                self._deny(side, denied=False)
            if self.withheld[side]:
                self._redeliver(side)
        least, most = self._bounds()
        for agreement in self.agreements:
            assert least <= agreement.consumer_got <= most
        assert self.court.held(self.token) == self.escrow.held(self.token) == 0
        assert sum(self.money) == 2**101
        self.invariant()


@pytest.mark.timeout(600)
def test_no_history_breaks_the_invariants(state_machine, escrow, oracle, at):
    token = brownie.DenyListToken.deploy({"from": brownie.accounts[0]})
    # ganache is three times slower, and the same rules hold there.
    examples = 8 if brownie.network.show_active() == "ganache" else 15
    settings = {"max_examples": examples, "stateful_step_count": 50}
    state_machine(Histories, escrow, oracle, token, at, settings=settings)
