"""What no order of calls can break: the invariants of `INVARIANTS.md`, tried on random histories.

The model is the Python twin: it predicts whether each call is accepted, what every window has paid and where every token is.
"""

import brownie
import pytest
from brownie.test import strategy
from hypothesis import strategies as st

from tests import samples
from tests.contracts.escrow.calls import ACCOUNTS, MOST_AGREEMENTS, OTHER, PARTIES, WINDOWS, Calls
from tests.contracts.escrow.world import read

DAY = 86_400
# How often each is tried, in relation to the others.
ACTIONS = {
    "open": 1,
    "revoke": 1,
    "fund": 4,
    "amend": 4,
    "terminate": 1,
    "breaches": 2,
    "notice": 1,
    "post": 3,
    "release": 1,
    "report": 12,
    "skip": 1,
    "settle": 9,
    "close": 5,
    "payout": 1,
    "withdraw": 2,
    "redeliver": 1,
    "donate": 1,
    "skim": 1,
    "deny": 3,
    "wait": 1,
}


class Histories(Calls):
    """Calls in any order, and what none of them breaks."""

    # One rule that draws its action: hypothesis leaves out whole rules at random, and a history without reports is dull.
    st_action = st.sampled_from(
        [action for action, weight in ACTIONS.items() for _ in range(weight)]
    )
    st_opening = st.sampled_from([(0, 1, 2), (0, 1, 2), (2,), (1, 2), (0,), ()])
    st_agreement = strategy("uint8", max_value=MOST_AGREEMENTS - 1)
    st_window = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5])
    st_feed = strategy("uint8", max_value=1)
    st_party = st.sampled_from(PARTIES)
    st_answers = st.text("ggggbbbundd", min_size=1, max_size=3)
    st_count = st.sampled_from([1, 1, 2, 3])
    st_wait = st.sampled_from([1, 60, 900, 1_800, 1_800, 3_600, 3_600, 40 * DAY])

    # THE RULES

    def initialize(self, st_opening):
        for number in st_opening:
            self._open(self.model.agreements[number])
            if number == 2:
                self._post(self.model.agreements[2], samples.FEE)

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
        agreements = self.model.agreements
        agreement = agreements[st_agreement % len(agreements)]
        feed, party = self.feeds[st_feed], st_party
        if st_feed:
            agreement, st_window, party = self._suited(st_action, agreement, st_window, party)
        self.touched = agreement, st_window
        match st_action:
            case "open":
                self._open(agreements[st_agreement % 3])
            case "revoke":
                self._revoke(agreement, party)
            case "fund":
                self._fund(agreement, self._ahead(agreement) + st_window % 3, st_count)
            case "amend":
                window = min(self._ahead(agreement) + st_window, WINDOWS)
                self._amend(agreement, window, st_count // 3)
            case "terminate":
                self._terminate(agreement, st_window, st_count)
            case "breaches":
                self._end_for_breaches(agreement)
            case "notice":
                self._end_by_notice(agreement, party)
            case "post":
                self._post(agreement, st_count * samples.FEE // 3)
            case "release":
                self._release(agreement)
            case "report":
                self._report(feed, st_answers)
            case "skip":
                self._skip(feed, st_count)
            case "settle":
                self._settle(agreement, st_window)
            case "close":
                self._close(agreement, st_window)
            case "payout":
                self._set_payout(party)
            case "withdraw":
                self._withdraw(party)
            case "redeliver":
                self._redeliver(party)
            case "donate":
                self._donate(st_wait)
            case "skim":
                self._skim()
            case "deny":
                account = OTHER[party] if st_feed else party
                self._deny(account, denied=account not in self.model.denied)
            case "wait":
                self.now += st_wait
                self.at(self.now)
                brownie.chain.mine()

    def _suited(self, action, agreement, window, party):
        """Where the action is likely to succeed: else most calls would be refused."""
        model = self.model
        candidates = [agreement, *model.agreements]
        match action:
            case "settle" | "close":
                agreement = next((a for a in candidates if a.funded()), agreement)
                funded = agreement.funded()
                window = funded[window % len(funded)] if funded else window
            case "breaches":
                agreement = next((a for a in candidates if self._is_breached(a)), agreement)
            case "fund" | "amend" | "terminate" | "notice":
                alive = (a for a in candidates if self._ahead(a) < a.end)
                agreement = next(alive, agreement)
            case "withdraw" | "redeliver":
                party = max(PARTIES, key=model.withheld.get)
            case "post":
                agreement = next(a for a in candidates if a.terms.bond)
        return agreement, window, party

    def _is_breached(self, agreement):
        needed = agreement.terms.breaches_to_end
        breached = sum(window.paid > 0 for window in agreement.windows)
        return needed and breached >= needed and self._ahead(agreement) < agreement.end

    # THE INVARIANTS

    def invariant(self):
        escrow, token, model = self.escrow, self.token, self.model
        agreement, number = self.touched
        terms = agreement.terms
        status, end, bond, held, left, balance, claimable, *others = read(
            (escrow.status, agreement.id),
            (escrow.endOf, agreement.id),
            (escrow.bondOf, agreement.chain.first),
            (escrow.held, token),
            (token.balanceOf, self.payer),
            (token.balanceOf, escrow),
            (escrow.claimable, terms.as_abi(), number),
            *((token.balanceOf, account) for account in self.accounts.values()),
            *((escrow.withdrawable, token, self.accounts[party]) for party in PARTIES),
            *((escrow.windowOf, agreement.id, number) for number in range(WINDOWS)),
        )
        received, withheld, windows = others[:4], others[4:6], others[6:]
        # I1
        assert self.funds - left == model.deposited == sum(received) + held
        assert balance == held + self.donated
        assert received == [model.received.get(name, 0) for name in self.accounts]
        assert withheld == [model.withheld[party] for party in PARTIES]
        assert held == model.held
        # I2, I3 and I5: so it is in the model, which the contract follows
        assert (status, end) == (agreement.status, agreement.end)
        assert [tuple(w) for w in windows] == [(w.status, w.paid) for w in agreement.windows]
        most = max(10_000, terms.credit_cap)
        assert all(
            w.paid <= terms.fee_of(n) * most // 10_000 for n, w in enumerate(agreement.windows)
        )
        assert not agreement.funded(agreement.end)
        # I8
        chains = {id(a.chain): a.chain for a in model.agreements}.values()
        assert held == sum(withheld) + sum(chain.bond for chain in chains) + sum(
            a.left(n) for a in model.agreements for n in a.funded()
        )
        # I9
        assert tuple(claimable) == model.claimable(agreement, number, self.now)
        # I11
        chain = agreement.chain
        assert tuple(bond) == (chain.bond, chain.owed, model.open_windows(chain))
        assert chain.bond == 0 or chain.owed == 0

    def teardown(self):
        """I6: from wherever the story has come, everybody gets out, by calls that anyone may make after a known time."""
        agreements = self.model.agreements
        self.now = max(self.now, *(a.terms.expiry(WINDOWS - 1) for a in agreements))
        for agreement in agreements:
            for number in agreement.funded():
                self._close(agreement, number)
        for account in ACCOUNTS:
            self._deny(account, denied=False)
        for agreement in agreements:
            if agreement.chain.bond and not agreement.amended:
                self._release(agreement)
        for party in PARTIES:
            if self.model.withheld[party]:
                self._redeliver(party)
        self.invariant()
        assert self.escrow.held(self.token) == 0


@pytest.mark.timeout(900)
def test_no_history_breaks_the_invariants(state_machine, escrow, oracle, at):
    token = brownie.DenyListToken.deploy({"from": brownie.accounts[0]})
    # ganache is three times slower, and the same rules hold there.
    examples = 8 if brownie.network.show_active() == "ganache" else 15
    settings = {"max_examples": examples, "stateful_step_count": 50}
    state_machine(Histories, escrow, oracle, token, at, settings=settings)
