// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Tally} from "../interfaces/IMonitoringOracle.sol";
import {Terms} from "../interfaces/ISLAEscrow.sol";
import {CreditLib} from "../libraries/CreditLib.sol";
import {Measurement} from "../libraries/MeasurementLib.sol";
import {ReadingAgreement} from "../libraries/ReadingAgreement.sol";
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

    function validateTerms(Terms calldata terms) external view {
        TermsLib.validate(terms);
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
