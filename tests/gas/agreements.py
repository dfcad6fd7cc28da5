"""What an agreement costs: opened, funded, settled and closed."""

from __future__ import annotations

from eth_account.messages import encode_typed_data

from relayer.bindings import Escrow, Oracle, Token, contract
from relayer.protocol.typed_data import Domain
from tests import samples
from tests.gas.chain import START, Chain, say
from tests.gas.feeds import Reports

FUNDS = 10**9 * samples.DOLLAR
SHARING = 5
"""So many agreements share a feed when the cost of one is measured; a thousand cost the same each."""


class Agreements:
    """One service level with three tiers each, paid in ERC-20 tokens."""

    def __init__(self, chain: Chain, oracle: Oracle, escrow: Escrow, token: Token) -> None:
        self.chain, self.oracle, self.escrow, self.token = chain, oracle, escrow, token
        self.salt = 0

    def measure(self) -> dict[str, int]:
        feed = samples.feed(START)
        reports = Reports(self.chain, self.oracle, feed)
        # An earlier agreement leaves balances, what is held and what may be pulled different from zero.
        for account in (1, 2):
            self.chain.gas(self.token.mint(samples.wallet(account).address, FUNDS))
        self.chain.gas(self.token.approve(self.escrow.address, FUNDS), sender=2)
        self.open(feed)

        terms, gas = self.open(feed)
        used = {"open": gas}
        say("open with permit")
        self.open_with_permit(feed)
        used["open_permit"] = self.open_with_permit(feed)
        say("fund, settle, close")
        used["fund"] = self.chain.gas(self.escrow.fund(terms, 1, 1), sender=2)
        reports.send([[0]] * 3)
        used["settle_paying_first"] = self.chain.gas(self.escrow.settle(terms, 0))
        reports.send([[0] * 5] * 3)
        used["settle_paying"] = self.chain.gas(self.escrow.settle(terms, 0))
        reports.send([[1_000_000] * 54] * 3)
        used["close"] = self.chain.gas(self.escrow.close(terms, 0))
        return used

    def measure_months(self) -> dict[str, int]:
        return self._month(0, 30) | self._month(1, 8_640)

    def _month(self, number: int, intervals: int) -> dict[str, int]:
        """A month of 30 days on a shared feed: what it costs one agreement, and what it costs the feed."""
        say(f"a month of {intervals:,} intervals")
        interval = 30 * 86_400 // intervals
        start = self.chain.now - self.chain.now % 86_400 + (2 + number) * 86_400
        feed = samples.feed(
            start,
            descriptor=bytes([0x30 + number]) * 32,
            interval=interval,
            window_intervals=intervals,
        )
        # The same credit for any number of intervals: 10 % below 99 %.
        levels = (samples.Level(feed.ref, samples.TIERS[:1]),)
        opened = [self.open(feed, prepaid_windows=0, levels=levels)[0] for _ in range(SHARING)]
        per_agreement = sum(
            self.chain.gas(self.escrow.fund(terms, 0, 1), sender=2) for terms in opened
        )
        reports, shared = Reports(self.chain, self.oracle, feed), 0
        while reports.next < intervals:
            count = min(1_080, intervals - reports.next)
            codes = [0 if reports.next + i < intervals // 20 else 1_000_000 for i in range(count)]
            shared += reports.send([codes] * 3)
        for terms in opened:
            per_agreement += self.chain.gas(self.escrow.settle(terms, 0))
            per_agreement += self.chain.gas(self.escrow.close(terms, 0))
        return {
            f"month_per_agreement_{intervals}_intervals": per_agreement // SHARING,
            f"month_shared_feed_{intervals}_intervals": shared,
        }

    def open(self, feed: samples.Feed, **changes) -> tuple[samples.Terms, int]:
        terms = self._terms(feed, **changes)
        signed = self._signatures(terms)
        return terms, self.chain.gas(self.escrow.open(terms, *signed), sender=2)

    def open_with_permit(self, feed: samples.Feed) -> int:
        """Through the periphery, with an EIP-2612 permit for exactly the fee."""
        terms = self._terms(feed)
        amount = terms.fee_per_window * terms.prepaid_windows
        purpose = 0
        booking = (
            purpose, 0, 0, amount, terms.as_abi(), *self._signatures(terms)
        )  # fmt: skip
        v, r, s = self._permit(amount)
        call = self.router.functions.payWithPermit(booking, 2**256 - 1, v, r, s)
        return self.chain.gas(call, sender=2)

    @property
    def router(self):
        if not hasattr(self, "_router"):
            address = self.chain.deploy("FundingRouter", self.escrow.address)
            self._router = contract(self.chain.w3, "FundingRouter", address)
        return self._router

    def _permit(self, amount: int) -> tuple[int, bytes, bytes]:
        owner = samples.wallet(2)
        token = self.token.contract.functions
        message = {
            "owner": owner.address,
            "spender": self.router.address,
            "value": amount,
            "nonce": token.nonces(owner.address).call(),
            "deadline": 2**256 - 1,
        }
        kinds = {"owner": "address", "spender": "address"}
        domain = {
            "name": token.name().call(),
            "version": "1",
            "chainId": self.chain.w3.eth.chain_id,
            "verifyingContract": self.token.address,
        }
        types = {"Permit": [{"name": n, "type": kinds.get(n, "uint256")} for n in message]}
        signed = owner.sign_message(encode_typed_data(domain, types, message))
        return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")

    def _terms(self, feed: samples.Feed, **changes) -> samples.Terms:
        self.salt += 1
        addresses = {"token": self.token.address, "oracle": self.oracle.address}
        return samples.terms(feed, salt=self.salt.to_bytes(32, "big"), **addresses, **changes)

    def _signatures(self, terms: samples.Terms) -> tuple[bytes, bytes]:
        return samples.signatures(Domain(self.chain.w3.eth.chain_id, self.escrow.address), terms)
