// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {
    Batch,
    Endorsement,
    Feed,
    FeedRef,
    IMonitoringOracle,
    Panel,
    Tally,
    Verdict
} from "./interfaces/IMonitoringOracle.sol";
import {FeedStateLib} from "./libraries/FeedStateLib.sol";
import {Measurement} from "./libraries/MeasurementLib.sol";
import {ReadingAgreement} from "./libraries/ReadingAgreement.sol";

/// @title Where signed readings become verdicts
/// @notice See `IMonitoringOracle`, which documents every function, event and error.
contract MonitoringOracle is IMonitoringOracle, EIP712 {
    using FeedStateLib for FeedStateLib.FeedState;

    bytes32 private constant BATCH_TYPEHASH =
        keccak256("Batch(bytes32 feedId,uint32 first,bytes readings,bytes32 evidence)");
    uint256 private constant MAX_REPORTERS = 31;
    uint256 private constant READING_BYTES = 4;

    /// @dev What a report would change, computed before anything is written.
    /// @param closed Packed tallies of the windows that end in this report, from `firstWindow` on. Zero: nothing to write.
    struct Judgement {
        bytes32 feedId;
        uint256 first;
        FeedStateLib.FeedState state;
        uint256 firstWindow;
        uint256[] closed;
        bytes values;
        uint256 heard;
        uint256 dissenters;
    }

    /// @dev A verified batch: intervals [first, end), answered alike by the `weight` reporters in the bitmap `signers`.
    struct Answers {
        uint256 first;
        uint256 end;
        uint256 weight;
        uint256 signers;
        bytes readings;
    }

    mapping(bytes32 feedId => uint256 state) private _states;
    mapping(bytes32 feedId => mapping(uint256 window => uint256 tally)) private _tallies;

    constructor() EIP712("Makegood MonitoringOracle", "1") {}

    // REPORTING

    /// @inheritdoc IMonitoringOracle
    function report(Feed calldata feed, Batch[] calldata batches) external returns (uint32 next) {
        Judgement memory j = _judge(feed, batches);

        _states[j.feedId] = j.state.pack();
        for (uint256 i = 0; i < j.closed.length; ++i) {
            if (j.closed[i] != 0) _tallies[j.feedId][j.firstWindow + i] = j.closed[i];
        }

        emit Judged(j.feedId, uint32(j.first), j.values, j.heard, j.dissenters);
        return uint32(j.state.next);
    }

    /// @inheritdoc IMonitoringOracle
    function skip(Feed calldata feed, uint32 upTo) external {
        bytes32 feedId = feedIdOf(feed);
        Measurement m = feed.measurement;
        FeedStateLib.FeedState memory s = _stateOf(feedId, feed);
        uint256 first = s.next;
        require(upTo > first, MonitoringOracle_AlreadyJudged(first, upTo));
        uint256 end = m.startOf(upTo);
        uint256 availableAt = (end > s.advancedAt ? end : s.advancedAt) + m.deadline();
        require(block.timestamp >= availableAt, MonitoringOracle_TooEarly(upTo - 1, availableAt));

        uint256 length = m.windowIntervals();
        uint256 window = first / length;
        uint256 lastWindow = upTo / length;
        if (lastWindow > window) {
            s.unknown += (window + 1) * length - first;
            // A window of nothing but unknown leaves no slot: `tally` derives it (rule 18).
            if (s.unknown < length) _tallies[feedId][window] = s.packTally();
            s.beginWindow();
            first = lastWindow * length;
        }
        s.unknown += upTo - first;
        s.run = 0;
        emit Skipped(feedId, uint32(s.next), upTo);
        s.next = upTo;
        s.advancedAt = block.timestamp;
        s.value = ReadingAgreement.NO_DATA;
        s.verdict = uint256(Verdict.Unknown);
        _states[feedId] = s.pack();
    }

    // VIEWS

    /// @inheritdoc IMonitoringOracle
    function isReportable(
        Feed calldata feed,
        Batch[] calldata batches
    ) external view returns (uint32 next, bytes memory reason) {
        try this.judgedUpTo(feed, batches) returns (uint32 reached) {
            return (reached, "");
        } catch (bytes memory error) {
            return (0, error);
        }
    }

    /// @notice The feed's next interval after a report of these batches; reverts exactly as `report` would.
    function judgedUpTo(Feed calldata feed, Batch[] calldata batches) external view returns (uint32 next) {
        return uint32(_judge(feed, batches).state.next);
    }

    /// @inheritdoc IMonitoringOracle
    function tally(FeedRef calldata feed, uint32 window) external view returns (Tally memory t) {
        bytes32 feedId = keccak256(abi.encode(feed));
        FeedStateLib.FeedState memory s = FeedStateLib.unpack(_states[feedId]);
        uint256 length = feed.measurement.windowIntervals();
        t.planned = uint32(length);
        if (length == 0) return t;
        uint256 running = s.next / length;

        if (window > running) return t;
        t.judged = uint32(window == running ? s.next % length : length);
        if (window < running) {
            uint256 word = _tallies[feedId][window];
            if (word == 0) {
                t.unknown = t.judged;
                return t;
            }
            s = FeedStateLib.unpack(word);
        }
        t.bad = uint32(s.bad);
        t.unknown = uint32(s.unknown);
        t.notApplicable = uint32(s.notApplicable);
        t.longestRun = uint32(s.longestRun);
    }

    /// @inheritdoc IMonitoringOracle
    function latest(
        bytes32 feedId
    ) external view returns (uint32 next, Verdict verdict, uint32 value, uint40 advancedAt) {
        FeedStateLib.FeedState memory s = FeedStateLib.unpack(_states[feedId]);
        return (uint32(s.next), Verdict(s.verdict), uint32(s.value), uint40(s.advancedAt));
    }

    /// @inheritdoc IMonitoringOracle
    function feedIdOf(Feed calldata feed) public pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(abi.encode(feed.panel)), feed.measurement, feed.descriptor));
    }

    /// @inheritdoc IMonitoringOracle
    function batchDigest(
        bytes32 feedId,
        uint32 first,
        bytes calldata readings,
        bytes32 evidence
    ) external view returns (bytes32) {
        return _batchDigest(feedId, first, keccak256(readings), evidence);
    }

    // JUDGING

    function _judge(Feed calldata feed, Batch[] calldata batches) private view returns (Judgement memory j) {
        j.feedId = feedIdOf(feed);
        j.state = _stateOf(j.feedId, feed);
        j.first = j.state.next;

        (Answers[] memory answers, uint256 end) = _verify(j, feed, batches);
        require(end > j.first, MonitoringOracle_AlreadyJudged(j.first, end));
        _walk(j, feed, answers, end);

        j.state.advancedAt = block.timestamp;
    }

    /// @dev Checks every signature and the clock.
    /// @return answers The batches, verified.
    /// @return end End of the farthest of them.
    function _verify(
        Judgement memory j,
        Feed calldata feed,
        Batch[] calldata batches
    ) private view returns (Answers[] memory answers, uint256 end) {
        require(batches.length != 0, MonitoringOracle_NoBatch());
        answers = new Answers[](batches.length);
        for (uint256 i = 0; i < batches.length; ++i) {
            Batch calldata batch = batches[i];
            bytes memory readings = batch.readings;
            require(
                readings.length != 0 && readings.length % READING_BYTES == 0,
                MonitoringOracle_ReadingsLength(readings.length)
            );
            Answers memory a = answers[i];
            a.first = batch.first;
            a.end = a.first + readings.length / READING_BYTES;
            a.readings = readings;
            a.weight = batch.endorsements.length;
            a.signers = _signers(j, feed.panel.reporters, batch, keccak256(readings));
            if (a.end > end) end = a.end;
        }
        // A reading of an interval that is not over, or not settled, is no measurement.
        uint256 availableAt = feed.measurement.startOf(end) + feed.measurement.settleDelay();
        require(block.timestamp >= availableAt, MonitoringOracle_TooEarly(end - 1, availableAt));
    }

    function _signers(
        Judgement memory j,
        address[] calldata reporters,
        Batch calldata batch,
        bytes32 readingsHash
    ) private view returns (uint256 signers) {
        uint256 heard = j.heard;
        for (uint256 i = 0; i < batch.endorsements.length; ++i) {
            Endorsement calldata e = batch.endorsements[i];
            uint256 reporter = e.reporter;
            require(reporter < reporters.length, MonitoringOracle_UnknownReporter(reporter, reporters.length));
            require(heard & (1 << reporter) == 0, MonitoringOracle_ReporterTwice(reporter));
            heard |= 1 << reporter;
            bytes32 digest = _batchDigest(j.feedId, batch.first, readingsHash, e.evidence);
            (address recovered, , ) = ECDSA.tryRecover(digest, e.r, e.vs);
            require(
                recovered == reporters[reporter],
                MonitoringOracle_WrongSigner(reporter, recovered, reporters[reporter])
            );
        }
        signers = heard ^ j.heard;
        j.heard = heard;
    }

    /// @dev Judges interval by interval, up to the first without agreement (rule 5).
    function _walk(Judgement memory j, Feed calldata feed, Answers[] memory answers, uint256 end) private pure {
        FeedStateLib.FeedState memory s = j.state;
        ReadingAgreement.Rule memory rule = ReadingAgreement.Rule(
            feed.panel.reporters.length,
            feed.panel.quorum,
            feed.panel.tolerance,
            feed.measurement
        );
        uint256 length = feed.measurement.windowIntervals();
        j.firstWindow = s.next / length;
        j.closed = new uint256[](end / length - j.firstWindow);
        uint256 windowEnd = (j.firstWindow + 1) * length;
        uint256 windowsClosed = 0;

        bytes memory values = new bytes((end - s.next) * READING_BYTES);
        uint256 written = 0;
        while (s.next < end) {
            (bool decided, uint256 code) = _answer(j, answers, rule, s.next);
            if (!decided) break;
            _count(s, code, rule.measurement);
            // Each word overlaps the next value; the last one ends in the array's padding.
            assembly ("memory-safe") {
                mstore(add(add(values, 32), written), shl(224, code))
            }
            written += READING_BYTES;
            if (++s.next == windowEnd) {
                if (s.unknown < length) j.closed[windowsClosed] = s.packTally();
                ++windowsClosed;
                windowEnd += length;
                s.beginWindow();
            }
        }
        require(written != 0, MonitoringOracle_NoAgreement(s.next));
        assembly ("memory-safe") {
            mstore(values, written)
        }
        j.values = values;
    }

    /// @dev The answer of interval `number`, from the batches that cover it.
    function _answer(
        Judgement memory j,
        Answers[] memory answers,
        ReadingAgreement.Rule memory rule,
        uint256 number
    ) private pure returns (bool decided, uint256 code) {
        uint256 weight = 0;
        bool unanimous = true;
        for (uint256 i = 0; i < answers.length; ++i) {
            Answers memory a = answers[i];
            if (number < a.first || number >= a.end) continue;
            uint256 answer = _reading(a, number);
            if (weight == 0) code = answer;
            else if (answer != code) unanimous = false;
            weight += a.weight;
        }
        if (unanimous) {
            require(weight != 0 || number != j.first, MonitoringOracle_Gap(number));
            return (weight >= rule.quorum, code);
        }
        (decided, code) = ReadingAgreement.agree(_readings(answers, rule.reporters, number), rule);
        if (decided) j.dissenters |= _dissenters(answers, rule, number, code);
    }

    /// @dev All readings of an interval, numbers in ascending order.
    function _readings(
        Answers[] memory answers,
        uint256 reporters,
        uint256 number
    ) private pure returns (ReadingAgreement.Readings memory readings) {
        uint256[] memory values = new uint256[](reporters);
        uint256 size = 0;
        for (uint256 i = 0; i < answers.length; ++i) {
            Answers memory a = answers[i];
            if (number < a.first || number >= a.end) continue;
            uint256 answer = _reading(a, number);
            if (answer == ReadingAgreement.NO_DATA) {
                readings.noData += a.weight;
            } else if (answer == ReadingAgreement.NOT_APPLICABLE) {
                readings.notApplicable += a.weight;
            } else {
                for (uint256 copies = a.weight; copies != 0; --copies) {
                    uint256 k = size++;
                    for (; k != 0 && values[k - 1] > answer; --k) values[k] = values[k - 1];
                    values[k] = answer;
                }
            }
        }
        // Only ever shortened: no reporter is counted twice.
        assembly ("memory-safe") {
            mstore(values, size)
        }
        readings.values = values;
    }

    /// @dev Reporters whose answer does not support the judged one. Nobody dissents from unknown but those who knew.
    function _dissenters(
        Answers[] memory answers,
        ReadingAgreement.Rule memory rule,
        uint256 number,
        uint256 code
    ) private pure returns (uint256 dissenters) {
        for (uint256 i = 0; i < answers.length; ++i) {
            Answers memory a = answers[i];
            if (number < a.first || number >= a.end) continue;
            if (!ReadingAgreement.backs(_reading(a, number), code, rule)) dissenters |= a.signers;
        }
    }

    function _reading(Answers memory a, uint256 number) private pure returns (uint256 code) {
        bytes memory readings = a.readings;
        uint256 offset = 32 + (number - a.first) * READING_BYTES;
        assembly ("memory-safe") {
            code := shr(224, mload(add(readings, offset)))
        }
    }

    function _count(FeedStateLib.FeedState memory s, uint256 code, Measurement m) private pure {
        Verdict verdict;
        if (code == ReadingAgreement.NO_DATA) {
            verdict = Verdict.Unknown;
            ++s.unknown;
        } else if (code == ReadingAgreement.NOT_APPLICABLE) {
            verdict = Verdict.NotApplicable;
            ++s.notApplicable;
        } else {
            verdict = m.isGood(code) ? Verdict.Good : Verdict.Bad;
        }
        if (verdict == Verdict.Bad) {
            ++s.bad;
            if (++s.run > s.longestRun) s.longestRun = s.run;
        } else {
            s.run = 0;
        }
        s.value = code;
        s.verdict = uint256(verdict);
    }

    // CONFIGURATION

    /// @dev The feed's state. The id binds the configuration, so it needs checking only until the first interval is judged.
    function _stateOf(
        bytes32 feedId,
        Feed calldata feed
    ) private view returns (FeedStateLib.FeedState memory state) {
        uint256 word = _states[feedId];
        if (word == 0) {
            feed.measurement.validate();
            _validate(feed.panel);
        }
        return FeedStateLib.unpack(word);
    }

    /// @dev Rules 9 and 13.
    function _validate(Panel calldata panel) private pure {
        uint256 reporters = panel.reporters.length;
        require(reporters != 0 && reporters <= MAX_REPORTERS, MonitoringOracle_PanelSize(reporters));
        address previous = address(0);
        for (uint256 i = 0; i < reporters; ++i) {
            require(panel.reporters[i] > previous, MonitoringOracle_PanelOrder(i));
            previous = panel.reporters[i];
        }
        uint256 quorum = panel.quorum;
        bool valid = reporters == 1 ? quorum == 1 : quorum > reporters / 2 && quorum < reporters;
        require(valid, MonitoringOracle_Quorum(quorum, reporters));
    }

    function _batchDigest(
        bytes32 feedId,
        uint32 first,
        bytes32 readingsHash,
        bytes32 evidence
    ) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(BATCH_TYPEHASH, feedId, first, readingsHash, evidence)));
    }
}
