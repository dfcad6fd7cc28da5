// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {Endorsement, IMonitoringOracle} from "../interfaces/IMonitoringOracle.sol";

/// @title What reporters sign
/// @notice One signature covers the readings of any number of feeds: it is over the root of a Merkle tree with a leaf for each.
abstract contract SignedReadings is IMonitoringOracle, EIP712 {
    bytes32 private constant BATCH_TYPEHASH = keccak256("Batch(bytes32 root,bytes32 evidence)");

    /// @inheritdoc IMonitoringOracle
    function leafOf(bytes32 feedId, uint32 first, bytes calldata readings) external pure returns (bytes32) {
        return _leaf(feedId, first, keccak256(readings));
    }

    /// @inheritdoc IMonitoringOracle
    function batchDigest(bytes32 root, bytes32 evidence) external view returns (bytes32) {
        return _batchDigest(_domainSeparatorV4(), root, evidence);
    }

    /// @dev Hashed twice, so that no inner node of a tree can be taken for a leaf (rule 21).
    function _leaf(bytes32 feedId, uint256 first, bytes32 readingsHash) internal pure returns (bytes32 leaf) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, feedId)
            mstore(add(data, 32), first)
            mstore(add(data, 64), readingsHash)
            mstore(0, keccak256(data, 96))
            leaf := keccak256(0, 32)
        }
    }

    /// @dev Checks the signatures under a root; they differ in their evidence only.
    /// @param heard Bitmap of the reporters who have been heard before in this report.
    /// @return signers Bitmap of those who signed.
    function _signers(
        address[] memory reporters,
        Endorsement[] calldata endorsements,
        bytes32 root,
        uint256 heard
    ) internal view returns (uint256 signers) {
        bytes32 domain = _domainSeparatorV4();
        for (uint256 i = 0; i < endorsements.length; ++i) {
            Endorsement calldata e = endorsements[i];
            uint256 reporter;
            assembly ("memory-safe") {
                // Unlike `e.reporter`, not checked to have eight bits: it is checked to be far less.
                reporter := calldataload(e)
            }
            require(reporter < reporters.length, MonitoringOracle_UnknownReporter(reporter, reporters.length));
            uint256 bit = 1 << reporter;
            require((heard | signers) & bit == 0, MonitoringOracle_ReporterTwice(reporter));
            signers |= bit;
            _checkReporter(reporters, reporter, _batchDigest(domain, root, e.evidence), e.r, e.vs);
        }
    }

    /// @dev Reporters are EOAs (rule 17).
    function _checkReporter(
        address[] memory reporters,
        uint256 reporter,
        bytes32 digest,
        bytes32 r,
        bytes32 vs
    ) internal pure {
        (address recovered, , ) = ECDSA.tryRecover(digest, r, vs);
        address expected = reporters[reporter];
        require(recovered == expected, MonitoringOracle_WrongSigner(reporter, recovered, expected));
    }

    function _batchDigest(bytes32 domain, bytes32 root, bytes32 evidence) internal pure returns (bytes32) {
        bytes32 typehash = BATCH_TYPEHASH;
        bytes32 structHash;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typehash)
            mstore(add(data, 32), root)
            mstore(add(data, 64), evidence)
            structHash := keccak256(data, 96)
        }
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }
}
