"""What no order of calls can break: the invariants of `INVARIANTS.md`, tried on random histories.

The model is the Python twin: it predicts whether each call is accepted and what every window has paid.
"""

from dataclasses import dataclass, field, replace

import brownie
import pytest
from brownie.test import strategy
from eth_utils.crypto import keccak
from hypothesis import strategies as st

from relayer.protocol.credit import owed_down, window_credit
from relayer.protocol.readings import NO_DATA, pack_readings
from relayer.protocol.report import SignedBatch, batches_as_abi
from relayer.protocol.tally import count
from relayer.protocol.terms import Combination, Level, Measure, Terms, Tier, UnknownPolicy
from relayer.protocol.typed_data import Domain, batch_message, digest, sign, terms_message
from tests import samples
from tests.contracts.escrow.world import (
    CLOSED,
    CODES,
    FUNDED,
    NONE,
    OPEN,
    REVOKED,
    UNFUNDED,
    attempt,
    read,
)

WINDOWS = 3
INTERVALS = 4
SETTLED = "0x" + keccak(text="Settled(bytes32,uint256,uint256,uint256)").hex()
# What three reporters answer for an interval; any two may be heard unless all three must be. "d": all disagree.
ANSWERS = {letter: (code,) * 3 for letter, code in CODES.items()} | {"d": (1, 2, 3)}
JUDGED = CODES | {"d": NO_DATA}


# How often each is tried, in relation to the others.
ACTIONS = {
    "open": 1,
    "revoke": 1,
    "fund": 3,
    "report": 12,
    "skip": 1,
    "settle": 9,
    "close": 4,
    "withdraw": 2,
    "donate": 1,
    "deny": 2,
    "wait": 1,
}


@dataclass
class Window:
    status: int = UNFUNDED
    paid: int = 0
    settled: int = 0
    largest_credit: int = 0


@dataclass
class Agreement:
    terms: Terms
    feeds: tuple
    id: bytes
    signatures: tuple
    status: int = NONE
    windows: list = field(default_factory=lambda: [Window() for _ in range(WINDOWS)])


