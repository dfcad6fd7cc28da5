// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../contracts/libraries/ScopeLib.sol";
import {Symbolic} from "./Symbolic.sol";

/// @notice The closed form of the intervals in service adds up, whatever the hours off. That it also is the count of them, halmos does
/// not decide: see docs/assurance.md for what covers it.
contract HoursCheck is Symbolic {
    /// @dev A span is the sum of its parts.
    function check_spans_add_up(uint168 off, uint32 startHour, uint32 a, uint32 b, uint32 c) external pure {
        vm.assume(a <= b && b <= c);
        (Scope s, Measurement m) = _feed(off, uint256(startHour) * 1 hours, 1 hours);
        assert(s.inService(m, a, c) == s.inService(m, a, b) + s.inService(m, b, c));
    }

    function check_nothing_is_in_an_empty_span(uint168 off, uint32 startHour, uint32 a) external pure {
        (Scope s, Measurement m) = _feed(off, uint256(startHour) * 1 hours, 1 hours);
        assert(s.inService(m, a, a) == 0);
    }

    /// @dev Values in the range stay, others become the nearer end.
    function check_clamp(uint64 range, uint32 value) external pure {
        Scope s = Scope.wrap(range);
        uint256 clamped = s.clamp(value);
        (uint256 low, uint256 high) = s.best() < s.worst() ? (s.best(), s.worst()) : (s.worst(), s.best());
        if (range == 0) assert(clamped == value);
        else assert(clamped >= low && clamped <= high && (clamped == value || value < low || value > high));
        if (range != 0) assert(s.deviation(clamped) <= high - low);
    }

    function _feed(uint256 off, uint256 start, uint256 interval) private pure returns (Scope, Measurement) {
        return (Scope.wrap(off << 88), Measurement.wrap((start % (1 << 40)) | (interval << 40)));
    }
}
