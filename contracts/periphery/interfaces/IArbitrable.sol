// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrator} from "./IArbitrator.sol";

/// @title Whose disputes an arbitrator decides (ERC-792)
interface IArbitrable {
    event Ruling(IArbitrator indexed arbitrator, uint256 indexed disputeID, uint256 ruling);

    /// @notice The arbitrator's final ruling on a dispute; 0: it refused to decide.
    function rule(uint256 disputeID, uint256 ruling) external;
}
