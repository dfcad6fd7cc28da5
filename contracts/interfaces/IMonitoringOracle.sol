// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Measurement} from "../libraries/MeasurementLib.sol";

/// @dev What the oracle concludes for an interval. `NotApplicable` counts as good unless a service level removes it (rule 4).
enum Verdict {
    None,
    Good,
    Bad,
    Unknown,
    NotApplicable
}

/// @dev Who measures, and how their readings combine.
/// @param reporters Keys that sign readings (EOAs): 1 to 31, strictly ascending.
/// @param quorum How many readings must agree: 1 of 1, else a majority of all reporters and at most all but one (rule 9).
/// @param tolerance Largest difference between two readings that agree [units of the feed].
struct Panel {
    address[] reporters;
    uint8 quorum;
    uint32 tolerance;
}

/// @dev A feed in full, as reports pass it.
/// @param measurement Times, window, comparison and threshold, packed: see `MeasurementLib`.
/// @param descriptor Salted commitment to what is measured (service, metric, unit). The chain learns nothing else of it.
struct Feed {
    Panel panel;
    Measurement measurement;
    bytes32 descriptor;
}

/// @dev A feed as agreements name it. Its id is the hash of these three words, so it certifies itself.
/// @param panel keccak256(abi.encode(Panel)).
struct FeedRef {
    bytes32 panel;
    Measurement measurement;
    bytes32 descriptor;
}

/// @dev One reporter's signature under a batch of readings.
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

/// @dev What is known of a window [intervals]. Good ones are judged - bad - unknown - notApplicable.
/// @param planned Intervals of the window: the denominator, fixed before the window begins (rule 4).
/// @param judged Intervals judged so far, unknown ones included.
/// @param longestRun Longest run of consecutive bad intervals within the window.
struct Tally {
    uint32 planned;
    uint32 judged;
    uint32 bad;
    uint32 unknown;
    uint32 notApplicable;
    uint32 longestRun;
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
    /// @param values Judged values in the encoding of `Batch.readings`; "no data" stands for unknown.
    /// @param heard Bit i is set if reporter i of the panel signed a batch of this report.
    /// @param dissenters Bit i is set if, for at least one agreed interval, reporter i gave an answer of another kind than the
    /// judged one, on the other side of the threshold, or beyond the tolerance.
    event Judged(bytes32 indexed feedId, uint32 first, bytes values, uint256 heard, uint256 dissenters);

    /// @notice Intervals [first, upTo) were recorded as unknown, because nobody reported them in time.
    event Skipped(bytes32 indexed feedId, uint32 first, uint32 upTo);

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

    /// @notice Judges every interval from the feed's next one on for which the batches hold an agreement.
    /// @dev Anyone may call; only signatures count. A prefix that is judged already is ignored, so a longer report is never
    /// voided by a shorter one (rule 5). An interval without agreement that could be skipped by now is passed as unknown if a
    /// later one is agreed; otherwise judging stops before it. Reverts if not a single interval can be judged, or if a batch reaches beyond
    /// the newest interval whose settle delay is over.
    /// @return next The feed's next unjudged interval.
    function report(Feed calldata feed, Batch[] calldata batches) external returns (uint32 next);

    /// @notice Records [next, upTo) as unknown.
    /// @dev Anyone may call, once now >= max(end of interval upTo - 1, last report of the feed) + report deadline (rule 2).
    function skip(Feed calldata feed, uint32 upTo) external;

    /// @notice What `report` would do now. Costs a relayer nothing.
    /// @return next The feed's next interval after the report; 0 if it would revert.
    /// @return reason The encoded error `report` would revert with; empty if it would succeed.
    function isReportable(
        Feed calldata feed,
        Batch[] calldata batches
    ) external view returns (uint32 next, bytes memory reason);

    /// @notice The tally of window `window` of the feed: final, running, or empty if the window is not reached.
    function tally(FeedRef calldata feed, uint32 window) external view returns (Tally memory);

    /// @notice The last judged interval.
    /// @return next Number of the next interval; 0 means that none was judged, and the other values are 0.
    /// @return verdict Verdict of interval next - 1.
    /// @return value Its judged value [units of the feed], or one of the codes of `Batch.readings`.
    /// @return advancedAt Time of the block of the last report [s, UNIX time]; 0 if there was none. Skips do not count.
    function latest(
        bytes32 feedId
    ) external view returns (uint32 next, Verdict verdict, uint32 value, uint40 advancedAt);

    /// @notice The id of a feed: keccak256(abi.encode(FeedRef)).
    function feedIdOf(Feed calldata feed) external pure returns (bytes32);

    /// @notice The digest a reporter signs for a batch (EIP-712).
    function batchDigest(
        bytes32 feedId,
        uint32 first,
        bytes calldata readings,
        bytes32 evidence
    ) external view returns (bytes32);
}
