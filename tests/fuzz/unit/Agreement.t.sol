// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Answers, AnswersLib} from "../../../contracts/libraries/AnswersLib.sol";
import {Measurement} from "../../../contracts/libraries/MeasurementLib.sol";
import {ReadingAgreement} from "../../../contracts/libraries/ReadingAgreement.sol";
import {Scope} from "../../../contracts/libraries/ScopeLib.sol";
import {Cheats} from "../Cheats.sol";

/// @notice The agreement of readings against rule 3 taken word by word: all sets of readings are tried.
contract AgreementTest is Cheats {
    uint256 private constant NO_DATA = 0xFFFFFFFF;
    uint256 private constant NOT_APPLICABLE = 0xFFFFFFFE;
    uint256 private constant THRESHOLD = 100;

    /// @param who Which of the reporters were heard.
    function testFuzz_agreement(uint8 size, uint8 quorum_, uint8 tolerance, uint256 seed, uint8 who) external pure {
        uint256 reporters = between(size, 1, 6);
        uint256 quorum = reporters == 1 ? 1 : between(quorum_, reporters / 2 + 1, reporters == 2 ? 2 : reporters - 1);
        uint256[] memory codes = new uint256[](reporters);
        uint256 heard = 0;
        for (uint256 i = 0; i < reporters; ++i) {
            uint256 kind = mix(seed, i) % 8;
            codes[i] = kind == 0 ? NO_DATA : kind == 1 ? NOT_APPLICABLE : 95 + (mix(seed, i + 10) % 12);
            if (who % 4 == 0 || (who >> i) & 1 == 1) heard |= 1 << i;
        }
        if (heard == 0) heard = 1;
        _compare(codes, heard, quorum, tolerance % 8);
    }

    function _compare(uint256[] memory codes, uint256 heard, uint256 quorum, uint256 tolerance) private pure {
        Measurement m = Measurement.wrap((uint256(1) << 160) | (THRESHOLD << 168) | (uint256(60) << 40));
        ReadingAgreement.Rule memory rule = ReadingAgreement.Rule(codes.length, quorum, tolerance, m, Scope.wrap(0));
        (bool any, bool decided, uint256 code, uint256 dissenters) = AnswersLib.answer(
            _answers(codes, heard),
            rule,
            new uint256[](codes.length),
            0
        );
        check(any, "nobody was heard");
        (bool expected, uint256 wanted) = _reference(codes, heard, quorum, tolerance);
        check(decided == expected, decided ? "decided too early" : "not decided");
        if (!decided) return;
        same(code, wanted, "answer");
        for (uint256 i = 0; i < codes.length; ++i) {
            bool dissents = (heard >> i) & 1 == 1 && !_backs(codes[i], code, tolerance);
            check(((dissenters >> i) & 1 == 1) == dissents, "dissenter");
        }
    }

    function _backs(uint256 code, uint256 judged, uint256 tolerance) private pure returns (bool) {
        if (code == judged) return true;
        if (code >= NOT_APPLICABLE || judged >= NOT_APPLICABLE) return false;
        if ((code <= THRESHOLD) != (judged <= THRESHOLD)) return false;
        return (code > judged ? code - judged : judged - code) <= tolerance;
    }

    function _answers(uint256[] memory codes, uint256 heard) private pure returns (Answers[] memory answers) {
        answers = new Answers[](_bits(heard));
        uint256 size = 0;
        for (uint256 i = 0; i < codes.length; ++i) {
            if ((heard >> i) & 1 == 0) continue;
            bytes memory readings = abi.encodePacked(uint32(codes[i]));
            uint256 at;
            assembly ("memory-safe") {
                at := add(readings, 32)
            }
            answers[size++] = Answers(0, 1, 1, 1 << i, at);
        }
    }

    function _reference(
        uint256[] memory codes,
        uint256 heard,
        uint256 quorum,
        uint256 tolerance
    ) private pure returns (bool decided, uint256 code) {
        if (_count(codes, heard, NO_DATA) >= quorum) return (true, NO_DATA);
        if (_count(codes, heard, NOT_APPLICABLE) >= quorum) return (true, NOT_APPLICABLE);
        (bool found, uint256 lowest) = _lowestSet(codes, heard, quorum, tolerance, true);
        if (found) return (true, lowest);
        if (_bits(heard) < codes.length) return (false, 0);
        (found, ) = _lowestSet(codes, heard, quorum, tolerance, false);
        return (true, found ? _lowerMedian(codes, heard) : NO_DATA);
    }

    /// @dev Of all sets of `quorum` values within the tolerance (and on one side), the lower median of the lowest.
    function _lowestSet(
        uint256[] memory codes,
        uint256 heard,
        uint256 quorum,
        uint256 tolerance,
        bool oneSide
    ) private pure returns (bool found, uint256 median) {
        uint256 least = type(uint256).max;
        for (uint256 set = 1; set < 1 << codes.length; ++set) {
            if (set & heard != set || _bits(set) != quorum) continue;
            (bool agrees, uint256 sum) = _agrees(codes, set, tolerance, oneSide);
            if (!agrees || sum >= least) continue;
            (found, least, median) = (true, sum, _lowerMedian(codes, set));
        }
    }

    function _agrees(
        uint256[] memory codes,
        uint256 set,
        uint256 tolerance,
        bool oneSide
    ) private pure returns (bool, uint256 sum) {
        uint256 low = type(uint256).max;
        uint256 high = 0;
        for (uint256 i = 0; i < codes.length; ++i) {
            if ((set >> i) & 1 == 0) continue;
            uint256 code = codes[i];
            if (code >= NOT_APPLICABLE) return (false, 0);
            if (code < low) low = code;
            if (code > high) high = code;
            sum += code;
        }
        if (oneSide && (low <= THRESHOLD) != (high <= THRESHOLD)) return (false, 0);
        return (high - low <= tolerance, sum);
    }

    /// @dev The lower median of the numbers in a set: so many are smaller, or equal and earlier.
    function _lowerMedian(uint256[] memory codes, uint256 set) private pure returns (uint256) {
        uint256 numbers = 0;
        for (uint256 i = 0; i < codes.length; ++i) {
            if ((set >> i) & 1 == 1 && codes[i] < NOT_APPLICABLE) ++numbers;
        }
        for (uint256 i = 0; i < codes.length; ++i) {
            if ((set >> i) & 1 == 0 || codes[i] >= NOT_APPLICABLE) continue;
            uint256 before = 0;
            for (uint256 k = 0; k < codes.length; ++k) {
                if ((set >> k) & 1 == 0) continue;
                if (codes[k] < codes[i] || (codes[k] == codes[i] && k < i)) ++before;
            }
            if (before == (numbers - 1) / 2) return codes[i];
        }
        revert("no median");
    }

    function _count(uint256[] memory codes, uint256 heard, uint256 code) private pure returns (uint256 count) {
        for (uint256 i = 0; i < codes.length; ++i) if ((heard >> i) & 1 == 1 && codes[i] == code) ++count;
    }

    function _bits(uint256 x) private pure returns (uint256 count) {
        for (; x != 0; x >>= 1) count += x & 1;
    }
}