class Histories:
    """Two agreements over two feeds, one of which they share, in a token that can refuse to deliver."""

    # One rule that draws its action: hypothesis leaves out whole rules at random, and a history without reports is dull.
    st_action = st.sampled_from(
        [action for action, weight in ACTIONS.items() for _ in range(weight)]
    )
    st_opening = st.sampled_from([(0, 1), (0, 1), (0,), (1,), ()])
    st_agreement = strategy("uint8", max_value=1)
    st_window = st.sampled_from([0, 0, 0, 1, 2])
    st_feed = strategy("uint8", max_value=1)
    st_party = strategy("uint8", max_value=1)
    st_answers = st.text("ggggbbbundd", min_size=1, max_size=4)
    st_count = st.sampled_from([1, 1, 2, 3])
    st_wait = st.sampled_from([1, 900, 3_600, 40 * 86_400])

    def __init__(self, escrow, oracle, token, at):
        # `self` is the machine's class here: a bare function would become its method.
        self.at = staticmethod(at)
        self.escrow, self.oracle, self.token = escrow, oracle, token
        self.parties = brownie.accounts[1:3]
        self.payer = brownie.accounts[4]
        self.keys = {w.address: w for w in samples.reporter_wallets()}
        self.signers = samples.wallet(1), samples.wallet(2)
        token.mint(self.payer, 2**200, {"from": self.payer})
        token.approve(escrow, 2**256 - 1, {"from": self.payer})
        self.funds = token.balanceOf(self.payer)

    def setup(self):
        self.now = brownie.chain[-1].timestamp
        start = (self.now // 3_600 + 2) * 3_600
        times = {"settle_delay": 30, "deadline": 600, "cadence": 60}
        fine = samples.feed(start, interval=900, window_intervals=INTERVALS, **times)
        coarse = samples.feed(start - 3_600, interval=1_800, window_intervals=2, **times)
        self.feeds = fine, coarse
        self.codes = {feed.id: [] for feed in self.feeds}
        tiers = (
            Tier(Measure.AVAILABILITY_BELOW, 800_000, 1_500),
            Tier(Measure.BAD_INTERVALS_AT_LEAST, 2, 2_500),
            Tier(Measure.BAD_RUN_AT_LEAST, 2, 6_000),
        )
        common = {
            "token": self.token.address,
            "oracle": self.oracle.address,
            "start": start,
            "open_by": start - 600,
            "windows": WINDOWS,
            "unknown_limit": 400_000,
        }
        self.agreements = [
            self._signed(
                (fine,),
                levels=(Level(fine.ref, tiers, 700, remove_not_applicable=True),),
                unknown_credit=1_000,
                prepaid_windows=2,
                **common,
            ),
            self._signed(
                (fine, coarse),
                levels=(Level(fine.ref, tiers), Level(coarse.ref, tiers[:2], 333)),
                combination=Combination.SUM,
                credit_cap=9_000,
                unknown_policy=UnknownPolicy.BAD,
                fee_per_window=7_777_777,
                **common,
            ),
        ]
        self.denied = [False, False]
        self.withheld = [0, 0]
        self.paid = [0, 0]
        self.donated = 0
        self.held = 0
        self.touched = self.agreements[0]

    def _signed(self, feeds, **changes):
        terms = samples.terms(*feeds, **changes)
        message = terms_message(Domain(brownie.chain.id, self.escrow.address), terms)
        signatures = tuple(sign(key, message) for key in self.signers)
        return Agreement(terms, feeds, digest(message), signatures)

    def _send(self, expected, sender, method, *args):
        """One transaction, one second later; the model says whether it is accepted."""
        self.now += 1
        self.at(self.now)
        receipt = attempt(sender, method._address, method.encode_input(*args))
        assert (receipt is not None) == expected
        return receipt

    # THE MODEL

    def _credit(self, agreement, window, now):
        """Certain credit of a window, and whether all of it is judged."""
        terms = agreement.terms
        tallies = []
        for level, feed in enumerate(agreement.feeds):
            length = feed.measurement.window_intervals
            first = terms.feed_window(level, window) * length
            tally = count(self.codes[feed.id][first : first + length], feed.measurement)
            if now >= terms.expiry(window):
                missing = tally.planned - tally.judged
                tally = replace(tally, unknown=tally.unknown + missing, judged=tally.planned)
            tallies.append(tally)
        return window_credit(terms, tallies), all(tally.complete for tally in tallies)

    def _pay(self, party, amount):
        if self.denied[party]:
            self.withheld[party] += amount
        else:
            self.held -= amount
            self.paid[party] += amount

    def _settled(self, agreement, number, receipt):
        window = agreement.windows[number]
        credit, _ = self._credit(agreement, number, self.now)
        amount = owed_down(agreement.terms.fee_per_window, credit, window.paid)
        window.largest_credit = max(window.largest_credit, credit)
        window.paid += amount
        if amount:
            self._pay(1, amount)
        logs = [log for log in receipt["logs"] if log["topics"][0] == SETTLED]
        assert len(logs) == bool(amount)
        for log in logs:
            assert log["topics"][1] == "0x" + agreement.id.hex()
            window.settled += int(log["data"][-64:], 16)

    def _funded(self, agreement, first, count):
        for window in agreement.windows[first : first + count]:
            window.status = FUNDED
        self.held += count * agreement.terms.fee_per_window

    # THE RULES

    def initialize(self, st_opening):
        for number in st_opening:
            self._open(self.agreements[number])

    def rule(
        self,
        st_action,
        st_agreement,
        st_window,
        st_feed,
        st_party,
        st_answers,
        st_count,
        st_wait,
    ):
        self.touched = agreement = self.agreements[st_agreement]
        feed = self.feeds[st_feed]
        match st_action:
            case "open":
                self._open(agreement)
            case "revoke":
                self._revoke(agreement, st_party)
            case "fund":
                self._fund(agreement, st_window, st_count)
            case "report":
                self._report(feed, st_answers)
            case "skip":
                self._skip(feed, st_count)
            case "settle":
                self._settle(agreement, st_window)
            case "close":
                self._close(agreement, st_window)
            case "withdraw":
                self._withdraw(st_party)
            case "donate":
                self._donate(st_wait)
            case "deny":
                self._deny(st_party, not self.denied[st_party])
            case "wait":
                self.now += st_wait
                self.at(self.now)
                brownie.chain.mine()

    def _open(self, agreement):
        terms = agreement.terms
        possible = agreement.status == NONE and self.now + 1 <= terms.open_by
        args = terms.as_abi(), *agreement.signatures
        if self._send(possible, self.payer, self.escrow.open, *args):
            agreement.status = OPEN
            self._funded(agreement, 0, terms.prepaid_windows)

    def _revoke(self, agreement, party):
        possible = agreement.status == NONE
        args = (agreement.terms.as_abi(),)
        if self._send(possible, self.parties[party], self.escrow.revoke, *args):
            agreement.status = REVOKED

    def _fund(self, agreement, first, count):
        terms = agreement.terms
        possible = (
            agreement.status == OPEN
            and first + count <= WINDOWS
            and all(w.status == UNFUNDED for w in agreement.windows[first : first + count])
            and self.now + 1 < terms.window_start(first)
        )
        args = terms.as_abi(), first, count
        if self._send(possible, self.payer, self.escrow.fund, *args):
            self._funded(agreement, first, count)

    def _report(self, feed, answers):
        codes = self.codes[feed.id]
        first = len(codes)
        self.now = max(self.now, feed.measurement.readable_at(first + len(answers) - 1) - 1)
        domain = Domain(brownie.chain.id, self.oracle.address)
        batches = []
        for reporter in range(3 if "d" in answers else 2):
            readings = pack_readings([ANSWERS[letter][reporter] for letter in answers])
            message = batch_message(domain, feed.id, first, readings, bytes(32))
            signature = sign(self.keys[feed.panel.reporters[reporter]], message)
            batches.append(SignedBatch(reporter, first, readings, bytes(32), signature))
        args = feed.as_abi(), batches_as_abi(batches)
        self._send(True, brownie.accounts[3], self.oracle.report, *args)
        codes += [JUDGED[letter] for letter in answers]

    def _skip(self, feed, count):
        codes = self.codes[feed.id]
        up_to = len(codes) + count
        # Since the last advance, which is not later than now.
        self.now = max(self.now, feed.measurement.start_of(up_to)) + feed.measurement.deadline
        self._send(True, brownie.accounts[3], self.oracle.skip, feed.as_abi(), up_to)
        codes += [NO_DATA] * count

    def _settle(self, agreement, number):
        possible = agreement.windows[number].status == FUNDED
        args = agreement.terms.as_abi(), number
        if receipt := self._send(possible, brownie.accounts[3], self.escrow.settle, *args):
            self._settled(agreement, number, receipt)

    def _close(self, agreement, number):
        window = agreement.windows[number]
        _, complete = self._credit(agreement, number, self.now + 1)
        possible = window.status == FUNDED and complete
        args = agreement.terms.as_abi(), number
        if receipt := self._send(possible, brownie.accounts[3], self.escrow.close, *args):
            self._settled(agreement, number, receipt)
            window.status = CLOSED
            fee = agreement.terms.fee_per_window
            if fee > window.paid:
                self._pay(0, fee - window.paid)
            # I4
            assert window.settled == window.paid == fee * window.largest_credit // 10_000

    def _withdraw(self, number):
        party, amount = self.parties[number], self.withheld[number]
        possible = amount > 0 and not self.denied[number]
        args = self.token.address, party.address
        if self._send(possible, party, self.escrow.withdraw, *args):
            self.withheld[number] = 0
            self.held -= amount
            self.paid[number] += amount

    def _donate(self, amount):
        donor = brownie.accounts[5]
        self._send(True, donor, self.token.mint, donor.address, amount)
        self._send(True, donor, self.token.transfer, self.escrow.address, amount)
        self.donated += amount

    def _deny(self, number, denied):
        args = self.parties[number].address, denied
        self._send(True, brownie.accounts[3], self.token.setDenied, *args)
        self.denied[number] = denied

    # THE INVARIANTS

    def invariant(self):
        escrow, token, agreement = self.escrow, self.token, self.touched
        provider, consumer = self.parties
        status, held, left, balance, *others = read(
            (escrow.status, agreement.id),
            (escrow.held, token),
            (token.balanceOf, self.payer),
            (token.balanceOf, escrow),
            (token.balanceOf, provider),
            (token.balanceOf, consumer),
            (escrow.withdrawable, token, provider),
            (escrow.withdrawable, token, consumer),
            *((escrow.windowOf, agreement.id, number) for number in range(WINDOWS)),
        )
        received, withheld, windows = others[:2], others[2:4], others[4:]
        # I1
        assert self.funds - left == sum(received) + held
        assert balance == held + self.donated
        assert (received, withheld, held) == (self.paid, self.withheld, self.held)
        # I2, I3 and I5: so it is in the model, which the contract follows
        assert status == agreement.status
        assert [tuple(w) for w in windows] == [(w.status, w.paid) for w in agreement.windows]
        assert all(w.paid <= agreement.terms.fee_per_window for w in agreement.windows)

    def teardown(self):
        """I6: from wherever the story has come, everybody gets out."""
        self.now = max(self.now, *(a.terms.expiry(WINDOWS - 1) for a in self.agreements))
        for agreement in self.agreements:
            for number, window in enumerate(agreement.windows):
                if window.status == FUNDED:
                    self._close(agreement, number)
        for party in range(2):
            self._deny(party, denied=False)
            if self.withheld[party]:
                self._withdraw(party)
        assert self.escrow.held(self.token) == 0
        self.invariant()


@pytest.mark.timeout(600)
def test_no_history_breaks_the_invariants(state_machine, escrow, oracle, at):
    token = brownie.DenyListToken.deploy({"from": brownie.accounts[0]})
    # ganache is three times slower, and the same rules hold there.
    examples = 8 if brownie.network.show_active() == "ganache" else 30
    settings = {"max_examples": examples, "stateful_step_count": 50}
    state_machine(Histories, escrow, oracle, token, at, settings=settings)
