// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputeCourt} from "./IDisputeCourt.sol";
import {FeedRef} from "./IMonitoringOracle.sol";

/// @dev What a credit tier looks at, in one window of one feed.
enum Measure {
    /// Availability (planned - bad) / planned is strictly below `limit` [ppm].
    AvailabilityBelow,
    /// At least `limit` intervals were bad.
    BadIntervalsAtLeast,
    /// At least `limit` intervals in a row were bad.
    BadRunAtLeast,
    /// The average value lies beyond `limit` [units of the feed], seen from the best value of the feed's scope (rule 19).
    AverageBeyond
}

/// @dev How the credits of several service levels combine.
enum Combination {
    Sum,
    Worst
}

/// @dev What an unknown interval counts as. `Excluded` and `Good` leave it among the good ones of the denominator; under `Good` it
/// does not count for the share of unknown intervals either.
enum UnknownPolicy {
    Excluded,
    Good,
    Bad
}

/// @dev If `measure` meets `limit`, the consumer is due `credit` [bps of the window's fee].
struct Tier {
    Measure measure;
    uint32 limit;
    uint16 credit;
}

/// @dev A feed with a credit schedule. Its credit is that of the largest tier met plus `creditPerBadInterval` for each bad one.
/// @param creditPerBadInterval [bps of the window's fee].
/// @param removeNotApplicable Whether intervals "not applicable" leave the denominator instead of counting as good.
struct Level {
    FeedRef feed;
    Tier[] tiers;
    uint16 creditPerBadInterval;
    bool removeNotApplicable;
}

/// @dev What both parties sign. The id of the terms is their EIP-712 hash.
/// @param token ERC-20 of the fee. Tokens that deliver less than asked are refused, rebasing ones unsupported.
/// @param oracle `IMonitoringOracle` that judges all feeds.
/// @param previous Id of the terms that these amend or renew, from `start` on; zero for a new agreement (rule 6).
/// @param start Begin of window 0 [s, UNIX time, UTC]; a window of every feed begins there (rule 8).
/// @param openBy Last time at which the agreement may be opened [s, UNIX time], at most `start` (rule 1).
/// @param feePerWindow Below 2^112 [units of the token's decimals]. A short window 0 costs its share (rule 8).
/// @param windows Number of billing windows, 1 to 512.
/// @param prepaidWindows How many of them are paid when the agreement is opened; 0 if there is a bond, or previous terms.
/// @param bond Collateral of the provider without which no window can be funded [units of the token's decimals], or 0.
/// @param creditCap Most that a window can cost the provider [bps of its fee], above 10,000 only if there is a bond.
/// @param unknownLimit Share of unknown intervals [ppm of planned] above which a window's credit is at least `unknownCredit`.
/// @param unknownCredit [bps of the window's fee].
/// @param arbiter Decides disputes; zero: payments are immediate and final.
/// @param challengePeriod How long a payment waits for a dispute [s], 1 to 30 days if there is an arbiter.
/// @param disputeDeposit What a party deposits to dispute a window, and forfeits if it loses [units of the token's decimals].
/// @param breachesToEnd After so many windows with a credit the consumer may end the agreement; 0: never.
/// @param noticePeriod How long before it takes effect either party may end the agreement [s]; 0: never.
/// @param document Hash of the full, private SLA document.
/// @param salt Makes equal terms distinct agreements.
struct Terms {
    address provider;
    address consumer;
    address token;
    address oracle;
    bytes32 previous;
    uint40 start;
    uint40 openBy;
    uint128 feePerWindow;
    uint16 windows;
    uint16 prepaidWindows;
    uint128 bond;
    Level[] levels;
    Combination combination;
    uint16 creditCap;
    UnknownPolicy unknownPolicy;
    uint32 unknownLimit;
    uint16 unknownCredit;
    address arbiter;
    uint32 challengePeriod;
    uint128 disputeDeposit;
    uint16 breachesToEnd;
    uint32 noticePeriod;
    bytes32 document;
    bytes32 salt;
}

/// @dev How both parties end an agreement at any time (rule 10). Its EIP-712 type has the same name and members.
/// @param agreement Id of the terms.
/// @param window All windows from this one on end now, closed ones excepted.
/// @param toProvider What the provider gets of the fees still held for them; the consumer gets the rest [units of the token's
/// decimals]. Credits paid stand. What is closed in the meantime does not count: let it be valid for a short time only.
/// @param validUntil Last time at which it may be used [s, UNIX time].
struct Termination {
    bytes32 agreement;
    uint16 window;
    uint128 toProvider;
    uint40 validUntil;
}

