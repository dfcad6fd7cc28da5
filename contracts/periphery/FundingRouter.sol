// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {ISLAEscrow, Terms} from "../interfaces/ISLAEscrow.sol";
import {IERC3009} from "./interfaces/IERC3009.sol";
import {IPermit2} from "./interfaces/IPermit2.sol";

/// @dev Which function of the escrow the money is for.
enum Purpose {
    Open,
    Fund,
    PostBond
}

/// @dev What the money is for.
/// @param first First window to fund; 0 for the other purposes.
/// @param count Number of windows to fund; 0 for the other purposes.
/// @param amount Exactly what the escrow will take [units of the token's decimals]: the sum of `feeOf`, or the addition to the bond.
/// @param providerSignature To open; else empty, as the next.
struct Booking {
    Purpose purpose;
    uint256 first;
    uint256 count;
    uint256 amount;
    Terms terms;
    bytes providerSignature;
    bytes consumerSignature;
}

/// @dev An EIP-3009 authorisation, in the nonce of which stands what it is for.
/// @param payer An EOA, whose signature is (v, r, s).
/// @param validAfter It may be used after this time [s, UNIX time],
/// @param validBefore and before this one.
/// @param salt What the nonce was made with, see `FundingRouter.nonceOf`.
struct Authorization {
    address payer;
    uint256 validAfter;
    uint256 validBefore;
    bytes32 salt;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @title Other ways to pay than an allowance to the escrow
/// @notice Takes the money and has the escrow book it, in one transaction (rule 12). The escrow's events name this contract as the
/// payer; who paid stands in the token's `Transfer` to it. What the escrow pays later goes to the parties, never here.
///
/// Works for one escrow, which may always take this contract's tokens, and asks for them only when it is called from here. A router
/// for any escrow would have to allow the amount each time, which costs 10,000 gas. It keeps no tokens between two transactions; those
/// that strangers send here are lost.
contract FundingRouter is ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// @notice The escrow that books what is paid here.
    ISLAEscrow public immutable escrow;

    /// @notice Uniswap's Permit2, at the same address on all chains that have it. On others only `payWithPermit2` fails.
    IPermit2 public constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    /// @notice What ends the EIP-712 type that a payer signs for Permit2. It begins with
    /// `PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,`.
    string public constant WITNESS_TYPE =
        "Payment witness)"
        "Payment(address escrow,bytes32 agreement,uint8 purpose,uint256 first,uint256 count)"
        "TokenPermissions(address token,uint256 amount)";

    bytes32 private constant PAYMENT_TYPEHASH =
        keccak256("Payment(address escrow,bytes32 agreement,uint8 purpose,uint256 first,uint256 count)");

    /// @dev The balance of this contract was `before`, and would be `left`.
    error FundingRouter_NotPassedOn(uint256 before, uint256 left);

    /// @notice Serves one escrow.
    constructor(ISLAEscrow escrow_) {
        escrow = escrow_;
    }

    /// @notice Pays from the caller's tokens, by its EIP-2612 permit for this contract and exactly `booking.amount`.
    /// @dev A permit that fails is ignored if the caller's allowance suffices: a stranger may have used it already.
    function payWithPermit(
        Booking calldata booking,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        address token = booking.terms.token;
        uint256 before = IERC20(token).balanceOf(address(this));
        uint256 amount = booking.amount;
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        _passOn(booking, before);
    }

    /// @notice Pays from `payer`'s tokens, by its signature for `PERMIT2` over the amount and the witness. Anyone may bring it.
    /// @param nonce As Permit2 has them: each can be used once, in any order.
    /// @param deadline Last time at which it may be used [s, UNIX time].
    /// @param signature Of an EOA or by ERC-1271.
    function payWithPermit2(
        Booking calldata booking,
        address payer,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external nonReentrant {
        address token = booking.terms.token;
        uint256 before = IERC20(token).balanceOf(address(this));
        PERMIT2.permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(token, booking.amount), nonce, deadline),
            IPermit2.SignatureTransferDetails(address(this), booking.amount),
            payer,
            witnessOf(booking),
            WITNESS_TYPE,
            signature
        );
        _passOn(booking, before);
    }

    /// @notice Pays from a payer's tokens, by its EIP-3009 authorisation to receive. Anyone may bring it.
    /// @dev The token lets nobody but this contract use it, and the nonce lets this contract use it for nothing else.
    function payWithAuthorization(Booking calldata booking, Authorization calldata signed) external nonReentrant {
        uint256 before = IERC20(booking.terms.token).balanceOf(address(this));
        IERC3009(booking.terms.token).receiveWithAuthorization(
            signed.payer,
            address(this),
            booking.amount,
            signed.validAfter,
            signed.validBefore,
            nonceOf(booking, signed.salt),
            signed.v,
            signed.r,
            signed.s
        );
        _passOn(booking, before);
    }

    /// @notice What a signature for Permit2 carries beside token and amount: the EIP-712 hash of
    /// `Payment(address escrow,bytes32 agreement,uint8 purpose,uint256 first,uint256 count)`.
    function witnessOf(Booking calldata booking) public view returns (bytes32) {
        bytes32 agreement = escrow.agreementId(booking.terms);
        return
            keccak256(
                abi.encode(PAYMENT_TYPEHASH, escrow, agreement, booking.purpose, booking.first, booking.count)
            );
    }

    /// @notice The nonce of an EIP-3009 authorisation for this payment: keccak256(abi.encode(witnessOf(booking), salt)).
    /// @param salt Makes equal payments distinct.
    function nonceOf(Booking calldata booking, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(witnessOf(booking), salt));
    }

    /// @dev Has the escrow take what was just taken from the payer: all of it, and nothing that was here before.
    function _passOn(Booking calldata booking, uint256 before) private {
        IERC20 token = IERC20(booking.terms.token);
        if (token.allowance(address(this), address(escrow)) < booking.amount) {
            token.forceApprove(address(escrow), type(uint256).max);
        }
        if (booking.purpose == Purpose.Open) {
            escrow.open(booking.terms, booking.providerSignature, booking.consumerSignature);
        } else if (booking.purpose == Purpose.Fund) {
            escrow.fund(booking.terms, booking.first, booking.count);
        } else {
            escrow.postBond(booking.terms, booking.amount);
        }
        uint256 left = token.balanceOf(address(this));
        require(left == before, FundingRouter_NotPassedOn(before, left));
    }
}
