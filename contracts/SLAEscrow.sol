// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Tally} from "./interfaces/IMonitoringOracle.sol";
import {AgreementStatus, ISLAEscrow, Terms, WindowStatus} from "./interfaces/ISLAEscrow.sol";
import {Endings} from "./escrow/Endings.sol";
import {Payments} from "./escrow/Payments.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {TermsRules} from "./TermsRules.sol";

/// @title An SLA that pays its own penalties
/// @notice See `ISLAEscrow`, which documents every function, event and error. Here agreements begin: they are opened, funded and
/// amended. `Payments` settles and closes their windows, `Endings` ends them early, `Bonds` keeps the collateral.
contract SLAEscrow is Payments, Endings {
    using TermsLib for Terms;

    TermsRules private immutable _rules;

    constructor() EIP712("Makegood SLAEscrow", "1") {
        _rules = new TermsRules();
    }

    /// @inheritdoc ISLAEscrow
    function open(
        Terms calldata terms,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external nonReentrant returns (bytes32 id) {
        require(terms.previous == 0, SLAEscrow_Previous(0, terms.previous));
        id = _admit(terms, providerSignature, consumerSignature);
        if (terms.prepaidWindows != 0) _fund(terms, id, 0, terms.prepaidWindows);
    }

    /// @inheritdoc ISLAEscrow
    function fund(Terms calldata terms, uint256 first, uint256 count) external nonReentrant {
        bytes32 id = agreementId(terms);
        Agreement storage a = _agreements[id];
        require(a.status != AgreementStatus.None, SLAEscrow_NotOpen(id));
        uint256 end = a.end;
        require(count != 0 && count <= end && first <= end - count, SLAEscrow_NoWindows(first, count, end));
        _fund(terms, id, first, count);
    }

    /// @inheritdoc ISLAEscrow
    function amend(
        Terms calldata current,
        Terms calldata next,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external nonReentrant returns (bytes32 id) {
        bytes32 currentId = agreementId(current);
        require(next.previous == currentId, SLAEscrow_Previous(currentId, next.previous));
        require(_agreements[currentId].status == AgreementStatus.Open, SLAEscrow_NotOpen(currentId));
        require(_isAmendable(current, next), SLAEscrow_NotAmendable());
        uint256 window = current.windowFrom(next.start);
        bool boundary = window <= current.windows && current.windowStart(window) == next.start;
        require(boundary, SLAEscrow_NoBoundary(next.start));
        require(block.timestamp < next.start, SLAEscrow_WindowBegan(window, next.start));

        id = _admit(next, providerSignature, consumerSignature);
        _move(current, currentId, window, next, id);
        Agreement storage a = _agreements[currentId];
        (a.status, a.end, a.amended) = (AgreementStatus.Ended, uint16(window), true);
        emit Amended(_chain(id, currentId), currentId, id, window);
    }

    /// @dev Opens terms that both have signed: before their start, before anything of it is judged, and once.
    function _admit(
        Terms calldata terms,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) private returns (bytes32 id) {
        id = agreementId(terms);
        Agreement storage a = _agreements[id];
        require(a.status == AgreementStatus.None, SLAEscrow_IdUsed(id, a.status));
        require(block.timestamp <= terms.openBy, SLAEscrow_TooLateToOpen(terms.openBy));
        _rules.check(terms);
        _checkBoth(terms, id, providerSignature, consumerSignature);
        (Tally[] memory tallies, ) = _tallies(terms, 0);
        for (uint256 i = 0; i < tallies.length; ++i) {
            require(tallies[i].judged == 0, SLAEscrow_AlreadyJudged(i));
        }
        (a.status, a.end) = (AgreementStatus.Open, terms.windows);
        emit Opened(id, terms.provider, terms.consumer, terms);
    }

    function _fund(Terms calldata terms, bytes32 id, uint256 first, uint256 count) private {
        // Check and effect
        _useBond(terms, id, count);
        uint256 amount = 0;
        for (uint256 window = first; window < first + count; ++window) {
            uint256 begin = terms.windowStart(window);
            require(block.timestamp < begin, SLAEscrow_WindowBegan(window, begin));
            Window storage w = _windows[id][window];
            WindowStatus actual = w.status;
            require(actual == WindowStatus.Unfunded, SLAEscrow_WindowNot(window, WindowStatus.Unfunded, actual));
            w.status = WindowStatus.Funded;
            amount += terms.fee(window);
        }
        emit Funded(id, first, count, amount, msg.sender);

        // Interaction
        _pull(terms.token, amount);
    }

    /// @dev Rule 6. A bond cannot come or go, since it counts the windows that need it.
    function _isAmendable(Terms calldata current, Terms calldata next) private pure returns (bool) {
        return
            current.provider == next.provider &&
            current.consumer == next.consumer &&
            current.token == next.token &&
            current.oracle == next.oracle &&
            (current.bond == 0) == (next.bond == 0);
    }

    /// @dev Moves the funded windows from `first` on to the terms that take their place, and ask the same for them.
    function _move(Terms calldata current, bytes32 currentId, uint256 first, Terms calldata next, bytes32 id) private {
        for (uint256 window = first; window < current.windows; ++window) {
            Window storage w = _windows[currentId][window];
            if (w.status != WindowStatus.Funded) continue;
            bool kept = window - first < next.windows && next.fee(window - first) == current.fee(window);
            require(kept, SLAEscrow_NotAmendable());
            _windows[id][window - first] = Window(WindowStatus.Funded, w.paid);
            w.status = WindowStatus.Moved;
        }
    }
}
