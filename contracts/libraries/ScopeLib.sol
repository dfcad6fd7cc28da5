// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "./MeasurementLib.sol";
import {ReadingsLib} from "./ReadingsLib.sol";

/// @dev One word, from the lowest bit; zero means all hours, any value, no exclusions:
///
/// | bits   | field                                                                                  |
/// |--------|----------------------------------------------------------------------------------------|
/// | 0-31   | best value [units of the feed]                                                         |
/// | 32-63  | worst value [units of the feed]; both zero: values have no range, and no average       |
/// | 64-87  | allowance: how many intervals of a window the parties may exclude                      |
/// | 88-255 | hours off: bit h, if hour h of the week from Monday 00:00 UTC on is not judged         |
type Scope is uint256;

using ScopeLib for Scope global;

/// @title What of a feed is judged: hours of the week, range of values
library ScopeLib {
    uint256 internal constant WEEK_HOURS = 168;
    uint256 private constant ALL_HOURS = (1 << WEEK_HOURS) - 1;
    /// @dev January 1, 1970 was a Thursday: so many hours of its week had passed.
    uint256 private constant EPOCH_HOURS = 72;

    error Scope_Range(uint256 best, uint256 worst);
    error Scope_Hours();

    /// @dev Rules 13 and 19. Hours off need intervals that divide an hour, and a feed that starts on one of them.
    function validate(Scope s, Measurement m) internal pure {
        (uint256 from, uint256 to) = (s.best(), s.worst());
        bool numbers = from < ReadingsLib.NOT_APPLICABLE && to < ReadingsLib.NOT_APPLICABLE;
        require(numbers && (from != to || from == 0), Scope_Range(from, to));
        uint256 off = s.hoursOff();
        if (off == 0) return;
        uint256 interval = m.interval();
        bool aligned = 1 hours % interval == 0 && m.start() % interval == 0;
        require(aligned && off != ALL_HOURS, Scope_Hours());
    }

    function best(Scope s) internal pure returns (uint256) {
        return uint32(Scope.unwrap(s));
    }

    function worst(Scope s) internal pure returns (uint256) {
        return uint32(Scope.unwrap(s) >> 32);
    }

    function allowance(Scope s) internal pure returns (uint256) {
        return uint24(Scope.unwrap(s) >> 64);
    }

    function hoursOff(Scope s) internal pure returns (uint256) {
        return Scope.unwrap(s) >> 88;
    }

    /// @dev Whether values have a range, and so an average.
    function hasRange(Scope s) internal pure returns (bool) {
        return uint64(Scope.unwrap(s)) != 0;
    }

    /// @dev The value in the range that is nearest to `value`.
    function clamp(Scope s, uint256 value) internal pure returns (uint256) {
        if (!s.hasRange()) return value;
        (uint256 low, uint256 high) = (s.best(), s.worst());
        if (low > high) (low, high) = (high, low);
        if (value < low) return low;
        return value > high ? high : value;
    }

    /// @dev Distance of a value in the range from the best one.
    function deviation(Scope s, uint256 value) internal pure returns (uint256) {
        uint256 optimum = s.best();
        unchecked {
            return value > optimum ? value - optimum : optimum - value;
        }
    }

    /// @dev Whether the interval that starts at `time` is not judged.
    function isOff(Scope s, uint256 time) internal pure returns (bool) {
        unchecked {
            return (s.hoursOff() >> ((time / 1 hours + EPOCH_HOURS) % WEEK_HOURS)) & 1 != 0;
        }
    }

    /// @dev How many of the intervals [from, to) are judged, as far as the hours of the week go.
    /// @param to At least `from`, below 2^64.
    function inService(Scope s, Measurement m, uint256 from, uint256 to) internal pure returns (uint256) {
        unchecked {
            uint256 off = s.hoursOff();
            if (off == 0) return to - from;
            uint256 interval = m.interval();
            uint256 perHour = 1 hours / interval;
            uint256 origin = m.start() / interval + EPOCH_HOURS * perHour;
            uint256 on = off ^ ALL_HOURS;
            return _inService(on, perHour, origin + to) - _inService(on, perHour, origin + from);
        }
    }

    /// @dev How many of the first `count` intervals of a Monday and the weeks after it are in the hours `on`.
    function _inService(uint256 on, uint256 perHour, uint256 count) private pure returns (uint256) {
        unchecked {
            uint256 hour = count / perHour;
            uint256 weekHour = hour % WEEK_HOURS;
            uint256 whole = (hour / WEEK_HOURS) * _ones(on) + _ones(on & ((1 << weekHour) - 1));
            return whole * perHour + ((on >> weekHour) & 1) * (count % perHour);
        }
    }

    /// @dev How many bits are set in a number below 2^255: sums of neighbouring bits, pairs, nibbles, and of all bytes.
    function _ones(uint256 x) private pure returns (uint256) {
        unchecked {
            x -= (x >> 1) & (type(uint256).max / 3);
            x = (x & (type(uint256).max / 5)) + ((x >> 2) & (type(uint256).max / 5));
            x = (x + (x >> 4)) & (type(uint256).max / 17);
            return (x * (type(uint256).max / 255)) >> 248;
        }
    }
}
