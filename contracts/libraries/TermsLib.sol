// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Level, Termination, Terms, Tier} from "../interfaces/ISLAEscrow.sol";
import {Measurement} from "./MeasurementLib.sol";

/// @title Reading the terms of an agreement: hash, times, fees
library TermsLib {
    /// @dev Rule 13: how long after its end and two report deadlines a window may wait for its oracle.
    uint256 internal constant GRACE = 30 days;

    bytes32 private constant FEED_TYPEHASH =
        keccak256("FeedRef(bytes32 panel,uint256 measurement,uint256 scope,bytes32 descriptor)");
    bytes32 private constant TIER_TYPEHASH = keccak256("Tier(uint8 measure,uint32 limit,uint16 credit)");
    bytes32 private constant LEVEL_TYPEHASH =
        keccak256(
            "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)"
            "FeedRef(bytes32 panel,uint256 measurement,uint256 scope,bytes32 descriptor)"
            "Tier(uint8 measure,uint32 limit,uint16 credit)"
        );
    bytes32 private constant TERMS_TYPEHASH =
        keccak256(
            "Terms(address provider,address consumer,address token,address oracle,bytes32 previous,uint40 start,"
            "uint40 openBy,uint128 feePerWindow,uint16 windows,uint16 prepaidWindows,uint128 bond,Level[] levels,"
            "uint8 combination,uint16 creditCap,uint8 unknownPolicy,uint32 unknownLimit,uint16 unknownCredit,"
            "address arbiter,uint32 challengePeriod,uint128 disputeDeposit,uint16 breachesToEnd,"
            "uint32 noticePeriod,bytes32 document,bytes32 salt)"
            "FeedRef(bytes32 panel,uint256 measurement,uint256 scope,bytes32 descriptor)"
            "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)"
            "Tier(uint8 measure,uint32 limit,uint16 credit)"
        );
    bytes32 private constant TERMINATION_TYPEHASH =
        keccak256("Termination(bytes32 agreement,uint16 window,uint128 toProvider,uint40 validUntil)");

    /// @notice EIP-712 struct hash.
    /// @dev EIP-712 encodes a member of a static type as the ABI does, in one word. So these words are hashed as they stand in
    /// the calldata, even those that no value of their type has: `TermsRules` lets no such terms be opened.
    function hash(Terms calldata terms) internal pure returns (bytes32 result) {
        Level[] calldata levels = terms.levels;
        bytes32[] memory hashes = new bytes32[](levels.length);
        for (uint256 i = 0; i < hashes.length; ++i) hashes[i] = _hash(levels[i]);
        bytes32 typehash = TERMS_TYPEHASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typehash)
            // The twenty-four members; the twelfth, where `levels` are to be found, gives way to their hash.
            calldatacopy(add(data, 32), terms, 768)
            mstore(add(data, 384), keccak256(add(hashes, 32), mul(levels.length, 32)))
            result := keccak256(data, 800)
        }
    }

    /// @notice EIP-712 struct hash.
    function hash(Termination calldata t) internal pure returns (bytes32) {
        return keccak256(abi.encode(TERMINATION_TYPEHASH, t.agreement, t.window, t.toProvider, t.validUntil));
    }

    /// @notice Begin of a window, and so the end of the one before [s, UNIX time].
    function windowStart(Terms calldata terms, uint256 window) internal pure returns (uint256) {
        Measurement m = terms.levels[0].feed.measurement;
        return m.windowStart(feedWindow(terms, m, window));
    }

    /// @notice The first window that begins at `time` or later.
    /// @param time [s, UNIX time]
    function windowFrom(Terms calldata terms, uint256 time) internal pure returns (uint256 window) {
        if (time <= terms.start) return 0;
        Measurement m = terms.levels[0].feed.measurement;
        window = m.windowAt(time) - feedWindow(terms, m, 0);
        if (windowStart(terms, window) < time) ++window;
    }

    /// @notice The number that the feed gives to the agreement's window `window`.
    function feedWindow(Terms calldata terms, Measurement m, uint256 window) internal pure returns (uint256) {
        // `TermsRules` has checked that the feed starts no later than the agreement.
        return m.windowAt(terms.start) + window;
    }

    /// @notice The fee of a window: that of a short one, at the start of its feed, is rounded down (rule 8).
    function fee(Terms calldata terms, uint256 window) internal pure returns (uint256) {
        uint256 whole = terms.feePerWindow;
        if (window != 0) return whole;
        Measurement m = terms.levels[0].feed.measurement;
        bool short = m.isMonthly() || m.offset() != 0;
        if (!short || m.start() != terms.start) return whole;
        return (whole * (m.windowStart(1) - m.start())) / m.firstPeriod();
    }

    /// @notice Time from which the window can be closed without its oracle [s, UNIX time].
    function expiry(Terms calldata terms, uint256 window) internal pure returns (uint256) {
        Level[] calldata levels = terms.levels;
        uint256 longest = 0;
        for (uint256 i = 0; i < levels.length; ++i) {
            uint256 deadline = levels[i].feed.measurement.deadline();
            if (deadline > longest) longest = deadline;
        }
        return windowStart(terms, window + 1) + (2 * longest + GRACE);
    }

    /// @dev A level is seven words: the four of its feed, where its tiers are to be found, and two more.
    function _hash(Level calldata level) private pure returns (bytes32 result) {
        bytes32 tiers = _hash(level.tiers);
        (bytes32 feedTypehash, bytes32 levelTypehash) = (FEED_TYPEHASH, LEVEL_TYPEHASH);
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, feedTypehash)
            calldatacopy(add(data, 32), level, 128)
            let feed := keccak256(data, 160)
            mstore(data, levelTypehash)
            mstore(add(data, 32), feed)
            mstore(add(data, 64), tiers)
            calldatacopy(add(data, 96), add(level, 160), 64)
            result := keccak256(data, 160)
        }
    }

    /// @dev EIP-712 encodes an array as the hash of its members' hashes. A tier is three words, in the calldata and here.
    function _hash(Tier[] calldata tiers) private pure returns (bytes32 result) {
        bytes32 typehash = TIER_TYPEHASH;
        assembly ("memory-safe") {
            let hashes := mload(0x40)
            let size := mul(tiers.length, 32)
            let tier := add(hashes, size)
            mstore(tier, typehash)
            for { let i := 0 } lt(i, size) { i := add(i, 32) } {
                calldatacopy(add(tier, 32), add(tiers.offset, mul(i, 3)), 96)
                mstore(add(hashes, i), keccak256(tier, 128))
            }
            result := keccak256(hashes, size)
        }
    }
}
