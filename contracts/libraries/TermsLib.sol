// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef} from "../interfaces/IMonitoringOracle.sol";
import {Combination, ISLAEscrow, Level, Measure, Terms, Tier, UnknownPolicy} from "../interfaces/ISLAEscrow.sol";
import {Measurement} from "./MeasurementLib.sol";

/// @title Reading the terms of an agreement: hash, bounds, times
library TermsLib {
    uint256 internal constant MAX_LEVELS = 8;
    uint256 internal constant MAX_TIERS = 8;
    uint256 internal constant BPS = 10_000;
    uint256 internal constant PPM = 1_000_000;
    /// @dev Rule 13: how long after its end and two report deadlines a window may wait for its oracle.
    uint256 internal constant GRACE = 30 days;

    bytes32 private constant FEED_TYPEHASH = keccak256("FeedRef(bytes32 panel,uint256 measurement,bytes32 descriptor)");
    bytes32 private constant TIER_TYPEHASH = keccak256("Tier(uint8 measure,uint32 limit,uint16 credit)");
    bytes32 private constant LEVEL_TYPEHASH =
        keccak256(
            "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)"
            "FeedRef(bytes32 panel,uint256 measurement,bytes32 descriptor)"
            "Tier(uint8 measure,uint32 limit,uint16 credit)"
        );
    bytes32 private constant TERMS_TYPEHASH =
        keccak256(
            "Terms(address provider,address consumer,address token,address oracle,uint40 start,uint40 openBy,"
            "uint128 feePerWindow,uint16 windows,uint16 prepaidWindows,Level[] levels,uint8 combination,"
            "uint16 creditCap,uint8 unknownPolicy,uint32 unknownLimit,uint16 unknownCredit,bytes32 document,"
            "bytes32 salt)"
            "FeedRef(bytes32 panel,uint256 measurement,bytes32 descriptor)"
            "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)"
            "Tier(uint8 measure,uint32 limit,uint16 credit)"
        );

    /// @notice EIP-712 struct hash.
    /// @dev EIP-712 encodes a member of a static type as the ABI does, in one word. So these words are hashed as they stand in
    /// the calldata, even those that no value of their type has: `validate` lets no such terms be opened.
    function hash(Terms calldata terms) internal pure returns (bytes32 result) {
        Level[] calldata levels = terms.levels;
        bytes32[] memory hashes = new bytes32[](levels.length);
        for (uint256 i = 0; i < hashes.length; ++i) hashes[i] = _hash(levels[i]);
        bytes32 typehash = TERMS_TYPEHASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typehash)
            // The seventeen members; the tenth, where `levels` are to be found, gives way to their hash.
            calldatacopy(add(data, 32), terms, 544)
            mstore(add(data, 320), keccak256(add(hashes, 32), mul(levels.length, 32)))
            result := keccak256(data, 576)
        }
    }

    /// @notice Reverts unless the terms are within bounds (rules 1, 8 and 13).
    function validate(Terms calldata terms) internal view {
        bool distinct = terms.provider != terms.consumer && terms.provider != address(0) && terms.consumer != address(0);
        bool outside = terms.provider != address(this) && terms.consumer != address(this);
        require(distinct && outside, ISLAEscrow.SLAEscrow_Party(terms.provider, terms.consumer));
        require(terms.token.code.length != 0, ISLAEscrow.SLAEscrow_NoContract(terms.token));
        require(terms.oracle.code.length != 0, ISLAEscrow.SLAEscrow_NoContract(terms.oracle));
        require(terms.openBy <= terms.start, ISLAEscrow.SLAEscrow_Times(terms.openBy, terms.start));
        require(terms.feePerWindow != 0, ISLAEscrow.SLAEscrow_NoFee());
        require(
            terms.windows != 0 && terms.prepaidWindows <= terms.windows,
            ISLAEscrow.SLAEscrow_Windows(terms.prepaidWindows, terms.windows)
        );
        require(terms.creditCap != 0 && terms.creditCap <= BPS, ISLAEscrow.SLAEscrow_Credit(terms.creditCap));
        require(terms.unknownCredit <= BPS, ISLAEscrow.SLAEscrow_Credit(terms.unknownCredit));
        require(terms.unknownLimit <= PPM, ISLAEscrow.SLAEscrow_UnknownLimit(terms.unknownLimit));
        // No rule bounds these two. But whatever has not been read may hold what its type does not allow (see `hash`).
        assert(terms.combination <= type(Combination).max && terms.unknownPolicy <= type(UnknownPolicy).max);
        uint256 levels = terms.levels.length;
        require(levels != 0 && levels <= MAX_LEVELS, ISLAEscrow.SLAEscrow_Levels(levels));
        for (uint256 i = 0; i < levels; ++i) _validateLevel(terms, i);
    }

    /// @notice Length of the agreement's windows [s].
    function windowSeconds(Terms calldata terms) internal pure returns (uint256) {
        return terms.levels[0].feed.measurement.windowSeconds();
    }

    /// @notice Begin of a window, and so the end of the one before [s, UNIX time].
    function windowStart(Terms calldata terms, uint256 window) internal pure returns (uint256) {
        return terms.start + window * windowSeconds(terms);
    }

    /// @notice The number that the feed gives to the agreement's window `window`.
    function feedWindow(Terms calldata terms, Measurement m, uint256 window) internal pure returns (uint256) {
        // `open` has checked that the feed starts no later than the agreement.
        unchecked {
            return (terms.start - m.start()) / m.windowSeconds() + window;
        }
    }

    /// @notice Time from which the window can be closed without its oracle [s, UNIX time].
    function expiry(Terms calldata terms, uint256 window) internal pure returns (uint256) {
        Level[] calldata levels = terms.levels;
        uint256 longest = 0;
        for (uint256 i = 0; i < levels.length; ++i) {
            uint256 deadline = levels[i].feed.measurement.deadline();
            if (deadline > longest) longest = deadline;
        }
        uint256 end = terms.start + (window + 1) * levels[0].feed.measurement.windowSeconds();
        return end + (2 * longest + GRACE);
    }

    function _hash(Level calldata level) private pure returns (bytes32) {
        FeedRef calldata feed = level.feed;
        return
            keccak256(
                abi.encode(
                    LEVEL_TYPEHASH,
                    keccak256(abi.encode(FEED_TYPEHASH, feed.panel, feed.measurement, feed.descriptor)),
                    _hash(level.tiers),
                    level.creditPerBadInterval,
                    level.removeNotApplicable
                )
            );
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

    function _validateLevel(Terms calldata terms, uint256 index) private pure {
        Level calldata level = terms.levels[index];
        Measurement m = level.feed.measurement;
        m.validate();
        uint256 length = m.windowSeconds();
        bool aligned = terms.start >= m.start() && (terms.start - m.start()) % length == 0;
        require(aligned && length == windowSeconds(terms), ISLAEscrow.SLAEscrow_WindowsDiffer(index));

        uint256 tiers = level.tiers.length;
        bool sized = tiers <= MAX_TIERS && (tiers != 0 || level.creditPerBadInterval != 0);
        require(sized, ISLAEscrow.SLAEscrow_Tiers(index, tiers));
        require(level.creditPerBadInterval <= BPS, ISLAEscrow.SLAEscrow_Credit(level.creditPerBadInterval));
        for (uint256 i = 0; i < tiers; ++i) {
            Tier calldata tier = level.tiers[i];
            uint256 most = tier.measure == Measure.AvailabilityBelow ? PPM : m.windowIntervals();
            bool bounded = tier.limit != 0 && tier.limit <= most && tier.credit != 0 && tier.credit <= BPS;
            require(bounded, ISLAEscrow.SLAEscrow_Tier(index, i));
        }
    }
}
