// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Batch,
    Endorsement,
    Exclusion,
    Feed,
    FeedRef,
    IMonitoringOracle,
    Tally
} from "../../../contracts/interfaces/IMonitoringOracle.sol";
import {Measurement} from "../../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../../contracts/libraries/ScopeLib.sol";
import {Cheats} from "../Cheats.sol";

/// @notice What the oracle tells of windows, against what it has judged, counted one by one: at the very second in which a window ends
/// and is judged, while one is over and not judged, and of windows to come.
contract TallyTest is Cheats {
    uint256 private constant REPORTER = 7;
    uint256 private constant PARTY = 5;
    uint256 private constant INTERVAL = 30 minutes;
    uint256 private constant DEADLINE = 10 minutes;
    uint256 private constant NO_DATA = 0xFFFFFFFF;

    IMonitoringOracle private _oracle;
    Feed private _feed;
    FeedRef private _ref;
    bytes32 private _id;
    /// @dev Codes of all judged intervals.
    uint256[] private _judged;

    function setUp() external {
        _oracle = IMonitoringOracle(vm.deployCode("MonitoringOracle.sol:MonitoringOracle"));
    }

    function testFuzz_tally(uint256 seed) external {
        _make(seed);
        for (uint256 step = 0; step < 8; ++step) {
            uint256 own = mix(seed, 100 + step);
            if (own % 4 == 0) _exclude(mix(own, 1));
            if (own % 3 != 0) _report(mix(own, 2));
            else _skip(mix(own, 3));
            _compare();
            // Nothing more is judged, but time goes by: to the end of the running window, and beyond it.
            Measurement m = _feed.measurement;
            uint256 end = m.windowStart(m.windowOf(_judged.length) + 1);
            if (mix(own, 4) % 3 != 0 || block.timestamp >= end) continue;
            vm.warp(end - 1);
            _compare();
            vm.warp(end);
            _compare();
        }
    }

    // WHAT HAPPENS

    function _make(uint256 seed) private {
        address[] memory parties = new address[](1);
        parties[0] = vm.addr(PARTY);
        _feed.panel.reporters.push(vm.addr(REPORTER));
        _feed.panel.quorum = 1;
        _feed.panel.parties = keccak256(abi.encode(parties));
        uint256 length = between(mix(seed, 1), 1, 6);
        uint256 start = (block.timestamp / 1 hours + 1) * 1 hours;
        // Without a settle delay a window may be judged in the second in which it ends.
        uint256 word = start | (INTERVAL << 40) | (length << 64) | (DEADLINE << 112) | ((mix(seed, 2) % length) << 200);
        _feed.measurement = Measurement.wrap(word | (uint256(1) << 160) | (uint256(100) << 168));
        uint256 scope = 0;
        if (mix(seed, 3) % 4 != 0) {
            scope = (mix(seed, 4) % 3) << 64;
            if (mix(seed, 5) % 2 == 0) scope |= 50 | (150 << 32);
            if (mix(seed, 6) % 2 == 0) scope |= (mix(seed, 7) >> 88 | 1) << 88;
        }
        _feed.scope = Scope.wrap(scope);
        _ref = FeedRef(keccak256(abi.encode(_feed.panel)), _feed.measurement, _feed.scope, 0);
        _id = keccak256(abi.encode(_ref));
    }

    function _report(uint256 seed) private {
        uint256 first = _judged.length;
        uint256 count = between(seed, 1, 9);
        uint256 end = _feed.measurement.startOf(first + count);
        if (block.timestamp < end) vm.warp(end);
        bool alike = mix(seed, 1) % 3 == 0;
        bytes memory readings;
        for (uint256 i = 0; i < count; ++i) {
            uint256 kind = alike ? mix(seed, 2) % 6 : mix(seed, 2 + i) % 6;
            uint256 code = kind == 0 ? NO_DATA : kind == 1 ? NO_DATA - 1 : 98 + kind;
            _judged.push(code);
            readings = bytes.concat(readings, bytes4(uint32(code)));
        }
        Batch[] memory batches = new Batch[](1);
        batches[0] = Batch(uint32(first), readings, new Endorsement[](1));
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(_id, first, keccak256(readings)))));
        (bytes32 r, bytes32 vs) = vm.signCompact(REPORTER, _oracle.batchDigest(leaf, 0));
        batches[0].endorsements[0] = Endorsement(0, 0, r, vs);
        same(_oracle.report(_feed, type(uint32).max, batches), _judged.length, "reported up to");
    }

    function _skip(uint256 seed) private {
        uint256 upTo = _judged.length + between(seed, 1, 9);
        (, , uint40 reportedAt) = _oracle.latest(_id);
        uint256 at = _feed.measurement.skippableAt(upTo, reportedAt);
        if (block.timestamp < at) vm.warp(at);
        _oracle.skip(_feed, uint32(upTo));
        while (_judged.length < upTo) _judged.push(NO_DATA);
    }

    /// @dev Refused if it is too much, or twice.
    function _exclude(uint256 seed) private {
        Measurement m = _feed.measurement;
        uint256 begun = block.timestamp < m.start() ? 0 : (block.timestamp - m.start()) / INTERVAL + 1;
        uint32 first = uint32(begun + seed % 4);
        address[] memory parties = new address[](1);
        parties[0] = vm.addr(PARTY);
        (bytes32 r, bytes32 vs) = vm.signCompact(PARTY, _oracle.exclusionDigest(_id, first, first + 1));
        bytes[] memory signatures = new bytes[](1);
        signatures[0] = abi.encodePacked(r, bytes32((uint256(vs) << 1) >> 1), uint8(uint256(vs) >> 255) + 27);
        try _oracle.exclude(_feed, first, first + 1, parties, signatures) {} catch {}
    }

    // WHAT MUST BE TOLD

    function _compare() private view {
        Measurement m = _feed.measurement;
        uint256 last = m.windowOf(_judged.length) + 1;
        for (uint256 w = 0; w <= last; ++w) {
            bytes memory got = abi.encode(_oracle.tally(_ref, uint32(w)));
            check(keccak256(got) == keccak256(abi.encode(_count(m, w))), string.concat("window ", vm.toString(got)));
        }
    }

    function _count(Measurement m, uint256 window) private view returns (Tally memory t) {
        Exclusion[] memory spans = _oracle.exclusions(_id, uint32(window));
        uint256 run = 0;
        for (uint256 n = m.windowBegin(window); n < m.windowBegin(window + 1); ++n) {
            if (_feed.scope.isOff(m.startOf(n))) continue;
            (bool out, bool planned) = (false, true);
            for (uint256 i = 0; i < spans.length; ++i) {
                if (n >= spans[i].first && n < spans[i].end) (out, planned) = (true, spans[i].planned);
            }
            if (!planned) continue;
            ++t.planned;
            if (n >= _judged.length) continue;
            ++t.judged;
            if (!out) run = _judge(t, _judged[n], run);
        }
    }

    /// @dev Good is up to 100; no code is beyond the range.
    function _judge(Tally memory t, uint256 code, uint256 run) private view returns (uint256) {
        if (code == NO_DATA) ++t.unknown;
        else if (code == NO_DATA - 1) ++t.notApplicable;
        else {
            if (_feed.scope.hasRange()) t.deviation += uint64(code - 50);
            if (code > 100) {
                ++t.bad;
                if (++run > t.longestRun) t.longestRun = uint32(run);
                return run;
            }
        }
        return 0;
    }
}
