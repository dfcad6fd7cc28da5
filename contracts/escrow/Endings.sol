// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AgreementStatus, ISLAEscrow, Termination, Terms, WindowStatus} from "../interfaces/ISLAEscrow.sol";
import {TermsLib} from "../libraries/TermsLib.sol";
import {Bonds} from "./Bonds.sol";

/// @title How agreements end before their last window (rule 10)
/// @notice Both parties may end at once, and say who gets what; one of them only at the begin of a window, and all later windows are
/// refunded. Credits paid stand.
abstract contract Endings is Bonds {
    using TermsLib for Terms;

    /// @inheritdoc ISLAEscrow
    function terminate(
        Terms calldata terms,
        Termination calldata termination,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external nonReentrant returns (uint256 toConsumer) {
        bytes32 id = agreementId(terms);
        uint256 window = termination.window;
        uint256 toProvider = termination.toProvider;
        bytes32 digest = _hashTypedDataV4(TermsLib.hash(termination));

        // Check
        require(termination.agreement == id, SLAEscrow_OtherAgreement(termination.agreement));
        require(block.timestamp <= termination.validUntil, SLAEscrow_TerminationExpired(termination.validUntil));
        _checkBoth(terms, digest, providerSignature, consumerSignature);

        // Effect
        uint256 end = _agreements[id].end;
        require(window < end, SLAEscrow_NothingToEnd(window));
        uint256 left = _void(terms, id, window, end, WindowStatus.Terminated);
        require(toProvider <= left, SLAEscrow_SplitExceedsHeld(toProvider, left));
        toConsumer = left - toProvider;
        _endAt(id, window, address(0));
        emit Split(id, toConsumer, toProvider);

        // Interaction
        if (toConsumer != 0) _pay(terms.token, terms.consumer, toConsumer);
        if (toProvider != 0) _pay(terms.token, terms.provider, toProvider);
    }

    /// @inheritdoc ISLAEscrow
    function endForBreaches(
        Terms calldata terms,
        uint256[] calldata breached
    ) external nonReentrant returns (uint256 window) {
        bytes32 id = agreementId(terms);
        require(msg.sender == terms.consumer, SLAEscrow_NotParty(msg.sender));
        uint256 needed = terms.breachesToEnd;
        require(needed != 0 && breached.length >= needed, SLAEscrow_Breaches(breached.length, needed));
        for (uint256 i = 0; i < breached.length; ++i) {
            require(i == 0 || breached[i] > breached[i - 1], SLAEscrow_Breaches(i, needed));
            require(_windows[id][breached[i]].paid != 0, SLAEscrow_NotBreached(breached[i]));
        }
        return _end(terms, id, block.timestamp + 1);
    }

    /// @inheritdoc ISLAEscrow
    function endByNotice(Terms calldata terms) external nonReentrant returns (uint256 window) {
        bytes32 id = agreementId(terms);
        require(msg.sender == terms.provider || msg.sender == terms.consumer, SLAEscrow_NotParty(msg.sender));
        require(terms.noticePeriod != 0, SLAEscrow_NoNoticeAgreed());
        return _end(terms, id, block.timestamp + terms.noticePeriod);
    }

    /// @dev Ends at the first begin of a window from `time` on, and refunds what was paid for later.
    function _end(Terms calldata terms, bytes32 id, uint256 time) private returns (uint256 window) {
        window = terms.windowFrom(time);
        uint256 end = _agreements[id].end;
        require(window < end, SLAEscrow_NothingToEnd(window));
        uint256 left = _void(terms, id, window, end, WindowStatus.Refunded);
        _endAt(id, window, msg.sender);
        if (left != 0) _pay(terms.token, terms.consumer, left);
    }

    function _endAt(bytes32 id, uint256 window, address party) private {
        Agreement storage a = _agreements[id];
        a.status = AgreementStatus.Ended;
        a.end = uint16(window);
        emit Ended(id, window, party);
    }

    /// @dev Ends all funded windows of [first, end), as `Refunded` or `Terminated`.
    /// @return left What was still held for them.
    function _void(
        Terms calldata terms,
        bytes32 id,
        uint256 first,
        uint256 end,
        WindowStatus ending
    ) private returns (uint256 left) {
        uint256 count = 0;
        for (uint256 window = first; window < end; ++window) {
            Window storage w = _windows[id][window];
            if (w.status != WindowStatus.Funded) continue;
            w.status = ending;
            uint256 paid = w.paid;
            uint256 fee = terms.fee(window);
            uint256 amount = fee > paid ? fee - paid : 0;
            if (ending == WindowStatus.Refunded) emit Refunded(id, window, amount);
            else emit Terminated(id, window, paid);
            left += amount;
            ++count;
        }
        _freeBond(terms, id, count);
    }
}