/// @dev None: never seen. Open: signed by both and registered. Ended: windows from `endOf` on are void, those before go on. An id
/// is used once (rule 21).
enum AgreementStatus {
    None,
    Open,
    Ended
}

/// @dev Unfunded: lapses when it begins. Funded: its fee is held. All others are final, and nothing of the fee is held.
/// Closed: settled and paid out. Refunded: ended before it began. Terminated: ended by both. Moved: to the terms that amend these.
enum WindowStatus {
    Unfunded,
    Funded,
    Closed,
    Refunded,
    Terminated,
    Moved
}

/// @title An SLA that pays its own penalties
/// @notice Holds the consumer's fee per window, pays the consumer what the oracle's tally makes certain, the moment anyone
/// asks for it, and the provider the rest when the window is judged. No owner, no admin, no upgrade: the terms decide.
///
/// Safe as long as the token does not take from this contract more than it is told to and the oracle of the terms is
/// the one both meant. Live whatever the oracle does: after `expiryOf` a window can always be closed.
interface ISLAEscrow {
    /// @notice Both parties have signed these terms.
    event Opened(bytes32 indexed id, address indexed provider, address indexed consumer, Terms terms);

    /// @notice The terms `next` take the place of `previous` from its window `window` on; `agreement` is the id of the first of
    /// the chain.
    event Amended(bytes32 indexed agreement, bytes32 indexed previous, bytes32 indexed next, uint256 window);

    /// @notice Windows of the agreement from `window` on are void. `party` ended it; zero: both did.
    event Ended(bytes32 indexed id, uint256 window, address indexed party);

    /// @notice `payer` paid `amount` for windows [first, first + count).
    event Funded(bytes32 indexed id, uint256 first, uint256 count, uint256 amount, address indexed payer);

    /// @notice The window's credit is now certain to be at least `credit` [bps]; the consumer is paid `amount` more.
    event Settled(bytes32 indexed id, uint256 indexed window, uint256 credit, uint256 amount);

    /// @notice The window is over: of its fee and the bond the consumer got `toConsumer` in all, the provider gets `toProvider`.
    event Closed(bytes32 indexed id, uint256 indexed window, uint256 credit, uint256 toConsumer, uint256 toProvider);

    /// @notice The window ended before it began; the consumer gets its fee back.
    event Refunded(bytes32 indexed id, uint256 indexed window, uint256 amount);

    /// @notice Both parties ended the window; the consumer had been paid `paid` of its fee before.
    event Terminated(bytes32 indexed id, uint256 indexed window, uint256 paid);

    /// @notice What both parties agreed on for all windows terminated.
    event Split(bytes32 indexed id, uint256 toConsumer, uint256 toProvider);

    /// @notice `payer` added to the bond of the agreement.
    event BondPosted(bytes32 indexed agreement, uint256 amount, address indexed payer);

    /// @notice The bond paid `amount` of a credit that the window's fee did not cover.
    event BondPaid(bytes32 indexed agreement, bytes32 indexed id, uint256 indexed window, uint256 amount);

    /// @notice The bond could not pay `amount` of a closed window's credit; it stays owed until somebody adds to the bond (rule 23).
    event BondShort(bytes32 indexed agreement, bytes32 indexed id, uint256 indexed window, uint256 amount);

    /// @notice The bond paid `amount` of what it had owed of closed windows.
    event BondMadeGood(bytes32 indexed agreement, uint256 amount);

    /// @notice The provider got the rest of the bond back.
    event BondReleased(bytes32 indexed agreement, uint256 amount);

    /// @notice Payments to `party` go to `to` from now on; zero: to `party` itself.
    event PayoutChanged(address indexed party, address indexed to);

    error SLAEscrow_Party(address provider, address consumer);
    error SLAEscrow_NoContract(address account);
    error SLAEscrow_Times(uint256 openBy, uint256 start);
    /// @dev The fee is 0, for a short window 0 too, or not below 2^112.
    error SLAEscrow_Fee(uint256 feePerWindow);
    error SLAEscrow_Windows(uint256 prepaidWindows, uint256 windows);
    error SLAEscrow_Levels(uint256 levels);
    /// @dev Level `level` has more than the allowed number of tiers, or no credit at all.
    error SLAEscrow_Tiers(uint256 level, uint256 tiers);
    error SLAEscrow_Tier(uint256 level, uint256 tier);
    error SLAEscrow_Credit(uint256 credit);
    error SLAEscrow_UnknownLimit(uint256 limit);
    /// @dev No window of level `level`'s feed begins at `start`, or its windows are not those of level 0.
    error SLAEscrow_WindowsDiffer(uint256 level);
    /// @dev With an arbiter the challenge period is 1 s to 30 days; without one period and deposit are 0.
    error SLAEscrow_Challenge(address arbiter, uint256 challengePeriod, uint256 disputeDeposit);

