"""What has to be read, and the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, func, null, select, update

from relayer.evidence.cipher import Unreadable, evidence_place
from relayer.logs import scrubbed
from relayer.protocol.readings import READING_BYTES
from relayer.store import tables
from relayer.store.database import insert_into, insert_new, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Select

    from relayer.protocol.report import FeedReadings
    from relayer.store import Store

_T = tables.readings.c
_ROWS = 1_000


class Due(NamedTuple):
    """An interval to be read now, after so many failed attempts."""

    feed: bytes
    interval: int
    failures: int


class Answered(NamedTuple):
    """What a monitoring service answered.

    :param code: The reading as it will be signed.
    :param source: Name of the service.
    :param evidence: Its raw answer.
    :param digest: What stands for the evidence in what is signed (32 bytes).
    """

    feed: bytes
    interval: int
    code: int
    source: str
    evidence: bytes
    digest: bytes


class Failed(NamedTuple):
    """An attempt to read that failed, and when to try again."""

    feed: bytes
    interval: int
    problem: str
    retry_at: float


class StoredReading(NamedTuple):
    """An answer of this reporter.

    :param digest: None in answers from before there were digests, whose evidence cannot be shown.
    """

    feed: bytes
    interval: int
    code: int
    digest: bytes | None
    read_at: float


class KeptEvidence(NamedTuple):
    """What is known of one interval, for whoever has to show it.

    :param code: None: there is no answer yet.
    :param evidence: The raw answer; None if none was kept; or why it cannot be read.
    :param digest: As in :class:`StoredReading`.
    :param problem: Why there is no answer yet.
    """

    interval: int
    code: int | None
    evidence: bytes | Unreadable | None
    digest: bytes | None
    problem: str | None


class Readings:
    """Readings of all feeds. Everything is done for many of them in one statement."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def schedule(self, rows: Iterable[tuple[bytes, int]]) -> None:
        """Note that these intervals of feeds have to be read. Those known already stay as they are."""
        new = [
            {"feed": feed, "interval": interval, "failures": 0, "retry_at": 0.0}
            for feed, interval in sorted(rows)
        ]
        if new:
            with self._store.writing() as db:
                db.execute(insert_new(db, tables.readings), new)

    def due(self, now: float, limit: int | None = None) -> list[Due]:
        """What has no answer and is due for an attempt, ascending by interval."""
        query = (
            select(_T.feed, _T.interval, _T.failures)
            .where(_T.code.is_(None), _T.retry_at <= now)
            .order_by(_T.interval, _T.feed)
            .limit(limit)
        )
        with self._store.reading() as db:
            return [Due(*row) for row in db.execute(query)]

    def save(self, answers: Sequence[Answered]) -> list[Answered]:
        """Keep answers, scheduled or not. A second one for the same interval is dropped: the first one stands.

        :returns: The answers that stand. Nothing else may be signed: a commit whose answer was lost, or another process, may
            have stored one before.
        """
        if not answers:
            return []
        now = self._store.clock()
        # Of several for one interval the first: PostgreSQL refuses a statement that has them all.
        first = {answer[:2]: answer for answer in reversed(answers)}
        # In one order everywhere, so that two threads never wait for each other's rows.
        rows = [
            answer._asdict()
            | {"evidence": self._sealed(answer), "read_at": now, "failures": 0, "retry_at": 0.0}
            for answer in sorted(first.values())
        ]
        with self._store.writing() as db:
            statement = insert_into(db, tables.readings)
            written = ("code", "source", "evidence", "digest", "read_at")
            changes: dict[str, Any] = {name: statement.excluded[name] for name in written}
            statement = statement.on_conflict_do_update(
                index_elements=["feed", "interval"],
                # Not None, for which a parameter would stand: with one the rows are inserted one by one.
                set_=changes | {"problem": null()},
                where=_T.code.is_(None),
            ).returning(_T.feed, _T.interval)
            new = {(row.feed, row.interval) for row in db.execute(statement, rows)}
            return [
                first[answer[:2]] if answer[:2] in new else self._standing(db, answer)
                for answer in answers
            ]

    def _standing(self, db: Connection, answer: Answered) -> Answered:
        query = select(_T.code, _T.source, _T.evidence, _T.digest)
        row = db.execute(query.where(_T.feed == answer.feed, _T.interval == answer.interval)).one()
        evidence = self._opened(answer.feed, answer.interval, row.evidence)
        return answer._replace(
            code=row.code,
            source=row.source,
            # Whoever signs needs the digest only: a lost key must not stop it.
            evidence=evidence if isinstance(evidence, bytes) else b"",
            digest=row.digest or bytes(32),
        )

    def _sealed(self, answer: Answered) -> bytes:
        place = evidence_place(answer.feed, answer.interval)
        return self._store.cipher.seal(answer.evidence, place)

    def _opened(
        self, feed: bytes, interval: int, stored: bytes | None
    ) -> bytes | Unreadable | None:
        if stored is None:
            return None
        try:
            return self._store.cipher.open(bytes(stored), evidence_place(feed, interval))
        except Unreadable as error:
            return error

    def fail(self, failures: Sequence[Failed]) -> None:
        """Note that reading failed, and when to try again. What has an answer keeps it."""
        if not failures:
            return
        statement = (
            update(tables.readings)
            .where(_T.feed == bindparam("of"), _T.interval == bindparam("number"))
            .where(_T.code.is_(None))
            .values(
                failures=_T.failures + 1, problem=bindparam("said"), retry_at=bindparam("again")
            )
        )
        rows = [
            {
                "of": feed,
                "number": interval,
                "said": scrubbed(problem, self._store.secrets),
                "again": retry_at,
            }
            for feed, interval, problem, retry_at in sorted(failures)
        ]
        with self._store.writing() as db:
            db.execute(statement, rows)

    def answered_since(self, read_at: float) -> list[StoredReading]:
        """Answers that were stored at ``read_at`` or later, in the order in which they were.

        ``read_at`` is the clock of the process that stored it, a moment before others can see it. Whoever follows the
        answers asks from some seconds before the newest that it has, and drops those that it knows.
        """
        query = _answers().where(_T.read_at >= read_at).order_by(_T.read_at)
        return self._found(query)

    def answered(self, feed: bytes, first: int) -> list[StoredReading]:
        """Answers of a feed from interval ``first`` on, ascending; there may be gaps."""
        query = _answers().where(_T.feed == feed, _T.interval >= first).order_by(_T.interval)
        return self._found(query)

    def answered_from(self, first: Mapping[bytes, int]) -> list[StoredReading]:
        """As :meth:`answered`, of many feeds at once: each from its interval on, ascending by feed and interval."""
        with self._store.reading() as db:
            wanted = joined(db, first.items())
            query = (
                _answers()
                .select_from(wanted)
                .join(
                    tables.readings,
                    (_T.feed == wanted.c.feed) & (_T.interval >= wanted.c.number),
                )
            )
            return sorted(StoredReading(*row) for row in db.execute(query))

    def evidence(self, feed: bytes, first: int, end: int) -> Iterator[KeptEvidence]:
        """What is known of the intervals [first, end) of a feed, ascending; of some there may be nothing."""
        query = (
            select(_T.interval, _T.code, _T.evidence, _T.digest, _T.problem)
            .where(_T.feed == feed, _T.interval >= first, _T.interval < end)
            .order_by(_T.interval)
        )
        with self._store.reading() as db:
            for row in db.execution_options(yield_per=_ROWS).execute(query):
                evidence = self._opened(feed, row.interval, row.evidence)
                yield KeptEvidence(row.interval, row.code, evidence, row.digest, row.problem)

    def digests(
        self, signed: Sequence[FeedReadings]
    ) -> dict[tuple[bytes, int], tuple[int, bytes | None]]:
        """Code and digest of each answer that stands behind what was signed, by feed and interval."""
        longest = max(len(said.readings) for said in signed) // READING_BYTES
        with self._store.reading() as db:
            wanted = joined(db, {said.feed_id: said.first for said in signed}.items())
            query = (
                select(_T.feed, _T.interval, _T.code, _T.digest)
                .select_from(wanted)
                .join(
                    tables.readings,
                    (_T.feed == wanted.c.feed)
                    & (_T.interval >= wanted.c.number)
                    & (_T.interval < wanted.c.number + longest),
                )
                .where(_T.code.is_not(None))
            )
            return {
                (bytes(row.feed), row.interval): (row.code, row.digest) for row in db.execute(query)
            }

    def forget_unread(self, before: Mapping[bytes, int]) -> int:
        """Drop what was scheduled below these intervals and has no answer: nobody needs it any more."""
        if not before:
            return 0
        statement = (
            delete(tables.readings)
            .where(_T.feed == bindparam("of"), _T.interval < bindparam("below"))
            .where(_T.code.is_(None))
        )
        rows = [{"of": feed, "below": interval} for feed, interval in sorted(before.items())]
        with self._store.writing() as db:
            return db.execute(statement, rows).rowcount

    def summary(self, feed: bytes, first: int) -> dict[str, Any]:
        """Of the intervals from ``first`` on: how many wait for an answer, how many have one, the last problem."""
        counts = (
            select(
                func.count().filter(_T.code.is_(None)).label("unread"),
                func.count().filter(_T.code.is_not(None)).label("read"),
            )
            .select_from(tables.readings)
            .where(_T.feed == feed, _T.interval >= first)
        )
        newest = (
            select(_T.problem)
            .where(_T.feed == feed, _T.problem.is_not(None))
            .order_by(_T.interval.desc())
            .limit(1)
        )
        last = (
            select(_T.read_at)
            .where(_T.feed == feed, _T.read_at.is_not(None))
            .order_by(_T.interval.desc())
            .limit(1)
        )
        with self._store.reading() as db:
            row = db.execute(counts).one()
            return {
                "unread": row.unread,
                "read": row.read,
                "problem": db.scalar(newest),
                "lastReadAt": db.scalar(last),
            }

    def _found(self, query: Select[Any]) -> list[StoredReading]:
        with self._store.reading() as db:
            return [StoredReading(*row) for row in db.execute(query)]


def _answers() -> Select[Any]:
    return select(_T.feed, _T.interval, _T.code, _T.digest, _T.read_at).where(_T.code.is_not(None))
