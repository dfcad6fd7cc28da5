"""What the tests of the funding router say in one line: agreements, bookings, and the three kinds of signature."""

import json
from copy import copy
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import brownie
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from relayer.protocol.typed_data import Domain, digest, sign, terms_message
from tests import samples

PERMIT2 = json.loads(Path(__file__).with_name("permit2.json").read_text(encoding="utf-8"))
FOREVER = 2**48
FEE = samples.FEE


class Purpose(IntEnum):
    OPEN = 0
    FUND = 1
    POST_BOND = 2


def reverted(error):
    """The block must be refused with this error, which brownie knows by its selector only."""
    return brownie.reverts(revert_pattern=f".*0x{keccak(text=error)[:4].hex()}.*")


@dataclass(frozen=True)
class Booking:
    """The contract's `Booking`."""

    purpose: Purpose
    terms: Any
    first: int = 0
    count: int = 0
    amount: int = FEE
    signatures: tuple[bytes, bytes] = (b"", b"")

    def as_abi(self):
        fixed = (self.purpose, self.first, self.count, self.amount)
        return (*fixed, self.terms.as_abi(), *self.signatures)


class Payments:
    """Accounts: 1 is the provider, 2 the consumer, who pays, 3 a stranger, who brings what the consumer signed."""

    def __init__(self, router, escrow, oracle, token, start, at):
        self.router, self.escrow, self.oracle, self.token = router, escrow, oracle, token
        self.start, self.at = start, at
        self.provider, self.consumer, self.stranger = brownie.accounts[1:4]
        self.key = samples.wallet(2)

    # AGREEMENTS

    def terms(self, **changes):
        defaults = {"token": self.token.address, "oracle": self.oracle.address}
        return samples.terms(samples.feed(self.start), **(defaults | changes))

    @property
    def domain(self):
        return Domain(brownie.chain.id, self.escrow.address)

    def signatures(self, terms):
        return samples.signatures(self.domain, terms)

    def id_of(self, terms):
        return digest(terms_message(self.domain, terms))

    def opened(self, **changes):
        """Terms that are open, with no window funded."""
        terms = self.terms(prepaid_windows=0, **changes)
        self.escrow.open(terms.as_abi(), *self.signatures(terms), {"from": self.stranger})
        return terms

    # BOOKINGS

    def to_open(self, prepaid=1, **changes):
        terms = self.terms(prepaid_windows=prepaid, **changes)
        signed = self.signatures(terms)
        return Booking(Purpose.OPEN, terms, amount=prepaid * FEE, signatures=signed)

    def to_fund(self, first=1, count=1, terms=None):
        terms = terms or self.opened()
        return Booking(Purpose.FUND, terms, first, count, count * FEE)

    def to_post_bond(self, amount=FEE // 2):
        terms = self.opened(bond=FEE)
        return Booking(Purpose.POST_BOND, terms, amount=amount)

    def booking(self, purpose):
        makers = {"open": self.to_open, "fund": self.to_fund, "bond": self.to_post_bond}
        return makers[purpose]()

    def hostile(self, compiled, takes, token=None):
        """The same, but the router serves an escrow that takes so much, whatever it is asked to do."""
        hostile = copy(self)
        hostile.escrow = compiled.HostileEscrow.deploy({"from": self.stranger})
        hostile.escrow.take(token or self.token, takes, {"from": self.stranger})
        hostile.router = self.router_of(hostile.escrow)
        return hostile

    def router_of(self, escrow):
        return brownie.FundingRouter.deploy(escrow, {"from": self.stranger})

    # SIGNATURES

    def permit(self, amount, deadline=FOREVER, owner=None, nonce=None):
        """Deadline, v, r and s of the consumer's EIP-2612 permit for the router."""
        key = owner or self.key
        message = encode_typed_data(
            domain_data=self._token_domain(),
            message_types={
                "Permit": _fields(
                    "address owner, address spender, uint256 value, uint256 nonce, uint256 deadline"
                )
            },
            message_data={
                "owner": key.address,
                "spender": self.router.address,
                "value": amount,
                "nonce": self.token.nonces(key.address) if nonce is None else nonce,
                "deadline": deadline,
            },
        )
        return deadline, *_vrs(sign(key, message))

    def permit2(self, booking, key=None, nonce=0, deadline=FOREVER):
        """The consumer's signature for Permit2, its type spelled out as a wallet shows it."""
        message = encode_typed_data(
            domain_data={
                "name": "Permit2",
                "chainId": brownie.chain.id,
                "verifyingContract": PERMIT2["address"],
            },
            message_types={
                "PermitWitnessTransferFrom": _fields(
                    "TokenPermissions permitted, address spender, uint256 nonce, uint256 deadline, "
                    "Payment witness"
                ),
                "TokenPermissions": _fields("address token, uint256 amount"),
                "Payment": PAYMENT,
            },
            message_data={
                "permitted": {"token": booking.terms.token, "amount": booking.amount},
                "spender": self.router.address,
                "nonce": nonce,
                "deadline": deadline,
                "witness": self.payment(booking),
            },
        )
        return sign(key or self.key, message)

    def payment(self, booking):
        """The witness."""
        return {
            "escrow": self.escrow.address,
            "agreement": self.id_of(booking.terms),
            "purpose": int(booking.purpose),
            "first": booking.first,
            "count": booking.count,
        }

    def authorization(self, booking, **changes):
        """The contract's `Authorization`, signed by the consumer: its nonce commits to the booking."""
        signed = Authorization(self.consumer.address, 0, FOREVER, b"\x5a" * 32)
        signed = replace(signed, **changes)
        message = encode_typed_data(
            domain_data=self._token_domain(),
            message_types={
                "ReceiveWithAuthorization": _fields(
                    "address from, address to, uint256 value, uint256 validAfter, "
                    "uint256 validBefore, bytes32 nonce"
                )
            },
            message_data={
                "from": signed.payer,
                "to": self.router.address,
                "value": booking.amount,
                "validAfter": signed.valid_after,
                "validBefore": signed.valid_before,
                "nonce": self.router.nonceOf(booking.as_abi(), signed.salt),
            },
        )
        return replace(signed, vrs=_vrs(sign(self.key, message)))

    def _token_domain(self):
        return {
            "name": "Makegood Permit Dollar",
            "version": "1",
            "chainId": brownie.chain.id,
            "verifyingContract": self.token.address,
        }

    # PAYING

    def by_permit(self, booking, signed=None, sender=None):
        signed = signed or self.permit(booking.amount)
        return self.router.payWithPermit(
            booking.as_abi(), *signed, {"from": sender or self.consumer}
        )

    def by_permit2(self, booking, signature=None, payer=None, nonce=0, deadline=FOREVER):
        signature = signature or self.permit2(booking, nonce=nonce, deadline=deadline)
        return self.router.payWithPermit2(
            booking.as_abi(),
            payer or self.consumer,
            nonce,
            deadline,
            signature,
            {"from": self.stranger},
        )

    def by_authorization(self, booking, signed=None):
        signed = signed or self.authorization(booking)
        return self.router.payWithAuthorization(
            booking.as_abi(), signed.as_abi(), {"from": self.stranger}
        )

    # WHAT MUST HOLD

    def booked(self, booking):
        """What the escrow holds of the booking's purpose: windows funded, or the bond."""
        if booking.purpose == Purpose.POST_BOND:
            return self.escrow.bondOf(self.id_of(booking.terms))[0]
        identity = self.id_of(booking.terms)
        return [w for w in range(3) if self.escrow.windowOf(identity, w)[0] == 1]

    def nothing_left(self):
        """The router keeps no tokens, and may take none of the payer's."""
        left = self.token.balanceOf(self.router)
        return (left, self.token.allowance(self.consumer, self.router)) == (0, 0)


@dataclass(frozen=True)
class Authorization:
    payer: str
    valid_after: int
    valid_before: int
    salt: bytes
    vrs: tuple[int, bytes, bytes] = (27, bytes(32), bytes(32))

    def as_abi(self):
        return (self.payer, self.valid_after, self.valid_before, self.salt, *self.vrs)


def _fields(spelled):
    """`"uint256 a, bytes32 b"` as EIP-712 has it in JSON."""
    pairs = (field.split() for field in spelled.split(", "))
    return [{"name": name, "type": kind} for kind, name in pairs]


PAYMENT = _fields("address escrow, bytes32 agreement, uint8 purpose, uint256 first, uint256 count")


def _vrs(signature):
    return signature[64], signature[:32], signature[32:64]
