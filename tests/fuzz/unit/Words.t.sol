// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "../../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../../contracts/libraries/ScopeLib.sol";
import {Cheats} from "../Cheats.sol";

/// @notice What is packed into one word, against the tables that say where each field lies.
contract WordsTest is Cheats {
    function testFuzz_measurement(uint256 word) external pure {
        Measurement m = Measurement.wrap(word);
        same(m.start(), _bits(word, 0, 39), "start");
        same(m.interval(), _bits(word, 40, 63), "interval");
        same(m.windowIntervals(), _bits(word, 64, 87), "intervals of a window");
        same(m.settleDelay(), _bits(word, 88, 111), "settle delay");
        same(m.deadline(), _bits(word, 112, 135), "deadline");
        same(m.cadence(), _bits(word, 136, 159), "cadence");
        same(m.offset(), _bits(word, 200, 223), "offset");
        same(m.notice(), _bits(word, 224, 247), "notice");
    }

    /// @dev The comparison is the first of all, LessThan, or the last, NotEqualTo, so that the threshold shows.
    function testFuzz_threshold(uint256 word) external pure {
        uint256 rest = word & ~(uint256(0xFF) << 160);
        (uint256 lowest, uint256 count) = Measurement.wrap(rest).promised();
        check(lowest == 0 && count == _bits(word, 168, 199), "less than the threshold");
        (lowest, count) = Measurement.wrap(rest | (uint256(5) << 160)).promised();
        check(lowest == _bits(word, 168, 199) + 1 && count == type(uint256).max, "not the threshold");
    }

    function testFuzz_scope(uint256 word) external pure {
        Scope s = Scope.wrap(word);
        same(s.best(), _bits(word, 0, 31), "best");
        same(s.worst(), _bits(word, 32, 63), "worst");
        same(s.allowance(), _bits(word, 64, 87), "allowance");
        same(s.hoursOff(), _bits(word, 88, 255), "hours off");
        check(s.hasRange() == (_bits(word, 0, 63) != 0), "range");
    }

    /// @dev The number in the bits `first` to `last`, both included, as the tables name them.
    function _bits(uint256 word, uint256 first, uint256 last) private pure returns (uint256) {
        return (word << (255 - last)) >> (255 - last + first);
    }
}
