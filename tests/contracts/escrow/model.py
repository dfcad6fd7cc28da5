"""What the escrow should do, told by the Python twin: the model behind `test_invariants.py`."""

from dataclasses import dataclass, field, replace

from relayer.protocol.credit import owed_down, window_credit
from relayer.protocol.tally import count
from relayer.protocol.terms import Terms
from tests.contracts.escrow.world import (
    CLOSED,
    ENDED,
    FUNDED,
    MOVED,
    NONE,
    OPEN,
    REFUNDED,
    TERMINATED,
    UNFUNDED,
)

CONSUMER, PROVIDER = "consumer", "provider"


@dataclass
class Window:
    status: int = UNFUNDED
    paid: int = 0
    settled: int = 0
    largest_credit: int = 0


@dataclass
class Chain:
    """The bond of an agreement and all that amend it."""

    first: bytes
    bond: int = 0
    owed: int = 0


@dataclass
class Agreement:
    terms: Terms
    feeds: tuple
    id: bytes
    signatures: tuple
    chain: Chain
    status: int = NONE
    end: int = 0
    amended: bool = False
    revoked: bool = False
    windows: list = field(default_factory=list)

    def __post_init__(self):
        self.windows = [Window() for _ in range(self.terms.windows)]

    def funded(self, first=0):
        """Numbers of funded windows from `first` on."""
        return [n for n, w in enumerate(self.windows) if n >= first and w.status == FUNDED]

    def left(self, number):
        """What is held for a funded window."""
        return max(0, self.terms.fee_of(number) - self.windows[number].paid)

    def window_from(self, time):
        """The first window that begins at `time` or later."""
        number = 0
        while self.terms.window_start(number) < time:
            number += 1
        return number


@dataclass
class Due:
    credit: int
    amount: int
    from_bond: int
    missing: int


