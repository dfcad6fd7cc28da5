// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrable} from "../periphery/interfaces/IArbitrable.sol";
import {IArbitrator} from "../periphery/interfaces/IArbitrator.sol";

/// @dev The smallest real arbitrator (ERC-792): its owner rules, for a fee, without appeal.
contract MockArbitrator is IArbitrator {
    struct Case {
        IArbitrable arbitrable;
        uint256 choices;
        bytes extraData;
        DisputeStatus status;
        uint256 ruling;
    }

    address public immutable owner;
    uint256 private _cost;
    Case[] public cases;

    error MockArbitrator_NotOwner(address caller);
    error MockArbitrator_TooLittlePaid(uint256 paid, uint256 cost);
    error MockArbitrator_Choice(uint256 ruling, uint256 choices);
    error MockArbitrator_Solved(uint256 disputeID);
    error MockArbitrator_NoAppeal();

    constructor(uint256 cost) {
        owner = msg.sender;
        _cost = cost;
    }

    function setCost(uint256 cost) external {
        require(msg.sender == owner, MockArbitrator_NotOwner(msg.sender));
        _cost = cost;
    }

    /// @dev Keeps what is paid beyond the cost, as some arbitrators do.
    function createDispute(
        uint256 choices,
        bytes calldata extraData
    ) external payable virtual returns (uint256 disputeID) {
        require(msg.value >= _cost, MockArbitrator_TooLittlePaid(msg.value, _cost));
        disputeID = cases.length;
        cases.push(Case(IArbitrable(msg.sender), choices, extraData, DisputeStatus.Waiting, 0));
        emit DisputeCreation(disputeID, IArbitrable(msg.sender));
    }

    function giveRuling(uint256 disputeID, uint256 ruling) external {
        require(msg.sender == owner, MockArbitrator_NotOwner(msg.sender));
        Case storage c = cases[disputeID];
        require(c.status == DisputeStatus.Waiting, MockArbitrator_Solved(disputeID));
        require(ruling <= c.choices, MockArbitrator_Choice(ruling, c.choices));
        c.status = DisputeStatus.Solved;
        c.ruling = ruling;
        c.arbitrable.rule(disputeID, ruling);
    }

    function withdrawFees() external {
        require(msg.sender == owner, MockArbitrator_NotOwner(msg.sender));
        payable(owner).transfer(address(this).balance);
    }

    function arbitrationCost(bytes calldata) external view returns (uint256) {
        return _cost;
    }

    function disputeStatus(uint256 disputeID) external view returns (DisputeStatus) {
        return cases[disputeID].status;
    }

    function currentRuling(uint256 disputeID) external view returns (uint256) {
        return cases[disputeID].ruling;
    }

    function appeal(uint256, bytes calldata) external payable {
        revert MockArbitrator_NoAppeal();
    }

    function appealCost(uint256, bytes calldata) external pure returns (uint256) {
        return type(uint256).max;
    }

    function appealPeriod(uint256) external pure returns (uint256 start, uint256 end) {
        return (0, 0);
    }
}