    /// @dev The id was opened before.
    error SLAEscrow_IdUsed(bytes32 id, AgreementStatus status);
    error SLAEscrow_TooLateToOpen(uint256 openBy);
    /// @dev The feed of level `level` has judged intervals of the first window: the outcome is no longer open (rule 1).
    error SLAEscrow_AlreadyJudged(uint256 level);
    error SLAEscrow_NotParty(address caller);

    error SLAEscrow_NotOpen(bytes32 id);
    error SLAEscrow_NoWindows(uint256 first, uint256 count, uint256 windows);
    /// @dev The window began at `began` without being funded, and has lapsed (rule 11).
    error SLAEscrow_WindowBegan(uint256 window, uint256 began);
    error SLAEscrow_WindowNot(uint256 window, WindowStatus expected, WindowStatus actual);

    /// @dev Not all of the window is judged; until `expiry` [s, UNIX time] only the oracle can complete it.
    error SLAEscrow_NotJudged(uint256 window, uint256 expiry);
    /// @dev The oracle gave no sound answer for the feed of level `level`; from `expiry` on that counts as unknown.
    error SLAEscrow_OracleFailed(uint256 level, uint256 expiry);

    /// @dev Terms with `previous` are opened by `amend`, others by `open`.
    error SLAEscrow_Previous(bytes32 expected, bytes32 actual);
    /// @dev Parties, token and oracle cannot be amended; nor can the fee of funded windows, which the new terms must hold.
    error SLAEscrow_NotAmendable();
    /// @dev No window of the amended terms begins at `start`, nor do they end there.
    error SLAEscrow_NoBoundary(uint256 start);
    error SLAEscrow_TerminationExpired(uint256 validUntil);
    /// @dev The termination is for other terms.
    error SLAEscrow_OtherAgreement(bytes32 agreement);
    /// @dev Nothing of the agreement is left to end from `window` on.
    error SLAEscrow_NothingToEnd(uint256 window);
    /// @dev Of `left` tokens still held the provider cannot get `toProvider`.
    error SLAEscrow_SplitExceedsHeld(uint256 toProvider, uint256 left);
    /// @dev The terms ask for `needed` breached windows (0: never), in ascending order; `given` were shown.
    error SLAEscrow_Breaches(uint256 given, uint256 needed);
    /// @dev Nothing was paid for this window.
    error SLAEscrow_NotBreached(uint256 window);
    error SLAEscrow_NoNoticeAgreed();
    error SLAEscrow_Payout(address to);

    error SLAEscrow_NoBond();
    /// @dev The bond of the terms is not there in full; no window can be funded.
    error SLAEscrow_BondMissing(uint256 needed, uint256 held);
    /// @dev The terms were amended: their bond belongs to the newest ones.
    error SLAEscrow_NotNewest(bytes32 id);
    /// @dev `openWindows` are funded and not closed, or until `lastBegins` [s, UNIX time] more may be funded.
    error SLAEscrow_BondInUse(uint256 openWindows, uint256 lastBegins);

