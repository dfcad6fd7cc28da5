// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title Roots of the trees that reporters sign
/// @notice Node k of a tree with n leaves is leaf k for k < n, and else the hash of nodes 2 (k - n) and 2 (k - n) + 1.
library MerkleLib {
    using Arrays for bytes32[];

    /// @notice The root above some leaves by an OpenZeppelin multiproof or, without any proof, above the only leaves there are.
    /// @param leaves At least one. What stands there afterwards is undefined.
    function root(
        bytes32[] memory leaves,
        bytes32[] calldata proof,
        bool[] calldata flags
    ) internal pure returns (bytes32) {
        if (proof.length != 0 || flags.length != 0) {
            return MerkleProof.processMultiProofCalldata(proof, flags, leaves);
        }
        return rootOf(leaves);
    }

    /// @notice The root of the tree that has these leaves, at least one, and no others.
    /// @dev Nodes are used once, in their order, so a new one takes the place of one that was used: node n + i stands at i, and
    /// after node n - 1, at the end of the array, node n is next, at its begin.
    function rootOf(bytes32[] memory nodes) internal pure returns (bytes32 node) {
        uint256 leaves = nodes.length;
        node = nodes[0];
        unchecked {
            uint256 place = 0;
            for (uint256 i = 1; i < leaves; ++i) {
                bytes32 left = nodes.unsafeMemoryAccess(place);
                if (++place == leaves) place = 0;
                bytes32 right = nodes.unsafeMemoryAccess(place);
                if (++place == leaves) place = 0;
                node = Hashes.commutativeKeccak256(left, right);
                nodes[i - 1] = node;
            }
        }
    }
}
