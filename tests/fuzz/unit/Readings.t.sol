// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BundleLib} from "../../../contracts/libraries/BundleLib.sol";
import {FeedState} from "../../../contracts/libraries/FeedStateLib.sol";
import {Measurement} from "../../../contracts/libraries/MeasurementLib.sol";
import {ReadingsLib} from "../../../contracts/libraries/ReadingsLib.sol";
import {Scope} from "../../../contracts/libraries/ScopeLib.sol";
import {Cheats} from "../Cheats.sol";

/// @notice Strings of readings in the memory, against Solidity's own, and that nothing beside them is touched.
contract ReadingsTest is Cheats {
    uint256 private constant GUARD = 0xA5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5;

    /// @dev A few readings from the middle of a string become a string. What is before and after that one stays.
    function testFuzz_take(uint256 seed, uint8 size, uint8 first, uint8 size_) external pure {
        uint256 from = between(first, 0, size);
        uint256 count = between(size_, 0, size - from);
        bytes memory before = _guard();
        bytes memory readings = _readings(seed, size);
        bytes memory behind = _guard();
        bytes memory wanted = _slice(readings, 4 * from, 4 * count);
        uint256 free = _free();
        bytes memory taken = ReadingsLib.take(ReadingsLib.start(readings) + 4 * from, count);
        same(_free(), free, "nothing is allocated");
        check(keccak256(taken) == keccak256(wanted), "taken");
        // As in an event: what follows the string must not show in it.
        check(keccak256(abi.encode(taken, 7)) == keccak256(abi.encode(wanted, 7)), "encoded");
        check(_isGuard(before) && _isGuard(behind), "memory beside the string");
    }

    /// @dev Also feeds without any interval, at the end, too, and strings that do not end with a word.
    function testFuzz_join(uint256 seed, uint8 size) external pure {
        uint256 feeds = size % 9;
        bytes memory wanted;
        uint256[] memory packed = new uint256[](feeds);
        for (uint256 i = 0; i < feeds; ++i) {
            uint256 count = mix(seed, i) % 3 == 0 ? 0 : mix(seed, i + 10) % 40;
            uint256 first = uint32(mix(seed, i + 20));
            bytes memory readings = _readings(mix(seed, i + 30), count + 3);
            packed[i] = BundleLib.pack(ReadingsLib.start(readings) + 8, first, count);
            wanted = bytes.concat(wanted, bytes4(uint32(first)), bytes2(uint16(count)), _slice(readings, 8, 4 * count));
        }
        bytes32 inputs = keccak256(abi.encode(packed));
        bytes memory before = _guard();
        bytes memory joined = BundleLib.join(packed);
        bytes memory behind = _guard();
        check(keccak256(joined) == keccak256(wanted), "joined");
        check(keccak256(abi.encode(joined, 7)) == keccak256(abi.encode(wanted, 7)), "encoded");
        check(keccak256(abi.encode(packed)) == inputs, "what was joined");
        check(_isGuard(before) && _isGuard(behind), "memory beside the string");
        same(_free() % 32, 0, "words");
    }

    /// @dev What is allocated next lies behind the last word that was written, whatever the length.
    function test_finish_every_length() external pure {
        for (uint256 size = 0; size <= 70; ++size) {
            bytes memory source = _readings(size, 20);
            bytes memory written = ReadingsLib.begin();
            uint256 place = ReadingsLib.start(written);
            ReadingsLib.write(place, ReadingsLib.start(source), size);
            ReadingsLib.finish(written, place + size);
            bytes memory behind = _guard();
            same(written.length, size, "length");
            check(keccak256(written) == keccak256(_slice(source, 0, size)), "written");
            uint256 next;
            assembly ("memory-safe") {
                next := behind
            }
            check(next >= place + 32 * ((size + 31) / 32) && next % 32 == 0, "written words are its own");
        }
    }

    function testFuzz_set(uint256 seed, uint8 size, uint8 index, uint32 code) external pure {
        uint256 count = between(size, 1, 40);
        uint256 at = index % count;
        bytes memory readings = _readings(seed, count);
        bytes memory behind = _guard();
        bytes memory wanted = bytes.concat(
            _slice(readings, 0, 4 * at),
            bytes4(code),
            _slice(readings, 4 * at + 4, 4 * (count - at - 1))
        );
        ReadingsLib.set(ReadingsLib.start(readings), at, code);
        check(keccak256(readings) == keccak256(wanted) && _isGuard(behind), "set");
        same(ReadingsLib.at(ReadingsLib.start(readings), at), code, "at");
        check(ReadingsLib.hash(ReadingsLib.start(readings), count) == keccak256(wanted), "hash");
    }

    // COUNTING

    /// @dev All at once as one after the other, and as by hand; from any place, on top of any counts, and nothing else changes.
    function testFuzz_count(uint256 seed, uint256 word, uint8 size, uint8 first) external pure {
        // First, end, threshold, comparison.
        uint256[4] memory span = [uint256(first % 20), first % 20 + size % 60, mix(seed, 2) % 5, mix(seed, 3) % 6];
        if (mix(seed, 1) % 4 == 0) span[2] = type(uint32).max - span[2];
        // Room to count on in each of the five counts: see the limits of `FeedStateLib`.
        FeedState s = FeedState.wrap(word & ~(uint256(0xF00000F00000F00000F00000F00000) << 72));
        bytes memory readings = new bytes(0);
        for (uint256 i = 0; i < span[1] + 3; ++i) {
            readings = bytes.concat(readings, bytes4(_near(mix(seed, 10 + i), span[2])));
        }

        Measurement m = Measurement.wrap((span[3] << 160) | (span[2] << 168));
        uint256 values = ReadingsLib.start(readings);
        FeedState counted = s.count(values, span[0], span[1], m);
        FeedState one = s;
        for (uint256 i = span[0]; i < span[1]; ++i) one = one.countOne(ReadingsLib.at(values, i), m, Scope.wrap(0));
        same(FeedState.unwrap(counted), FeedState.unwrap(one), "one after the other");
        _byHand(s, counted, readings, span);
    }

    /// @param span First, end, threshold and comparison.
    function _byHand(FeedState s, FeedState counted, bytes memory readings, uint256[4] memory span) private pure {
        // As `s.run()` may exceed the longest run of a random state, the longest is only ever raised by a bad interval.
        uint256[5] memory counts = [s.bad(), s.unknown(), s.notApplicable(), s.longestRun(), s.run()];
        for (uint256 i = span[0]; i < span[1]; ++i) {
            uint256 code = uint32(bytes4(_slice(readings, 4 * i, 4)));
            if (code == 0xFFFFFFFF) ++counts[1];
            if (code == 0xFFFFFFFE) ++counts[2];
            bool bad = code < 0xFFFFFFFE && !_isGood(code, span[2], span[3]);
            if (bad) ++counts[0];
            counts[4] = bad ? counts[4] + 1 : 0;
            if (bad && counts[4] > counts[3]) counts[3] = counts[4];
        }
        same(counted.bad(), counts[0], "bad");
        same(counted.unknown(), counts[1], "unknown");
        same(counted.notApplicable(), counts[2], "not applicable");
        same(counted.longestRun(), counts[3], "longest run");
        same(counted.run(), counts[4], "run");
        uint256 others = ~(((uint256(1) << 120) - 1) << 72);
        same(FeedState.unwrap(counted) & others, FeedState.unwrap(s) & others, "what is not counted");
    }

    /// @dev Every comparison, at both ends of what a threshold and a value can be.
    function test_good_at_the_ends() external pure {
        uint32[6] memory ends = [0, 1, 2, 0xFFFFFFFC, 0xFFFFFFFD, 0xFFFFFFFF];
        for (uint256 comparison = 0; comparison < 6; ++comparison) {
            for (uint256 t = 0; t < ends.length; ++t) {
                Measurement m = Measurement.wrap((comparison << 160) | (uint256(ends[t]) << 168));
                for (uint256 v = 0; v < ends.length; ++v) {
                    check(m.isGood(ends[v]) == _isGood(ends[v], ends[t], comparison), "good");
                }
            }
        }
    }

    function _isGood(uint256 value, uint256 threshold, uint256 comparison) private pure returns (bool) {
        if (comparison == 0) return value < threshold;
        if (comparison == 1) return value <= threshold;
        if (comparison == 2) return value > threshold;
        if (comparison == 3) return value >= threshold;
        return (value == threshold) == (comparison == 4);
    }

    /// @dev A value around the threshold, or one of the answers that are no numbers.
    function _near(uint256 seed, uint256 threshold) private pure returns (uint32) {
        uint256 kind = seed % 8;
        if (kind < 2) return uint32(0xFFFFFFFE + kind);
        uint256 value = threshold + 2;
        uint256 less = mix(seed, 1) % 5;
        value = value < less ? 0 : value - less;
        return value > type(uint32).max ? type(uint32).max : uint32(value);
    }

    // MEMORY

    function _readings(uint256 seed, uint256 count) private pure returns (bytes memory readings) {
        readings = new bytes(4 * count);
        for (uint256 i = 0; i < readings.length; ++i) readings[i] = bytes1(uint8(mix(seed, i)));
    }

    function _slice(bytes memory data, uint256 from, uint256 size) private pure returns (bytes memory part) {
        part = new bytes(size);
        for (uint256 i = 0; i < size; ++i) part[i] = data[from + i];
    }

    /// @dev A word that nobody else may write to.
    function _guard() private pure returns (bytes memory) {
        return abi.encodePacked(GUARD);
    }

    function _isGuard(bytes memory guard) private pure returns (bool) {
        return guard.length == 32 && bytes32(guard) == bytes32(GUARD);
    }

    function _free() private pure returns (uint256 free) {
        assembly ("memory-safe") {
            free := mload(0x40)
        }
    }
}
