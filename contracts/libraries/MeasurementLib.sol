// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CalendarLib} from "./CalendarLib.sol";

/// @dev One word, from the lowest bit:
///
/// | bits    | field                                                                              |
/// |---------|------------------------------------------------------------------------------------|
/// | 0-39    | start of interval 0 and of window 0 [s, UNIX time, UTC]                            |
/// | 40-63   | length of an interval [s], > 0                                                     |
/// | 64-87   | length of a window [intervals], 1 to 2^22 and at most 366 days; 0: calendar months |
/// | 88-111  | settle delay [s]: no reading counts before its interval's end plus this            |
/// | 112-135 | report deadline [s], at most 30 days: after it `skip` may record unknown           |
/// | 136-159 | reporting cadence [s]: how often a healthy feed is to be reported                  |
/// | 160-167 | comparison: an interval is good if value <comparison> threshold                    |
/// | 168-199 | threshold [units of the feed]                                                      |
/// | 200-223 | intervals of window 0 that lie before the start: so many is it short of a whole one |
/// | 224-247 | notice [s]: how long before it begins a span must be excluded                      |
/// | 248-255 | zero                                                                               |
type Measurement is uint256;

using MeasurementLib for Measurement global;

/// @title Times and threshold of a feed
/// @notice Windows and intervals are numbered from 0 at the feed's start. An interval belongs to the window that holds its
/// start; both are half open. Windows have a fixed length or are calendar months in UTC; window 0 may be shorter, because the
/// feed starts in the middle of it (rules 8 and 25).
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
    /// @dev How many values a reading can have.
    uint256 private constant VALUES = 1 << 32;

    error Measurement_Interval();
    error Measurement_Window(uint256 intervals, uint256 interval);
    /// @dev Months need intervals that divide a day, and a feed that starts on one of them.
    error Measurement_Month(uint256 start, uint256 interval);
    error Measurement_Offset(uint256 offset, uint256 intervals);
    error Measurement_Deadline(uint256 settleDelay, uint256 cadence, uint256 deadline);
    error Measurement_Comparison(uint256 comparison);
    error Measurement_ReservedBits();

    /// @dev Rules 2, 13 and 25. Reverts with what is wrong.
    function validate(Measurement m) internal pure {
        uint256 word = Measurement.unwrap(m);
        require(word >> 248 == 0, Measurement_ReservedBits());
        uint256 length = m.interval();
        require(length != 0, Measurement_Interval());
        uint256 intervals = m.windowIntervals();
        if (m.isMonthly()) {
            require(1 days % length == 0 && m.start() % length == 0, Measurement_Month(m.start(), length));
        } else {
            bool bounded = intervals <= MAX_WINDOW_INTERVALS && m.windowSeconds() <= MAX_WINDOW;
            require(bounded, Measurement_Window(intervals, length));
        }
        require(m.offset() < intervals || m.offset() == 0, Measurement_Offset(m.offset(), intervals));
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

    function offset(Measurement m) internal pure returns (uint256) {
        return uint24(Measurement.unwrap(m) >> 200);
    }

    function notice(Measurement m) internal pure returns (uint256) {
        return uint24(Measurement.unwrap(m) >> 224);
    }

    function isMonthly(Measurement m) internal pure returns (bool) {
        return m.windowIntervals() == 0;
    }

    /// @dev Length of a whole window [s]; 0 for months.
    function windowSeconds(Measurement m) internal pure returns (uint256) {
        // 24 bits times 24 bits.
        unchecked {
            return m.windowIntervals() * m.interval();
        }
    }

    /// @dev The window that holds interval `number`.
    /// @param number Below 2^64, as all numbers of intervals are.
    function windowOf(Measurement m, uint256 number) internal pure returns (uint256) {
        unchecked {
            uint256 length = m.windowIntervals();
            if (length != 0) return (number + m.offset()) / length;
            return CalendarLib.monthOf(m.startOf(number)) - CalendarLib.monthOf(m.start());
        }
    }

    /// @dev First interval of a window, and so the end of the one before.
    /// @param window Below 2^64.
    function windowBegin(Measurement m, uint256 window) internal pure returns (uint256) {
        unchecked {
            if (window == 0) return 0;
            uint256 length = m.windowIntervals();
            if (length != 0) return window * length - m.offset();
            uint256 begin = CalendarLib.startOf(CalendarLib.monthOf(m.start()) + window);
            return (begin - m.start()) / m.interval();
        }
    }

    /// @dev Start of a window [s, UNIX time].
    function windowStart(Measurement m, uint256 window) internal pure returns (uint256) {
        return m.startOf(m.windowBegin(window));
    }

    /// @dev The window that holds `time`.
    /// @param time [s, UNIX time], at least the feed's start.
    function windowAt(Measurement m, uint256 time) internal pure returns (uint256) {
        return m.windowOf((time - m.start()) / m.interval());
    }

    /// @dev Length of the whole period of which window 0 is the end [s].
    function firstPeriod(Measurement m) internal pure returns (uint256) {
        if (!m.isMonthly()) return m.windowSeconds();
        uint256 month = CalendarLib.monthOf(m.start());
        return CalendarLib.startOf(month + 1) - CalendarLib.startOf(month);
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

    /// @dev The values that keep the promise: the `count` ones from `lowest` on, where 0 follows the largest number of 256 bits. So
    /// "all but one" are those from the next one on, and a value v is good if v - lowest, which wraps around, is below `count`.
    function promised(Measurement m) internal pure returns (uint256 lowest, uint256 count) {
        uint256 threshold = uint32(Measurement.unwrap(m) >> 168);
        // Compared as a number: to make it a `Comparison` again would be checked, once for every report.
        uint256 comparison = uint8(Measurement.unwrap(m) >> 160);
        if (comparison == uint8(Comparison.AtLeast)) return (threshold, VALUES);
        if (comparison == uint8(Comparison.LessThan)) return (0, threshold);
        if (comparison == uint8(Comparison.EqualTo)) return (threshold, 1);
        unchecked {
            // 32 bits.
            if (comparison == uint8(Comparison.AtMost)) return (0, threshold + 1);
            return (threshold + 1, comparison == uint8(Comparison.MoreThan) ? VALUES : type(uint256).max);
        }
    }

    /// @dev Whether a value keeps the promise.
    function isGood(Measurement m, uint256 value) internal pure returns (bool) {
        (uint256 lowest, uint256 count) = m.promised();
        unchecked {
            return value - lowest < count;
        }
    }
}
