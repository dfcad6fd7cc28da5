// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Tally} from "../interfaces/IMonitoringOracle.sol";
import {Combination, Level, Measure, Terms, Tier, UnknownPolicy} from "../interfaces/ISLAEscrow.sol";
import {Scope} from "./ScopeLib.sol";

/// @title What the consumer gets back for a window (rules 4 and 7)
/// @notice Every function here is monotone: as a tally grows, interval by interval, no credit ever falls. So whatever is due
/// for a running window is certain, and can be paid at once.
library CreditLib {
    uint256 internal constant BPS = 10_000;
    uint256 internal constant PPM = 1_000_000;

    /// @notice min(cap, max(default if due, sum or worst of the levels)) [bps of the window's fee].
    /// @dev Sums and products are unchecked: counts and limits have 32 bits and credits 16, so none comes near 2^256.
    /// @param tallies One for each level of the terms.
    function windowCredit(Terms calldata terms, Tally[] memory tallies) internal pure returns (uint256 credit) {
        Level[] calldata levels = terms.levels;
        UnknownPolicy policy = terms.unknownPolicy;
        bool defaultDue = false;
        unchecked {
            for (uint256 i = 0; i < tallies.length; ++i) {
                Level calldata level = levels[i];
                Tally memory tally = tallies[i];
                uint256 planned = denominator(level, tally);
                uint256 due = levelCredit(level, tally, planned, policy);
                // In the first round the sum and the worst are the same.
                if (i == 0 || terms.combination == Combination.Sum) credit += due;
                else if (due > credit) credit = due;
                uint256 unknown = tally.unknown;
                if (unknown == 0 || policy == UnknownPolicy.Good) continue;
                if (unknown * PPM > terms.unknownLimit * planned) defaultDue = true;
            }
        }
        if (defaultDue && terms.unknownCredit > credit) credit = terms.unknownCredit;
        if (credit > terms.creditCap) credit = terms.creditCap;
    }

    /// @notice Credit of the largest tier met, plus the credit per bad interval [bps of the window's fee].
    /// @param planned The level's denominator [intervals].
    function levelCredit(
        Level calldata level,
        Tally memory tally,
        uint256 planned,
        UnknownPolicy policy
    ) internal pure returns (uint256 credit) {
        // Without a planned interval nothing was promised (rule 24).
        if (planned == 0) return 0;
        uint256 worst = policy == UnknownPolicy.Bad ? tally.unknown : 0;
        Tier[] calldata tiers = level.tiers;
        unchecked {
            uint256 bad = tally.bad + worst;
            for (uint256 i = 0; i < tiers.length; ++i) {
                (Measure measure, uint256 limit, uint256 due) = _read(tiers[i]);
                if (due <= credit) continue;
                if (measure == Measure.AvailabilityBelow) {
                    if ((planned - bad) * PPM < limit * planned) credit = due;
                } else if (measure == Measure.AverageBeyond) {
                    if (_isBeyond(level.feed.scope, limit, tally, worst, planned)) credit = due;
                } else if ((measure == Measure.BadIntervalsAtLeast ? bad : tally.longestRun) >= limit) {
                    credit = due;
                }
            }
            credit += bad * level.creditPerBadInterval;
        }
    }

    /// @notice The level's denominator D: intervals planned for the window, less those not applicable if the level removes
    /// them [intervals].
    function denominator(Level calldata level, Tally memory tally) internal pure returns (uint256) {
        return level.removeNotApplicable ? tally.planned - tally.notApplicable : tally.planned;
    }

    /// @notice What is newly due: floor(fee * credit / 10,000) less what was paid, never negative (rule 7).
    /// @dev Rounded down, once, in favour of the provider.
    function owedDown(uint256 fee, uint256 credit, uint256 paid) internal pure returns (uint256) {
        uint256 due = (fee * credit) / BPS;
        return due > paid ? due - paid : 0;
    }

    /// @notice The tally as if every unknown interval had been good, or had been bad: what an arbiter may think of them (rule 16).
    /// @dev A run of bad intervals may then be as long as all unknown ones and the longest known run together.
    function resolved(Scope scope, Tally memory tally, bool bad) internal pure returns (Tally memory) {
        if (bad) {
            tally.bad += tally.unknown;
            tally.longestRun += tally.unknown;
            if (scope.hasRange()) tally.deviation += uint64(tally.unknown * scope.deviation(scope.worst()));
        }
        tally.unknown = 0;
        return tally;
    }

    /// @dev Whether the average of `planned` values is certain to lie beyond `limit` (rule 19): `worst` of them are the worst one, and
    /// those that are not known yet the best.
    function _isBeyond(
        Scope scope,
        uint256 limit,
        Tally memory tally,
        uint256 worst,
        uint256 planned
    ) private pure returns (bool) {
        unchecked {
            return tally.deviation + worst * scope.deviation(scope.worst()) > scope.deviation(limit) * planned;
        }
    }

    /// @dev A tier, without checks that its members are of their types: `TermsRules` made them before any fee was taken.
    /// Each would cost 100 gas.
    function _read(Tier calldata tier) private pure returns (Measure measure, uint256 limit, uint256 credit) {
        assembly ("memory-safe") {
            measure := calldataload(tier)
            limit := calldataload(add(tier, 32))
            credit := calldataload(add(tier, 64))
        }
    }
}