class Model:
    """Agreements, what was judged, and where the money is. Methods change it as the contract should change."""

    def __init__(self, agreements, feeds):
        self.agreements = agreements
        self.codes = {feed.id: [] for feed in feeds}
        self.payouts = {PROVIDER: PROVIDER, CONSUMER: CONSUMER}
        self.denied = set()
        self.withheld = {PROVIDER: 0, CONSUMER: 0}
        self.received = {}
        self.deposited = 0
        self.held = 0

    # MONEY

    def take(self, amount):
        self.held += amount
        self.deposited += amount

    def pay(self, party, amount):
        """Nothing, to the party's address, or into what it can withdraw."""
        account = self.payouts[party]
        if account in self.denied:
            self.withheld[party] += amount
        else:
            self._leave(account, amount)

    def deliver(self, party, account):
        self._leave(account, self.withheld[party])
        self.withheld[party] = 0

    def _leave(self, account, amount):
        self.held -= amount
        self.received[account] = self.received.get(account, 0) + amount

    # CREDIT

    def credit(self, agreement, number, now):
        """Certain credit of a window, and whether all of it is judged."""
        terms = agreement.terms
        tallies = []
        for level, feed in enumerate(agreement.feeds):
            m, window = feed.measurement, terms.feed_window(level, number)
            codes = self.codes[feed.id][m.window_begin(window) : m.window_begin(window + 1)]
            tally = count(codes, m, feed.scope, window=window)
            if now >= terms.expiry(number):
                missing = tally.planned - tally.judged
                tally = replace(tally, unknown=tally.unknown + missing, judged=tally.planned)
            tallies.append(tally)
        return window_credit(terms, tallies), all(tally.complete for tally in tallies)

    def due(self, agreement, number, now):
        credit, _ = self.credit(agreement, number, now)
        window, terms = agreement.windows[number], agreement.terms
        amount = owed_down(terms.fee_of(number), credit, window.paid)
        beyond = max(0, amount - agreement.left(number))
        from_bond = min(beyond, agreement.chain.bond) if terms.bond else 0
        missing = beyond - from_bond
        return Due(credit, amount - missing, from_bond, missing)

    def claimable(self, agreement, number, now):
        if agreement.windows[number].status != FUNDED:
            return (0, 0, False)
        due = self.due(agreement, number, now)
        return (due.credit, due.amount, self.credit(agreement, number, now)[1])

    # WHAT MAY HAPPEN

    def can_open(self, agreement, now):
        fresh = agreement.status == NONE and not agreement.revoked
        return fresh and now <= agreement.terms.open_by

    def can_fund(self, agreement, first, count, now):
        terms = agreement.terms
        return (
            agreement.status != NONE
            and first + count <= agreement.end
            and all(w.status == UNFUNDED for w in agreement.windows[first : first + count])
            and now < terms.window_start(first)
            and (terms.bond == 0 or agreement.chain.bond >= terms.bond)
        )

    def can_amend(self, current, next_, now):
        window = current.window_from(next_.terms.start)
        return (
            current.status == OPEN
            and not next_.revoked
            and now <= next_.terms.open_by
            and now < next_.terms.start
            and all(
                n - window < next_.terms.windows
                and current.terms.fee_of(n) == next_.terms.fee_of(n - window)
                for n in current.funded(window)
            )
        )

    def can_terminate(self, agreement, window, to_provider):
        funded = agreement.funded(window)
        some = bool(funded) or window < agreement.end
        return some and to_provider <= sum(map(agreement.left, funded))

    def can_release(self, agreement, now):
        chain, end, terms = agreement.chain, agreement.end, agreement.terms
        # Terms that ended before they started say nothing of those that they amend.
        before = terms.start if any(terms.previous) else 0
        begins = terms.window_start(end - 1) if end else before
        used = self.open_windows(chain) != 0 or now < begins
        return not agreement.amended and chain.bond != 0 and not used

    def open_windows(self, chain):
        """Windows that need the bond of a chain."""
        return sum(len(a.funded()) for a in self.agreements if a.chain is chain and a.terms.bond)

    # WHAT HAPPENS THEN

    def open(self, agreement):
        agreement.status, agreement.end = OPEN, agreement.terms.windows
        self.fund(agreement, 0, agreement.terms.prepaid_windows)

    def fund(self, agreement, first, count):
        for number in range(first, first + count):
            agreement.windows[number].status = FUNDED
            self.take(agreement.terms.fee_of(number))

    def amend(self, current, next_):
        window = current.window_from(next_.terms.start)
        self.agreements.append(next_)
        next_.status, next_.end = OPEN, next_.terms.windows
        for number in current.funded(window):
            old = current.windows[number]
            next_.windows[number - window] = replace(old)
            old.status = MOVED
        current.status, current.end, current.amended = ENDED, window, True

    def settle(self, agreement, number, now):
        """What is paid to the consumer, and what cannot be."""
        due = self.due(agreement, number, now)
        window = agreement.windows[number]
        window.largest_credit = max(window.largest_credit, due.credit)
        window.paid += due.amount
        agreement.chain.bond -= due.from_bond
        if due.amount:
            self.pay(CONSUMER, due.amount)
        return due

    def close(self, agreement, number, now):
        due = self.settle(agreement, number, now)
        left = agreement.left(number)
        agreement.windows[number].status = CLOSED
        agreement.chain.owed += due.missing if agreement.terms.bond else 0
        if left:
            self.pay(PROVIDER, left)
        return due

    def terminate(self, agreement, window, to_provider):
        left = self._void(agreement, window, TERMINATED)
        if window < agreement.end:
            agreement.status, agreement.end = ENDED, window
        for party, amount in ((CONSUMER, left - to_provider), (PROVIDER, to_provider)):
            if amount:
                self.pay(party, amount)

    def end(self, agreement, window):
        left = self._void(agreement, window, REFUNDED)
        agreement.status, agreement.end = ENDED, window
        if left:
            self.pay(CONSUMER, left)

    def _void(self, agreement, first, status):
        funded = agreement.funded(first)
        left = sum(map(agreement.left, funded))
        for number in funded:
            agreement.windows[number].status = status
        return left

    def post_bond(self, chain, amount):
        self.take(amount)
        made_good = min(amount, chain.owed)
        chain.owed -= made_good
        chain.bond += amount - made_good
        if made_good:
            self.pay(CONSUMER, made_good)

    def release_bond(self, chain):
        amount, chain.bond, chain.owed = chain.bond, 0, 0
        self.pay(PROVIDER, amount)
