// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title A dollar for test networks
/// @notice Six decimals and EIP-2612 permits, as the large dollar tokens have. Anyone may mint, so it is worth nothing.
contract TestDollar is ERC20Permit {
    // solhint-disable-next-line no-empty-blocks
    constructor() ERC20("Makegood Test Dollar", "tUSD") ERC20Permit("Makegood Test Dollar") {}

    /// @notice Gives `to` `amount` [millionths of a test dollar].
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
