"""What the tests of the reporters' stakes say in one line."""

from dataclasses import dataclass, replace

import brownie
from eth_abi.abi import encode

from relayer.protocol.feed import Panel, parties_hash

STAKE = 1_000
DELAY = 14 * 86_400


@dataclass
class Stakes:
    """A panel of accounts 4 to 6, in the order of their addresses, whose parties are accounts 1 and 2; 3 is a stranger."""

    contract: object
    oracle: object
    token: object
    parties: list

    def __post_init__(self):
        self.stranger = brownie.accounts[3]
        reporters = sorted(brownie.accounts[4:7], key=lambda account: int(account.address, 16))
        self.reporters = reporters
        addresses = tuple(reporter.address for reporter in reporters)
        self.panel = Panel(addresses, 2, 0, parties_hash([str(party) for party in self.parties]))

    def proven(self, *reporters):
        """The oracle knows that these have equivocated."""
        bits = encode(["uint256"], [sum(1 << reporter for reporter in reporters)])
        self.oracle.script(0, bits, {"from": self.stranger})

    def give(self, account, amount):
        self.token.mint(account, amount, {"from": self.stranger})
        self.token.approve(self.contract, amount, {"from": account})

    def stake(self, reporter=0, amount=STAKE, panel=None):
        self.give(self.reporters[reporter], amount)
        call = (self.oracle, (panel or self.panel).as_abi(), reporter, self.token, amount)
        return self.contract.stake(*call, {"from": self.reporters[reporter]})

    def announce(self, reporter=0):
        call = (self.oracle, self.panel.hash, self.token)
        return self.contract.announceExit(*call, {"from": self.reporters[reporter]})

    def leave(self, reporter=0, sender=None):
        call = (self.oracle, self.panel.hash, self.token)
        return self.contract.leave(*call, {"from": sender or self.reporters[reporter]})

    def slash(self, reporter=0, parties=None, panel=None, oracle=None, **options):
        parties = self.parties if parties is None else parties
        call = (oracle or self.oracle, (panel or self.panel).as_abi(), reporter, self.token)
        return self.contract.slash(
            *call, [str(party) for party in parties], {"from": self.stranger, **options}
        )

    def of(self, number=0, **changes):
        """Amount, and when the reporter may leave."""
        key = {
            "oracle": self.oracle,
            "panel": self.panel.hash,
            "reporter": self.reporters[number],
            "token": self.token,
        }
        return tuple(self.contract.stakeOf(*(key | changes).values()))

    def balances(self, *accounts):
        return [self.token.balanceOf(account) for account in accounts]

    def without_parties(self):
        return replace(self.panel, parties=bytes(32))
