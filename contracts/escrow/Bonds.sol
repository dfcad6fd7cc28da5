// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AgreementStatus, ISLAEscrow, Terms} from "../interfaces/ISLAEscrow.sol";
import {TermsLib} from "../libraries/TermsLib.sol";
import {Agreements} from "./Agreements.sol";

/// @title The provider's collateral, for credits beyond the fee (rule 23)
/// @notice One bond serves an agreement and all terms that amend it. No window is funded without it, so the consumer never pays
/// for a promise that nothing stands behind.
abstract contract Bonds is Agreements {
    using TermsLib for Terms;

    /// @param owed Credits of closed windows that the bond could not pay.
    /// @param openWindows How many windows are funded and not closed.
    struct Bond {
        uint128 amount;
        uint128 owed;
        uint32 openWindows;
    }

    mapping(bytes32 agreement => Bond) internal _bonds;

    /// @inheritdoc ISLAEscrow
    function postBond(Terms calldata terms, uint256 amount) external nonReentrant {
        bytes32 id = agreementId(terms);
        require(_agreements[id].status != AgreementStatus.None, SLAEscrow_NotOpen(id));
        require(terms.bond != 0 && amount != 0 && amount <= type(uint128).max, SLAEscrow_NoBond());
        bytes32 agreement = firstOf(id);
        Bond storage bond = _bonds[agreement];
        uint256 owed = bond.owed;
        uint256 madeGood = amount < owed ? amount : owed;
        // The first cannot overflow: what is owed is less than what it is taken from.
        bond.owed = uint128(owed - madeGood);
        bond.amount += uint128(amount - madeGood);
        emit BondPosted(agreement, amount, msg.sender);
        _pull(terms.token, amount);
        if (madeGood == 0) return;
        emit BondMadeGood(agreement, madeGood);
        _pay(terms.token, terms.consumer, madeGood);
    }

    /// @inheritdoc ISLAEscrow
    function releaseBond(Terms calldata terms) external nonReentrant returns (uint256 amount) {
        bytes32 id = agreementId(terms);
        Agreement storage a = _agreements[id];
        require(!a.amended, SLAEscrow_NotNewest(id));
        bytes32 agreement = firstOf(id);
        Bond storage bond = _bonds[agreement];
        amount = bond.amount;
        require(amount != 0, SLAEscrow_NoBond());
        uint256 lastBegins = _lastBegins(terms, a.end);
        bool inUse = bond.openWindows != 0 || block.timestamp < lastBegins;
        require(!inUse, SLAEscrow_BondInUse(bond.openWindows, lastBegins));
        delete _bonds[agreement];
        emit BondReleased(agreement, amount);
        _pay(terms.token, terms.provider, amount);
    }

    /// @inheritdoc ISLAEscrow
    function bondOf(
        bytes32 agreement
    ) external view returns (uint256 amount, uint256 owed, uint256 openWindows) {
        Bond storage bond = _bonds[agreement];
        return (bond.amount, bond.owed, bond.openWindows);
    }

    /// @dev When the last window of the chain begins, or a later time. Terms that ended before they started say nothing of those
    /// that they amend: these end by then.
    function _lastBegins(Terms calldata terms, uint256 end) private pure returns (uint256) {
        if (end != 0) return terms.windowStart(end - 1);
        return terms.previous == 0 ? 0 : terms.start;
    }

    /// @dev Reverts unless the bond of the terms is there in full. Counts the windows that need it from now on.
    function _useBond(Terms calldata terms, bytes32 id, uint256 count) internal {
        if (terms.bond == 0) return;
        Bond storage bond = _bonds[firstOf(id)];
        require(bond.amount >= terms.bond, SLAEscrow_BondMissing(terms.bond, bond.amount));
        bond.openWindows += uint32(count);
    }

    /// @dev Windows that do not need the bond any more.
    function _freeBond(Terms calldata terms, bytes32 id, uint256 count) internal {
        if (terms.bond != 0) _bonds[firstOf(id)].openWindows -= uint32(count);
    }

    /// @dev How much of `amount` the bond can pay.
    function _bondFor(Terms calldata terms, bytes32 id, uint256 amount) internal view returns (uint256) {
        if (amount == 0 || terms.bond == 0) return 0;
        uint256 there = _bonds[firstOf(id)].amount;
        return amount < there ? amount : there;
    }

    /// @dev Takes from the bond what it pays of a window's credit.
    function _takeBond(bytes32 id, uint256 window, uint256 amount) internal {
        bytes32 agreement = firstOf(id);
        _bonds[agreement].amount -= uint128(amount);
        emit BondPaid(agreement, id, window, amount);
    }

    /// @dev Notes what it could not pay of a closed window's credit.
    function _oweFromBond(bytes32 id, uint256 window, uint256 amount) internal {
        bytes32 agreement = firstOf(id);
        _bonds[agreement].owed += uint128(amount);
        emit BondShort(agreement, id, window, amount);
    }
}
