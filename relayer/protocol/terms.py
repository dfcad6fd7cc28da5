"""What both parties sign: the twin of the structs in ``ISLAEscrow.sol`` and of the times in ``TermsLib.sol``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

    from relayer.protocol.feed import FeedRef

BPS = 10_000
PPM = 1_000_000
MAX_LEVELS = 8
MAX_TIERS = 8
GRACE_SECONDS = 30 * 86_400
NOBODY = "0x" + 40 * "0"


class Measure(IntEnum):
    """What a credit tier looks at."""

    AVAILABILITY_BELOW = 0
    BAD_INTERVALS_AT_LEAST = 1
    BAD_RUN_AT_LEAST = 2


class Combination(IntEnum):
    """How the credits of several service levels combine."""

    SUM = 0
    WORST = 1


class UnknownPolicy(IntEnum):
    """What an unknown interval counts as."""

    EXCLUDED = 0
    GOOD = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Tier:
    """If ``measure`` meets ``limit`` (ppm for availability, else intervals), ``credit`` [bps of the fee] is due."""

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

    def as_abi(self) -> tuple[Any, ...]:
        return (
            self.provider,
            self.consumer,
            self.token,
            self.oracle,
            self.start,
            self.open_by,
            self.fee_per_window,
            self.windows,
            self.prepaid_windows,
            [level.as_abi() for level in self.levels],
            int(self.combination),
            self.credit_cap,
            int(self.unknown_policy),
            self.unknown_limit,
            self.unknown_credit,
            self.document,
            self.salt,
        )

    @property
    def window_seconds(self) -> int:
        """Length of the agreement's windows [s]."""
        return self.levels[0].feed.measurement.window_seconds

    def window_start(self, window: int) -> int:
        """Begin of a window, and so the end of the one before."""
        return self.start + window * self.window_seconds

    def feed_window(self, level: int, window: int) -> int:
        """The number that the level's feed gives to the agreement's window."""
        measurement = self.levels[level].feed.measurement
        return (self.start - measurement.start) // measurement.window_seconds + window

    def expiry(self, window: int) -> int:
        """Time from which the window can be closed without its oracle (rule 13)."""
        longest = max(level.feed.measurement.deadline for level in self.levels)
        return self.window_start(window + 1) + 2 * longest + GRACE_SECONDS

    def problem(self) -> str | None:
        """Why the escrow would refuse these terms (rules 1, 8 and 13); None if it would not, as far as terms alone show."""
        fee, levels = self.fee_per_window, len(self.levels)
        return _first_broken(
            (
                self.provider != self.consumer and NOBODY not in (self.provider, self.consumer),
                "provider and consumer must be two accounts",
            ),
            (self.open_by <= self.start, "the agreement must be opened no later than it starts"),
            (0 < fee < 1 << 128, "the fee per window must be larger than 0 and below 2^128"),
            (1 <= self.windows < 1 << 16, "an agreement has 1 to 65535 windows"),
            (
                0 <= self.prepaid_windows <= self.windows,
                f"prepaid windows must lie between 0 and {self.windows}",
            ),
            (
                1 <= self.credit_cap <= BPS,
                "the credit cap must be larger than 0 % and at most 100 %",
            ),
            (
                0 <= self.unknown_credit <= BPS,
                "the credit for unknown intervals must lie between 0 % and 100 %",
            ),
            (
                0 <= self.unknown_limit <= PPM,
                "the limit of unknown intervals must lie between 0 % and 100 %",
            ),
            (1 <= levels <= MAX_LEVELS, f"an agreement has 1 to {MAX_LEVELS} service levels"),
        ) or next(
            (
                f"service level {number}: {problem}"
                for number, level in enumerate(self.levels)
                if (problem := self._level_problem(level))
            ),
            None,
        )

    def _level_problem(self, level: Level) -> str | None:
        measurement = level.feed.measurement
        if problem := measurement.problem():
            return problem
        offset = self.start - measurement.start
        return _first_broken(
            (
                measurement.window_seconds == self.window_seconds,
                "its windows differ in length from those of service level 0",
            ),
            (
                offset >= 0 and offset % measurement.window_seconds == 0,
                "none of its feed's windows begins when the agreement starts",
            ),
            (len(level.tiers) <= MAX_TIERS, f"more than {MAX_TIERS} tiers"),
            (
                bool(level.tiers or level.credit_per_bad_interval),
                "neither a tier nor a credit per bad interval",
            ),
            (
                0 <= level.credit_per_bad_interval <= BPS,
                "the credit per bad interval must lie between 0 % and 100 %",
            ),
        ) or next(
            (
                f"tier {number}: {problem}"
                for number, tier in enumerate(level.tiers)
                if (problem := _tier_problem(tier, measurement.window_intervals))
            ),
            None,
        )


def _tier_problem(tier: Tier, window_intervals: int) -> str | None:
    most = PPM if tier.measure is Measure.AVAILABILITY_BELOW else window_intervals
    return _first_broken(
        (1 <= tier.limit <= most, f"the limit must lie between 1 and {most}"),
        (1 <= tier.credit <= BPS, "the credit must be larger than 0 % and at most 100 %"),
    )


def _first_broken(*rules: tuple[bool, str]) -> str | None:
    """The first rule that does not hold, in words."""
    return next((rule for holds, rule in rules if not holds), None)
