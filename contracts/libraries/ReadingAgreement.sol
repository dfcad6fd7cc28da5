// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "./MeasurementLib.sol";
import {ReadingsLib} from "./ReadingsLib.sol";
import {Scope} from "./ScopeLib.sol";

/// @title How readings of one interval become one answer (rule 3)
/// @notice Since a quorum is a majority of all reporters, two quorums share a reporter: whichever signatures a transmitter
/// presents, the verdict is the same or there is none yet. The value may differ by the tolerance.
library ReadingAgreement {
    /// @dev What makes readings agree.
    /// @param reporters Size of the panel.
    struct Rule {
        uint256 reporters;
        uint256 quorum;
        uint256 tolerance;
        Measurement measurement;
        Scope scope;
    }

    /// @dev The readings of one interval, without their authors.
    /// @param values The numbers among them, ascending.
    /// @param noData How many reporters said "no data".
    /// @param notApplicable How many said "not applicable".
    struct Readings {
        uint256[] values;
        uint256 noData;
        uint256 notApplicable;
    }

    /// @return decided False if too few readings agree and not all reporters were heard.
    /// @return code The judged value, NOT_APPLICABLE, or NO_DATA for unknown.
    function agree(Readings memory readings, Rule memory rule) internal pure returns (bool decided, uint256 code) {
        if (readings.noData >= rule.quorum) return (true, ReadingsLib.NO_DATA);
        if (readings.notApplicable >= rule.quorum) return (true, ReadingsLib.NOT_APPLICABLE);

        uint256[] memory values = readings.values;
        bool found;
        (found, code) = _lowestAgreement(_largerSide(values, rule.measurement), rule);
        if (found) return (true, code);

        if (values.length + readings.noData + readings.notApplicable < rule.reporters) return (false, 0);

        // All were heard. If it is only the threshold that divides a quorum, the lower median of all values decides;
        // otherwise the contradiction cannot be resolved.
        (found, ) = _lowestAgreement(values, rule);
        return (true, found ? values[(values.length - 1) / 2] : ReadingsLib.NO_DATA);
    }

    /// @notice Whether an answer is of the same kind as the judged one and, for numbers, on its side and within the tolerance.
    function backs(uint256 answer, uint256 judged, Rule memory rule) internal pure returns (bool) {
        if (answer == judged) return true;
        if (answer >= ReadingsLib.NOT_APPLICABLE || judged >= ReadingsLib.NOT_APPLICABLE) return false;
        uint256 distance = answer > judged ? answer - judged : judged - answer;
        return distance <= rule.tolerance && rule.measurement.isGood(answer) == rule.measurement.isGood(judged);
    }

    /// @dev The values on that side of the threshold where there are more of them, ascending. The other side cannot hold a
    /// quorum, since that is a majority.
    function _largerSide(
        uint256[] memory values,
        Measurement measurement
    ) private pure returns (uint256[] memory side) {
        uint256 count = values.length;
        uint256 good = 0;
        for (uint256 i = 0; i < count; ++i) {
            if (measurement.isGood(values[i])) ++good;
        }
        if (good == 0 || good == count) return values;

        bool larger = good > count - good;
        side = new uint256[](larger ? good : count - good);
        uint256 size = 0;
        for (uint256 i = 0; i < count; ++i) {
            if (measurement.isGood(values[i]) == larger) side[size++] = values[i];
        }
    }

    /// @dev Lower median of the lowest `quorum` values that differ by at most the tolerance.
    function _lowestAgreement(
        uint256[] memory values,
        Rule memory rule
    ) private pure returns (bool found, uint256 value) {
        uint256 quorum = rule.quorum;
        uint256 tolerance = rule.tolerance;
        unchecked {
            // Ascending values: no difference is negative.
            for (uint256 i = quorum; i <= values.length; ++i) {
                uint256 lowest = i - quorum;
                if (values[i - 1] - values[lowest] <= tolerance) {
                    return (true, values[lowest + (quorum - 1) / 2]);
                }
            }
        }
    }
}
