// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The two words the oracle stores of a feed
/// @notice A new slot is the dearest thing on the chain. So a feed has one slot that every report rewrites (`FeedState`), and
/// each window leaves one behind (`packTally`); what can be derived from the measurement is not stored.
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
/// | 192-223 | last judged value            |                          |
/// | 224-231 | last verdict                 |                          |
/// | 255     |                              | 1: the window was closed |
library FeedStateLib {
    /// @dev Counts are those of the running window.
    struct FeedState {
        uint256 next;
        uint256 advancedAt;
        uint256 bad;
        uint256 unknown;
        uint256 notApplicable;
        uint256 longestRun;
        uint256 run;
        uint256 value;
        uint256 verdict;
    }

    uint256 internal constant CLOSED = 1 << 255;
    /// @dev Bits 72 to 167: what a window leaves behind.
    uint256 private constant COUNTS = ((1 << 96) - 1) << 72;

    function pack(FeedState memory s) internal pure returns (uint256) {
        // No field can exceed its bits: `next` and `advancedAt` are checked against the clock, the counts are bounded by
        // the longest window (2^22), value and verdict by their types.
        return
            s.next |
            (s.advancedAt << 32) |
            (s.bad << 72) |
            (s.unknown << 96) |
            (s.notApplicable << 120) |
            (s.longestRun << 144) |
            (s.run << 168) |
            (s.value << 192) |
            (s.verdict << 224);
    }

    function unpack(uint256 word) internal pure returns (FeedState memory s) {
        s.next = uint32(word);
        s.advancedAt = uint40(word >> 32);
        s.bad = uint24(word >> 72);
        s.unknown = uint24(word >> 96);
        s.notApplicable = uint24(word >> 120);
        s.longestRun = uint24(word >> 144);
        s.run = uint24(word >> 168);
        s.value = uint32(word >> 192);
        s.verdict = uint8(word >> 224);
    }

    /// @dev Never zero, so that zero can mean "only ever skipped" (rule 18).
    function packTally(FeedState memory s) internal pure returns (uint256) {
        return (pack(s) & COUNTS) | CLOSED;
    }

    /// @dev Runs restart at each window (rule 24).
    function beginWindow(FeedState memory s) internal pure {
        s.bad = 0;
        s.unknown = 0;
        s.notApplicable = 0;
        s.longestRun = 0;
        s.run = 0;
    }
}
