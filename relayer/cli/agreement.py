"""A document together with its chain: what the contracts say about the agreement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from relayer.bindings import Escrow, Oracle, Token
from relayer.document.signatures import ROLES, party
from relayer.errors import ConfigurationError
from relayer.protocol.credit import denominator, window_credit
from relayer.protocol.terms import PPM, UnknownPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.chain import Chain
    from relayer.document import Document
    from relayer.protocol.tally import Tally


@dataclass(frozen=True, slots=True)
class Window:
    """One billing window as the contracts see it now. Amounts in the token's smallest units.

    :param status: ``unfunded``, ``lapsed``, ``funded``, ``closed``, ``refunded``, ``terminated`` or ``moved``.
    :param credit: Certain so far [bps]; None where there is none to speak of.
    :param claimable: What `settle` would pay now.
    """

    number: int
    status: str
    paid: int
    credit: int | None
    claimable: int
    closable: bool
    tallies: tuple[Tally, ...]


class OnChain:
    """An agreement on its chain."""

    def __init__(self, document: Document, chain: Chain) -> None:
        self.document = document
        self.chain = chain
        self.terms = document.terms
        self.escrow = Escrow(chain.w3, document.domains.escrow.contract)
        self.oracle = Oracle(chain.w3, document.domains.oracle.contract)
        self.token = Token(chain.w3, document.terms.token)

    def check(self) -> None:
        """Raises ConfigurationError unless the document's contracts are there and mean what it means."""
        contracts = (
            ("escrow", self.escrow.address),
            ("oracle", self.oracle.address),
            ("token", self.token.address),
        )
        for name, address in contracts:
            if not self.chain.has_code(address):
                raise ConfigurationError(
                    f"there is no contract at {address} on chain {self.chain.chain_id}",
                    hint=f"correct settlement.{name} in {self.document.path}",
                )
        with self.chain.errors():
            decimals = self.token.decimals()
            computed = self.escrow.agreement_id(self.terms)
        if decimals != self.document.token_decimals:
            raise ConfigurationError(
                f"the token has {decimals} decimals, the document says {self.document.token_decimals}",
                hint=f"correct settlement.decimals in {self.document.path}; both parties sign again",
            )
        if computed != self.document.agreement_id:
            raise ConfigurationError(
                f"the contract at {self.escrow.address} is another kind or version of escrow: it computes "
                f"the agreement id 0x{computed.hex()}, not 0x{self.document.agreement_id.hex()}"
            )

    @cached_property
    def status(self) -> str:
        """``none``, ``open``, ``ended``, or ``revoked`` if it was never opened and a party has withdrawn its signature."""
        with self.chain.errors():
            found = self.escrow.status(self.document.agreement_id)
        return "revoked" if found == "none" and self.revoked_by else found

    @property
    def registered(self) -> bool:
        """Whether the agreement was opened, so that there are windows to speak of."""
        return self.status in ("open", "ended")

    @cached_property
    def revoked_by(self) -> list[str]:
        """The parties that have withdrawn their signatures: ``provider``, ``consumer``."""
        digest = self.document.agreement_id
        with self.chain.errors():
            return [
                role for role in ROLES if self.escrow.revoked(party(self.document, role), digest)
            ]

    @cached_property
    def end(self) -> int:
        """Number of windows: fewer than the terms say if the agreement was ended early."""
        if not self.registered:
            return self.terms.windows
        with self.chain.errors():
            return self.escrow.end(self.document.agreement_id)

    @cached_property
    def now(self) -> int:
        return self.chain.now()

    @cached_property
    def symbol(self) -> str:
        with self.chain.errors():
            return self.token.symbol()

    def window_status(self, number: int) -> tuple[str, int]:
        """A window's status, and what the consumer was paid for it."""
        with self.chain.errors():
            status, paid = self.escrow.window(self.document.agreement_id, number)
        began = self.terms.window_start(number) <= self.now
        return ("lapsed" if status == "unfunded" and began else status), paid

    def window(self, number: int) -> Window:
        status, paid = self.window_status(number)
        if status not in ("funded", "closed", "terminated"):
            return Window(number, status, paid, None, 0, closable=False, tallies=())
        with self.chain.errors():
            tallies = tuple(
                self.oracle.tally(level.feed.ref, self.terms.feed_window(index, number))
                for index, level in enumerate(self.document.levels)
            )
            if status == "funded":
                credit, amount, closable = self.escrow.claimable(self.terms, number)
                return Window(number, status, paid, credit, amount, closable, tallies)
        complete = status == "closed" and all(tally.complete for tally in tallies)
        credit_given = window_credit(self.terms, tallies) if complete else None
        return Window(number, status, paid, credit_given, 0, closable=False, tallies=tallies)

    def availability(self, level: int, tally: Tally) -> int | None:
        """(planned - bad) / planned [ppm, rounded down]: the best that the window can still reach. None if nothing counts."""
        planned = denominator(self.terms.levels[level], tally)
        if planned == 0:
            return None
        counts_unknown = self.terms.unknown_policy is UnknownPolicy.BAD
        bad = tally.bad + (tally.unknown if counts_unknown else 0)
        return (planned - bad) * PPM // planned

    def current_window(self) -> int:
        """The window that runs now: below 0 before the first, at least `windows` after the last."""
        if self.now < self.terms.start:
            return -1
        measurement = self.terms.levels[0].feed.measurement
        return measurement.window_at(self.now) - self.terms.feed_window(0, 0)


def windows_text(numbers: Sequence[int]) -> str:
    """Windows as `--windows` takes them."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}..{numbers[-1]}"
