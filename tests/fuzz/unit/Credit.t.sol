// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef, Tally} from "../../../contracts/interfaces/IMonitoringOracle.sol";
import {Combination, Level, Measure, Terms, Tier, UnknownPolicy} from "../../../contracts/interfaces/ISLAEscrow.sol";
import {CreditLib} from "../../../contracts/libraries/CreditLib.sol";
import {Measurement} from "../../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../../contracts/libraries/ScopeLib.sol";
import {TermsLib} from "../../../contracts/libraries/TermsLib.sol";
import {Cheats} from "../Cheats.sol";

/// @dev The libraries take calldata.
contract CreditHarness {
    function windowCredit(Terms calldata terms, Tally[] memory tallies) external pure returns (uint256) {
        return CreditLib.windowCredit(terms, tallies);
    }

    function levelCredit(
        Level calldata level,
        Tally memory tally,
        uint256 planned,
        UnknownPolicy policy
    ) external pure returns (uint256) {
        return CreditLib.levelCredit(level, tally, planned, policy);
    }

    function fee(Terms calldata terms, uint256 window) external pure returns (uint256) {
        return TermsLib.fee(terms, window);
    }

    function windowStart(Terms calldata terms, uint256 window) external pure returns (uint256) {
        return TermsLib.windowStart(terms, window);
    }

    function windowFrom(Terms calldata terms, uint256 time) external pure returns (uint256) {
        return TermsLib.windowFrom(terms, time);
    }

    function expiry(Terms calldata terms, uint256 window) external pure returns (uint256) {
        return TermsLib.expiry(terms, window);
    }
}

