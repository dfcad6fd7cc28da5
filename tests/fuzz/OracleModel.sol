// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Exclusion, Feed, IMonitoringOracle, Tally} from "../../contracts/interfaces/IMonitoringOracle.sol";
import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../contracts/libraries/ScopeLib.sol";
import {Vm} from "./Cheats.sol";
import {World} from "./World.sol";

/// @dev What the oracle said of every interval, and the tallies that follow from it, counted one by one.
abstract contract OracleModel is World {
    uint256 private constant NO_DATA = 0xFFFFFFFF;
    uint256 private constant NOT_APPLICABLE = 0xFFFFFFFE;

    /// @dev Four bytes for every judged interval.
    mapping(bytes32 feedId => bytes) internal history;
    mapping(bytes32 feedId => Exclusion[]) internal spans;
    mapping(bytes32 feedId => mapping(uint256 window => bytes32)) private _final;
    mapping(bytes32 feedId => bytes32) private _checked;

    /// @dev Reads what the oracle has just emitted.
    function _remember() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            Vm.Log memory log = logs[i];
            if (log.emitter != address(oracle)) continue;
            if (log.topics[0] == IMonitoringOracle.Judged.selector) {
                (uint32 first, bytes memory values, , ) = abi.decode(log.data, (uint32, bytes, uint256, uint256));
                _append(log.topics[1], first, values);
            } else if (log.topics[0] == IMonitoringOracle.Skipped.selector) {
                (uint32 first, uint32 upTo) = abi.decode(log.data, (uint32, uint32));
                bytes memory values = new bytes((upTo - first) * 4);
                for (uint256 k = 0; k < values.length; ++k) values[k] = 0xFF;
                _append(log.topics[1], first, values);
            } else if (log.topics[0] == IMonitoringOracle.JudgedMany.selector) {
                (bytes32[] memory ids, bytes memory values, , ) = abi.decode(
                    log.data,
                    (bytes32[], bytes, uint256, uint256)
                );
                _appendMany(ids, values);
            }
        }
    }

    function _appendMany(bytes32[] memory ids, bytes memory values) private {
        uint256 at = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 count = _number(values, at + 4, 2);
            if (count != 0) _append(ids[i], _number(values, at, 4), _slice(values, at + 6, 4 * count));
            at += 6 + 4 * count;
        }
    }

    /// @dev No interval twice, none left out.
    function _append(bytes32 id, uint256 first, bytes memory values) private {
        same(first, history[id].length / 4, "I7: an interval was judged twice or left out");
        history[id] = bytes.concat(history[id], values);
    }

    /// @dev I7 for one feed.
    function _checkFeed(uint256 index) internal {
        bytes32 id = feedIds[index];
        (uint32 next, , ) = oracle.latest(id);
        same(next, history[id].length / 4, "I7: next is not what was judged");
        bytes32 stand = keccak256(abi.encode(next, spans[id].length));
        if (_checked[id] == stand) return;
        _checked[id] = stand;
        Feed memory feed = _feed(index);
        Measurement m = feed.measurement;
        uint256 running = m.windowOf(next);
        // Closed windows stay as they were; those that have closed since the last time, and the running one, are counted.
        uint256 from = running > 4 ? running - 4 : 0;
        bytes memory codes = history[id];
        for (uint256 w = from; w <= running; ++w) {
            Tally memory t = oracle.tally(_ref(feed), uint32(w));
            bytes32 found = keccak256(abi.encode(t));
            if (_final[id][w] != 0) check(found == _final[id][w], "I7: the tally of a closed window changed");
            else _compare(t, _count(feed, id, codes, w));
            if (w < running) _final[id][w] = found;
        }
    }

    function _compare(Tally memory got, Tally memory wanted) private pure {
        same(got.planned, wanted.planned, "I7: planned");
        same(got.judged, wanted.judged, "I7: judged");
        same(got.bad, wanted.bad, "I7: bad");
        same(got.unknown, wanted.unknown, "I7: unknown");
        same(got.notApplicable, wanted.notApplicable, "I7: not applicable");
        same(got.longestRun, wanted.longestRun, "I7: longest run");
        same(got.deviation, wanted.deviation, "I7: deviation");
    }

    /// @dev The tally of a window, interval by interval.
    function _count(
        Feed memory feed,
        bytes32 id,
        bytes memory codes,
        uint256 window
    ) private view returns (Tally memory t) {
        Measurement m = feed.measurement;
        uint256 run = 0;
        uint256 end = m.windowBegin(window + 1);
        for (uint256 n = m.windowBegin(window); n < end; ++n) {
            if (_isOff(feed.scope, m.startOf(n))) continue;
            (bool out, bool planned) = _excluded(id, n);
            if (!out || planned) ++t.planned;
            if (n >= codes.length / 4) continue;
            if (out) {
                if (planned) ++t.judged;
                continue;
            }
            ++t.judged;
            run = _judge(t, feed, _number(codes, 4 * n, 4), run);
        }
    }

    function _judge(Tally memory t, Feed memory feed, uint256 code, uint256 run) private pure returns (uint256) {
        if (code == NO_DATA) ++t.unknown;
        else if (code == NOT_APPLICABLE) ++t.notApplicable;
        else {
            (uint256 best, uint256 worst) = (feed.scope.best(), feed.scope.worst());
            (uint256 low, uint256 high) = best < worst ? (best, worst) : (worst, best);
            if (high != 0) {
                if (code < low) code = low;
                if (code > high) code = high;
                t.deviation += uint64(code > best ? code - best : best - code);
            }
            if (!_isGood(feed.measurement, code)) {
                ++t.bad;
                if (++run > t.longestRun) t.longestRun = uint32(run);
                return run;
            }
        }
        return 0;
    }

    function _isGood(Measurement m, uint256 value) private pure returns (bool) {
        uint256 threshold = uint32(Measurement.unwrap(m) >> 168);
        uint256 comparison = uint8(Measurement.unwrap(m) >> 160);
        if (comparison == 0) return value < threshold;
        if (comparison == 1) return value <= threshold;
        if (comparison == 2) return value > threshold;
        if (comparison == 3) return value >= threshold;
        return (value == threshold) == (comparison == 4);
    }

    /// @dev January 1, 1970 was a Thursday.
    function _isOff(Scope scope, uint256 time) private pure returns (bool) {
        uint256 hour = (time / 1 hours + 3 * 24) % (7 * 24);
        return (Scope.unwrap(scope) >> (88 + hour)) % 2 == 1;
    }

    function _excluded(bytes32 id, uint256 number) private view returns (bool out, bool planned) {
        Exclusion[] storage list = spans[id];
        for (uint256 i = 0; i < list.length; ++i) {
            if (number >= list[i].first && number < list[i].end) return (true, list[i].planned);
        }
    }

    function _number(bytes memory data, uint256 at, uint256 size) internal pure returns (uint256 number) {
        for (uint256 i = 0; i < size; ++i) number = (number << 8) | uint8(data[at + i]);
    }

    function _slice(bytes memory data, uint256 at, uint256 size) private pure returns (bytes memory part) {
        part = new bytes(size);
        for (uint256 i = 0; i < size; ++i) part[i] = data[at + i];
    }
}
