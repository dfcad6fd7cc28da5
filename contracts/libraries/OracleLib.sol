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
    uint256 private constant TALLY_BYTES = 6 * 32;

    /// @param planned Intervals of a window of the feed.
    /// @param t Becomes the oracle's answer; if that is not sound, the tally of a window of which nothing is judged.
    /// @return sound Whether it answered with a tally that can be.
    /// @return enoughGas False if it failed and had not got the gas it may need.
    function tryTally(
        address oracle,
        FeedRef calldata feed,
        uint256 window,
        uint256 planned,
        Tally memory t
    ) internal view returns (bool sound, bool enoughGas) {
        t.planned = uint32(planned);
        if (window > type(uint32).max) return (false, true);
        bytes memory data = abi.encodeCall(IMonitoringOracle.tally, (feed, uint32(window)));
        bool fits;
        enoughGas = gasleft() > CALLER_GAS;
        assembly ("memory-safe") {
            // In memory a tally is six words, as in the answer; none may exceed 32 bits, as what `t` holds.
            let answered := staticcall(TALLY_GAS, oracle, add(data, 32), mload(data), t, TALLY_BYTES)
            sound := and(answered, eq(returndatasize(), TALLY_BYTES))
            let words := or(or(mload(t), mload(add(t, 32))), or(mload(add(t, 64)), mload(add(t, 96))))
            words := or(words, or(mload(add(t, 128)), mload(add(t, 160))))
            fits := iszero(shr(32, words))
        }
        if (sound) enoughGas = true;
        sound = sound && fits && _isConsistent(t, planned);
        if (!sound) {
            (t.planned, t.judged, t.bad) = (uint32(planned), 0, 0);
            (t.unknown, t.notApplicable, t.longestRun) = (0, 0, 0);
        }
    }

    function _isConsistent(Tally memory t, uint256 planned) private pure returns (bool) {
        unchecked {
            uint256 notGood = uint256(t.bad) + t.unknown + t.notApplicable;
            return t.planned == planned && t.judged <= planned && notGood <= t.judged && t.longestRun <= t.bad;
        }
    }
}
