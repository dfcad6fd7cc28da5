// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {Symbolic} from "./Symbolic.sol";

/// @notice Windows divide time without gap or overlap (rule 8). For lengths that are powers of two; for others halmos does not come
/// to an end, and for months neither: see docs/assurance.md for what covers them.
contract WindowsCheck is Symbolic {
    function check_windows_of_4(uint16 offset, uint32 number) external pure {
        _check(900, 4, offset, number);
    }

    function check_windows_of_8192(uint16 offset, uint32 number) external pure {
        _check(300, 8_192, offset, number);
    }

    /// @dev An interval lies in the window that claims it, and the window's first interval is the first that does.
    function _check(uint256 interval, uint256 length, uint256 offset, uint256 number) private pure {
        vm.assume(offset < length);
        Measurement m = Measurement.wrap((interval << 40) | (length << 64) | (offset << 200));
        uint256 window = m.windowOf(number);
        uint256 begin = m.windowBegin(window);
        assert(begin <= number && number < m.windowBegin(window + 1));
        assert(m.windowOf(begin) == window);
    }
}
