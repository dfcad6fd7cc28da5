// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeStatus, IDisputeCourt, Side} from "../../contracts/interfaces/IDisputeCourt.sol";
import {AgreementStatus, ISLAEscrow, Terms, WindowStatus} from "../../contracts/interfaces/ISLAEscrow.sol";
import {ITreasury} from "../../contracts/interfaces/ITreasury.sol";
import {CourtActions} from "./CourtActions.sol";
import {EscrowActions} from "./EscrowActions.sol";
import {Delivery, FuzzOracle, Mood} from "./Hostile.sol";
import {OracleActions} from "./OracleActions.sol";

/// @dev All that can happen, and all that must hold whatever has happened. The numbers are those of docs/assurance.md.
contract Handler is OracleActions, EscrowActions, CourtActions {
    /// @dev Enough for any action, and little enough that payees who burn it all do not stop a burst.
    uint256 private constant ACTION_GAS = 500_000_000;

    /// @dev How often each action was tried in bursts, and how often it was accepted.
    uint256[28] public calls;
    uint256[28] public accepted;

    mapping(bytes32 id => AgreementStatus) private _status;
    mapping(bytes32 id => uint256) private _end;
    mapping(bytes32 id => mapping(uint256 window => WindowStatus)) private _windowStatus;
    mapping(bytes32 id => mapping(uint256 window => uint256)) private _paid;

    /// @dev The first invariant that was found broken.
    function verdict() external view returns (string memory) {
        return broken;
    }

    /// @dev Here, because forge forgets what an invariant function itself notes down.
    function _afterwards() internal override {
        if (bytes(broken).length != 0) return;
        try this.checkAll() {} catch Error(string memory what) {
            broken = what;
        } catch (bytes memory error) {
            string memory gas_ = error.length == 0 ? string.concat(", with gas ", vm.toString(gasleft())) : "";
            broken = string.concat("a check failed: ", vm.toString(error), gas_);
        }
    }

    /// @dev Several actions in one call, because forge copies all state for each call of a campaign.
    function burst(uint256 seed) external {
        bytes4[28] memory all = actions();
        for (uint256 i = 0; i < 25; ++i) {
            uint256 action = mix(seed, 2 * i) % all.length;
            (bool ok, ) = address(this).call{gas: ACTION_GAS}(abi.encodeWithSelector(all[action], mix(seed, 2 * i + 1)));
            ++calls[action];
            if (ok) ++accepted[action];
        }
    }

    function actions() public pure returns (bytes4[28] memory) {
        return [
            this.report.selector,
            this.reportMany.selector,
            this.skip.selector,
            this.exclude.selector,
            this.equivocate.selector,
            this.heed.selector,
            this.open.selector,
            this.amend.selector,
            this.terminate.selector,
            this.endForBreaches.selector,
            this.endByNotice.selector,
            this.fund.selector,
            this.postBond.selector,
            this.settle.selector,
            this.close.selector,
            this.releaseBond.selector,
            this.withdraw.selector,
            this.setPayout.selector,
            this.wait.selector,
            this.donate.selector,
            this.skim.selector,
            this.changeToken.selector,
            this.changeDelivery.selector,
            this.changeOracle.selector,
            this.release.selector,
            this.dispute.selector,
            this.rule.selector,
            this.lapse.selector
        ];
    }

    /// @dev What must hold between any two transactions.
    function checkAll() external {
        require(msg.sender == address(this));
        check(!token.reentered(), "I10: a call from within a delivery got through");
        for (uint256 d = 0; d < deals.length; ++d) _checkDeal(deals[d]);
        _checkMoney();
        for (uint256 f = 0; f < 2 * grids.length; ++f) _checkFeed(f);
    }

    function _checkMoney() private view {
        uint256 sum = _withheld();
        uint256[] memory accounted = new uint256[](chains.length);
        for (uint256 d = 0; d < deals.length; ++d) accounted[deals[d].chain] += _accountedFor(d);
        for (uint256 c = 0; c < chains.length; ++c) {
            Chain storage chain = chains[c];
            check(chain.paidOut <= chain.paidIn, "I2: an agreement paid out more than was paid in for it");
            same(accounted[c], chain.paidIn - chain.paidOut, "I8: what is held for an agreement has no reason");
            sum += chain.paidIn - chain.paidOut;
        }
        same(_heldBy(address(escrow)) + _heldBy(address(court)), sum, "I1: held is not deposited less paid out");
        _checkBalance(address(escrow));
        _checkBalance(address(court));
    }

    function _checkBalance(address treasury) private view {
        check(token.balanceOf(treasury) >= _heldBy(treasury), "I1: less there than held");
        check(_heldBy(treasury) >= _withheldBy(treasury), "I1: less held than withheld");
    }

    function _checkDeal(Deal storage deal) private {
        bytes32 id = deal.id;
        AgreementStatus status = escrow.status(id);
        check(status >= _status[id] && status != AgreementStatus.None, "I5: an agreement went back");
        uint256 end = escrow.endOf(id);
        // 0 before the first time.
        check(_status[id] == AgreementStatus.None || end <= _end[id], "I5: an agreement ended later than it had");
        (_status[id], _end[id]) = (status, end);
        for (uint256 w = 0; w < deal.windows; ++w) _checkWindow(deal, w, end);
    }

    function _checkWindow(Deal storage deal, uint256 window, uint256 end) private {
        bytes32 id = deal.id;
        (WindowStatus status, uint256 paid) = escrow.windowOf(id, window);
        WindowStatus before = _windowStatus[id][window];
        check(_isStep(before, status), "I5: a window went back, or somewhere it cannot go");
        if (window >= end) check(status != WindowStatus.Funded, "I5: a window after the end is funded");
        check(paid >= _paid[id][window], "I3: the consumer's credit fell");
        uint256 fee = deal.fees[window];
        check(paid <= (fee * deal.creditCap) / 10_000, "I2: a window paid more than the cap");
        if (deal.bond == 0) check(paid <= fee, "I2: a window paid more than its fee, without a bond");
        if (status == WindowStatus.Unfunded) same(paid, 0, "I2: a window paid without being funded");
        if (before > WindowStatus.Funded) same(paid, _paid[id][window], "I4: a window paid after its end");
        (_windowStatus[id][window], _paid[id][window]) = (status, paid);
    }

    function _isStep(WindowStatus before, WindowStatus now__) private pure returns (bool) {
        if (before == now__ || before == WindowStatus.Funded) return now__ != WindowStatus.Unfunded || before == now__;
        // Several steps may lie between two checks, but none from where nothing is held.
        return before == WindowStatus.Unfunded;
    }

    function _skipTo(uint256 grid, uint256 end) internal override {
        for (uint256 f = 2 * grid; f < 2 * grid + 2; ++f) _skipFeedTo(_feed(f), feedIds[f], end);
    }

    /// @dev I6: from wherever the story has come, everybody gets out, by calls that anyone may make.
    function exit() external {
        vm.warp(clock);
        token.setMood(Mood.Honest);
        uint256 last = clock;
        for (uint256 d = 0; d < deals.length; ++d) {
            uint256 expiry = escrow.expiryOf(_terms(d), deals[d].windows - 1);
            if (expiry > last) last = expiry;
        }
        clock = last + 1;
        vm.warp(clock);
        _closeAll();
        // Two challenge periods and a ruling, at most, until the court has nothing any more.
        for (uint256 i = 0; i < 4; ++i) {
            clock += 61 days;
            vm.warp(clock);
            _emptyCourt();
        }
        for (uint256 c = 0; c < chains.length; ++c) {
            (uint256 bond, , ) = escrow.bondOf(escrow.firstOf(deals[chains[c].newest].id));
            bytes memory data = abi.encodeCall(ISLAEscrow.releaseBond, (_terms(chains[c].newest)));
            if (bond != 0) _act(c, 0, stranger, address(escrow), data);
            same(chains[c].paidIn, chains[c].paidOut, "I6: something of an agreement is stuck");
        }
        same(_heldBy(address(escrow)), _withheldBy(address(escrow)), "I6: the escrow holds what nobody can withdraw");
        same(_heldBy(address(court)), _withheldBy(address(court)), "I6: the court holds what nobody can withdraw");
        for (uint256 i = 0; i < 4; ++i) {
            address party = i < 2 ? providers[i] : consumers[i - 2];
            _takeAll(party, address(escrow));
            _takeAll(party, address(court));
        }
        same(_heldBy(address(escrow)) + _heldBy(address(court)), 0, "I6: something is left");
    }

    function _closeAll() private {
        for (uint256 d = 0; d < deals.length; ++d) {
            Terms memory t = _terms(d);
            for (uint256 w = 0; w < t.windows; ++w) {
                (WindowStatus status, ) = escrow.windowOf(deals[d].id, w);
                if (status != WindowStatus.Funded) continue;
                _act(deals[d].chain, 0, stranger, address(escrow), abi.encodeCall(ISLAEscrow.close, (t, w)));
            }
        }
    }

    function _emptyCourt() private {
        for (uint256 d = 0; d < deals.length; ++d) {
            Terms memory t = _terms(d);
            if (t.arbiter == address(0)) continue;
            for (uint256 n = 0; n < 2 * uint256(t.windows); ++n) _emptyCourt(d, t, n / 2, Side(n % 2));
        }
    }

    function _emptyCourt(uint256 d, Terms memory t, uint256 window, Side side) private {
        (DisputeStatus status, , ) = court.disputeOf(deals[d].id, window, side);
        bytes memory data = abi.encodeCall(IDisputeCourt.lapse, (t, window, side));
        if (status == DisputeStatus.Open) _act(deals[d].chain, 0, stranger, address(court), data);
        (uint256 matured, , , , ) = court.waiting(deals[d].id, window, side);
        data = abi.encodeCall(IDisputeCourt.release, (t, window, side));
        if (matured != 0) _act(deals[d].chain, 0, stranger, address(court), data);
    }

    function _takeAll(address party, address treasury) private {
        if (ITreasury(treasury).withdrawable(address(token), party) == 0) return;
        _call(party, treasury, abi.encodeCall(ITreasury.withdraw, (address(token), safePlace)));
    }
}
