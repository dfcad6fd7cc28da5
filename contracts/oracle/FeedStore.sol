// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Feed, IMonitoringOracle, Panel} from "../interfaces/IMonitoringOracle.sol";
import {FeedState} from "../libraries/FeedStateLib.sol";
import {Measurement} from "../libraries/MeasurementLib.sol";
import {Scope} from "../libraries/ScopeLib.sol";

/// @title What is stored of feeds, and how their configuration is told from its hash
/// @notice A feed's id is the hash of its configuration. So whoever calls brings it along, and storage holds only what changes.
abstract contract FeedStore is IMonitoringOracle {
    uint256 internal constant MAX_REPORTERS = 31;

    mapping(bytes32 feedId => FeedState) internal _states;
    mapping(bytes32 feedId => mapping(uint256 window => FeedState)) internal _tallies;

    /// @dev The hash of a panel, and its reporters. It is hashed as its words stand in the calldata: one that no value of its type has
    /// makes it another panel, which `_validate` refuses.
    function _hashPanel(
        Panel calldata panel
    ) internal pure returns (bytes32 panelHash, address[] memory reporters) {
        address[] calldata list = panel.reporters;
        assembly ("memory-safe") {
            // abi.encode(panel): where it is, where in it the reporters are, quorum, tolerance and parties, the reporters.
            let data := mload(0x40)
            mstore(data, 32)
            mstore(add(data, 32), 128)
            calldatacopy(add(data, 64), add(panel, 32), 96)
            // From here on it is also how an array lies in memory.
            reporters := add(data, 160)
            mstore(reporters, list.length)
            let size := mul(list.length, 32)
            calldatacopy(add(data, 192), list.offset, size)
            mstore(0x40, add(add(data, 192), size))
            panelHash := keccak256(data, add(size, 192))
        }
    }

    /// @dev keccak256(abi.encode(FeedRef)).
    function _feedId(
        bytes32 panelHash,
        Measurement m,
        Scope scope,
        bytes32 descriptor
    ) internal pure returns (bytes32 feedId) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, panelHash)
            mstore(add(data, 32), m)
            mstore(add(data, 64), scope)
            mstore(add(data, 96), descriptor)
            feedId := keccak256(data, 128)
        }
    }

    /// @dev A feed's id and its state.
    function _load(Feed calldata feed) internal view returns (bytes32 feedId, FeedState state) {
        (bytes32 panelHash, ) = _hashPanel(feed.panel);
        feedId = _feedId(panelHash, feed.measurement, feed.scope, feed.descriptor);
        state = _stateOf(feedId, feed.panel, feed.measurement, feed.scope);
    }

    /// @dev The feed's state. The id binds the configuration, so it needs checking only until something is stored.
    function _stateOf(
        bytes32 feedId,
        Panel calldata panel,
        Measurement m,
        Scope scope
    ) internal view returns (FeedState state) {
        state = _states[feedId];
        if (FeedState.unwrap(state) == 0) {
            m.validate();
            scope.validate(m);
            _validate(panel);
        }
    }

    /// @dev Rules 9 and 13.
    function _validate(Panel calldata panel) private pure {
        uint256 reporters = panel.reporters.length;
        require(reporters != 0 && reporters <= MAX_REPORTERS, MonitoringOracle_PanelSize(reporters));
        address previous = address(0);
        for (uint256 i = 0; i < reporters; ++i) {
            require(panel.reporters[i] > previous, MonitoringOracle_PanelOrder(i));
            previous = panel.reporters[i];
        }
        uint256 quorum = panel.quorum;
        // No rule bounds the tolerance, but whatever is not read may hold what its type does not allow (see `_hashPanel`).
        assert(panel.tolerance <= type(uint32).max);
        bool valid = reporters == 1 ? quorum == 1 : quorum > reporters / 2 && quorum < reporters;
        require(valid, MonitoringOracle_Quorum(quorum, reporters));
    }
}
