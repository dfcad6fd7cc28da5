// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AgreementStatus, ISLAEscrow, Terms, Termination, WindowStatus} from "../../contracts/interfaces/ISLAEscrow.sol";
import {IDisputeCourt, Side} from "../../contracts/interfaces/IDisputeCourt.sol";
import {ITreasury} from "../../contracts/interfaces/ITreasury.sol";
import {EscrowWorld} from "./EscrowWorld.sol";
import {Delivery, FuzzOracle, IHost, Mood} from "./Hostile.sol";

interface IRevocable {
    function revoke(bytes32 digest) external;
}

/// @dev What the parties of agreements do, what anybody does, and what goes wrong outside.
abstract contract EscrowActions is EscrowWorld, IHost {
    /// @dev Set where a call got through that must not. Names the invariant.
    string internal broken;
    /// @dev The agreement that is called from within deliveries, and how often such a call got through.
    uint256 private _dealWithin;
    uint256 public reentries;

    // BEGIN AND END

    function open(uint256 seed) external now_ {
        require(deals.length < MOST_DEALS);
        // Half of the agreements share a grid with others.
        bool shared = grids.length != 0 && (mix(seed, 1) % 2 == 0 || grids.length == MOST_GRIDS);
        uint256 grid = shared ? mix(seed, 2) % grids.length : _makeGrid(mix(seed, 3));
        Terms memory t = _makeTerms(mix(seed, 4), grid);
        bytes32 id = escrow.agreementId(t);
        bytes[2] memory signatures = [_sign(t.provider, id), _sign(t.consumer, id)];
        uint256 fees = 0;
        for (uint256 w = 0; w < t.prepaidWindows; ++w) fees += escrow.feeOf(t, w);

        bool withdrawn = mix(seed, 5) % 16 == 0;
        if (withdrawn) _call(mix(seed, 6) % 2 == 0 ? t.provider : t.consumer, address(escrow), abi.encodeCall(IRevocable.revoke, (id)));
        chains.push();
        _addDeal(id, t, chains.length - 1, grid);
        _act(
            chains.length - 1,
            fees,
            address(this),
            address(escrow),
            abi.encodeCall(ISLAEscrow.open, (t, signatures[0], signatures[1]))
        );
        if (withdrawn) broken = "I10: opened with a signature that had been withdrawn";
    }

    function amend(uint256 seed) external now_ {
        require(deals.length < MOST_DEALS);
        uint256 chain = deals[_pick(seed)].chain;
        for (uint256 i = 0; i < chains.length && !_isOpen(chain); ++i) chain = (chain + 1) % chains.length;
        uint256 newest = chains[chain].newest;
        Terms memory current = _terms(newest);
        Terms memory next = _makeTerms(mix(seed, 2), deals[newest].grid);
        (next.provider, next.consumer, next.oracle) = (current.provider, current.consumer, current.oracle);
        next.previous = deals[newest].id;
        next.prepaidWindows = 0;
        if (mix(seed, 3) % 4 != 0) next.feePerWindow = current.feePerWindow;
        if (mix(seed, 4) % 2 == 0) next.bond = current.bond;
        if (next.bond == 0 && next.creditCap > 10_000) next.creditCap = 10_000;
        // From a later window on, or where the terms end.
        uint256 window = between(mix(seed, 5), 0, current.windows);
        while (window < current.windows && _begin(current, window) < clock) ++window;
        next.start = uint40(_begin(current, window));
        next.openBy = uint40(mix(seed, 6) % 4 == 0 ? clock : next.start);
        bytes32 id = escrow.agreementId(next);
        bytes memory data = abi.encodeCall(
            ISLAEscrow.amend,
            (current, next, _sign(next.provider, id), _sign(next.consumer, id))
        );
        _act(chain, 0, address(this), address(escrow), data);
        _addDeal(id, next, chain, deals[newest].grid);
    }

    function _isOpen(uint256 chain) private view returns (bool) {
        return escrow.status(deals[chains[chain].newest].id) == AgreementStatus.Open;
    }

    /// @dev Seldom, since it ends so much.
    function terminate(uint256 seed) external now_ {
        require(mix(seed, 9) % 4 == 0);
        uint256 d = _pick(seed);
        Terms memory t = _terms(d);
        bytes32 id = deals[d].id;
        Termination memory end;
        end.agreement = id;
        end.window = uint16(mix(seed, 2) % t.windows);
        end.validUntil = uint40(clock + mix(seed, 3) % 100);
        uint256 left = 0;
        for (uint256 w = end.window; w < t.windows; ++w) {
            (WindowStatus status, uint256 paid) = escrow.windowOf(id, w);
            uint256 fee = escrow.feeOf(t, w);
            if (status == WindowStatus.Funded && fee > paid) left += fee - paid;
        }
        // Now and then more than there is.
        end.toProvider = uint128(mix(seed, 4) % (left + (mix(seed, 5) % 8 == 0 ? 3 : 1)));
        bytes32 digest = escrow.terminationDigest(end);
        _act(
            deals[d].chain,
            0,
            stranger,
            address(escrow),
            abi.encodeCall(ISLAEscrow.terminate, (t, end, _sign(t.provider, digest), _sign(t.consumer, digest)))
        );
        if (end.toProvider > left) broken = "I2: a split of more than was held";
    }

    function endForBreaches(uint256 seed) external now_ {
        uint256 d = _pick(seed);
        uint256[] memory breached;
        uint256 size = 0;
        for (uint256 i = 0; i < deals.length; ++i) {
            d = (d + 1) % deals.length;
            size = 0;
            breached = new uint256[](deals[d].windows);
            for (uint256 w = 0; w < breached.length; ++w) {
                (, uint256 paid) = escrow.windowOf(deals[d].id, w);
                if (paid != 0) breached[size++] = w;
            }
            // One whose end is still to come.
            if (size != 0 && size >= deals[d].breachesToEnd && clock < deals[d].begins[deals[d].windows - 1]) break;
        }
        Terms memory t = _terms(d);
        // Now and then one that was not.
        if (mix(seed, 2) % 8 == 0 && size < breached.length) breached[size++] = breached.length - 1;
        assembly ("memory-safe") {
            mstore(breached, size)
        }
        bytes memory data = abi.encodeCall(ISLAEscrow.endForBreaches, (t, breached));
        _act(deals[d].chain, 0, t.consumer, address(escrow), data);
    }

    function endByNotice(uint256 seed) external now_ {
        uint256 d = _pick(seed);
        Terms memory t = _terms(d);
        address party = mix(seed, 2) % 2 == 0 ? t.provider : t.consumer;
        _act(deals[d].chain, 0, party, address(escrow), abi.encodeCall(ISLAEscrow.endByNotice, (t)));
    }

    // MONEY

    function fund(uint256 seed) external now_ {
        (uint256 d, uint256 first) = _findUnfunded(seed);
        Deal storage deal = deals[d];
        uint256 count = between(mix(seed, 3), 1, mix(seed, 4) % 8 == 0 ? 4 : deal.windows - first);
        uint256 fees = 0;
        for (uint256 w = first; w < first + count && w < 4; ++w) fees += deal.fees[w];
        Terms memory t = _terms(d);
        // Mostly the bond is there, so that something happens.
        if (t.bond != 0 && mix(seed, 5) % 4 != 0) _postBond(d, t, t.bond);
        _act(deal.chain, fees, address(this), address(escrow), abi.encodeCall(ISLAEscrow.fund, (t, first, count)));
    }

    function postBond(uint256 seed) external now_ {
        uint256 d = _pick(seed);
        Terms memory t = _terms(d);
        _postBond(d, t, mix(seed, 2) % 2 == 0 ? t.bond : between(mix(seed, 3), 1, 1e12));
    }

    function _postBond(uint256 d, Terms memory t, uint256 amount) private {
        _act(deals[d].chain, amount, address(this), address(escrow), abi.encodeCall(ISLAEscrow.postBond, (t, amount)));
    }

    function settle(uint256 seed) external now_ {
        (uint256 d, uint256 window) = _findFunded(seed, clock, type(uint256).max);
        Terms memory t = _terms(d);
        (, uint256 predicted, ) = escrow.claimable(t, window);
        bytes memory data = abi.encodeCall(ISLAEscrow.settle, (t, window));
        uint256 paidOut = chains[deals[d].chain].paidOut;
        uint256 amount = abi.decode(_act(deals[d].chain, 0, stranger, address(escrow), data), (uint256));
        if (token.mood() == Mood.Honest) _checkDetour(d, paidOut);
        if (amount != predicted) broken = "I9: settle paid something else than claimable had said";
        // A second time there is nothing to pay.
        data = _act(deals[d].chain, 0, stranger, address(escrow), data);
        if (abi.decode(data, (uint256)) != 0) broken = "I4: a credit was paid twice";
    }

    function close(uint256 seed) external now_ {
        (uint256 d, uint256 window) = _findFunded(seed, clock, mix(seed, 3) % 2 == 0 ? clock : type(uint256).max);
        Terms memory t = _terms(d);
        // A window that nobody reports in full is closed in the end: as skipped, or after its expiry.
        if (mix(seed, 4) % 8 == 0 && clock < escrow.expiryOf(t, window)) clock = escrow.expiryOf(t, window);
        else if (mix(seed, 4) % 2 == 0) _skipTo(deals[d].grid, deals[d].begins[window + 1]);
        vm.warp(clock);
        (, , bool closable) = escrow.claimable(t, window);
        uint256 paidOut = chains[deals[d].chain].paidOut;
        _act(deals[d].chain, 0, stranger, address(escrow), abi.encodeCall(ISLAEscrow.close, (t, window)));
        if (token.mood() == Mood.Honest) _checkDetour(d, paidOut);
        if (!closable) broken = "I9: closed though claimable had said it is not closable";
    }

    /// @dev Settling and closing pay into the court, if the terms name an arbiter.
    function _checkDetour(uint256 d, uint256 paidOut) private {
        if (!deals[d].hasArbiter || chains[deals[d].chain].paidOut == paidOut) return;
        broken = "I10: a payment found a way around its challenge period";
    }

    /// @dev Records what is not judged of a grid's feeds, before `end`, as unknown.
    function _skipTo(uint256 grid, uint256 end) internal virtual;

    function releaseBond(uint256 seed) external now_ {
        uint256 d = _pick(seed);
        if (mix(seed, 2) % 4 != 0) d = chains[deals[d].chain].newest;
        _act(deals[d].chain, 0, stranger, address(escrow), abi.encodeCall(ISLAEscrow.releaseBond, (_terms(d))));
    }

    function withdraw(uint256 seed) external now_ {
        (address treasury, address payee, uint256 amount) = _findWithheld(seed);
        uint256 before = _ofAgreements();
        paidWithin = 0;
        if (mix(seed, 3) % 2 == 0) {
            _call(payee, treasury, abi.encodeCall(ITreasury.withdraw, (address(token), safePlace)));
        } else {
            _call(stranger, treasury, abi.encodeCall(ITreasury.redeliver, (address(token), payee)));
        }
        if (amount == 0 || _ofAgreements() + paidWithin != before) broken = "I1: a withdrawal took other money";
    }

    function _findWithheld(uint256 seed) private view returns (address treasury, address payee, uint256 amount) {
        for (uint256 i = 0; i < 8; ++i) {
            treasury = (mix(seed, 1) + i) % 2 == 0 ? address(escrow) : address(court);
            payee = (mix(seed, 2) + i / 2) % 4 < 2 ? providers[(mix(seed, 2) + i / 2) % 2] : consumers[(mix(seed, 2) + i / 2) % 2];
            amount = ITreasury(treasury).withdrawable(address(token), payee);
            if (amount != 0) break;
        }
    }

    function setPayout(uint256 seed) external now_ {
        address to = mix(seed, 3) % 3 == 0 ? address(0) : mix(seed, 3) % 3 == 1 ? safePlace : _party(mix(seed, 4));
        _call(_party(seed), address(escrow), abi.encodeCall(ISLAEscrow.setPayout, (to)));
    }

    // OUTSIDE

    function wait(uint256 seed) external now_ {
        if (deals.length == 0 || mix(seed, 1) % 2 == 0) {
            clock += mix(seed, 2) % (mix(seed, 3) % 4 == 0 ? 2 days : 1 hours);
            return;
        }
        Terms memory t = _terms(_pick(seed));
        uint256 begin = _begin(t, mix(seed, 4) % (uint256(t.windows) + 1));
        if (clock < begin) clock = begin - mix(seed, 5) % 2;
    }

    /// @dev A stranger's tokens belong to nobody (rule 22).
    function donate(uint256 seed) external now_ {
        uint256 amount = between(mix(seed, 1), 1, 1_000);
        require(token.mood() == Mood.Honest);
        token.mint(stranger, amount);
        donated += amount;
        address treasury = mix(seed, 2) % 2 == 0 ? address(escrow) : address(court);
        _call(stranger, address(token), abi.encodeCall(token.transfer, (treasury, amount)));
    }

    function skim(uint256 seed) external now_ {
        address treasury = mix(seed, 1) % 2 == 0 ? address(escrow) : address(court);
        uint256 before = token.balanceOf(treasury);
        _call(stranger, treasury, abi.encodeCall(ITreasury.skim, (address(token), stranger)));
        // Reverts if it took more than strangers had sent.
        donated -= before - token.balanceOf(treasury);
    }

    function changeToken(uint256 seed) external now_ {
        token.setMood(mix(seed, 1) % 3 == 0 ? Mood(mix(seed, 2) % 5) : Mood.Honest);
    }

    function changeDelivery(uint256 seed) external now_ {
        token.setDelivery(_party(seed), mix(seed, 9) % 3 == 0 ? Delivery.Reenters : Delivery(mix(seed, 3) % 5));
        if (deals.length == 0) return;
        uint256 window;
        (_dealWithin, window) = _findFunded(seed, clock, type(uint256).max);
        Terms memory t = _terms(_dealWithin);
        address treasury = mix(seed, 5) % 2 == 0 ? address(escrow) : address(court);
        bytes[6] memory calls = [
            abi.encodeCall(ISLAEscrow.settle, (t, window)),
            abi.encodeCall(ISLAEscrow.close, (t, window)),
            abi.encodeCall(ISLAEscrow.releaseBond, (t)),
            abi.encodeCall(IDisputeCourt.release, (t, window, Side(mix(seed, 6) % 2))),
            abi.encodeCall(ITreasury.redeliver, (address(token), _party(mix(seed, 4)))),
            abi.encodeCall(ITreasury.skim, (address(token), stranger))
        ];
        uint256 choice = mix(seed, 8) % 6;
        if (choice < 4) treasury = choice < 3 ? address(escrow) : address(court);
        token.setReentry(treasury, calls[choice]);
    }

    /// @dev A call into the escrow from within a delivery of the court, or the other way round: it may get through, and is booked. It
    /// must not revert where something is wrong, for that would undo the wrong.
    function reenter(address target, bytes calldata data) external {
        require(msg.sender == address(token));
        (uint256 sum, uint256 there) = (_held(), token.balanceOf(target));
        (bool ok, ) = target.call(data);
        require(ok);
        ++reentries;
        uint256 left = sum - _held();
        if (bytes4(data[:4]) == ITreasury.skim.selector) {
            left = there - token.balanceOf(target);
            if (left > donated) broken = "I1: skimmed more than strangers had sent";
            else donated -= left;
            return;
        }
        if (bytes4(data[:4]) == ITreasury.redeliver.selector) {
            if (left != 0) broken = "I1: a withdrawal took other money";
            return;
        }
        paidWithin += left;
        Chain storage chain = chains[deals[_dealWithin].chain];
        uint256 paidOut = chain.paidOut;
        chain.paidOut += left;
        bool pays = bytes4(data[:4]) == ISLAEscrow.settle.selector || bytes4(data[:4]) == ISLAEscrow.close.selector;
        if (pays && token.mood() == Mood.Honest) _checkDetour(_dealWithin, paidOut);
    }

    /// @dev In the middle of an action: what strangers sent is still there, or not any more.
    function _held() private view returns (uint256) {
        return token.balanceOf(address(escrow)) + token.balanceOf(address(court)) - _withheld();
    }

    function changeOracle(uint256 seed) external now_ {
        moodyOracle.setMode(mix(seed, 1) % 2 == 0 ? FuzzOracle.Mode.Honest : FuzzOracle.Mode(mix(seed, 2) % 5));
    }

    function _party(uint256 seed) internal view returns (address) {
        uint256 n = mix(seed, 7) % 4;
        return n < 2 ? providers[n] : consumers[n - 2];
    }
}
