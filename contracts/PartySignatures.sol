// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Signatures of parties, which they may withdraw while nobody has used them (rule 21)
/// @notice Accepts EOAs, also those that have delegated to code (EIP-7702), and contracts by ERC-1271.
abstract contract PartySignatures {
    /// @notice `party` has withdrawn its signature under `digest`, for good.
    event SignatureRevoked(address indexed party, bytes32 indexed digest);

    error PartySignatures_Invalid(address party);
    error PartySignatures_Revoked(address party, bytes32 digest);

    /// @notice Whether a party has withdrawn its signature under a digest.
    mapping(address party => mapping(bytes32 digest => bool)) public revoked;

    /// @notice Withdraws the caller's signature under an EIP-712 digest, whether given already or not. What was done with it stands.
    function revoke(bytes32 digest) external {
        revoked[msg.sender][digest] = true;
        emit SignatureRevoked(msg.sender, digest);
    }

    /// @dev Reverts unless `party` has signed `digest`. A contract is asked once, by a static call.
    function _checkSignature(address party, bytes32 digest, bytes calldata signature) internal view {
        require(!revoked[party][digest], PartySignatures_Revoked(party, digest));
        (address recovered, ECDSA.RecoverError error, ) = ECDSA.tryRecover(digest, signature);
        bool own = error == ECDSA.RecoverError.NoError && recovered == party;
        bool valid = own || SignatureChecker.isValidERC1271SignatureNow(party, digest, signature);
        require(valid, PartySignatures_Invalid(party));
    }
}
