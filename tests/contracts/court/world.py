"""What the court's tests say in one line: paying into the court, disputing, and reading what waits."""

import brownie

from relayer.protocol.terms import Level, UnknownPolicy
from tests import samples
from tests.contracts.escrow.world import World

CONSUMER, PROVIDER = 0, 1
NONE, OPEN, RULED, LAPSED = range(4)

DOLLAR = samples.DOLLAR
FEE = samples.FEE
PERIOD = 1_800
DEPOSIT = 7 * DOLLAR
RULING_PERIOD = 30 * 86_400

# A consumer who is owed for unknown intervals, too, and one who is not.
PAYS_UNKNOWN, KEEPS_UNKNOWN = UnknownPolicy.BAD, UnknownPolicy.EXCLUDED


class CourtWorld(World):
    """A world in which a bad interval costs a dollar, one percent of the fee, and payments wait half an hour.

    Account 4 is the arbiter. If unknown intervals are paid, they are what the provider may dispute; otherwise the consumer may.
    """

    def __init__(self, escrow, oracle, token, start, at):
        super().__init__(escrow, oracle, token, start, at)
        self.arbiter = brownie.accounts[4]
        self.court = brownie.DisputeCourt.at(escrow.court())

    def agreed(self, feed, policy=PAYS_UNKNOWN, **changes):
        """Terms that are open, with an arbiter; both parties have allowed the court to take deposits."""
        defaults = {
            "levels": (Level(feed.ref, (), credit_per_bad_interval=100),),
            "unknown_policy": policy,
            "arbiter": self.arbiter.address,
            "challenge_period": PERIOD,
            "dispute_deposit": DEPOSIT,
        }
        terms = self.opened(feed, **(defaults | changes))
        for party in (self.provider, self.consumer):
            self.token.mint(party, terms.dispute_deposit, {"from": party})
            self.token.approve(self.court, terms.dispute_deposit, {"from": party})
        return terms

    def pay(self, terms, feed, pattern):
        """Judges, settles, and says when. Its payment waits at the court."""
        self.judge(feed, pattern)
        self.settle(terms)
        return self.now

    def closed(self, feed, pattern, policy=KEEPS_UNKNOWN, **changes):
        """Terms whose first window is closed, after a pattern and good intervals, and when it was."""
        terms = self.agreed(feed, policy, **changes)
        self.judge(feed, pattern + "g" * (60 - len(pattern)))
        self.close(terms)
        return terms, self.now

    # THE COURT

    def send(self, function, terms, side, *more, sender=None, at=None, window=0, **options):
        if at is not None:
            self.at(at)
        sender = {"from": sender or self.stranger, **options}
        return function(terms.as_abi(), window, side, *more, sender)

    def release(self, terms, side, **options):
        return self.send(self.court.release, terms, side, **options)

    def dispute(self, terms, side, **options):
        sender = options.pop("sender", self.consumer if side == PROVIDER else self.provider)
        return self.send(self.court.dispute, terms, side, sender=sender, **options)

    def rule(self, terms, side, award, **options):
        sender = options.pop("sender", self.arbiter)
        return self.send(self.court.rule, terms, side, award, sender=sender, **options)

    def lapse(self, terms, side, **options):
        return self.send(self.court.lapse, terms, side, **options)

    def waiting(self, terms, side, window=0):
        """Matured, maturing, its time, later, its time."""
        return tuple(self.court.waiting(self.id_of(terms), window, side))

    def dispute_of(self, terms, side, window=0):
        """Status, amount, ruling by."""
        return tuple(self.court.disputeOf(self.id_of(terms), window, side))

    def money(self, token=None):
        """Of the provider, the consumer and the court; what the court holds is its balance, unless a test says otherwise."""
        token = token or self.token
        parties = (self.provider, self.consumer, self.court)
        return tuple(token.balanceOf(account) for account in parties)

    def court_doors(self, terms, token):
        """Every call of the court that changes something, encoded."""
        c, abi = self.court, terms.as_abi()
        return {
            "book": c.book.encode_input(self.id_of(terms), 0, CONSUMER, token, 1, PERIOD),
            "release": c.release.encode_input(abi, 0, CONSUMER),
            "dispute": c.dispute.encode_input(abi, 0, CONSUMER),
            "rule": c.rule.encode_input(abi, 0, CONSUMER, 0),
            "lapse": c.lapse.encode_input(abi, 0, CONSUMER),
            "withdraw": c.withdraw.encode_input(token, self.stranger),
            "redeliver": c.redeliver.encode_input(token, self.consumer),
            "skim": c.skim.encode_input(token, self.stranger),
        }

    def dispute_event(self, terms, side, amount, ruling_by):
        return {
            "id": "0x" + self.id_of(terms).hex(),
            "window": 0,
            "side": side,
            "amount": amount,
            "rulingBy": ruling_by,
        }
