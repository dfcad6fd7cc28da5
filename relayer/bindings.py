"""The contracts as Python sees them: the one place that knows their ABIs and decodes their errors.

The artifacts in ``relayer/contracts/`` are exported from the compiled sources (``make artifacts``).
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3.exceptions import BadFunctionCallOutput

from relayer.contract_errors import AGREEMENT_STATUS, DISPUTE_STATUS, WINDOW_STATUS, described
from relayer.encoded import EncodedCall, Function
from relayer.errors import Reverted
from relayer.protocol.report import ALL_INTERVALS, batches_as_abi, bundles_as_abi
from relayer.protocol.tally import Exclusion, Tally, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eth_typing import ABI, ChecksumAddress
    from web3 import Web3
    from web3.contract import Contract
    from web3.contract.contract import ContractFunction

    from relayer.protocol.feed import Feed, FeedRef, Panel
    from relayer.protocol.report import SignedBatch, SignedBundle
    from relayer.protocol.terms import Termination, Terms

CONTRACTS = (
    "MonitoringOracle",
    "SLAEscrow",
    "DisputeCourt",
    "FundingRouter",
    "Batcher",
    "FeedLens",
    "ReporterStake",
    "ArbitratorAdapter",
    "TestDollar",
)
FEEDS_PER_REQUEST = 400
"""About 1,300,000 gas, and half of what a call's data may hold (EIP-3860)."""

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")
_PANICS = {
    0x01: "an assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "a number that is no member of its enumeration",
    0x32: "index out of bounds",
}
_APPROVE: ABI = [
    {
        "type": "function",
        "name": "approve",
        "inputs": [{"name": "spender", "type": "address"}, {"name": "amount", "type": "uint256"}],
        "outputs": [],
        "stateMutability": "nonpayable",
    }
]


