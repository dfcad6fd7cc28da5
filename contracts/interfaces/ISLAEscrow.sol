// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef} from "./IMonitoringOracle.sol";

/// @dev What a credit tier looks at, in one window of one feed.
enum Measure {
    /// Availability (planned - bad) / planned is strictly below `limit` [ppm].
    AvailabilityBelow,
    /// At least `limit` intervals were bad.
    BadIntervalsAtLeast,
    /// At least `limit` intervals in a row were bad.
    BadRunAtLeast
}

/// @dev How the credits of several service levels combine.
enum Combination {
    Sum,
    Worst
}

/// @dev What an unknown interval counts as. `Excluded` and `Good` leave it among the good ones of the denominator.
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

/// @dev What both parties sign. The agreement's id is the EIP-712 hash of these terms.
/// @param token ERC-20 of the fee. Tokens that deliver less than asked are refused, rebasing ones unsupported.
/// @param oracle `IMonitoringOracle` that judges all feeds.
/// @param start Begin of window 0 [s, UNIX time, UTC]; a window of every feed begins there (rule 8).
/// @param openBy Last time at which the agreement may be opened [s, UNIX time], at most `start` (rule 1).
/// @param feePerWindow [units of the token's decimals].
/// @param windows Number of billing windows.
/// @param prepaidWindows How many of them are paid when the agreement is opened.
/// @param creditCap Most that a window can cost the provider [bps of its fee], 1 to 10,000.
/// @param unknownLimit Share of unknown intervals [ppm of planned] above which a window's credit is at least `unknownCredit`.
/// @param unknownCredit [bps of the window's fee].
/// @param document Hash of the full, private SLA document.
/// @param salt Makes equal terms distinct agreements.
struct Terms {
    address provider;
    address consumer;
    address token;
    address oracle;
    uint40 start;
    uint40 openBy;
    uint128 feePerWindow;
    uint16 windows;
    uint16 prepaidWindows;
    Level[] levels;
    Combination combination;
    uint16 creditCap;
    UnknownPolicy unknownPolicy;
    uint32 unknownLimit;
    uint16 unknownCredit;
    bytes32 document;
    bytes32 salt;
}

/// @dev None: never seen. Open: signed by both and registered. Revoked: will never be opened. Both ends are cold: the id
/// is used up (rule 21).
enum AgreementStatus {
    None,
    Open,
    Revoked
}

/// @dev Unfunded: lapses when it begins. Funded: its fee is held. Closed: nothing of it is held.
enum WindowStatus {
    Unfunded,
    Funded,
    Closed
}

/// @title An SLA that pays its own penalties
/// @notice Holds the consumer's fee per window, pays the consumer what the oracle's tally makes certain, the moment anyone
/// asks for it, and the provider the rest when the window is judged. No owner, no admin, no upgrade: the terms decide.
///
/// Safe as long as the token does not take from this contract more than it is told to and the oracle of the terms is
/// the one both meant. Live whatever the oracle does: after `expiryOf` a window can always be closed.
interface ISLAEscrow {
    /// @notice Both parties have signed these terms.
    event Opened(
        bytes32 indexed id,
        address indexed provider,
        address indexed consumer,
        address token,
        uint256 feePerWindow,
        uint256 windows,
        bytes32 document
    );

    /// @notice A party has ruled out that this id is ever opened.
    event Revoked(bytes32 indexed id, address indexed party);

    /// @notice `payer` paid `amount` for windows [first, first + count).
    event Funded(bytes32 indexed id, uint256 first, uint256 count, uint256 amount, address indexed payer);

    /// @notice The window's credit is now certain to be at least `credit` [bps]; the consumer is paid `amount` more.
    event Settled(bytes32 indexed id, uint256 indexed window, uint256 credit, uint256 amount);

    /// @notice The window is over: of its fee the consumer got `toConsumer` in all, the provider gets `toProvider`.
    event Closed(bytes32 indexed id, uint256 indexed window, uint256 credit, uint256 toConsumer, uint256 toProvider);

    /// @notice A payment could not be delivered; `payee` can withdraw it.
    event Withheld(address indexed token, address indexed payee, uint256 amount);

    /// @notice `payee` withdrew what had been withheld.
    event Withdrawn(address indexed token, address indexed payee, address to, uint256 amount);

    error SLAEscrow_Party(address provider, address consumer);
    error SLAEscrow_NoContract(address account);
    error SLAEscrow_Times(uint256 openBy, uint256 start);
    error SLAEscrow_NoFee();
    error SLAEscrow_Windows(uint256 prepaidWindows, uint256 windows);
    error SLAEscrow_Levels(uint256 levels);
    /// @dev Level `level` has more than the allowed number of tiers, or no credit at all.
    error SLAEscrow_Tiers(uint256 level, uint256 tiers);
    error SLAEscrow_Tier(uint256 level, uint256 tier);
    error SLAEscrow_Credit(uint256 credit);
    error SLAEscrow_UnknownLimit(uint256 limit);
    /// @dev No window of level `level`'s feed begins at `start`, or its windows differ in length from those of level 0.
    error SLAEscrow_WindowsDiffer(uint256 level);

