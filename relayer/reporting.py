"""What is known of one feed: our answers, what reporters signed, and what the oracle would conclude from it.

Nothing here is asked of the database or the chain: the daemon's loop tells it (:mod:`relayer.daemon`), so a round over ten
thousand feeds costs little more than looking at each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayer.protocol.readings import NO_DATA, READING_BYTES, agree, unpack_readings
from relayer.protocol.report import FeedReadings
from relayer.protocol.tally import Verdict, verdict_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from relayer.bindings import Position
    from relayer.protocol.feed import Feed
    from relayer.protocol.report import SignedBundle

MAX_INTERVALS = 1_000
"""Most intervals that a reporter signs at once for a feed."""
_WORK = 60_000
"""With n reporters who all differ, judging an interval costs about n² times what it costs with one."""


def longest_report(reporters: int) -> int:
    """Most intervals of a feed that one report can judge, whatever the reporters of its panel say [intervals]."""
    return min(MAX_INTERVALS, _WORK // reporters**2)


class Reporter:
    """This relayer's part in one feed.

    :param name: What people call the feed.
    :param index: Our place in the feed's panel.
    :param salt: The feed's, known to those who hold the SLA document: without it anyone who guesses what is measured could
        find the guess confirmed in the hashes of the evidence.
    :ivar first: The chain's next interval; nothing before it is of interest any more.
    :ivar until: Nothing from this interval on is of use to an agreement.
    """

    def __init__(self, name: str, feed: Feed, *, index: int, salt: bytes) -> None:
        self.name = name
        self.feed = feed
        self.id = feed.id
        self.index = index
        self.salt = salt
        self.first = 0
        self.until = 0
        self.advanced_at = 0
        self.limit = longest_report(len(feed.panel.reporters))
        # Of each reporter the bundle that says most of what is not judged, and what it says; ours among them.
        self.heard: dict[int, tuple[SignedBundle, FeedReadings]] = {}
        self._answers: dict[int, tuple[int, bytes]] = {}
        self._run_end = 0  # first interval from `first` on that we have no answer to
        self._bad_from: int | None = None  # first bad answer of the run
        self._bad_until = 0  # the one after the last of them
        self._agreed: list[int] | None = None  # None: to be found out
        self._agreed_bad: bool | None = None
        self._skippable = 0

    # What the chain and the sources say

    def observe(self, position: Position) -> bool:
        """Take the chain's word for where the feed stands. It wins over whatever we remember.

        :returns: Whether what we remembered is lost, because a reorganisation took the feed back: tell it again.
        """
        self.advanced_at = position.advanced_at
        if position.next == self.first:
            return False
        back = position.next < self.first
        self.first = position.next
        self._agreed = None
        if back:
            self._answers.clear()
            self.heard.clear()
        else:
            self._answers = {n: a for n, a in self._answers.items() if n >= self.first}
            self.heard = {i: said for i, said in self.heard.items() if _end(said[1]) > self.first}
        self._run_end = self.first
        self._bad_from = None
        self._extend_run()
        return back

    def note_end(self, end: int, *, shared: bool) -> None:
        """Nothing after ``end`` [s, UNIX time] is of use to an agreement; ``shared``: another one was noted before."""
        until = (end - self.feed.measurement.start) // self.feed.measurement.interval
        self.until = max(self.until, until) if shared else until

    def closed(self, now: int) -> int:
        """The first interval that is not over and settled at ``now`` (the chain's time), or of no use."""
        return min(self.until, self.feed.measurement.closed_until(now))

    def answer(self, interval: int, code: int, digest: bytes) -> None:
        """Note our answer. The first one stands.

        :param digest: Salted hash of the raw answer behind it (32 bytes).
        """
        if interval >= self.first:
            self._answers.setdefault(interval, (code, digest))
            if interval == self._run_end:
                self._extend_run()

    def knows(self, interval: int) -> bool:
        return interval < self.first or interval in self._answers

    def hear(self, bundle: SignedBundle, said: FeedReadings) -> None:
        """Note what a reporter signed of this feed. Of each, what covers the next interval and reaches farthest counts."""
        if said.feed_id != self.id or _end(said) <= self.first:
            return
        if bundle.reporter == self.index:
            self._stand_by(said)
        known = self.heard.get(bundle.reporter)
        if known is None or _rank(said, self.first) > _rank(known[1], self.first):
            self.heard[bundle.reporter] = (bundle, said)
            self._agreed = None

    def _stand_by(self, said: FeedReadings) -> None:
        """What we have signed is our answer, whatever the service says when it is asked again.

        Peers show us what they hold of ours: after a database was lost, a second answer would be proof against us.
        """
        changed = False
        for interval, code in enumerate(unpack_readings(said.readings), said.first):
            known = self._answers.get(interval)
            if interval >= self.first and (known is None or known[0] != code):
                self._answers[interval] = (code, bytes(32))
                changed = True
        if changed:
            self._run_end = self.first
            self._bad_from = None
            self._extend_run()

    def forget(self, reporters: int) -> None:
        """Do not count what some reporters said: bit i for reporter i."""
        self.heard = {i: said for i, said in self.heard.items() if not reporters >> i & 1}
        self._agreed = None

    # Signing

    def to_sign(self, now: int, floor: int) -> tuple[FeedReadings, list[bytes]] | None:
        """Our readings from the chain's next interval on, and the digests of the evidence, if they have to be signed now.

        Signing waits until what is not signed yet makes a report due, or until another reporter has signed more: what is
        signed more often is stored and sent more often, to no use. So a report that cannot get through is not signed anew
        at every interval, but at the feed's cadence.

        :param floor: No interval that ended before this is signed anew [s, UNIX time].
        """
        start = self._start(floor)
        end = min(self._answered_until(start), self.closed(now), start + self.limit)
        own = self._said(self.index)
        signed = _end(own) if own is not None and own.first <= start else start
        others = max(
            (_end(said) for i, (_, said) in self.heard.items() if i != self.index), default=0
        )
        since = signed if signed > start else self.first
        if end <= signed or (others <= signed and not self._is_due(end, now, since)):
            return None
        answers = [self._answers[number] for number in range(start, end)]
        packed = b"".join(code.to_bytes(READING_BYTES, "big") for code, _ in answers)
        return FeedReadings(self.id, start, packed), [digest for _, digest in answers]

    def _start(self, floor: int) -> int:
        """The first interval that our next signature covers."""
        measurement = self.feed.measurement
        start = max(self.first, (floor - measurement.start) // measurement.interval)
        own = self._said(self.index)
        if own is not None and own.first <= self.first and _end(own) >= start:
            start = self.first  # what was signed may be signed again
        if start not in self._answers and len(self.feed.panel.reporters) > 1:
            # We have no answer to this one. Others may: what we know of later ones is of use to them.
            start = min((number for number in self._answers if number > start), default=start)
        return start

    def _said(self, reporter: int) -> FeedReadings | None:
        heard = self.heard.get(reporter)
        return None if heard is None else heard[1]

    def _answered_until(self, start: int) -> int:
        if self.first <= start <= self._run_end:
            return self._run_end
        end = start
        while end in self._answers:
            end += 1
        return end

    def _is_due(self, end: int, now: int, since: int) -> bool:
        """A bad verdict, the end of a window, or the feed's cadence make a report up to ``end`` due.

        :param since: The first interval that counts as new.
        """
        measurement = self.feed.measurement
        return (
            (self._bad_from is not None and self._bad_from < end and self._bad_until > since)
            or (end - since) * measurement.interval >= measurement.cadence
            or now >= measurement.readable_at(since) + measurement.cadence
            or end >= self.until
            or end - self.first >= self.limit
            or measurement.window_of(end) > measurement.window_of(since)
        )

    def _verdict(self, interval: int, code: int) -> Verdict:
        return verdict_at(interval, code, self.feed.measurement, self.feed.scope)

    def _extend_run(self) -> None:
        while (answer := self._answers.get(self._run_end)) is not None:
            if self._verdict(self._run_end, answer[0]) is Verdict.BAD:
                self._bad_from = self._run_end if self._bad_from is None else self._bad_from
                self._bad_until = self._run_end + 1
            self._run_end += 1

    # Reporting

    def due(self, now: int) -> list[int]:
        """What the oracle would judge now from the next interval on, if a report is due; else nothing."""
        skippable = self._skippable_until(now)
        if self._agreed is not None and self.first + len(self._agreed) < skippable:
            self._agreed = None  # it stopped at an interval that is passed as unknown now
        self._skippable = skippable
        codes = self.agreed()
        if not codes or self.first + len(codes) > self.feed.measurement.closed_until(now):
            return []
        if self._agreed_bad is None:
            self._agreed_bad = any(
                self._verdict(number, code) is Verdict.BAD
                for number, code in enumerate(codes, self.first)
            )
        end = self.first + len(codes)
        return codes if self._agreed_bad or self._is_due(end, now, self.first) else []

    def agreed(self, bundles: Iterable[SignedBundle] | None = None) -> list[int]:
        """What the oracle would conclude from the next interval on.

        :param bundles: From these alone; by default from all that were heard.
        """
        if bundles is not None:
            chosen = set(map(id, bundles))
            return self._conclude([s for b, s in self.heard.values() if id(b) in chosen])
        if self._agreed is None:
            self._agreed = self._conclude([said for _, said in self.heard.values()])
            self._agreed_bad = None
        return self._agreed

    def _conclude(self, said: Sequence[FeedReadings]) -> list[int]:
        unpacked = [(part.first, unpack_readings(part.readings)) for part in said]
        judged: list[int] = []
        passed: list[int] = []  # without agreement, but unknown by now if a later one is agreed on
        known = max((first + len(codes) for first, codes in unpacked), default=0)
        for number in range(self.first, known):
            code = self._agree_on(number, unpacked)
            if code is not None:
                judged += [*passed, code]
                passed = []
            elif number < self._skippable:
                passed.append(NO_DATA)
            else:
                break
        return judged

    def _skippable_until(self, now: int) -> int:
        """The first interval that could not be recorded as unknown at ``now`` (rule 2)."""
        measurement = self.feed.measurement
        if now < self.advanced_at + measurement.deadline:
            return self.first
        return (now - measurement.deadline - measurement.start) // measurement.interval

    def _agree_on(self, number: int, unpacked: Sequence[tuple[int, list[int]]]) -> int | None:
        panel = self.feed.panel
        answers = [
            codes[number - first]
            for first, codes in unpacked
            if first <= number < first + len(codes)
        ]
        if not answers:
            return None
        return agree(
            answers,
            reporters=len(panel.reporters),
            quorum=panel.quorum,
            tolerance=panel.tolerance,
            measurement=self.feed.measurement,
            scope=self.feed.scope,
        )

    def dissents(self, said: FeedReadings, codes: Sequence[int]) -> bool:
        """Whether a reporter said something else than what was agreed on from the next interval on."""
        own = unpack_readings(said.readings)
        return any(
            code != own[number - said.first]
            for number, code in enumerate(codes, self.first)
            if said.first <= number < _end(said)
        )

    def skips_until(self, now: int) -> int:
        """The end of what is to be recorded as unknown at ``now`` (the chain's time); the next interval if nothing is.

        It waits as reports do, for the feed's cadence or the end of a window: a feed that nobody can read for hours would
        otherwise cost a transaction for each interval. What is agreed on behind it does not wait: a report passes intervals
        without agreement, but not such of which it says nothing.
        """
        end, measurement = self._overdue_until(now), self.feed.measurement
        due = (
            bool(self.agreed())
            or (end - self.first) * measurement.interval >= measurement.cadence
            or end >= self.until
            or measurement.window_of(end) > measurement.window_of(self.first)
        )
        return end if due else self.first

    def _overdue_until(self, now: int) -> int:
        """The first interval from the chain's next one on that is agreed on, or could not be skipped now (rule 2)."""
        overdue = min(self._skippable_until(now), self.until)
        unpacked = [(said.first, unpack_readings(said.readings)) for _, said in self.heard.values()]
        known = max((first + len(codes) for first, codes in unpacked), default=0)
        for number in range(self.first, min(overdue, known)):
            if self._agree_on(number, unpacked) is not None:
                return number
        return max(overdue, self.first)


def _end(said: FeedReadings) -> int:
    return said.first + len(said.readings) // READING_BYTES


def _rank(said: FeedReadings, following: int) -> tuple[bool, int]:
    """What covers the next interval is of more use than what begins after it; then what reaches farther."""
    return said.first <= following, _end(said)
