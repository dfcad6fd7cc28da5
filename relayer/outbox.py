"""Sending the daemon's transactions so that a crash loses none and sends none twice.

One transaction per key is in flight at a time. Each step of it is stored before the next one begins, so after a restart the
very same bytes are sent again, which is harmless. If it is not mined in time, the same call is sent at the same nonce with
higher fees; whichever attempt is mined, the contract sees the call once. A mined transaction is looked at again until no
reorganisation can take it back. The chain's own count of transactions is the truth: there is no nonce counter here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from eth_utils.hexadecimal import encode_hex

from relayer.chain import Fees, Sent, unsigned
from relayer.errors import ChainUnavailable, Reverted
from relayer.operations import metrics
from relayer.packing import Outgoing, Refused, failed_calls, pack
from relayer.runway import gas_price, runway_days
from relayer.setbacks import Setbacks
from relayer.store.transactions import (
    FINAL,
    MINED,
    REVERTED,
    SENT,
    SIGNED,
    SUPERSEDED,
    Attempt,
    Inclusion,
    Item,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from eth_account.signers.base import BaseAccount
    from eth_typing import ChecksumAddress
    from web3.types import TxReceipt

    from relayer.chain import Chain, Head
    from relayer.operations.alerts import Alerts
    from relayer.store import Store
    from relayer.store.transactions import StoredTransaction

__all__ = ["Item", "Outbox", "Outgoing", "Refused"]

log = structlog.get_logger(__name__)

BUMP_SECONDS: Final = 45
"""How long an attempt may stay pending before the next one pays more, or it is sent once more: a few blocks."""
DOUBTFUL_ROUNDS: Final = 3
"""How often an answer that gives a transaction up must be heard in a row: nodes lag behind each other."""
BALANCE_SECONDS: Final = 60
"""How often the balance is looked at. One that is low at two looks in a row is an alert: a node may not know yet of coins that
have just come, or give one strange answer, and gas may be dear for a moment."""


class Outbox:
    """The transactions of one key.

    :param batcher: Address of the ``Batcher`` contract; None: every call is a transaction of its own.
    :param confirmations: Blocks on top of a transaction's after which it is final.
    :param max_gas: Most gas of a transaction of several calls.
    :param expected_gas: What the agreements ask for, while nothing shows the pace at which coins are spent [gas per day].
    :param low_days: Below so many days until the balance is spent, ``balance_low`` is fired.
    :param critical_days: Below so many days, ``balance_critical``.
    """

    def __init__(
        self,
        store: Store,
        chain: Chain,
        account: BaseAccount,
        *,
        batcher: ChecksumAddress | None,
        confirmations: int,
        max_gas: int,
        alerts: Alerts,
        expected_gas: float = 0,
        low_days: float = 14,
        critical_days: float = 2,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.account = account
        self._store = store.transactions
        self._chain = chain
        self._batcher = batcher
        self._confirmations = confirmations
        self._max_gas = max_gas
        self._alerts = alerts
        self._expected_gas = expected_gas
        self._low_days = low_days
        self._critical_days = critical_days
        self._clock = clock
        # What follows is for this process's convenience: without it things are done once more, and none is lost.
        self._published: set[bytes] = set()
        self._again_at: dict[bytes, float] = {}
        self._doubts: dict[int, int] = {}
        self._refusals: dict[int, int] = {}
        self._checked_head = b""
        self._balance_at = float("-inf")
        self._was_low: frozenset[str] = frozenset()  # alerts that the last look gave reason for
        self._too_little = -1
        self._empty_at = -1  # what there was when a transaction could not be paid for
        self._setbacks = Setbacks(alerts, clock)

    # What the daemon calls

    def send(self, calls: Sequence[Outgoing]) -> list[Refused]:
        """Pack as many calls as fit into one transaction; simulate, sign, store and broadcast it.

        Nothing is sent while something is in flight.

        :param calls: In the order of their priority.
        :returns: What the contracts refuse, or what failed on the chain before and rests now.
        :raises ChainUnavailable: The chain does not answer; or gas costs more than is allowed, or than the account has: then
            an alert says so, and nothing was stored.
        """
        address = self.account.address
        if self._store.in_flight(address):
            return []
        resting, ready = self._setbacks.sort(calls)
        if not ready:
            return resting
        nonce = self._nonce()
        fees = self._fees()
        balance = self._balance()
        packed, refused = pack(
            self._chain,
            address,
            ready,
            batcher=self._batcher,
            max_gas=min(self._max_gas, balance // max(1, fees.max_fee)),
        )
        if packed is None:
            return resting + refused
        if balance < packed.gas * fees.max_fee or balance <= self._too_little:
            raise self._wallet_empty(balance, packed.gas * fees.max_fee)
        attempt = self._sign(self._chain.prepare(packed.call, address, nonce, fees, gas=packed.gas))
        items = [outgoing.items for outgoing in packed.contents]
        self._store.begin(address, nonce, items, attempt, self._clock())
        [transaction] = self._store.in_flight(address)
        self._note(SIGNED, transaction, attempt.hash)
        self._pursue(transaction)
        return resting + refused

    def advance(self) -> bool:
        """Bring forward what is in flight, and look again at what is mined but not final.

        :returns: Whether something is in flight.
        """
        address = self.account.address
        self._look_after_balance()
        unfinal = self._store.unfinal(address)
        head = self._chain.head() if unfinal else None
        if head is not None and head.hash != self._checked_head:
            self._recheck(unfinal, head)
            self._checked_head = head.hash
        waiting = any(self._follow(transaction) for transaction in self._store.in_flight(address))
        if not waiting:
            metrics.IN_FLIGHT.set(0)
        return waiting

    def runway_days(self, balance: int) -> float | None:
        """How long ``balance`` [wei] lasts [days]; None if nothing was spent and nothing is expected to be."""
        expected = self._expected_gas * gas_price(self._chain) if self._expected_gas else 0
        return runway_days(
            balance, self._store, self.account.address, self._clock(), expected=expected
        )

    # One step of a transaction

    def _follow(self, transaction: StoredTransaction) -> bool:
        """Bring one transaction a step forward. Returns whether it is in flight still."""
        count = self._nonce_count()
        if count == transaction.nonce:
            self._doubts.pop(transaction.id, None)
            self._pursue(transaction)
            return True
        if count > transaction.nonce and self._included(transaction):
            return False
        # Its nonce was used by something else. Or a reorganisation took back an earlier transaction that nobody sends
        # again, and this one waits for it in vain. Or a node is behind the others.
        self._doubts[transaction.id] = self._doubts.get(transaction.id, 0) + 1
        if self._doubts[transaction.id] < DOUBTFUL_ROUNDS:
            return True
        log.warning("nonce lost", action="nonce_lost", nonce=transaction.nonce, expected=count)
        self._give_up(transaction)
        return False

    def _pursue(self, transaction: StoredTransaction) -> None:
        """Its nonce is the next one: see that nodes have it, and that it pays enough."""
        metrics.IN_FLIGHT.set(transaction.created_at)
        newest = transaction.attempts[-1]
        due = self._clock() >= self._again_at.get(newest.hash, 0)
        if newest.hash not in self._published:
            if due:
                self._publish(transaction, newest)
        elif due or self._base_fee() > newest.max_fee:
            self._raise_fees(transaction, newest)

    def _publish(self, transaction: StoredTransaction, attempt: Attempt) -> None:
        """Hand an attempt to the nodes."""
        address = self.account.address
        answer = self._chain.broadcast(attempt.raw)
        if answer in (Sent.ACCEPTED, Sent.KNOWN):
            self._published.add(attempt.hash)
            self._again_at[attempt.hash] = self._clock() + BUMP_SECONDS
            self._refusals.pop(transaction.id, None)
            self._too_little = -1
            self._alerts.clear("wallet_empty", address)
            if transaction.state == SIGNED:
                self._store.mark_sent(transaction.id)
                self._note(SENT, transaction, attempt.hash)
        elif answer is Sent.UNDERPRICED:
            self._raise_fees(transaction, attempt)
        elif answer is Sent.NO_FUNDS:
            # Some nodes want more than gas times fee: nothing is tried again until there is more.
            self._too_little = self._balance()
            self._wallet_empty(self._too_little)
            if transaction.state == SIGNED:
                self._give_up(transaction)  # what is due is seen anew when there is money
        elif answer is Sent.REFUSED:
            self._again_at[attempt.hash] = self._clock() + BUMP_SECONDS
            self._refusals[transaction.id] = self._refusals.get(transaction.id, 0) + 1
            if transaction.state == SIGNED or self._refusals[transaction.id] >= DOUBTFUL_ROUNDS:
                self._setbacks.add(transaction.items, "no node takes the transaction")
                self._give_up(transaction)
        # NONCE_USED: the next round asks for receipts.

    def _raise_fees(self, transaction: StoredTransaction, newest: Attempt) -> None:
        """Sign the same call with higher fees, for the next round to send; if they are at their maximum, send it once more."""
        raised = Fees(newest.max_fee, newest.priority_fee).raised()
        limit = self._chain.max_fee_per_gas
        base = self._base_fee()
        if limit is not None and max(raised.max_fee, base) > limit:
            self._fees_capped(base, limit)
            if self._clock() >= self._again_at.get(newest.hash, 0):
                self._again_at[newest.hash] = self._clock() + BUMP_SECONDS
                self._publish(transaction, newest)  # pools forget
            return
        suggested = self._chain.fees()
        attempt = self._sign(
            unsigned(newest.raw)
            | {
                "maxFeePerGas": max(raised.max_fee, suggested.max_fee),
                "maxPriorityFeePerGas": max(raised.priority_fee, suggested.priority_fee),
            }
        )
        self._store.add_attempt(transaction.id, attempt, self._clock())
        metrics.FEE_BUMPS.inc()
        log.info(
            "fees raised",
            action="fee_raised",
            replaces=encode_hex(newest.hash),
            hash=encode_hex(attempt.hash),
            max_fee_gwei=attempt.max_fee / 1e9,
        )

    def _included(self, transaction: StoredTransaction) -> bool:
        """Whether one of the attempts is in a block; if so, notes it."""
        for attempt in reversed(transaction.attempts):
            if receipt := self._chain.receipt(attempt.hash):
                self._conclude(transaction, attempt, receipt)
                return True
        return False

    def _conclude(
        self, transaction: StoredTransaction, attempt: Attempt, receipt: TxReceipt
    ) -> None:
        state = MINED if receipt["status"] == 1 else REVERTED
        gas = int(receipt["gasUsed"])
        inclusion = Inclusion(
            hash=attempt.hash,
            block=int(receipt["blockNumber"]),
            block_hash=bytes(receipt["blockHash"]),
            gas_used=gas,
            fee_paid=gas * int(receipt["effectiveGasPrice"]),
        )
        self._store.mark_mined(transaction.id, state, inclusion)
        self._forget(transaction)
        self._alerts.clear("fee_capped", self.account.address)
        self._note(state, transaction, attempt.hash, block=inclusion.block, gas=gas)
        if state == REVERTED:
            metrics.FEE_SPENT.inc(inclusion.fee_paid)
            self._setbacks.add(transaction.items, "the transaction reverted")
            return
        failed = dict(failed_calls(receipt)) if len(transaction.calls) > 1 else {}
        for number, items in enumerate(transaction.calls):
            if number in failed:
                self._note_failure(items, failed[number])
            else:
                self._setbacks.clear(items)

    def _note_failure(self, items: Sequence[Item], error: Reverted) -> None:
        """One call of several failed."""
        for purpose in sorted({item.purpose for item in items}):
            metrics.TRANSACTIONS.labels(purpose, "failed").inc()
        about = "; ".join(item.description for item in items)
        log.warning("call failed", action="call_failed", about=about, reason=error.message)
        self._setbacks.add(items, error.message)

    def _give_up(self, transaction: StoredTransaction) -> None:
        self._store.supersede(transaction.id)
        self._forget(transaction)
        self._note(SUPERSEDED, transaction, transaction.attempts[-1].hash)

    def _recheck(self, unfinal: Iterable[StoredTransaction], head: Head) -> None:
        """Is what was mined still there? Is it there for good?"""
        finalized = self._chain.finalized() or 0
        for transaction in unfinal:
            mined = transaction.inclusion
            assert mined is not None  # noqa: S101 - stored together with the state
            receipt = self._chain.receipt(mined.hash)
            if receipt is None or bytes(receipt["blockHash"]) != mined.block_hash:
                self._store.take_back(transaction.id)
                metrics.REORGANISED.inc()
                self._note("reorganised", transaction, mined.hash, block=mined.block)
            elif mined.block <= max(head.number - self._confirmations, finalized):
                self._store.mark_final(transaction.id)
                metrics.FEE_SPENT.inc(mined.fee_paid)
                self._note(FINAL, transaction, mined.hash, block=mined.block)

    # Fees, money, nonce

    def _fees(self) -> Fees:
        base, limit = self._base_fee(), self._chain.max_fee_per_gas
        if limit is not None and base > limit:
            self._fees_capped(base, limit)
        else:
            self._alerts.clear("fee_capped", self.account.address)
        return self._chain.fees()  # raises if they are more than is allowed

    def _fees_capped(self, base: int, limit: int) -> None:
        said = f"gas costs {base / 1e9:.3g} gwei, and {limit / 1e9:.3g} at most may be offered"
        self._alerts.fire("fee_capped", self.account.address, said)

    def _base_fee(self) -> int:
        with self._chain.errors():
            return int(self._chain.w3.eth.get_block("latest").get("baseFeePerGas", 0))

    def _nonce_count(self) -> int:
        count = self._chain.nonce(self.account.address)
        metrics.NONCE.set(count)
        return count

    def _nonce(self) -> int:
        """The next nonce."""
        count = self._nonce_count()
        used = max((mined.nonce for mined in self._store.unfinal(self.account.address)), default=-1)
        if count <= used:
            raise ChainUnavailable(
                f"{self._chain.host} is behind: it counts {count} transactions of {self.account.address}, "
                f"but number {used} is mined",
                hint="it goes on by itself when the endpoint catches up",
            )
        return count

    def _balance(self) -> int:
        balance = self._chain.balance(self.account.address)
        metrics.BALANCE.set(balance)
        return balance

    def _wallet_empty(self, balance: int, needed: int | None = None) -> ChainUnavailable:
        address = self.account.address
        more = f", and {needed / 1e18:.6g} are needed" if needed else ""
        said = f"{address} has {balance / 1e18:.6g} coins{more}"
        self._empty_at = max(balance, (needed or 0) - 1)
        self._alerts.fire("wallet_empty", address, f"{said}: send coins to it")
        return ChainUnavailable(f"{said} for a transaction", hint=f"send coins to {address}")

    def _look_after_balance(self) -> None:
        now = self._clock()
        if 0 <= now - self._balance_at < BALANCE_SECONDS:
            return
        balance = self._balance()
        self._balance_at = now
        if balance > self._empty_at:
            self._alerts.clear("wallet_empty", self.account.address)
        days = self.runway_days(balance)
        address = self.account.address
        if days is None:
            metrics.RUNWAY.clear()
        else:
            metrics.RUNWAY.labels(address).set(days)
        limits = {"balance_low": self._low_days, "balance_critical": self._critical_days}
        low = frozenset(name for name, least in limits.items() if days is not None and days < least)
        for name in limits:
            if name not in low:
                self._alerts.clear(name, address)
            elif name in self._was_low:
                said = f"{address} has {balance / 1e18:.6g} coins left: {days:.1f} days"
                self._alerts.fire(name, address, said)
        self._was_low = low

    # Helpers

    def _sign(self, transaction: dict[str, Any]) -> Attempt:
        signed = self.account.sign_transaction(transaction)
        attempt = Attempt(
            hash=bytes(signed.hash),
            raw=bytes(signed.raw_transaction),
            max_fee=int(transaction["maxFeePerGas"]),
            priority_fee=int(transaction["maxPriorityFeePerGas"]),
        )
        # Signatures are deterministic: these bytes may have been sent once before.
        self._published.discard(attempt.hash)
        self._again_at.pop(attempt.hash, None)
        return attempt

    def _forget(self, transaction: StoredTransaction) -> None:
        self._doubts.pop(transaction.id, None)
        self._refusals.pop(transaction.id, None)
        for attempt in transaction.attempts:
            self._published.discard(attempt.hash)
            self._again_at.pop(attempt.hash, None)

    @staticmethod
    def _note(state: str, transaction: StoredTransaction, tx_hash: bytes, **more: object) -> None:
        """Count and log what became of a transaction."""
        for purpose in transaction.purposes:
            metrics.TRANSACTIONS.labels(purpose, state).inc()
        write = log.info if state in (SIGNED, SENT, MINED, FINAL) else log.warning
        write(
            f"transaction {state}",
            action=f"transaction_{state}",
            purpose=", ".join(transaction.purposes),
            about=transaction.about,
            hash=encode_hex(tx_hash),
            **more,
        )
