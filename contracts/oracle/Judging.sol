// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Verdict} from "../interfaces/IMonitoringOracle.sol";
import {Answers, AnswersLib} from "../libraries/AnswersLib.sol";
import {FeedState} from "../libraries/FeedStateLib.sol";
import {Measurement} from "../libraries/MeasurementLib.sol";
import {ReadingAgreement} from "../libraries/ReadingAgreement.sol";
import {ReadingsLib} from "../libraries/ReadingsLib.sol";
import {Scope} from "../libraries/ScopeLib.sol";
import {Equivocation} from "./Equivocation.sol";
import {Exclusions} from "./Exclusions.sol";

/// @title From signed readings to verdicts
/// @notice Computes what a report changes, and changes it. Judging moves strictly forward, interval by interval.
abstract contract Judging is Exclusions, Equivocation {
    /// @dev A feed, and what a report says of it.
    /// @param rule How its readings agree.
    /// @param answers What was signed.
    /// @param first The feed's next interval before the report.
    /// @param upTo Judging stops before it.
    /// @param state The feed's state; once judged, that after the report.
    /// @param values Address in memory of the judged values.
    /// @param judged How many intervals were judged; 0: none can be, because of `failure`.
    /// @param clock Time of the feed's last report, after this one [s, UNIX time]: only what readings decide moves it (rule 2).
    /// @param closed Tallies of the windows that end in the report, from `firstWindow` on. Zero: nothing to write.
    struct Judgement {
        bytes32 panelHash;
        bytes32 feedId;
        address[] reporters;
        ReadingAgreement.Rule rule;
        Answers[] answers;
        uint256 first;
        uint256 upTo;
        FeedState state;
        uint256 values;
        uint256 judged;
        uint256 clock;
        uint256 firstWindow;
        FeedState[] closed;
        uint256 dissenters;
        bytes4 failure;
        uint256 failedAt;
        uint256 failedFor;
    }

    /// @dev Judges a feed by what was signed, and stores what that changes.
    function _judgeAndStore(Judgement memory j) internal {
        bool usual = j.answers.length == 1 && Scope.unwrap(j.rule.scope) == 0;
        if (usual && _judgePlain(j, j.state, j.answers[0], j.rule.measurement)) return;
        _judge(j);
        if (j.judged != 0) _store(j);
    }

    /// @dev Judges a feed by what was signed.
    function _judge(Judgement memory j) internal view {
        ReadingAgreement.Rule memory rule = j.rule;
        Answers[] memory answers = j.answers;
        bool guarded = j.state.isGuarded();
        _ignore(answers, guarded ? ignored[j.panelHash] : 0);
        uint256 end = 0;
        unchecked {
            for (uint256 i = 0; i < answers.length; ++i) {
                uint256 last = answers[i].end;
                if (last > end && answers[i].weight != 0) end = last;
            }
        }
        if (end > j.upTo) end = j.upTo;
        if (!_isOpen(j, rule.measurement, end)) return;

        Answers memory a = answers[0];
        unchecked {
            if (answers.length == 1 && a.first <= j.first && a.weight >= rule.quorum) {
                // There is nobody to contradict it.
                j.values = a.values + (j.first - a.first) * ReadingsLib.BYTES;
                j.judged = end - j.first;
                j.clock = block.timestamp;
            } else {
                _agree(j, end);
                if (j.judged == 0) return;
            }
        }
        if (guarded || Scope.unwrap(rule.scope) != 0) _countPlanned(j, guarded);
        else _count(j, rule.measurement);
    }

    /// @dev Reverts with what kept `_judge` from judging anything.
    function _fail(Judgement memory j) internal pure {
        if (j.failure == MonitoringOracle_TooEarly.selector) revert MonitoringOracle_TooEarly(j.failedAt, j.failedFor);
        if (j.failure == MonitoringOracle_Gap.selector) revert MonitoringOracle_Gap(j.failedAt);
        if (j.failure == MonitoringOracle_NoAgreement.selector) revert MonitoringOracle_NoAgreement(j.failedAt);
        revert MonitoringOracle_AlreadyJudged(j.failedAt, j.failedFor);
    }

    /// @dev The usual case at a fraction of the cost of `_judge` and `_store`, which do the same: a quorum says one thing of intervals
    /// in the middle of a window. Returns false and changes nothing if it is not that, or if nothing can be judged.
    function _judgePlain(
        Judgement memory j,
        FeedState s,
        Answers memory a,
        Measurement m
    ) private returns (bool) {
        unchecked {
            uint256 first = j.first;
            uint256 end = a.end;
            if (end > j.upTo) end = j.upTo;
            if (s.isGuarded() || a.weight < j.rule.quorum || a.first > first || end <= first) return false;
            if (block.timestamp < m.startOf(end) + m.settleDelay() || m.windowOf(first) != m.windowOf(end)) return false;

            uint256 judged = end - first;
            uint256 values = a.values + (first - a.first) * ReadingsLib.BYTES;
            (j.values, j.judged) = (values, judged);
            s = s.count(values, 0, judged, m);
            // Only a bad interval leaves a run behind.
            uint256 last = ReadingsLib.at(values, judged - 1);
            Verdict verdict = s.run() != 0 ? Verdict.Bad : Verdict.Good;
            if (last >= ReadingsLib.NOT_APPLICABLE) verdict = _verdict(last, m);
            _states[j.feedId] = s.advance(end, block.timestamp, verdict);
            return true;
        }
    }

    /// @dev Stores what `_judge` has found.
    function _store(Judgement memory j) private {
        _states[j.feedId] = j.state;
        for (uint256 i = 0; i < j.closed.length; ++i) {
            if (FeedState.unwrap(j.closed[i]) != 0) _tallies[j.feedId][j.firstWindow + i] = j.closed[i];
        }
    }

    /// @dev Whether [j.first, end) is not judged yet, but over and settled: before that a reading is no measurement.
    function _isOpen(Judgement memory j, Measurement m, uint256 end) private view returns (bool) {
        uint256 first = j.first;
        if (end <= first) {
            (j.failure, j.failedAt, j.failedFor) = (MonitoringOracle_AlreadyJudged.selector, first, end);
            return false;
        }
        unchecked {
            uint256 availableAt = m.startOf(end) + m.settleDelay();
            if (block.timestamp >= availableAt) return true;
            (j.failure, j.failedAt, j.failedFor) = (MonitoringOracle_TooEarly.selector, end - 1, availableAt);
            return false;
        }
    }

    /// @dev The readings of reporters that have equivocated count as not presented (rule 17).
    function _ignore(Answers[] memory answers, uint256 reporters) private pure {
        for (uint256 i = 0; i < answers.length; ++i) {
            uint256 left = answers[i].signers & ~reporters;
            uint256 weight = 0;
            for (; left != 0; left &= left - 1) ++weight;
            answers[i].weight = weight;
        }
    }

    /// @dev Lets the batches agree, interval by interval, up to the first without agreement (rule 5). One that could be skipped
    /// is passed as unknown if a later one is agreed, so that it does not take good readings with it (rule 2); one that is
    /// not judged anyway passes at once.
    function _agree(Judgement memory j, uint256 end) private view {
        ReadingAgreement.Rule memory rule = j.rule;
        uint256[] memory buffer = new uint256[](rule.reporters);
        uint256 values = ReadingsLib.start(new bytes((end - j.first) * ReadingsLib.BYTES));
        Plan memory plan = _plan(j.feedId, rule.measurement, rule.scope, j.state.isGuarded());
        uint256 agreed = j.first;
        j.clock = j.state.advancedAt();
        for (uint256 number = j.first; number < end; ++number) {
            (bool heard, bool decided, uint256 code, uint256 dissenters) = AnswersLib.answer(
                j.answers,
                rule,
                buffer,
                number
            );
            if (decided || _isLeftOut(plan, number)) {
                agreed = number + 1;
                j.dissenters |= dissenters;
                if (decided) j.clock = block.timestamp;
            } else if (!heard && number == j.first) {
                (j.failure, j.failedAt) = (MonitoringOracle_Gap.selector, number);
                return;
            } else if (block.timestamp < rule.measurement.skippableAt(number + 1, j.state.advancedAt())) {
                break;
            }
            ReadingsLib.set(values, number - j.first, decided ? code : ReadingsLib.NO_DATA);
        }
        j.values = values;
        j.judged = agreed - j.first;
        (j.failure, j.failedAt) = (MonitoringOracle_NoAgreement.selector, agreed);
    }

    /// @dev Counts the judged values, window by window, of a feed that judges every interval and any value.
    function _count(Judgement memory j, Measurement m) private pure {
        unchecked {
            // Numbers of intervals, all below 2^33.
            FeedState s = j.state;
            uint256 first = j.first;
            uint256 end = first + j.judged;
            uint256 window = _beginClosing(j, m, end);
            uint256 counted = 0;
            for (uint256 i = 0; i < j.closed.length; ++i) {
                uint256 windowEnd = m.windowBegin(window + i + 1);
                s = s.count(j.values, counted, windowEnd - first, m);
                if (s.unknown() < windowEnd - m.windowBegin(window + i)) j.closed[i] = s.tally();
                s = s.beginWindow();
                counted = windowEnd - first;
            }
            s = s.count(j.values, counted, end - first, m);
            uint256 last = ReadingsLib.at(j.values, end - first - 1);
            j.state = s.advance(end, j.clock, _verdict(last, m));
        }
    }

    /// @dev The same for a feed with hours off, exclusions or a range of values.
    function _countPlanned(Judgement memory j, bool guarded) private view {
        Measurement m = j.rule.measurement;
        Scope scope = j.rule.scope;
        Plan memory plan = _plan(j.feedId, m, scope, guarded);
        FeedState s = j.state;
        uint256 end = j.first + j.judged;
        uint256 window = _beginClosing(j, m, end);
        uint256 windowEnd = m.windowBegin(window + 1);
        Verdict verdict;
        for (uint256 number = j.first; number < end; ++number) {
            uint256 code = ReadingsLib.at(j.values, number - j.first);
            if (_isLeftOut(plan, number)) {
                verdict = Verdict.Excluded;
            } else {
                s = s.countOne(code, m, scope);
                verdict = _verdict(code < ReadingsLib.NOT_APPLICABLE ? scope.clamp(code) : code, m);
            }
            if (number + 1 != windowEnd) continue;
            if (!_isAllUnknown(s, plan, window)) j.closed[window - j.firstWindow] = s.tally();
            s = s.beginWindow();
            windowEnd = m.windowBegin(++window + 1);
        }
        j.state = s.advance(end, j.clock, verdict);
    }

    /// @dev Whether a window that ends with this state leaves no slot, since `tally` derives it (rule 18).
    function _isAllUnknown(FeedState s, Plan memory plan, uint256 window) internal view returns (bool) {
        uint256 begin = plan.measurement.windowBegin(window);
        (, uint256 judged) = _countable(plan, window, begin, plan.measurement.windowBegin(window + 1));
        return s.unknown() == judged;
    }

    function _beginClosing(
        Judgement memory j,
        Measurement m,
        uint256 end
    ) private pure returns (uint256 window) {
        window = m.windowOf(j.first);
        uint256 windows = m.windowOf(end) - window;
        if (windows == 0) return window;
        j.firstWindow = window;
        j.closed = new FeedState[](windows);
    }

    function _verdict(uint256 code, Measurement m) private pure returns (Verdict) {
        if (code == ReadingsLib.NO_DATA) return Verdict.Unknown;
        if (code == ReadingsLib.NOT_APPLICABLE) return Verdict.NotApplicable;
        return m.isGood(code) ? Verdict.Good : Verdict.Bad;
    }
}
