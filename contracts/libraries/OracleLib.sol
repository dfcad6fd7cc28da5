// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef, IMonitoringOracle, Tally} from "../interfaces/IMonitoringOracle.sol";

/// @title Asking an oracle that may fail
/// @notice An oracle that reverts, burns gas or answers nonsense is told apart from a caller who gave too little gas.
library OracleLib {
    /// @notice Gas that an answer may use.
    uint256 internal constant TALLY_GAS = 100_000;
    uint256 private constant TALLY_WORDS = 6;

    /// @param planned Intervals of a window of the feed.
    /// @return t The oracle's answer; meaningless unless `sound`.
    /// @return sound Whether it answered with a tally that can be.
    /// @return enoughGas False if it failed and had not got the gas it may need.
    function tryTally(
        address oracle,
        FeedRef calldata feed,
        uint256 window,
        uint256 planned
    ) internal view returns (Tally memory t, bool sound, bool enoughGas) {
        if (window > type(uint32).max) return (t, false, true);
        bytes memory data = abi.encodeCall(IMonitoringOracle.tally, (feed, uint32(window)));
        uint256[TALLY_WORDS] memory words;
        enoughGas = gasleft() > (TALLY_GAS * 64) / 63 + 5_000;
        assembly ("memory-safe") {
            let answered := staticcall(TALLY_GAS, oracle, add(data, 32), mload(data), words, mul(32, TALLY_WORDS))
            sound := and(answered, eq(returndatasize(), mul(32, TALLY_WORDS)))
        }
        if (sound) enoughGas = true;
        // Bounded first, so that neither the sums nor the casts below can overflow.
        for (uint256 i = 0; i < TALLY_WORDS; ++i) {
            if (words[i] > planned) return (t, false, enoughGas);
        }
        t = Tally(
            uint32(words[0]),
            uint32(words[1]),
            uint32(words[2]),
            uint32(words[3]),
            uint32(words[4]),
            uint32(words[5])
        );
        bool consistent = t.planned == planned && t.bad + t.unknown + t.notApplicable <= t.judged && t.longestRun <= t.bad;
        return (t, sound && consistent, enoughGas);
    }
}
