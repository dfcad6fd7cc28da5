// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {DisputeCourt} from "../DisputeCourt.sol";
import {IDisputeCourt, Side} from "../interfaces/IDisputeCourt.sol";
import {ISLAEscrow} from "../interfaces/ISLAEscrow.sol";
import {Treasury} from "../Treasury.sol";

/// @title Where payments of the escrow go: to a party, to the address it has chosen, or to the court
abstract contract CourtTreasury is ISLAEscrow, Treasury {
    using SafeERC20 for IERC20;

    /// @inheritdoc ISLAEscrow
    IDisputeCourt public immutable court;

    mapping(address party => address) private _payouts;

    constructor() {
        court = new DisputeCourt();
    }

    /// @inheritdoc ISLAEscrow
    function setPayout(address to) external {
        require(to != address(this) && to != address(court), SLAEscrow_Payout(to));
        _payouts[msg.sender] = to;
        emit PayoutChanged(msg.sender, to);
    }

    /// @inheritdoc ISLAEscrow
    function payoutOf(address party) external view returns (address) {
        return _payoutOf(party);
    }

    function _payoutOf(address party) internal view override returns (address to) {
        to = _payouts[party];
        return to == address(0) ? party : to;
    }

    /// @dev Lets the court take a payment. If it cannot, because of the token, nothing happens and anyone may try again: no payment may
    /// find a way around its challenge period.
    function _book(bytes32 id, uint256 window, Side side, address token, uint256 amount, uint256 period) internal {
        uint256 before = IERC20(token).balanceOf(address(this));
        held[token] -= amount;
        IERC20(token).forceApprove(address(court), amount);
        court.book(id, window, side, token, amount, period);
        uint256 left = before - IERC20(token).balanceOf(address(this));
        require(left == amount, Treasury_NotDelivered(token, amount, left));
    }
}