/// @notice Credits, fees and times of terms against the rules taken word by word.
contract CreditTest is Cheats {
    CreditHarness private _harness = new CreditHarness();

    function testFuzz_credit(uint256 seed) external view {
        Terms memory t = _terms(seed);
        Tally[] memory tallies = new Tally[](t.levels.length);
        for (uint256 i = 0; i < tallies.length; ++i) tallies[i] = _tally(mix(seed, 50 + i), t.levels[i].feed.scope);
        uint256 credit = _harness.windowCredit(t, tallies);
        same(credit, _credit(t, tallies), "credit");

        // What grows lowers nothing.
        uint256 grown = mix(seed, 60) % tallies.length;
        _grow(tallies[grown], mix(seed, 61), t.levels[grown].feed.scope);
        check(_harness.windowCredit(t, tallies) >= credit, "a credit fell");
    }

    /// @dev The library does not check its sums and products; the second implementation does. As many levels and tiers as there may be,
    /// all credits, counts and limits that their types allow, the largest now and then, and a deviation that no honest oracle tells.
    function testFuzz_credit_of_extremes(uint256 seed) external view {
        Terms memory t = _terms(seed);
        t.levels = new Level[](between(mix(seed, 99), 1, 8));
        Tally[] memory tallies = new Tally[](t.levels.length);
        for (uint256 i = 0; i < tallies.length; ++i) {
            t.levels[i] = _extremeLevel(mix(seed, 100 + i));
            tallies[i] = _extremeTally(mix(seed, 200 + i));
        }
        t.creditCap = _extreme16(mix(seed, 300));
        t.unknownCredit = _extreme16(mix(seed, 301));
        t.unknownLimit = uint32(_atMost(mix(seed, 302), 1_000_000));
        same(_harness.windowCredit(t, tallies), _credit(t, tallies), "credit");

        // Before the cap, which would hide much.
        Level memory level = t.levels[0];
        uint256 planned = tallies[0].planned - (level.removeNotApplicable ? tallies[0].notApplicable : 0);
        uint256 wanted = planned == 0 ? 0 : _levelCredit(level, tallies[0], planned, t.unknownPolicy);
        same(_harness.levelCredit(level, tallies[0], planned, t.unknownPolicy), wanted, "credit of a level");
    }

    function testFuzz_owed(uint128 fee, uint16 credit, uint128 paid) external pure {
        uint256 due = (uint256(fee) * credit) / 10_000;
        same(CreditLib.owedDown(fee, credit, paid), due > paid ? due - paid : 0, "owed");
    }

    function testFuzz_resolved(uint256 seed) external pure {
        Scope scope = _scope(seed);
        Tally memory t = _tally(mix(seed, 1), scope);
        (uint32 bad, uint32 unknown, uint32 run) = (t.bad, t.unknown, t.longestRun);
        uint64 deviation = t.deviation;
        Tally memory good = CreditLib.resolved(scope, _tally(mix(seed, 1), scope), false);
        check(good.unknown == 0 && good.bad == bad && good.longestRun == run && good.deviation == deviation, "all good");
        Tally memory worst = CreditLib.resolved(scope, t, true);
        check(worst.unknown == 0 && worst.bad == bad + unknown && worst.longestRun == run + unknown, "all bad");
        uint64 spread = scope.hasRange() ? 100 : 0;
        check(worst.deviation == deviation + unknown * spread, "the worst average");
    }

    function testFuzz_fees_and_times(uint256 seed) external view {
        Terms memory t = _terms(seed);
        Measurement m = t.levels[0].feed.measurement;
        uint256 first = mix(seed, 70) % 3;
        t.start = uint40(m.windowStart(first));
        for (uint256 w = 0; w < 3; ++w) {
            uint256 share = first + w == 0 ? m.windowIntervals() - m.offset() : m.windowIntervals();
            same(_harness.fee(t, w), (uint256(t.feePerWindow) * share) / m.windowIntervals(), "fee");
            uint256 begin = m.start() + m.interval() * m.windowBegin(first + w);
            uint256 end = m.start() + m.interval() * m.windowBegin(first + w + 1);
            same(_harness.windowStart(t, w), begin, "start");
            same(_harness.windowFrom(t, begin), w, "from its begin");
            same(_harness.windowFrom(t, begin + 1), w + 1, "from after its begin");
            same(_harness.windowFrom(t, end), w + 1, "from its end");
            same(_harness.expiry(t, w), end + 2 * _longestDeadline(t) + 30 days, "expiry");
        }
        same(_harness.windowFrom(t, 0), 0, "from the beginning");
    }

    function _longestDeadline(Terms memory t) private pure returns (uint256 longest) {
        for (uint256 i = 0; i < t.levels.length; ++i) {
            uint256 deadline = t.levels[i].feed.measurement.deadline();
            if (deadline > longest) longest = deadline;
        }
    }

    // RULES 4, 7 AND 19

    function _credit(Terms memory t, Tally[] memory tallies) private pure returns (uint256 credit) {
        bool tooUnknown = false;
        for (uint256 i = 0; i < tallies.length; ++i) {
            uint256 planned = tallies[i].planned - (t.levels[i].removeNotApplicable ? tallies[i].notApplicable : 0);
            uint256 due = planned == 0 ? 0 : _levelCredit(t.levels[i], tallies[i], planned, t.unknownPolicy);
            if (t.combination == Combination.Sum) credit += due;
            if (t.combination == Combination.Worst && due > credit) credit = due;
            if (t.unknownPolicy == UnknownPolicy.Good || tallies[i].unknown == 0) continue;
            if (uint256(tallies[i].unknown) * 1e6 > uint256(t.unknownLimit) * planned) tooUnknown = true;
        }
        if (tooUnknown && t.unknownCredit > credit) credit = t.unknownCredit;
        if (credit > t.creditCap) credit = t.creditCap;
    }

    function _levelCredit(
        Level memory level,
        Tally memory t,
        uint256 planned,
        UnknownPolicy policy
    ) private pure returns (uint256 credit) {
        uint256 bad = t.bad + (policy == UnknownPolicy.Bad ? t.unknown : 0);
        for (uint256 i = 0; i < level.tiers.length; ++i) {
            Tier memory tier = level.tiers[i];
            bool met;
            if (tier.measure == Measure.AvailabilityBelow) met = (planned - bad) * 1e6 < uint256(tier.limit) * planned;
            else if (tier.measure == Measure.BadIntervalsAtLeast) met = bad >= tier.limit;
            else if (tier.measure == Measure.BadRunAtLeast) met = t.longestRun >= tier.limit;
            else {
                uint256 best = level.feed.scope.best();
                uint256 worst = level.feed.scope.worst();
                uint256 sum = t.deviation;
                if (policy == UnknownPolicy.Bad) sum += t.unknown * (best > worst ? best - worst : worst - best);
                met = sum > (best > tier.limit ? best - tier.limit : tier.limit - best) * planned;
            }
            if (met && tier.credit > credit) credit = tier.credit;
        }
        credit += bad * level.creditPerBadInterval;
    }

    // RANDOM TERMS AND TALLIES

    function _terms(uint256 seed) private pure returns (Terms memory t) {
        t.levels = new Level[](between(mix(seed, 1), 1, 3));
        uint256 length = between(mix(seed, 2), 2, 50);
        uint256 word = (between(mix(seed, 3), 1, 3_600) << 40) | (length << 64) | ((mix(seed, 4) % length) << 200);
        for (uint256 i = 0; i < t.levels.length; ++i) {
            uint256 deadline = between(mix(seed, 5 + i), 100, 10_000);
            Measurement m = Measurement.wrap(word | 1_000_000 | (deadline << 112));
            t.levels[i] = _level(mix(seed, 10 + i), m);
        }
        t.feePerWindow = uint128(mix(seed, 20));
        t.combination = Combination(mix(seed, 21) % 2);
        t.creditCap = uint16(between(mix(seed, 22), 1, 20_000));
        t.unknownPolicy = UnknownPolicy(mix(seed, 23) % 3);
        t.unknownLimit = uint32((mix(seed, 24) % 11) * 100_000);
        t.unknownCredit = uint16(mix(seed, 25) % 10_001);
    }

    function _level(uint256 seed, Measurement m) private pure returns (Level memory level) {
        level.feed = FeedRef(0, m, _scope(mix(seed, 1)), 0);
        level.tiers = new Tier[](mix(seed, 2) % 4);
        for (uint256 i = 0; i < level.tiers.length; ++i) {
            uint256 measure = mix(seed, 10 + i) % 4;
            uint256 limit = measure == 0 ? (mix(seed, 20 + i) % 21) * 50_000 : measure == 3
                ? between(mix(seed, 20 + i), 50, 150)
                : between(mix(seed, 20 + i), 1, 12);
            level.tiers[i] = Tier(Measure(measure), uint32(limit), uint16(between(mix(seed, 30 + i), 1, 10_000)));
        }
        level.creditPerBadInterval = uint16(mix(seed, 3) % 4 == 0 ? mix(seed, 4) % 1_000 : 0);
        level.removeNotApplicable = mix(seed, 5) % 2 == 0;
    }

    function _scope(uint256 seed) private pure returns (Scope) {
        return Scope.wrap(seed % 3 == 0 ? 0 : seed % 3 == 1 ? 50 | (150 << 32) : 150 | (50 << 32));
    }

    function _tally(uint256 seed, Scope scope) private pure returns (Tally memory t) {
        t.planned = uint32(mix(seed, 1) % 21);
        uint256 left = mix(seed, 2) % (uint256(t.planned) + 1);
        t.bad = uint32(mix(seed, 3) % (left + 1));
        t.unknown = uint32(mix(seed, 4) % (left - t.bad + 1));
        t.notApplicable = uint32(mix(seed, 5) % (left - t.bad - t.unknown + 1));
        t.judged = uint32(left);
        t.longestRun = uint32(mix(seed, 6) % (uint256(t.bad) + 1));
        if (scope.hasRange()) t.deviation = uint64(mix(seed, 7) % (100 * (left - t.unknown - t.notApplicable) + 1));
    }

    function _extremeLevel(uint256 seed) private pure returns (Level memory level) {
        (uint256 best, uint256 worst) = (_extreme32(mix(seed, 1)), _extreme32(mix(seed, 2)));
        level.feed.scope = Scope.wrap(best | (worst << 32));
        // Levels without any credit, too: else all would be beyond the cap.
        level.tiers = new Tier[](mix(seed, 5) % 2 * 8);
        for (uint256 i = 0; i < level.tiers.length; ++i) {
            Measure measure = Measure(mix(seed, 10 + i) % 4);
            level.tiers[i] = Tier(measure, _extreme32(mix(seed, 20 + i)), _extreme16(mix(seed, 30 + i)));
        }
        level.creditPerBadInterval = level.tiers.length == 0 ? 0 : _extreme16(mix(seed, 3));
        level.removeNotApplicable = mix(seed, 4) % 2 == 0;
    }

    /// @dev One that the escrow takes for sound: see `OracleLib`.
    function _extremeTally(uint256 seed) private pure returns (Tally memory t) {
        t.planned = _extreme32(mix(seed, 1));
        t.judged = uint32(_atMost(mix(seed, 2), t.planned));
        t.bad = uint32(_atMost(mix(seed, 3), t.judged));
        t.unknown = uint32(_atMost(mix(seed, 4), t.judged - t.bad));
        t.notApplicable = uint32(_atMost(mix(seed, 5), t.judged - t.bad - t.unknown));
        t.longestRun = uint32(_atMost(mix(seed, 6), t.bad));
        t.deviation = uint64(_atMost(mix(seed, 7), type(uint64).max));
    }

    function _extreme32(uint256 seed) private pure returns (uint32) {
        return uint32(_atMost(seed, type(uint32).max));
    }

    function _extreme16(uint256 seed) private pure returns (uint16) {
        return uint16(_atMost(seed, type(uint16).max));
    }

    /// @dev 0 to `most`; these two as often as all others.
    function _atMost(uint256 seed, uint256 most) private pure returns (uint256) {
        uint256 kind = seed % 4;
        return kind == 0 ? 0 : kind == 1 ? most : mix(seed, 1) % (most + 1);
    }

    /// @dev One more interval is judged, if one is left.
    function _grow(Tally memory t, uint256 seed, Scope scope) private pure {
        if (t.judged == t.planned) return;
        ++t.judged;
        uint256 kind = seed % 4;
        if (kind == 0) ++t.bad;
        if (kind == 0 && mix(seed, 1) % 2 == 0) ++t.longestRun;
        if (kind == 1) ++t.unknown;
        if (kind == 2) ++t.notApplicable;
        if ((kind == 0 || kind == 3) && scope.hasRange()) t.deviation += uint64(mix(seed, 2) % 101);
    }
}
