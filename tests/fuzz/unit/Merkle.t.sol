// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {MerkleLib} from "../../../contracts/libraries/MerkleLib.sol";
import {Cheats} from "../Cheats.sol";

/// @notice The root of a whole tree, against its definition, and against OpenZeppelin's multiproof of all its leaves.
contract MerkleTest is Cheats {
    function testFuzz_rootOf(uint8 size, uint256 seed) external pure {
        _compare(between(size, 1, 200), seed);
    }

    function test_rootOf_every_small_tree() external pure {
        for (uint256 size = 1; size <= 33; ++size) _compare(size, size);
    }

    /// @dev Nothing has no root.
    function test_rootOf_nothing() external {
        vm.expectRevert();
        this.rootOf(new bytes32[](0));
    }

    function rootOf(bytes32[] memory leaves) external pure returns (bytes32) {
        return MerkleLib.rootOf(leaves);
    }

    function _compare(uint256 size, uint256 seed) private pure {
        bytes32 expected = _nodes(size, seed)[2 * size - 2];
        bool[] memory flags = new bool[](size - 1);
        for (uint256 i = 0; i < flags.length; ++i) flags[i] = true;
        check(MerkleProof.processMultiProof(new bytes32[](0), flags, _leaves(size, seed)) == expected, "multiproof");

        bytes32[] memory leaves = _leaves(size, seed);
        uint256[] memory neighbour = new uint256[](1);
        neighbour[0] = seed;
        check(MerkleLib.rootOf(leaves) == expected, "root");
        check(leaves.length == size && neighbour.length == 1 && neighbour[0] == seed, "memory beside the leaves");
    }

    /// @dev Node k is leaf k for k < size, and else the hash of two earlier ones.
    function _nodes(uint256 size, uint256 seed) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](2 * size - 1);
        bytes32[] memory leaves = _leaves(size, seed);
        for (uint256 k = 0; k < nodes.length; ++k) {
            nodes[k] = k < size
                ? leaves[k]
                : Hashes.commutativeKeccak256(nodes[2 * (k - size)], nodes[2 * (k - size) + 1]);
        }
    }

    function _leaves(uint256 size, uint256 seed) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) leaves[i] = keccak256(abi.encode(seed, i));
    }
}
