// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Verdict} from "../interfaces/IMonitoringOracle.sol";
import {Measurement} from "./MeasurementLib.sol";
import {ReadingsLib} from "./ReadingsLib.sol";
import {Scope} from "./ScopeLib.sol";

/// @dev One word, from the lowest bit. Counts are those of the running window.
///
/// | bits    | state                        | tally of a closed window |
/// |---------|------------------------------|--------------------------|
/// | 0-31    | next interval                |                          |
/// | 32-71   | last advance [s, UNIX time]  |                          |
/// | 72-95   | bad intervals                | the same                 |
/// | 96-119  | unknown intervals            | the same                 |
/// | 120-143 | intervals not applicable     | the same                 |
/// | 144-167 | longest run of bad ones      | the same                 |
/// | 168-191 | run of bad ones so far       |                          |
/// | 192-245 | sum of deviations            | the same                 |
/// | 246-248 | last verdict                 |                          |
/// | 254     | 1: the feed is guarded       |                          |
/// | 255     |                              | 1: the window was closed |
///
/// Guarded: exclusions, or proofs against reporters, have to be looked up before anything of the feed is judged.
type FeedState is uint256;

using FeedStateLib for FeedState global;

/// @title The two words the oracle stores of a feed
/// @notice A new slot is the dearest thing on the chain. So a feed has one slot that every report rewrites, and each window
/// leaves one behind (`tally`); what can be derived from the measurement is not stored. States are values: every
/// function returns a new one.
/// @dev No count can overflow its 24 bits, since a window has at most 2^22 intervals; nor the sum its 54, of 32-bit values.
library FeedStateLib {
    uint256 private constant ONE_BAD = 1 << 72;
    uint256 private constant ONE_UNKNOWN = 1 << 96;
    uint256 private constant ONE_NOT_APPLICABLE = 1 << 120;
    /// @dev Bits 72 to 143: what is only ever added to.
    uint256 private constant COUNTS = ((1 << 72) - 1) << 72;
    /// @dev Bits 144 to 191: the longest run, and the run so far.
    uint256 private constant RUNS = ((1 << 48) - 1) << 144;
    uint256 private constant RUN = ((1 << 24) - 1) << 168;
    uint256 private constant DEVIATION = ((1 << 54) - 1) << 192;
    /// @dev What a window leaves behind.
    uint256 private constant TALLY = COUNTS | (RUNS ^ RUN) | DEVIATION;
    /// @dev What is kept while a window runs.
    uint256 private constant WINDOW = COUNTS | RUNS | DEVIATION;
    uint256 private constant GUARDED = 1 << 254;
    uint256 private constant CLOSED = 1 << 255;

    function next(FeedState s) internal pure returns (uint256) {
        return uint32(FeedState.unwrap(s));
    }

    function advancedAt(FeedState s) internal pure returns (uint256) {
        return uint40(FeedState.unwrap(s) >> 32);
    }

    function bad(FeedState s) internal pure returns (uint256) {
        return uint24(FeedState.unwrap(s) >> 72);
    }

    function unknown(FeedState s) internal pure returns (uint256) {
        return uint24(FeedState.unwrap(s) >> 96);
    }

    function notApplicable(FeedState s) internal pure returns (uint256) {
        return uint24(FeedState.unwrap(s) >> 120);
    }

    function longestRun(FeedState s) internal pure returns (uint256) {
        return uint24(FeedState.unwrap(s) >> 144);
    }

    function run(FeedState s) internal pure returns (uint256) {
        return uint24(FeedState.unwrap(s) >> 168);
    }

    function deviation(FeedState s) internal pure returns (uint256) {
        return (FeedState.unwrap(s) & DEVIATION) >> 192;
    }

    function verdict(FeedState s) internal pure returns (Verdict) {
        return Verdict((FeedState.unwrap(s) >> 246) & 7);
    }

    function isGuarded(FeedState s) internal pure returns (bool) {
        return FeedState.unwrap(s) & GUARDED != 0;
    }

    function guard(FeedState s) internal pure returns (FeedState) {
        return FeedState.wrap(FeedState.unwrap(s) | GUARDED);
    }

    /// @dev Counts judged intervals of the running window: readings `from` to `to` of `values`. For feeds without scope.
    /// @param values Address in memory of reading 0.
    function count(
        FeedState s,
        uint256 values,
        uint256 from,
        uint256 to,
        Measurement m
    ) internal pure returns (FeedState) {
        uint256 counts = FeedState.unwrap(s) & COUNTS;
        uint256 longest = s.longestRun();
        uint256 current = s.run();
        (uint256 lowest, uint256 size) = m.promised();
        unchecked {
            uint256 end = values + to * ReadingsLib.BYTES;
            // This is where the gas of a long report goes: `at` and `isGood` stand here in full, without a call.
            for (uint256 place = values + from * ReadingsLib.BYTES; place < end; place += ReadingsLib.BYTES) {
                uint256 code;
                assembly ("memory-safe") {
                    code := shr(224, mload(place))
                }
                if (code >= ReadingsLib.NOT_APPLICABLE) {
                    counts += code == ReadingsLib.NO_DATA ? ONE_UNKNOWN : ONE_NOT_APPLICABLE;
                    current = 0;
                } else if (code - lowest < size) {
                    current = 0;
                } else {
                    counts += ONE_BAD;
                    if (++current > longest) longest = current;
                }
            }
        }
        return FeedState.wrap((FeedState.unwrap(s) & ~(COUNTS | RUNS)) | counts | (longest << 144) | (current << 168));
    }

    /// @dev Counts one judged interval of the running window, with its deviation if values have a range (rule 19).
    function countOne(FeedState s, uint256 code, Measurement m, Scope scope) internal pure returns (FeedState) {
        uint256 word = FeedState.unwrap(s);
        unchecked {
            if (code == ReadingsLib.NO_DATA) return FeedState.wrap((word & ~RUN) + ONE_UNKNOWN);
            if (code == ReadingsLib.NOT_APPLICABLE) return FeedState.wrap((word & ~RUN) + ONE_NOT_APPLICABLE);
            uint256 value = scope.clamp(code);
            if (scope.hasRange()) word += scope.deviation(value) << 192;
            if (m.isGood(value)) return FeedState.wrap(word & ~RUN);
            uint256 current = s.run() + 1;
            uint256 longest = s.longestRun();
            if (current > longest) longest = current;
            return FeedState.wrap(((word & ~RUNS) + ONE_BAD) | (longest << 144) | (current << 168));
        }
    }

    /// @dev Counts `intervals` of the running window as unknown, which ends a run (rule 24).
    function countUnknown(FeedState s, uint256 intervals) internal pure returns (FeedState) {
        if (intervals == 0) return s;
        return FeedState.wrap((FeedState.unwrap(s) & ~RUN) + (intervals << 96));
    }

    /// @dev Runs restart at each window (rule 24).
    function beginWindow(FeedState s) internal pure returns (FeedState) {
        return FeedState.wrap(FeedState.unwrap(s) & ~WINDOW);
    }

    /// @dev Keeps the counts; `verdict_` is that of the interval before `next_`.
    function advance(
        FeedState s,
        uint256 next_,
        uint256 time,
        Verdict verdict_
    ) internal pure returns (FeedState) {
        uint256 kept = FeedState.unwrap(s) & (WINDOW | GUARDED);
        return FeedState.wrap(next_ | (time << 32) | kept | (uint256(verdict_) << 246));
    }

    /// @dev Never zero, so that zero can mean "only ever skipped" (rule 18).
    function tally(FeedState s) internal pure returns (FeedState) {
        return FeedState.wrap((FeedState.unwrap(s) & TALLY) | CLOSED);
    }
}
