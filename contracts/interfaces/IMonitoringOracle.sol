// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "../libraries/MeasurementLib.sol";
import {Scope} from "../libraries/ScopeLib.sol";

/// @dev What the oracle concludes for an interval. `NotApplicable` counts as good unless a service level removes it (rule 4).
/// `Excluded`: outside the service hours, or excluded by all parties of the feed.
enum Verdict {
    None,
    Good,
    Bad,
    Unknown,
    NotApplicable,
    Excluded
}

/// @dev Who measures, and how their readings combine.
/// @param reporters Keys that sign readings (EOAs): 1 to 31, strictly ascending.
/// @param quorum How many readings must agree: 1 of 1, else a majority of all reporters and at most all but one (rule 9).
/// @param tolerance Largest difference between two readings that agree [units of the feed].
/// @param parties keccak256(abi.encode(address[])) of those who must all sign an exclusion, or zero if there are none.
struct Panel {
    address[] reporters;
    uint8 quorum;
    uint32 tolerance;
    bytes32 parties;
}

/// @dev A feed in full, as reports pass it.
/// @param measurement Times, window, comparison and threshold, packed: see `MeasurementLib`.
/// @param scope Hours that are not judged and the range of values, packed: see `ScopeLib`. Zero: all hours, any value.
/// @param descriptor Salted commitment to what is measured (service, metric, unit). The chain learns nothing else of it.
struct Feed {
    Panel panel;
    Measurement measurement;
    Scope scope;
    bytes32 descriptor;
}

/// @dev A feed as agreements name it. Its id is the hash of these four words, so it certifies itself.
/// @param panel keccak256(abi.encode(Panel)).
struct FeedRef {
    bytes32 panel;
    Measurement measurement;
    Scope scope;
    bytes32 descriptor;
}

/// @dev A feed of those that share a panel: a `Feed` without it.
struct PanelFeed {
    Measurement measurement;
    Scope scope;
    bytes32 descriptor;
}

/// @dev One reporter's signature under its readings: EIP-712 `Batch(bytes32 root,bytes32 evidence)`.
/// The root is that of a Merkle tree with one leaf per feed, or the leaf itself if there is one:
/// keccak256(bytes.concat(keccak256(abi.encode(feedId, first, keccak256(readings))))).
/// Node k of a tree with n leaves is leaf k for k < n, and else the hash of nodes 2 (k - n) and 2 (k - n) + 1, the smaller first.
/// @param reporter Index into the panel's reporters.
/// @param evidence Hash of the raw answers behind the readings, or zero.
/// @param r First half of the EIP-2098 compact signature.
/// @param vs Second half of it.
struct Endorsement {
    uint8 reporter;
    bytes32 evidence;
    bytes32 r;
    bytes32 vs;
}

/// @dev Readings of consecutive intervals, and the reporters who signed exactly this string.
/// @param first Number of the first interval.
/// @param readings Four bytes per interval, big endian [units of the feed]: 0xFFFFFFFF is "no data", 0xFFFFFFFE "not applicable".
struct Batch {
    uint32 first;
    bytes readings;
    Endorsement[] endorsements;
}

/// @dev Readings of many feeds of one panel, and the reporters who signed exactly these.
/// @param readings For each feed of the call, in order: number of the first interval (4 bytes, big endian), number of
/// intervals (2 bytes), readings as in `Batch`. A count of 0 says nothing of that feed.
/// @param proof Hashes that lead from these feeds' leaves to the signed root (OpenZeppelin multiproof).
/// @param proofFlags Which steps of it combine two known nodes. Feeds stand in the order of their leaves. If these are all the leaves
/// of the tree, there need be neither hashes nor flags.
struct Bundle {
    bytes readings;
    bytes32[] proof;
    bool[] proofFlags;
    Endorsement[] endorsements;
}

/// @dev One reporter's signed readings of one feed, to be held against others of the same reporter.
/// @param proof Merkle path from the feed's leaf to the signed root; empty if the leaf itself was signed.
struct Statement {
    uint32 first;
    bytes readings;
    bytes32[] proof;
    bytes32 evidence;
    bytes32 r;
    bytes32 vs;
}

/// @dev Intervals [first, end) that all parties of a feed have excluded from judgement.
/// @param planned Whether they stay in the denominator, because the window had begun when they were excluded (rule 4).
struct Exclusion {
    uint32 first;
    uint32 end;
    bool planned;
}

/// @dev What is known of a window [intervals]. Good ones are judged - bad - unknown - notApplicable.
/// @param planned Intervals of the window in the service hours and not excluded before it began: the denominator (rule 4).
/// @param judged Planned intervals judged so far, unknown ones included.
/// @param longestRun Longest run of consecutive bad intervals within the window.
/// @param deviation Sum of the distances of the judged values from the scope's best value [units of the feed].
struct Tally {
    uint32 planned;
    uint32 judged;
    uint32 bad;
    uint32 unknown;
    uint32 notApplicable;
    uint32 longestRun;
    uint64 deviation;
}