    /// @dev The id is open already, or was revoked.
    error SLAEscrow_IdUsed(bytes32 id, AgreementStatus status);
    error SLAEscrow_TooLateToOpen(uint256 openBy);
    error SLAEscrow_InvalidSignature(address party);
    /// @dev The feed of level `level` has judged intervals of the first window: the outcome is no longer open (rule 1).
    error SLAEscrow_AlreadyJudged(uint256 level);
    error SLAEscrow_NotParty(address caller);

    error SLAEscrow_NotOpen(bytes32 id);
    error SLAEscrow_NoWindows(uint256 first, uint256 count, uint256 windows);
    /// @dev The window began at `began` without being funded, and has lapsed (rule 11).
    error SLAEscrow_WindowBegan(uint256 window, uint256 began);
    error SLAEscrow_WindowNot(uint256 window, WindowStatus expected, WindowStatus actual);
    error SLAEscrow_ReceivedLess(uint256 asked, uint256 received);

    /// @dev Not all of the window is judged; until `expiry` [s, UNIX time] only the oracle can complete it.
    error SLAEscrow_NotJudged(uint256 window, uint256 expiry);
    /// @dev The oracle gave no sound answer for the feed of level `level`; from `expiry` on that counts as unknown.
    error SLAEscrow_OracleFailed(uint256 level, uint256 expiry);
    error SLAEscrow_MoreGasNeeded(uint256 gas);
    /// @dev Of `asked` tokens, `left` left this contract: more than asked, or not all of a withdrawal.
    error SLAEscrow_NotDelivered(address token, uint256 asked, uint256 left);
    error SLAEscrow_NothingToWithdraw(address token, address payee);

    /// @notice Opens an agreement. Anyone may bring the signatures; the fee of the prepaid windows comes from the caller's
    /// allowance (rule 12).
    /// @param providerSignature EIP-712 signature over the terms, of an EOA or by ERC-1271.
    /// @param consumerSignature The same of the consumer.
    function open(
        Terms calldata terms,
        bytes calldata providerSignature,
        bytes calldata consumerSignature
    ) external returns (bytes32 id);

    /// @notice Rules out for good that these terms are opened. Only a party may, and only before.
    function revoke(Terms calldata terms) external;

    /// @notice Pays for windows [first, first + count) from the caller's allowance. Each must not have begun.
    function fund(Terms calldata terms, uint256 first, uint256 count) external;

    /// @notice Pays the consumer what is newly certain of a window: floor(fee * credit / 10,000) less what was paid.
    /// @dev Anyone may call, any number of times. Does nothing if nothing is due.
    /// @return amount What was paid [units of the token's decimals].
    function settle(Terms calldata terms, uint256 window) external returns (uint256 amount);

    /// @notice Settles a window for the last time and gives the provider the rest of its fee.
    /// @dev Anyone may call once all of the window is judged, or after `expiryOf`: then what is not judged is unknown.
    function close(Terms calldata terms, uint256 window) external returns (uint256 toConsumer, uint256 toProvider);

    /// @notice Sends the caller's withheld payments in `token` to `to`.
    function withdraw(address token, address to) external returns (uint256 amount);

    /// @notice What `settle` and `close` would do now.
    /// @return credit Certain so far [bps of the window's fee].
    /// @return amount What `settle` would pay [units of the token's decimals].
    /// @return closable Whether `close` would succeed, as far as the oracle and the clock go. Reverts with
    /// `SLAEscrow_OracleFailed` where `settle` and `close` would.
    function claimable(
        Terms calldata terms,
        uint256 window
    ) external view returns (uint256 credit, uint256 amount, bool closable);

    /// @notice The agreement's id, which is also the digest that both parties sign.
    function agreementId(Terms calldata terms) external view returns (bytes32);

    /// @notice Status of an agreement.
    function status(bytes32 id) external view returns (AgreementStatus);

    /// @notice Status of a window and what of its fee the consumer was paid [units of the token's decimals].
    function windowOf(bytes32 id, uint256 window) external view returns (WindowStatus windowStatus, uint256 paid);

    /// @notice Time from which anyone may close the window without the oracle [s, UNIX time]: its end + 2 report
    /// deadlines + 30 days (rule 13).
    function expiryOf(Terms calldata terms, uint256 window) external pure returns (uint256);

    /// @notice What this contract owes in a token: fees of funded windows and withheld payments. Between two transactions its
    /// balance may be larger, never smaller; do not read it in a callback of the token.
    function held(address token) external view returns (uint256);

    /// @notice Payments withheld for `payee`.
    function withdrawable(address token, address payee) external view returns (uint256);
}
