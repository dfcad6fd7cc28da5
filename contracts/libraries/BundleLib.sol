// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";

import {Answers} from "./AnswersLib.sol";
import {ReadingsLib} from "./ReadingsLib.sol";

/// @title Readings of many feeds in one string
/// @notice For each feed: number of the first interval (4 bytes, big endian), number of intervals (2 bytes), readings (4 bytes
/// each). `Answers` are the place that has been reached in such a string, and what it says there.
library BundleLib {
    using Arrays for uint256[];

    /// @dev Most intervals of one feed.
    uint256 internal constant MAX_COUNT = type(uint16).max;
    uint256 private constant HEADER = 6;

    /// @dev Places `a` before the first feed.
    function begin(Answers memory a, bytes memory readings) internal pure {
        (a.first, a.end, a.values) = (0, 0, ReadingsLib.start(readings));
    }

    /// @dev Moves to the next feed. Beyond the end of the string what it says is undefined, and `isAtEnd` is never true again.
    /// @return count Number of intervals.
    function next(Answers memory a) internal pure returns (uint256 count) {
        unchecked {
            uint256 place = a.values + (a.end - a.first) * ReadingsLib.BYTES;
            uint256 header;
            assembly ("memory-safe") {
                header := shr(208, mload(place))
            }
            count = header & MAX_COUNT;
            uint256 first = header >> 16;
            (a.first, a.end, a.values) = (first, first + count, place + HEADER);
        }
    }

    /// @dev Whether the feed that `a` has reached is the last of the string.
    function isAtEnd(Answers memory a, bytes memory readings) internal pure returns (bool) {
        unchecked {
            uint256 place = a.values + (a.end - a.first) * ReadingsLib.BYTES;
            return place == ReadingsLib.start(readings) + readings.length;
        }
    }

    /// @dev The judged intervals of one feed, for `join`.
    /// @param values Address in memory of their values.
    function pack(uint256 values, uint256 first, uint256 count) internal pure returns (uint256) {
        unchecked {
            return (values << 48) | (first << 16) | count;
        }
    }

    /// @dev All feeds in one string.
    function join(uint256[] memory feeds) internal pure returns (bytes memory readings) {
        unchecked {
            readings = ReadingsLib.begin();
            uint256 place = ReadingsLib.start(readings);
            for (uint256 i = 0; i < feeds.length; ++i) {
                uint256 feed = feeds.unsafeMemoryAccess(i);
                uint256 length = (feed & MAX_COUNT) * ReadingsLib.BYTES;
                assembly ("memory-safe") {
                    mstore(place, shl(208, feed))
                }
                ReadingsLib.write(place + HEADER, feed >> 48, length);
                place += HEADER + length;
            }
            ReadingsLib.finish(readings, place);
        }
    }
}