/// @title Where signed readings become verdicts
/// @notice Reporters sign what they measured; anyone brings it here. The oracle lets readings agree, judges each interval
/// once, strictly in order, and keeps a tally per window that any contract can read. It has no owner, holds no money and
/// knows nothing of agreements: thousands of them may share one feed.
///
/// Safe as long as fewer than `quorum` reporters of a feed collude. Live as long as `quorum` reporters of a feed agree;
/// if they do not, `skip` moves the feed on.
interface IMonitoringOracle {
    /// @notice Intervals from `first` on were judged.
    /// @param values Judged values in the encoding of `Batch.readings`; "no data" stands for unknown. A value outside the scope's
    /// range counts as the nearest in it; what the scope leaves out or the parties excluded does not count.
    /// @param heard Bit i is set if reporter i of the panel signed a batch of this report.
    /// @param dissenters Bit i is set if, for at least one agreed interval, reporter i gave an answer of another kind than the
    /// judged one, on the other side of the threshold, or beyond the tolerance.
    event Judged(bytes32 indexed feedId, uint32 first, bytes values, uint256 heard, uint256 dissenters);

    /// @notice Several feeds of one panel were judged.
    /// @param values For each feed, in order, in the encoding of `Bundle.readings`. A count of 0: see `NotJudged`.
    /// @param dissenters As in `Judged`, for all the feeds together.
    event JudgedMany(bytes32[] feedIds, bytes values, uint256 heard, uint256 dissenters);

    /// @notice A feed of `reportMany` could not be judged, and was left as it was.
    /// @param reason Selector of the error that `report` would have reverted with.
    event NotJudged(bytes32 indexed feedId, bytes4 reason);

    /// @notice Intervals [first, upTo) were recorded as unknown, because nobody reported them in time.
    event Skipped(bytes32 indexed feedId, uint32 first, uint32 upTo);

    /// @notice All parties of the feed excluded intervals [first, end) from judgement.
    /// @param planned Whether they stay in the denominator, as good ones.
    event Excluded(bytes32 indexed feedId, uint32 first, uint32 end, bool planned);

    /// @notice Reporter `reporter` of the panel signed two answers, `one` and `other`, for one interval. Its readings no longer count.
    event Equivocated(
        bytes32 indexed panel,
        address indexed reporter,
        bytes32 feedId,
        uint32 interval,
        uint32 one,
        uint32 other
    );

    error MonitoringOracle_PanelSize(uint256 reporters);
    error MonitoringOracle_PanelOrder(uint256 index);
    error MonitoringOracle_Quorum(uint256 quorum, uint256 reporters);
    error MonitoringOracle_NoBatch();
    error MonitoringOracle_ReadingsLength(uint256 length);
    error MonitoringOracle_UnknownReporter(uint256 reporter, uint256 reporters);
    error MonitoringOracle_ReporterTwice(uint256 reporter);
    error MonitoringOracle_WrongSigner(uint256 reporter, address recovered, address expected);
    /// @dev Interval `interval` cannot be judged before `availableAt` [s, UNIX time].
    error MonitoringOracle_TooEarly(uint256 interval, uint256 availableAt);
    /// @dev All of [.., upTo) is judged already: the feed stands at `next`.
    error MonitoringOracle_AlreadyJudged(uint256 next, uint256 upTo);
    /// @dev The batches leave a gap: none covers `next`.
    error MonitoringOracle_Gap(uint256 next);
    /// @dev Too few of the readings presented for `interval` agree, and not all reporters were heard.
    error MonitoringOracle_NoAgreement(uint256 interval);

    /// @dev The accounts given are not the feed's parties, or it has none.
    error MonitoringOracle_Parties();
    /// @dev Intervals [first, end) are not within one window of the feed.
    error MonitoringOracle_Span(uint256 first, uint256 end);
    /// @dev What begins at `begin` [s, UNIX time] had to be excluded `notice` [s] before.
    error MonitoringOracle_NoticeTooShort(uint256 begin, uint256 notice);
    /// @dev Intervals [first, end) are excluded already.
    error MonitoringOracle_Overlap(uint256 first, uint256 end);
    /// @dev `excluded` intervals of one window would be more than the allowance, or the window has 8 exclusions.
    error MonitoringOracle_Allowance(uint256 excluded, uint256 allowance);

    /// @dev At least one of two statements says nothing of the interval, or both say the same.
    error MonitoringOracle_NoContradiction(uint256 interval);
    /// @dev No reporter of the panel has equivocated.
    error MonitoringOracle_NothingIgnored();

