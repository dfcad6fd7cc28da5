// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Exclusion, Feed, IMonitoringOracle} from "../interfaces/IMonitoringOracle.sol";
import {FeedState} from "../libraries/FeedStateLib.sol";
import {Measurement} from "../libraries/MeasurementLib.sol";
import {Scope} from "../libraries/ScopeLib.sol";
import {PartySignatures} from "../PartySignatures.sol";
import {FeedStore} from "./FeedStore.sol";
import {SignedReadings} from "./SignedReadings.sol";

/// @title Spans of a feed that its parties leave out of judgement (rules 4 and 20)
abstract contract Exclusions is FeedStore, SignedReadings, PartySignatures {
    /// @dev Where intervals of a feed are looked up, one after the other.
    /// @param window The window whose exclusions are in `spans`; none at first.
    struct Plan {
        bytes32 feedId;
        Measurement measurement;
        Scope scope;
        bool guarded;
        uint256 window;
        Exclusion[] spans;
    }

    uint256 internal constant MAX_EXCLUSIONS = 8;
    uint256 private constant NO_WINDOW = type(uint256).max;
    bytes32 private constant EXCLUSION_TYPEHASH = keccak256("Exclusion(bytes32 feedId,uint32 first,uint32 end)");

    mapping(bytes32 feedId => mapping(uint256 window => Exclusion[])) private _exclusions;

    /// @inheritdoc IMonitoringOracle
    function exclude(
        Feed calldata feed,
        uint32 first,
        uint32 end,
        address[] calldata parties,
        bytes[] calldata signatures
    ) external {
        (bytes32 feedId, FeedState state) = _load(feed);
        _checkParties(feed.panel.parties, exclusionDigest(feedId, first, end), parties, signatures);
        bool planned = _addExclusion(feedId, feed.measurement, feed.scope.allowance(), first, end);
        _states[feedId] = state.guard();
        emit Excluded(feedId, first, end, planned);
    }

    /// @inheritdoc IMonitoringOracle
    function exclusions(bytes32 feedId, uint32 window) external view returns (Exclusion[] memory) {
        return _exclusions[feedId][window];
    }

    /// @inheritdoc IMonitoringOracle
    function exclusionDigest(bytes32 feedId, uint32 first, uint32 end) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(EXCLUSION_TYPEHASH, feedId, first, end)));
    }

    function _plan(
        bytes32 feedId,
        Measurement m,
        Scope scope,
        bool guarded
    ) internal pure returns (Plan memory plan) {
        plan.feedId = feedId;
        plan.measurement = m;
        plan.scope = scope;
        plan.guarded = guarded;
        plan.window = NO_WINDOW;
    }

    /// @dev Whether an interval is not judged: off hours, or excluded.
    function _isLeftOut(Plan memory plan, uint256 number) internal view returns (bool) {
        if (plan.scope.isOff(plan.measurement.startOf(number))) return true;
        if (!plan.guarded) return false;
        _lookUp(plan, plan.measurement.windowOf(number));
        for (uint256 i = 0; i < plan.spans.length; ++i) {
            Exclusion memory span = plan.spans[i];
            if (number >= span.first && number < span.end) return true;
        }
        return false;
    }

    /// @dev How many of intervals [from, to), all of window `window`, are judged.
    /// @return planned Of which the denominator knows: those, and what was excluded after the window had begun (rule 4).
    /// @return judged Of which a verdict is due.
    function _countable(
        Plan memory plan,
        uint256 window,
        uint256 from,
        uint256 to
    ) internal view returns (uint256 planned, uint256 judged) {
        judged = plan.scope.inService(plan.measurement, from, to);
        planned = judged;
        if (!plan.guarded) return (planned, judged);
        _lookUp(plan, window);
        for (uint256 i = 0; i < plan.spans.length; ++i) {
            Exclusion memory span = plan.spans[i];
            uint256 first = span.first > from ? span.first : from;
            uint256 end = span.end < to ? span.end : to;
            if (first >= end) continue;
            uint256 out = plan.scope.inService(plan.measurement, first, end);
            judged -= out;
            if (!span.planned) planned -= out;
        }
    }

    function _checkParties(
        bytes32 partiesHash,
        bytes32 digest,
        address[] calldata parties,
        bytes[] calldata signatures
    ) private view {
        bool named = parties.length != 0 && parties.length == signatures.length;
        require(named && keccak256(abi.encode(parties)) == partiesHash, MonitoringOracle_Parties());
        for (uint256 i = 0; i < parties.length; ++i) _checkSignature(parties[i], digest, signatures[i]);
    }

    /// @dev Spans are of one window, announced in time, disjoint, and count once against its allowance.
    /// @return planned Whether the span stays in the denominator.
    function _addExclusion(
        bytes32 feedId,
        Measurement m,
        uint256 allowance,
        uint32 first,
        uint32 end
    ) private returns (bool planned) {
        uint256 window = m.windowOf(first);
        require(first < end && m.windowOf(end - 1) == window, MonitoringOracle_Span(first, end));
        // No report reaches what has not begun.
        uint256 begin = m.startOf(first);
        require(block.timestamp + m.notice() <= begin, MonitoringOracle_NoticeTooShort(begin, m.notice()));

        Exclusion[] storage spans = _exclusions[feedId][window];
        uint256 count = spans.length;
        uint256 excluded = end - first;
        for (uint256 i = 0; i < count; ++i) {
            Exclusion memory span = spans[i];
            // In any order: else whoever brings a later span first would void the signatures under an earlier one.
            require(end <= span.first || first >= span.end, MonitoringOracle_Overlap(span.first, span.end));
            excluded += span.end - span.first;
        }
        require(count < MAX_EXCLUSIONS && excluded <= allowance, MonitoringOracle_Allowance(excluded, allowance));

        planned = block.timestamp >= m.windowStart(window);
        spans.push(Exclusion(first, end, planned));
    }

    function _lookUp(Plan memory plan, uint256 window) private view {
        if (plan.window == window) return;
        plan.window = window;
        plan.spans = _exclusions[plan.feedId][window];
    }
}
