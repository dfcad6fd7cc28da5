"""The course of an agreement over given readings: what is certain when, and who gets what.

Verdicts, credits and amounts are those of :mod:`relayer.protocol`. Each window is gone through once: a credit is worked out anew
only where a tally has changed in a way that can raise it, and no longer once the cap is reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from heapq import merge
from itertools import groupby, islice
from typing import TYPE_CHECKING

from relayer.protocol.credit import denominator, level_credit, owed_down, window_credit
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.tally import Exclusion, Tally, Verdict, planned_intervals, verdict_of
from relayer.protocol.terms import BPS, PPM, Level, Terms, UnknownPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relayer.simulation.past import Past


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that became certain to be the consumer's.

    :param at: When the oracle can know it, at the earliest [s, UNIX time].
    :param credit: The window's credit from then on [bps].
    :param level: Number of the service level whose reading made it certain.
    :param interval: Start of the interval that did [s, UNIX time].
    :param amount: What was paid [units of the token's decimals].
    """

    at: int
    credit: int
    level: int
    interval: int
    amount: int


@dataclass(frozen=True, slots=True)
class LevelCourse:
    """A level in one window.

    :param verdicts: Of the intervals from the window's first one on, as far as they are judged.
    :param credit: Of this level alone [bps].
    """

    level: Level
    first: int
    verdicts: Sequence[Verdict]
    tally: Tally
    credit: int

    @property
    def availability(self) -> int | None:
        """Share of good intervals among the planned ones, as far as is known [ppm], rounded down; None if none is planned."""
        planned = denominator(self.level, self.tally)
        return (planned - self.tally.bad) * PPM // planned if planned else None

    @property
    def average(self) -> int | None:
        """Average value as far as is known, unknown ones the best [units of the feed], rounded to the worse side; None without a range."""
        planned, scope = denominator(self.level, self.tally), self.level.feed.scope
        if not scope.has_range or not planned:
            return None
        away = -(-self.tally.deviation // planned)
        return scope.best + (away if scope.worst > scope.best else -away)


@dataclass(frozen=True, slots=True)
class WindowCourse:
    """One window of an agreement.

    :param credit: As far as it is certain [bps].
    :param short: What the credit is worth beyond fee and bond: owed, and not paid [units of the token's decimals].
    :param judged_at: When the last interval can be judged [s, UNIX time]; None if readings are missing until then.
    """

    number: int
    start: int
    end: int
    fee: int
    levels: tuple[LevelCourse, ...]
    credit: int
    payments: tuple[Payment, ...]
    short: int
    judged_at: int | None

    @property
    def complete(self) -> bool:
        return self.judged_at is not None

    @property
    def to_consumer(self) -> int:
        return sum(payment.amount for payment in self.payments)

    @property
    def to_provider(self) -> int:
        """What the provider gets of the fee when the window is closed."""
        return max(0, self.fee - self.to_consumer) if self.complete else 0


@dataclass(frozen=True)
class Course:
    """All windows, in order.

    :param terms: With the dates that were simulated.
    """

    terms: Terms
    windows: tuple[WindowCourse, ...]

    @property
    def to_consumer(self) -> int:
        return sum(window.to_consumer for window in self.windows)

    @property
    def to_provider(self) -> int:
        return sum(window.to_provider for window in self.windows)

    @cached_property
    def may_leave_after(self) -> int | None:
        """The window after which the consumer may end the agreement, because so many had a credit; None: never."""
        limit = self.terms.breaches_to_end
        breached = [window.number for window in self.windows if window.complete and window.credit]
        return breached[limit - 1] if 0 < limit <= len(breached) else None


def run(
    terms: Terms, pasts: Sequence[Past], exclusions: Sequence[Sequence[Exclusion]] = ()
) -> Course:
    """The course of the agreement, from its first window on to the last one of which something is known.

    :param pasts: One for each level, by the numbers of its feed's intervals.
    :param exclusions: For each level the intervals that the parties have excluded by signature.
    """
    excluded = exclusions or [()] * len(pasts)
    levels = [
        _Level(terms, number, past, spans)
        for number, (past, spans) in enumerate(zip(pasts, excluded, strict=True))
    ]
    bond = terms.bond
    windows = []
    for number in range(terms.windows):
        if not any(level.reaches(number) for level in levels):
            break
        window = _window(terms, number, levels, bond)
        bond -= max(0, window.to_consumer - window.fee)
        windows.append(window)
    return Course(terms, tuple(windows))


# When, the level's number, the interval's start, the tally from then on.
_Change = tuple[int, int, int, Tally]


@dataclass
class _Level:
    """A level and what is known of it."""

    terms: Terms
    number: int
    past: Past
    exclusions: Sequence[Exclusion]
    _verdicts: dict[int, Verdict] = field(default_factory=dict)
    _deviations: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.level = self.terms.levels[self.number]
        self.measurement = self.level.feed.measurement
        self.scope = self.level.feed.scope
        self._reported_at = 0
        self._known_at = 0
        self._whole = not self.scope.hours_off and not self.exclusions
        self._raising = _raising(self.terms, self.level)

    def reaches(self, window: int) -> bool:
        """Whether anything of the window is known."""
        return self.past.end > self._begin(window)

    def go_through(self, window: int) -> tuple[LevelCourse, list[_Change], int | None]:
        """The level in a window, the changes that may raise the credit, and when all of it is judged."""
        begin, end = self._begin(window), self._begin(window + 1)
        known = range(begin, min(max(begin, self.past.end), end))
        planned = planned_intervals(self.measurement, self.scope, begin, end, self.exclusions)
        bad = unknown = absent = longest = run = deviation = judged = 0
        verdicts: list[Verdict] = []
        changes: list[_Change] = []
        number = begin
        for code, alike in self._runs(known):
            verdict, distance = self._judged(NO_DATA if code is None else code)
            if self._whole and verdict is Verdict.GOOD and not distance:
                # Nothing but the time changes.
                verdicts += [verdict] * alike
                judged, run, number = judged + alike, 0, number + alike
                self._when(self.measurement.start_of(number - 1), code)
                continue
            for _ in range(alike):
                start = self.measurement.start_of(number)
                number += 1
                if self._excluded(number - 1, start):
                    verdicts.append(Verdict.EXCLUDED)
                    self._when(start, NO_DATA)  # nobody waits for an answer
                    continue
                at = self._when(start, code)
                verdicts.append(verdict)
                judged += 1
                run = run + 1 if verdict is Verdict.BAD else 0
                longest = max(longest, run)
                deviation += distance
                bad += verdict is Verdict.BAD
                unknown += verdict is Verdict.UNKNOWN
                absent += verdict is Verdict.NOT_APPLICABLE
                if distance or verdict in self._raising:
                    tally = Tally(planned, judged, bad, unknown, absent, longest, deviation)
                    changes.append((at, self.number, start, tally))
        # Excluded while the window ran: still in the denominator, and judged.
        judged = planned_intervals(self.measurement, self.scope, begin, known.stop, self.exclusions)
        tally = Tally(planned, judged, bad, unknown, absent, longest, deviation)
        credit = level_credit(self.level, tally, self.terms.unknown_policy)
        course = LevelCourse(self.level, begin, verdicts, tally, credit)
        return course, changes, self._known_at if known.stop == end else None

    def _runs(self, known: range) -> Iterator[tuple[int | None, int]]:
        """The codes of intervals, and how many equal ones follow one another."""
        before = min(len(known), max(0, self.past.first - known.start))
        if before:
            yield None, before
        first = max(0, known.start - self.past.first)
        codes = islice(self.past.codes, first, first + len(known) - before)
        for code, alike in groupby(codes):
            yield code, sum(1 for _ in alike)

    def _begin(self, window: int) -> int:
        return self.measurement.window_begin(self.terms.feed_window(self.number, window))

    def _excluded(self, number: int, start: int) -> bool:
        if self.scope.hours_off and self.scope.is_off(start):
            return True
        return bool(self.exclusions) and any(number in span for span in self.exclusions)

    def _judged(self, code: int) -> tuple[Verdict, int]:
        """Verdict and distance from the best value of an interval that counts."""
        verdict = self._verdicts.get(code)
        if verdict is None:
            verdict = self._verdicts[code] = verdict_of(code, self.measurement, self.scope)
            value = code not in (NO_DATA, NOT_APPLICABLE)
            self._deviations[code] = self.scope.deviation(code) if value else 0
        return verdict, self._deviations[code]

    def _when(self, start: int, code: int | None) -> int:
        """When the interval can be judged at the earliest: not before the ones before it (rules 2 and 5) [s, UNIX time]."""
        end = start + self.measurement.interval
        if code is None:
            at = max(end, self._reported_at) + self.measurement.deadline
        else:
            at = end + self.measurement.settle_delay
        self._known_at = max(self._known_at, at)
        if code is not None:
            self._reported_at = self._known_at
        return self._known_at


def _raising(terms: Terms, level: Level) -> frozenset[Verdict]:
    """The verdicts that can raise a credit by themselves."""
    found = {Verdict.BAD}
    if terms.unknown_policy is UnknownPolicy.BAD or terms.unknown_credit:
        found.add(Verdict.UNKNOWN)
    if level.remove_not_applicable:
        found.add(Verdict.NOT_APPLICABLE)
    return frozenset(found)


def _window(terms: Terms, number: int, levels: Sequence[_Level], bond: int) -> WindowCourse:
    gone = [level.go_through(number) for level in levels]
    fee = terms.fee_of(number)
    # Before anything is known of the window.
    tallies = [Tally(course.tally.planned) for course, _, _ in gone]
    paid = certain = 0
    payments = []
    for at, level, start, tally in merge(*(changes for _, changes, _ in gone)):
        tallies[level] = tally
        if certain == terms.credit_cap:
            continue
        credit = window_credit(terms, tallies)
        if credit <= certain:
            continue
        certain = credit
        amount = min(owed_down(fee, credit, paid), fee + bond - paid)
        if amount:
            paid += amount
            payments.append(Payment(at, credit, level, start, amount))
    times = [judged_at for _, _, judged_at in gone if judged_at is not None]
    return WindowCourse(
        number=number,
        start=terms.window_start(number),
        end=terms.window_start(number + 1),
        fee=fee,
        levels=tuple(course for course, _, _ in gone),
        credit=certain,
        payments=tuple(payments),
        short=fee * certain // BPS - paid,
        judged_at=max(times) if len(times) == len(gone) else None,
    )