    /// @notice Judges every interval from the feed's next one on, and before `upTo`, for which the batches hold an agreement.
    /// @dev Anyone may call; only signatures count. A prefix that is judged already is ignored, so a longer report is never
    /// voided by a shorter one (rule 5). An interval without agreement that could be skipped by now is passed as unknown if a
    /// later one is agreed, an excluded one at once; otherwise judging stops before it. Reverts if not a single interval can
    /// be judged, or if batches and `upTo` reach beyond the newest interval whose settle delay is over.
    /// @param upTo Lets a batch that is too long for one transaction be judged in parts; 2^32 - 1 for all of it.
    /// @return next The feed's next unjudged interval.
    function report(Feed calldata feed, uint32 upTo, Batch[] calldata batches) external returns (uint32 next);

    /// @notice Judges many feeds of one panel; each signature covers all feeds of its bundle.
    /// @dev As `report` for every feed, at a fraction of the cost. A feed that cannot be judged now does not keep the others
    /// (`NotJudged`); readings or signatures that are malformed make the whole call revert.
    /// @return judged How many of the feeds were judged.
    function reportMany(
        Panel calldata panel,
        PanelFeed[] calldata feeds,
        Bundle[] calldata bundles
    ) external returns (uint256 judged);

    /// @notice Records [next, upTo) as unknown.
    /// @dev Anyone may call, once now >= max(end of interval upTo - 1, last report of the feed) + report deadline (rule 2).
    function skip(Feed calldata feed, uint32 upTo) external;

    /// @notice Excludes intervals [first, end) of one window, which no report has reached, from judgement (rule 20).
    /// @dev Anyone may bring the signatures of all parties over `Exclusion(bytes32 feedId,uint32 first,uint32 end)`, at least
    /// the feed's notice before `first` begins. Exclusions of a window are disjoint, at most 8, and within its allowance.
    /// @param parties As hashed in the panel.
    /// @param signatures One for each party, of an EOA or by ERC-1271.
    function exclude(
        Feed calldata feed,
        uint32 first,
        uint32 end,
        address[] calldata parties,
        bytes[] calldata signatures
    ) external;

    /// @notice Shows that a reporter signed two different answers for one interval. From now on its readings do not count for this
    /// feed, and after `heed` for no feed of the panel; the quorum stays, nothing judged is reopened (rule 17).
    function proveEquivocation(
        Feed calldata feed,
        uint8 reporter,
        uint32 interval,
        Statement calldata one,
        Statement calldata other
    ) external;

    /// @notice Makes a feed heed what was proven against reporters of its panel on another feed.
    function heed(Feed calldata feed) external;

    /// @notice What `report` would do now. Costs a relayer nothing.
    /// @return next The feed's next interval after the report; 0 if it would revert.
    /// @return reason The encoded error `report` would revert with; empty if it would succeed, or if the call's gas did not suffice.
    function isReportable(
        Feed calldata feed,
        uint32 upTo,
        Batch[] calldata batches
    ) external view returns (uint32 next, bytes memory reason);

    /// @notice The tally of window `window` of the feed: final, running, or empty if the window is not reached.
    function tally(FeedRef calldata feed, uint32 window) external view returns (Tally memory);

    /// @notice The last judged interval.
    /// @return next Number of the next interval; 0 means that none was judged, and the other values are 0.
    /// @return verdict Verdict of interval next - 1.
    /// @return advancedAt Time of the block of the last report [s, UNIX time]; 0 if there was none. Skips do not count.
    function latest(bytes32 feedId) external view returns (uint32 next, Verdict verdict, uint40 advancedAt);

    /// @notice What the parties excluded from a window of the feed, in the order in which they did.
    function exclusions(bytes32 feedId, uint32 window) external view returns (Exclusion[] memory);

    /// @notice Bit i is set if reporter i of the panel has equivocated.
    /// @param panel keccak256(abi.encode(Panel)).
    function ignored(bytes32 panel) external view returns (uint256 reporters);

    /// @notice The id of a feed: keccak256(abi.encode(FeedRef)).
    function feedIdOf(Feed calldata feed) external pure returns (bytes32);

    /// @notice The leaf of a feed in the tree whose root a reporter signs; for a single feed it is the root.
    function leafOf(bytes32 feedId, uint32 first, bytes calldata readings) external pure returns (bytes32);

    /// @notice The digest a reporter signs (EIP-712).
    function batchDigest(bytes32 root, bytes32 evidence) external view returns (bytes32);

    /// @notice The digest that all parties of a feed sign to exclude intervals [first, end) (EIP-712).
    function exclusionDigest(bytes32 feedId, uint32 first, uint32 end) external view returns (bytes32);
}
