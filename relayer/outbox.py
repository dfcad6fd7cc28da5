"""Sending the daemon's transactions so that a crash loses none and sends none twice.

One transaction per key is in flight at a time. It is signed and stored before it is sent, so after a restart the very same
bytes are sent again, which is harmless. If it is not mined in time, the same call is sent at the same nonce with higher
fees; whichever attempt is mined, the contract sees the call once. The chain's own count of transactions is the truth:
there is no nonce counter here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from eth_utils.hexadecimal import encode_hex
from hexbytes import HexBytes
from web3.exceptions import TransactionNotFound

from relayer.chain import Fees, rpc_message, unsigned
from relayer.errors import ChainUnavailable, Reverted

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.local import LocalAccount
    from web3.contract.contract import ContractFunction
    from web3.types import TxReceipt

    from relayer.chain import Chain
    from relayer.store import Store, StoredTransaction

log = structlog.get_logger(__name__)

BUMP_SECONDS = 45
"""How long an attempt may stay pending before the next one pays more: a few blocks."""

# What nodes say of a transaction that they have, or have had: no reason to worry.
_KNOWN = ("already known", "known transaction", "already imported", "alreadyknown")
_NONCE_USED = ("nonce too low", "nonce is too low", "correct nonce", "oldnonce")
_UNDERPRICED = ("underpriced", "fee too low", "less than block base fee", "feetoolow")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call that someone wants to be sent.

    :param purpose: ``report``, ``skip``, ``settle`` or ``close``.
    :param subject: Id of the feed or agreement that it moves on.
    :param description: The same for people.
    """

    call: ContractFunction
    purpose: str
    subject: bytes
    description: str


