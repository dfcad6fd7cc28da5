"""What the oracle has to do, by the rules and the Python twin: the other side of `test_histories.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE, agree, unpack_readings
from relayer.protocol.report import ALL_INTERVALS
from relayer.protocol.tally import Exclusion, Tally, Verdict, count, verdict_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relayer.protocol.feed import Feed
    from relayer.protocol.report import FeedReadings, SignedBatch

MAX_EXCLUSIONS = 8


class Refusal(Exception):
    """An error and its values."""

    def __init__(self, error: str, *values: object) -> None:
        super().__init__(error, *values)
        self.error, self.values = f"MonitoringOracle_{error}", values


@dataclass
class Report:
    """What a report comes to."""

    codes: list[int] = field(default_factory=list)
    heard: set[int] = field(default_factory=set)
    dissenters: set[int] = field(default_factory=set)


@dataclass
class Panel:
    """What all feeds of a panel share."""

    ignored: set[int] = field(default_factory=set)


@dataclass
class Model:
    """One feed."""

    feed: Feed
    panel: Panel
    codes: list[int] = field(default_factory=list)
    excluded: list[Exclusion] = field(default_factory=list)
    heeds: bool = False
    advanced_at: int = 0

    @property
    def next(self) -> int:
        return len(self.codes)

    @property
    def verdict(self) -> Verdict:
        return self.verdict_at(self.next - 1) if self.codes else Verdict.NONE

    def verdict_at(self, number: int, code: int | None = None) -> Verdict:
        code = self.codes[number] if code is None else code
        return verdict_at(number, code, self.feed.measurement, self.feed.scope, self.excluded)

    def is_left_out(self, number: int) -> bool:
        return self.verdict_at(number, NO_DATA) is Verdict.EXCLUDED

    def tally(self, window: int) -> Tally:
        m = self.feed.measurement
        codes = self.codes[m.window_begin(window) : m.window_begin(window + 1)]
        return count(codes, m, self.feed.scope, window=window, exclusions=self.excluded)

    def leaves_slot(self, window: int) -> bool:
        """Rule 18: a closed window of which anything is known."""
        tally = self.tally(window)
        end = self.feed.measurement.window_begin(window + 1)
        codes = self.codes[self.feed.measurement.window_begin(window) : end]
        first = self.feed.measurement.window_begin(window)
        verdicts = {self.verdict_at(first + i) for i in range(len(codes))}
        known = verdicts - {Verdict.UNKNOWN, Verdict.EXCLUDED}
        assert bool(known) == (tally.bad + tally.not_applicable > 0 or Verdict.GOOD in verdicts)
        return self.next >= end and bool(known)

    def skippable_at(self, up_to: int) -> int:
        """Rule 2."""
        m = self.feed.measurement
        return max(m.start_of(up_to), self.advanced_at) + m.deadline

    # What can be done with it

    def report(
        self, signed: Mapping[int, SignedBatch | FeedReadings], now: int, up_to: int = ALL_INTERVALS
    ) -> Report:
        """Rules 2, 3, 5, 17 and 19: what reporters have signed, judged at `now`."""
        counted = {i: b for i, b in signed.items() if not self.heeds or i not in self.panel.ignored}
        ends = [batch.first + len(batch.readings) // 4 for batch in counted.values()]
        end = min([up_to, max(ends, default=0)])
        if end <= self.next:
            raise Refusal("AlreadyJudged", self.next, end)
        readable_at = self.feed.measurement.readable_at(end - 1)
        if now < readable_at:
            raise Refusal("TooEarly", end - 1, readable_at)

        answers = {i: (b.first, unpack_readings(b.readings)) for i, b in counted.items()}
        outcome = Report(heard=set(signed))
        passed: list[int] = []
        clock = self.advanced_at  # moves only with what a quorum has signed
        for number in range(self.next, end):
            presented = {
                i: codes[number - first]
                for i, (first, codes) in answers.items()
                if first <= number < first + len(codes)
            }
            code = self._agree(list(presented.values()))
            left_out = self.is_left_out(number)
            if not presented and not left_out and number == self.next:
                raise Refusal("Gap", number)
            passed.append(NO_DATA if code is None else code)
            if code is not None or left_out:
                outcome.codes += passed
                passed = []
            elif now < self.skippable_at(number + 1):
                break
            if code is not None:
                outcome.dissenters |= {i for i in presented if not self._backs(presented[i], code)}
                clock = now
        if not outcome.codes:
            raise Refusal("NoAgreement", self.next)
        self.codes += outcome.codes
        self.advanced_at = clock
        return outcome

    def _agree(self, codes: list[int]) -> int | None:
        panel = self.feed.panel
        return agree(
            codes,
            reporters=len(panel.reporters),
            quorum=panel.quorum,
            tolerance=panel.tolerance,
            measurement=self.feed.measurement,
            scope=self.feed.scope,
        )

    def _backs(self, answer: int, judged: int) -> bool:
        numbers = [code for code in (answer, judged) if code < NOT_APPLICABLE]
        if len(numbers) < 2:
            return answer == judged
        one, other = (self.feed.scope.clamp(code) for code in numbers)
        is_good = self.feed.measurement.is_good
        return one == other or (
            abs(one - other) <= self.feed.panel.tolerance and is_good(one) == is_good(other)
        )

    def skip(self, up_to: int, now: int) -> None:
        """Rules 2 and 18."""
        if up_to <= self.next:
            raise Refusal("AlreadyJudged", self.next, up_to)
        if now < self.skippable_at(up_to):
            raise Refusal("TooEarly", up_to - 1, self.skippable_at(up_to))
        self.codes += [NO_DATA] * (up_to - self.next)

    def exclude(self, first: int, end: int, now: int) -> None:
        """Rules 4 and 20."""
        m = self.feed.measurement
        if end <= first or m.window_of(end - 1) != m.window_of(first):
            raise Refusal("Span", first, end)
        if now + m.notice > m.start_of(first):
            raise Refusal("NoticeTooShort", m.start_of(first), m.notice)
        window = m.window_of(first)
        others = [e for e in self.excluded if m.window_of(e.first) == window]
        for other in others:
            if first < other.end and end > other.first:
                raise Refusal("Overlap", other.first, other.end)
        used = sum(e.end - e.first for e in others) + end - first
        if len(others) == MAX_EXCLUSIONS or used > self.feed.scope.allowance:
            raise Refusal("Allowance", used, self.feed.scope.allowance)
        self.excluded.append(Exclusion(first, end, planned=now >= m.window_start(window)))
        self.heeds = True

    def prove(self, reporter: int) -> None:
        """Rule 17."""
        self.panel.ignored.add(reporter)
        self.heeds = True

    def heed(self) -> None:
        if not self.panel.ignored:
            raise Refusal("NothingIgnored")
        self.heeds = True
