// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Strings of readings (rule 14)
/// @notice Four bytes per interval, big endian [units of the feed], with two codes for answers that are not numbers.
library ReadingsLib {
    uint256 internal constant BYTES = 4;
    uint256 internal constant NO_DATA = 0xFFFFFFFF;
    uint256 internal constant NOT_APPLICABLE = 0xFFFFFFFE;

    /// @dev The reading at `index`, which must exist.
    function at(bytes memory readings, uint256 index) internal pure returns (uint256 code) {
        assembly ("memory-safe") {
            code := shr(224, mload(add(add(readings, 32), mul(index, 4))))
        }
    }

    /// @dev Overwrites the reading at `index`, which must exist.
    function set(bytes memory readings, uint256 index, uint256 code) internal pure {
        assembly ("memory-safe") {
            // Its four bytes are the highest of the word that begins with them.
            let word := add(add(readings, 32), mul(index, 4))
            mstore(word, or(shl(224, code), shr(32, shl(32, mload(word)))))
        }
    }

    /// @dev Keeps the first `count` readings, and the memory of the others.
    function shorten(bytes memory readings, uint256 count) internal pure {
        assembly ("memory-safe") {
            mstore(readings, mul(count, 4))
        }
    }
}
