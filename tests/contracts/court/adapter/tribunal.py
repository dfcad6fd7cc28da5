"""An arbitrator behind an adapter, and disputes that it is to decide."""

import brownie

from tests.contracts.court.world import CONSUMER

COST = 10**16
EXTRA_DATA = b"\xc0\x05"
META_EVIDENCE = "/ipfs/meta-evidence.json"


class Tribunal:
    """Account 5 is the arbitrator's owner, account 6 pays for rulings."""

    def __init__(self, world, steps, arbitrator=None):
        self.world = world
        self.judge, self.payer = brownie.accounts[5:7]
        self.arbitrator = arbitrator or brownie.MockArbitrator.deploy(COST, {"from": self.judge})
        self.adapter = brownie.ArbitratorAdapter.deploy(
            self.arbitrator, EXTRA_DATA, steps, META_EVIDENCE, {"from": self.judge}
        )

    def disputed(self, feed, pattern="uuu", **changes):
        """Terms with the adapter as the arbiter, of which the provider disputes all unknown intervals."""
        terms = self.world.agreed(feed, arbiter=self.adapter.address, **changes)
        self.world.pay(terms, feed, pattern)
        self.world.dispute(terms, CONSUMER)
        return terms

    def request(self, terms, side=CONSUMER, amount=COST, sender=None, court=None):
        sender = {"from": sender or self.payer, "amount": amount}
        return self.adapter.request(court or self.world.court, terms.as_abi(), 0, side, sender)

    def give(self, ruling, number=0):
        return self.arbitrator.giveRuling(number, ruling, {"from": self.judge})

    def execute(self, terms, side=CONSUMER, court=None):
        sender = {"from": self.world.stranger}
        return self.adapter.execute(court or self.world.court, terms.as_abi(), 0, side, sender)

    def request_of(self, terms, side=CONSUMER):
        """Whether a ruling was asked for, the arbitrator's number, whether it has ruled, and how."""
        id_ = self.world.id_of(terms)
        return tuple(self.adapter.requestOf(self.world.court, id_, 0, side))
