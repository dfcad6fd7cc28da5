// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

interface SymbolicVm {
    function assume(bool condition) external pure;
}

/// @dev halmos tries every function that begins with `check_` with all arguments there are.
abstract contract Symbolic {
    SymbolicVm internal constant vm = SymbolicVm(address(uint160(uint256(keccak256("hevm cheat code")))));
}
