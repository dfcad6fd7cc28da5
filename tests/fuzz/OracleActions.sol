// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Batch,
    Bundle,
    Endorsement,
    Exclusion,
    Feed,
    Panel,
    PanelFeed,
    Statement
} from "../../contracts/interfaces/IMonitoringOracle.sol";
import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {OracleModel} from "./OracleModel.sol";

/// @dev What reporters, and the parties of a feed, do.
abstract contract OracleActions is OracleModel {
    /// @dev Codes that reporters answer with: around the threshold and the ends of the range, and what is no number.
    uint32[10] private _codes = [100, 99, 101, 0, 200, 103, 98, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF];

    /// @dev Reporters answer for the next intervals of a feed, mostly alike.
    function report(uint256 seed) external now_ {
        require(grids.length != 0);
        uint256 index = mix(seed, 1) % (2 * grids.length);
        Feed memory feed = _feed(index);
        (uint32 next, , ) = oracle.latest(_idOf(_ref(feed)));
        uint256 count = _wait(feed.measurement, next, mix(seed, 2));
        // Also what is judged already, so that the prefix must be ignored (rule 5).
        uint32 first = next > 1 && mix(seed, 3) % 4 == 0 ? next - 2 : next;
        count += next - first;

        Batch[] memory batches = _batches(feed, first, _readings(mix(seed, 7), count), mix(seed, 4));
        vm.recordLogs();
        oracle.report(feed, mix(seed, 9) % 4 == 0 ? uint32(next + 1) : ALL, batches);
        _remember();
    }

    /// @dev Whose batches they are: one of all who answer alike, or one of each. One reporter of several may be silent.
    function _batches(
        Feed memory feed,
        uint32 first,
        bytes memory readings,
        uint256 seed
    ) private view returns (Batch[] memory batches) {
        uint256 reporters = feed.panel.reporters.length;
        uint256 silent = reporters == 1 || mix(seed, 1) % 2 == 0 ? reporters : mix(seed, 2) % reporters;
        uint256 heard = silent < reporters ? reporters - 1 : reporters;
        bool alike = reporters == 1 || mix(seed, 3) % 4 != 0;
        batches = new Batch[](alike ? 1 : heard);
        if (alike) batches[0] = Batch(first, readings, new Endorsement[](heard));
        uint256 size = 0;
        for (uint256 i = 0; i < reporters; ++i) {
            if (i == silent) continue;
            if (alike) {
                batches[0].endorsements[size++] = _endorse(i, _leaf(feed, first, readings));
                continue;
            }
            Batch memory own = Batch(first, _perturbed(readings, mix(seed, 8 + i)), new Endorsement[](1));
            own.endorsements[0] = _endorse(i, _leaf(feed, first, own.readings));
            batches[size++] = own;
        }
    }

    /// @dev All reporters of a panel answer alike for the feeds of one or two grids.
    function reportMany(uint256 seed) external now_ {
        require(grids.length != 0);
        uint256 g = mix(seed, 1) % grids.length;
        uint256 other = mix(seed, 2) % grids.length;
        bool both = other != g && grids[g].panel == grids[other].panel;
        uint256[] memory indices = new uint256[](both ? 4 : 2);
        (indices[0], indices[1]) = (2 * g, 2 * g + 1);
        if (both) (indices[2], indices[3]) = (2 * other, 2 * other + 1);
        _reportMany(seed, indices, _panel(grids[g].panel));
    }

    function _reportMany(uint256 seed, uint256[] memory indices, Panel memory panel) private {
        PanelFeed[] memory feeds = new PanelFeed[](indices.length);
        bytes32[] memory nodes = new bytes32[](2 * indices.length - 1);
        bytes memory packed;
        for (uint256 i = 0; i < indices.length; ++i) {
            Feed memory feed = _feed(indices[i]);
            feeds[i] = PanelFeed(feed.measurement, feed.scope, feed.descriptor);
            (uint32 next, , ) = oracle.latest(_idOf(_ref(feed)));
            uint256 count = _wait(feed.measurement, next, mix(seed, 10 + i));
            bytes memory readings = _readings(mix(seed, 20 + i), count);
            nodes[i] = _leaf(feed, next, readings);
            packed = bytes.concat(packed, abi.encodePacked(next, uint16(count)), readings);
        }
        for (uint256 k = indices.length; k < nodes.length; ++k) {
            (bytes32 a, bytes32 b) = (nodes[2 * (k - indices.length)], nodes[2 * (k - indices.length) + 1]);
            nodes[k] = a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
        }
        Bundle[] memory bundles = new Bundle[](1);
        bundles[0].readings = packed;
        // A whole tree needs no flags, and may have them.
        bundles[0].proofFlags = new bool[](mix(seed, 77) % 4 == 0 ? indices.length - 1 : 0);
        for (uint256 i = 0; i < bundles[0].proofFlags.length; ++i) bundles[0].proofFlags[i] = true;
        bundles[0].endorsements = new Endorsement[](panel.reporters.length);
        for (uint256 i = 0; i < panel.reporters.length; ++i) {
            bundles[0].endorsements[i] = _endorse(i, nodes[nodes.length - 1]);
        }
        vm.recordLogs();
        oracle.reportMany(panel, feeds, bundles);
        _remember();
    }

    /// @dev Nobody reports; after the deadline anyone records unknown.
    function skip(uint256 seed) external now_ {
        require(grids.length != 0);
        Feed memory feed = _feed(mix(seed, 1) % (2 * grids.length));
        (uint32 next, , uint40 reportedAt) = oracle.latest(_idOf(_ref(feed)));
        uint256 upTo = next + between(mix(seed, 2), 1, 6);
        uint256 at = feed.measurement.skippableAt(upTo, reportedAt);
        // Also too early, now and then.
        if (mix(seed, 3) % 8 == 0) --at;
        if (clock < at) clock = at;
        vm.warp(clock);
        vm.recordLogs();
        oracle.skip(feed, uint32(upTo));
        _remember();
    }

    function _skipFeedTo(Feed memory feed, bytes32 id, uint256 end) internal {
        (uint32 next, , uint40 reportedAt) = oracle.latest(id);
        uint256 upTo = (end - feed.measurement.start()) / feed.measurement.interval();
        if (upTo <= next) return;
        uint256 at = feed.measurement.skippableAt(upTo, reportedAt);
        if (clock < at) clock = at;
        vm.warp(clock);
        vm.recordLogs();
        oracle.skip(feed, uint32(upTo));
        _remember();
    }

    /// @dev The parties of a feed exclude a span that is still to come.
    function exclude(uint256 seed) external now_ {
        require(grids.length != 0);
        Feed memory feed = _feed(mix(seed, 1) % (2 * grids.length));
        bytes32 id = _idOf(_ref(feed));
        Measurement m = feed.measurement;
        (uint32 next, , ) = oracle.latest(id);
        uint256 earliest = clock + m.notice() <= m.start() ? 0 : (clock + m.notice() - m.start()) / m.interval() + 1;
        if (earliest < next) earliest = next;
        uint32 first = uint32(earliest + between(mix(seed, 2), 0, 4));
        uint32 end = first + uint32(between(mix(seed, 3), 1, 2));
        address[] memory parties = _partiesOf(grids[mix(seed, 1) % (2 * grids.length) / 2].panel);
        bytes[] memory signatures = new bytes[](parties.length);
        bytes32 digest = oracle.exclusionDigest(id, first, end);
        for (uint256 i = 0; i < parties.length; ++i) signatures[i] = _sign(parties[i], digest);
        oracle.exclude(feed, first, end, parties, signatures);
        spans[id].push(Exclusion(first, end, clock >= m.windowStart(m.windowOf(first))));
    }

    /// @dev A reporter is caught with two answers. Rare, since from then on a panel has to do without it.
    function equivocate(uint256 seed) external now_ {
        require(grids.length != 0 && mix(seed, 1) % 8 == 0);
        Feed memory feed = _feed(mix(seed, 2) % (2 * grids.length));
        uint256 reporter = mix(seed, 3) % feed.panel.reporters.length;
        uint32 interval = uint32(mix(seed, 4) % 20);
        Statement memory one = _state(feed, reporter, interval, 99);
        oracle.proveEquivocation(feed, uint8(reporter), interval, one, _state(feed, reporter, interval, 101));
    }

    function heed(uint256 seed) external now_ {
        require(grids.length != 0);
        oracle.heed(_feed(mix(seed, 1) % (2 * grids.length)));
    }

    function _state(
        Feed memory feed,
        uint256 reporter,
        uint32 interval,
        uint32 value
    ) private view returns (Statement memory s) {
        s.first = interval;
        s.readings = abi.encodePacked(value);
        Endorsement memory e = _endorse(reporter, _leaf(feed, interval, s.readings));
        (s.r, s.vs) = (e.r, e.vs);
    }

    /// @dev Moves the clock to when at least one interval more can be read. Returns how many can, and are to be read.
    function _wait(Measurement m, uint32 next, uint256 seed) private returns (uint256 count) {
        count = between(seed, 1, mix(seed, 1) % 4 == 0 ? 70 : 5);
        uint256 soonest = m.startOf(next + 1) + m.settleDelay();
        if (clock < soonest) clock = soonest;
        vm.warp(clock);
        uint256 most = (clock - m.settleDelay() - m.start()) / m.interval() - next;
        if (count > most) count = most;
    }

    function _readings(uint256 seed, uint256 count) private view returns (bytes memory readings) {
        // Windows that are good throughout must occur, too.
        uint256 choice = mix(seed, 1) % 3;
        readings = new bytes(0);
        for (uint256 i = 0; i < count; ++i) {
            uint32 code = choice == 0 ? 100 : choice == 1 && mix(seed, i) % 3 != 0
                ? _codes[seed % 2]
                : _codes[mix(seed, i) % _codes.length];
            readings = bytes.concat(readings, abi.encodePacked(code));
        }
    }

    /// @dev The same readings with another answer here and there.
    function _perturbed(bytes memory readings, uint256 seed) private view returns (bytes memory own) {
        own = bytes.concat(readings);
        for (uint256 i = 0; i < own.length / 4; ++i) {
            if (mix(seed, i) % 4 != 0) continue;
            bytes4 code = bytes4(_codes[mix(seed, i + 1) % _codes.length]);
            for (uint256 k = 0; k < 4; ++k) own[4 * i + k] = code[k];
        }
    }

    function _leaf(Feed memory feed, uint32 first, bytes memory readings) private pure returns (bytes32) {
        bytes32 id = _idOf(_ref(feed));
        return keccak256(bytes.concat(keccak256(abi.encode(id, first, keccak256(readings)))));
    }

    function _endorse(uint256 reporter, bytes32 root) private view returns (Endorsement memory e) {
        e.reporter = uint8(reporter);
        (e.r, e.vs) = vm.signCompact(reporterKeys[reporter], oracle.batchDigest(root, 0));
    }
}
