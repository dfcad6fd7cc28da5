// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "./MeasurementLib.sol";

/// @title How readings of one interval become one answer (rule 3)
/// @notice Since a quorum is a majority of all reporters, two quorums share a reporter: whichever signatures a transmitter
/// presents, the verdict is the same or there is none yet.
library ReadingAgreement {
    uint256 internal constant NO_DATA = 0xFFFFFFFF;
    uint256 internal constant NOT_APPLICABLE = 0xFFFFFFFE;

    /// @dev What makes readings agree.
    /// @param reporters Size of the panel.
    struct Rule {
        uint256 reporters;
        uint256 quorum;
        uint256 tolerance;
        Measurement measurement;
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
        if (readings.noData >= rule.quorum) return (true, NO_DATA);
        if (readings.notApplicable >= rule.quorum) return (true, NOT_APPLICABLE);

        bool found;
        uint256 value;
        (found, value) = _lowestAgreement(_side(readings, rule.measurement, true), rule);
        if (found) return (true, value);
        (found, value) = _lowestAgreement(_side(readings, rule.measurement, false), rule);
        if (found) return (true, value);

        uint256 heard = readings.values.length + readings.noData + readings.notApplicable;
        if (heard < rule.reporters) return (false, 0);

        // All were heard. If it is only the threshold that divides a quorum, the lower median of all values decides;
        // otherwise the contradiction cannot be resolved.
        (found, ) = _lowestAgreement(readings.values, rule);
        if (found) return (true, readings.values[(readings.values.length - 1) / 2]);
        return (true, NO_DATA);
    }

    /// @notice Whether an answer is of the same kind as the judged one and, for numbers, on its side and within the tolerance.
    function backs(uint256 answer, uint256 judged, Rule memory rule) internal pure returns (bool) {
        if (answer >= NOT_APPLICABLE || judged >= NOT_APPLICABLE) return answer == judged;
        uint256 distance = answer > judged ? answer - judged : judged - answer;
        return distance <= rule.tolerance && rule.measurement.isGood(answer) == rule.measurement.isGood(judged);
    }

    /// @dev The values on one side of the threshold, ascending.
    function _side(
        Readings memory readings,
        Measurement measurement,
        bool good
    ) private pure returns (uint256[] memory side) {
        uint256 count = readings.values.length;
        side = new uint256[](count);
        uint256 size;
        for (uint256 i = 0; i < count; ++i) {
            uint256 value = readings.values[i];
            if (measurement.isGood(value) == good) side[size++] = value;
        }
        // Only ever shortened: the array was allocated for all values.
        assembly ("memory-safe") {
            mstore(side, size)
        }
    }

    /// @dev Lower median of the lowest `quorum` values that differ by at most the tolerance.
    function _lowestAgreement(
        uint256[] memory values,
        Rule memory rule
    ) private pure returns (bool found, uint256 value) {
        for (uint256 i = rule.quorum; i <= values.length; ++i) {
            uint256 lowest = i - rule.quorum;
            if (values[i - 1] - values[lowest] <= rule.tolerance) {
                return (true, values[lowest + (rule.quorum - 1) / 2]);
            }
        }
    }
}
