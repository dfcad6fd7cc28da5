// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Moving tokens whose word is not taken for it (rule 22)
/// @notice What counts is how this contract's balance changes, not what the token returns.
library TokenLib {
    using SafeERC20 for IERC20;

    /// @notice Gas that a push may use. Dearer deliveries fail, and become a payment to withdraw.
    uint256 internal constant PUSH_GAS = 200_000;
    /// @dev What the caller must have for the token to get as much: PUSH_GAS * 64 / 63 (EIP-150), and the call itself.
    uint256 private constant CALLER_GAS = 208_174;

    /// @notice Pulls `amount` from `from`'s allowance.
    /// @return received By how much the balance rose.
    function pull(IERC20 token, address from, uint256 amount) internal returns (uint256 received) {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        return token.balanceOf(address(this)) - before;
    }

    /// @notice Sends `amount` to `to`, with all the gas there is. Reverts if the token does.
    /// @return left By how much the balance fell.
    function send(IERC20 token, address to, uint256 amount) internal returns (uint256 left) {
        uint256 before = token.balanceOf(address(this));
        token.safeTransfer(to, amount);
        return before - token.balanceOf(address(this));
    }

    /// @notice Tries to send `amount` to `to`. A token or payee that fails, burns gas or returns megabytes stops nobody.
    /// @return left By how much the balance fell. 0 if the payee sent the tokens straight back.
    /// @return enoughGas False if it failed and the caller had not provided the gas it may need.
    function push(IERC20 token, address to, uint256 amount) internal returns (uint256 left, bool enoughGas) {
        uint256 before = token.balanceOf(address(this));
        enoughGas = gasleft() > CALLER_GAS;
        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        bool delivered;
        assembly ("memory-safe") {
            // The returned data is not even looked at.
            delivered := call(PUSH_GAS, token, 0, add(data, 32), mload(data), 0, 0)
        }
        if (delivered) enoughGas = true;
        uint256 remaining = token.balanceOf(address(this));
        left = before > remaining ? before - remaining : 0;
    }
}