    /// @notice Opens an agreement. Anyone may bring the signatures; the fee of the prepaid windows comes from the caller's
    /// allowance (rule 12).
    /// @param providerSignature EIP-712 signature over the terms, of an EOA or by ERC-1271.
    /// @param consumerSignature The same of the consumer.
    function open(
        Terms calldata terms,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external returns (bytes32 id);

    /// @notice Pays for windows [first, first + count) from the caller's allowance. Each must not have begun.
    function fund(Terms calldata terms, uint256 first, uint256 count) external;

    /// @notice Pays the consumer what is newly certain of a window: floor(fee * credit / 10,000) less what was paid.
    /// @dev Anyone may call, any number of times. Does nothing if nothing is due. Credits beyond the fee come from the bond. With an
    /// arbiter the payment goes to the `court`, where it waits for disputes.
    /// @return amount What was paid [units of the token's decimals].
    function settle(Terms calldata terms, uint256 window) external returns (uint256 amount);

    /// @notice Settles a window for the last time and gives the provider the rest of its fee.
    /// @dev Anyone may call once all of the window is judged, or after `expiryOf`: then what is not judged is unknown.
    function close(Terms calldata terms, uint256 window) external returns (uint256 toConsumer, uint256 toProvider);

    /// @notice Replaces terms from the begin of one of their windows on, or renews them where they end (rule 6).
    /// @dev Anyone may bring the signatures of both under `next`, until `next.openBy`. Funded windows move to the new terms, which
    /// must ask the same fee for them. The bond is that of the whole chain.
    function amend(
        Terms calldata current,
        Terms calldata next,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external returns (bytes32 id);

    /// @notice Ends an agreement at once, as both parties have signed.
    /// @return toConsumer What is left of the fees held after `termination.toProvider`.
    function terminate(
        Terms calldata terms,
        Termination calldata termination,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external returns (uint256 toConsumer);

    /// @notice Ends an agreement at the next begin of a window, by its consumer, after enough breaches. Later windows are refunded.
    /// @param breached Windows with a paid credit, ascending, at least `breachesToEnd`.
    /// @return window The first void window.
    function endForBreaches(Terms calldata terms, uint256[] calldata breached) external returns (uint256 window);

    /// @notice Ends an agreement at the first begin of a window after the notice period, by either party.
    /// @return window The first void window.
    function endByNotice(Terms calldata terms) external returns (uint256 window);

    /// @notice Adds to the bond, from the caller's allowance. What it owes of closed windows is paid at once.
    function postBond(Terms calldata terms, uint256 amount) external;

    /// @notice Gives the provider the rest of the bond, when no window can be funded any more and every funded one is closed.
    /// @dev Anyone may call, with the newest terms of the agreement.
    function releaseBond(Terms calldata terms) external returns (uint256 amount);

    /// @notice Sends the caller's payments, of all its agreements, to another address from now on; zero: to the caller again.
    function setPayout(address to) external;

    /// @notice What `settle` and `close` would do now.
    /// @return credit Certain so far [bps of the window's fee].
    /// @return amount What `settle` would pay [units of the token's decimals].
    /// @return closable Whether `close` would succeed, as far as the oracle and the clock go. Reverts with
    /// `SLAEscrow_OracleFailed` where `settle` and `close` would.
    function claimable(
        Terms calldata terms,
        uint256 window
    ) external view returns (uint256 credit, uint256 amount, bool closable);

    /// @notice Between what an arbiter may decide: the consumer's credit if every unknown interval was good, and if every one was
    /// bad [units of the token's decimals] (rule 16).
    function bounds(Terms calldata terms, uint256 window) external view returns (uint256 least, uint256 most);

    /// @notice The id of terms, which is also the digest that both parties sign.
    function agreementId(Terms calldata terms) external view returns (bytes32);

    /// @notice The digest that both parties sign to end an agreement (EIP-712).
    function terminationDigest(Termination calldata termination) external view returns (bytes32);

    /// @notice The id of the first terms of the chain that `id` amends: the agreement's id, and that of its bond.
    function firstOf(bytes32 id) external view returns (bytes32);

    /// @notice Status of an agreement.
    function status(bytes32 id) external view returns (AgreementStatus);

    /// @notice The number of windows of an agreement: fewer than its terms say once it was ended; 0 if it was never opened.
    function endOf(bytes32 id) external view returns (uint256 window);

    /// @notice Status of a window and what the consumer was paid for it [units of the token's decimals].
    function windowOf(bytes32 id, uint256 window) external view returns (WindowStatus windowStatus, uint256 paid);

    /// @notice The fee of a window [units of the token's decimals]: `feePerWindow`, or its share for a short window 0.
    function feeOf(Terms calldata terms, uint256 window) external pure returns (uint256);

    /// @notice Time from which anyone may close the window without the oracle [s, UNIX time]: its end + 2 report
    /// deadlines + 30 days (rule 13).
    function expiryOf(Terms calldata terms, uint256 window) external pure returns (uint256);

    /// @notice The bond of an agreement, by the id of its first terms.
    /// @return amount Still there. @return owed Of closed windows, beyond what was there. @return openWindows Funded, not closed.
    function bondOf(bytes32 agreement) external view returns (uint256 amount, uint256 owed, uint256 openWindows);

    /// @notice Where payments under terms with an arbiter wait for disputes.
    function court() external view returns (IDisputeCourt);

    /// @notice Where payments to `party` go.
    function payoutOf(address party) external view returns (address);
}
