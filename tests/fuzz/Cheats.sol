// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev Those of forge's cheat codes that are used here. (forge-std is not on npm in a form that works.)
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function assume(bool condition) external pure;
    function deployCode(string calldata artifact) external returns (address);
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function etch(address target, bytes calldata code) external;
    function expectRevert() external;
    function expectRevert(bytes calldata error) external;
    function getRecordedLogs() external returns (Log[] memory);
    function label(address account, string calldata name) external;
    function prank(address sender) external;
    function recordLogs() external;
    function signCompact(uint256 key, bytes32 digest) external pure returns (bytes32 r, bytes32 vs);
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool);
    function toString(bytes calldata value) external pure returns (string memory);
    function toString(uint256 value) external pure returns (string memory);
    function writeLine(string calldata path, string calldata line) external;
    function warp(uint256 timestamp) external;
}

/// @dev What forge's runner asks of a test contract, and a few ways to say what must hold.
abstract contract Cheats {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Read by forge: it is a test contract.
    // solhint-disable-next-line func-name-mixedcase
    function IS_TEST() external pure returns (bool) {
        return true;
    }

    function check(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function same(uint256 got, uint256 wanted, string memory what) internal pure {
        if (got == wanted) return;
        revert(string.concat(what, ": got ", vm.toString(got), ", wanted ", vm.toString(wanted)));
    }

    /// @dev A number from `least` to `most`, both included.
    function between(uint256 random, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + (random % (most - least + 1));
    }

    /// @dev Another random number from the same seed.
    function mix(uint256 seed, uint256 n) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, n)));
    }
}
