// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Feed, FeedRef, IMonitoringOracle, Panel} from "../../contracts/interfaces/IMonitoringOracle.sol";
import {IDisputeCourt} from "../../contracts/interfaces/IDisputeCourt.sol";
import {ISLAEscrow} from "../../contracts/interfaces/ISLAEscrow.sol";
import {ITreasury} from "../../contracts/interfaces/ITreasury.sol";
import {Measurement} from "../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../contracts/libraries/ScopeLib.sol";
import {Cheats} from "./Cheats.sol";
import {FuzzOracle, FuzzToken, FuzzWallet} from "./Hostile.sol";

interface IHasCourt {
    function court() external view returns (address);
}

/// @dev Two feeds over one time: windows begin and end together, the coarse feed has intervals of twice the length.
struct Grid {
    bytes fine;
    bytes coarse;
    uint8 panel;
}

/// @dev Everybody and everything a campaign acts with. Structures are kept encoded: memory cannot be copied to storage otherwise.
abstract contract World is Cheats {
    uint256 internal constant REPORTERS = 3;
    uint256 internal constant PANELS = 3;
    uint32 internal constant ALL = type(uint32).max;

    IMonitoringOracle internal oracle;
    FuzzOracle internal moodyOracle;
    ISLAEscrow internal escrow;
    IDisputeCourt internal court;
    FuzzToken internal token;

    /// @dev The clock; it survives calls that revert, as `block.timestamp` under `vm.warp` may not.
    uint256 internal clock;

    uint256[] internal reporterKeys;
    address[2] internal providers;
    address[2] internal consumers;
    uint256[2] internal providerKeys = [uint256(0xA1), 0xA2];
    uint256[2] internal consumerKeys = [uint256(0xB1), 0xB2];
    address internal arbiter = address(0xC0C0);
    address internal stranger = address(0xD0D0);
    address internal safePlace = address(0xE0E0);
    bytes[] internal panels;
    Grid[] internal grids;
    /// @dev Ids of the feeds, two for each grid.
    bytes32[] internal feedIds;

    constructor() {
        clock = block.timestamp;
        oracle = IMonitoringOracle(vm.deployCode("MonitoringOracle.sol:MonitoringOracle"));
        escrow = ISLAEscrow(vm.deployCode("SLAEscrow.sol:SLAEscrow"));
        court = IDisputeCourt(IHasCourt(address(escrow)).court());
        moodyOracle = new FuzzOracle(oracle);
        token = new FuzzToken();
        for (uint256 i = 0; i < 2; ++i) providers[i] = vm.addr(providerKeys[i]);
        consumers[0] = vm.addr(consumerKeys[0]);
        consumers[1] = address(new FuzzWallet(vm.addr(consumerKeys[1])));
        _makePanels();

        token.mint(address(this), 2 ** 120);
        token.approve(address(escrow), type(uint256).max);
        for (uint256 i = 0; i < 2; ++i) {
            _equip(providers[i]);
            _equip(consumers[i]);
        }
    }

    /// @dev What a campaign does at its own time, and is checked for.
    modifier now_() {
        vm.warp(clock);
        _;
        _afterwards();
    }

    /// @dev Called after every action.
    function _afterwards() internal virtual;

    function _equip(address party) private {
        token.mint(party, 2 ** 100);
        vm.prank(party);
        token.approve(address(court), type(uint256).max);
    }

    /// @dev Panel 0 is one reporter, panel 1 two of three, panel 2 two of three that must say exactly the same.
    function _makePanels() private {
        for (uint256 i = 0; i < REPORTERS; ++i) {
            reporterKeys.push(0xF1 + i);
            for (uint256 k = i; k != 0 && vm.addr(reporterKeys[k - 1]) > vm.addr(reporterKeys[k]); --k)
                (reporterKeys[k - 1], reporterKeys[k]) = (reporterKeys[k], reporterKeys[k - 1]);
        }
        for (uint256 p = 0; p < PANELS; ++p) {
            Panel memory panel;
            panel.reporters = new address[](p == 0 ? 1 : REPORTERS);
            for (uint256 i = 0; i < panel.reporters.length; ++i) panel.reporters[i] = vm.addr(reporterKeys[i]);
            panel.quorum = p == 0 ? 1 : 2;
            panel.tolerance = p == 1 ? 5 : 0;
            panel.parties = keccak256(abi.encode(_partiesOf(p)));
            panels.push(abi.encode(panel));
        }
    }

    /// @dev Who must sign exclusions of feeds of a panel.
    function _partiesOf(uint256 panel) internal view returns (address[] memory parties) {
        parties = new address[](2);
        (parties[0], parties[1]) = (providers[panel % 2], consumers[panel % 2]);
    }

    function _panel(uint256 panel) internal view returns (Panel memory) {
        return abi.decode(panels[panel], (Panel));
    }

    /// @dev Feed 2 g is the fine one of grid g, feed 2 g + 1 the coarse one.
    function _feed(uint256 index) internal view returns (Feed memory) {
        Grid storage grid = grids[index / 2];
        return abi.decode(index % 2 == 0 ? grid.fine : grid.coarse, (Feed));
    }

    function _ref(Feed memory feed) internal pure returns (FeedRef memory) {
        return FeedRef(keccak256(abi.encode(feed.panel)), feed.measurement, feed.scope, feed.descriptor);
    }

    function _idOf(FeedRef memory feed) internal pure returns (bytes32) {
        return keccak256(abi.encode(feed));
    }

    /// @dev Two new feeds that start in the future: calendar months, or windows of a few intervals.
    function _makeGrid(uint256 seed) internal returns (uint256 grid) {
        grid = grids.length;
        bool monthly = mix(seed, 1) % 4 == 0;
        bool hourly = mix(seed, 2) % 3 == 0;
        uint256 interval = monthly ? (hourly ? 30 minutes : 12 hours) : (hourly ? 30 minutes : 15 minutes);
        uint256 windowIntervals = monthly ? 0 : 2 * between(mix(seed, 3), 1, 4);
        uint256 offset = monthly || mix(seed, 4) % 2 == 0 ? 0 : 2 * between(mix(seed, 5), 0, windowIntervals / 2 - 1);
        uint256 start = (clock / 1 days + 1) * 1 days;
        if (!monthly) start = (clock / 2 hours + 1) * 2 hours;

        Feed memory feed;
        feed.panel = _panel(mix(seed, 6) % PANELS);
        feed.scope = _makeScope(mix(seed, 7), hourly);
        feed.descriptor = bytes32(seed);
        Grid storage g = grids.push();
        g.panel = uint8(mix(seed, 6) % PANELS);
        feed.measurement = _makeMeasurement(mix(seed, 8), start, interval, windowIntervals, offset);
        g.fine = abi.encode(feed);
        feedIds.push(_idOf(_ref(feed)));
        feed.measurement = _makeMeasurement(mix(seed, 8), start, 2 * interval, windowIntervals / 2, offset / 2);
        g.coarse = abi.encode(feed);
        feedIds.push(_idOf(_ref(feed)));
    }

    function _makeMeasurement(
        uint256 seed,
        uint256 start,
        uint256 interval,
        uint256 windowIntervals,
        uint256 offset
    ) private pure returns (Measurement) {
        uint256 word = start | (interval << 40) | (windowIntervals << 64) | (offset << 200);
        // settle delay, deadline, cadence
        word |= (between(seed, 0, 60) << 88) | (uint256(10 minutes) << 112) | (uint256(60) << 136);
        // comparison with 100
        word |= ((mix(seed, 1) % 6) << 160) | (uint256(100) << 168);
        if (mix(seed, 2) % 2 == 0) word |= uint256(30 minutes) << 224;
        return Measurement.wrap(word);
    }

    function _makeScope(uint256 seed, bool hourly) private pure returns (Scope) {
        // Every other feed takes any value at any time, as most do: the oracle has a shorter way for these.
        if (mix(seed, 4) % 2 == 0) return Scope.wrap(0);
        uint256 word = between(seed, 0, 3) << 64;
        // best and worst
        if (mix(seed, 1) % 2 == 0) word |= mix(seed, 2) % 2 == 0 ? 50 | (150 << 32) : 150 | (50 << 32);
        if (hourly) word |= (mix(seed, 3) >> 88 | 1) << 88;
        return Scope.wrap(word);
    }

    /// @dev A party's signature: of an EOA in full, of the wallet in its owner's short form.
    function _sign(address party, bytes32 digest) internal view returns (bytes memory) {
        uint256 key;
        for (uint256 i = 0; i < 2; ++i) {
            if (party == providers[i]) key = providerKeys[i];
            if (party == consumers[i]) key = consumerKeys[i];
        }
        (bytes32 r, bytes32 vs) = vm.signCompact(key, digest);
        if (party == consumers[1]) return abi.encode(r, vs);
        return abi.encodePacked(r, bytes32((uint256(vs) << 1) >> 1), uint8(uint256(vs) >> 255) + 27);
    }

    /// @dev Makes a call, and reverts as it does.
    function _call(address sender, address target, bytes memory data) internal returns (bytes memory answer) {
        bool ok;
        if (sender != address(this)) vm.prank(sender);
        (ok, answer) = target.call(data);
        if (ok) return answer;
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }

    function _heldBy(address treasury) internal view returns (uint256) {
        return ITreasury(treasury).held(address(token));
    }
}
