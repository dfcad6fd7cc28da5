// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Strings of readings (rule 14)
/// @notice Four bytes per interval, big endian [units of the feed], with two codes for answers that are not numbers.
library ReadingsLib {
    uint256 internal constant BYTES = 4;
    uint256 internal constant NO_DATA = 0xFFFFFFFF;
    uint256 internal constant NOT_APPLICABLE = 0xFFFFFFFE;

    /// @dev Address in memory of the first reading of a string.
    function start(bytes memory readings) internal pure returns (uint256 values) {
        assembly ("memory-safe") {
            values := add(readings, 32)
        }
    }

    /// @dev The reading at `index`, which must exist.
    /// @param values Address in memory of reading 0.
    function at(uint256 values, uint256 index) internal pure returns (uint256 code) {
        assembly ("memory-safe") {
            code := shr(224, mload(add(values, mul(index, 4))))
        }
    }

    /// @dev Overwrites the reading at `index`, which must exist.
    /// @param values Address in memory of reading 0.
    function set(uint256 values, uint256 index, uint256 code) internal pure {
        assembly ("memory-safe") {
            // Its four bytes are the highest of the word that begins with them.
            let word := add(values, mul(index, 4))
            mstore(word, or(shl(224, code), shr(32, shl(32, mload(word)))))
        }
    }

    /// @dev Hash of `count` readings.
    /// @param values Address in memory of reading 0.
    function hash(uint256 values, uint256 count) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(values, mul(count, 4))
        }
    }

    /// @dev A string in free memory, to be written with `write` and then to be finished, before anything else takes that memory.
    function begin() internal pure returns (bytes memory readings) {
        assembly ("memory-safe") {
            readings := mload(0x40)
        }
    }

    /// @dev Makes the string its own: up to `end`, and the rest of the word that the last bytes were written with.
    /// @param end Address in memory after the last byte.
    function finish(bytes memory readings, uint256 end) internal pure {
        assembly ("memory-safe") {
            mstore(readings, sub(end, add(readings, 32)))
            mstore(0x40, and(add(end, 63), not(31)))
        }
    }

    /// @dev `count` readings as a string, in their place: its length overwrites the word before them.
    /// @param values Address in memory of reading 0.
    function take(uint256 values, uint256 count) internal pure returns (bytes memory readings) {
        assembly ("memory-safe") {
            readings := sub(values, 32)
            mstore(readings, mul(count, 4))
        }
    }

    /// @dev Copies `size` bytes within the memory, to a place that is followed by nothing that matters.
    function write(uint256 to, uint256 from, uint256 size) internal pure {
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, size) { i := add(i, 32) } {
                mstore(add(to, i), mload(add(from, i)))
            }
        }
    }
}
