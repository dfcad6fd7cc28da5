// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

/// @dev Every kind of branch. ≥ is longer in bytes than in letters.
contract Branching is ReentrancyGuard {
    uint256 public sum;

    function pick(uint256 a, uint256 b) external pure returns (bool) {
        if (!(a == 1 && b == 1) || a > 9) return (a < b) == (a == 0 || b == 0);
        return b == 3 ? true : a == b;
    }

    function add(uint256 count, bool refuse) external {
        for (uint256 i = 0; i < count; ++i) sum += i;
        require(!refuse, "refused");
        assert(sum < 100);
    }

    function words(uint256 size) external pure returns (bytes memory data) {
        data = new bytes(64);
        assembly ("memory-safe") {
            if gt(size, 1) {
                size := 1
            }
            for { let i := 0 } lt(i, size) { i := add(i, 1) } {
                mstore(add(data, 32), 7)
            }
        }
    }

    function locked(bool again) external nonReentrant {
        if (again) this.locked(false);
    }

    function tried(bool again) external nonReentrant returns (bool) {
        try this.locked(again) {
            return true;
        } catch {
            return false;
        }
    }
}
