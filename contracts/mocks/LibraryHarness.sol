// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Tally} from "../interfaces/IMonitoringOracle.sol";
import {Terms} from "../interfaces/ISLAEscrow.sol";
import {CalendarLib} from "../libraries/CalendarLib.sol";
import {CreditLib} from "../libraries/CreditLib.sol";
import {Measurement} from "../libraries/MeasurementLib.sol";
import {ReadingAgreement} from "../libraries/ReadingAgreement.sol";
import {Scope} from "../libraries/ScopeLib.sol";
import {TermsLib} from "../libraries/TermsLib.sol";

/// @dev Opens the pure libraries to tests, so that shared vectors can be checked against them one by one.
contract LibraryHarness {
    function agree(
        ReadingAgreement.Readings memory readings,
        ReadingAgreement.Rule memory rule
    ) external pure returns (bool decided, uint256 code) {
        return ReadingAgreement.agree(readings, rule);
    }

    function isGood(Measurement measurement, uint256 value) external pure returns (bool) {
        return measurement.isGood(value);
    }

    function validateMeasurement(Measurement measurement) external pure {
        measurement.validate();
    }

    function validateScope(Scope scope, Measurement measurement) external pure {
        scope.validate(measurement);
    }

    function clamp(Scope scope, uint256 value) external pure returns (uint256) {
        return scope.clamp(value);
    }

    function inService(
        Scope scope,
        Measurement measurement,
        uint256 from,
        uint256 to
    ) external pure returns (uint256) {
        return scope.inService(measurement, from, to);
    }

    function monthOf(uint256 time) external pure returns (uint256) {
        return CalendarLib.monthOf(time);
    }

    function monthStart(uint256 month) external pure returns (uint256) {
        return CalendarLib.startOf(month);
    }

    function windowOf(Measurement measurement, uint256 number) external pure returns (uint256) {
        return measurement.windowOf(number);
    }

    function windowBegin(Measurement measurement, uint256 window) external pure returns (uint256) {
        return measurement.windowBegin(window);
    }

    function firstPeriod(Measurement measurement) external pure returns (uint256) {
        return measurement.firstPeriod();
    }

    function multiproofRoot(
        bytes32[] calldata proof,
        bool[] calldata flags,
        bytes32[] calldata leaves
    ) external pure returns (bytes32) {
        return MerkleProof.processMultiProofCalldata(proof, flags, leaves);
    }

    function proofRoot(bytes32[] calldata proof, bytes32 leaf) external pure returns (bytes32) {
        return MerkleProof.processProofCalldata(proof, leaf);
    }

    function windowFrom(Terms calldata terms, uint256 time) external pure returns (uint256) {
        return TermsLib.windowFrom(terms, time);
    }

    function hashTerms(Terms calldata terms) external pure returns (bytes32) {
        return TermsLib.hash(terms);
    }

    function windowCredit(Terms calldata terms, Tally[] calldata tallies) external pure returns (uint256) {
        return CreditLib.windowCredit(terms, tallies);
    }

    function owedDown(uint256 fee, uint256 credit, uint256 paid) external pure returns (uint256) {
        return CreditLib.owedDown(fee, credit, paid);
    }
}
