// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef, IMonitoringOracle, Tally} from "../interfaces/IMonitoringOracle.sol";

/// @title Asking an oracle that may fail
/// @notice An oracle that reverts, burns gas or answers nonsense is told apart from a caller who gave too little gas.
library OracleLib {
    /// @notice Gas that an answer may use.
    uint256 internal constant TALLY_GAS = 100_000;
    /// @dev What the caller must have for the oracle to get as much: TALLY_GAS * 64 / 63 (EIP-150), and the call itself.
    uint256 private constant CALLER_GAS = 106_587;
    uint256 private constant TALLY_BYTES = 7 * 32;

    /// @param intervals Of the window of the feed; it plans no more.
    /// @param t All zero. Becomes the oracle's answer; if that is not sound, the tally of a window of which nothing is judged.
    /// @return sound Whether it answered with a tally that can be.
    /// @return enoughGas False if it failed and had not got the gas it may need.
    function tryTally(
        address oracle,
        FeedRef calldata feed,
        uint256 window,
        uint256 intervals,
        Tally memory t
    ) internal view returns (bool sound, bool enoughGas) {
        t.planned = uint32(intervals);
        if (window > type(uint32).max) return (false, true);
        bytes memory data = abi.encodeCall(IMonitoringOracle.tally, (feed, uint32(window)));
        bool fits;
        enoughGas = gasleft() > CALLER_GAS;
        assembly ("memory-safe") {
            // In memory a tally is seven words, as in the answer; none may exceed 32 bits, the last one 64, as what `t` holds.
            let answered := staticcall(TALLY_GAS, oracle, add(data, 32), mload(data), t, TALLY_BYTES)
            sound := and(answered, eq(returndatasize(), TALLY_BYTES))
            let words := or(or(mload(t), mload(add(t, 32))), or(mload(add(t, 64)), mload(add(t, 96))))
            words := or(words, or(mload(add(t, 128)), mload(add(t, 160))))
            fits := iszero(or(shr(32, words), shr(64, mload(add(t, 192)))))
        }
        if (sound) enoughGas = true;
        sound = sound && fits && _isConsistent(t, intervals);
        if (!sound) {
            (t.planned, t.judged, t.bad, t.deviation) = (uint32(intervals), 0, 0, 0);
            (t.unknown, t.notApplicable, t.longestRun) = (0, 0, 0);
        }
    }

    function _isConsistent(Tally memory t, uint256 intervals) private pure returns (bool) {
        unchecked {
            uint256 notGood = uint256(t.bad) + t.unknown + t.notApplicable;
            return t.planned <= intervals && t.judged <= t.planned && notGood <= t.judged && t.longestRun <= t.bad;
        }
    }
}
