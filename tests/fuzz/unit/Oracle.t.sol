// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef, Tally} from "../../../contracts/interfaces/IMonitoringOracle.sol";
import {OracleLib} from "../../../contracts/libraries/OracleLib.sol";
import {Cheats} from "../Cheats.sol";

/// @dev Answers every question with the same words.
contract Answering {
    bytes private _answer;
    bool private _reverts;

    function answerWith(bytes calldata answer, bool reverts) external {
        (_answer, _reverts) = (answer, reverts);
    }

    fallback() external {
        bytes memory answer = _answer;
        if (_reverts) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
        assembly {
            return(add(answer, 32), mload(answer))
        }
    }
}

/// @notice What is taken of an oracle's answer: all of it, or nothing.
contract OracleTest is Cheats {
    Answering private _oracle;

    function setUp() external {
        _oracle = new Answering();
    }

    function ask(
        FeedRef calldata feed,
        uint256 window,
        uint256 intervals,
        Tally memory t
    ) external view returns (bool sound, bool enoughGas, Tally memory) {
        (sound, enoughGas) = OracleLib.tryTally(address(_oracle), feed, window, intervals, t);
        return (sound, enoughGas, t);
    }

    function testFuzz_tryTally(uint256 seed) external {
        uint256 intervals = between(mix(seed, 1), 0, 8);
        uint256[7] memory words;
        for (uint256 i = 0; i < 7; ++i) {
            words[i] = between(mix(seed, 10 + i), 0, i < 2 ? 8 : 3);
        }
        // Most answers that are wrong are so in one place.
        uint256 spoilt = mix(seed, 2) % 24;
        if (spoilt < 7) words[spoilt] = mix(seed, 3) >> (mix(seed, 4) % 256);
        bytes memory answer = abi.encode(words);
        if (spoilt == 8) answer = bytes.concat(answer, hex"00");
        if (spoilt == 9) {
            assembly {
                mstore(answer, 223)
            }
        }
        _oracle.answerWith(answer, spoilt == 10);
        uint256 window = spoilt == 11 ? uint256(1) << 32 : mix(seed, 5) % 1000;
        _compare(window, intervals, words, spoilt < 8 || spoilt > 11);
    }

    /// @dev One more than may be, of each number that has a bound, and the bound itself.
    function test_bounds() external {
        for (uint256 over = 0; over < 2; ++over) {
            _answer([5 + over, 5, 2, 2, 1, 2, 9], over == 0);
            _answer([5, 5 + over, 2, 2, 1, 2, 9], over == 0);
            _answer([5, 5, 2 + over, 2, 1, 2, 9], over == 0);
            _answer([5, 5, 2, 2 + over, 1, 2, 9], over == 0);
            _answer([5, 5, 2, 2, 1 + over, 2, 9], over == 0);
            _answer([5, 5, 2, 2, 1, 2 + over, 9], over == 0);
            _answer([5, 5, 2, 2, 1, 2, uint256(type(uint64).max) + over], over == 0);
        }
    }

    function _answer(uint256[7] memory words, bool sound) private {
        _oracle.answerWith(abi.encode(words), false);
        _compare(0, 5, words, true);
        FeedRef memory feed;
        Tally memory t;
        (bool found,,) = this.ask(feed, 0, 5, t);
        check(found == sound, "sound at a bound");
    }

    function _compare(uint256 window, uint256 intervals, uint256[7] memory words, bool wellFormed) private view {
        FeedRef memory feed;
        Tally memory t;
        bool sound;
        bool enoughGas;
        (sound, enoughGas, t) = this.ask(feed, window, intervals, t);
        check(enoughGas, "gas");
        bool fits = words[6] <= type(uint64).max;
        for (uint256 i = 0; i < 6; ++i) {
            if (words[i] > type(uint32).max) fits = false;
        }
        bool can = fits && words[0] <= intervals && words[1] <= words[0]
            && words[2] + words[3] + words[4] <= words[1] && words[5] <= words[2];
        check(sound == (wellFormed && can), "sound");
        // If it is not, nothing of the answer stays.
        if (!sound) {
            uint256[7] memory none;
            none[0] = intervals;
            words = none;
        }
        same(t.planned, words[0], "planned");
        same(t.judged, words[1], "judged");
        same(t.bad, words[2], "bad");
        same(t.unknown, words[3], "unknown");
        same(t.notApplicable, words[4], "notApplicable");
        same(t.longestRun, words[5], "longestRun");
        same(t.deviation, words[6], "deviation");
    }
}
