// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A dollar for test networks
/// @notice Six decimals, as the large dollar tokens have. Anyone may mint, so it is worth nothing.
contract TestDollar is ERC20 {
    constructor() ERC20("Makegood Test Dollar", "tUSD") {}

    /// @notice Gives `to` `amount` [millionths of a test dollar].
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
