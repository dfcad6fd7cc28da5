// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Money that is held for others
/// @notice Payments are pushed; what cannot be delivered stays owed to its payee and stops nobody. What strangers send belongs
/// to nobody, and never touches what is held (rule 22).
interface ITreasury {
    /// @notice A payment could not be delivered; `payee` can withdraw it.
    event Withheld(address indexed token, address indexed payee, uint256 amount);

    /// @notice `payee` withdrew what had been withheld.
    event Withdrawn(address indexed token, address indexed payee, address to, uint256 amount);

    /// @notice `amount` that nobody was owed was sent to `to`.
    event Skimmed(address indexed token, address indexed to, uint256 amount);

    error Treasury_ReceivedLess(uint256 asked, uint256 received);
    error Treasury_MoreGasNeeded(uint256 gas);
    /// @dev Of `asked` tokens, `left` left this contract: more than asked, or not all of a withdrawal.
    error Treasury_NotDelivered(address token, uint256 asked, uint256 left);
    error Treasury_NothingToWithdraw(address token, address payee);

    /// @notice Sends the caller's withheld payments in `token` to `to`.
    function withdraw(address token, address to) external returns (uint256 amount);

    /// @notice Tries again to deliver what is withheld for `payee`, to where its payments go. Anyone may call.
    function redeliver(address token, address payee) external returns (uint256 amount);

    /// @notice Sends what nobody is owed to `to`. Anyone may call: who sent tokens here by mistake, and whoever is faster.
    function skim(address token, address to) external returns (uint256 amount);

    /// @notice What this contract owes in a token. Between two transactions its balance may be larger, never smaller; do not read
    /// it in a callback of the token.
    function held(address token) external view returns (uint256);

    /// @notice Payments withheld for `payee`.
    function withdrawable(address token, address payee) external view returns (uint256);
}
