// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeStatus, IDisputeCourt, Side} from "../../contracts/interfaces/IDisputeCourt.sol";
import {Terms} from "../../contracts/interfaces/ISLAEscrow.sol";
import {EscrowWorld} from "./EscrowWorld.sol";

/// @dev What parties and arbiter do while payments may be disputed (rule 16).
abstract contract CourtActions is EscrowWorld {
    function release(uint256 seed) external now_ {
        (uint256 d, Terms memory t, uint256 window, Side side) = _payment(seed);
        (, , uint256 maturesAt, , ) = court.waiting(deals[d].id, window, side);
        if (mix(seed, 6) % 2 == 0 && clock < maturesAt) clock = maturesAt;
        vm.warp(clock);
        _act(deals[d].chain, 0, stranger, address(court), abi.encodeCall(IDisputeCourt.release, (t, window, side)));
    }

    function dispute(uint256 seed) external now_ {
        (uint256 d, Terms memory t, uint256 window, Side side) = _payment(seed);
        address party = side == Side.Consumer ? t.provider : t.consumer;
        bytes memory data = abi.encodeCall(IDisputeCourt.dispute, (t, window, side));
        _act(deals[d].chain, t.disputeDeposit, party, address(court), data);
    }

    function rule(uint256 seed) external now_ {
        (uint256 d, Terms memory t, uint256 window, Side side) = _disputed(seed);
        (, uint256 amount, ) = court.disputeOf(deals[d].id, window, side);
        uint256 award = mix(seed, 6) % 4 == 0 ? 0 : mix(seed, 7) % (amount + 1);
        bytes memory data = abi.encodeCall(IDisputeCourt.rule, (t, window, side, award));
        _act(deals[d].chain, 0, arbiter, address(court), data);
    }

    function lapse(uint256 seed) external now_ {
        (uint256 d, Terms memory t, uint256 window, Side side) = _disputed(seed);
        (, , uint256 rulingBy) = court.disputeOf(deals[d].id, window, side);
        if (mix(seed, 6) % 4 != 0 && clock <= rulingBy) clock = rulingBy + 1;
        vm.warp(clock);
        _act(deals[d].chain, 0, stranger, address(court), abi.encodeCall(IDisputeCourt.lapse, (t, window, side)));
    }

    /// @dev A payment that waits, if there is one.
    function _payment(uint256 seed) private view returns (uint256 d, Terms memory t, uint256 window, Side side) {
        return _find(seed, false);
    }

    function _disputed(uint256 seed) private view returns (uint256 d, Terms memory t, uint256 window, Side side) {
        return _find(seed, true);
    }

    function _find(
        uint256 seed,
        bool disputed
    ) private view returns (uint256 d, Terms memory t, uint256 window, Side side) {
        uint256 start = _pick(seed);
        for (uint256 i = 0; i < deals.length; ++i) {
            d = (start + i) % deals.length;
            if (!deals[d].hasArbiter) continue;
            uint256 count = 2 * deals[d].windows;
            for (uint256 k = 0; k < count; ++k) {
                uint256 n = ((mix(seed, 5) % count) + k) % count;
                (window, side) = (n / 2, Side(n % 2));
                if (_is(deals[d].id, window, side, disputed)) return (d, _terms(d), window, side);
            }
        }
        revert("nothing waits");
    }

    function _is(bytes32 id, uint256 window, Side side, bool disputed) private view returns (bool) {
        if (disputed) {
            (DisputeStatus status, , ) = court.disputeOf(id, window, side);
            return status == DisputeStatus.Open;
        }
        (uint256 matured, uint256 maturing, , , ) = court.waiting(id, window, side);
        return matured + maturing != 0;
    }
}