class Outbox:
    """The transactions of one key."""

    def __init__(
        self,
        store: Store,
        chain: Chain,
        account: LocalAccount,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._chain = chain
        self.account = account
        self._clock = clock
        self._sent: set[bytes] = set()
        self._capped: dict[bytes, float] = {}
        # How often a call was mined and reverted in a row, and when it may be sent again.
        self._reverted: dict[tuple[str, bytes], tuple[int, float]] = {}

    def send(self, outgoing: Outgoing) -> None:
        """Simulate, sign, store and broadcast a call. Nothing else may be in flight.

        :raises Reverted: The contract would refuse it; nothing was sent.
        """
        account = self.account.address
        count, again_at = self._reverted.get((outgoing.purpose, outgoing.subject), (0, 0.0))
        if self._clock() < again_at:
            raise Reverted(f"reverted {count} times on the chain although the simulation passed")
        self._chain.simulate(outgoing.call, account)
        transaction = self._chain.prepare(
            outgoing.call, account, self._chain.nonce(account), self._chain.fees()
        )
        tx_hash = self._store_attempt(
            transaction, outgoing.purpose, outgoing.subject, outgoing.description
        )
        log.info(
            "transaction signed",
            action="transaction_signed",
            purpose=outgoing.purpose,
            about=outgoing.description,
            hash=encode_hex(tx_hash),
        )
        self.advance()

    def advance(self) -> bool:
        """Bring the transaction in flight forward: look for its receipt, send it again, raise its fees.

        :returns: Whether one is still in flight.
        """
        attempts = self._store.pending_transactions(self.account.address)
        if not attempts:
            return False
        if self._resolved(attempts):
            return False
        newest = attempts[-1]
        count = self._chain.nonce(self.account.address)
        if count != newest.nonce:
            # Either a reorganisation took back an earlier transaction, and this one waits for it in vain; or the nonce was
            # used, but a receipt may lag behind the count: ask once more. The next round sees what is still to be done.
            if count < newest.nonce or not self._resolved(attempts):
                log.warning("nonce lost", action="nonce_lost", nonce=newest.nonce, expected=count)
                self._store.supersede_transactions(self.account.address, newest.nonce)
            return False
        if newest.hash not in self._sent:
            if not self._broadcast(newest):
                self._bump(newest)
        elif self._clock() - newest.created_at > BUMP_SECONDS:
            self._bump(newest)
        return True

    def _resolved(self, attempts: list[StoredTransaction]) -> bool:
        """Whether one of the attempts is in a block; if so, notes it."""
        for attempt in attempts:
            if receipt := self._receipt(attempt.hash):
                self._resolve(attempt, receipt)
                return True
        return False

    def _receipt(self, tx_hash: bytes) -> TxReceipt | None:
        with self._chain.errors():
            try:
                return self._chain.w3.eth.get_transaction_receipt(HexBytes(tx_hash))
            except TransactionNotFound:
                return None

    def _resolve(self, attempt: StoredTransaction, receipt: TxReceipt) -> None:
        state = "mined" if receipt["status"] == 1 else "reverted"
        self._store.resolve_transaction(
            attempt, state, block=receipt["blockNumber"], gas_used=receipt["gasUsed"]
        )
        key = (attempt.purpose, attempt.subject)
        if state == "mined":
            self._reverted.pop(key, None)
        else:
            count = self._reverted.get(key, (0, 0.0))[0] + 1
            pause = min(3_600, 60 * 2**count) if count > 1 else 0  # once may be bad luck
            self._reverted[key] = (count, self._clock() + pause)
        write = log.info if state == "mined" else log.warning
        write(
            f"transaction {state}",
            action=f"transaction_{state}",
            purpose=attempt.purpose,
            about=attempt.description,
            hash=encode_hex(attempt.hash),
            block=receipt["blockNumber"],
            gas=receipt["gasUsed"],
        )

    def _broadcast(self, attempt: StoredTransaction) -> bool:
        """Hand an attempt to the node. False if it pays too little for it."""
        try:
            with self._chain.errors():
                self._chain.w3.eth.send_raw_transaction(attempt.raw)
        except ChainUnavailable as error:
            said = rpc_message(error.__cause__).lower()
            if any(word in said for word in _UNDERPRICED):
                return False
            if "insufficient funds" in said:
                error.hint = f"send coins to {self.account.address}"
            if not any(word in said for word in (*_KNOWN, *_NONCE_USED)):
                if said and "insufficient funds" not in said and attempt.hash not in self._sent:
                    # Never taken: begin anew, with what is due, its gas and its fees at that time. The nonce stays.
                    self._store.supersede_transactions(attempt.account, attempt.nonce)
                raise
        self._sent.add(attempt.hash)
        return True

    def _bump(self, attempt: StoredTransaction) -> None:
        """Replace an attempt by the same call with higher fees; if they are at their maximum, send it once more."""
        raised = Fees(attempt.max_fee, attempt.priority_fee).raised()
        limit = self._chain.max_fee_per_gas
        if limit is not None and raised.max_fee > limit:
            if attempt.hash not in self._capped:
                log.warning(
                    "fees at their maximum", action="fee_capped", hash=encode_hex(attempt.hash)
                )
            if self._clock() - self._capped.get(attempt.hash, 0) > BUMP_SECONDS:
                self._capped[attempt.hash] = self._clock()
                self._broadcast(attempt)
            return
        transaction = unsigned(attempt.raw) | {
            "maxFeePerGas": raised.max_fee,
            "maxPriorityFeePerGas": raised.priority_fee,
        }
        self._store_attempt(transaction, attempt.purpose, attempt.subject, attempt.description)
        log.info("fees raised", action="fee_raised", replaces=encode_hex(attempt.hash))

    def _store_attempt(
        self, transaction: dict[str, Any], purpose: str, subject: bytes, description: str
    ) -> bytes:
        signed = self.account.sign_transaction(transaction)
        self._store.save_transaction(
            account=self.account.address,
            nonce=transaction["nonce"],
            purpose=purpose,
            subject=subject,
            description=description,
            tx_hash=bytes(signed.hash),
            raw=bytes(signed.raw_transaction),
            max_fee=int(transaction["maxFeePerGas"]),
            priority_fee=int(transaction["maxPriorityFeePerGas"]),
            created_at=self._clock(),
        )
        # Signatures are deterministic: after a reorganisation the very same transaction may have to be sent once more.
        self._sent.discard(bytes(signed.hash))
        return bytes(signed.hash)
