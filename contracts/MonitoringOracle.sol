// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {
    Batch,
    Bundle,
    Endorsement,
    Feed,
    FeedRef,
    IMonitoringOracle,
    Panel,
    PanelFeed,
    Tally,
    Verdict
} from "./interfaces/IMonitoringOracle.sol";
import {Answers} from "./libraries/AnswersLib.sol";
import {BundleLib} from "./libraries/BundleLib.sol";
import {FeedState} from "./libraries/FeedStateLib.sol";
import {Measurement} from "./libraries/MeasurementLib.sol";
import {MerkleLib} from "./libraries/MerkleLib.sol";
import {ReadingAgreement} from "./libraries/ReadingAgreement.sol";
import {ReadingsLib} from "./libraries/ReadingsLib.sol";
import {Scope} from "./libraries/ScopeLib.sol";
import {Judging} from "./oracle/Judging.sol";

/// @title Where signed readings become verdicts
/// @notice See `IMonitoringOracle`, which documents every function, event and error.
contract MonitoringOracle is Judging {
    using Arrays for bytes32[];

    constructor() EIP712("Makegood MonitoringOracle", "1") {}

    // REPORTING

    /// @inheritdoc IMonitoringOracle
    function report(Feed calldata feed, uint32 upTo, Batch[] calldata batches) external returns (uint32 next) {
        Judgement memory j;
        uint256 heard = _open(j, feed, upTo, batches);
        _judgeAndStore(j);
        if (j.judged == 0) _fail(j);
        emit Judged(j.feedId, uint32(j.first), ReadingsLib.take(j.values, j.judged), heard, j.dissenters);
        return uint32(j.first + j.judged);
    }

    /// @inheritdoc IMonitoringOracle
    function reportMany(
        Panel calldata panel,
        PanelFeed[] calldata feeds,
        Bundle[] calldata bundles
    ) external returns (uint256 count) {
        Judgement memory j;
        _begin(j, panel);
        bytes32[] memory feedIds = _feedIds(j.panelHash, feeds);
        uint256 heard = _openBundles(j, bundles, feedIds);

        uint256[] memory judged = new uint256[](feedIds.length);
        unchecked {
            for (uint256 i = 0; i < judged.length; ++i) {
                j.feedId = feedIds.unsafeMemoryAccess(i);
                judged[i] = _judgeNext(j, panel, feeds[i]);
                if (j.judged != 0) ++count;
            }
        }
        emit JudgedMany(feedIds, BundleLib.join(judged), heard, j.dissenters);
    }

    /// @inheritdoc IMonitoringOracle
    function skip(Feed calldata feed, uint32 upTo) external {
        Measurement m = feed.measurement;
        (bytes32 feedId, FeedState s) = _load(feed);
        uint256 first = s.next();
        require(upTo > first, MonitoringOracle_AlreadyJudged(first, upTo));
        uint256 availableAt = m.skippableAt(upTo, s.advancedAt());
        require(block.timestamp >= availableAt, MonitoringOracle_TooEarly(upTo - 1, availableAt));
        emit Skipped(feedId, uint32(first), upTo);

        Plan memory plan = _plan(feedId, m, feed.scope, s.isGuarded());
        uint256 window = m.windowOf(first);
        uint256 lastWindow = m.windowOf(upTo);
        if (lastWindow > window) {
            (, uint256 rest) = _countable(plan, window, first, m.windowBegin(window + 1));
            s = s.countUnknown(rest);
            // A window of nothing but unknown leaves no slot: `tally` derives it (rule 18).
            if (!_isAllUnknown(s, plan, window)) _tallies[feedId][window] = s.tally();
            s = s.beginWindow();
            first = m.windowBegin(lastWindow);
        }
        (, uint256 unknown) = _countable(plan, lastWindow, first, upTo);
        Verdict verdict = _isLeftOut(plan, upTo - 1) ? Verdict.Excluded : Verdict.Unknown;
        // Only reports move the clock of rule 2: skips in small steps must not stall the feed.
        _states[feedId] = s.countUnknown(unknown).advance(upTo, s.advancedAt(), verdict);
    }

    // VIEWS

    /// @inheritdoc IMonitoringOracle
    function isReportable(
        Feed calldata,
        uint32,
        Batch[] calldata
    ) external view returns (uint32 next, bytes memory reason) {
        // The arguments are the same, so they need not be encoded again.
        (bool success, bytes memory result) = address(this).staticcall(
            bytes.concat(this.judgedUpTo.selector, msg.data[4:])
        );
        return success ? (abi.decode(result, (uint32)), bytes("")) : (0, result);
    }

    /// @notice The feed's next interval after a report of these batches; reverts exactly as `report` would.
    function judgedUpTo(
        Feed calldata feed,
        uint32 upTo,
        Batch[] calldata batches
    ) external view returns (uint32 next) {
        Judgement memory j;
        _open(j, feed, upTo, batches);
        _judge(j);
        if (j.judged == 0) _fail(j);
        return uint32(j.first + j.judged);
    }

    /// @inheritdoc IMonitoringOracle
    function tally(FeedRef calldata feed, uint32 window) external view returns (Tally memory t) {
        Measurement m = feed.measurement;
        if (m.interval() == 0) return t;
        bytes32 feedId = _feedId(feed.panel, m, feed.scope, feed.descriptor);
        (uint256 begin, uint256 end) = (m.windowBegin(window), m.windowBegin(uint256(window) + 1));
        (uint256 planned, uint256 countable) = _countableOf(feedId, m, feed.scope, window, begin, end);
        t.planned = uint32(planned);

        // A window that is over was probably closed. Then its tally is final, and the feed's state need not be read.
        FeedState s;
        if (block.timestamp >= m.startOf(end)) s = _tallies[feedId][window];
        if (FeedState.unwrap(s) == 0) {
            s = _states[feedId];
            uint256 next = s.next();
            if (next >= end) {
                (t.judged, t.unknown) = (uint32(planned), uint32(countable));
                return t;
            }
            if (next <= begin) return t;
            (planned, ) = _countableOf(feedId, m, feed.scope, window, begin, next);
        }
        t.judged = uint32(planned);
        t.bad = uint32(s.bad());
        t.unknown = uint32(s.unknown());
        t.notApplicable = uint32(s.notApplicable());
        t.longestRun = uint32(s.longestRun());
        t.deviation = uint64(s.deviation());
    }

    /// @inheritdoc IMonitoringOracle
    function latest(bytes32 feedId) external view returns (uint32 next, Verdict verdict, uint40 advancedAt) {
        FeedState s = _states[feedId];
        return (uint32(s.next()), s.verdict(), uint40(s.advancedAt()));
    }

    /// @inheritdoc IMonitoringOracle
    function feedIdOf(Feed calldata feed) external pure returns (bytes32) {
        (bytes32 panelHash, ) = _hashPanel(feed.panel);
        return _feedId(panelHash, feed.measurement, feed.scope, feed.descriptor);
    }

    // INTERNAL

    /// @dev How many of intervals [from, to), all of window `window`, are planned, and judged: see `_countable`. Without an
    /// allowance nothing can be excluded.
    function _countableOf(
        bytes32 feedId,
        Measurement m,
        Scope scope,
        uint256 window,
        uint256 from,
        uint256 to
    ) private view returns (uint256 planned, uint256 judged) {
        if (Scope.unwrap(scope) == 0) return (to - from, to - from);
        return _countable(_plan(feedId, m, scope, scope.allowance() != 0), window, from, to);
    }

    /// @dev What is the same for all feeds of a panel.
    function _begin(Judgement memory j, Panel calldata panel) private pure {
        (j.panelHash, j.reporters) = _hashPanel(panel);
        ReadingAgreement.Rule memory rule = j.rule;
        (rule.reporters, rule.quorum, rule.tolerance) = (j.reporters.length, panel.quorum, panel.tolerance);
    }

    /// @dev A feed, and what was signed of it.
    function _open(
        Judgement memory j,
        Feed calldata feed,
        uint32 upTo,
        Batch[] calldata batches
    ) private view returns (uint256 heard) {
        require(batches.length != 0, MonitoringOracle_NoBatch());
        _begin(j, feed.panel);
        ReadingAgreement.Rule memory rule = j.rule;
        (rule.measurement, rule.scope) = (feed.measurement, feed.scope);
        j.feedId = _feedId(j.panelHash, rule.measurement, rule.scope, feed.descriptor);
        j.state = _stateOf(j.feedId, feed.panel, rule.measurement, rule.scope);
        j.first = j.state.next();
        j.upTo = upTo;

        j.answers = new Answers[](batches.length);
        for (uint256 i = 0; i < batches.length; ++i) heard |= _openBatch(j, j.answers[i], batches[i], heard);
    }

    /// @dev Checks the signatures of a batch. Returns who signed.
    function _openBatch(
        Judgement memory j,
        Answers memory a,
        Batch calldata batch,
        uint256 heard
    ) private view returns (uint256 signers) {
        bytes memory readings = batch.readings;
        require(
            readings.length != 0 && readings.length % ReadingsLib.BYTES == 0,
            MonitoringOracle_ReadingsLength(readings.length)
        );
        uint256 first = batch.first;
        Endorsement[] calldata endorsements = batch.endorsements;
        signers = _signers(j.reporters, endorsements, _leaf(j.feedId, first, keccak256(readings)), heard);
        a.first = first;
        unchecked {
            // 32 bits, and the length of a string.
            a.end = first + readings.length / ReadingsLib.BYTES;
        }
        a.values = ReadingsLib.start(readings);
        a.weight = endorsements.length;
        a.signers = signers;
    }

    function _feedIds(
        bytes32 panelHash,
        PanelFeed[] calldata feeds
    ) private pure returns (bytes32[] memory feedIds) {
        feedIds = new bytes32[](feeds.length);
        unchecked {
            for (uint256 i = 0; i < feedIds.length; ++i) {
                PanelFeed calldata feed = feeds[i];
                feedIds[i] = _feedId(panelHash, feed.measurement, feed.scope, feed.descriptor);
            }
        }
    }

    /// @dev Checks the signatures of all bundles.
    /// @return heard Bitmap of all who signed. `j.answers` are placed before the first feed of each bundle.
    function _openBundles(
        Judgement memory j,
        Bundle[] calldata bundles,
        bytes32[] memory feedIds
    ) private view returns (uint256 heard) {
        require(bundles.length != 0, MonitoringOracle_NoBatch());
        j.answers = new Answers[](bundles.length);
        for (uint256 i = 0; i < bundles.length; ++i) {
            Bundle calldata bundle = bundles[i];
            Answers memory a = j.answers[i];
            bytes memory readings = bundle.readings;
            bytes32[] memory leaves = _leaves(a, feedIds, readings);
            bytes32 root = MerkleLib.root(leaves, bundle.proof, bundle.proofFlags);
            Endorsement[] calldata endorsements = bundle.endorsements;
            a.weight = endorsements.length;
            a.signers = _signers(j.reporters, endorsements, root, heard);
            heard |= a.signers;
            BundleLib.begin(a, readings);
        }
    }

    /// @dev The leaves of the feeds of which a bundle says anything.
    function _leaves(
        Answers memory a,
        bytes32[] memory feedIds,
        bytes memory readings
    ) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](feedIds.length);
        uint256 size = 0;
        BundleLib.begin(a, readings);
        for (uint256 i = 0; i < feedIds.length; ++i) {
            uint256 count = BundleLib.next(a);
            if (count != 0) leaves[size++] = _leaf(feedIds.unsafeMemoryAccess(i), a.first, ReadingsLib.hash(a.values, count));
        }
        require(size != 0 && BundleLib.isAtEnd(a, readings), MonitoringOracle_ReadingsLength(readings.length));
        assembly ("memory-safe") {
            mstore(leaves, size)
        }
    }

    /// @dev Judges one of many feeds. Returns what `BundleLib.join` needs of it.
    function _judgeNext(
        Judgement memory j,
        Panel calldata panel,
        PanelFeed calldata feed
    ) private returns (uint256) {
        Answers[] memory answers = j.answers;
        unchecked {
            for (uint256 i = 0; i < answers.length; ++i) BundleLib.next(answers[i]);
        }
        ReadingAgreement.Rule memory rule = j.rule;
        (rule.measurement, rule.scope) = (feed.measurement, feed.scope);
        j.state = _stateOf(j.feedId, panel, rule.measurement, rule.scope);
        uint256 first = j.state.next();
        uint256 upTo = first + BundleLib.MAX_COUNT;
        if (upTo > type(uint32).max) upTo = type(uint32).max;
        (j.first, j.upTo, j.judged) = (first, upTo, 0);
        if (j.closed.length != 0) delete j.closed;
        _judgeAndStore(j);
        if (j.judged == 0) emit NotJudged(j.feedId, j.failure);
        return BundleLib.pack(j.values, first, j.judged);
    }
}