@cache
def artifact(name: str) -> dict[str, Any]:
    """ABI and bytecode of one of :data:`CONTRACTS`."""
    text = files("relayer").joinpath("contracts", f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@lru_cache(maxsize=64)
def contract(w3: Web3, name: str, address: ChecksumAddress) -> Contract:
    """A contract as web3 sees it; thousands of agreements share one."""
    return w3.eth.contract(address=address, abi=artifact(name)["abi"])


@cache
def _function(name: str, function: str) -> Function:
    entries = artifact(name)["abi"]
    [entry] = [e for e in entries if e["type"] == "function" and e["name"] == function]
    return Function(entry)


class Position(NamedTuple):
    """Where a feed stands: next interval, verdict of the last one judged, block time of the last report."""

    next: int
    verdict: Verdict
    advanced_at: int


Call: TypeAlias = "ContractFunction | EncodedCall"
"""What can be simulated and sent."""


class Oracle:
    """A ``MonitoringOracle`` on a chain."""

    def __init__(self, w3: Web3, address: ChecksumAddress) -> None:
        self.address = address
        self._w3 = w3

    @property
    def contract(self) -> Contract:
        """As web3 sees it. It takes time to make, so only those who need it do."""
        return contract(self._w3, "MonitoringOracle", self.address)

    def _ask(self, function: str, *arguments: object) -> tuple[Any, ...]:
        return _function("MonitoringOracle", function).ask(self._w3, self.address, *arguments)

    def report(
        self, feed: Feed, signed: Iterable[SignedBatch], *, up_to: int = ALL_INTERVALS
    ) -> ContractFunction:
        return self.contract.functions.report(feed.as_abi(), up_to, batches_as_abi(signed))

    def skip(self, feed: Feed, up_to: int) -> ContractFunction:
        return self.contract.functions.skip(feed.as_abi(), up_to)

    def report_many(
        self, feeds: Mapping[bytes, Feed], signed: Sequence[SignedBundle]
    ) -> EncodedCall:
        """One report of many feeds of one panel.

        :param feeds: By their ids, in the order of everybody's leaves.
        """

        def data() -> bytes:
            return _function("MonitoringOracle", "reportMany").data(
                next(iter(feeds.values())).panel.as_abi(),
                [feed.as_panel_feed_abi() for feed in feeds.values()],
                bundles_as_abi(list(feeds), signed),
            )

        # It leaves out feeds that it cannot judge, and does not fail even if these are all.
        return EncodedCall(self._w3, self.address, data, idle=bytes(32))

    def prove_equivocation(
        self, feed: Feed, reporter: int, interval: int, one: SignedBundle, other: SignedBundle
    ) -> ContractFunction:
        """Shows that a reporter signed two answers for an interval (rule 17)."""
        return self.contract.functions.proveEquivocation(
            feed.as_abi(),
            reporter,
            interval,
            one.as_statement(feed.id),
            other.as_statement(feed.id),
        )

    def exclude(
        self,
        feed: Feed,
        span: Exclusion,
        parties: Sequence[ChecksumAddress],
        signatures: Sequence[bytes],
    ) -> ContractFunction:
        """Takes a future span out of judgement, as all parties of the feed have signed (rule 20)."""
        return self.contract.functions.exclude(
            feed.as_abi(), span.first, span.end, list(parties), list(signatures)
        )

    def exclusions(self, feed_id: bytes, window: int) -> list[Exclusion]:
        """What the parties excluded from a window of the feed, in the order in which they did."""
        found = self.contract.functions.exclusions(feed_id, window).call()
        return [Exclusion(int(first), int(end), bool(planned)) for first, end, planned in found]

    def revoked(self, party: ChecksumAddress, digest: bytes) -> bool:
        """Whether a party has withdrawn its signature under the digest of an exclusion."""
        return bool(self.contract.functions.revoked(party, digest).call())

    def ignored(self, panel: Panel) -> int:
        """Bit i is set if reporter i of the panel has equivocated."""
        return int(self._ask("ignored", panel.hash)[0])

    def heed(self, feed: Feed) -> ContractFunction:
        """Makes a feed heed what was proven against reporters of its panel on another one (rule 17)."""
        return self.contract.functions.heed(feed.as_abi())

    def heeds(self, feed_id: bytes) -> bool:
        """Whether a feed does. No function says so: it is bit 254 of its state (``FeedStateLib``), and the states are in slot 0."""
        slot = int.from_bytes(keccak(feed_id + bytes(32)), "big")
        state = int.from_bytes(self._w3.eth.get_storage_at(self.address, slot), "big")
        return bool(state >> 254 & 1)

    def next_interval(self, feed_id: bytes) -> int:
        """Number of the feed's first interval that is not judged."""
        return int(self.latest(feed_id)[0])

    def latest(self, feed_id: bytes) -> tuple[int, Verdict, int]:
        """Next interval, verdict of the last one judged, and block time of the last report."""
        number, verdict, advanced_at = self._ask("latest", feed_id)
        return int(number), Verdict(verdict), int(advanced_at)

    def positions(self, feed_ids: Sequence[bytes]) -> list[Position]:
        """Where many feeds stand, in their order. One request for some hundred feeds (``FeedLens``)."""
        found: list[Position] = []
        for begin in range(0, len(feed_ids), FEEDS_PER_REQUEST):
            asked = feed_ids[begin : begin + FEEDS_PER_REQUEST]
            # abi.encode(address, bytes32[]), by hand: this runs at every round for every feed.
            words = [bytes.fromhex(self.address[2:]).rjust(32, b"\0"), (64).to_bytes(32, "big")]
            arguments = b"".join([*words, len(asked).to_bytes(32, "big"), *asked])
            data = bytes.fromhex(artifact("FeedLens")["bytecode"][2:]) + arguments
            answer = self._w3.eth.call({"data": HexBytes(data)})
            if len(answer) != 32 * len(asked):
                raise BadFunctionCallOutput(f"{len(answer)} bytes for {len(asked)} feeds")
            found += [
                _position(int.from_bytes(answer[i : i + 32], "big"))
                for i in range(0, len(answer), 32)
            ]
        return found

    def tally(self, feed: FeedRef, window: int) -> Tally:
        return Tally(*map(int, self._ask("tally", feed.as_abi(), window)[0]))


class Bond(NamedTuple):
    """The provider's collateral [units of the token's decimals].

    :param amount: What is there. :param owed: Credits of closed windows that it could not pay.
    :param open_windows: Funded and not closed.
    """

    amount: int
    owed: int
    open_windows: int


class Escrow:
    """An ``SLAEscrow`` on a chain."""

    def __init__(self, w3: Web3, address: ChecksumAddress) -> None:
        self.address = address
        self._w3 = w3

    @property
    def contract(self) -> Contract:
        return contract(self._w3, "SLAEscrow", self.address)

    def _ask(self, function: str, *arguments: object) -> tuple[Any, ...]:
        return _function("SLAEscrow", function).ask(self._w3, self.address, *arguments)

    def open(
        self, terms: Terms, provider_signature: bytes, consumer_signature: bytes
    ) -> ContractFunction:
        return self.contract.functions.open(terms.as_abi(), provider_signature, consumer_signature)

    def revoke(self, digest: bytes) -> ContractFunction:
        """Withdraws the sender's signature under a digest, e.g. the id of terms."""
        return self.contract.functions.revoke(digest)

    def fund(self, terms: Terms, first: int, count: int) -> ContractFunction:
        return self.contract.functions.fund(terms.as_abi(), first, count)

    def settle(self, terms: Terms, window: int) -> ContractFunction:
        return self.contract.functions.settle(terms.as_abi(), window)

    def close(self, terms: Terms, window: int) -> ContractFunction:
        return self.contract.functions.close(terms.as_abi(), window)

    def amend(
        self, current: Terms, following: Terms, provider_signature: bytes, consumer_signature: bytes
    ) -> ContractFunction:
        """Puts terms in the place of those that they amend or renew (rule 6)."""
        return self.contract.functions.amend(
            current.as_abi(), following.as_abi(), provider_signature, consumer_signature
        )

    def terminate(
        self,
        terms: Terms,
        termination: Termination,
        provider_signature: bytes,
        consumer_signature: bytes,
    ) -> ContractFunction:
        return self.contract.functions.terminate(
            terms.as_abi(), termination.as_abi(), provider_signature, consumer_signature
        )

    def end_by_notice(self, terms: Terms) -> ContractFunction:
        return self.contract.functions.endByNotice(terms.as_abi())

    def end_for_breaches(self, terms: Terms, breached: Sequence[int]) -> ContractFunction:
        """Ends the agreement for its consumer, who shows windows with a paid credit, in ascending order."""
        return self.contract.functions.endForBreaches(terms.as_abi(), list(breached))

    def post_bond(self, terms: Terms, amount: int) -> ContractFunction:
        return self.contract.functions.postBond(terms.as_abi(), amount)

    def release_bond(self, terms: Terms) -> ContractFunction:
        return self.contract.functions.releaseBond(terms.as_abi())

    def withdraw(self, token: ChecksumAddress, to: ChecksumAddress) -> ContractFunction:
        return self.contract.functions.withdraw(token, to)

    def set_payout(self, to: ChecksumAddress) -> ContractFunction:
        """Sends the sender's payments, of all its agreements, to another address; to its own: to itself again."""
        return self.contract.functions.setPayout(to)

    def agreement_id(self, terms: Terms) -> bytes:
        return bytes(self._ask("agreementId", terms.as_abi())[0])

    def status(self, agreement_id: bytes) -> str:
        """One of :data:`AGREEMENT_STATUS`."""
        return AGREEMENT_STATUS[self._ask("status", agreement_id)[0]]

    def end(self, agreement_id: bytes) -> int:
        """The agreement's number of windows: fewer than its terms say once it was ended; 0 if it was never opened."""
        return int(self._ask("endOf", agreement_id)[0])

    def revoked(self, party: ChecksumAddress, digest: bytes) -> bool:
        """Whether a party has withdrawn its signature under a digest."""
        return bool(self.contract.functions.revoked(party, digest).call())

    def window(self, agreement_id: bytes, window: int) -> tuple[str, int]:
        """One of :data:`WINDOW_STATUS`, and what the consumer was paid for the window."""
        status, paid = self._ask("windowOf", agreement_id, window)
        return WINDOW_STATUS[status], int(paid)

    def claimable(self, terms: Terms, window: int) -> tuple[int, int, bool]:
        """Certain credit [bps], what ``settle`` would pay now, and whether ``close`` would succeed."""
        credit, amount, closable = self._ask("claimable", terms.as_abi(), window)
        return int(credit), int(amount), bool(closable)

    def bounds(self, terms: Terms, window: int) -> tuple[int, int]:
        """The consumer's credit for a window if every unknown interval was good, and if every one was bad (rule 16)."""
        least, most = self.contract.functions.bounds(terms.as_abi(), window).call()
        return int(least), int(most)

    def first_of(self, agreement_id: bytes) -> bytes:
        """The id of the first terms of the chain of amendments, by which the bond goes."""
        return bytes(self.contract.functions.firstOf(agreement_id).call())

    def bond(self, agreement_id: bytes) -> Bond:
        """The bond of the chain of amendments that terms belong to."""
        found = self.contract.functions.bondOf(self.first_of(agreement_id)).call()
        return Bond(*map(int, found))

    def held(self, token: ChecksumAddress) -> int:
        return int(self.contract.functions.held(token).call())

    def withdrawable(self, token: ChecksumAddress, payee: ChecksumAddress) -> int:
        return int(self.contract.functions.withdrawable(token, payee).call())

    def payout(self, party: ChecksumAddress) -> ChecksumAddress:
        """Where payments to a party go."""
        return to_checksum_address(self.contract.functions.payoutOf(party).call())

    def court(self) -> ChecksumAddress:
        """The contract in which payments under terms with an arbiter wait."""
        return to_checksum_address(self.contract.functions.court().call())


class Dispute(NamedTuple):
    """A dispute of a payment.

    :param status: ``none``, ``open``, ``ruled`` or ``lapsed``. :param disputed: [units of the token's decimals].
    :param ruling_by: Until when the arbiter may rule [s, UNIX time].
    """

    status: str
    disputed: int
    ruling_by: int


class Court:
    """A ``DisputeCourt`` on a chain: where payments under terms with an arbiter wait."""

    def __init__(self, w3: Web3, address: ChecksumAddress) -> None:
        self.address = address
        self._w3 = w3

    @property
    def contract(self) -> Contract:
        return contract(self._w3, "DisputeCourt", self.address)

    def _ask(self, function: str, *arguments: object) -> tuple[Any, ...]:
        return _function("DisputeCourt", function).ask(self._w3, self.address, *arguments)

    def waiting(self, agreement_id: bytes, window: int, side: int) -> tuple[int, int]:
        """What may be released now to the consumer (side 0) or the provider (1), and what cannot be yet."""
        matured, maturing, _, later, _ = self._ask("waiting", agreement_id, window, side)
        return int(matured), int(maturing) + int(later)

    def release(self, terms: Terms, window: int, side: int) -> ContractFunction:
        return self.contract.functions.release(terms.as_abi(), window, side)

    def dispute_of(self, agreement_id: bytes, window: int, side: int) -> Dispute:
        """The dispute of a side's payment for a window."""
        status, disputed, ruling_by = self.contract.functions.disputeOf(
            agreement_id, window, side
        ).call()
        return Dispute(DISPUTE_STATUS[status], int(disputed), int(ruling_by))

    def dispute(self, terms: Terms, window: int, side: int) -> ContractFunction:
        """Disputes a side's payment, in the name of the other party, which sends it."""
        return self.contract.functions.dispute(terms.as_abi(), window, side)

    def rule(self, terms: Terms, window: int, side: int, award: int) -> ContractFunction:
        """Decides a dispute: so much of it goes to the party that disputed the payment of ``side``."""
        return self.contract.functions.rule(terms.as_abi(), window, side, award)

    def lapse(self, terms: Terms, window: int, side: int) -> ContractFunction:
        return self.contract.functions.lapse(terms.as_abi(), window, side)


def _position(word: int) -> Position:
    return Position(word & 0xFFFFFFFF, Verdict(word >> 32 & 0xFF), word >> 40)


class Token:
    """An ERC-20 token on a chain, and the minting of the test dollar."""

    def __init__(self, w3: Web3, address: ChecksumAddress) -> None:
        self.address = address
        self.contract = contract(w3, "TestDollar", address)
        self._approvable = w3.eth.contract(address=address, abi=_APPROVE)

    def balance(self, account: ChecksumAddress) -> int:
        return int(self.contract.functions.balanceOf(account).call())

    def allowance(self, owner: ChecksumAddress, spender: ChecksumAddress) -> int:
        return int(self.contract.functions.allowance(owner, spender).call())

    def decimals(self) -> int:
        return int(self.contract.functions.decimals().call())

    def symbol(self) -> str:
        return str(self.contract.functions.symbol().call())

    def approve(self, spender: ChecksumAddress, amount: int) -> ContractFunction:
        """Allows an account to take an amount. Some tokens answer with nothing, so no answer is expected."""
        return self._approvable.functions.approve(spender, amount)

    def mint(self, to: ChecksumAddress, amount: int) -> ContractFunction:
        """Only test dollars can be minted."""
        return self.contract.functions.mint(to, amount)


def decode_error(data: bytes) -> Reverted:
    """The contract's own error, with its values, from the data of a revert."""
    selector, payload = data[:4], data[4:]
    try:
        if selector == _ERROR_STRING:
            return Reverted(f"the contract refused: {decode(['string'], payload)[0]}")
        if selector == _PANIC:
            code = int.from_bytes(payload[:32], "big")
            return Reverted(f"the contract refused: {_PANICS.get(code, f'panic {code:#x}')}")
        if entry := _errors().get(selector):
            inputs = entry["inputs"]
            decoded = decode([collapse_if_tuple(item) for item in inputs], payload)
            values = {
                item["name"]: _shown(item["type"], value)
                for item, value in zip(inputs, decoded, strict=True)
            }
            listed = ", ".join(f"{name}={value}" for name, value in values.items())
            raw = f"{entry['name']}({listed})"
            words = described(entry["name"], values)
            return Reverted(
                f"the contract refused: {words.said}: {raw}"
                if words
                else f"the contract refused: {raw}",
                error=entry["name"],
                values=values,
                hint=words.hint if words else None,
            )
    except DecodingError:
        pass  # an error of another contract that happens to share the selector
    return Reverted(f"the contract refused without a reason that is known here (0x{data.hex()})")


@cache
def _errors() -> dict[bytes, dict[str, Any]]:
    entries = (
        entry for name in CONTRACTS for entry in artifact(name)["abi"] if entry["type"] == "error"
    )
    return {_selector(entry): entry for entry in entries}


def _selector(entry: dict[str, Any]) -> bytes:
    types = ",".join(collapse_if_tuple(item) for item in entry["inputs"])
    return keccak(text=f"{entry['name']}({types})")[:4]


def _shown(kind: str, value: Any) -> object:
    if kind == "address":
        return to_checksum_address(value)
    return f"0x{value.hex()}" if isinstance(value, bytes) else value
