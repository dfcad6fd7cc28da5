"""What both parties sign: the twin of the structs in ``ISLAEscrow.sol`` and of the times in ``TermsLib.sol``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from eth_typing import ChecksumAddress, HexAddress, HexStr

if TYPE_CHECKING:
    from relayer.protocol.feed import FeedRef

BPS = 10_000
PPM = 1_000_000
MAX_CREDIT = (1 << 16) - 1
"""[bps of the window's fee]; more than 10,000 only where a bond pays it."""
MAX_WINDOWS = 512
MAX_FEE = (1 << 112) - 1
MAX_LEVELS = 8
MAX_TIERS = 8
MAX_CHALLENGE_SECONDS = 30 * 86_400
GRACE_SECONDS = 30 * 86_400
NOBODY = ChecksumAddress(HexAddress(HexStr("0x" + 40 * "0")))
NO_TERMS = bytes(32)


class Measure(IntEnum):
    """What a credit tier looks at."""

    AVAILABILITY_BELOW = 0
    BAD_INTERVALS_AT_LEAST = 1
    BAD_RUN_AT_LEAST = 2
    AVERAGE_BEYOND = 3


class Combination(IntEnum):
    """How the credits of several service levels combine."""

    SUM = 0
    WORST = 1


class UnknownPolicy(IntEnum):
    """What an unknown interval counts as. Under ``GOOD`` it does not count for the share of unknown either."""

    EXCLUDED = 0
    GOOD = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Tier:
    """If ``measure`` meets ``limit``, ``credit`` [bps of the fee] is due.

    :param limit: [ppm] for an availability, [units of the feed] for an average, else [intervals].
    """

    measure: Measure
    limit: int
    credit: int

    def as_abi(self) -> tuple[int, int, int]:
        return (int(self.measure), self.limit, self.credit)


@dataclass(frozen=True, slots=True)
class Level:
    """A feed with a credit schedule.

    :param credit_per_bad_interval: [bps of the window's fee].
    :param remove_not_applicable: Whether intervals "not applicable" leave the denominator.
    """

    feed: FeedRef
    tiers: tuple[Tier, ...]
    credit_per_bad_interval: int = 0
    remove_not_applicable: bool = False

    def as_abi(self) -> tuple[Any, ...]:
        return (
            self.feed.as_abi(),
            [tier.as_abi() for tier in self.tiers],
            self.credit_per_bad_interval,
            self.remove_not_applicable,
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """The signed terms of an agreement. Amounts are in units of the token's decimals, times in UNIX seconds (UTC).

    :param credit_cap: Most that a window can cost the provider [bps of its fee].
    :param unknown_limit: Share of unknown intervals [ppm] above which a window's credit is at least ``unknown_credit`` [bps].
    :param document: Hash of the full SLA document (32 bytes).
    :param previous: Id of the terms that these amend or renew from ``start`` on (32 bytes), or zeros (rule 6).
    :param bond: Collateral of the provider, without which no window can be funded.
    :param arbiter: Decides disputes; the zero address: payments are immediate and final.
    :param challenge_period: How long a payment waits for a dispute [s].
    :param dispute_deposit: What a party deposits to dispute a window, and forfeits if it loses.
    :param breaches_to_end: After so many windows with a credit the consumer may end the agreement; 0: never.
    :param notice_period: How long before it takes effect either party may end the agreement [s]; 0: never.
    """

    provider: ChecksumAddress
    consumer: ChecksumAddress
    token: ChecksumAddress
    oracle: ChecksumAddress
    start: int
    open_by: int
    fee_per_window: int
    windows: int
    prepaid_windows: int
    levels: tuple[Level, ...]
    combination: Combination
    credit_cap: int
    unknown_policy: UnknownPolicy
    unknown_limit: int
    unknown_credit: int
    document: bytes
    salt: bytes
    _: KW_ONLY
    previous: bytes = NO_TERMS
    bond: int = 0
    arbiter: ChecksumAddress = NOBODY
    challenge_period: int = 0
    dispute_deposit: int = 0
    breaches_to_end: int = 0
    notice_period: int = 0

    def as_abi(self) -> tuple[Any, ...]:
        return (
            self.provider,
            self.consumer,
            self.token,
            self.oracle,
            self.previous,
            self.start,
            self.open_by,
            self.fee_per_window,
            self.windows,
            self.prepaid_windows,
            self.bond,
            [level.as_abi() for level in self.levels],
            int(self.combination),
            self.credit_cap,
            int(self.unknown_policy),
            self.unknown_limit,
            self.unknown_credit,
            self.arbiter,
            self.challenge_period,
            self.dispute_deposit,
            self.breaches_to_end,
            self.notice_period,
            self.document,
            self.salt,
        )

    @property
    def window_seconds(self) -> int:
        """Length of the agreement's whole windows [s]; 0 for months."""
        return self.levels[0].feed.measurement.window_seconds

    def window_start(self, window: int) -> int:
        """Begin of a window, and so the end of the one before [s, UNIX time]."""
        return self.levels[0].feed.measurement.window_start(self.feed_window(0, window))

    def window_from(self, time: int) -> int:
        """The first window that begins at ``time`` [s, UNIX time] or later."""
        if time <= self.start:
            return 0
        window = self.levels[0].feed.measurement.window_at(time) - self.feed_window(0, 0)
        return window + (self.window_start(window) < time)

    def feed_window(self, level: int, window: int) -> int:
        """The number that the level's feed gives to the agreement's window."""
        return self.levels[level].feed.measurement.window_at(self.start) + window

    def fee_of(self, window: int) -> int:
        """The fee of a window: the whole one, or its share, rounded down, of a window 0 that begins within a period (rule 8)."""
        if self.feed_window(0, window):
            return self.fee_per_window
        measurement = self.levels[0].feed.measurement
        seconds = measurement.window_start(1) - measurement.start
        return self.fee_per_window * seconds // measurement.first_period

    def expiry(self, window: int) -> int:
        """Time from which the window can be closed without its oracle (rule 13)."""
        longest = max(level.feed.measurement.deadline for level in self.levels)
        return self.window_start(window + 1) + 2 * longest + GRACE_SECONDS

    def problem(self) -> str | None:
        """Why the escrow would refuse these terms (rules 1, 8 and 13); None if it would not, as far as terms alone show."""
        fee, levels = self.fee_per_window, len(self.levels)
        return (
            _first_broken(
                (
                    self.provider != self.consumer and NOBODY not in (self.provider, self.consumer),
                    "provider and consumer must be two accounts",
                ),
                (
                    self.open_by <= self.start,
                    "the agreement must be opened no later than it starts",
                ),
                (0 < fee <= MAX_FEE, "the fee per window must be larger than 0 and below 2^112"),
                (1 <= self.windows <= MAX_WINDOWS, f"an agreement has 1 to {MAX_WINDOWS} windows"),
                (
                    0 <= self.prepaid_windows <= self.windows,
                    f"prepaid windows must lie between 0 and {self.windows}",
                ),
                (0 <= self.bond < 1 << 128, "the bond must lie between 0 and 2^128"),
                (
                    self.prepaid_windows == 0 or (self.bond == 0 and self.previous == NO_TERMS),
                    "no window can be prepaid where there is a bond, or where other terms are amended",
                ),
                (
                    1 <= self.credit_cap <= self.max_credit,
                    f"the credit cap must be larger than 0 % and at most {_percent(self.max_credit)}",
                ),
                (
                    0 <= self.unknown_credit <= self.max_credit,
                    f"the credit for unknown intervals must lie between 0 % and {_percent(self.max_credit)}",
                ),
                (
                    0 <= self.unknown_limit <= PPM,
                    "the limit of unknown intervals must lie between 0 % and 100 %",
                ),
                (1 <= levels <= MAX_LEVELS, f"an agreement has 1 to {MAX_LEVELS} service levels"),
            )
            or self._ending_problem()
            or next(
                (
                    f"service level {number}: {problem}"
                    for number, level in enumerate(self.levels)
                    if (problem := self._level_problem(level))
                ),
                None,
            )
            or _first_broken(
                (self.fee_of(0) > 0, "the fee of the short first window is rounded to 0")
            )
        )

    @property
    def max_credit(self) -> int:
        """Most that any credit may be [bps of the window's fee]: what is beyond the fee needs a bond."""
        return MAX_CREDIT if self.bond else BPS

    def _ending_problem(self) -> str | None:
        period, deposit = self.challenge_period, self.dispute_deposit
        if self.arbiter == NOBODY:
            return _first_broken(
                (period == 0, "without an arbiter there is no challenge period"),
                (deposit == 0, "without an arbiter there is no deposit"),
                *self._ending_bounds(),
            )
        return _first_broken(
            (
                1 <= period <= MAX_CHALLENGE_SECONDS,
                "with an arbiter the challenge period must be between 1 s and 30 days long",
            ),
            (0 <= deposit < 1 << 128, "the deposit must lie between 0 and 2^128"),
            *self._ending_bounds(),
        )

    def _ending_bounds(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                0 <= self.breaches_to_end < 1 << 16,
                "the number of breaches must lie between 0 and 65535",
            ),
            (
                0 <= self.notice_period < 1 << 32,
                "the notice period must lie between 0 and 4294967295 s",
            ),
        )

    def _level_problem(self, level: Level) -> str | None:
        measurement, first = level.feed.measurement, self.levels[0].feed.measurement
        problem = measurement.problem() or level.feed.scope.problem(measurement)
        if problem:
            return problem
        begins = self.start >= measurement.start
        window = measurement.window_at(self.start) if begins else 0
        return _first_broken(
            (
                measurement.window_seconds == first.window_seconds,
                "its windows differ in length from those of service level 0",
            ),
            (
                begins and measurement.window_start(window) == self.start,
                "none of its feed's windows begins when the agreement starts",
            ),
            (
                measurement.window_start(window + 1) == self.window_start(1),
                "its first window does not end with that of service level 0",
            ),
            (len(level.tiers) <= MAX_TIERS, f"more than {MAX_TIERS} tiers"),
            (
                bool(level.tiers or level.credit_per_bad_interval),
                "neither a tier nor a credit per bad interval",
            ),
            (
                0 <= level.credit_per_bad_interval <= self.max_credit,
                f"the credit per bad interval must lie between 0 % and {_percent(self.max_credit)}",
            ),
        ) or next(
            (
                f"tier {number}: {problem}"
                for number, tier in enumerate(level.tiers)
                if (problem := _tier_problem(tier, level.feed, self.max_credit))
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Termination:
    """How both parties end an agreement at any time (rule 10).

    :param agreement: Id of the terms (32 bytes).
    :param window: All windows from this one on end now, closed ones excepted.
    :param to_provider: What the provider gets of the fees still held for them [units of the token's decimals].
    :param valid_until: Last time at which it may be used [s, UNIX time].
    """

    agreement: bytes
    window: int
    to_provider: int
    valid_until: int

    def as_abi(self) -> tuple[bytes, int, int, int]:
        return (self.agreement, self.window, self.to_provider, self.valid_until)


def _tier_problem(tier: Tier, feed: FeedRef, max_credit: int) -> str | None:
    scope, limits = feed.scope, (1, feed.measurement.most_window_intervals)
    if tier.measure is Measure.AVAILABILITY_BELOW:
        limits = (1, PPM)
    elif tier.measure is Measure.AVERAGE_BEYOND:
        limits = (min(scope.best, scope.worst), max(scope.best, scope.worst))
    average = tier.measure is Measure.AVERAGE_BEYOND
    return _first_broken(
        (scope.has_range or not average, "an average needs a best and a worst value"),
        (
            limits[0] <= tier.limit <= limits[1],
            f"the limit must lie between {limits[0]} and {limits[1]}",
        ),
        (tier.limit != scope.worst or not average, "no average lies beyond the worst value"),
        (
            1 <= tier.credit <= max_credit,
            f"the credit must be larger than 0 % and at most {_percent(max_credit)}",
        ),
    )


def _percent(bps: int) -> str:
    return f"{bps / 100:g} %"


def _first_broken(*rules: tuple[bool, str]) -> str | None:
    """The first rule that does not hold, in words."""
    return next((rule for holds, rule in rules if not holds), None)
