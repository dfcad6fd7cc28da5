// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef} from "../interfaces/IMonitoringOracle.sol";
import {ISLAEscrow, Level, Measure, Terms, Tier} from "../interfaces/ISLAEscrow.sol";
import {Measurement} from "./MeasurementLib.sol";

/// @title Reading the terms of an agreement: hash, bounds, times
library TermsLib {
    uint256 internal constant MAX_LEVELS = 8;
    uint256 internal constant MAX_TIERS = 8;
    uint256 internal constant BPS = 10_000;
    uint256 internal constant PPM = 1_000_000;
    /// @dev Rule 13: how long after its end and two report deadlines a window may wait for its oracle.
    uint256 internal constant GRACE = 30 days;

    bytes private constant FEED_TYPE = "FeedRef(bytes32 panel,uint256 measurement,bytes32 descriptor)";
    bytes private constant TIER_TYPE = "Tier(uint8 measure,uint32 limit,uint16 credit)";
    bytes private constant LEVEL_TYPE =
        "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)";
    bytes32 private constant FEED_TYPEHASH = keccak256(FEED_TYPE);
    bytes32 private constant TIER_TYPEHASH = keccak256(TIER_TYPE);
    bytes32 private constant LEVEL_TYPEHASH = keccak256(abi.encodePacked(LEVEL_TYPE, FEED_TYPE, TIER_TYPE));
    bytes32 private constant TERMS_TYPEHASH =
        keccak256(
            abi.encodePacked(
                "Terms(address provider,address consumer,address token,address oracle,uint40 start,uint40 openBy,",
                "uint128 feePerWindow,uint16 windows,uint16 prepaidWindows,Level[] levels,uint8 combination,",
                "uint16 creditCap,uint8 unknownPolicy,uint32 unknownLimit,uint16 unknownCredit,bytes32 document,",
                "bytes32 salt)",
                FEED_TYPE,
                LEVEL_TYPE,
                TIER_TYPE
            )
        );

    /// @notice EIP-712 struct hash.
    function hash(Terms calldata terms) internal pure returns (bytes32) {
        bytes32[] memory levels = new bytes32[](terms.levels.length);
        for (uint256 i = 0; i < levels.length; ++i) levels[i] = _hash(terms.levels[i]);
        // In two halves, because the compiler's stack does not hold seventeen fields.
        bytes memory head = abi.encode(
            TERMS_TYPEHASH,
            terms.provider,
            terms.consumer,
            terms.token,
            terms.oracle,
            terms.start,
            terms.openBy,
            terms.feePerWindow,
            terms.windows,
            terms.prepaidWindows
        );
        bytes memory tail = abi.encode(
            keccak256(abi.encodePacked(levels)),
            terms.combination,
            terms.creditCap,
            terms.unknownPolicy,
            terms.unknownLimit,
            terms.unknownCredit,
            terms.document,
            terms.salt
        );
        return keccak256(bytes.concat(head, tail));
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
        return (terms.start - m.start()) / m.windowSeconds() + window;
    }

    /// @notice Time from which the window can be closed without its oracle [s, UNIX time].
    function expiry(Terms calldata terms, uint256 window) internal pure returns (uint256) {
        uint256 longest = 0;
        for (uint256 i = 0; i < terms.levels.length; ++i) {
            uint256 deadline = terms.levels[i].feed.measurement.deadline();
            if (deadline > longest) longest = deadline;
        }
        return windowStart(terms, window + 1) + 2 * longest + GRACE;
    }

    function _hash(Level calldata level) private pure returns (bytes32) {
        bytes32[] memory tiers = new bytes32[](level.tiers.length);
        for (uint256 i = 0; i < tiers.length; ++i) {
            Tier calldata tier = level.tiers[i];
            tiers[i] = keccak256(abi.encode(TIER_TYPEHASH, tier.measure, tier.limit, tier.credit));
        }
        FeedRef calldata feed = level.feed;
        return
            keccak256(
                abi.encode(
                    LEVEL_TYPEHASH,
                    keccak256(abi.encode(FEED_TYPEHASH, feed.panel, feed.measurement, feed.descriptor)),
                    keccak256(abi.encodePacked(tiers)),
                    level.creditPerBadInterval,
                    level.removeNotApplicable
                )
            );
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
