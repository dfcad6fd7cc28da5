// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef, Tally} from "../interfaces/IMonitoringOracle.sol";
import {Side} from "../interfaces/IDisputeCourt.sol";
import {ISLAEscrow, Level, Terms, WindowStatus} from "../interfaces/ISLAEscrow.sol";
import {CreditLib} from "../libraries/CreditLib.sol";
import {Measurement} from "../libraries/MeasurementLib.sol";
import {OracleLib} from "../libraries/OracleLib.sol";
import {TermsLib} from "../libraries/TermsLib.sol";
import {Bonds} from "./Bonds.sol";

/// @title What a window's tally makes of its fee
abstract contract Payments is Bonds {
    using TermsLib for Terms;

    /// @dev What is due of a window now.
    /// @param credit Certain so far [bps of the fee].
    /// @param amount To be paid to the consumer now.
    /// @param fromBond What of it the fee does not cover.
    /// @param missing What neither fee nor bond can pay.
    struct Due {
        uint256 fee;
        uint256 credit;
        uint256 amount;
        uint256 fromBond;
        uint256 missing;
    }

    /// @inheritdoc ISLAEscrow
    function settle(Terms calldata terms, uint256 window) external nonReentrant returns (uint256 amount) {
        bytes32 id = agreementId(terms);
        (Window storage w, uint256 paid) = _funded(id, window);

        // Check
        (Tally[] memory tallies, ) = _tallies(terms, window);
        Due memory due = _due(terms, id, window, tallies, paid);
        amount = due.amount;
        if (amount == 0) return 0;

        // Effect
        w.paid = uint136(paid + amount);
        if (due.fromBond != 0) _takeBond(id, window, due.fromBond);
        emit Settled(id, window, due.credit, amount);

        // Interaction
        _payFor(terms, id, window, Side.Consumer, amount);
    }

    /// @inheritdoc ISLAEscrow
    function close(
        Terms calldata terms,
        uint256 window
    ) external nonReentrant returns (uint256 toConsumer, uint256 toProvider) {
        bytes32 id = agreementId(terms);
        (Window storage w, uint256 paid) = _funded(id, window);

        // Check
        (Tally[] memory tallies, bool complete) = _tallies(terms, window);
        if (!complete) revert SLAEscrow_NotJudged(window, terms.expiry(window));
        Due memory due = _due(terms, id, window, tallies, paid);
        toConsumer = due.amount;
        paid += toConsumer;
        // A credit beyond the fee has eaten it up.
        toProvider = due.fee > paid ? due.fee - paid : 0;

        // Effect
        w.status = WindowStatus.Closed;
        _freeBond(terms, id, 1);
        if (due.fromBond != 0) _takeBond(id, window, due.fromBond);
        if (due.missing != 0) _oweFromBond(id, window, due.missing);
        if (toConsumer != 0) {
            w.paid = uint136(paid);
            emit Settled(id, window, due.credit, toConsumer);
        }
        emit Closed(id, window, due.credit, paid, toProvider);

        // Interaction
        if (toConsumer != 0) _payFor(terms, id, window, Side.Consumer, toConsumer);
        if (toProvider != 0) _payFor(terms, id, window, Side.Provider, toProvider);
    }

    /// @inheritdoc ISLAEscrow
    function claimable(
        Terms calldata terms,
        uint256 window
    ) external view returns (uint256 credit, uint256 amount, bool closable) {
        bytes32 id = agreementId(terms);
        Window storage w = _windows[id][window];
        if (w.status != WindowStatus.Funded) return (0, 0, false);
        Tally[] memory tallies;
        (tallies, closable) = _tallies(terms, window);
        Due memory due = _due(terms, id, window, tallies, w.paid);
        return (due.credit, due.amount, closable);
    }

    /// @inheritdoc ISLAEscrow
    function bounds(Terms calldata terms, uint256 window) external view returns (uint256 least, uint256 most) {
        return (_bound(terms, window, false), _bound(terms, window, true));
    }

    function _bound(Terms calldata terms, uint256 window, bool bad) private view returns (uint256) {
        (Tally[] memory tallies, ) = _tallies(terms, window);
        for (uint256 i = 0; i < tallies.length; ++i) {
            tallies[i] = CreditLib.resolved(terms.levels[i].feed.scope, tallies[i], bad);
        }
        return CreditLib.owedDown(terms.fee(window), CreditLib.windowCredit(terms, tallies), 0);
    }

    /// @dev Credits are paid from the fee first, from the bond beyond.
    function _due(
        Terms calldata terms,
        bytes32 id,
        uint256 window,
        Tally[] memory tallies,
        uint256 paid
    ) private view returns (Due memory due) {
        due.fee = terms.fee(window);
        due.credit = CreditLib.windowCredit(terms, tallies);
        uint256 amount = CreditLib.owedDown(due.fee, due.credit, paid);
        uint256 left = due.fee > paid ? due.fee - paid : 0;
        if (amount > left) {
            due.fromBond = _bondFor(terms, id, amount - left);
            due.missing = amount - left - due.fromBond;
            amount = left + due.fromBond;
        }
        due.amount = amount;
    }

    /// @dev Tallies of all levels for a window of the agreement, and whether they are final.
    function _tallies(
        Terms calldata terms,
        uint256 window
    ) internal view returns (Tally[] memory tallies, bool complete) {
        Level[] calldata levels = terms.levels;
        tallies = new Tally[](levels.length);
        complete = true;
        for (uint256 i = 0; i < levels.length; ++i) {
            Tally memory t = tallies[i];
            _ask(terms, window, i, levels[i].feed, t);
            // A window of which nothing is to be judged is over when its time is.
            if (t.judged < t.planned) complete = false;
            else if (t.planned == 0 && block.timestamp < terms.windowStart(window + 1)) complete = false;
        }
    }

    /// @dev Fills in the tally of level `index`. Once the window has expired, what is not judged is unknown, even if the oracle
    /// does not answer at all (rule 13).
    function _ask(
        Terms calldata terms,
        uint256 window,
        uint256 index,
        FeedRef calldata feed,
        Tally memory t
    ) private view {
        Measurement m = feed.measurement;
        uint256 number = terms.feedWindow(m, window);
        uint256 end = m.windowBegin(number + 1);
        uint256 intervals = end - m.windowBegin(number);
        (bool sound, bool enoughGas) = OracleLib.tryTally(terms.oracle, feed, number, intervals, t);
        // Most windows are settled while they run, and closed when they are judged: these need no expiry.
        if (sound && (t.judged == t.planned || block.timestamp < m.startOf(end))) return;

        uint256 expiry = terms.expiry(window);
        if (!sound) {
            require(enoughGas, Treasury_MoreGasNeeded(OracleLib.TALLY_GAS));
            require(block.timestamp >= expiry, SLAEscrow_OracleFailed(index, expiry));
        }
        if (block.timestamp >= expiry) {
            t.unknown += t.planned - t.judged;
            t.judged = t.planned;
        }
    }
}
