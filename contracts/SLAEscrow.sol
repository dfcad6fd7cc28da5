// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {FeedRef, Tally} from "./interfaces/IMonitoringOracle.sol";
import {AgreementStatus, ISLAEscrow, Level, Terms, WindowStatus} from "./interfaces/ISLAEscrow.sol";
import {CreditLib} from "./libraries/CreditLib.sol";
import {Measurement} from "./libraries/MeasurementLib.sol";
import {OracleLib} from "./libraries/OracleLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";

/// @title An SLA that pays its own penalties
/// @notice See `ISLAEscrow`, which documents every function, event and error.
contract SLAEscrow is ISLAEscrow, EIP712, ReentrancyGuard {
    using TermsLib for Terms;
    using TokenLib for IERC20;

    /// @param paid What of the window's fee the consumer was paid [units of the token's decimals].
    struct Window {
        WindowStatus status;
        uint128 paid;
    }

    /// @inheritdoc ISLAEscrow
    mapping(bytes32 id => AgreementStatus) public status;
    /// @inheritdoc ISLAEscrow
    mapping(address token => uint256) public held;
    /// @inheritdoc ISLAEscrow
    mapping(address token => mapping(address payee => uint256)) public withdrawable;

    mapping(bytes32 id => mapping(uint256 window => Window)) private _windows;

    constructor() EIP712("Makegood SLAEscrow", "1") {}

    // BEGIN

    /// @inheritdoc ISLAEscrow
    function open(
        Terms calldata terms,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external nonReentrant returns (bytes32 id) {
        id = agreementId(terms);

        // Check
        require(status[id] == AgreementStatus.None, SLAEscrow_IdUsed(id, status[id]));
        require(block.timestamp <= terms.openBy, SLAEscrow_TooLateToOpen(terms.openBy));
        terms.validate();
        _checkSignature(terms.provider, id, providerSignature);
        _checkSignature(terms.consumer, id, consumerSignature);
        (Tally[] memory tallies, ) = _tallies(terms, 0);
        for (uint256 i = 0; i < tallies.length; ++i) {
            require(tallies[i].judged == 0, SLAEscrow_AlreadyJudged(i));
        }

        // Effect
        status[id] = AgreementStatus.Open;
        emit Opened(
            id,
            terms.provider,
            terms.consumer,
            terms.token,
            terms.feePerWindow,
            terms.windows,
            terms.document
        );

        // Interaction
        if (terms.prepaidWindows != 0) _fund(terms, id, 0, terms.prepaidWindows);
    }

    /// @inheritdoc ISLAEscrow
    function revoke(Terms calldata terms) external nonReentrant {
        bytes32 id = agreementId(terms);
        require(msg.sender == terms.provider || msg.sender == terms.consumer, SLAEscrow_NotParty(msg.sender));
        require(status[id] == AgreementStatus.None, SLAEscrow_IdUsed(id, status[id]));
        status[id] = AgreementStatus.Revoked;
        emit Revoked(id, msg.sender);
    }

    /// @inheritdoc ISLAEscrow
    function fund(Terms calldata terms, uint256 first, uint256 count) external nonReentrant {
        bytes32 id = agreementId(terms);
        require(status[id] == AgreementStatus.Open, SLAEscrow_NotOpen(id));
        require(
            count != 0 && count <= terms.windows && first <= terms.windows - count,
            SLAEscrow_NoWindows(first, count, terms.windows)
        );
        _fund(terms, id, first, count);
    }

    // PAYMENT

    /// @inheritdoc ISLAEscrow
    function settle(Terms calldata terms, uint256 window) external nonReentrant returns (uint256 amount) {
        bytes32 id = agreementId(terms);
        Window storage w = _funded(id, window);

        // Check
        (Tally[] memory tallies, ) = _tallies(terms, window);
        uint256 credit = CreditLib.windowCredit(terms, tallies);
        uint256 paid = w.paid;
        amount = CreditLib.owedDown(terms.feePerWindow, credit, paid);
        if (amount == 0) return 0;

        // Effect: at most the fee, which fits
        w.paid = uint128(paid + amount);
        emit Settled(id, window, credit, amount);

        // Interaction
        _pay(terms.token, terms.consumer, amount);
    }

    /// @inheritdoc ISLAEscrow
    function close(
        Terms calldata terms,
        uint256 window
    ) external nonReentrant returns (uint256 toConsumer, uint256 toProvider) {
        bytes32 id = agreementId(terms);
        Window storage w = _funded(id, window);

        // Check
        (Tally[] memory tallies, bool complete) = _tallies(terms, window);
        if (!complete) revert SLAEscrow_NotJudged(window, terms.expiry(window));
        uint256 credit = CreditLib.windowCredit(terms, tallies);
        uint256 fee = terms.feePerWindow;
        uint256 paid = w.paid;
        toConsumer = CreditLib.owedDown(fee, credit, paid);
        paid += toConsumer;
        // No credit exceeds the whole fee, and nothing is owed if less is due than was paid: there is a rest, be it zero.
        toProvider = fee - paid;

        // Effect
        w.status = WindowStatus.Closed;
        if (toConsumer != 0) {
            w.paid = uint128(paid);
            emit Settled(id, window, credit, toConsumer);
        }
        emit Closed(id, window, credit, paid, toProvider);

        // Interaction
        if (toConsumer != 0) _pay(terms.token, terms.consumer, toConsumer);
        if (toProvider != 0) _pay(terms.token, terms.provider, toProvider);
    }

    /// @inheritdoc ISLAEscrow
    function withdraw(address token, address to) external nonReentrant returns (uint256 amount) {
        amount = withdrawable[token][msg.sender];
        require(amount != 0, SLAEscrow_NothingToWithdraw(token, msg.sender));
        withdrawable[token][msg.sender] = 0;
        held[token] -= amount;
        emit Withdrawn(token, msg.sender, to, amount);
        uint256 left = IERC20(token).send(to, amount);
        require(left == amount, SLAEscrow_NotDelivered(token, amount, left));
    }

    // VIEWS

    /// @inheritdoc ISLAEscrow
    function claimable(
        Terms calldata terms,
        uint256 window
    ) external view returns (uint256 credit, uint256 amount, bool closable) {
        Window storage w = _windows[agreementId(terms)][window];
        if (w.status != WindowStatus.Funded) return (0, 0, false);
        Tally[] memory tallies;
        (tallies, closable) = _tallies(terms, window);
        credit = CreditLib.windowCredit(terms, tallies);
        amount = CreditLib.owedDown(terms.feePerWindow, credit, w.paid);
    }

    /// @inheritdoc ISLAEscrow
    function windowOf(bytes32 id, uint256 window) external view returns (WindowStatus windowStatus, uint256 paid) {
        Window storage w = _windows[id][window];
        return (w.status, w.paid);
    }

    /// @inheritdoc ISLAEscrow
    function expiryOf(Terms calldata terms, uint256 window) external pure returns (uint256) {
        return terms.expiry(window);
    }

    /// @inheritdoc ISLAEscrow
    function agreementId(Terms calldata terms) public view returns (bytes32) {
        return _hashTypedDataV4(terms.hash());
    }

    // INTERNAL

    function _checkSignature(address party, bytes32 id, bytes calldata signature) private view {
        require(SignatureChecker.isValidSignatureNow(party, id, signature), SLAEscrow_InvalidSignature(party));
    }

    function _fund(Terms calldata terms, bytes32 id, uint256 first, uint256 count) private {
        // Check and effect
        for (uint256 window = first; window < first + count; ++window) {
            uint256 begin = terms.windowStart(window);
            require(block.timestamp < begin, SLAEscrow_WindowBegan(window, begin));
            Window storage w = _windows[id][window];
            WindowStatus actual = w.status;
            require(actual == WindowStatus.Unfunded, SLAEscrow_WindowNot(window, WindowStatus.Unfunded, actual));
            w.status = WindowStatus.Funded;
        }
        uint256 amount = terms.feePerWindow * count;
        held[terms.token] += amount;
        emit Funded(id, first, count, amount, msg.sender);

        // Interaction
        uint256 received = IERC20(terms.token).pull(msg.sender, amount);
        require(received == amount, SLAEscrow_ReceivedLess(amount, received));
    }

    function _funded(bytes32 id, uint256 window) private view returns (Window storage w) {
        w = _windows[id][window];
        WindowStatus actual = w.status;
        require(actual == WindowStatus.Funded, SLAEscrow_WindowNot(window, WindowStatus.Funded, actual));
    }

    /// @dev Tallies of all levels for a window of the agreement, and whether they are final.
    function _tallies(
        Terms calldata terms,
        uint256 window
    ) private view returns (Tally[] memory tallies, bool complete) {
        Level[] calldata levels = terms.levels;
        tallies = new Tally[](levels.length);
        complete = true;
        for (uint256 i = 0; i < levels.length; ++i) {
            Tally memory t = tallies[i];
            _ask(terms, window, i, levels[i].feed, t);
            if (t.judged < t.planned) complete = false;
        }
    }

    /// @dev Fills in the tally of level `index`. Once the window has expired, what is not judged is unknown, even if the oracle
    /// does not answer at all (rule 13).
    function _ask(
        Terms calldata terms,
        uint256 window,
        uint256 index,
        FeedRef calldata feed,
        Tally memory t
    ) private view {
        Measurement m = feed.measurement;
        uint256 feedWindow = terms.feedWindow(m, window);
        (bool sound, bool enoughGas) = OracleLib.tryTally(terms.oracle, feed, feedWindow, m.windowIntervals(), t);
        if (t.judged == t.planned && sound) return;

        uint256 expiry = terms.expiry(window);
        if (!sound) {
            require(enoughGas, SLAEscrow_MoreGasNeeded(OracleLib.TALLY_GAS));
            require(block.timestamp >= expiry, SLAEscrow_OracleFailed(index, expiry));
        }
        if (block.timestamp >= expiry) {
            t.unknown += t.planned - t.judged;
            t.judged = t.planned;
        }
    }

    /// @dev Pushes a payment; what does not leave this contract stays owed to the payee, to be withdrawn.
    function _pay(address token, address to, uint256 amount) private {
        (uint256 left, bool enoughGas) = IERC20(token).push(to, amount);
        require(left <= amount, SLAEscrow_NotDelivered(token, amount, left));
        held[token] -= left;
        if (left == amount) return;
        require(enoughGas, SLAEscrow_MoreGasNeeded(TokenLib.PUSH_GAS));
        withdrawable[token][to] += amount - left;
        emit Withheld(token, to, amount - left);
    }
}
