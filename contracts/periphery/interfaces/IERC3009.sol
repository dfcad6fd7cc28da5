// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The one function of EIP-3009 that is used here
interface IERC3009 {
    /// @notice Transfers `value` from `from`, who has signed this call, to the caller, which must be `to`.
    /// @param validAfter The signature is good after this time [s, UNIX time],
    /// @param validBefore and before this one.
    /// @param nonce 32 bytes that the signer chose. Each can be used once.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;
}
