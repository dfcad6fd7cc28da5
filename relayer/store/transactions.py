"""The transactions of a key: what was signed, in which attempts, and what became of it.

::

    signed ──► sent ──► mined ──► final
      │         ▲ │       │
      │         └─┼───────┘  a reorganisation
      └───────────┴──► reverted, superseded

``superseded``: its nonce was used by something else, or it was given up. Fees are kept as text, since they do not fit into the
integers of every database.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, update

from relayer.store import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from relayer.store import Store

SIGNED: Final = "signed"
SENT: Final = "sent"
MINED: Final = "mined"
FINAL: Final = "final"
REVERTED: Final = "reverted"
SUPERSEDED: Final = "superseded"


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of work that a call does.

    :param purpose: ``report``, ``skip``, ``settle``, ``close``, ``release``, ``prove`` or ``heed``.
    :param subject: Id of the feed or agreement that it moves on; of several feeds the first one's.
    :param first: First interval or window of it that is done.
    :param end: The one after the last.
    :param description: The same for people.
    """

    purpose: str
    subject: bytes
    first: int
    end: int
    description: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A signed transaction. All attempts of one :class:`StoredTransaction` have its nonce and make its calls.

    :param raw: The bytes to broadcast.
    :param max_fee: Most that it pays per gas [wei].
    :param priority_fee: What it offers of that to the miner [wei].
    """

    hash: bytes
    raw: bytes
    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The block that a transaction is in, and what it cost.

    :param hash: Of the attempt that was mined.
    :param fee_paid: [wei]
    """

    hash: bytes
    block: int
    block_hash: bytes
    gas_used: int
    fee_paid: int


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A nonce of a key, and what it is used for.

    :param calls: For each call that it makes, in order, the work that this does.
    :param attempts: Oldest first. Empty if a later transaction has the very same bytes.
    :param inclusion: None unless it is mined, final or reverted.
    """

    id: int
    account: str
    nonce: int
    state: str
    calls: tuple[tuple[Item, ...], ...]
    created_at: float
    attempts: tuple[Attempt, ...]
    inclusion: Inclusion | None

    @property
    def items(self) -> tuple[Item, ...]:
        """All that it does."""
        return tuple(item for call in self.calls for item in call)

    @property
    def purposes(self) -> list[str]:
        """Each once, in the order of the alphabet."""
        return sorted({item.purpose for item in self.items})

    @property
    def about(self) -> str:
        """What it does, for people: the beginning of a long list."""
        said = [item.description for item in self.items]
        more = f" and {len(said) - 3} more" if len(said) > 3 else ""
        return "; ".join(said[:3]) + more


class Transactions:
    """The transactions of all keys that use a database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Steps, in order

    def begin(
        self,
        account: str,
        nonce: int,
        calls: Sequence[Sequence[Item]],
        attempt: Attempt,
        now: float,
    ) -> int:
        """A transaction is signed. Returns its id."""
        with self._store.writing() as db:
            row = db.execute(
                insert(tables.transactions).values(
                    account=account,
                    nonce=nonce,
                    state=SIGNED,
                    items=_to_json(calls),
                    created_at=now,
                )
            )
            key = row.inserted_primary_key
            assert key is not None  # noqa: S101 - only inserts of many rows have none
            transaction_id = int(key[0])
            _add(db, transaction_id, attempt, now)
        return transaction_id

    def add_attempt(self, transaction_id: int, attempt: Attempt, now: float) -> None:
        """The same is signed once more, with higher fees."""
        with self._store.writing() as db:
            _add(db, transaction_id, attempt, now)

    def mark_sent(self, transaction_id: int) -> None:
        """A node has it."""
        self._set(transaction_id, state=SENT)

    def mark_mined(self, transaction_id: int, state: str, inclusion: Inclusion) -> None:
        """It is in a block: ``state`` is ``mined`` or ``reverted``."""
        self._set(
            transaction_id,
            state=state,
            mined_hash=inclusion.hash,
            block=inclusion.block,
            block_hash=inclusion.block_hash,
            gas_used=inclusion.gas_used,
            fee_paid=str(inclusion.fee_paid),
        )

    def mark_final(self, transaction_id: int) -> None:
        """No reorganisation takes it back any more."""
        self._set(transaction_id, state=FINAL)

    def take_back(self, transaction_id: int) -> None:
        """A reorganisation removed its block: it is pending again."""
        self._set(
            transaction_id,
            state=SENT,
            mined_hash=None,
            block=None,
            block_hash=None,
            gas_used=None,
            fee_paid=None,
        )

    def supersede(self, transaction_id: int) -> None:
        """It will never be mined."""
        self._set(transaction_id, state=SUPERSEDED)

    # Questions

    def in_flight(self, account: str) -> list[StoredTransaction]:
        """What is signed or sent, by nonce. More than one only after a reorganisation."""
        return self._where(
            tables.transactions.c.account == account,
            tables.transactions.c.state.in_([SIGNED, SENT]),
        )

    def unfinal(self, account: str) -> list[StoredTransaction]:
        """What is mined, but could be taken back by a reorganisation, by nonce."""
        return self._where(
            tables.transactions.c.account == account, tables.transactions.c.state == MINED
        )

    def recent(self, limit: int) -> list[StoredTransaction]:
        """Newest first."""
        newest = select(tables.transactions.c.id).order_by(tables.transactions.c.id.desc())
        found = self._where(tables.transactions.c.id.in_(newest.limit(limit)))
        return sorted(found, key=lambda transaction: -transaction.id)

    def spent_since(self, account: str, time: float) -> int:
        """Fees paid for transactions that were signed since then [wei]."""
        query = select(tables.transactions.c.fee_paid).where(
            tables.transactions.c.account == account,
            tables.transactions.c.created_at >= time,
            tables.transactions.c.fee_paid.is_not(None),
        )
        with self._store.reading() as db:
            return sum(map(int, db.scalars(query)))

    def first_at(self, account: str) -> float | None:
        """When the account's first transaction was signed [s, UNIX time]."""
        query = select(func.min(tables.transactions.c.created_at)).where(
            tables.transactions.c.account == account
        )
        with self._store.reading() as db:
            first: float | None = db.scalar(query)
            return first

    def _set(self, transaction_id: int, **values: Any) -> None:
        with self._store.writing() as db:
            db.execute(
                update(tables.transactions)
                .where(tables.transactions.c.id == transaction_id)
                .values(**values)
            )

    def _where(self, *conditions: ColumnElement[bool]) -> list[StoredTransaction]:
        chosen = select(tables.transactions).where(*conditions)
        ids = select(tables.transactions.c.id).where(*conditions)
        attempts_of_them = (
            select(tables.attempts)
            .where(tables.attempts.c.transaction_id.in_(ids))
            .order_by(tables.attempts.c.id)
        )
        with self._store.reading() as db:
            rows = db.execute(
                chosen.order_by(tables.transactions.c.nonce, tables.transactions.c.id)
            ).all()
            attempts: dict[int, list[Attempt]] = {}
            if rows:
                for row in db.execute(attempts_of_them):
                    attempts.setdefault(row.transaction_id, []).append(
                        Attempt(
                            bytes(row.hash), bytes(row.raw), int(row.max_fee), int(row.priority_fee)
                        )
                    )
        return [
            StoredTransaction(
                id=row.id,
                account=row.account,
                nonce=row.nonce,
                state=row.state,
                calls=_from_json(row.items),
                created_at=row.created_at,
                attempts=tuple(attempts.get(row.id, ())),
                inclusion=Inclusion(
                    bytes(row.mined_hash),
                    row.block,
                    bytes(row.block_hash),
                    row.gas_used,
                    int(row.fee_paid),
                )
                if row.mined_hash is not None
                else None,
            )
            for row in rows
        ]


def _add(db: Connection, transaction_id: int, attempt: Attempt, now: float) -> None:
    # Signatures are deterministic: what was given up may come out the same when it is due again. Then the bytes belong to
    # the transaction that was signed last.
    db.execute(delete(tables.attempts).where(tables.attempts.c.hash == attempt.hash))
    db.execute(
        insert(tables.attempts).values(
            transaction_id=transaction_id,
            hash=attempt.hash,
            raw=attempt.raw,
            max_fee=str(attempt.max_fee),
            priority_fee=str(attempt.priority_fee),
            created_at=now,
        )
    )


def _to_json(calls: Sequence[Sequence[Item]]) -> str:
    return json.dumps(
        [[asdict(item) | {"subject": item.subject.hex()} for item in call] for call in calls]
    )


def _from_json(text: str) -> tuple[tuple[Item, ...], ...]:
    return tuple(
        tuple(Item(**item | {"subject": bytes.fromhex(item["subject"])}) for item in call)
        for call in json.loads(text)
    )
