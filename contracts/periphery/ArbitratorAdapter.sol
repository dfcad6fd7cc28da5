// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {DisputeStatus, IDisputeCourt, Side} from "../interfaces/IDisputeCourt.sol";
import {Terms} from "../interfaces/ISLAEscrow.sol";
import {IArbitrable} from "./interfaces/IArbitrable.sol";
import {IArbitrator} from "./interfaces/IArbitrator.sol";
import {IEvidence} from "./interfaces/IEvidence.sol";

/// @title Any ERC-792 arbitrator as the arbiter of terms
/// @notice Parties name this contract as the arbiter of their terms, and by that the arbitrator behind it. When a party has disputed
/// a payment at the court, anyone may buy the arbitrator's ruling with `request`; when the arbitrator has given it, anyone may
/// carry it to the court with `execute`. For all courts, agreements and parties; holds nothing.
///
/// The arbitrator chooses from `steps` + 1 rulings: ruling r, from 1 on, awards (r - 1) / steps of the disputed amount to the
/// party that disputed it, rounded up, so that whoever wins anything gets its deposit back. With 1 step: 1 the payment stands, 2
/// all is awarded. Jurors who vote agree better on few choices. Ruling 0, a refusal, and rulings beyond the choices decide
/// nothing: the dispute lapses at the court, as it does if nobody asks for a ruling, or if that comes after the court's deadline.
///
/// Who disputes and does not pay for the ruling freezes the amount until that deadline. The other party can buy the ruling itself;
/// the deposit of the terms, which it wins, should exceed the arbitrator's price. Appeals are not possible: they would last longer
/// than the court waits.
contract ArbitratorAdapter is IArbitrable, IEvidence, ReentrancyGuard {
    struct Decision {
        bool given;
        uint256 ruling;
    }

    uint256 private constant MAX_STEPS = 100;
    /// @dev ERC-1497: all disputes have the same meta-evidence.
    uint256 private constant META_EVIDENCE = 0;

    /// @notice Who rules.
    IArbitrator public immutable arbitrator;
    /// @notice In how many steps the arbitrator divides the disputed amount, 1 to 100.
    uint256 public immutable steps;

    /// @notice What the arbitrator is told with each request, e.g. which court and how many jurors.
    bytes public extraData;

    mapping(bytes32 key => uint256 disputePlusOne) private _requests;
    mapping(uint256 dispute => Decision) private _decisions;

    /// @notice `requester` asked the arbitrator to rule on the dispute of `side`'s payment for the window.
    event Requested(
        uint256 indexed disputeID,
        bytes32 indexed id,
        address indexed requester,
        IDisputeCourt court,
        uint256 window,
        Side side
    );

    error ArbitratorAdapter_NoContract(address arbitrator);
    error ArbitratorAdapter_Steps(uint256 steps);
    error ArbitratorAdapter_NotArbiter(address arbiter);
    error ArbitratorAdapter_NoOpenDispute(DisputeStatus status);
    /// @dev The court waits for a ruling only until `rulingBy` [s, UNIX time].
    error ArbitratorAdapter_TooLate(uint256 rulingBy);
    error ArbitratorAdapter_RequestedBefore(uint256 disputeID);
    error ArbitratorAdapter_TooLittlePaid(uint256 paid, uint256 cost);
    error ArbitratorAdapter_NotArbitrator(address caller);
    error ArbitratorAdapter_RuledBefore(uint256 disputeID);
    error ArbitratorAdapter_NotRequested();
    error ArbitratorAdapter_NotRuled(uint256 disputeID);
    /// @dev The arbitrator refused to decide, or gave a ruling it was not asked for.
    error ArbitratorAdapter_NoDecision(uint256 ruling);

    /// @param metaEvidence URI of the ERC-1497 document that explains the disputes and the rulings to the arbitrator.
    constructor(IArbitrator arbitrator_, bytes memory extraData_, uint256 steps_, string memory metaEvidence) {
        require(address(arbitrator_).code.length != 0, ArbitratorAdapter_NoContract(address(arbitrator_)));
        require(steps_ != 0 && steps_ <= MAX_STEPS, ArbitratorAdapter_Steps(steps_));
        arbitrator = arbitrator_;
        extraData = extraData_;
        steps = steps_;
        emit MetaEvidence(META_EVIDENCE, metaEvidence);
    }

    /// @notice Asks the arbitrator to rule on an open dispute. The caller pays; what exceeds `cost` is returned.
    function request(
        IDisputeCourt court,
        Terms calldata terms,
        uint256 window,
        Side side
    ) external payable nonReentrant returns (uint256 disputeID) {
        // Check
        require(terms.arbiter == address(this), ArbitratorAdapter_NotArbiter(terms.arbiter));
        bytes32 id = court.escrow().agreementId(terms);
        bytes32 key = _key(court, id, window, side);
        uint256 before = _requests[key];
        if (before != 0) revert ArbitratorAdapter_RequestedBefore(before - 1);
        (DisputeStatus status, , uint256 rulingBy) = court.disputeOf(id, window, side);
        require(status == DisputeStatus.Open, ArbitratorAdapter_NoOpenDispute(status));
        require(block.timestamp <= rulingBy, ArbitratorAdapter_TooLate(rulingBy));
        uint256 price = cost();
        require(msg.value >= price, ArbitratorAdapter_TooLittlePaid(msg.value, price));

        // Interaction and effect: only the arbitrator knows the number of the dispute
        disputeID = arbitrator.createDispute{value: price}(steps + 1, extraData);
        _requests[key] = disputeID + 1;
        emit Requested(disputeID, id, msg.sender, court, window, side);
        emit Dispute(arbitrator, disputeID, META_EVIDENCE, disputeID);

        if (msg.value > price) Address.sendValue(payable(msg.sender), msg.value - price);
    }

    /// @notice Shows the arbitrator evidence: the URI of an ERC-1497 document. Anyone may; the event says who did.
    function submitEvidence(uint256 disputeID, string calldata evidence) external {
        emit Evidence(arbitrator, disputeID, msg.sender, evidence);
    }

    /// @inheritdoc IArbitrable
    /// @dev Only notes the ruling, so that no state of the court or the token can make the arbitrator's call fail.
    function rule(uint256 disputeID, uint256 ruling) external {
        require(msg.sender == address(arbitrator), ArbitratorAdapter_NotArbitrator(msg.sender));
        require(!_decisions[disputeID].given, ArbitratorAdapter_RuledBefore(disputeID));
        _decisions[disputeID] = Decision(true, ruling);
        emit Ruling(arbitrator, disputeID, ruling);
    }

    /// @notice Carries the arbitrator's ruling to the court. Anyone may call, until the court's deadline.
    /// @return award What the party that disputed is awarded [units of the token's decimals].
    function execute(
        IDisputeCourt court,
        Terms calldata terms,
        uint256 window,
        Side side
    ) external returns (uint256 award) {
        bytes32 id = court.escrow().agreementId(terms);
        uint256 ruling = _rulingOn(_key(court, id, window, side));
        (, uint256 disputed, ) = court.disputeOf(id, window, side);
        award = Math.ceilDiv(disputed * (ruling - 1), steps);
        court.rule(terms, window, side, award);
    }

    /// @notice The arbitrator's dispute of `side`'s payment, and its ruling if that was given.
    function requestOf(
        IDisputeCourt court,
        bytes32 id,
        uint256 window,
        Side side
    ) external view returns (bool requested, uint256 disputeID, bool ruled, uint256 ruling) {
        uint256 disputePlusOne = _requests[_key(court, id, window, side)];
        if (disputePlusOne == 0) return (false, 0, false, 0);
        disputeID = disputePlusOne - 1;
        Decision storage d = _decisions[disputeID];
        return (true, disputeID, d.given, d.ruling);
    }

    /// @notice What a request costs now [wei].
    function cost() public view returns (uint256) {
        return arbitrator.arbitrationCost(extraData);
    }

    function _rulingOn(bytes32 key) private view returns (uint256 ruling) {
        uint256 disputePlusOne = _requests[key];
        require(disputePlusOne != 0, ArbitratorAdapter_NotRequested());
        Decision storage d = _decisions[disputePlusOne - 1];
        require(d.given, ArbitratorAdapter_NotRuled(disputePlusOne - 1));
        ruling = d.ruling;
        require(ruling != 0 && ruling <= steps + 1, ArbitratorAdapter_NoDecision(ruling));
    }

    function _key(IDisputeCourt court, bytes32 id, uint256 window, Side side) private pure returns (bytes32) {
        return keccak256(abi.encode(court, id, window, side));
    }
}
