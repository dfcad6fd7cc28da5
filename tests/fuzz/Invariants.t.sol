// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Cheats} from "./Cheats.sol";
import {Handler} from "./Handler.sol";

/// @notice The campaign: random histories of agreements, feeds and disputes over the real contracts. After every call all the
/// invariants must hold, and at the end of every history everybody must get out. A failure names the invariant (I1 to I10).
abstract contract Campaign is Cheats {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler internal handler;

    /// @dev How many agreements a history begins with.
    function _opening() internal pure virtual returns (uint256);

    function setUp() external {
        handler = new Handler();
        for (uint256 i = 0; i < _opening(); ++i) handler.open(mix(i, 7));
    }

    /// @dev Read by forge: whom to call.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Read by forge: what to call.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), _selectors());
    }

    function _selectors() internal view virtual returns (bytes4[] memory selectors) {
        bytes4[28] memory all = handler.actions();
        selectors = new bytes4[](all.length);
        for (uint256 i = 0; i < all.length; ++i) selectors[i] = all[i];
    }

    // solhint-disable-next-line func-name-mixedcase
    function invariant_all() external view {
        string memory broken = handler.verdict();
        check(bytes(broken).length == 0, broken);
    }

    function afterInvariant() external {
        try handler.exit() {} catch Error(string memory what) {
            revert(what);
        } catch (bytes memory error) {
            revert(string.concat("I6: no exit, because of ", vm.toString(error)));
        }
        _finish();
    }

    function _finish() internal virtual {}
}

/// @notice Action by action: forge counts each, and shortens the history that breaks an invariant.
contract Histories is Campaign {
    function _opening() internal pure override returns (uint256) {
        return 3;
    }
}

/// @notice The same in bursts of 25 actions, five times as fast.
contract Bursts is Campaign {
    function _opening() internal pure override returns (uint256) {
        return 2;
    }

    function _selectors() internal view override returns (bytes4[] memory selectors) {
        selectors = new bytes4[](1);
        selectors[0] = handler.burst.selector;
    }

    /// @dev Notes down what was tried, if somebody wants to know it.
    function _finish() internal override {
        string memory log = vm.envOr("MAKEGOOD_FUZZ_LOG", "");
        if (bytes(log).length == 0) return;
        string memory line = string.concat("{\"reentries\":", vm.toString(handler.reentries()));
        for (uint256 i = 0; i < 28; ++i) {
            string memory counts = string.concat(vm.toString(handler.calls(i)), ",", vm.toString(handler.accepted(i)));
            line = string.concat(line, ",\"", vm.toString(i), "\":[", counts, "]");
        }
        vm.writeLine(log, string.concat(line, "}"));
    }
}
