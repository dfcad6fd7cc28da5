// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Side} from "../interfaces/IDisputeCourt.sol";
import {AgreementStatus, ISLAEscrow, Termination, Terms, WindowStatus} from "../interfaces/ISLAEscrow.sol";
import {TermsLib} from "../libraries/TermsLib.sol";
import {PartySignatures} from "../PartySignatures.sol";
import {CourtTreasury} from "./CourtTreasury.sol";

/// @title What is stored of agreements
abstract contract Agreements is ISLAEscrow, EIP712, PartySignatures, CourtTreasury {
    using TermsLib for Terms;

    /// @param end Number of windows; fewer than the terms say once the agreement was ended.
    /// @param amended Whether other terms have taken its place from `end` on.
    struct Agreement {
        AgreementStatus status;
        uint16 end;
        bool amended;
    }

    /// @param paid What the consumer was paid for the window [units of the token's decimals]: at most seven times a fee.
    struct Window {
        WindowStatus status;
        uint136 paid;
    }

    mapping(bytes32 id => Agreement) internal _agreements;
    mapping(bytes32 id => mapping(uint256 window => Window)) internal _windows;
    mapping(bytes32 id => bytes32) private _firsts;

    /// @inheritdoc ISLAEscrow
    function status(bytes32 id) external view returns (AgreementStatus) {
        return _agreements[id].status;
    }

    /// @inheritdoc ISLAEscrow
    function endOf(bytes32 id) external view returns (uint256 window) {
        return _agreements[id].end;
    }

    /// @inheritdoc ISLAEscrow
    function windowOf(bytes32 id, uint256 window) external view returns (WindowStatus windowStatus, uint256 paid) {
        Window storage w = _windows[id][window];
        return (w.status, w.paid);
    }

    /// @inheritdoc ISLAEscrow
    function feeOf(Terms calldata terms, uint256 window) external pure returns (uint256) {
        return terms.fee(window);
    }

    /// @inheritdoc ISLAEscrow
    function expiryOf(Terms calldata terms, uint256 window) external pure returns (uint256) {
        return terms.expiry(window);
    }

    /// @inheritdoc ISLAEscrow
    function terminationDigest(Termination calldata termination) external view returns (bytes32) {
        return _hashTypedDataV4(TermsLib.hash(termination));
    }

    /// @inheritdoc ISLAEscrow
    function agreementId(Terms calldata terms) public view returns (bytes32) {
        return _hashTypedDataV4(terms.hash());
    }

    /// @inheritdoc ISLAEscrow
    function firstOf(bytes32 id) public view returns (bytes32 first) {
        first = _firsts[id];
        return first == 0 ? id : first;
    }

    function _chain(bytes32 id, bytes32 previous) internal returns (bytes32 first) {
        first = firstOf(previous);
        _firsts[id] = first;
    }

    function _checkBoth(
        Terms calldata terms,
        bytes32 digest,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) internal view {
        _checkSignature(terms.provider, digest, providerSignature);
        _checkSignature(terms.consumer, digest, consumerSignature);
    }

    /// @dev A window whose fee is held, and what the consumer was paid for it so far.
    function _funded(bytes32 id, uint256 window) internal view returns (Window storage w, uint256 paid) {
        w = _windows[id][window];
        WindowStatus actual = w.status;
        paid = w.paid;
        require(actual == WindowStatus.Funded, SLAEscrow_WindowNot(window, WindowStatus.Funded, actual));
    }

    /// @dev Pays a party at once or, if the terms name an arbiter, into the court.
    function _payFor(Terms calldata terms, bytes32 id, uint256 window, Side side, uint256 amount) internal {
        if (terms.arbiter == address(0)) _pay(terms.token, side == Side.Consumer ? terms.consumer : terms.provider, amount);
        else _book(id, window, side, terms.token, amount, terms.challengePeriod);
    }
}
