// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef, Tally} from "../../contracts/interfaces/IMonitoringOracle.sol";
import {Combination, Level, Measure, Terms, Tier} from "../../contracts/interfaces/ISLAEscrow.sol";
import {CreditLib} from "../../contracts/libraries/CreditLib.sol";
import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../contracts/libraries/ScopeLib.sol";
import {Symbolic} from "./Symbolic.sol";

/// @dev Takes calldata, as the libraries want it.
contract CreditHarness {
    function windowCredit(Terms calldata terms, Tally[] memory tallies) external pure returns (uint256) {
        return CreditLib.windowCredit(terms, tallies);
    }
}

/// @notice Credits (rule 7): none exceeds its cap. What halmos does not decide is in docs/assurance.md.
contract CreditCheck is Symbolic {
    CreditHarness private _harness;

    function setUp() external {
        _harness = new CreditHarness();
    }

    function check_no_window_exceeds_its_cap(
        uint16 cap,
        uint16 unknownCredit,
        uint32 unknownLimit,
        uint16 credit,
        uint16 perBad,
        bool sum,
        Counts memory n
    ) external view {
        Terms memory t;
        (t.creditCap, t.unknownCredit, t.unknownLimit) = (cap, unknownCredit, unknownLimit);
        t.combination = sum ? Combination.Sum : Combination.Worst;
        t.levels = new Level[](2);
        t.levels[0] = _level(1, 1, credit, perBad);
        t.levels[1] = t.levels[0];
        Tally[] memory tallies = new Tally[](2);
        (tallies[0], tallies[1]) = (_tally(n), _tally(n));
        assert(_harness.windowCredit(t, tallies) <= cap);
    }

    /// @dev Counts of a window.
    struct Counts {
        uint32 planned;
        uint32 bad;
        uint32 unknown;
        uint32 notApplicable;
        uint32 run;
    }

    function _tally(Counts memory n) private pure returns (Tally memory t) {
        vm.assume(n.planned <= 1 << 22 && uint256(n.bad) + n.unknown + n.notApplicable <= n.planned && n.run <= n.bad);
        (t.planned, t.bad, t.unknown, t.notApplicable) = (n.planned, n.bad, n.unknown, n.notApplicable);
        t.judged = n.planned;
        t.longestRun = n.run;
    }

    function _level(
        uint8 measure,
        uint32 limit,
        uint16 credit,
        uint16 perBad
    ) private pure returns (Level memory level) {
        vm.assume(measure <= 2 && limit >= 1);
        if (measure == 0) vm.assume(limit <= 1_000_000);
        level.tiers = new Tier[](1);
        level.tiers[0] = Tier(Measure(measure), limit, credit);
        level.creditPerBadInterval = perBad;
        level.feed = FeedRef(0, Measurement.wrap(0), Scope.wrap(0), 0);
    }
}
