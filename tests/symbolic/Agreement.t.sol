// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Answers, AnswersLib} from "../../contracts/libraries/AnswersLib.sol";
import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {ReadingAgreement} from "../../contracts/libraries/ReadingAgreement.sol";
import {Scope} from "../../contracts/libraries/ScopeLib.sol";
import {Symbolic} from "./Symbolic.sol";

/// @notice How readings become an answer (rule 3), for three reporters of whom two must agree, and any readings at all.
contract AgreementCheck is Symbolic {
    uint256 private constant NO_DATA = 0xFFFFFFFF;
    uint256 private constant NOT_APPLICABLE = 0xFFFFFFFE;

    /// @dev What is answered is what somebody said, or unknown.
    function check_answer_of_three_is_a_reading(uint32[3] memory r, uint32 tolerance, uint32 threshold) external pure {
        (bool decided, uint256 code) = _answer(r, 7, tolerance, threshold);
        assert(decided);
        assert(code == NO_DATA || code == r[0] || code == r[1] || code == r[2]);
    }

    function check_answer_of_two_is_a_reading(uint32[3] memory r, uint32 tolerance, uint32 threshold) external pure {
        (bool decided, uint256 code) = _answer(r, 3, tolerance, threshold);
        assert(!decided || code == r[0] || code == r[1]);
    }

    /// @dev One of three decides nothing; so a quorum is needed.
    function check_quorum_is_needed(uint32[3] memory r, uint32 tolerance, uint32 threshold) external pure {
        (bool first, ) = _answer(r, 1, tolerance, threshold);
        (bool second, ) = _answer(r, 2, tolerance, threshold);
        (bool third, ) = _answer(r, 4, tolerance, threshold);
        assert(!first && !second && !third);
    }

    /// @dev In whichever order two batches are presented, the answer is the same.
    function check_order_of_two(uint32 a, uint32 b, uint32 tolerance, uint32 threshold) external pure {
        (bool one, uint256 first) = _answer([a, b, 0], 3, tolerance, threshold);
        (bool other, uint256 second) = _answer([b, a, 0], 3, tolerance, threshold);
        assert(one == other && (!one || first == second));
    }

    /// @dev The same for three: swapping neighbours gives every order.
    function check_order_of_three(uint32[3] memory r, uint32 tolerance, uint32 threshold) external pure {
        (bool decided, uint256 code) = _answer(r, 7, tolerance, threshold);
        assert(decided);
        (, uint256 second) = _answer([r[1], r[0], r[2]], 7, tolerance, threshold);
        (, uint256 third) = _answer([r[0], r[2], r[1]], 7, tolerance, threshold);
        assert(code == second && code == third);
    }

    /// @dev Whichever readings a transmitter presents, kind of answer and side of the threshold are the same or there is none yet:
    /// all three always decide, and any two that decide say what all three say. (The order of reporters does not matter.)
    function check_two_say_what_three_say(uint32[3] memory r, uint32 tolerance, uint32 threshold) external pure {
        (bool decided, uint256 code) = _answer(r, 3, tolerance, threshold);
        (, uint256 all) = _answer(r, 7, tolerance, threshold);
        assert(!decided || _kind(code, threshold) == _kind(all, threshold));
    }

    /// @dev A single reporter that says something else cannot force unknown on two that agree (rule 9).
    function check_no_veto(uint32 a, uint32 b, uint32 tolerance, uint32 threshold) external pure {
        vm.assume(a < NOT_APPLICABLE);
        (, uint256 code) = _answer([a, a, b], 7, tolerance, threshold);
        assert(code != NO_DATA && _kind(code, threshold) == _kind(a, threshold));
    }

    function _kind(uint256 code, uint256 threshold) private pure returns (uint256) {
        if (code >= NOT_APPLICABLE) return code;
        return code <= threshold ? 1 : 0;
    }

    /// @dev The answer from those readings whose bit is set in `heard`, each in a batch of its own; good is at most the threshold.
    function _answer(
        uint32[3] memory r,
        uint256 heard,
        uint256 tolerance,
        uint256 threshold
    ) private pure returns (bool decided, uint256 code) {
        Measurement m = Measurement.wrap((uint256(1) << 160) | (threshold << 168) | (uint256(60) << 40));
        ReadingAgreement.Rule memory rule = ReadingAgreement.Rule(3, 2, tolerance, m, Scope.wrap(0));
        uint256 size = (heard & 1) + ((heard >> 1) & 1) + ((heard >> 2) & 1);
        Answers[] memory answers = new Answers[](size);
        uint256[] memory words = new uint256[](3);
        size = 0;
        for (uint256 i = 0; i < 3; ++i) {
            if ((heard >> i) & 1 == 0) continue;
            words[i] = uint256(r[i]) << 224;
            uint256 at;
            assembly ("memory-safe") {
                at := add(add(words, 32), mul(i, 32))
            }
            answers[size++] = Answers(0, 1, 1, 1 << i, at);
        }
        (, decided, code, ) = AnswersLib.answer(answers, rule, new uint256[](3), 0);
    }
}
