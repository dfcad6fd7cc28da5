// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Treasury} from "../Treasury.sol";
import {IMonitoringOracle, Panel} from "../interfaces/IMonitoringOracle.sol";

/// @title What a reporter loses when it signs two answers for one interval (rule 17)
/// @notice A reporter may stake tokens on a panel. Once its equivocation is proven to the oracle, anyone may have the stake paid to the
/// panel's parties, in equal parts. The stake is voluntary: oracle and escrow do not know of it.
///
/// Whoever relies on a stake looks at `stakeOf` first: the oracle and the token must be the ones meant, and no exit announced.
contract ReporterStake is Treasury {
    /// @dev A stake of one reporter, on one panel of one oracle, in one token.
    struct Stake {
        uint256 amount;
        uint256 exitAt;
    }

    /// @notice How long a stake stays behind after its exit was announced [s]. Relayers exchange what they sign as they sign it, so
    /// contradictions are there to be seen within hours; two weeks leave the parties time to notice, also over holidays.
    uint256 public constant EXIT_DELAY = 14 days;

    mapping(bytes32 key => Stake) private _stakes;

    /// @notice `reporter` added `amount` to its stake on the panel with this hash; it does not wish to leave (any more).
    event Staked(
        address indexed oracle,
        bytes32 indexed panel,
        address indexed reporter,
        address token,
        uint256 amount
    );

    /// @notice From `exitAt` on [s, UNIX time] the reporter may take its stake back.
    event ExitAnnounced(
        address indexed oracle,
        bytes32 indexed panel,
        address indexed reporter,
        address token,
        uint256 exitAt
    );

    /// @notice The reporter took its stake back.
    event Left(address indexed oracle, bytes32 indexed panel, address indexed reporter, address token, uint256 amount);

    /// @notice The reporter has equivocated; the parties of the panel got its stake.
    event Slashed(
        address indexed oracle,
        bytes32 indexed panel,
        address indexed reporter,
        address token,
        uint256 amount
    );

    /// @dev The caller is not that reporter of the panel.
    error ReporterStake_NotReporter(address caller);
    /// @dev The panel has no parties, or not these.
    error ReporterStake_Parties();
    error ReporterStake_NoStake();
    /// @dev The exit must be announced; then the stake stays until `exitAt` (0: not announced) [s, UNIX time].
    error ReporterStake_TooEarly(uint256 exitAt);
    /// @dev The oracle knows of no equivocation of this reporter.
    error ReporterStake_NotProven(address reporter);

    /// @notice Adds to the caller's stake, from its allowance. An exit that was announced is called off.
    /// @dev Refused on a panel without parties: nobody could ever be paid with it.
    /// @param reporter Index of the caller in the panel.
    function stake(
        address oracle,
        Panel calldata panel,
        uint256 reporter,
        address token,
        uint256 amount
    ) external nonReentrant {
        require(panel.reporters[reporter] == msg.sender, ReporterStake_NotReporter(msg.sender));
        require(panel.parties != 0, ReporterStake_Parties());
        bytes32 hash = keccak256(abi.encode(panel));
        Stake storage own = _stakes[_key(oracle, hash, msg.sender, token)];
        own.amount += amount;
        own.exitAt = 0;
        emit Staked(oracle, hash, msg.sender, token, amount);
        _pull(token, amount);
    }

    /// @notice Announces that the caller will take its stake back, after `EXIT_DELAY`. Until it does, the stake can be lost.
    /// @param panel Hash of the panel.
    function announceExit(address oracle, bytes32 panel, address token) external {
        Stake storage own = _stakes[_key(oracle, panel, msg.sender, token)];
        require(own.amount != 0, ReporterStake_NoStake());
        own.exitAt = block.timestamp + EXIT_DELAY;
        emit ExitAnnounced(oracle, panel, msg.sender, token, own.exitAt);
    }

    /// @notice Pays the caller its stake back. Does not ask the oracle, which could keep the stake for ever.
    /// @param panel Hash of the panel.
    function leave(address oracle, bytes32 panel, address token) external nonReentrant {
        bytes32 key = _key(oracle, panel, msg.sender, token);
        uint256 exitAt = _stakes[key].exitAt;
        require(exitAt != 0 && block.timestamp >= exitAt, ReporterStake_TooEarly(exitAt));
        uint256 amount = _empty(key);
        emit Left(oracle, panel, msg.sender, token, amount);
        _pay(token, msg.sender, amount);
    }

    /// @notice Pays the stake of a reporter that has equivocated to the parties, in equal parts; the first also gets what does not
    /// divide. Anyone may call, also after an exit was announced.
    /// @param reporter Index into the panel's reporters.
    /// @param parties As hashed in the panel.
    function slash(
        address oracle,
        Panel calldata panel,
        uint256 reporter,
        address token,
        address[] calldata parties
    ) external nonReentrant {
        bytes32 hash = keccak256(abi.encode(panel));
        address account = panel.reporters[reporter];
        bool known = parties.length != 0 && keccak256(abi.encode(parties)) == panel.parties;
        require(known, ReporterStake_Parties());
        bool proven = (IMonitoringOracle(oracle).ignored(hash) >> reporter) & 1 == 1;
        require(proven, ReporterStake_NotProven(account));
        uint256 amount = _empty(_key(oracle, hash, account, token));
        emit Slashed(oracle, hash, account, token, amount);
        uint256 part = amount / parties.length;
        _pay(token, parties[0], amount - part * (parties.length - 1));
        for (uint256 i = 1; i < parties.length; ++i) _pay(token, parties[i], part);
    }

    /// @notice A reporter's stake.
    /// @param panel Hash of the panel.
    /// @return amount [units of the token's decimals]. @return exitAt From when on it may leave [s, UNIX time]; 0: not announced.
    function stakeOf(
        address oracle,
        bytes32 panel,
        address reporter,
        address token
    ) external view returns (uint256 amount, uint256 exitAt) {
        Stake storage own = _stakes[_key(oracle, panel, reporter, token)];
        return (own.amount, own.exitAt);
    }

    function _empty(bytes32 key) private returns (uint256 amount) {
        amount = _stakes[key].amount;
        require(amount != 0, ReporterStake_NoStake());
        delete _stakes[key];
    }

    function _payoutOf(address party) internal pure override returns (address) {
        return party;
    }

    function _key(address oracle, bytes32 panel, address reporter, address token) private pure returns (bytes32) {
        return keccak256(abi.encode(oracle, panel, reporter, token));
    }
}
