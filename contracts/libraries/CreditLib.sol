// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Tally} from "../interfaces/IMonitoringOracle.sol";
import {Combination, Level, Measure, Terms, Tier, UnknownPolicy} from "../interfaces/ISLAEscrow.sol";

/// @title What the consumer gets back for a window (rules 4 and 7)
/// @notice Every function here is monotone: as a tally grows, interval by interval, no credit ever falls. So whatever is due
/// for a running window is certain, and can be paid at once.
library CreditLib {
    uint256 internal constant BPS = 10_000;
    uint256 internal constant PPM = 1_000_000;

    /// @notice min(cap, max(default if due, sum or worst of the levels)) [bps of the window's fee].
    /// @param tallies One for each level of the terms.
    function windowCredit(Terms calldata terms, Tally[] memory tallies) internal pure returns (uint256 credit) {
        bool defaultDue = false;
        for (uint256 i = 0; i < tallies.length; ++i) {
            Level calldata level = terms.levels[i];
            uint256 planned = denominator(level, tallies[i]);
            uint256 due = levelCredit(level, tallies[i], planned, terms.unknownPolicy);
            if (terms.combination == Combination.Sum) credit += due;
            else if (due > credit) credit = due;
            if (tallies[i].unknown * PPM > terms.unknownLimit * planned) defaultDue = true;
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
        uint256 bad = tally.bad;
        if (policy == UnknownPolicy.Bad) bad += tally.unknown;
        for (uint256 i = 0; i < level.tiers.length; ++i) {
            Tier calldata tier = level.tiers[i];
            if (tier.credit > credit && _isMet(tier, planned, bad, tally.longestRun)) credit = tier.credit;
        }
        credit += bad * level.creditPerBadInterval;
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

    function _isMet(Tier calldata tier, uint256 planned, uint256 bad, uint256 run) private pure returns (bool) {
        if (tier.measure == Measure.AvailabilityBelow) return (planned - bad) * PPM < tier.limit * planned;
        if (tier.measure == Measure.BadIntervalsAtLeast) return bad >= tier.limit;
        return run >= tier.limit;
    }
}
