// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {ITreasury} from "./interfaces/ITreasury.sol";
import {TokenLib} from "./libraries/TokenLib.sol";

/// @title Money that is held for others
/// @notice See `ITreasury`. One lock covers every function that touches money (rule 22).
abstract contract Treasury is ITreasury, ReentrancyGuard {
    using TokenLib for IERC20;

    /// @inheritdoc ITreasury
    mapping(address token => uint256) public held;
    /// @inheritdoc ITreasury
    mapping(address token => mapping(address payee => uint256)) public withdrawable;

    /// @inheritdoc ITreasury
    function withdraw(address token, address to) external nonReentrant returns (uint256) {
        return _deliver(token, msg.sender, to);
    }

    /// @inheritdoc ITreasury
    function redeliver(address token, address payee) external nonReentrant returns (uint256) {
        return _deliver(token, payee, _payoutOf(payee));
    }

    /// @inheritdoc ITreasury
    function skim(address token, address to) external nonReentrant returns (uint256 amount) {
        uint256 owed = held[token];
        amount = IERC20(token).balanceOf(address(this)) - owed;
        emit Skimmed(token, to, amount);
        uint256 left = IERC20(token).send(to, amount);
        require(left <= amount, Treasury_NotDelivered(token, amount, left));
    }

    /// @dev Where payments to `party` go.
    function _payoutOf(address party) internal view virtual returns (address);

    /// @dev Takes exactly `amount` from the caller's allowance.
    function _pull(address token, uint256 amount) internal {
        held[token] += amount;
        uint256 received = IERC20(token).pull(msg.sender, amount);
        require(received == amount, Treasury_ReceivedLess(amount, received));
    }

    /// @dev Pushes a payment; what does not leave this contract stays owed to the payee, to be withdrawn.
    function _pay(address token, address party, uint256 amount) internal {
        (uint256 left, bool enoughGas) = IERC20(token).push(_payoutOf(party), amount);
        require(left <= amount, Treasury_NotDelivered(token, amount, left));
        held[token] -= left;
        if (left == amount) return;
        // Else anyone could withhold a payment by calling with too little gas.
        require(enoughGas, Treasury_MoreGasNeeded(TokenLib.PUSH_GAS));
        withdrawable[token][party] += amount - left;
        emit Withheld(token, party, amount - left);
    }

    function _deliver(address token, address payee, address to) private returns (uint256 amount) {
        amount = withdrawable[token][payee];
        require(amount != 0, Treasury_NothingToWithdraw(token, payee));
        withdrawable[token][payee] = 0;
        held[token] -= amount;
        emit Withdrawn(token, payee, to, amount);
        uint256 left = IERC20(token).send(to, amount);
        require(left == amount, Treasury_NotDelivered(token, amount, left));
    }
}
