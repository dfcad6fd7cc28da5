// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrable} from "./IArbitrable.sol";

/// @title Who decides disputes for money (ERC-792)
interface IArbitrator {
    enum DisputeStatus {
        Waiting,
        Appealable,
        Solved
    }

    event DisputeCreation(uint256 indexed disputeID, IArbitrable indexed arbitrable);
    event AppealPossible(uint256 indexed disputeID, IArbitrable indexed arbitrable);
    event AppealDecision(uint256 indexed disputeID, IArbitrable indexed arbitrable);

    /// @notice Asks for a ruling of 1 to `choices` on the calling contract's dispute; 0 is a refusal.
    function createDispute(uint256 choices, bytes calldata extraData) external payable returns (uint256 disputeID);

    /// @notice What `createDispute` must be paid at least [wei].
    function arbitrationCost(bytes calldata extraData) external view returns (uint256 cost);

    /// @notice Asks for another ruling, before the first is final.
    function appeal(uint256 disputeID, bytes calldata extraData) external payable;

    /// @notice What `appeal` must be paid at least [wei].
    function appealCost(uint256 disputeID, bytes calldata extraData) external view returns (uint256 cost);

    /// @notice When the dispute can be appealed [s, UNIX time]; both 0 if it cannot.
    function appealPeriod(uint256 disputeID) external view returns (uint256 start, uint256 end);

    function disputeStatus(uint256 disputeID) external view returns (DisputeStatus status);

    /// @notice The ruling as it stands, final or not.
    function currentRuling(uint256 disputeID) external view returns (uint256 ruling);
}
