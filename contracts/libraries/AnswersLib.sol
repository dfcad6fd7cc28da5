// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReadingAgreement} from "./ReadingAgreement.sol";
import {ReadingsLib} from "./ReadingsLib.sol";
import {Scope} from "./ScopeLib.sol";

/// @dev What some reporters have signed alike: readings of intervals [first, end).
/// @param weight How many of them count.
/// @param signers Bitmap of all of them.
/// @param values Address in memory of the first reading.
struct Answers {
    uint256 first;
    uint256 end;
    uint256 weight;
    uint256 signers;
    uint256 values;
}

/// @title What all the signed readings say of one interval
library AnswersLib {
    /// @dev The answer of interval `number`. Values outside the scope's range are taken for the nearest in it (rule 19).
    /// @param buffer Has room for one value of each reporter.
    /// @return heard Whether any reading that counts covers the interval.
    /// @return decided Whether they agree, or all were heard.
    /// @return code As `ReadingAgreement.agree`.
    /// @return dissenters Bitmap of those whose reading does not support it.
    function answer(
        Answers[] memory answers,
        ReadingAgreement.Rule memory rule,
        uint256[] memory buffer,
        uint256 number
    ) internal pure returns (bool heard, bool decided, uint256 code, uint256 dissenters) {
        uint256 weight = 0;
        bool unanimous = true;
        for (uint256 i = 0; i < answers.length; ++i) {
            (bool covered, uint256 reading) = _read(answers[i], number, rule.scope);
            if (!covered) continue;
            if (weight == 0) code = reading;
            else if (reading != code) unanimous = false;
            weight += answers[i].weight;
        }
        heard = weight != 0;
        if (unanimous) return (heard, weight >= rule.quorum, code, 0);

        (decided, code) = ReadingAgreement.agree(_readings(answers, rule, buffer, number), rule);
        if (decided) dissenters = _dissenters(answers, rule, number, code);
    }

    /// @dev All readings of an interval, numbers in ascending order in `buffer`.
    function _readings(
        Answers[] memory answers,
        ReadingAgreement.Rule memory rule,
        uint256[] memory buffer,
        uint256 number
    ) private pure returns (ReadingAgreement.Readings memory readings) {
        uint256 reporters = rule.reporters;
        assembly ("memory-safe") {
            mstore(buffer, reporters)
        }
        uint256 size = 0;
        for (uint256 i = 0; i < answers.length; ++i) {
            (bool covered, uint256 reading) = _read(answers[i], number, rule.scope);
            if (!covered) continue;
            uint256 weight = answers[i].weight;
            if (reading == ReadingsLib.NO_DATA) readings.noData += weight;
            else if (reading == ReadingsLib.NOT_APPLICABLE) readings.notApplicable += weight;
            else size = _insert(buffer, size, reading, weight);
        }
        // Only ever shortened: no reporter is counted twice.
        assembly ("memory-safe") {
            mstore(buffer, size)
        }
        readings.values = buffer;
    }

    /// @dev Inserts `copies` of `value` into the first `size` values, which ascend. Returns how many there are then.
    function _insert(
        uint256[] memory values,
        uint256 size,
        uint256 value,
        uint256 copies
    ) private pure returns (uint256) {
        unchecked {
            for (; copies != 0; --copies) {
                uint256 k = size++;
                for (; k != 0 && values[k - 1] > value; --k) values[k] = values[k - 1];
                values[k] = value;
            }
        }
        return size;
    }

    /// @dev Reporters whose answer does not support the judged one. Nobody dissents from unknown but those who knew.
    function _dissenters(
        Answers[] memory answers,
        ReadingAgreement.Rule memory rule,
        uint256 number,
        uint256 code
    ) private pure returns (uint256 dissenters) {
        for (uint256 i = 0; i < answers.length; ++i) {
            (bool covered, uint256 reading) = _read(answers[i], number, rule.scope);
            if (covered && !ReadingAgreement.backs(reading, code, rule)) dissenters |= answers[i].signers;
        }
    }

    /// @dev What a batch says of interval `number`, if it covers it and any reading of it counts.
    function _read(Answers memory a, uint256 number, Scope scope) private pure returns (bool covered, uint256 code) {
        uint256 first = a.first;
        if (number < first || number >= a.end || a.weight == 0) return (false, 0);
        unchecked {
            code = ReadingsLib.at(a.values, number - first);
        }
        if (code < ReadingsLib.NOT_APPLICABLE) code = scope.clamp(code);
        return (true, code);
    }
}
