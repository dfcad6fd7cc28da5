// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef} from "./interfaces/IMonitoringOracle.sol";
import {Combination, ISLAEscrow, Level, Measure, Terms, Tier, UnknownPolicy} from "./interfaces/ISLAEscrow.sol";
import {Measurement} from "./libraries/MeasurementLib.sol";
import {Scope} from "./libraries/ScopeLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";

/// @title What terms an escrow takes
/// @notice A contract of its own, which the escrow creates and asks once per agreement: it has no state and holds nothing.
contract TermsRules {
    using TermsLib for Terms;

    uint256 private constant MAX_LEVELS = 8;
    uint256 private constant MAX_TIERS = 8;
    /// @dev So many can be funded, moved and refunded in one transaction.
    uint256 private constant MAX_WINDOWS = 512;
    /// @dev So that what a bond owes of all windows fits.
    uint256 private constant MAX_FEE = type(uint112).max;
    uint256 private constant MAX_CHALLENGE = 30 days;
    uint256 private constant BPS = 10_000;
    uint256 private constant PPM = 1_000_000;

    /// @notice Reverts unless the terms are within bounds (rules 1, 8 and 13).
    /// @dev The caller is the escrow, which cannot be a party.
    function check(Terms calldata terms) external view {
        _checkParties(terms);
        require(terms.openBy <= terms.start, ISLAEscrow.SLAEscrow_Times(terms.openBy, terms.start));
        // Where a bond is needed first, and where windows may be funded already, nothing is prepaid.
        uint256 windows = terms.windows;
        uint256 prepaid = terms.bond == 0 && terms.previous == 0 ? windows : 0;
        require(
            windows != 0 && windows <= MAX_WINDOWS && terms.prepaidWindows <= prepaid,
            ISLAEscrow.SLAEscrow_Windows(terms.prepaidWindows, windows)
        );
        uint256 most = _mostCredit(terms);
        uint256 cap = terms.creditCap;
        require(cap != 0 && cap <= most, ISLAEscrow.SLAEscrow_Credit(cap));
        require(terms.unknownCredit <= most, ISLAEscrow.SLAEscrow_Credit(terms.unknownCredit));
        require(terms.unknownLimit <= PPM, ISLAEscrow.SLAEscrow_UnknownLimit(terms.unknownLimit));
        // No rule bounds these. But whatever has not been read may hold what its type does not allow (see `TermsLib.hash`).
        assert(terms.combination <= type(Combination).max && terms.unknownPolicy <= type(UnknownPolicy).max);
        assert(terms.breachesToEnd <= type(uint16).max && terms.noticePeriod <= type(uint32).max);
        uint256 levels = terms.levels.length;
        require(levels != 0 && levels <= MAX_LEVELS, ISLAEscrow.SLAEscrow_Levels(levels));
        for (uint256 i = 0; i < levels; ++i) _checkLevel(terms, i, most);
        require(terms.feePerWindow <= MAX_FEE && terms.fee(0) != 0, ISLAEscrow.SLAEscrow_Fee(terms.feePerWindow));
    }

    /// @dev Credits beyond the fee need a bond to pay them.
    function _mostCredit(Terms calldata terms) private pure returns (uint256) {
        return terms.bond == 0 ? BPS : type(uint16).max;
    }

    function _checkParties(Terms calldata terms) private view {
        (address provider, address consumer) = (terms.provider, terms.consumer);
        bool distinct = provider != consumer && provider != address(0) && consumer != address(0);
        bool outside = provider != msg.sender && consumer != msg.sender;
        require(distinct && outside, ISLAEscrow.SLAEscrow_Party(provider, consumer));
        (address token, address oracle) = (terms.token, terms.oracle);
        require(token.code.length != 0, ISLAEscrow.SLAEscrow_NoContract(token));
        require(oracle.code.length != 0, ISLAEscrow.SLAEscrow_NoContract(oracle));
        uint256 period = terms.challengePeriod;
        bool challenge = terms.arbiter == address(0)
            ? period == 0 && terms.disputeDeposit == 0
            : period != 0 && period <= MAX_CHALLENGE;
        require(challenge, ISLAEscrow.SLAEscrow_Challenge(terms.arbiter, period, terms.disputeDeposit));
    }

    function _checkLevel(Terms calldata terms, uint256 index, uint256 most) private pure {
        Level calldata level = terms.levels[index];
        Measurement m = level.feed.measurement;
        m.validate();
        level.feed.scope.validate(m);
        require(_sameWindows(terms, m), ISLAEscrow.SLAEscrow_WindowsDiffer(index));

        uint256 tiers = level.tiers.length;
        bool sized = tiers <= MAX_TIERS && (tiers != 0 || level.creditPerBadInterval != 0);
        require(sized, ISLAEscrow.SLAEscrow_Tiers(index, tiers));
        require(level.creditPerBadInterval <= most, ISLAEscrow.SLAEscrow_Credit(level.creditPerBadInterval));
        // No rule bounds this either: read for its type's sake, as above.
        bool removes = level.removeNotApplicable;
        assert(removes || !removes);
        for (uint256 i = 0; i < tiers; ++i) {
            Tier calldata tier = level.tiers[i];
            uint256 credit = tier.credit;
            bool bounded = credit != 0 && credit <= most && _isPossible(tier, level.feed);
            require(bounded, ISLAEscrow.SLAEscrow_Tier(index, i));
        }
    }

    /// @dev Rule 8: a window of the feed begins at `start`, and it and all later ones are those of level 0.
    function _sameWindows(Terms calldata terms, Measurement m) private pure returns (bool) {
        if (terms.start < m.start()) return false;
        uint256 first = m.windowAt(terms.start);
        if (m.windowStart(first) != terms.start) return false;
        Measurement m0 = terms.levels[0].feed.measurement;
        return m.windowSeconds() == m0.windowSeconds() && m.windowStart(first + 1) == terms.windowStart(1);
    }

    /// @dev Whether a tier's limit can be met, and is not met by perfection.
    function _isPossible(Tier calldata tier, FeedRef calldata feed) private pure returns (bool) {
        uint256 limit = tier.limit;
        Measure measure = tier.measure;
        if (measure == Measure.AverageBeyond) {
            Scope scope = feed.scope;
            return scope.hasRange() && scope.clamp(limit) == limit && limit != scope.worst();
        }
        if (measure == Measure.AvailabilityBelow) return limit != 0 && limit <= PPM;
        Measurement m = feed.measurement;
        return limit != 0 && limit <= (m.isMonthly() ? 31 days / m.interval() : m.windowIntervals());
    }
}
