// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev One word, from the lowest bit:
///
/// | bits    | field                                                                              |
/// |---------|------------------------------------------------------------------------------------|
/// | 0-39    | start of interval 0 and of window 0 [s, UNIX time, UTC]                            |
/// | 40-63   | length of an interval [s], > 0                                                     |
/// | 64-87   | length of a window [intervals], 1 to 2^22 and at most 366 days                     |
/// | 88-111  | settle delay [s]: no reading counts before its interval's end plus this            |
/// | 112-135 | report deadline [s], at most 30 days: after it `skip` may record unknown           |
/// | 136-159 | reporting cadence [s]: how often a healthy feed is to be reported                  |
/// | 160-167 | comparison: an interval is good if value <comparison> threshold                    |
/// | 168-199 | threshold [units of the feed]                                                      |
/// | 200-255 | zero                                                                               |
type Measurement is uint256;

using MeasurementLib for Measurement global;

/// @title Times and threshold of a feed
/// @notice Windows and intervals are numbered from 0 at the feed's start. An interval belongs to the window that holds its
/// start; both are half open (rule 25).
library MeasurementLib {
    enum Comparison {
        LessThan,
        AtMost,
        MoreThan,
        AtLeast,
        EqualTo,
        NotEqualTo
    }

    uint256 internal constant MAX_WINDOW = 366 days;
    uint256 internal constant MAX_WINDOW_INTERVALS = 1 << 22;
    uint256 internal constant MAX_DEADLINE = 30 days;

    error Measurement_Interval();
    error Measurement_Window(uint256 intervals, uint256 interval);
    error Measurement_Deadline(uint256 settleDelay, uint256 cadence, uint256 deadline);
    error Measurement_Comparison(uint256 comparison);
    error Measurement_ReservedBits();

    /// @dev Rules 2 and 13. Reverts with what is wrong.
    function validate(Measurement m) internal pure {
        uint256 word = Measurement.unwrap(m);
        require(word >> 200 == 0, Measurement_ReservedBits());
        require(m.interval() != 0, Measurement_Interval());
        uint256 intervals = m.windowIntervals();
        require(
            intervals != 0 && intervals <= MAX_WINDOW_INTERVALS && m.windowSeconds() <= MAX_WINDOW,
            Measurement_Window(intervals, m.interval())
        );
        require(
            m.deadline() > m.settleDelay() &&
                m.deadline() >= m.settleDelay() + 2 * m.cadence() &&
                m.deadline() <= MAX_DEADLINE,
            Measurement_Deadline(m.settleDelay(), m.cadence(), m.deadline())
        );
        uint256 comparison = uint8(word >> 160);
        require(comparison <= uint8(type(Comparison).max), Measurement_Comparison(comparison));
    }

    function start(Measurement m) internal pure returns (uint256) {
        return uint40(Measurement.unwrap(m));
    }

    function interval(Measurement m) internal pure returns (uint256) {
        return uint24(Measurement.unwrap(m) >> 40);
    }

    function windowIntervals(Measurement m) internal pure returns (uint256) {
        return uint24(Measurement.unwrap(m) >> 64);
    }

    function settleDelay(Measurement m) internal pure returns (uint256) {
        return uint24(Measurement.unwrap(m) >> 88);
    }

    function deadline(Measurement m) internal pure returns (uint256) {
        return uint24(Measurement.unwrap(m) >> 112);
    }

    function cadence(Measurement m) internal pure returns (uint256) {
        return uint24(Measurement.unwrap(m) >> 136);
    }

    function windowSeconds(Measurement m) internal pure returns (uint256) {
        // 24 bits times 24 bits.
        unchecked {
            return m.windowIntervals() * m.interval();
        }
    }

    /// @dev Start of interval `number`, and so the end of the one before [s, UNIX time].
    /// @param number Below 2^64, as all numbers of intervals are.
    function startOf(Measurement m, uint256 number) internal pure returns (uint256) {
        unchecked {
            return m.start() + number * m.interval();
        }
    }

    /// @dev When intervals before `upTo` may be recorded as unknown (rule 2) [s, UNIX time].
    /// @param reportedAt Time of the feed's last report [s, UNIX time].
    function skippableAt(Measurement m, uint256 upTo, uint256 reportedAt) internal pure returns (uint256) {
        uint256 end = m.startOf(upTo);
        return (end > reportedAt ? end : reportedAt) + m.deadline();
    }

    /// @dev The values that keep the promise: the `count` ones from `lowest` on if `within`, else all but these.
    function promised(Measurement m) internal pure returns (uint256 lowest, uint256 count, bool within) {
        uint256 threshold = uint32(Measurement.unwrap(m) >> 168);
        Comparison comparison = Comparison(uint8(Measurement.unwrap(m) >> 160));
        if (comparison == Comparison.AtLeast) return (0, threshold, false);
        if (comparison == Comparison.LessThan) return (0, threshold, true);
        if (comparison == Comparison.EqualTo) return (threshold, 1, true);
        if (comparison == Comparison.NotEqualTo) return (threshold, 1, false);
        return (0, threshold + 1, comparison == Comparison.AtMost);
    }

    /// @dev Whether a value keeps the promise.
    function isGood(Measurement m, uint256 value) internal pure returns (bool) {
        (uint256 lowest, uint256 count, bool within) = m.promised();
        unchecked {
            // A value below the lowest wraps around, to more than any count.
            return (value - lowest < count) == within;
        }
    }
}
