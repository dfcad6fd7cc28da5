// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {DisputeStatus, IDisputeCourt, Side} from "./interfaces/IDisputeCourt.sol";
import {ISLAEscrow, Terms} from "./interfaces/ISLAEscrow.sol";
import {TokenLib} from "./libraries/TokenLib.sol";
import {Treasury} from "./Treasury.sol";

/// @title Where payments wait while they may be disputed (rule 16)
/// @notice See `IDisputeCourt`, which documents every function, event and error.
contract DisputeCourt is IDisputeCourt, Treasury {
    using TokenLib for IERC20;

    /// @param at When the amount matures [s, UNIX time].
    struct Bucket {
        uint216 amount;
        uint40 at;
    }

    /// @dev Payments of one party for one window. `maturing` keeps its time; that of `later` moves on with each payment, but only
    /// until `maturing` matures and `later` takes its place. So no payment waits longer than two periods. `later` is empty if
    /// `maturing` is.
    /// @param matured Waited long enough, while nobody asked for it.
    struct Waiting {
        uint256 matured;
        Bucket maturing;
        Bucket later;
    }

    struct Dispute {
        DisputeStatus status;
        uint40 rulingBy;
        uint208 disputed;
    }

    /// @dev How long the arbiter has to rule [s].
    uint256 private constant RULING_PERIOD = 30 days;

    /// @inheritdoc IDisputeCourt
    ISLAEscrow public immutable escrow;

    mapping(bytes32 id => mapping(uint256 window => mapping(Side side => Waiting))) private _waiting;
    mapping(bytes32 id => mapping(uint256 window => mapping(Side side => Dispute))) private _disputes;

    constructor() {
        escrow = ISLAEscrow(msg.sender);
    }

    // PAYMENTS

    /// @inheritdoc IDisputeCourt
    function book(
        bytes32 id,
        uint256 window,
        Side side,
        address token,
        uint256 amount,
        uint256 period
    ) external nonReentrant {
        require(msg.sender == address(escrow), DisputeCourt_NotEscrow(msg.sender));

        // Interaction, first and under the lock: what counts is what arrives.
        uint256 booked = Math.min(amount, IERC20(token).pull(msg.sender, amount));

        // Effect. No amount reaches 2^216, no time 2^40.
        held[token] += booked;
        Waiting memory w = _current(id, window, side);
        Bucket memory bucket = w.maturing.amount == 0 ? w.maturing : w.later;
        bucket.amount += uint216(booked);
        bucket.at = uint40(block.timestamp + period);
        _waiting[id][window][side] = w;
        emit Booked(id, window, side, booked, bucket.at);
    }

    /// @inheritdoc IDisputeCourt
    function release(Terms calldata terms, uint256 window, Side side) external nonReentrant returns (uint256 amount) {
        bytes32 id = escrow.agreementId(terms);
        Waiting memory w = _current(id, window, side);
        amount = w.matured;
        require(amount != 0, DisputeCourt_NothingMatured(w.maturing.at));

        w.matured = 0;
        _waiting[id][window][side] = w;
        emit Released(id, window, side, amount);

        _pay(terms.token, _party(terms, side), amount);
    }

    // DISPUTES

    /// @inheritdoc IDisputeCourt
    function dispute(
        Terms calldata terms,
        uint256 window,
        Side side
    ) external nonReentrant returns (uint256 disputed) {
        bytes32 id = escrow.agreementId(terms);

        // Check
        require(msg.sender == _party(terms, _other(side)), DisputeCourt_NotParty(msg.sender));
        Dispute storage d = _disputes[id][window][side];
        require(d.status == DisputeStatus.None, DisputeCourt_DisputedBefore(d.status));
        Waiting memory w = _current(id, window, side);
        disputed = Math.min(uint256(w.maturing.amount) + w.later.amount, _disputable(terms, id, window, side));
        require(disputed != 0, DisputeCourt_NothingDisputable());

        // Effect: the newest payments first; the others mature when they would have
        uint256 fromLater = Math.min(disputed, w.later.amount);
        _take(w.later, fromLater);
        _take(w.maturing, disputed - fromLater);
        _waiting[id][window][side] = w;
        uint256 rulingBy = block.timestamp + RULING_PERIOD;
        _disputes[id][window][side] = Dispute(DisputeStatus.Open, uint40(rulingBy), uint208(disputed));
        emit Disputed(id, window, side, disputed, rulingBy);

        // Interaction
        if (terms.disputeDeposit != 0) _pull(terms.token, terms.disputeDeposit);
    }

    /// @inheritdoc IDisputeCourt
    function rule(Terms calldata terms, uint256 window, Side side, uint256 award) external nonReentrant {
        bytes32 id = escrow.agreementId(terms);
        require(msg.sender == terms.arbiter, DisputeCourt_NotArbiter(msg.sender));
        (uint256 disputed, uint256 rulingBy) = _open(id, window, side);
        require(award <= disputed, DisputeCourt_AwardExceedsDisputed(award, disputed));
        require(block.timestamp <= rulingBy, DisputeCourt_RulingTooLate(rulingBy));
        uint256 deposit = terms.disputeDeposit;
        _resolve(terms, id, window, side, DisputeStatus.Ruled, award, award == 0 ? 0 : deposit);
    }

    /// @inheritdoc IDisputeCourt
    function lapse(Terms calldata terms, uint256 window, Side side) external nonReentrant {
        bytes32 id = escrow.agreementId(terms);
        (, uint256 rulingBy) = _open(id, window, side);
        require(block.timestamp > rulingBy, DisputeCourt_RulingStillPossible(rulingBy));
        _resolve(terms, id, window, side, DisputeStatus.Lapsed, 0, terms.disputeDeposit);
    }

    // VIEWS

    /// @inheritdoc IDisputeCourt
    function waiting(
        bytes32 id,
        uint256 window,
        Side side
    )
        external
        view
        returns (uint256 matured, uint256 maturing, uint256 maturesAt, uint256 later, uint256 laterMaturesAt)
    {
        Waiting memory w = _current(id, window, side);
        return (w.matured, w.maturing.amount, w.maturing.at, w.later.amount, w.later.at);
    }

    /// @inheritdoc IDisputeCourt
    function disputeOf(
        bytes32 id,
        uint256 window,
        Side side
    ) external view returns (DisputeStatus status, uint256 disputed, uint256 rulingBy) {
        Dispute storage d = _disputes[id][window][side];
        return (d.status, d.disputed, d.rulingBy);
    }

    // INTERNAL

    function _payoutOf(address party) internal view override returns (address) {
        return escrow.payoutOf(party);
    }

    /// @dev What waits, as of now: a matured `maturing` counts as matured, and `later` takes its place. Not stored.
    function _current(bytes32 id, uint256 window, Side side) private view returns (Waiting memory w) {
        w = _waiting[id][window][side];
        for (uint256 i = 0; i < 2; ++i) {
            if (w.maturing.amount == 0 || block.timestamp < w.maturing.at) break;
            w.matured += w.maturing.amount;
            w.maturing = w.later;
            w.later = Bucket(0, 0);
        }
    }

    /// @dev What of `side`'s payments for the window depends on unknown intervals. What the consumer is due already counts as paid:
    /// whoever brings a report just before a dispute, and does not settle, must not make the disputed part smaller.
    function _disputable(Terms calldata terms, bytes32 id, uint256 window, Side side) private view returns (uint256) {
        (uint256 least, uint256 most) = escrow.bounds(terms, window);
        (, uint256 paid) = escrow.windowOf(id, window);
        if (side == Side.Provider) return Math.saturatingSub(most, paid);
        (, uint256 due, ) = escrow.claimable(terms, window);
        return Math.saturatingSub(paid + due, least);
    }

    function _take(Bucket memory bucket, uint256 amount) private pure {
        bucket.amount -= uint216(amount);
        if (bucket.amount == 0) bucket.at = 0;
    }

    function _open(
        bytes32 id,
        uint256 window,
        Side side
    ) private view returns (uint256 disputed, uint256 rulingBy) {
        Dispute storage d = _disputes[id][window][side];
        require(d.status == DisputeStatus.Open, DisputeCourt_NoOpenDispute(d.status));
        return (d.disputed, d.rulingBy);
    }

    /// @param deposit How much of the deposit returns to the party that disputed; the other gets the rest.
    function _resolve(
        Terms calldata terms,
        bytes32 id,
        uint256 window,
        Side side,
        DisputeStatus status,
        uint256 awarded,
        uint256 deposit
    ) private {
        Dispute storage d = _disputes[id][window][side];
        uint256 upheld = d.disputed - awarded;
        d.status = status;
        emit Resolved(id, window, side, status, awarded, upheld);

        uint256 toSide = upheld + terms.disputeDeposit - deposit;
        uint256 toOther = awarded + deposit;
        if (toSide != 0) _pay(terms.token, _party(terms, side), toSide);
        if (toOther != 0) _pay(terms.token, _party(terms, _other(side)), toOther);
    }

    function _party(Terms calldata terms, Side side) private pure returns (address) {
        return side == Side.Consumer ? terms.consumer : terms.provider;
    }

    function _other(Side side) private pure returns (Side) {
        return side == Side.Consumer ? Side.Provider : Side.Consumer;
    }
}
