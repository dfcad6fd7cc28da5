// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Feed, IMonitoringOracle, Statement} from "../interfaces/IMonitoringOracle.sol";
import {FeedState} from "../libraries/FeedStateLib.sol";
import {ReadingsLib} from "../libraries/ReadingsLib.sol";
import {FeedStore} from "./FeedStore.sol";
import {SignedReadings} from "./SignedReadings.sol";

/// @title Reporters that said two things (rule 17)
/// @notice Who signs two readings for one interval lies at least once. Its signatures are all the proof there is to it.
abstract contract Equivocation is FeedStore, SignedReadings {
    /// @inheritdoc IMonitoringOracle
    mapping(bytes32 panel => uint256) public ignored;

    /// @inheritdoc IMonitoringOracle
    function proveEquivocation(
        Feed calldata feed,
        uint8 reporter,
        uint32 interval,
        Statement calldata one,
        Statement calldata other
    ) external {
        (bytes32 panelHash, address[] memory reporters) = _hashPanel(feed.panel);
        bytes32 feedId = _feedId(panelHash, feed.measurement, feed.scope, feed.descriptor);
        FeedState state = _stateOf(feedId, feed.panel, feed.measurement, feed.scope);
        require(reporter < reporters.length, MonitoringOracle_UnknownReporter(reporter, reporters.length));

        uint256 first = _stated(feedId, reporters, reporter, interval, one);
        uint256 second = _stated(feedId, reporters, reporter, interval, other);
        require(first != second, MonitoringOracle_NoContradiction(interval));

        ignored[panelHash] |= 1 << reporter;
        _states[feedId] = state.guard();
        emit Equivocated(panelHash, reporters[reporter], feedId, interval, uint32(first), uint32(second));
    }

    /// @inheritdoc IMonitoringOracle
    function heed(Feed calldata feed) external {
        (bytes32 panelHash, ) = _hashPanel(feed.panel);
        require(ignored[panelHash] != 0, MonitoringOracle_NothingIgnored());
        bytes32 feedId = _feedId(panelHash, feed.measurement, feed.scope, feed.descriptor);
        _states[feedId] = _stateOf(feedId, feed.panel, feed.measurement, feed.scope).guard();
    }

    /// @dev What a reporter has signed for an interval.
    function _stated(
        bytes32 feedId,
        address[] memory reporters,
        uint256 reporter,
        uint256 interval,
        Statement calldata s
    ) private view returns (uint256 code) {
        bytes memory readings = s.readings;
        bool covered = interval >= s.first && interval - s.first < readings.length / ReadingsLib.BYTES;
        require(covered, MonitoringOracle_NoContradiction(interval));
        bytes32 root = MerkleProof.processProofCalldata(s.proof, _leaf(feedId, s.first, keccak256(readings)));
        _checkReporter(reporters, reporter, _batchDigest(_domainSeparatorV4(), root, s.evidence), s.r, s.vs);
        return ReadingsLib.at(ReadingsLib.start(readings), interval - s.first);
    }
}
