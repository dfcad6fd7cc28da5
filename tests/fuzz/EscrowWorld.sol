// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeStatus, Side} from "../../contracts/interfaces/IDisputeCourt.sol";
import {Feed} from "../../contracts/interfaces/IMonitoringOracle.sol";
import {
    Combination,
    Level,
    Measure,
    Terms,
    Tier,
    UnknownPolicy,
    WindowStatus
} from "../../contracts/interfaces/ISLAEscrow.sol";
import {ITreasury} from "../../contracts/interfaces/ITreasury.sol";
import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {World} from "./World.sol";

/// @dev Agreements with random terms, and what a campaign remembers of them.
abstract contract EscrowWorld is World {
    /// @dev One version of an agreement, and what is often needed of its terms.
    /// @param begins Of its windows, and the end of the last one [s, UNIX time].
    struct Deal {
        bytes32 id;
        bytes terms;
        uint256 chain;
        uint256 grid;
        uint256 windows;
        uint256[5] begins;
        uint256[4] fees;
        uint256 creditCap;
        uint256 bond;
        uint256 deposit;
        uint256 breachesToEnd;
        bool hasArbiter;
    }

    /// @dev An agreement with its amendments: what was paid in for it, and what left escrow and court on its account.
    struct Chain {
        uint256 paidIn;
        uint256 paidOut;
        uint256 newest;
    }

    uint256 internal constant MOST_DEALS = 8;
    uint256 internal constant MOST_GRIDS = 3;

    Deal[] internal deals;
    Chain[] internal chains;
    /// @dev Tokens that strangers sent to escrow and court, and nobody has skimmed.
    uint256 internal donated;
    /// @dev What a call from within a delivery paid out in the current action, for another agreement than the action's.
    uint256 internal paidWithin;

    function _terms(uint256 deal) internal view returns (Terms memory) {
        return abi.decode(deals[deal].terms, (Terms));
    }

    function _pick(uint256 seed) internal view returns (uint256 deal) {
        require(deals.length != 0);
        return mix(seed, 1) % deals.length;
    }

    /// @dev A window in a state, if there is one: a funded one that has begun before `begunBy` and ended before `endedBy`; or an
    /// unfunded one that begins after now.
    function _findFunded(uint256 seed, uint256 begunBy, uint256 endedBy) internal view returns (uint256 d, uint256 window) {
        uint256 first = _pick(seed);
        for (uint256 i = 0; i < 4 * deals.length; ++i) {
            d = (first + i / 4) % deals.length;
            window = (mix(seed, 2) + i) % 4;
            Deal storage deal = deals[d];
            if (window >= deal.windows || deal.begins[window] > begunBy || deal.begins[window + 1] > endedBy) continue;
            if (_statusOf(deal.id, window) == WindowStatus.Funded) return (d, window);
        }
        return (first, mix(seed, 2) % deals[first].windows);
    }

    function _findUnfunded(uint256 seed) internal view returns (uint256 d, uint256 window) {
        uint256 first = _pick(seed);
        for (uint256 i = 0; i < 4 * deals.length; ++i) {
            d = (first + i / 4) % deals.length;
            window = i % 4;
            Deal storage deal = deals[d];
            if (window >= deal.windows || deal.begins[window] <= clock || window >= escrow.endOf(deal.id)) continue;
            if (_statusOf(deal.id, window) == WindowStatus.Unfunded) return (d, window);
        }
        return (first, mix(seed, 2) % deals[first].windows);
    }

    function _statusOf(bytes32 id, uint256 window) internal view returns (WindowStatus status) {
        (status, ) = escrow.windowOf(id, window);
    }

    function _addDeal(bytes32 id, Terms memory t, uint256 chain, uint256 grid) internal {
        chains[chain].newest = deals.length;
        Deal storage deal = deals.push();
        (deal.id, deal.terms, deal.chain, deal.grid) = (id, abi.encode(t), chain, grid);
        (deal.windows, deal.creditCap, deal.bond, deal.deposit) = (t.windows, t.creditCap, t.bond, t.disputeDeposit);
        (deal.hasArbiter, deal.breachesToEnd) = (t.arbiter != address(0), t.breachesToEnd);
        for (uint256 w = 0; w <= t.windows; ++w) deal.begins[w] = _begin(t, w);
        for (uint256 w = 0; w < t.windows; ++w) deal.fees[w] = escrow.feeOf(t, w);
    }

    function _begin(Terms memory terms, uint256 window) internal pure returns (uint256) {
        Measurement m = terms.levels[0].feed.measurement;
        return m.windowStart(m.windowAt(terms.start) + window);
    }

    function _makeTerms(uint256 seed, uint256 grid) internal view returns (Terms memory t) {
        uint256 p = mix(seed, 1) % 2;
        (t.provider, t.consumer) = (providers[p], consumers[mix(seed, 2) % 2]);
        t.token = address(token);
        t.oracle = mix(seed, 3) % 4 == 0 ? address(moodyOracle) : address(oracle);
        t.feePerWindow = uint128(between(mix(seed, 4), 1, mix(seed, 5) % 4 == 0 ? 20 : 1e12));
        t.windows = uint16(between(mix(seed, 6), 1, 4));
        if (mix(seed, 7) % 2 == 0) t.bond = uint128(between(mix(seed, 8), 1, 2 * uint256(t.feePerWindow)));
        else t.prepaidWindows = uint16(mix(seed, 9) % (uint256(t.windows) + 1));
        t.combination = Combination(mix(seed, 10) % 2);
        t.creditCap = uint16(between(mix(seed, 11), 1, t.bond != 0 ? 30_000 : 10_000));
        t.unknownPolicy = UnknownPolicy(mix(seed, 12) % 3);
        t.unknownLimit = uint32(mix(seed, 13) % 1_000_001);
        t.unknownCredit = uint16(mix(seed, 14) % 10_001);
        if (mix(seed, 15) % 2 == 0) {
            t.arbiter = arbiter;
            t.challengePeriod = uint32(between(mix(seed, 16), 1, 20 days));
            if (mix(seed, 17) % 2 == 0) t.disputeDeposit = uint128(between(mix(seed, 18), 1, 1e9));
        }
        t.breachesToEnd = uint16(mix(seed, 19) % 4 == 0 ? 0 : between(mix(seed, 23), 1, 2));
        t.noticePeriod = uint32((mix(seed, 20) % 3) * 30 minutes);
        t.salt = bytes32(seed);
        _makeLevels(t, mix(seed, 21), grid);
        t.start = uint40(_nextBoundary(t, mix(seed, 22) % 3));
        t.openBy = t.start;
    }

    /// @dev One level over the fine or the coarse feed, or one over each.
    function _makeLevels(Terms memory t, uint256 seed, uint256 grid) private view {
        uint256 choice = mix(seed, 1) % 4;
        t.levels = new Level[](choice < 2 ? 2 : 1);
        for (uint256 i = 0; i < t.levels.length; ++i) {
            Feed memory feed = _feed(2 * grid + (choice < 2 ? i : choice - 2));
            Level memory level = t.levels[i];
            level.feed = _ref(feed);
            level.removeNotApplicable = mix(seed, 2 + i) % 2 == 0;
            level.tiers = new Tier[](between(mix(seed, 4 + i), 1, 3));
            for (uint256 k = 0; k < level.tiers.length; ++k) level.tiers[k] = _makeTier(feed, mix(seed, 100 * i + k));
            if (mix(seed, 6 + i) % 2 == 0) level.creditPerBadInterval = uint16(mix(seed, 8 + i) % 2_000);
        }
    }

    function _makeTier(Feed memory feed, uint256 seed) private pure returns (Tier memory tier) {
        tier.measure = Measure(mix(seed, 1) % (feed.scope.hasRange() ? 4 : 3));
        if (tier.measure == Measure.AvailabilityBelow) tier.limit = uint32(between(mix(seed, 2), 1, 1_000_000));
        else if (tier.measure == Measure.AverageBeyond) tier.limit = uint32(between(mix(seed, 3), 51, 149));
        else {
            uint256 length = feed.measurement.windowIntervals();
            tier.limit = uint32(between(mix(seed, 4), 1, length == 0 ? 20 : length));
        }
        tier.credit = uint16(between(mix(seed, 5), 1, 10_000));
    }

    /// @dev The begin of the feeds' window after now, or of one of those after it [s, UNIX time].
    function _nextBoundary(Terms memory t, uint256 later) internal view returns (uint256) {
        Measurement m = t.levels[0].feed.measurement;
        uint256 window = later;
        if (clock >= m.start()) window += m.windowAt(clock) + 1;
        return m.windowStart(window);
    }

    // ACCOUNTS

    /// @dev What escrow and court have, less what strangers sent and what is withheld for payees: it belongs to agreements.
    function _ofAgreements() internal view returns (uint256) {
        return token.balanceOf(address(escrow)) + token.balanceOf(address(court)) - donated - _withheld();
    }

    function _withheld() internal view returns (uint256 sum) {
        sum = _withheldBy(address(escrow)) + _withheldBy(address(court));
    }

    function _withheldBy(address treasury) internal view returns (uint256 sum) {
        ITreasury t = ITreasury(treasury);
        for (uint256 i = 0; i < 2; ++i) {
            sum += t.withdrawable(address(token), providers[i]) + t.withdrawable(address(token), consumers[i]);
        }
        sum += t.withdrawable(address(token), address(court)) + t.withdrawable(address(token), address(escrow));
    }

    /// @dev A call about an agreement that brings `paidIn` tokens; what leaves is booked as paid out for it.
    function _act(
        uint256 chain,
        uint256 paidIn,
        address sender,
        address target,
        bytes memory data
    ) internal returns (bytes memory answer) {
        uint256 before = _ofAgreements();
        paidWithin = 0;
        answer = _call(sender, target, data);
        chains[chain].paidIn += paidIn;
        // Reverts if more has come in than was to be paid.
        chains[chain].paidOut += before + paidIn - _ofAgreements() - paidWithin;
    }

    /// @dev What is held for an agreement, as its windows, its bond and the court say.
    function _accountedFor(uint256 d) internal view returns (uint256 sum) {
        Deal storage deal = deals[d];
        (sum, , ) = escrow.bondOf(deal.id);
        for (uint256 w = 0; w < deal.windows; ++w) {
            (WindowStatus status, uint256 paid) = escrow.windowOf(deal.id, w);
            if (status == WindowStatus.Funded && deal.fees[w] > paid) sum += deal.fees[w] - paid;
            if (!deal.hasArbiter || status == WindowStatus.Unfunded) continue;
            for (uint256 s = 0; s < 2; ++s) sum += _inCourt(deal, w, Side(s));
        }
    }

    function _inCourt(Deal storage deal, uint256 window, Side side) private view returns (uint256 sum) {
        (uint256 matured, uint256 maturing, , uint256 later, ) = court.waiting(deal.id, window, side);
        sum = matured + maturing + later;
        (DisputeStatus dispute, uint256 disputed, ) = court.disputeOf(deal.id, window, side);
        if (dispute == DisputeStatus.Open) sum += disputed + deal.deposit;
    }
}
