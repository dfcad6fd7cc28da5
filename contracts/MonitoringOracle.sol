// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

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
import {FeedState} from "./libraries/FeedStateLib.sol";
import {Measurement} from "./libraries/MeasurementLib.sol";
import {ReadingAgreement} from "./libraries/ReadingAgreement.sol";
import {ReadingsLib} from "./libraries/ReadingsLib.sol";

/// @title Where signed readings become verdicts
/// @notice See `IMonitoringOracle`, which documents every function, event and error.
contract MonitoringOracle is IMonitoringOracle, EIP712 {
    using ReadingsLib for bytes;

    bytes32 private constant BATCH_TYPEHASH =
        keccak256("Batch(bytes32 feedId,uint32 first,bytes readings,bytes32 evidence)");
    uint256 private constant MAX_REPORTERS = 31;

    /// @dev What a report would change, computed before anything is written.
    /// @param first The feed's next interval before the report.
    /// @param state The feed's state after it.
    /// @param closed Tallies of the windows that end in it, from `firstWindow` on. Zero: nothing to write.
    struct Judgement {
        bytes32 feedId;
        uint256 first;
        FeedState state;
        uint256 firstWindow;
        FeedState[] closed;
        bytes values;
        uint256 heard;
        uint256 dissenters;
    }

    /// @dev What a reporter signs, as EIP-712 encodes it.
    struct Message {
        bytes32 typehash;
        bytes32 feedId;
        uint256 first;
        bytes32 readingsHash;
        bytes32 evidence;
    }

    /// @dev A verified batch: intervals [first, end), answered alike by the `weight` reporters in the bitmap `signers`.
    struct Answers {
        uint256 first;
        uint256 end;
        uint256 weight;
        uint256 signers;
        bytes readings;
    }

    mapping(bytes32 feedId => FeedState) private _states;
    mapping(bytes32 feedId => mapping(uint256 window => FeedState)) private _tallies;

    constructor() EIP712("Makegood MonitoringOracle", "1") {}

    // REPORTING

    /// @inheritdoc IMonitoringOracle
    function report(Feed calldata feed, Batch[] calldata batches) external returns (uint32 next) {
        Judgement memory j = _judge(feed, batches);

        _states[j.feedId] = j.state;
        for (uint256 i = 0; i < j.closed.length; ++i) {
            if (FeedState.unwrap(j.closed[i]) != 0) _tallies[j.feedId][j.firstWindow + i] = j.closed[i];
        }

        emit Judged(j.feedId, uint32(j.first), j.values, j.heard, j.dissenters);
        return uint32(j.state.next());
    }

    /// @inheritdoc IMonitoringOracle
    function skip(Feed calldata feed, uint32 upTo) external {
        Panel calldata panel = feed.panel;
        Measurement m = feed.measurement;
        (bytes32 feedId, ) = _identify(feed);
        FeedState s = _stateOf(feedId, panel, m);
        uint256 first = s.next();
        require(upTo > first, MonitoringOracle_AlreadyJudged(first, upTo));
        uint256 availableAt = m.skippableAt(upTo, s.advancedAt());
        require(block.timestamp >= availableAt, MonitoringOracle_TooEarly(upTo - 1, availableAt));
        emit Skipped(feedId, uint32(first), upTo);

        uint256 length = m.windowIntervals();
        uint256 window = first / length;
        uint256 lastWindow = upTo / length;
        if (lastWindow > window) {
            s = s.countUnknown((window + 1) * length - first);
            // A window of nothing but unknown leaves no slot: `tally` derives it (rule 18).
            if (s.unknown() < length) _tallies[feedId][window] = s.tally();
            s = s.beginWindow();
            first = lastWindow * length;
        }
        s = s.countUnknown(upTo - first);
        // Only reports move the clock of rule 2: skips in small steps must not stall the feed.
        _states[feedId] = s.advance(upTo, s.advancedAt(), ReadingsLib.NO_DATA, Verdict.Unknown);
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
        return uint32(_judge(feed, batches).state.next());
    }

    /// @inheritdoc IMonitoringOracle
    function tally(FeedRef calldata feed, uint32 window) external view returns (Tally memory t) {
        bytes32 feedId = keccak256(abi.encode(feed));
        FeedState s = _states[feedId];
        uint256 length = feed.measurement.windowIntervals();
        t.planned = uint32(length);
        if (length == 0) return t;
        uint256 next = s.next();
        uint256 running = next / length;

        if (window > running) return t;
        t.judged = uint32(window == running ? next % length : length);
        if (window < running) {
            s = _tallies[feedId][window];
            if (FeedState.unwrap(s) == 0) {
                t.unknown = t.judged;
                return t;
            }
        }
        t.bad = uint32(s.bad());
        t.unknown = uint32(s.unknown());
        t.notApplicable = uint32(s.notApplicable());
        t.longestRun = uint32(s.longestRun());
    }

    /// @inheritdoc IMonitoringOracle
    function latest(
        bytes32 feedId
    ) external view returns (uint32 next, Verdict verdict, uint32 value, uint40 advancedAt) {
        FeedState s = _states[feedId];
        return (uint32(s.next()), s.verdict(), uint32(s.value()), uint40(s.advancedAt()));
    }

    /// @inheritdoc IMonitoringOracle
    function feedIdOf(Feed calldata feed) external pure returns (bytes32) {
        (bytes32 feedId, ) = _identify(feed);
        return feedId;
    }

    /// @inheritdoc IMonitoringOracle
    function batchDigest(
        bytes32 feedId,
        uint32 first,
        bytes calldata readings,
        bytes32 evidence
    ) external view returns (bytes32) {
        Message memory message = Message(BATCH_TYPEHASH, feedId, first, keccak256(readings), evidence);
        return _digest(_domainSeparatorV4(), message);
    }

    // JUDGING

    function _judge(Feed calldata feed, Batch[] calldata batches) private view returns (Judgement memory j) {
        Panel calldata panel = feed.panel;
        Measurement m = feed.measurement;
        address[] memory reporters;
        (j.feedId, reporters) = _identify(feed);
        j.state = _stateOf(j.feedId, panel, m);
        j.first = j.state.next();
        if (batches.length == 1) _judgeOne(j, panel.quorum, reporters, m, batches[0]);
        else _judgeSeveral(j, panel, reporters, m, batches);
        _count(j, m);
    }

    /// @dev Judges what the only batch says: there is nobody to contradict it.
    function _judgeOne(
        Judgement memory j,
        uint256 quorum,
        address[] memory reporters,
        Measurement m,
        Batch calldata batch
    ) private view {
        Answers memory a = _verify(j, reporters, batch);
        _checkEnd(j, m, a.end);
        uint256 first = j.first;
        require(a.first <= first && a.weight != 0, MonitoringOracle_Gap(first));
        require(a.weight >= quorum, MonitoringOracle_NoAgreement(first));
        j.values = a.first == first ? a.readings : batch.readings[(first - a.first) * ReadingsLib.BYTES:];
    }

    /// @dev Judges what several batches agree on.
    function _judgeSeveral(
        Judgement memory j,
        Panel calldata panel,
        address[] memory reporters,
        Measurement m,
        Batch[] calldata batches
    ) private view {
        require(batches.length != 0, MonitoringOracle_NoBatch());
        Answers[] memory answers = new Answers[](batches.length);
        uint256 end = 0;
        for (uint256 i = 0; i < batches.length; ++i) {
            Answers memory a = _verify(j, reporters, batches[i]);
            if (a.end > end) end = a.end;
            answers[i] = a;
        }
        _checkEnd(j, m, end);
        _agree(j, answers, end, ReadingAgreement.Rule(reporters.length, panel.quorum, panel.tolerance, m));
    }

    /// @dev The batches reach to `end`: beyond what is judged, but not beyond what has settled.
    function _checkEnd(Judgement memory j, Measurement m, uint256 end) private view {
        // A reading of an interval that is not over, or not settled, is no measurement.
        unchecked {
            uint256 availableAt = m.startOf(end) + m.settleDelay();
            require(block.timestamp >= availableAt, MonitoringOracle_TooEarly(end - 1, availableAt));
        }
        require(end > j.first, MonitoringOracle_AlreadyJudged(j.first, end));
    }

    /// @dev Checks every signature of a batch.
    function _verify(
        Judgement memory j,
        address[] memory reporters,
        Batch calldata batch
    ) private view returns (Answers memory a) {
        bytes memory readings = batch.readings;
        require(
            readings.length != 0 && readings.length % ReadingsLib.BYTES == 0,
            MonitoringOracle_ReadingsLength(readings.length)
        );
        Endorsement[] calldata endorsements = batch.endorsements;
        a.first = batch.first;
        unchecked {
            // 32 bits and the length of the calldata.
            a.end = a.first + readings.length / ReadingsLib.BYTES;
        }
        a.weight = endorsements.length;
        a.readings = readings;
        Message memory message = Message(BATCH_TYPEHASH, j.feedId, a.first, keccak256(readings), 0);
        uint256 heard = _signers(reporters, endorsements, message, j.heard);
        a.signers = heard ^ j.heard;
        j.heard = heard;
    }

    /// @dev Checks the signatures under a message that differs in its evidence only. Adds who signed to the bitmap `heard`.
    function _signers(
        address[] memory reporters,
        Endorsement[] calldata endorsements,
        Message memory message,
        uint256 heard
    ) private view returns (uint256) {
        bytes32 domain = _domainSeparatorV4();
        for (uint256 i = 0; i < endorsements.length; ++i) {
            Endorsement calldata e = endorsements[i];
            uint256 reporter;
            assembly ("memory-safe") {
                // Unlike `e.reporter`, not checked to have eight bits: it is checked to be far less.
                reporter := calldataload(e)
            }
            require(reporter < reporters.length, MonitoringOracle_UnknownReporter(reporter, reporters.length));
            uint256 bit = 1 << reporter;
            require(heard & bit == 0, MonitoringOracle_ReporterTwice(reporter));
            heard |= bit;
            message.evidence = e.evidence;
            (address recovered, , ) = ECDSA.tryRecover(_digest(domain, message), e.r, e.vs);
            address expected = reporters[reporter];
            require(recovered == expected, MonitoringOracle_WrongSigner(reporter, recovered, expected));
        }
        return heard;
    }

    function _digest(bytes32 domain, Message memory message) private pure returns (bytes32) {
        bytes32 structHash;
        assembly ("memory-safe") {
            // In memory a struct is its members, one word each.
            structHash := keccak256(message, 160)
        }
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @dev Lets the batches agree, interval by interval, up to the first without agreement (rule 5). One that could be skipped
    /// is passed as unknown if a later one is agreed, so that it does not take good readings with it (rule 2).
    function _agree(
        Judgement memory j,
        Answers[] memory answers,
        uint256 end,
        ReadingAgreement.Rule memory rule
    ) private view {
        uint256[] memory buffer = new uint256[](rule.reporters);
        bytes memory values = new bytes((end - j.first) * ReadingsLib.BYTES);
        uint256 agreed = j.first;
        for (uint256 number = j.first; number < end; ++number) {
            (bool decided, uint256 code) = _answer(j, answers, rule, buffer, number);
            if (decided) agreed = number + 1;
            else if (block.timestamp < rule.measurement.skippableAt(number + 1, j.state.advancedAt())) break;
            else code = ReadingsLib.NO_DATA;
            values.set(number - j.first, code);
        }
        require(agreed != j.first, MonitoringOracle_NoAgreement(agreed));
        values.shorten(agreed - j.first);
        j.values = values;
    }

    /// @dev The answer of interval `number`, from the batches that cover it.
    function _answer(
        Judgement memory j,
        Answers[] memory answers,
        ReadingAgreement.Rule memory rule,
        uint256[] memory buffer,
        uint256 number
    ) private pure returns (bool decided, uint256 code) {
        uint256 weight = 0;
        bool unanimous = true;
        for (uint256 i = 0; i < answers.length; ++i) {
            (bool covered, uint256 answer) = _read(answers[i], number);
            if (!covered) continue;
            if (weight == 0) code = answer;
            else if (answer != code) unanimous = false;
            weight += answers[i].weight;
        }
        if (unanimous) {
            require(weight != 0 || number != j.first, MonitoringOracle_Gap(number));
            return (weight >= rule.quorum, code);
        }
        (decided, code) = ReadingAgreement.agree(_readings(answers, buffer, rule.reporters, number), rule);
        if (decided) j.dissenters |= _dissenters(answers, rule, number, code);
    }

    /// @dev All readings of an interval, numbers in ascending order in `buffer`, which has room for one of each reporter.
    function _readings(
        Answers[] memory answers,
        uint256[] memory buffer,
        uint256 reporters,
        uint256 number
    ) private pure returns (ReadingAgreement.Readings memory readings) {
        assembly ("memory-safe") {
            mstore(buffer, reporters)
        }
        uint256 size = 0;
        for (uint256 i = 0; i < answers.length; ++i) {
            (bool covered, uint256 answer) = _read(answers[i], number);
            if (!covered) continue;
            uint256 weight = answers[i].weight;
            if (answer == ReadingsLib.NO_DATA) readings.noData += weight;
            else if (answer == ReadingsLib.NOT_APPLICABLE) readings.notApplicable += weight;
            else size = _insert(buffer, size, answer, weight);
        }
        // Only ever shortened: no reporter is counted twice.
        assembly ("memory-safe") {
            mstore(buffer, size)
        }
        readings.values = buffer;
    }

    /// @dev Inserts `copies` of `value` into the first `size` values, which ascend. Returns how many there are then.
    function _insert(
        uint256[] memory values,
        uint256 size,
        uint256 value,
        uint256 copies
    ) private pure returns (uint256) {
        unchecked {
            for (; copies != 0; --copies) {
                uint256 k = size++;
                for (; k != 0 && values[k - 1] > value; --k) values[k] = values[k - 1];
                values[k] = value;
            }
        }
        return size;
    }

    /// @dev Reporters whose answer does not support the judged one. Nobody dissents from unknown but those who knew.
    function _dissenters(
        Answers[] memory answers,
        ReadingAgreement.Rule memory rule,
        uint256 number,
        uint256 code
    ) private pure returns (uint256 dissenters) {
        for (uint256 i = 0; i < answers.length; ++i) {
            (bool covered, uint256 answer) = _read(answers[i], number);
            if (covered && !ReadingAgreement.backs(answer, code, rule)) dissenters |= answers[i].signers;
        }
    }

    /// @dev What a batch says of interval `number`, if it covers it.
    function _read(Answers memory a, uint256 number) private pure returns (bool covered, uint256 answer) {
        uint256 first = a.first;
        if (number < first || number >= a.end) return (false, 0);
        unchecked {
            return (true, a.readings.at(number - first));
        }
    }

    /// @dev Counts the judged values, window by window.
    function _count(Judgement memory j, Measurement m) private view {
        bytes memory values = j.values;
        FeedState s = j.state;
        uint256 first = j.first;
        uint256 length = m.windowIntervals();
        uint256 judged = values.length / ReadingsLib.BYTES;
        uint256 counted = 0;
        unchecked {
            // Numbers of intervals, all below 2^33.
            uint256 window = first / length;
            uint256 windows = (first + judged) / length - window;
            if (windows != 0) {
                j.firstWindow = window;
                j.closed = new FeedState[](windows);
                for (uint256 i = 0; i < windows; ++i) {
                    uint256 windowEnd = (window + i + 1) * length - first;
                    s = s.count(values, counted, windowEnd, m);
                    if (s.unknown() < length) j.closed[i] = s.tally();
                    s = s.beginWindow();
                    counted = windowEnd;
                }
            }
            s = s.count(values, counted, judged, m);

            uint256 last = values.at(judged - 1);
            j.state = s.advance(first + judged, block.timestamp, last, _verdict(last, m));
        }
    }

    function _verdict(uint256 code, Measurement m) private pure returns (Verdict) {
        if (code == ReadingsLib.NO_DATA) return Verdict.Unknown;
        if (code == ReadingsLib.NOT_APPLICABLE) return Verdict.NotApplicable;
        return m.isGood(code) ? Verdict.Good : Verdict.Bad;
    }

    // CONFIGURATION

    /// @dev The id of a feed, and its reporters. The panel is hashed as its words stand in the calldata: one that no value of its
    /// type has makes it another feed, which `_validate` refuses.
    function _identify(Feed calldata feed) private pure returns (bytes32 feedId, address[] memory reporters) {
        Panel calldata panel = feed.panel;
        address[] calldata list = panel.reporters;
        bytes32 panelHash;
        assembly ("memory-safe") {
            // abi.encode(panel): where it is, where in it the reporters are, quorum and tolerance, the reporters.
            let data := mload(0x40)
            mstore(data, 32)
            mstore(add(data, 32), 96)
            calldatacopy(add(data, 64), add(panel, 32), 64)
            // From here on it is also how an array lies in memory.
            reporters := add(data, 128)
            mstore(reporters, list.length)
            let size := mul(list.length, 32)
            calldatacopy(add(data, 160), list.offset, size)
            mstore(0x40, add(add(data, 160), size))
            panelHash := keccak256(data, add(size, 160))
        }
        feedId = keccak256(abi.encode(panelHash, feed.measurement, feed.descriptor));
    }

    /// @dev The feed's state. The id binds the configuration, so it needs checking only until the first interval is judged.
    function _stateOf(bytes32 feedId, Panel calldata panel, Measurement m) private view returns (FeedState state) {
        state = _states[feedId];
        if (FeedState.unwrap(state) == 0) {
            m.validate();
            _validate(panel);
        }
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
        // No rule bounds the tolerance, but whatever is not read may hold what its type does not allow (see `_identify`).
        assert(panel.tolerance <= type(uint32).max);
        bool valid = reporters == 1 ? quorum == 1 : quorum > reporters / 2 && quorum < reporters;
        require(valid, MonitoringOracle_Quorum(quorum, reporters));
    }
}
