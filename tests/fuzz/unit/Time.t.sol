// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CalendarLib} from "../../../contracts/libraries/CalendarLib.sol";
import {Measurement} from "../../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../../contracts/libraries/ScopeLib.sol";
import {Cheats} from "../Cheats.sol";

/// @dev Lets a test see whether a configuration is refused.
contract Validator {
    function measurement(Measurement m) external pure {
        m.validate();
    }

    function scope(Scope s, Measurement m) external pure {
        s.validate(m);
    }
}

/// @notice Calendar, windows and hours against what counting gives.
contract TimeTest is Cheats {
    /// @dev From March 1 of the year 0 on, months before 1970: 1969 years and ten months.
    uint256 private constant JANUARY_1970 = 1969 * 12 + 10;

    Validator private _validator = new Validator();

    /// @dev Every day from 1970 to the end of 2199, counted one by one: that is a proof, since a month depends on the day only.
    function test_months_of_all_days() external pure {
        uint256 day = 0;
        for (uint256 n = 0; n < 230 * 12; ++n) {
            uint256 month = JANUARY_1970 + n;
            same(CalendarLib.startOf(month), day * 1 days, "begin of month");
            uint256 length = _daysIn(1970 + n / 12, n % 12);
            for (uint256 i = 0; i < length; ++i) {
                uint256 time = (day + i) * 1 days;
                check(CalendarLib.monthOf(time) == month && CalendarLib.monthOf(time + 86_399) == month, "month of day");
            }
            day += length;
        }
    }

    function _daysIn(uint256 year, uint256 month) private pure returns (uint256) {
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        uint8[12] memory lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        return lengths[month];
    }

    /// @dev All short windows with all offsets, interval by interval.
    function test_windows_of_all_small_lengths() external pure {
        for (uint256 length = 1; length <= 12; ++length) {
            for (uint256 offset = 0; offset < length; ++offset) {
                Measurement m = _measurement(1_000_000, 60, length, offset);
                uint256 window = 0;
                uint256 left = length - offset;
                same(m.windowBegin(0), 0, "begin of window 0");
                for (uint256 n = 0; n < 40; ++n) {
                    if (left == 0) {
                        (window, left) = (window + 1, length);
                        same(m.windowBegin(window), n, "begin of window");
                        same(m.windowStart(window), 1_000_000 + 60 * n, "start of window");
                    }
                    same(m.windowOf(n), window, "window of interval");
                    same(m.windowAt(1_000_000 + 60 * n + 59), window, "window at time");
                    --left;
                }
            }
        }
    }

    function testFuzz_windows(uint40 start, uint16 interval, uint24 length, uint24 offset, uint32 number) external pure {
        length = uint24(between(length, 1, 1 << 22));
        Measurement m = _measurement(start, between(interval, 1, 65_535), length, offset % length);
        uint256 window = m.windowOf(number);
        check(m.windowBegin(window) <= number && number < m.windowBegin(window + 1), "an interval outside its window");
        same(m.windowOf(m.windowBegin(window)), window, "window of its begin");
        same(m.windowSeconds(), m.interval() * length, "seconds");
        same(m.firstPeriod(), m.windowSeconds(), "first period");
    }

    function testFuzz_months(uint16 day, uint8 divisor, uint24 number) external pure {
        uint256 interval = 1 days / between(divisor, 1, 24);
        if (1 days % interval != 0) interval = 1 hours;
        Measurement m = _measurement(uint256(day) * 1 days, interval, 0, 0);
        check(m.isMonthly(), "monthly");
        uint256 limited = number % 100_000;
        uint256 window = m.windowOf(limited);
        check(m.windowBegin(window) <= limited && limited < m.windowBegin(window + 1), "an interval outside its month");
        uint256 first = CalendarLib.monthOf(m.start());
        same(window, CalendarLib.monthOf(m.startOf(limited)) - first, "number of month");
        same(m.firstPeriod(), CalendarLib.startOf(first + 1) - CalendarLib.startOf(first), "first period");
    }

    /// @dev Hours off, interval by interval.
    function testFuzz_hours(uint168 off, uint16 startHour, uint8 perHour, uint16 from, uint16 count) external pure {
        uint8[5] memory choices = [1, 2, 4, 12, 60];
        uint256 interval = 1 hours / choices[perHour % 5];
        if (off == type(uint168).max) off = 1;
        Scope s = Scope.wrap(uint256(off) << 88);
        Measurement m = _measurement(uint256(startHour) * 1 hours, interval, 4, 0);
        uint256 expected = 0;
        for (uint256 n = from; n < uint256(from) + (count % 600); ++n) {
            // January 1, 1970 was a Thursday.
            uint256 hour = (m.startOf(n) / 1 hours + 72) % 168;
            bool isOff = (off >> hour) & 1 == 1;
            check(s.isOff(m.startOf(n)) == isOff, "hour off");
            if (!isOff) ++expected;
        }
        same(s.inService(m, from, uint256(from) + (count % 600)), expected, "in service");
    }

    function testFuzz_range(uint32 best, uint32 worst, uint32 value) external pure {
        Scope s = Scope.wrap(uint256(best) | (uint256(worst) << 32));
        (uint256 low, uint256 high) = best < worst ? (best, worst) : (worst, best);
        uint256 nearest = value < low ? low : value > high ? high : value;
        if (best == 0 && worst == 0) nearest = value;
        same(s.clamp(value), nearest, "clamp");
        same(s.deviation(value), value > best ? value - best : best - value, "deviation");
        check(s.hasRange() == (best != 0 || worst != 0), "range");
    }

    function testFuzz_good(uint32 threshold, uint8 comparison, uint32 value, uint8 near) external pure {
        comparison %= 6;
        if (near < 128 && threshold < type(uint32).max) value = uint32(between(near, 0, 2) + (threshold == 0 ? 0 : threshold - 1));
        Measurement m = Measurement.wrap((uint256(comparison) << 160) | (uint256(threshold) << 168));
        bool good = comparison == 0 ? value < threshold : comparison == 1 ? value <= threshold : comparison == 2
            ? value > threshold
            : comparison == 3
            ? value >= threshold
            : comparison == 4
            ? value == threshold
            : value != threshold;
        check(m.isGood(value) == good, "good");
    }

    function test_skippable() external pure {
        Measurement m = Measurement.wrap(uint256(1_000) | (uint256(60) << 40) | (uint256(600) << 112));
        same(m.skippableAt(2, 0), 1_000 + 120 + 600, "after the end");
        same(m.skippableAt(2, 1_121), 1_121 + 600, "after the report");
    }

    // WHAT IS REFUSED

    function test_bounds_of_measurements() external view {
        _accepts(_word(60, 10, 0, 30, 100, 35), true);
        _accepts(_word(0, 10, 0, 30, 100, 35), false);
        // window: 2^22 intervals, 366 days
        _accepts(_word(1, 1 << 22, 0, 30, 100, 35), true);
        _accepts(_word(1, (1 << 22) + 1, 0, 30, 100, 35), false);
        _accepts(_word(1 days, 366, 0, 30, 100, 35), true);
        _accepts(_word(1 days, 367, 0, 30, 100, 35), false);
        // offset
        _accepts(_word(60, 10, 9, 30, 100, 35), true);
        _accepts(_word(60, 10, 10, 30, 100, 35), false);
        // settle delay < deadline <= 30 days, deadline >= settle delay + 2 cadences
        _accepts(_word(60, 10, 0, 99, 100, 0), true);
        _accepts(_word(60, 10, 0, 100, 100, 0), false);
        _accepts(_word(60, 10, 0, 30, 30 days, 35), true);
        _accepts(_word(60, 10, 0, 30, 30 days + 1, 35), false);
        _accepts(_word(60, 10, 0, 30, 99, 35), false);
        // comparison, reserved bits
        _accepts(_word(60, 10, 0, 30, 100, 35) | (uint256(5) << 160), true);
        _accepts(_word(60, 10, 0, 30, 100, 35) | (uint256(6) << 160), false);
        _accepts(_word(60, 10, 0, 30, 100, 35) | (uint256(1) << 248), false);
        // months
        _accepts(_word(1 days, 0, 0, 30, 100, 35), true);
        _accepts(_word(1 days, 0, 1, 30, 100, 35), false);
        _accepts(_word(7 hours, 0, 0, 30, 100, 35), false);
        _accepts(_word(1 hours, 0, 0, 30, 100, 35) + 1, false);
    }

    function test_bounds_of_scopes() external view {
        _acceptsScope(0, 60, 0, true);
        _acceptsScope(1 | (uint256(2) << 32), 60, 0, true);
        _acceptsScope(5 | (uint256(5) << 32), 60, 0, false);
        _acceptsScope(0xFFFFFFFD, 60, 0, true);
        _acceptsScope(0xFFFFFFFE, 60, 0, false);
        _acceptsScope(uint256(0xFFFFFFFD) << 32, 60, 0, true);
        _acceptsScope(uint256(0xFFFFFFFE) << 32, 60, 0, false);
        _acceptsScope(uint256(1) << 88, 60, 0, true);
        _acceptsScope(uint256(1) << 88, 7, 0, false);
        _acceptsScope(uint256(1) << 88, 60, 30, false);
        _acceptsScope(((uint256(1) << 168) - 1) << 88, 60, 0, false);
    }

    function _word(
        uint256 interval,
        uint256 length,
        uint256 offset,
        uint256 settle,
        uint256 deadline,
        uint256 cadence
    ) private pure returns (uint256 word) {
        word = (interval << 40) | (length << 64) | (offset << 200);
        word |= (settle << 88) | (deadline << 112) | (cadence << 136);
    }

    function _measurement(
        uint256 start,
        uint256 interval,
        uint256 length,
        uint256 offset
    ) private pure returns (Measurement) {
        return Measurement.wrap(start | _word(interval, length, offset, 30, 600, 60));
    }

    function _accepts(uint256 word, bool valid) private view {
        try _validator.measurement(Measurement.wrap(word)) {
            check(valid, string.concat("accepted ", vm.toString(word)));
        } catch {
            check(!valid, string.concat("refused ", vm.toString(word)));
        }
    }

    function _acceptsScope(uint256 word, uint256 interval, uint256 start, bool valid) private view {
        try _validator.scope(Scope.wrap(word), _measurement(start, interval, 4, 0)) {
            check(valid, string.concat("accepted scope ", vm.toString(word)));
        } catch {
            check(!valid, string.concat("refused scope ", vm.toString(word)));
        }
    }
}
