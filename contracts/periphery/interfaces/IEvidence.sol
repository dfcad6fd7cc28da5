// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrator} from "./IArbitrator.sol";

/// @title What arbitrators are shown (ERC-1497)
interface IEvidence {
    /// @notice What disputes are about, and what the rulings mean: `evidence` is the URI of a JSON document.
    event MetaEvidence(uint256 indexed metaEvidenceID, string evidence);

    /// @notice A dispute was created; its evidence goes to the group.
    event Dispute(
        IArbitrator indexed arbitrator,
        uint256 indexed disputeID,
        uint256 metaEvidenceID,
        uint256 evidenceGroupID
    );

    /// @notice `party` submitted evidence: the URI of a JSON document.
    event Evidence(
        IArbitrator indexed arbitrator,
        uint256 indexed evidenceGroupID,
        address indexed party,
        string evidence
    );
}
