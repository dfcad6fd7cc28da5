// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The one function of Uniswap's Permit2 that is used here
interface IPermit2 {
    /// @dev Token, and the most that may be taken [units of the token's decimals].
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    /// @param nonce Each can be used once, in any order.
    /// @param deadline Last time at which the signature may be used [s, UNIX time].
    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    /// @dev Where the tokens go, and how many.
    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    /// @notice Transfers tokens of `owner`, who has signed the permit for the caller, and with it `witness`.
    /// @param witness EIP-712 hash of a struct.
    /// @param witnessTypeString What ends the EIP-712 type: the member's type and name, a parenthesis, the types it refers to.
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}
