// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISLAEscrow, Terms} from "./ISLAEscrow.sol";

/// @dev Whose payment it is; the other party may dispute it.
enum Side {
    Consumer,
    Provider
}

/// @dev None: not disputed. Open: waits for the arbiter. Ruled: the arbiter decided. Lapsed: it did not, and what the tally says stands.
enum DisputeStatus {
    None,
    Open,
    Ruled,
    Lapsed
}

/// @title Where payments wait while they may be disputed (rule 16)
/// @notice An escrow's payments under terms with an arbiter come here. Each waits for the challenge period; then anyone may have it
/// delivered. Within it the other party may freeze what depends on unknown intervals, and only that; the arbiter decides
/// how much of it changes sides. If the arbiter is silent, the payment goes where the tally sent it.
///
/// A payment that the tally alone decides waits between one and two challenge periods. A party has one dispute per window and it
/// covers what waits then: with a challenge period as long as a window, that is the whole window.
///
/// Holds money for one escrow, which has created it. Safe as long as the token is; the arbiter is trusted with the disputed
/// amounts and deposits, with nothing else. Live whatever arbiter and parties do: every wait has an end, after which anyone may call.
interface IDisputeCourt {
    /// @notice `amount` of the window waits for `side`, until `maturesAt` [s, UNIX time] at the earliest.
    event Booked(bytes32 indexed id, uint256 indexed window, Side side, uint256 amount, uint256 maturesAt);

    /// @notice What had waited long enough was paid.
    event Released(bytes32 indexed id, uint256 indexed window, Side side, uint256 amount);

    /// @notice The party that is not `side` disputes `amount` of its payment; the arbiter may rule until `rulingBy` [s, UNIX time].
    event Disputed(bytes32 indexed id, uint256 indexed window, Side side, uint256 amount, uint256 rulingBy);

    /// @notice The dispute is over: `awarded` of the disputed amount goes to the party that disputed it, `upheld` to `side`. The
    /// deposit goes to the party that disputed, or to `side` if the arbiter ruled and awarded nothing.
    /// @param status `Ruled`, or `Lapsed` if the arbiter was silent.
    event Resolved(
        bytes32 indexed id,
        uint256 indexed window,
        Side side,
        DisputeStatus status,
        uint256 awarded,
        uint256 upheld
    );

    error DisputeCourt_NotEscrow(address caller);
    error DisputeCourt_NotParty(address caller);
    error DisputeCourt_NotArbiter(address caller);
    /// @dev The next payment matures at `maturesAt` [s, UNIX time]; 0: none waits.
    error DisputeCourt_NothingMatured(uint256 maturesAt);
    /// @dev The party has disputed this window before.
    error DisputeCourt_DisputedBefore(DisputeStatus status);
    /// @dev Nothing of the payment that still waits depends on an unknown interval.
    error DisputeCourt_NothingDisputable();
    error DisputeCourt_NoOpenDispute(DisputeStatus status);
    error DisputeCourt_AwardExceedsDisputed(uint256 award, uint256 disputed);
    error DisputeCourt_RulingTooLate(uint256 rulingBy);
    error DisputeCourt_RulingStillPossible(uint256 rulingBy);

    /// @notice Takes a payment over from the escrow, the only caller, out of its allowance.
    /// @dev The escrow must, under its own lock and after its effects: approve exactly `amount` (forceApprove), call this, require
    /// that its balance fell by exactly `amount`, and count that as no longer held. It must not transfer by itself, nor call for an
    /// amount of 0. The court pulls under its own lock, so nobody can skim, dispute or release between the transfer and the booking,
    /// and what a stranger sends never passes for a payment. Reverts only if the token does, or within another call of the court.
    /// The escrow must let that revert its payment, too, never pay by another way: else a payee that settles while the court pays
    /// it, or a party that settles while the token is paused, is paid what nobody can dispute any more. Should the token keep a
    /// part of the transfer, the rest is booked.
    /// @param amount [units of the token's decimals], below 2^200.
    /// @param period Challenge period [s]; always the same for an id.
    function book(bytes32 id, uint256 window, Side side, address token, uint256 amount, uint256 period) external;

    /// @notice Pays what has waited long enough to `side`'s party. Anyone may call.
    function release(Terms calldata terms, uint256 window, Side side) external returns (uint256 amount);

    /// @notice Freezes what of the other party's waiting payment depends on unknown intervals. Takes the terms' deposit from the
    /// caller, which a party forfeits to the other if it is awarded nothing. Once per party and window.
    /// @dev Freezes at most `paid + due - least` of the consumer's payments and `most - paid` of the provider's, with the escrow's
    /// `bounds`, `windowOf` and `claimable`. So, whoever disputes and however the arbiter rules, the consumer ends up between the
    /// bounds, when the window is settled. Reverts while the oracle gives no sound answer, since the bounds are not known then.
    /// @param side Whose payment is disputed; the caller is the other party.
    function dispute(Terms calldata terms, uint256 window, Side side) external returns (uint256 disputed);

    /// @notice Decides a dispute. Only the arbiter of the terms may, until `rulingBy`, 30 days after the dispute began.
    /// @param award How much of the disputed amount goes to the party that disputed it.
    function rule(Terms calldata terms, uint256 window, Side side, uint256 award) external;

    /// @notice Ends a dispute on which the arbiter was silent: the payment stands, the deposit returns. Anyone may call.
    function lapse(Terms calldata terms, uint256 window, Side side) external;

    /// @notice What waits for `side`: `matured` may be released now, two more amounts from the times given on [s, UNIX time].
    /// Those times never move back, and that of `maturing` does not move at all.
    function waiting(
        bytes32 id,
        uint256 window,
        Side side
    )
        external
        view
        returns (uint256 matured, uint256 maturing, uint256 maturesAt, uint256 later, uint256 laterMaturesAt);

    /// @notice The dispute of `side`'s payment.
    function disputeOf(
        bytes32 id,
        uint256 window,
        Side side
    ) external view returns (DisputeStatus status, uint256 disputed, uint256 rulingBy);

    /// @notice Whose payments wait here.
    function escrow() external view returns (ISLAEscrow);
}
